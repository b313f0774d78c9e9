"""What managers earn of confirmed sales: one share for all, or each their own, valid when the sale was made.

users' shares → ``prepare`` → rows by share → ``of_own_shares``: rounded for each share, then added up
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import date
from itertools import groupby
from operator import itemgetter
from typing import Any

from salescli.reports.dimensions import SHARES
from salescli.rules import money, sale_shares, time
from salescli.storage import engine


def prepare(connection: engine.Connection) -> None:
    """Write the users' shares into a table that SQL looks them up in; the end of the transaction removes it."""
    connection.execute(f"DROP TABLE IF EXISTS temp.{SHARES}")
    columns = "user_id INTEGER, since INTEGER, ppm INTEGER, PRIMARY KEY (user_id, since)"
    connection.execute(f"CREATE TEMP TABLE {SHARES} ({columns}) WITHOUT ROWID")
    for id, text in connection.execute("SELECT id, shares FROM users WHERE shares <> ''").fetchall():
        steps = [(id, time.day_number(date.fromisoformat(day)), ppm) for day, ppm in sale_shares.parse(text).items()]
        connection.executemany(f"INSERT INTO temp.{SHARES} VALUES (?, ?, ?)", steps)


def has_shares(connection: engine.Connection) -> bool:
    """Return whether any user earns a share."""
    return connection.execute("SELECT 1 FROM users WHERE shares <> ''").fetchone() is not None


def of_net(net: int, ppm: int) -> int:
    """Return a share of net, rounded half up; what refunds take back beyond a period's sales is below zero."""
    earned = money.share_of(abs(net), ppm)
    return earned if net >= 0 else -earned


def of_own_shares(rows: Iterable[dict[str, Any]], share: str, sums: Sequence[str]) -> Iterator[dict[str, Any]]:
    """Yield rows by ``share`` as rows without it, ``sums`` added up, with what each share earned.

    Rows come by period, and those of one period are in memory at a time.
    """
    for _, run in groupby(rows, key=itemgetter("period")):
        yield from _added_up(run, share, sums)


def _added_up(rows: Iterable[dict[str, Any]], share: str, sums: Sequence[str]) -> list[dict[str, Any]]:
    found: dict[tuple[Any, ...], dict[str, Any]] = {}
    for row in rows:
        ppm = row.pop(share)
        earned = of_net(row["gross"] - row["refunded"], ppm)
        key = tuple(value for name, value in row.items() if name not in sums)
        kept = found.setdefault(key, {**row, **dict.fromkeys(sums, 0), "earned": 0})
        kept.update({name: kept[name] + row[name] for name in sums})
        kept["earned"] += earned
    return sorted(found.values(), key=lambda row: (row["currency"], -row["gross"]))
