"""What each list shows and filters by, and the SQL of a page. Changes nothing.

attempts — attempts of an invoice, failed attempts of a customer
candidates — what a shell completes: numbers and names that begin with what is typed
categories — the list of categories
changes — the changes of a history line as text
closed_months — the closed months
columns — columns and views, which every list, report and page uses
customers — the list of customers
disputes — disputes of an order or a payment
filters — the table of filters: option, help, clauses, resolver
history — the history of a record, a subject or everything
instalments — the list of an order's instalments
ledger — money in and out by day
offers — the list of offers
orders — the list of orders, with the actions each allows
payment_systems — the list of payment systems
payments — the list of payments
query — the SQL of a view: select, count, continue after a row
recurring — the list of recurring orders
roles — the list of roles
sales_plans — the list of sales plans
sorting — the order that --sort names, of rows in memory or merged
tokens — the list of a customer's saved payment methods
users — the list of users
"""
