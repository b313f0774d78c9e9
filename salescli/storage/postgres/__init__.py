"""A shop in a schema of PostgreSQL, from the same tables and statements as in a file.

connection — a connection to a server, used as one to a file
cursor — the rows of a statement, and errors by the names that every room knows
dialect — functions and operators by SQLite's names, which the shop's schema holds
driver — psycopg2, or how to install it
guards — what triggers refuse: nobody changes the past, or acts in another's name
numbers — the numbers of records, without gaps
rights — the groups of the server, and who is in which
schema — the tables, indexes, views and triggers, translated from those of a new file
shop — a shop made, opened, and known again
statements — a statement of the program in PostgreSQL's words
sums — the totals, to which a transaction adds its changes once, at its end
words — the key of names, and searches, as FTS5 answers them
"""
