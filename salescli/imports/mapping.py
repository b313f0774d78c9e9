"""A mapping: a TOML file that says how another system's columns become ours; no code runs from it.

``mapping_file.parsed`` -> ``Mapping``: a ``Value`` for each of our columns, rows to skip, refunds, and ``Items``
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from collections.abc import Mapping as Dict
from dataclasses import dataclass, field, replace

from salescli.errors import BadData
from salescli.imports.reading.amounts import COMMA, POINT
from salescli.imports.reading.options import ReadingOptions
from salescli.rules import time

OF_AN_ITEM = (  # read from each item's own row or columns, all else from the first row of the order
    "offer", "offer_number", "category", "category_number", "quantity", "unit_price", "price", "discount",
)  # fmt: skip
ENDS_AT = "ends_at"  # of a subscription: it becomes the number of payments that are left
AMOUNTS = ("unit_price", "discount", "price", "paid", "funds_credited", "fee", "refunded")
TIMES = ("created_at", "paid_at", "refunded_at", "started_at", "next_payment_at", ENDS_AT)
DATES = ("ymd", "dmy", "mdy", "found")  # the order of day, month and year; a year of four digits in front always is one
WORDS = ("blank", "given", "negative", "positive", "zero")  # of a condition, instead of a list of values
ORDERS = "orders"  # what a mapping is for, if it does not say
RECURRING = "recurring"
STATEMENT = "statement"
FOR = {ORDERS: "orders", RECURRING: "subscriptions", STATEMENT: "statements"}  # -> what their files hold
READ_BY = {kind: f"salescli import {kind} FILE" for kind in FOR} | {STATEMENT: "salescli reconcile FILE"}


def key(name: str) -> str:
    """Return the name of a source column as it is compared: without regard to case and spaces."""
    return " ".join(name.split()).casefold()


def patterns(name: str) -> list[str]:
    """Return the keys by which a mapping may name a column: its own, and with # for each of its numbers."""
    plain = key(name)
    return [plain, *(f"{plain[: one.start()]}#{plain[one.end() :]}" for one in re.finditer(r"\d+", plain))]


@dataclass(frozen=True, slots=True)
class Conventions:
    """What a mapping states of how its file is written; None: as the file shows. ``zone``: of times that have none."""

    delimiter: str | None = None
    decimal: str | None = None
    minor: bool = False  # amounts are whole minor units
    dates: str | None = None
    zone: str | None = None

    def beside(self, stated: ReadingOptions) -> ReadingOptions:
        """Return what a person states and, where that is nothing, what the mapping does."""
        return replace(
            stated,
            decimal=stated.decimal or {".": POINT, ",": COMMA}.get(self.decimal or ""),
            minor=stated.minor or self.minor,
            dates=stated.dates or (None if self.dates == "found" else self.dates),
            zone=stated.zone or (time.time_zone(self.zone) if self.zone else None),
        )


Cells = Dict[str, str]  # of a row: the key of a source column -> its text


@dataclass(frozen=True, slots=True)
class Template:
    """Words around source columns; a plain column is a template of one, a constant of none."""

    parts: Sequence[tuple[str, str | None]]  # words, and the column after them

    def text(self, cells: Cells) -> str:
        """Return the text of a row; blank if all columns are."""
        given = [cells.get(key(column), "") for _, column in self.parts if column]
        if given and not any(given):
            return ""
        texts = iter(given)
        return " ".join("".join(words + (next(texts) if column else "") for words, column in self.parts).split())

    @property
    def columns(self) -> list[str]:
        """The source columns in it."""
        return [column for _, column in self.parts if column]


@dataclass(frozen=True, slots=True)
class Value:
    """Where the text of one of our columns comes from: the first of several templates, or a sum of columns.

    ``table``: the text -> what it becomes, by ``key``; ``otherwise``: for those that are not in it. ``between``: of a
    text with several parts, all that stand between a beginning and an end, joined by ``join``.
    """

    first: Sequence[Template] = ()
    sum: Sequence[tuple[bool, str]] = ()  # (is it subtracted, column)
    table: Dict[str, str] | None = None
    otherwise: str | None = None
    without: str = ""  # an ending to take off
    blank: frozenset[str] = frozenset()  # texts that say nothing, by ``key``
    between: Sequence[tuple[str, str]] = ()
    join: str = " + "
    times: str = ""  # a column with the number of units that an amount is the price of one of
    period: Sequence[str] = ()  # columns with the first and last day of an interval, and the end of a trial
    same: Sequence[str] = ()  # columns whose texts must be equal, or the value is blank
    when: Dict[str, frozenset[str]] = field(default_factory=dict)  # column -> one of its texts, or the value is blank

    def applies(self, cells: Cells) -> bool:
        """Return whether the columns that must be the same are, where they are given, and ``when`` holds."""
        are_the_same = len({text.casefold() for name in self.same if (text := cells.get(key(name), ""))}) < 2
        return are_the_same and all(key(cells.get(key(name), "")) in texts for name, texts in self.when.items())

    def text(self, cells: Cells) -> str:
        """Return the text of a row. Raise BadData for one that is not in the table."""
        given = next(filter(None, (template.text(cells) for template in self.first)), "")
        given = given.removesuffix(self.without) if self.without else given
        given = "" if key(given) in self.blank else given
        if self.between:
            given = self.join.join(part for begin, end in self.between for part in _parts(given, begin, end))
        if self.table is None:
            return given
        found = self.table.get(key(given), self.otherwise)
        if found is None:
            known = ", ".join(filter(None, self.table))
            raise BadData(f"is not in the mapping, which knows {known}")
        return found

    @property
    def columns(self) -> list[str]:
        """The source columns that it reads."""
        return [column for template in self.first for column in template.columns] + [name for _, name in self.sum]

    @property
    def beside(self) -> list[str]:
        """Further source columns that it needs: a number of units, and days."""
        return [name for name in (self.times, *self.period) if name]


def _parts(text: str, begin: str, end: str) -> list[str]:
    """Return each part of a text between ``begin`` and ``end``, or the end of the text."""
    parts = (piece.partition(end)[0].strip() for piece in text.split(begin)[1:])
    return [part for part in parts if part]


@dataclass(frozen=True, slots=True)
class Rule:
    """Conditions on source columns, all of which must hold: one of several texts, or one of ``WORDS``.

    It does not hold if all conditions of ``unless`` do.
    """

    when: Sequence[tuple[str, str | frozenset[str]]]
    unless: Sequence[tuple[str, str | frozenset[str]]] = ()
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Refunds:
    """Rows that give back the payment whose order number ``of`` names.

    ``otherwise``: the reason to skip those whose payment is not in the file; without one they go to a payment here.
    """

    rule: Rule
    of: Value
    amount: Value
    at: Value
    chargeback: bool = False
    otherwise: str = ""


@dataclass(frozen=True, slots=True)
class Items:
    """How several items make an order: rows with the same ``key``, or, without one, columns numbered by #.

    ``total``: what the order costs, shared among its items; ``discount``: what is already off it.
    ``cell``: a column with a line for each item, or with # in its name the columns of one item each; ``line``: what
    stands in one, as columns of its own.
    """

    key: str = ""
    total: Value | None = None
    discount: Value | None = None
    cell: str = ""
    line: Template | None = None

    def listed(self, cells: Cells) -> list[Cells]:
        """Return the items of a cell; a line that is not written so is the first column of an item."""
        columns = [key(name) for name in self.line.columns] if self.line else []
        return [
            dict(zip(columns, self._read(text.strip()) or (text.strip(),), strict=False))
            for text in self._lines(cells)
            if text.strip()
        ]

    def _lines(self, cells: Cells) -> list[str]:
        name = key(self.cell)
        if "#" not in name:
            return cells.get(name, "").splitlines()
        numbered = re.compile(re.escape(name).replace(r"\#", r"(\d+)"))
        found = sorted((int(match[1]), name) for name in cells if (match := numbered.fullmatch(name)))
        return [cells[name] for _, name in found]

    def _read(self, line: str) -> tuple[str, ...]:
        parts = self.line.parts if self.line else ()
        match = re.fullmatch("".join(re.escape(words) + ("(.*)" if column else "") for words, column in parts), line)
        return match.groups() if match else ()


@dataclass(frozen=True, slots=True)
class Mapping:
    """How a file of another system is read. ``kind``: the import that it is for, one of ``FOR``."""

    name: str
    title: str
    columns: Dict[str, Value]
    kind: str = ORDERS
    recognised_by: Sequence[str] = ()
    optional: Sequence[str] = ()
    source: str | None = None
    conventions: Conventions = field(default_factory=Conventions)
    skip: Sequence[Rule] = ()
    ended: Sequence[Rule] = ()  # subscriptions that take no further payment, whatever their status
    refunds: Sequence[Refunds] = ()
    items: Items | None = None
    not_held: Dict[str, Sequence[str]] | None = None

    @property
    def names(self) -> set[str]:
        """The keys of all source columns that it knows, those with # among them."""
        of_refunds = [value for kind in self.refunds for value in (kind.of, kind.amount, kind.at)]
        values = [*self.columns.values(), *self._of_whole_orders(), *of_refunds]
        return (
            {key(name) for names in (self.recognised_by, self.optional) for name in names}
            | _keys(values)
            | {key(name) for value in values for name in value.beside}
        )

    @property
    def amounts(self) -> set[str]:
        """The keys of the source columns that hold amounts."""
        named = [self.columns[name] for name in AMOUNTS if name in self.columns]
        return _keys([*named, *self._of_whole_orders(), *(kind.amount for kind in self.refunds)])

    @property
    def times(self) -> set[str]:
        """The keys of the source columns that hold dates and times."""
        named = [self.columns[name] for name in TIMES if name in self.columns]
        days = {key(name) for value in self.columns.values() for name in value.period}
        return _keys([*named, *(kind.at for kind in self.refunds)]) | days

    @property
    def currencies(self) -> set[str]:
        """The keys of the source columns that name a currency."""
        return _keys([value for name, value in self.columns.items() if "currency" in name])

    @property
    def of_every_row(self) -> set[str]:
        """The keys of the source columns that every row fills, unless it adds up the others."""
        filled = (self.columns[name] for name in ("order", "created_at") if name in self.columns)
        return {key(name) for value in filled for name in needed(value)}

    def _of_whole_orders(self) -> list[Value]:
        return [value for value in (self.items.total, self.items.discount) if value] if self.items else []

    def missing(self, header: Sequence[str]) -> list[str]:
        """Return the source columns that a header lacks and this mapping needs."""
        have, may_lack = set(map(key, header)), set(map(key, self.optional))
        have.update(re.sub(r"\d+", "#", name) for name in list(have))
        if self.items and self.items.line:
            have.update(map(key, self.items.line.columns))
        named = [*self.recognised_by, *(name for value in self.columns.values() for name in needed(value))]
        return [name for name in dict.fromkeys(named) if key(name) not in have and key(name) not in may_lack]

    def fits(self, header: Sequence[str]) -> bool:
        """Return whether a header has all columns by which this mapping is recognised."""
        have = set(map(key, header))
        return bool(self.recognised_by) and all(key(name) in have for name in self.recognised_by)


def _keys(values: Iterable[Value]) -> set[str]:
    return {key(name) for value in values for name in value.columns}


def needed(value: Value) -> list[str]:
    """Return the source columns without which a value has no text: of several to choose from, none."""
    return [*(value.columns if len(value.first) < 2 else []), *value.beside]
