"""What stands under a report: the total (R76), what it is made of (B9) and the payments behind it (R76a).

A small table with a column per currency, on a terminal below the rows, else on stderr; in JSON beside the rows.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, TextIO

from salescli.cli.output.contract import Output
from salescli.cli.output.table import write_table
from salescli.lists.columns import Column
from salescli.reports.dimensions import SALES
from salescli.reports.questions import Rows
from salescli.reports.report import Statement
from salescli.rules import money

if TYPE_CHECKING:
    from zoneinfo import ZoneInfo

_MONEY = tuple(Column(name, "money") for name in ("gross", "refunded", "net"))
TOTALS = (Column("currency"), Column("orders", "count"), *_MONEY)
SELLERS = (Column("sale"), *TOTALS)
_STEPS = {
    "completed": "on completed orders",
    "open": "on open orders",
    "declined": "on declined orders",
    "shifted_out": "for orders completed in another period",
    "shifted_in": "less what was paid in another period",
    "above": "above the price (credit of customers)",
    "below": "written off below the price",
}
BRIDGE = (Column("currency"), *(Column(step, "money") for step in ("payments", *_STEPS)))


def write(statement: Statement, output: Output, zone: ZoneInfo, stream: TextIO) -> None:
    """Write the total and the tie-out as a small table, without terms that are zero in every currency."""
    codes = sorted({row["currency"] for row in (*statement.total, *statement.bridge)})
    rows = [row for row in lines(statement) if any(row.get(code) for code in codes)]
    if rows:
        columns = (Column("totals", "whole"), *(Column(code, "count") for code in codes))
        texts = [{**dict.fromkeys(codes), **row} for row in rows]
        write_table(texts, columns, output._replace(columns=("totals",), expanded=False), zone, stream)


def lines(statement: Statement) -> Iterator[dict[str, Any]]:
    """Yield the lines of the total and the tie-out: ``totals`` is a text, indented, the rest by currency."""
    yield {"totals": "completed orders", **{row["currency"]: row["orders"] for row in statement.total}}
    yield _line("  gross", statement.total, "gross")
    for sale in SALES:
        yield _line(f"    {sale}", [row for row in statement.sales if row["sale"] == sale], "gross")
    yield _line("  less refunded", statement.total, "refunded")
    yield {
        "totals": "total, refunds excluded",
        **{row["currency"]: money.text(row["net"], row["currency"]) for row in statement.total},
    }
    yield _line("payments", statement.bridge, "payments")
    for step, text in _STEPS.items():
        yield _line(f"  {text}", statement.bridge, step)


def _line(text: str, rows: Sequence[dict[str, Any]], key: str) -> dict[str, Any]:
    """Return a line with the amounts of rows by currency, without zeros."""
    amounts = {row["currency"]: money.text(row[key], row["currency"]) for row in rows if row[key]}
    return {"totals": text, **amounts}


def as_objects(statement: Statement) -> dict[str, Any]:
    """Return the totals and the tie-out for programs: per currency, per currency and sale, and the payments."""
    from salescli.cli.output.json import as_object

    def objects(columns: Sequence[Column], rows: Rows) -> list[dict[str, Any]]:
        return [as_object(columns, row) for row in rows]

    return {
        "totals": objects(TOTALS, statement.total),
        "sales": objects(SELLERS, statement.sales),
        "payments": objects(BRIDGE, statement.bridge),
    }
