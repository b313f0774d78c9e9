"""The database: open it, write in transactions, its tables, totals and history.

clauses — SQL clauses that several packages share
database — open and check the SQLite database; transactions and settings
engine — the types and errors of a database, which every other room names
files — where a caller's file is written: through nobody else's link
history — writes who changed what, when and why
home — which copy of a database may charge, and what it may not know
lease — keeps hosts apart that work on one server
lock — keeps two ticks apart, and a restore or a long import apart from both
many — reads, inserts and changes many rows at once
migrate — runs pending migrations, compares tables with those of a version
migrations — the tables, version by version; a server's are made from the same text
move — a whole shop into another database, and this one closed
new_file — makes a database's file: a new one, or a copy
offsets — how far the account's clocks were from UTC, as rows for other programs
pages — the size of a database, and what is damaged in it
place — where a database may lie
postgres — a shop on a server
process — which process this is, and whether another one still runs
reread — rows in no memory: read as often as they are asked for
schema — the version of the tables, and SQL that queries share with them
scratch — rows that come once and are too many for memory, sorted in a private file
sqlite — a shop in a file: its connection, upgrade and backups
totals — rebuilds the facts and totals that reports read, and compares them with the rows
transfer — copies all rows into a database of any engine, and compares them
work — the context of an operation: connection, actor, time, zone
"""
