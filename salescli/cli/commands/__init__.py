"""The commands, a file for each group, independent of each other; ``cli.index`` says which command is in which file.

backup — backup, restore
catalogue — offers, categories, payment-systems
charging — charging off and on, limits
closing — close and reopen a month
completion — the scripts for shells
config — the configuration file, and where settings come from
confirm — orders check, confirm, decline, assign
cron — the crontab lines
customers — customers: the catalogue's commands, sales plans, merge, erase
doctor — doctor, rebuild-totals
events — what happened, by number
explain — why a record is in its state
export — every list as one CSV file
gateway_sync — what happened in payment systems themselves
help — the pages
history — who changed what
hooks — who is told what happens
imports — import of orders and recurring orders
init — init, adopt
lists — the lists of orders, payments and recurring orders
notify — tell the hooks
order_edit — orders edit, cancel, note
orders — orders show, new, pay, refund
owing — orders owing, instalments
payments — payments show, ledger, confirm, decline, resolve
reconcile — a statement compared with the database
recurring — recurring show, pause, activate, complete, retry, edit
reports — totals by dimension and period
sell — orders sell
simulate — tick on a copy
tick — charge what is due
todo — what waits for a person
upcoming — recurring upcoming
upgrade — a database of an older version
users — users, roles
"""
