"""The database's tables as numbered migrations: a new file runs them all, an upgrade those that its file lacks.

steps             — what migrations are written with: run a script, rebuild a table
m0001_house       — version 1, released as 0.1.0
m0002_retry_after — version 2: the waits after declined payments in one column

To change a table, add a file with the next number and raise `storage/schema.VERSION`; a released file is never edited.
"""
