"""What people enter: offers, categories, customers, payment systems, users and roles.

actors — the acting user of a login
cards — the month in which a card expires
categories — categories of offers
customer_erase — erases a customer's personal data
customer_merge — merges two records of one customer
customers — customers, and how to find one
merge — merges two records of one user, offer, category or payment system
offers — offers, their prices and terms
payment_systems — payment systems, their gateways and fees
records — add, edit and find the records of every noun
roles — roles and their permissions
tokens — saved payment methods of customers
users — users, and the managers of sales
"""
