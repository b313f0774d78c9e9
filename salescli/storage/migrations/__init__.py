"""The tables as numbered migrations: a new database runs them all, an upgrade the pending ones.

steps — helpers of migrations: run a script, rebuild a table
m0001_house — version 1, released as 0.1.0
m0002_retry_after — version 2: the waits after declined payments in one column
m0004_checked_elsewhere — version 4: what a person checked for other copies
m0005_one_payment_each — version 5: one payment of a gateway pays one invoice
m0007_moved_elsewhere — version 7: refunds and disputes made at the payment system

To change a table, add a file with the next number and raise `storage/schema.VERSION`; a released file is never edited.
"""
