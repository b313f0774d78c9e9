"""``salescli orders|payments|recurring list``: the three tabs (R2–R5), each with its group.

Each file loads neither the other lists nor the other commands of its group.

orders — the group ``orders`` and its list
payments — the group ``payments`` and its list
recurring — the group ``recurring`` and its list
"""
