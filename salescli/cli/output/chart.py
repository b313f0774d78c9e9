"""Charts: which rows are drawn together, and bars in the terminal.

rows of a report -> ``of_report``: one of each currency, never a scale across currencies: ``Bars``, or ``Stacks`` over
time where the report has periods -> ``draw`` | a workbook's charts | a page's
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TextIO

import click

from salescli.cli.output.contract import Output, Row
from salescli.cli.output.stacks import Stacks, named_parts, stacks
from salescli.cli.output.terminal import escaped, line_width, shortened, width
from salescli.lists.columns import Column
from salescli.reports.report import Breakdown
from salescli.rules import money

BARS_MAX = 31  # of a currency: the days of a month; more do not fit a screen, nor an axis
_PIPED_WIDTH = 72
_EIGHTHS = " ▏▎▍▌▋▊▉"
_LABEL = Column("name")
_MONEY = (Column("gross", "money"), Column("net", "money"))


@dataclass(frozen=True, slots=True)
class Bars:
    """The rows of one currency that are drawn: their name, gross and net, in minor units, in the report's order."""

    currency: str
    rows: tuple[Row, ...]
    of: int  # how many rows there are

    columns = (_LABEL, *_MONEY)

    @property
    def label(self) -> str:
        """The currency, and whether these are only the first rows."""
        return (
            self.currency if len(self.rows) == self.of else f"{self.currency}: the first {len(self.rows)} of {self.of}"
        )


def of_report(report: Breakdown, rows: Sequence[Row]) -> Sequence[Bars | Stacks]:
    """Return what is drawn of a report: a column for each period where it has periods, else a bar for each row."""
    return stacks(rows, report.labels, report.by) if report.by else blocks(rows, report.groups)


def blocks(rows: Sequence[Row], labels: Sequence[Column]) -> list[Bars]:
    """Return the bars of a report's rows, the currencies in their order; without labels a row is its currency."""
    named = labels or [Column("currency")]
    found: dict[str, list[Row]] = {}
    numbers = Counter[str]()
    for row in rows:
        numbers[row["currency"]] += 1
        if numbers[row["currency"]] > BARS_MAX:
            continue
        parts = named_parts(row, named)
        drawn = {
            "name": " ".join(parts),
            "parts": parts,
            "currency": row["currency"],
            "gross": row["gross"],
            "net": row["net"],
        }
        found.setdefault(row["currency"], []).append(drawn)
    return [Bars(currency, tuple(kept), numbers[currency]) for currency, kept in sorted(found.items())]


def draw_report(report: Breakdown, rows: Sequence[Row], output: Output, stream: TextIO) -> None:
    """Write the chart of a report's rows, as wide as the terminal or $COLUMNS, else 72 cells."""
    if report.by is None:
        draw(rows, report.groups, output, stream)
        return
    from salescli.cli.output import stack_lines

    room = line_width(output, stream) or _PIPED_WIDTH
    for drawn in stacks(rows, report.labels, report.by):
        for line in stack_lines.lines(drawn, room, finely=_is_fine(stream)):
            click.echo(line, file=stream)


def _is_fine(stream: TextIO) -> bool:
    return (stream.encoding or "").lower().startswith("utf")


def draw(rows: Sequence[Row], labels: Sequence[Column], output: Output, stream: TextIO) -> None:
    """Write net as bars, as wide as the terminal or $COLUMNS, else 72 cells; of # if the stream has no blocks."""
    room = line_width(output, stream) or _PIPED_WIDTH
    finely = _is_fine(stream)
    for bars in blocks(rows, labels):
        click.echo(f"\nnet in {bars.currency}", file=stream)
        for line in _lines(bars, room, finely):
            click.echo(line, file=stream)


def _lines(bars: Bars, room: int, finely: bool) -> Iterator[str]:
    names = [_fitted([escaped(part) for part in row["parts"]], max(room * 2 // 5, 8)) for row in bars.rows]
    amounts = [money.text(row["net"], bars.currency) for row in bars.rows]
    wide, long = max(map(width, names)), max(map(len, amounts))
    scale = _Scale.of([row["net"] for row in bars.rows], max(room - wide - long - 4, 8), finely)
    for name, amount, row in zip(names, amounts, bars.rows, strict=True):
        yield f"{name}{' ' * (wide - width(name))}  {amount.rjust(long)}  {scale.bar(row['net'])}".rstrip()
    if bars.of > len(bars.rows):
        yield f"{'…' if finely else '...'} and {bars.of - len(bars.rows)} more"


def _fitted(parts: list[str], room: int) -> str:
    """Return the parts of a name in so many cells, the widest shortened first, so that each stays distinct."""
    while width(" ".join(parts)) > room and (widest := max(parts, key=width)) != "…":
        parts[parts.index(widest)] = shortened(widest, width(widest) - 1)
    return shortened(" ".join(parts), room)


@dataclass(frozen=True, slots=True)
class _Scale:
    """How long bars are: of ``cells`` for all from the lowest amount to the highest, ``left`` are below zero."""

    span: int
    cells: int
    left: int
    finely: bool

    @classmethod
    def of(cls, amounts: Sequence[int], cells: int, finely: bool) -> _Scale:
        below, above = max(0, -min(amounts)), max(0, *amounts)
        span, room = below + above or 1, cells - (below > 0)  # the axis takes one
        left = min(-(-room * below // span), room - (above > 0))
        return cls(span, room, left, finely)

    def bar(self, amount: int) -> str:
        """Return an amount's bar, from the axis to the right, below zero to the left; anything but 0 shows."""
        if not self.left:
            return self._rightward(amount)
        axis = "│" if self.finely else "|"
        if amount < 0:
            return f"{self._leftward(-amount).rjust(self.left)}{axis}"
        return f"{' ' * self.left}{axis}{self._rightward(amount)}"

    def _rightward(self, amount: int) -> str:
        full, eighths = divmod(self._parts(amount, 8, self.cells - self.left), 8)
        if self.finely:
            return "█" * full + _EIGHTHS[eighths].strip()
        return "#" * (full + (eighths > 0))

    def _leftward(self, amount: int) -> str:
        full, half = divmod(self._parts(amount, 2, self.left), 2)  # there is no finer block on this side
        return ("▐" if self.finely else "#") * half + ("█" if self.finely else "#") * full

    def _parts(self, amount: int, parts: int, room: int) -> int:
        """Return how many parts of a cell an amount takes, at least one and at most the room."""
        return min(max(amount * self.cells * parts // self.span, amount > 0), room * parts)
