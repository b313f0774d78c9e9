"""The history as people read it: of one record and what belongs to it, of a subject, or of everything."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from salescli.lists.changes import ChangeText
from salescli.lists.columns import Column
from salescli.storage import database, engine
from salescli.storage.clauses import Where

if TYPE_CHECKING:
    from zoneinfo import ZoneInfo

# The lines that a record's history shows besides its own: subject → clause over a line `h`.
_RELATED = {
    "order": (
        "(h.subject = 'order' AND h.subject_id = :id"
        " OR h.subject = 'invoice' AND h.subject_id IN (SELECT id FROM invoices WHERE order_id = :id))"
    ),
    "customer": (
        "(h.subject = 'customer' AND h.subject_id IN (SELECT id FROM customers WHERE id = :id OR merged_into = :id)"
        " OR h.subject = 'order' AND h.subject_id IN (SELECT id FROM orders WHERE customer_id = :id)"
        " OR h.subject = 'recurring' AND h.subject_id IN (SELECT id FROM recurring WHERE customer_id = :id)"
        " OR h.subject = 'invoice' AND h.subject_id IN"
        " (SELECT i.id FROM orders o JOIN invoices i ON i.order_id = o.id WHERE o.customer_id = :id))"
    ),
}


@dataclass(frozen=True, slots=True)
class HistoryFilter:
    """Which lines to show: those of a user (by id) or of the system; written from ``since`` on, before ``before``."""

    by: int | None = None
    by_system: bool = False
    since: int | None = None
    before: int | None = None


COLUMNS = (
    Column("line", "number", shown=False),  # for --sort line, oldest first
    Column("at", "time"),
    Column("about", "time", rank=5),  # the time that the change is about, where that is another
    Column("by", rank=1),
    Column("subject", rank=0),
    Column("number", "number", rank=0),
    Column("what", "lines", rank=0),
    Column("changes", "lines", rank=0),
    Column("reason", rank=2),
    Column("command", rank=3),
)
FIELDS = Column("fields", "json", shown=False)  # the changes, for programs: in JSON it is shown

SOURCE = (
    "history h JOIN users u ON u.id = h.user_id LEFT JOIN users f ON f.id = h.for_user_id"
    " LEFT JOIN texts t ON t.id = h.reason_id"
)
WRITTEN = "coalesce(h.written_at, h.at)"  # most lines have the one time only
_ABOUT = f"nullif(h.at, {WRITTEN})"
# "Іван", "Іван, as Олена", "system, started by Іван"
BY = (
    "CASE h.by_system WHEN 1 THEN 'system, started by ' ELSE '' END || u.name"
    " || CASE WHEN f.id IS NULL THEN '' ELSE ', as ' || f.name END"
)


_SAME_USER = "SELECT id FROM users WHERE id = :by OR merged_into = :by"

_ALL = "1 = 1"
_NEWEST = "h.id DESC"
# By these SQL sorts lines; the others are words, made and sorted here. What may be empty comes last.
_ORDERS = {
    "line": "h.id",
    "at": WRITTEN,
    "about": f"{_ABOUT} IS NULL, {_ABOUT}",
    "number": "h.subject_id IS NULL, h.subject_id",
}


def order_of(sort: Sequence[str]) -> str | None:
    """Return the SQL of an order that ``--sort`` names; None if SQL cannot sort by a column of it."""
    names = [word.removeprefix("-") for word in sort]
    if not _ORDERS.keys() >= set(names):
        return None
    terms = [f"{_ORDERS[name]}{' DESC' if word != name else ''}" for name, word in zip(names, sort, strict=True)]
    return ", ".join(terms if "line" in names else (*terms, _NEWEST))


class Lines:
    """The lines of one record, of a subject, or of everything, in the shape of COLUMNS, and their number.

    They are read from the database each time they are asked for, so that many need no memory. An order's history
    includes its invoices; a customer's includes merged duplicates and the customer's orders, invoices and recurring
    orders.
    """

    def __init__(
        self,
        connection: engine.Connection,
        subject: str | None,
        subject_id: int | None,
        wanted: HistoryFilter = HistoryFilter(),
    ) -> None:
        self._connection = connection
        clauses = {
            f"(h.user_id IN ({_SAME_USER}) OR h.for_user_id IN ({_SAME_USER})) AND h.by_system = 0": (
                wanted.by is not None
            ),
            "h.by_system = 1": wanted.by_system,
            f"{WRITTEN} >= :since": wanted.since is not None,
            f"{WRITTEN} < :before": wanted.before is not None,
            "h.subject = :subject": subject is not None and subject_id is None,
            _RELATED.get(subject or "", "h.subject = :subject AND h.subject_id = :id"): subject_id is not None,
        }
        self._where = " AND ".join(clause for clause, applies in clauses.items() if applies) or _ALL
        self._values = {
            "by": wanted.by,
            "since": wanted.since,
            "before": wanted.before,
            "subject": subject,
            "id": subject_id,
        }

    def count(self) -> int:
        """Return the number of lines."""
        where = "" if self._where == _ALL else f" WHERE {self._where}"  # without one SQLite counts no rows
        sql = f"SELECT count(*) FROM history h{where}"
        return int(self._connection.execute(sql, self._values).fetchone()[0])

    def first(self, zone: ZoneInfo, limit: int | None) -> tuple[list[dict[str, Any]], int]:
        """Return the newest lines of a record and the number of all, which are found once for both."""
        if limit is None:
            rows = list(self.rows(zone, None))
            return rows, len(rows)
        sql = f"SELECT h.id FROM history h WHERE {self._where} ORDER BY {_NEWEST}"
        found = [row[0] for row in self._connection.execute(sql, self._values)]
        shown = Where()
        shown.add("h.id IN ({ids})", ids=found[:limit] or [0])
        return list(self._read(zone, str(shown), shown.values, _NEWEST)), len(found)

    def rows(
        self, zone: ZoneInfo, limit: int | None, *, order: str = _NEWEST, fields: bool = False
    ) -> Iterator[dict[str, Any]]:
        """Yield the lines, newest first; times in ``changes`` are in ``zone``. ``fields``: also what FIELDS shows.

        ``order``: another one, of ``order_of``.
        """
        values = {**self._values, "limit": -1 if limit is None else limit}
        return self._read(zone, self._where, values, f"{order} LIMIT :limit", fields=fields)

    def _read(
        self, zone: ZoneInfo, where: str, values: Mapping[str, Any], order: str, *, fields: bool = False
    ) -> Iterator[dict[str, Any]]:
        found = database.tuples(
            self._connection,
            f"SELECT h.id AS line, {WRITTEN} AS at, {_ABOUT} AS about, {BY} AS by, h.subject,"
            f" h.subject_id AS number, h.what, h.changes, t.text AS reason, h.command FROM {SOURCE}"
            f" WHERE {where} ORDER BY {order}",
            values,
        )
        changes = ChangeText(self._connection, zone)
        keys = [name for name, *_ in found.description]
        for one in found:
            line = dict(zip(keys, one, strict=True))
            more = {"fields": changes.fields(line)} if fields else {}
            yield {**line, "changes": changes.of(line), **more}
