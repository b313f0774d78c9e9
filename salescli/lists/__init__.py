"""What each list shows and filters by, and the SQL of a page. Changes nothing.

columns — a column and a view, which every list, report and page shows
query — the SQL of a view: select, count, and how a list goes on after a row
filters — the table of filters: option, clause, what its words mean, label
orders, payments, recurring — the three tabs
ledger — money in and out by its day
offers, categories, customers, payment_systems, users, roles — the catalogue's lists
attempts, sales_plans — lists on a record's page
history — the history as people read it
"""
