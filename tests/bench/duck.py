"""DuckDB with the same rows in native tables: the peer whose answers all others are held against."""

from __future__ import annotations

import csv
import sqlite3
from pathlib import Path
from typing import Any

TABLES = {  # times and days as numbers, as in the file
    "orders": (
        "id BIGINT, customer_id BIGINT, offer_id BIGINT, category_id BIGINT, manager_id BIGINT, confirmed INTEGER,"
        " status VARCHAR, currency VARCHAR, quantity INTEGER, price_minor BIGINT, partial INTEGER, recurring_id BIGINT,"
        " created_at BIGINT, completed_at BIGINT, completed_on INTEGER"
    ),
    "invoices": (
        "id BIGINT, order_id BIGINT, ordinal INTEGER, status VARCHAR, amount_minor BIGINT, currency VARCHAR,"
        " fee_minor BIGINT, payment_system_id BIGINT, attempted_at BIGINT, paid_at BIGINT, paid_on INTEGER"
    ),
    "refunds": "id BIGINT, invoice_id BIGINT, amount_minor BIGINT, currency VARCHAR, refunded_on INTEGER",
    "recurring": (
        "id BIGINT, customer_id BIGINT, offer_id BIGINT, payment_system_id BIGINT, currency VARCHAR,"
        " created_at BIGINT, initial_order_id BIGINT"
    ),
    "customers": "id BIGINT, name VARCHAR",
    "offers": "id BIGINT, name VARCHAR",
}


ALONE, ALL = "duckdb", "duckdb, all processors"  # on one thread, by the processor's time, and by the clock


def opened(path: Path, threads: int = 1) -> Any:
    """Return a DuckDB connection to the rows of a made file, loading them when that was not done yet.

    DuckDB opens a file once in a process, so that of another number of ``threads`` is a second name of it.
    """
    import duckdb

    target = path.with_suffix(".duckdb")
    if not target.exists():
        draft = target.with_suffix(".draft")
        draft.unlink(missing_ok=True)
        connection = duckdb.connect(str(draft))
        for table, columns in TABLES.items():
            _load(connection, path, table, columns)
        connection.close()
        draft.rename(target)
    if threads > 1:
        second = path.with_suffix(f".{threads}.duckdb")
        second.unlink(missing_ok=True)
        second.hardlink_to(target)
        target = second
    return duckdb.connect(str(target), read_only=True, config={"threads": threads})


def _load(connection: Any, path: Path, table: str, columns: str) -> None:
    names = [column.split()[0] for column in columns.split(", ")]
    source = sqlite3.connect(path)
    passed = path.with_suffix(f".{table}.csv")
    with passed.open("w", encoding="utf-8", newline="") as stream:
        csv.writer(stream).writerows(source.execute(f"SELECT {', '.join(names)} FROM {table} ORDER BY id"))
    source.close()
    connection.execute(f"CREATE TABLE {table} ({columns})")
    connection.execute(f"COPY {table} FROM '{passed}' (FORMAT csv, HEADER false)")
    passed.unlink()
