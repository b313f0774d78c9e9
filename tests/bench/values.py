"""What the sweep gives to each option: top, tail, word and nothing found, drawn from the file itself.

An option without values here is in ``OUTPUT`` with its reason, or the sweep stops: nothing is left out by forgetting.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

import click

from tests.bench.questions import WORD

Values = dict[str, tuple[str, ...]]  # top, tail, nothing found … -> the words of the command line

YEAR, MONTH, EARLY, LATER = "2024", "2024-03", "2021-02", "2031-05"  # LATER: nothing happened then
OUTPUT = {  # how rows are written, not which
    "format": "its formats are cases of their own",
    "short": "a short word for a format",
    "excel": "CSV with other separators",
    "file": "a format by its ending",
    "xlsx": "a case of its own",
    "html": "a case of its own",
    "opened": "starts a browser",
    "columns": "`all` is a case of its own",
    "sort": "each column is a case of its own",
    "limit": "0 is a case of its own",
    "view": "of a configuration file",
    "no_headers": "a line less",
    "expanded": "a table as blocks",
    "no_pager": "there is no terminal",
    "follow": "waits for what happens next",
    "ndjson": "a format",
}

_PAGES = (  # list -> where a page in its depth begins: table, column
    ("orders", "orders", "id"), ("payments", "invoices", "id"), ("recurring", "recurring", "id"),
    ("customers", "customers", "id"), ("offers", "offers", "number"),
)  # fmt: skip


class Drawn:
    """The words for options and arguments, of one made file."""

    def __init__(self, path: Path) -> None:
        with closing(sqlite3.connect(path)) as connection:
            self._connection = connection
            self._customers = self._ends("customer_id", "orders")
            self._words = {
                "customer": tuple(map(str, self._customers)),
                "offer": self._named("offers", "number", "offer_id"),
                "category": self._named("categories", "number", "category_id"),
                "manager": self._named("users", "name", "manager_id"),
                "payment_system": self._named("payment_systems", "name", "payment_system_id", "invoices"),
                "currency": tuple(map(str, self._ends("currency", "orders"))),
            }
            self.login = str(self._one("SELECT login FROM users WHERE id = 1"))
            self._numbers = {
                "order": self._one(
                    "SELECT order_id FROM invoices GROUP BY order_id ORDER BY count(*) DESC, order_id LIMIT 1"
                ),
                "invoice": self._one("SELECT max(id) FROM invoices"),
                "id": self._one(
                    "SELECT recurring_id FROM orders WHERE recurring_id IS NOT NULL"
                    " GROUP BY recurring_id ORDER BY count(*) DESC, recurring_id LIMIT 1"
                ),
            }
            self._deep = {
                noun: self._one(
                    f"SELECT {column} FROM {table} ORDER BY id LIMIT 1 OFFSET (SELECT count(*) / 10 FROM {table})"
                )
                for noun, table, column in _PAGES
            }

    def argument(self, name: str) -> tuple[str, ...] | None:
        """Return the words of a required argument that names a record, the largest one; None: no case is made of it."""
        if name in self._numbers:
            return (str(self._numbers[name]),)
        top = {"user": "manager"}.get(name, name)
        return (self._words[top][0],) if top in self._words else None

    def of(self, command: Sequence[str], option: click.Option, statuses: Sequence[str]) -> Values:
        """Return the values of an option. Raise KeyError for one that nobody thought of."""
        name, flag = str(option.name), option.opts[0]
        if isinstance(option.type, click.Choice):
            return {choice: (flag, choice) for choice in option.type.choices}
        if option.is_flag or option.secondary_opts:
            return {flag: (flag,) for flag in (*option.opts[:1], *option.secondary_opts)}
        if name == "status":
            return {status: (flag, status) for status in statuses}
        if name == "after":
            return {"deep": (flag, str(self._deep[command[0]]))} if command[0] in self._deep else {}
        return {what: (flag, *words) for what, words in self._values(name).items()}

    def _values(self, name: str) -> Values:
        if name in self._words:
            top, *_, tail = self._words[name]
            return {"top": (top,), "tail": (tail,), **_FOUND.get(name, {}), **_NOTHING.get(name, {})}
        if name == "by":  # of the history: who
            return {"top": (self.login,), "system": ("system",)}
        return _PLAIN[name]

    def _named(self, table: str, name: str, column: str, of: str = "orders") -> tuple[str, ...]:
        ids = self._ends(column, of)
        return tuple(str(self._one(f"SELECT {name} FROM {table} WHERE id = {id}")) for id in ids)

    def _ends(self, column: str, table: str) -> list[object]:
        """Return the most and the least frequent value of a column."""
        frequent = f"SELECT {column} FROM {table} WHERE {column} IS NOT NULL GROUP BY 1 ORDER BY count(*)"
        return [self._one(f"{frequent} DESC, 1 LIMIT 1"), self._one(f"{frequent}, 1 LIMIT 1")]

    def _one(self, sql: str) -> object:
        return self._connection.execute(sql).fetchone()[0]


_FOUND: dict[str, Values] = {
    "customer": {"word": (WORD,)},
    "offer": {"word": ("course",)},
    "manager": {"system": ("system",)},
}
_NOTHING: dict[str, Values] = {
    "customer": {"not there": ("qqqzzz",)},
    "offer": {"not there": ("qqqzzz",)},
    "currency": {"nothing": ("CHF",)},
}
_PLAIN: dict[str, Values] = {
    "since": {"nearly all": (EARLY,), "tail": ("2025-12-20",), "nothing": (LATER,)},
    "until": {"nearly all": ("2025-12-01",), "tail": (EARLY,), "nothing": ("2019-01",)},
    "on": {"year": (YEAR,), "day": (f"{MONTH}-15",)},
    "month": {"month": (MONTH,), "first": ("2021-01",), "nothing": (LATER,)},
    "least": {"nearly all": ("1",), "tail": ("100",), "nothing": ("99999999",)},
    "most": {"nearly all": ("99999999",), "tail": ("20",), "nothing": ("0.01",)},
    "search": {"word": (WORD,), "offers": ("course",), "number": ("1777",), "nothing": ("qqqzzz",)},
    "days": {"year": ("365",)},
    "share": {"tenth": ("10",)},
    "kind": {
        "of events": ("payment.paid",),
        "of few events": ("recurring.completed",),
        "of none": ("recurring.failed",),
    },
}
