"""Drawings of pages: bars and columns, sized by the page itself, coloured by its style sheet."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from html import escape

from salescli.cli.output.contract import Row
from salescli.cli.output.page_style import SERIES
from salescli.cli.output.stacks import WHOLE, Stacks
from salescli.cli.output.terminal import escaped
from salescli.rules import money, numbers

_HEIGHT = 240  # pixels of the columns
_TOP, _BOTTOM = 10, 28  # above and below them
_LETTER = 7.2  # pixels of a digit
_LABELS = 6  # periods that are named below the columns
_LINES = 4


def bar_between(ends: Mapping[str, tuple[int, int]]) -> Callable[[Row], str]:
    """Return a function that draws the net of a row in a cell.

    ``ends``: the lowest and the highest net of each currency, 0 among them, since each has its scale.
    """

    def bar(row: Row) -> str:
        low, high = ends[row["currency"]]
        span = high - low or 1
        start, size = (min(row["net"], 0) - low) / span, abs(row["net"]) / span
        colour = "s0" if row["net"] >= 0 else "s3"
        return (
            '<td class="b"><svg aria-hidden="true"><rect class="track" width="100%" height="14" rx="3"/>'
            f'<rect class="{colour}" x="{start:.3%}" width="{size:.3%}" height="14" rx="3"/></svg></td>'
        )

    return bar


def columns(stacks: Stacks) -> Iterator[str]:
    """Yield a chart: its axis, the columns over time, and the legend in the order of the stack, from the top down."""
    low, high = stacks.range
    scale = _Scale(low, high)
    ticks = list(_ticks(low, high))
    names = [_short(tick, stacks.currency) for tick in ticks]
    wide = max(map(len, names)) * _LETTER + 10
    tall = _HEIGHT + _TOP + _BOTTOM
    label = f"net by period in {stacks.label}, from {stacks.periods[0]} to {stacks.periods[-1]}"
    yield f'<div class="chart">\n<div class="plot">\n<svg class="axis" width="{wide:.0f}" height="{tall}">'
    for tick, name in zip(ticks, names, strict=True):
        yield f'<text x="{wide - 8:.0f}" y="{scale.at(tick) + 4:.1f}" text-anchor="end">{name}</text>'
    yield f'</svg>\n<svg class="axis" width="100%" height="{tall}" role="img" aria-label="{escape(label)}">'
    for tick in ticks:
        at, kind = scale.at(tick), "zero" if tick == 0 else "grid"
        yield f'<line class="{kind}" x1="0" x2="100%" y1="{at:.1f}" y2="{at:.1f}"/>'
    for place in range(len(stacks.periods)):
        yield from _column(stacks, place, scale)
    yield from _periods(stacks)
    yield "</svg>\n</div>"
    if len(stacks.series) > 1 or stacks.series[0].name != WHOLE:
        yield from _legend(stacks)
    yield "</div>"


class _Scale:
    """Where an amount is, in pixels from the top."""

    def __init__(self, low: int, high: int) -> None:
        self.high, self.span = high, high - low or 1

    def at(self, minor: int) -> float:
        return _TOP + (self.high - minor) * _HEIGHT / self.span


def _column(stacks: Stacks, place: int, scale: _Scale) -> Iterator[str]:
    width = 100 / len(stacks.periods)
    gap = width * (0.15 if len(stacks.periods) > 1 else 0.4)
    up = down = 0
    for number, one in enumerate(stacks.series):
        amount = one.amounts[place]
        if not amount:
            continue
        begun = up if amount > 0 else down
        up, down = up + max(amount, 0), down + min(amount, 0)
        top, bottom = sorted((scale.at(begun), scale.at(begun + amount)))
        told = f"{stacks.periods[place]}, {one.name}: {_amount(amount, stacks.currency)}"
        yield (
            f'<rect class="s{number % SERIES}" x="{place * width + gap:.3f}%" y="{top:.2f}"'
            f' width="{width - 2 * gap:.3f}%" height="{max(bottom - top, 0.5):.2f}">'
            f"<title>{escape(escaped(told))}</title></rect>"
        )


def _periods(stacks: Stacks) -> Iterator[str]:
    """Yield the names of some periods, none of which leaves the drawing."""
    number = len(stacks.periods)
    step = -(-number // _LABELS)
    for place in range(0, number, step):
        at = (place + 0.5) * 100 / number
        anchor = "start" if at < 7 else "end" if at > 93 else "middle"
        at = place * 100 / number if anchor == "start" else (place + 1) * 100 / number if anchor == "end" else at
        more = ' class="more"' if place // step % 2 else ""
        where = f'x="{at:.2f}%" y="{_TOP + _HEIGHT + 20}" text-anchor="{anchor}"'
        yield f"<text{more} {where}>{stacks.periods[place]}</text>"


def _legend(stacks: Stacks) -> Iterator[str]:
    yield '<ul class="legend">'
    for number, one in reversed(list(enumerate(stacks.series))):  # as the stack is, from the top down
        yield (
            '<li><svg width="12" height="12" aria-hidden="true">'
            f'<rect class="s{number % SERIES}" width="12" height="12" rx="2"/></svg>'
            f'<span class="t">{escape(escaped(one.name))}</span>'
            f'<span class="n">{numbers.grouped(money.text(sum(one.amounts), stacks.currency))}</span></li>'
        )
    yield "</ul>"


def _amount(minor: int, currency: str) -> str:
    return f"{numbers.grouped(money.text(minor, currency))} {currency}"


def _ticks(low: int, high: int) -> Iterator[int]:
    """Yield round amounts from the lowest to the highest: 1, 2 or 5 with zeros apart, so that there are a few."""
    span = high - low or 1
    step = 1
    for factor in (step * 10**power for power in range(20) for step in (1, 2, 5)):
        step = factor
        if span // step <= _LINES:
            break
    yield from range(-(-low // step) * step, high + 1, step)


def _short(minor: int, currency: str) -> str:
    """Return an amount on an axis: without decimals where they are zeros."""
    whole, _, decimals = money.text(minor, currency).partition(".")
    return numbers.grouped(whole if not decimals.strip("0") else f"{whole}.{decimals}")
