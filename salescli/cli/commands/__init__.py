"""The commands, independent of each other.

lists — orders, recurring and payments list: what starts fastest
orders — one order: show, new, pay, refund
confirm — whose sale it was: check, confirm, decline, assign
payments — invoices: show, ledger, confirm, decline, resolve
recurring — recurring orders: show, pause, activate, complete, retry, edit
upcoming — expected payments
reports — totals by dimension and period
customers — customers: their card, sales plans, merge, erase
catalogue — offers, categories, payment systems
users — users and roles
imports — orders and recurring orders from CSV
reconcile — a payment system's statement beside the database
explain — why a record is in its state
todo — what waits for a person
tick — what cron runs
charging — off, on and limits
simulate — what tick would do up to a day
history — who changed what
doctor — doctor, rebuild-totals
init — init, adopt
help — longer pages
"""
