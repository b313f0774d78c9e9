"""What the program must know of the database's tables while it runs; what makes them is in ``migrations``."""

from __future__ import annotations

from salescli.rules import money

VERSION = 2  # PRAGMA user_version: the number of the last migration


def comparable(minor: str, currency: str) -> str:
    """Return as SQL an amount in ten-thousandths of its currency's unit, so that 10 is as much in every currency.

    No currency has more decimals. CASE, which an INSERT works out in no time; IN would make a table for each. Stored as
    ``orders.price_e4``, so that a change of it needs a migration.
    """
    others = sorted((code, exponent) for code, exponent in money.EXPONENTS.items() if exponent != 2)
    cases = " ".join(f"WHEN '{code}' THEN {10 ** (4 - exponent)}" for code, exponent in others)
    return f"{minor} * CASE {currency} {cases} ELSE 100 END"
