"""The database: open it, write in transactions, its schema, totals and history.

backup — checked copies, and which old ones go
database — open, check and write one file
history — who changed what, when and why
lock — keeps two ticks apart, and a restore apart from both
restore — put a backup in the place of the database
schema — every table, index and trigger
totals — the counted totals that reports read
totals_schema — the tables and triggers that count them
"""
