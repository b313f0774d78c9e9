"""Stacks: a column for each period, of the largest groups and the others, one drawing for each currency."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from salescli.cli.output.contract import Row
from salescli.lists.columns import Column
from salescli.reports import periods
from salescli.reports.periods import By

PERIODS_MAX = 60  # columns of a chart
WHOLE = "net"  # the name of columns that are not divided
SERIES_MAX = 6  # groups with a colour of their own


@dataclass(frozen=True, slots=True)
class Series:
    """A group: its name, and its net in each period, in minor units."""

    name: str
    amounts: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Stacks:
    """The periods of one currency, without a gap, and the groups, the one with the highest net at the bottom."""

    currency: str
    periods: tuple[str, ...]
    series: tuple[Series, ...]
    cut: bool  # whether there are earlier periods

    @property
    def label(self) -> str:
        """The currency, and whether these are only the last periods."""
        return f"{self.currency}: the last {len(self.periods)} periods" if self.cut else self.currency

    @property
    def columns(self) -> tuple[Column, ...]:
        """The columns of the table of what is drawn; their keys are the names of the groups."""
        return (Column(_PERIOD), *(Column(one.name, "money", currency=_CURRENCY) for one in self.series))

    @property
    def rows(self) -> list[Row]:
        """The rows of the table of what is drawn, a period each."""
        amounts = list(zip(*(one.amounts for one in self.series), strict=True))
        names = [one.name for one in self.series]
        return [
            {_PERIOD: period, _CURRENCY: self.currency, **dict(zip(names, row, strict=True))}
            for period, row in zip(self.periods, amounts, strict=True)
        ]

    @property
    def range(self) -> tuple[int, int]:
        """The lowest and the highest end of a column, 0 among them."""
        columns = list(zip(*(one.amounts for one in self.series), strict=True))
        below = [sum(amount for amount in column if amount < 0) for column in columns]
        above = [sum(amount for amount in column if amount > 0) for column in columns]
        return min(0, *below), max(0, *above)


_PERIOD, _CURRENCY = "period", " currency"  # no group has such a name: see _distinct


def stacks(rows: Sequence[Row], labels: Sequence[Column], by: By) -> list[Stacks]:
    """Return the columns of a report's rows, the currencies in their order; without labels a column is not divided."""
    ends: dict[str, tuple[str, str]] = {}
    for row in rows:
        first, last = ends.get(row["currency"], (row["period"], row["period"]))
        ends[row["currency"]] = min(first, row["period"]), max(last, row["period"])
    shown = {currency: periods.until(last, first, by, PERIODS_MAX) for currency, (first, last) in ends.items()}
    places = {currency: {period: at for at, period in enumerate(own)} for currency, own in shown.items()}
    sums: dict[str, Counter[str]] = {currency: Counter() for currency in ends}
    for currency, name, _, net in _placed(rows, labels, places):
        sums[currency][name] += net
    ranked = {currency: sorted(own, key=lambda name: (-own[name], name)) for currency, own in sums.items()}
    amounts = _amounts(_placed(rows, labels, places), ranked, shown)
    return [
        Stacks(
            currency,
            tuple(shown[currency]),
            tuple(_series(ranked[currency], amounts[currency])),
            cut=shown[currency][0] > ends[currency][0],
        )
        for currency in sorted(ends)
    ]


_Placed = Iterator[tuple[str, str, int, int]]  # currency, group, place of the period, net


def _placed(rows: Iterable[Row], labels: Sequence[Column], places: Mapping[str, Mapping[str, int]]) -> _Placed:
    """Yield what is drawn of each row whose period is shown."""
    for row in rows:
        place = places[row["currency"]].get(row["period"])
        if place is not None:
            yield row["currency"], " ".join(named_parts(row, labels)) if labels else WHOLE, place, row["net"]


def _amounts(
    placed: _Placed, ranked: Mapping[str, Sequence[str]], shown: Mapping[str, Sequence[str]]
) -> dict[str, list[list[int]]]:
    """Return the net in each period of the first groups of each currency, and of the others together."""
    ranks = {currency: {name: at for at, name in enumerate(own[:SERIES_MAX])} for currency, own in ranked.items()}
    found = {currency: [[0] * len(shown[currency]) for _ in own[: SERIES_MAX + 1]] for currency, own in ranked.items()}
    for currency, name, place, net in placed:
        found[currency][ranks[currency].get(name, SERIES_MAX)][place] += net
    return found


def _series(ranked: Sequence[str], amounts: Sequence[Sequence[int]]) -> list[Series]:
    series: list[Series] = []
    others = [f"others ({len(ranked) - SERIES_MAX})"] if len(ranked) > SERIES_MAX else []
    for name, own in zip((*ranked[:SERIES_MAX], *others), amounts, strict=True):
        series.append(Series(_distinct(name, {one.name for one in series}), tuple(own)))
    return series


def _distinct(name: str, taken: Collection[str]) -> str:
    """Return a name that no other column has."""
    while name in taken or name in (_PERIOD, _CURRENCY):
        name += "'"
    return name


def named_parts(row: Row, labels: Sequence[Column]) -> list[str]:
    """Return what names a row's group."""
    return [_named(column, row) for column in labels if row[column.key] is not None] or ["(none)"]


def _named(column: Column, row: Row) -> str:
    if column.kind == "yesno":
        return column.key if row[column.key] else f"not {column.key}"
    return str(row[column.key])
