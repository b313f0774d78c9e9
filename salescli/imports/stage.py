"""New rows of an import, staged in temporary tables until all are read, then moved into the tables at once.

``add`` (in memory) -> a batch: ``write`` (temporary tables) -> ``move`` (INSERT … SELECT) -> ``end``

Until the move no page of the database is written, so that whoever reads it meanwhile does not wait.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from salescli.imports.bulk_load import Aside
from salescli.storage import database, engine

# The columns of a new customer; those by which an import finds customers have an index here too.
CUSTOMER = ("id", "name", "name_key", "email", "phone", "source", "source_id", "created_at")
_FOUND_BY = {"customers": ("source_id", "email", "name_key")}


class Stage:
    """The new rows of one import.

    ``tables``: name -> columns, the id first; a table stands after those it refers to. Customers are always the first.
    """

    def __init__(self, connection: engine.Connection, tables: Mapping[str, Sequence[str]]) -> None:
        self._connection = connection
        self._tables = {"customers": CUSTOMER, **tables}
        self._ids = {table: database.free_ids(connection, table) for table in self._tables}
        self._first = {table: next(database.free_ids(connection, table)) for table in self._tables}
        self._rows: dict[str, list[tuple[Any, ...]]] = {table: [] for table in self._tables}
        self._insert: dict[str, str] = {}
        self._staged = dict.fromkeys(self._tables, 0)  # rows in the temporary tables
        self.aside = Aside(connection)
        for table, columns in self._tables.items():
            connection.execute(f"DROP TABLE IF EXISTS staged_{table}")
            typed = f"SELECT {', '.join(columns)} FROM {table} WHERE 0"
            connection.execute(f"CREATE TEMPORARY TABLE staged_{table} AS {typed}")
            for column in _FOUND_BY.get(table, ()):
                connection.execute(f"CREATE INDEX temp.staged_{table}_{column} ON staged_{table} ({column})")
            self._insert[table] = f"INSERT INTO staged_{table} VALUES ({', '.join('?' * len(columns))})"

    def next_id(self, table: str) -> int:
        """Return the id of the next row of a table."""
        return next(self._ids[table])

    def add(self, table: str, row: tuple[Any, ...]) -> None:
        """Add a row, whose values stand in the order of the table's columns."""
        self._rows[table].append(row)

    def write(self) -> None:
        """Stage the rows that were added since."""
        for table, rows in self._rows.items():
            if rows:
                self._connection.executemany(self._insert[table], rows)
                self._staged[table] += len(rows)
                rows.clear()

    def drop(self) -> None:
        """Forget the rows that were added and not staged, of a record that could not be written."""
        for rows in self._rows.values():
            rows.clear()

    def move_if_new(self, table: str, id: int) -> None:
        """Move all rows if one is among those that were added."""
        if id >= self._first[table]:
            self.move()

    def move(self) -> None:
        """Move all rows into the tables."""
        self.write()
        if any(self._staged.values()):
            orders = self._staged.get("orders", 0)
            self.aside.writes_orders(orders)
            with self.aside.idle(orders, self._first_order()):
                for table in self._tables:
                    self._move(table)

    def _first_order(self) -> int | None:
        """Return the id of the first staged order, None if other rows are of orders that are stored."""
        if not self._staged.get("orders"):
            return None
        orders, invoices, orders_of, invoices_of = (
            self._connection.execute(f"SELECT min({column}) FROM staged_{table}").fetchone()[0]
            for table, column in (
                ("orders", "id"),
                ("invoices", "id"),
                ("invoices", "order_id"),
                ("refunds", "invoice_id"),
            )
        )
        is_of_stored = (orders_of or orders) < orders or (invoices_of is not None and invoices_of < (invoices or 0))
        return None if is_of_stored or (invoices_of and not invoices) else int(orders)

    def _move(self, table: str) -> None:
        if self._staged[table]:
            columns = ", ".join(self._tables[table])
            self._connection.execute(f"INSERT INTO {table} ({columns}) SELECT {columns} FROM staged_{table}")
            self._connection.execute(f"DELETE FROM staged_{table}")
            self._staged[table] = 0

    def end(self) -> None:
        """Move all rows, and restore what was dropped meanwhile."""
        self.move()
        self.aside.end()
