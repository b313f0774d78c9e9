"""Columns and views: what a list or report shows, with the same keys in every format."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from typing import Any, Literal, NamedTuple

from salescli.errors import BadUsage

# `time` is a stored instant, `day` a stored day or the text of one. `number` is of a record, `count` of things, whose
# digits a terminal shows in groups. `whole` is text that is never cut, so that nothing is approved unread; `command`
# neither, so that it can be copied; `lines` neither, but it may go on below itself. `json` has several parts.
Kind = Literal[
    "text",
    "number",
    "count",
    "money",
    "time",
    "day",
    "yesno",
    "status",
    "percent",
    "manager",
    "whole",
    "lines",
    "command",
    "json",
]


class Column(NamedTuple):
    """A column: its stable key, how its raw value is formatted, and its SQL.

    ``currency``: for money, the key of the column with its currency. ``compute``: instead of SQL, a function of the
    actor and the view's hidden columns. ``shown``: whether it is shown by default. ``sort``: the SQL that sorts it, if
    not its own; ``filled``: that is never NULL, so that an index can carry the sort. ``rank``: on a terminal too narrow
    for all columns, the one with the highest rank is left out first, of equals the last; 0 stays.
    """

    key: str
    kind: Kind = "text"
    sql: str = ""
    shown: bool = True
    currency: str = "currency"
    compute: Callable[..., str] | None = None
    sort: str = ""
    filled: bool = False
    rank: int = 1


class View(NamedTuple):
    """A list: where its rows come from, its columns, and the columns that its filters use.

    ``joins``: what belongs to each row of ``source``, exactly one row or none, so that a query leaves out those of
    which it uses no column; each may build on those before it.
    """

    name: str
    source: str
    columns: tuple[Column, ...]
    newest_first: tuple[str, ...]  # default order: columns that are never NULL, the last one unique; - for descending
    id: str  # the column that identifies a record
    filters: Mapping[str, str]  # filter -> its column, or a whole clause if it contains `{v}`
    hidden: str = ""  # more SQL columns, for `compute`
    statuses: tuple[str, ...] = ()
    indexed: tuple[str, ...] = ()  # filters whose index has another order than the list: for few rows
    found: Mapping[str, str] = {}  # filter -> its clause for few rows, if it is another
    merged: bool = False  # its source is a union of two parts, each in the list's order; nothing is computed
    by_local_day: bool = False  # `from` and `before` compare local days, not instants
    joins: tuple[str, ...] = ()
    values: Mapping[str, Any] = {}  # what its SQL binds

    def joined(self, *texts: str, source: str = "") -> str:
        """Return the source, or another, with the joins whose columns occur in ``texts``; without texts with all."""
        used, joins = " ".join(texts), []
        for join in reversed(self.joins):
            if not texts or re.search(rf"\b{_alias(join)}\.", used):
                joins.append(join)
                used += join
        return " ".join((source or self.source, *reversed(joins)))

    def column(self, key: str) -> Column:
        """Return the column with this key. Raise BadUsage, with all keys, for another."""
        return named(self.columns, key, self.name)


@lru_cache
def _alias(join: str) -> str:
    """Return the name that a join gives its row: `c` of "JOIN customers c ON …"."""
    return join.partition(" ON ")[0].rpartition(" ")[2]


def named(columns: Sequence[Column], key: str, whose: str) -> Column:
    """Return the column with this key. Raise BadUsage, with all keys, for another."""
    for column in columns:
        if column.key == key:
            return column
    from salescli.rules import suggest  # only mistakes need it

    meant = suggest.did_you_mean(key, [column.key for column in columns])
    raise BadUsage(f"{whose} have no column {key!r}; the columns are {', '.join(c.key for c in columns)}{meant}")
