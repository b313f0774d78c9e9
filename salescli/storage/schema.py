"""The version of the tables, and the SQL that queries share with them; ``migrations`` creates the tables."""

from __future__ import annotations

from salescli.rules import money

VERSION = 30  # PRAGMA user_version: the number of the last migration
DIGEST = "830192d5bd1bf40867652845e060f60d5cd0227e38e71992b8e49be076d15509"  # of all that the migrations make


def comparable(minor: str, currency: str) -> str:
    """Return SQL for an amount in ten-thousandths of its currency's unit, comparable across numbers of decimals.

    No currency has more than four decimals. CASE rather than IN, for which SQLite would build a table at each row.
    Kept as ``facts.price_e4`` by triggers, so a change needs a migration.
    """
    others = sorted(
        ((code, exponent) for code, exponent in money.EXPONENTS.items() if exponent != 2),
        key=lambda other: (other[0] not in money.LAST_DAY, other),  # in the order in which migrations wrote them
    )
    cases = " ".join(f"WHEN '{code}' THEN {10 ** (4 - exponent)}" for code, exponent in others)
    return f"{minor} * CASE {currency} {cases} ELSE 100 END"
