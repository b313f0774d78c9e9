"""Reports of several shops, each a file of its own: the shop is one more dimension, and the totals are added up.

shop -> ``Statement``, for each -> ``together``: every row with its shop, the totals per currency
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from salescli.reports.questions import Rows
from salescli.reports.report import SHOP, Breakdown, Statement
from salescli.storage.scratch import Scratch


def together(statements: Mapping[str, Statement]) -> Statement:
    """Return the statement of several shops by their names, at least one, all of the same reports.

    Rows stand by period and currency, then largest gross first, as those of one shop do. Each statement ties out, so
    their sum does. What is unknown in one shop is unknown in the sum.
    """
    found: dict[Breakdown, Rows] = {}
    for report in next(iter(statements.values())).rows:
        rows = with_shop({shop: statement.rows[report] for shop, statement in statements.items()})
        found[replace(report, shops=True)] = Scratch(rows, _order, (False, False, True))
    every = statements.values()
    left_out = Counter[Breakdown]()
    for statement in every:
        left_out.update({replace(report, shops=True): more for report, more in statement.left_out.items()})
    return Statement(
        found,
        _added(row for statement in every for row in statement.total),
        _added((row for statement in every for row in statement.sales), ("sale", "key_0")),
        _added(row for statement in every for row in statement.bridge),
        left_out,
    )


def with_shop(rows: Mapping[str, Rows]) -> Iterator[dict[str, Any]]:
    """Yield the rows of all shops, one shop after the other, each with its shop."""
    return ({SHOP.key: shop, **row} for shop, of_shop in rows.items() for row in of_shop)


def _order(row: Mapping[str, Any]) -> tuple[Any, ...]:
    return row["period"] or "", row["currency"], row["gross"]


def _added(rows: Iterable[dict[str, Any]], also: Sequence[str] = ()) -> Rows:
    """Return the sums of rows per currency, and by the columns ``also``."""
    keys = ("currency", "period", *also)
    sums: dict[tuple[Any, ...], dict[str, Any]] = {}
    for row in rows:
        before = sums.setdefault(tuple(row.get(key) for key in keys), {key: row[key] for key in keys if key in row})
        for name, value in row.items():
            if name not in keys:
                known = before.get(name, 0)
                before[name] = None if value is None or known is None else known + value
    return sorted(sums.values(), key=lambda row: str(row["currency"]))
