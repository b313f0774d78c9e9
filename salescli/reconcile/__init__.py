"""A payment system's own statement beside our records.

compare — the comparison, and writing what a statement settles
match — which line belongs to which movement, and what does not agree; pure
movements — our side, read from the database
statement — the statement's lines, read from CSV
"""
