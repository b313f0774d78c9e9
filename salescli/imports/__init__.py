"""Files from elsewhere: all rows or none, every bad row named.

batch — the steps of a batch of rows: recognised by number and digest, staged or compared
bulk_load — triggers and indexes dropped while a long import writes, restored and counted at its end
catalogue — the import of offers, categories, customers, payment systems and users
cells — the values of a row, each parsed by its column, and the problems of the row
column_words — what shops call their columns and statuses, in five languages
csv_file — strict CSV, read row by row
customers_ahead — the customers of a batch, stored or staged, read by few statements
find_mapping — mappings by name, file or header: the user's own, and those that are shipped
foreign — a file of another system, opened by its mapping: the door for all kinds of records
forms — the amounts and times of a mapped file, by the convention of each column
lookups — the records that a row refers to, found or created
mapped — a file of another system, as rows of our columns
mapped_cells — the cells of another system's file as its mapping reads them
mapped_order — one order of another system, in our columns
mapped_recurring — one subscription of another system, in our columns
mapping — how another system's columns become ours: values, conditions, items
mapping_file — the TOML file of a mapping, checked
mapping_text — a proposal as the TOML of a mapping
order_changes — what ``--update`` changes of a stored order
order_payment — the payment in a row of orders, checked against its price
order_reader — the rows of a file of orders, each part read once for all that have it alike
order_row — a row of orders, checked and completed
order_tables — the columns of an order, its invoice and its refund, staged or updated
orders — the import of orders
own_lists — the columns of our own lists that an import leaves out, or has under another name
parts — the payments of an order that was paid in several parts
propose — a mapping proposed for an unknown file
questions — what only a person knows of an unknown file
reading — files as people have them become a header and rows of texts
recurring — the import of recurring orders
refunds — the refunds of an imported order, brought to a file's sum
rejects — the file of bad rows that ``--skip-bad`` leaves out
run — what all imports share: one transaction, counts, one line of history
sample — the first rows of an unknown file, and what its values look like
shares — an amount of an order shared among its items
stage — new rows in temporary tables until all are read, then moved at once
times — fast timestamp parsing
told — what a file of another system held, in sentences
utc_columns — columns that say UTC in their name
"""
