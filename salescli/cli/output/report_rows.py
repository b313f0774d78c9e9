"""The rows of reports in every format but workbooks and pages: tables with their names, lists, JSON with the totals."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, TextIO

from salescli.cli.output import chart, footer, report_footer
from salescli.cli.output.contract import Output, Row
from salescli.cli.output.destination import stream_of
from salescli.cli.output.json import as_object
from salescli.cli.output.render import render
from salescli.cli.output.table import say_left_out, write_table
from salescli.cli.output.terminal import say
from salescli.lists.columns import Column
from salescli.reports.comparison import Compared
from salescli.reports.questions import Rows
from salescli.reports.report import Breakdown, Statement

if TYPE_CHECKING:
    from zoneinfo import ZoneInfo


def _nothing() -> None:
    """Let nothing go: all is read."""


@dataclass(frozen=True, slots=True)
class Found:
    """Reports to show: the rows of each, what they tie to, what they are compared with, and how many rows are more."""

    rows: Mapping[Breakdown, Rows]
    statement: Statement
    before: Statement | None = None
    compared: Compared | None = None
    more: int = 0  # than a table shows, unless a person set the limit
    let_go: Callable[[], None] = _nothing  # of the database, once rows that are read one by one have been read

    @property
    def footer(self) -> dict[str, Any]:
        """The totals and the tie-out for programs, with those of the days before."""
        shown = report_footer.as_objects(self.statement)
        if self.compared is None or self.before is None:
            return shown
        days = {"first_day": self.compared.first and self.compared.first.isoformat(), "each": self.compared.by}
        before = {**days, "last_day": self.compared.last.isoformat(), **report_footer.as_objects(self.before)}
        return {**shown, "before": before}


def write(found: Found, columns: Sequence[Column], rows: Iterable[Row], output: Output, zone: ZoneInfo) -> None:
    """Write the rows of one list in one format: JSON as one object with the totals, else the totals beside them."""
    if output.format == "json":
        write_json(rows, found.footer, columns, output, found.let_go)
        return

    def under(stream: TextIO) -> None:
        if output.chart:
            [(report, drawn)] = found.rows.items()
            chart.draw_report(report, drawn, output, stream)
        if footer.is_below(output):
            stream.write("\n")
            report_footer.write(found.statement, output, zone, stream)
        found.let_go()

    render(rows, columns, output, zone, under)
    say_totals(found, output, zone)


def write_tables(found: Found, output: Output, zone: ZoneInfo) -> None:
    """Write the tables one below the other, each under its name; --columns picks from each."""
    there = {column.key: column for report in found.rows for column in report.columns}
    output.chosen(list(there.values()))  # raises BadUsage for a column that no table has
    left_out: list[str] = []
    with stream_of(output) as stream:
        for report, rows in found.rows.items():
            columns = output.among(report.columns)
            stream.write(f"{report.name}\n")
            if rows and columns:
                left_out += write_table(rows, columns, output, zone, stream)
            if under := _chart(report, rows, output):
                under(stream)
            stream.write("\n")
        if footer.is_below(output):
            report_footer.write(found.statement, output, zone, stream)
        found.let_go()
    say_left_out(left_out)
    say_totals(found, output, zone)


def _chart(report: Breakdown, rows: Rows, output: Output) -> Callable[[TextIO], None] | None:
    """Return a function that draws the chart under a table, or None without --chart."""
    return partial(chart.draw_report, report, rows, output) if output.chart else None


def write_json(
    rows: Iterable[Row],
    more: Mapping[str, Any],
    columns: Sequence[Column],
    output: Output,
    let_go: Callable[[], None] = _nothing,
) -> None:
    """Write an object as JSON: its ``rows``, one by one, and what is more of it."""
    with stream_of(output) as stream:
        number = 0
        for number, row in enumerate(rows, 1):
            text = json.dumps(as_object(columns, row), ensure_ascii=False, indent=2).replace("\n", "\n    ")
            stream.write(f'{{\n  "rows": [\n    {text}' if number == 1 else f",\n    {text}")
        stream.write("\n  ]" if number else '{\n  "rows": []')
        rest = json.dumps(more, ensure_ascii=False, indent=2)
        stream.write(f",{rest[1:]}\n" if more else "\n}\n")
        let_go()


def say_totals(found: Found, output: Output, zone: ZoneInfo) -> None:
    """Write the totals on stderr, unless they stand below the rows (R76, B9), what is compared and what is left out."""
    if found.more:
        say(f"{found.more:,} more: --limit 0")
    if found.compared:
        say(found.compared.words)
    if not footer.is_below(output):
        report_footer.write(found.statement, Output(), zone, sys.stderr)
