"""``salescli orders|payments|recurring list``: the three tabs (R2–R5), each with its group.

A file for each, which loads neither the other lists nor what else its group does.

orders — the list of orders
payments — the list of payments
recurring — the list of recurring orders
"""
