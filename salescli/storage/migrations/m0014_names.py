"""Version 14: every name has a key by which it is compared and sorted, and users, offers … can be merged as customers.

The key is stored: an index then finds and sorts a name, where a function would be called for every row of the table.
"""

from __future__ import annotations

import sqlite3

from salescli.rules import names

NAME = "014_names"
CHANGES: tuple[str, ...] = (
    "names are compared whatever their case, blanks and invisible characters, and sorted by the alphabet",
    "users, offers, categories and payment systems can be merged",
)

_NAMED = ("users", "categories", "offers", "customers", "payment_systems")
_MERGED = ("users", "categories", "offers", "payment_systems")  # customers could be merged before
_INDEXES = {
    "users_name": "users (name_key)",
    "categories_name": "categories (name_key)",
    "offers_name": "offers (name_key, category_id, currency)",
    "customers_name": "customers (name_key)",
}


def run(connection: sqlite3.Connection) -> None:
    """Add and fill the columns, inside the caller's transaction."""
    connection.create_function("key_of_name", 1, names.key, deterministic=True)
    for table in _NAMED:
        connection.execute(f"ALTER TABLE {table} ADD COLUMN name_key TEXT NOT NULL DEFAULT ''")
        connection.execute(f"UPDATE {table} SET name_key = key_of_name(name)")
    for table in _MERGED:
        connection.execute(f"ALTER TABLE {table} ADD COLUMN merged_into INTEGER REFERENCES {table} (id)")
    for index, columns in _INDEXES.items():
        connection.execute(f"DROP INDEX {index}")
        connection.execute(f"CREATE INDEX {index} ON {columns}")
