"""The cells of another system's file as its mapping reads them: a header's items, texts, times and amounts; pure.

mapping + header -> ``Given``; cells -> ``Reading``: values, and what is wrong with them by source column
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field

from salescli.errors import BadData
from salescli.imports.csv_file import Problem
from salescli.imports.forms import Forms
from salescli.imports.mapping import ORDERS, RECURRING, Cells, Mapping, Value, key
from salescli.rules import money

EQUAL = "equal refunds"  # a column of ours alone: which of several refunds of one amount at one time a row tells
_DERIVED = {  # columns that a row has though none is mapped to them
    ORDERS: ("price", "discount", "currency", "refunded", "refunded_at"),
    RECURRING: ("price", "currency", "every", "payments", "next_payment_at", "status"),
}


class Given:
    """A mapping as it applies to one header: our columns in their order, and the columns of numbered items."""

    def __init__(self, mapping: Mapping, header: Sequence[str], ours: Sequence[str], home: str) -> None:
        self.mapping = mapping
        self.home = home  # the currency of a file that names none
        derived = _DERIVED[mapping.kind]
        equal = (EQUAL,) if mapping.refunds else ()
        self.names = (*(name for name in ours if name in mapping.columns or name in derived), *equal)
        self.labels = {column: " + ".join(value.columns) for column, value in mapping.columns.items() if value.columns}
        if mapping.items and mapping.items.total:
            self.labels["price"] = " + ".join(mapping.items.total.columns)
        self.numbered = (
            self._numbered(header) if mapping.items and not (mapping.items.key or mapping.items.cell) else []
        )

    def _numbered(self, header: Sequence[str]) -> list[dict[str, str]]:
        """Return for each item the columns with # in their names -> the columns of the file with its number."""
        named = {key(name) for value in self.mapping.columns.values() for name in value.columns if "#" in name}
        by_number: dict[int, dict[str, str]] = {}
        for name in map(key, header):
            for number in re.finditer(r"\d+", name):
                pattern = f"{name[: number.start()]}#{name[number.end() :]}"
                if pattern in named:
                    by_number.setdefault(int(number[0]), {})[pattern] = name
        return [by_number[number] for number in sorted(by_number)]

    def items(self, cells: Sequence[Cells]) -> list[Cells]:
        """Return the cells of each item of an order."""
        listed = self.mapping.items.listed(cells[0]) if self.mapping.items and self.mapping.items.cell else []
        if listed:
            return [{**cells[0], **item} for item in listed]
        if not self.numbered:
            return list(cells)
        items: list[Cells] = [
            {**cells[0], **{pattern: cells[0].get(name, "") for pattern, name in names.items()}}
            for names in self.numbered
        ]
        offer = self.mapping.columns["offer"]
        return [item for item in items if offer.text(item)] or items[:1]


@dataclass(slots=True)
class Reading:
    """Reads the values of an order, and collects what is wrong with them by source column."""

    line: int
    forms: Forms
    problems: list[Problem] = field(default_factory=list)
    grouped: bool = False  # whether the rows of an order follow each other

    def refuse(self, value: Value, text: str, reason: str, line: int | None = None) -> None:
        """Add a problem with the source columns of a value."""
        self.problems.append(Problem(line or self.line, " + ".join(value.columns), text, reason))

    def text(self, value: Value, cells: Cells) -> str:
        """Return the text of a value; blank, with a problem, if it cannot be."""
        try:
            return value.text(cells) if value.applies(cells) else ""
        except BadData as error:
            self.refuse(value, next((cells.get(key(name), "") for name in value.columns), ""), str(error))
            return ""

    def instant(self, value: Value, cells: Cells) -> str:
        """Return the text of a time, as an import reads it."""
        try:
            return self.forms.instant(value, cells) if value.applies(cells) else ""
        except BadData as error:
            self.refuse(value, shown(value, cells), str(error))
            return ""

    def amount(self, value: Value, cells: Cells, currency: str, *, signed: bool = True) -> int | None:
        """Return the minor units of an amount, which is not negative if it is ``signed``; None if it is blank."""
        if not value.applies(cells):
            return None
        try:
            amount = self.forms.amount(value, cells, currency)
            if amount is None:
                return None
            amount *= self._units(value, cells)
            if amount < 0 and signed:
                raise BadData("is negative, and an amount here is zero or more")
            return money.parse(f"{abs(amount):f}", currency)
        except BadData as error:
            self.refuse(value, shown(value, cells), str(error))
            return None

    def _units(self, value: Value, cells: Cells) -> int:
        """Return how many units an amount is the price of one of."""
        text = re.sub(r"\.0+$", "", cells.get(key(value.times), "") if value.times else "") or "1"
        if not re.fullmatch(r"[0-9]{1,9}", text):
            raise BadData(f"is the price of one of {text!r}, which is not a whole number")
        return int(text)


def shown(value: Value, cells: Cells) -> str:
    """Return the texts that a value is read from, as the file has them."""
    try:
        texts = [cells.get(key(name), "") for _, name in value.sum] or [value.text(cells)]
    except BadData:
        texts = [cells.get(key(name), "") for name in value.columns]
    return " + ".join(filter(None, texts))


def currency_of(reading: Reading, value: Value, head: Cells) -> str:
    """Return the currency of an order; nothing, with a problem, if it is none."""
    text = reading.text(value, head)
    if not text and reading.grouped:
        if not reading.problems:
            why = "is blank; if it is a further row of an order above, put the rows of each order together"
            reading.refuse(value, "", why)
        return ""
    try:
        return money.ever_currency_code(text)
    except BadData as error:
        if not reading.problems:
            reading.refuse(value, text, str(error))
        return ""
