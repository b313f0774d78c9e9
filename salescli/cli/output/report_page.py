"""The page of a report: tiles, net over time, breakdowns with bars, what is to come, the tie-out, its origin.

The same statement, cover and drawings as the workbook's; each currency by itself.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from functools import partial
from typing import TYPE_CHECKING, TextIO

from salescli.cli.output import page, page_compared, report_cover, report_footer, svg
from salescli.cli.output.contract import RIGHT, Output, Row, as_text
from salescli.cli.output.destination import stream_of
from salescli.cli.output.page import text
from salescli.cli.output.report_cover import Origin
from salescli.cli.output.report_rows import Found
from salescli.cli.output.stacks import Stacks, stacks
from salescli.cli.output.terminal import width
from salescli.lists.columns import Column
from salescli.overview import todo
from salescli.overview.glance import Ahead, Glance, Sums
from salescli.reports.questions import Rows
from salescli.reports.report import Breakdown, Statement
from salescli.rules import money, numbers

if TYPE_CHECKING:
    from zoneinfo import ZoneInfo

_ROWS_SHOWN = 12  # of a breakdown; the others are folded
_TILES = ("net", "gross", "refunded", "payments", "average")
_RECURRING = (
    Column("currency"),
    Column("active", "count"),
    Column("failed", "count"),
    Column("payments", "count"),
    Column("amount", "money"),
)
_TO_DO = tuple(column for column in todo.COLUMNS if column.key not in ("contact", "since"))


def write(
    found: Found,
    origin: Origin,
    output: Output,
    glance: Glance,
    ahead: Ahead | None,
) -> None:
    """Write the breakdowns with their tie-out and the columns of --columns to ``--html FILE``."""
    title = f"{report_cover.TITLE}: {output.title.removeprefix('reports ')}"
    with stream_of(output) as stream:
        page.begin(stream, title)
        _head(stream, title, origin, glance)
        for sums in glance.sums:
            _currency(
                stream, sums, glance, origin, with_chart=not all(report.by and report.labels for report in found.rows)
            )
        for report, rows in found.rows.items():
            _breakdown(stream, report, rows, output, origin)
        if ahead:
            _ahead(stream, ahead, origin)
        _tie_out(stream, found.statement)
        _origin(stream, origin)
        page.end(stream)
        found.let_go()


def _head(stream: TextIO, title: str, origin: Origin, glance: Glance) -> None:
    filters = origin.filters
    days = f"{filters.first_day or 'the beginning'} to {filters.last_day or 'today'}"
    period = days if filters.first_day or filters.last_day else "All time"
    stream.write(f'<header>\n<h1>{text(title)}</h1>\n<p class="lead">{text(period)}')
    if glance.days_before:
        stream.write(f" compared with {glance.days_before[0]} to {glance.days_before[1]}")
    stream.write("</p>\n</header>\n")
    if not glance.sums:
        stream.write('<p class="card empty">No payments in this period.</p>\n')


# Tiles


def _currency(stream: TextIO, sums: Sums, glance: Glance, origin: Origin, *, with_chart: bool) -> None:
    stream.write(f'<section>\n<h2>{text(sums.currency)}</h2>\n<div class="tiles">\n')
    before = glance.before.get(sums.currency, Sums(sums.currency)) if glance.days_before else None
    for name in _TILES:
        stream.write(_tile(name, sums, before))
    stream.write("</div>\n")
    by = glance.over_time.by or "month"
    of_it = [row for row in glance.rows if row["currency"] == sums.currency] if with_chart else []
    for drawn in stacks(of_it, (), by):
        _drawing(stream, f"Net by {by}", drawn, origin.zone)
    stream.write("</section>\n")


def _tile(name: str, sums: Sums, before: Sums | None) -> str:
    first = " first" if name == "net" else ""
    then = "" if before is None else f'<dd class="before">{_change(name, sums, before)}</dd>'
    label = "average payment" if name == "average" else name
    return f'<dl class="tile{first}"><dt>{label}</dt><dd class="big">{_value(name, sums)}</dd>{then}</dl>\n'


def _value(name: str, sums: Sums) -> str:
    value = getattr(sums, name)
    if value is None:
        return "–"
    return numbers.grouped(str(value) if name == "payments" else money.text(value, sums.currency))


def _change(name: str, sums: Sums, before: Sums) -> str:
    """Return the value before, with the change to now in percent where there is one."""
    now, then = getattr(sums, name), getattr(before, name)
    if not then or now is None or then < 0:
        return f"before {_value(name, before)}"
    tenths = (abs(now - then) * 2000 + then) // (2 * then)  # of a percent, rounded half up
    change = f"{numbers.grouped(str(tenths // 10))}.{tenths % 10} %"
    if now == then:
        return f"as before, {_value(name, before)}"
    is_good = (now > then) != (name == "refunded")
    sign = "▲" if now > then else "▼"
    return f'<span class="{"up" if is_good else "down"}">{sign} {change}</span> from {_value(name, before)}'


# Breakdowns and drawings


def _drawing(stream: TextIO, title: str, drawn: Stacks, zone: ZoneInfo) -> None:
    """Write a chart, and its numbers folded below it."""
    stream.write(f'<div class="card together">\n<h3>{text(title)}, {text(drawn.label)}</h3>\n')
    stream.writelines(f"{line}\n" for line in svg.columns(drawn))
    stream.write("<details><summary>The numbers of this chart</summary>\n")
    page.write_table(stream, drawn.columns, drawn.rows, zone)
    stream.write("</details>\n</div>\n")


def _breakdown(stream: TextIO, report: Breakdown, rows: Rows, output: Output, origin: Origin) -> None:
    columns = output.among(report.columns)
    stream.write(f"<section>\n<h2>{text(_title(report))}</h2>\n")
    if report.by and report.labels:
        for drawn in stacks(rows, report.labels, report.by):
            _drawing(stream, f"Net by {report.by}", drawn, origin.zone)
    stream.write('<div class="card">\n')
    columns, figures = page_compared.narrowed(columns)
    seen = _Seen.of(columns, rows, origin.zone)
    if figures and seen.rows:
        stream.write(page_compared.NOTE)
    unknown = [] if output.columns else seen.unknown
    columns = [column for column in columns if column.key not in unknown]
    bar = svg.bar_between(seen.ends) if columns and len(seen.ends) < seen.rows else None
    bar_at = sum(column in report.groups for column in columns)
    widths = [seen.pixels(column) for column in columns]
    write = partial(page.write_table, stream, columns, zone=origin.zone, bar=bar, bar_at=bar_at, widths=widths)
    below = page_compared.below(figures, origin.zone)
    write(rows=rows[:_ROWS_SHOWN], below=below)
    if seen.rows > _ROWS_SHOWN:
        stream.write(f"<details><summary>{_more(seen.rows - _ROWS_SHOWN)}</summary>\n")
        write(rows=rows[_ROWS_SHOWN:], below=below)
        stream.write("</details>\n")
    if unknown:
        stream.write(f'<p class="note">{" and ".join(unknown)}: unknown</p>\n')
    stream.write("</div>\n</section>\n")


@dataclass(slots=True)
class _Seen:
    """What must be known of all rows before the first is written.

    ``ends``: of each currency the lowest and the highest net, 0 among them. ``unknown``: the amounts that no row has: a
    column of nothing takes the room of the others. ``widest``: of each column with numbers its widest cell.
    """

    rows: int
    ends: dict[str, tuple[int, int]]
    unknown: list[str]
    widest: dict[str, int]

    @classmethod
    def of(cls, columns: Sequence[Column], rows: Rows, zone: ZoneInfo) -> _Seen:
        """Read the rows once."""
        amounts: dict[str, set[int | None]] = {column.key: set() for column in columns if column.kind == "money"}
        widest = {column.key: width(column.key) for column in columns if column.kind in RIGHT}
        wide = [column for column in columns if column.kind in RIGHT]
        number, ends = 0, dict[str, tuple[int, int]]()
        for row in rows:
            number += 1
            low, high = ends.get(row["currency"], (0, 0))
            ends[row["currency"]] = min(low, row["net"]), max(high, row["net"])
            for key, found in amounts.items():
                found.add(row[key] and 1)  # in a row of nothing, 0 is known
            for column in wide:
                widest[column.key] = max(widest[column.key], width(numbers.grouped(as_text(column, row, zone))))
        unknown = [key for key, found in amounts.items() if None in found and found <= {None, 0}]
        return cls(number, ends, unknown, widest)

    def pixels(self, column: Column) -> int:
        """Return how wide a column is, so that a table and its folded rest are aligned; 0: as it needs."""
        return int(self.widest[column.key] * 8.2) + 24 if column.key in self.widest else 0


def _more(number: int) -> str:
    return f"{numbers.grouped(str(number))} more {'row' if number == 1 else 'rows'}"


def _title(report: Breakdown) -> str:
    return report.name.replace("-", " ").capitalize() + (f" and {report.by}" if report.by else "")


# What is to come


def _ahead(stream: TextIO, ahead: Ahead, origin: Origin) -> None:
    stream.write("<section>\n<h2>Recurring orders</h2>\n")
    if ahead.recurring:
        stream.write(
            f'<div class="card">\n<p class="soft">Now, and the payments expected until {ahead.last_day}.</p>\n'
        )
        page.write_table(stream, _RECURRING, ahead.recurring, origin.zone)
        stream.write("</div>\n")
    else:
        stream.write('<p class="card empty">There are none, and no payment is expected.</p>\n')
    stream.write("</section>\n<section>\n<h2>Waiting for a person</h2>\n")
    if ahead.waiting:
        stream.write('<div class="card">\n')
        page.write_table(stream, _TO_DO, ahead.waiting, origin.zone)
        if ahead.to_do > len(ahead.waiting):
            shown = f"{len(ahead.waiting)} of {numbers.grouped(str(ahead.to_do))}"
            stream.write(f'<p class="note">{shown}; all: <code>{text(ahead.program)} todo --limit 0</code></p>\n')
        stream.write("</div>\n")
    else:
        stream.write('<p class="card empty">Nothing waits.</p>\n')
    stream.write("</section>\n")


# The tie-out, and where it all comes from


def _tie_out(stream: TextIO, statement: Statement) -> None:
    codes = sorted({row["currency"] for row in (*statement.total, *statement.bridge)})
    rows = [row for row in report_footer.lines(statement) if any(row.get(code) for code in codes)]
    if not rows:
        return
    stream.write('<section>\n<h2>How it adds up</h2>\n<div class="card"><div class="wide" tabindex="0" role="region"')
    stream.write(' aria-label="table">\n<table>\n<thead><tr><th scope="col">totals</th>')
    stream.write("".join(f'<th class="n" scope="col">{text(code)}</th>' for code in codes) + "</tr></thead>\n<tbody>\n")
    stream.writelines(f"{line}\n" for line in _steps(rows, codes))
    stream.write("</tbody>\n</table>\n</div></div>\n</section>\n")


def _steps(rows: Sequence[Row], codes: Sequence[str]) -> Iterator[str]:
    for row in rows:
        words = row["totals"]
        depth = (len(words) - len(words.lstrip())) // 2
        kind = ("sum", "step", "step2")[min(depth, 2)]
        amounts = "".join(f'<td class="n">{numbers.grouped(str(row.get(code, "")))}</td>' for code in codes)
        yield f'<tr class="{kind}"><td>{text(words.strip())}</td>{amounts}</tr>'


def _origin(stream: TextIO, origin: Origin) -> None:
    stream.write('<section>\n<h2>About this page</h2>\n<dl class="card facts">\n')
    for name, value in report_cover.facts(origin):
        stream.write(f"<dt>{text(name)}</dt><dd>{text(_fact(value))}</dd>\n")
    stream.write("</dl>\n</section>\n")


def _fact(value: str | date) -> str:
    return value.isoformat(" ", "seconds") if isinstance(value, datetime) else str(value)
