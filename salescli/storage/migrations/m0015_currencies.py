"""Version 15: amounts in currencies of the past that had no decimals compare with those of others.

The column of comparable amounts is generated, so its expression is in the table's SQL, which is edited in place, as
SQLite's documentation has it for what changes no stored row: no order could be in one of these currencies before.
"""

from __future__ import annotations

import sqlite3

NAME = "015_currencies"
CHANGES: tuple[str, ...] = ("orders may be in currencies of the past, for dates in which they were current",)

_BEFORE = "CASE currency WHEN 'BHD'"
_WITHOUT_DECIMALS = ("ADP", "BEF", "BYB", "BYR", "ESP", "GRD", "ITL", "LUF", "MGF", "PTE", "TPE", "TRL")
_CASES = " ".join(f"WHEN '{code}' THEN 10000" for code in _WITHOUT_DECIMALS)


def run(connection: sqlite3.Connection) -> None:
    """Edit the expression, inside the caller's transaction."""
    connection.execute("PRAGMA writable_schema = ON")
    try:
        edited = connection.execute(
            "UPDATE sqlite_master SET sql = replace(sql, ?, ?) WHERE type = 'table' AND name = 'orders'",
            (_BEFORE, f"CASE currency {_CASES} WHEN 'BHD'"),
        )
        assert edited.rowcount == 1
    finally:
        connection.execute("PRAGMA writable_schema = RESET")
