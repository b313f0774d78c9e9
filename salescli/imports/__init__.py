"""Files from elsewhere: all rows or none, every bad row named.

batch — the steps of a batch of rows: recognised by number and digest, inserted or compared
bulk_load — triggers and indexes dropped during a long import, restored and counted at its end
catalogue — the import of offers, categories, customers, payment systems and users
cells — the values of a row, each parsed by its column, and the problems of the row
csv_file — strict CSV, read row by row
customers_ahead — the customers of a batch, read by two statements
lookups — the records that a row refers to, found or created
order_changes — what ``--update`` changes of a stored order
order_row — a row of orders, checked and completed
order_tables — the columns of an order, its invoice and its refund, written in batches
orders — the import of orders
reading — files as people have them become a header and rows of texts
recurring — the import of recurring orders
refunds — the refunds of an imported order, brought to a file's sum
rejects — the file of bad rows that ``--skip-bad`` leaves out
run — what all imports share: one transaction, counts, one line of history
times — fast timestamp parsing
utc_columns — columns that say UTC in their name
"""
