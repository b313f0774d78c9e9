"""Columns and views: what a list or report shows, under keys that are the same in every format; pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Literal, NamedTuple

from salescli.errors import BadUsage

# `command` is text that a terminal never cuts short, so that it can be copied.
Kind = Literal["text", "number", "money", "time", "day", "yesno", "status", "percent", "manager", "command"]


class Column(NamedTuple):  # not a dataclass: every start makes these two, and would take a millisecond for each
    """A column: its stable key, how its raw value reads, and the SQL that yields it.

    ``currency``: of money, the column that holds its currency; ``compute``: in place of SQL, of the actor and of the
    values of its view's hidden columns; ``shown``: without ``--columns``.
    """

    key: str
    kind: Kind = "text"
    sql: str = ""
    shown: bool = True
    currency: str = "currency"
    compute: Callable[..., str] | None = None


class View(NamedTuple):
    """A noun as a list: where its rows come from, what they show, which columns its filters look at."""

    name: str
    source: str
    columns: tuple[Column, ...]
    newest_first: tuple[str, ...]  # its own order: columns that are never NULL, - for descending, the last one unique
    id: str  # the column that a record's page asks for
    filters: Mapping[str, str]  # filter -> the column it looks at, or a clause of its own where that has a `{v}`
    hidden: str = ""  # more SQL columns, for `compute`
    statuses: tuple[str, ...] = ()
    of_orders: tuple[str, ...] = ()  # filters by what the rows' orders, `o` in the source, have an index of
    merged: bool = False  # its source has two parts, each in the list's order; it computes nothing
    by_local_day: bool = False  # `from` and `before` look at a local day and not at an instant

    def column(self, key: str) -> Column:
        """Return the column of a key. Raise BadUsage naming those there are."""
        return named(self.columns, key, self.name)


def named(columns: Sequence[Column], key: str, whose: str) -> Column:
    """Return the column of a key. Raise BadUsage naming those there are."""
    for column in columns:
        if column.key == key:
            return column
    raise BadUsage(f"{whose} have no column {key!r}; there are {', '.join(c.key for c in columns)}")
