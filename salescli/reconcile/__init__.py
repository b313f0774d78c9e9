"""Compare a payment system's own statement with our records.

compare — the comparison, and writing what a statement settles
match — match lines with movements, and find what does not agree; pure
movements — our side, read from the database
statement — the statement's lines, read from CSV
"""
