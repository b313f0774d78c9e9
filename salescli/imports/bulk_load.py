"""Drop the totals' triggers and the indexes of orders while a long import writes, and restore them at its end.

``writes_orders``, ``wrote_order`` -> worth while? ``begin`` -> ``end``: indexes of sorted rows, totals counted once

All in the import's transaction, so that a failed or interrupted import leaves them unchanged.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from salescli.storage import database, engine, totals

_ORDERS_BETWEEN = 500  # between two checks whether it is worthwhile
_COST_OF_KEEPING = 6  # triggers and indexes cost an order as much as counting and indexing so many again

# Not the indexes of refunds, by which an update finds those of its invoice, nor those that keep numbers unique, as
# triggers do with that of payments at a payment system.
_SET_ASIDE = """
SELECT type, name, sql FROM sqlite_master
WHERE (type = 'trigger' AND name LIKE 'totals!_%' ESCAPE '!')
  OR (type = 'index' AND tbl_name IN ('orders', 'invoices') AND sql LIKE 'CREATE INDEX %'
    AND name <> 'invoices_gateway')
"""

# Those of facts stay: rows of facts are written by nothing else meanwhile.
_TOTALS = """
SELECT type, name, sql FROM sqlite_master
WHERE type = 'trigger' AND name LIKE 'totals!_%' ESCAPE '!' AND tbl_name <> 'facts'
"""

# What does nothing for rows that are moved, as long as no month is closed.
_IDLE = """
SELECT type, name, sql FROM sqlite_master
WHERE type = 'trigger' AND name LIKE 'closed!_%!_insert' ESCAPE '!' AND NOT EXISTS (SELECT 1 FROM closed_months)
"""


@dataclass(slots=True)
class Aside:
    """The triggers and indexes that an import drops, in its transaction, once it has written many orders.

    Before that it may be a small file for a large database, where maintaining them costs less.
    """

    connection: engine.Connection
    written: int = 0
    kept: list[engine.Row] = field(default_factory=list)

    @property
    def on_server(self) -> bool:
        """Whether nothing can be dropped: others work with the tables meanwhile, and own them."""
        return engine.server(self.connection) is not None

    def wrote_order(self) -> None:
        """Count an order, and drop triggers and indexes at the first that makes it worthwhile."""
        self.written += 1
        if self.written % _ORDERS_BETWEEN == 0:
            self._begin_if_worthwhile()

    def writes_orders(self, orders: int) -> None:
        """Count orders that are written next, and drop triggers and indexes if that is worthwhile."""
        self.written += orders
        if orders and self.written >= _ORDERS_BETWEEN:
            self._begin_if_worthwhile()

    def _begin_if_worthwhile(self) -> None:
        if not self.kept and not self.on_server:
            there = self.connection.execute("SELECT coalesce(max(id), 0) FROM orders").fetchone()[0]
            if self.written * _COST_OF_KEEPING >= there:
                self.begin()

    def begin(self) -> None:
        """Drop the triggers and indexes."""
        assert self.connection.in_transaction
        self.kept = self._dropped(_SET_ASIDE)

    def _dropped(self, found: str) -> list[engine.Row]:
        dropped = self.connection.execute(found).fetchall()
        for one in dropped:
            self.connection.execute(f"DROP {one['type']} {one['name']}")
        return dropped

    @contextmanager
    def idle(self, orders: int, first: int | None = None) -> Iterator[None]:
        """Drop triggers while a block moves the rows of many orders: those of totals count them afterwards at once.

        ``first``: the id of the first order, if all rows are of new orders from that on.
        """
        many = orders >= _ORDERS_BETWEEN and not self.on_server
        at_once = first if many and not self.kept else None
        idle = self._dropped(_IDLE) if self.kept and many else []
        if at_once is not None:
            idle += self._dropped(_IDLE) + self._dropped(_TOTALS)
        yield
        if at_once is not None:
            totals.count_from(self.connection, at_once)
        for trigger in idle:
            self.connection.execute(trigger["sql"])

    def end(self) -> None:
        """Restore what was dropped, and recount the totals: after the indexes, before the triggers."""
        if self.kept:
            with database.sorting(self.connection):
                self._put_back("index")
                totals.recount(self.connection)
            self._put_back("trigger")

    def _put_back(self, type: str) -> None:
        for kept in self.kept:
            if kept["type"] == type:
                self.connection.execute(kept["sql"])
