"""Compare a payment system's own statement with our records.

compare — the comparison, and writing what a statement settles
match — find what does not agree between lines and movements; pure
pairs — which line is which movement, by the numbers that both have; pure
movements — our side, read from the database
mapped — a statement in another system's columns, read by its mapping
evidence — what the words of a line say about whose payment it is; pure
propose — which payment a line is of that names none; pure
statement — the statement's lines, read from a file
"""
