"""A mapping: a TOML file that says how another system's columns become ours; no code runs from it.

text -> ``parsed`` -> ``Mapping``: a ``Value`` for each of our columns, rows that are skipped or refunds, and ``Items``
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable, Sequence
from collections.abc import Mapping as Dict
from dataclasses import dataclass, field, fields, replace
from typing import Any, NoReturn

from salescli.errors import BadData
from salescli.imports.reading.amounts import COMMA, POINT
from salescli.imports.reading.options import ReadingOptions
from salescli.rules import time

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

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
_KEYS = (
    "title", "for", "source", "recognised_by", "optional", "file", "columns", "skip", "ended", "refunds", "items",
    "not_held",
)  # fmt: skip
_OF_A_VALUE = (
    "from", "constant", "sum", "values", "else", "without", "same", "when", "blank", "between", "join", "times",
    "period",
)  # fmt: skip


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


def parsed(text: str, name: str, ours: Sequence[str], kind: str = ORDERS) -> Mapping:
    """Return the mapping of a TOML text, which may fill the columns ``ours``. Raise BadData with its place.

    Of a mapping for another import than ``kind``, only what it is recognised by.
    """
    try:
        given = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise BadData(f"the mapping {name} is not TOML: {error}") from None
    except RecursionError:
        raise BadData(f"the mapping {name} has lists in lists too deep to read; a mapping has two levels") from None
    reader = _Reader(name, (*ours, ENDS_AT) if kind == RECURRING else ours)
    return reader.mapping(given) if given.get("for", ORDERS) == kind else reader.recognisable(given)


class _Reader:
    """Reads the tables of one mapping and names it in errors."""

    def __init__(self, name: str, ours: Sequence[str]) -> None:
        self._name = name
        self._ours = ours

    def mapping(self, given: Dict[str, Any]) -> Mapping:
        self._check_keys("", given, _KEYS)
        columns = self._table("columns", given.get("columns", {}))
        self._check_keys("columns", columns, self._ours)
        if not columns:
            self._fail("columns", "is missing: it says what each column is read from")
        created = columns.get("created_at", "")
        return replace(
            self.recognisable(given),
            columns={column: self._value(f"columns.{column}", value) for column, value in columns.items()},
            optional=self._texts("optional", given.get("optional", [])),
            source=self._text("source", given["source"]) if "source" in given else None,
            conventions=self._conventions(self._table("file", given.get("file", {}))),
            skip=[self._skip(f"skip {place}", rule) for place, rule in self._tables("skip", given)],
            ended=[self._ended(f"ended {place}", rule) for place, rule in self._tables("ended", given)],
            refunds=[
                self._refunds(f"refunds {place}", rule, created) for place, rule in self._tables("refunds", given)
            ],
            items=self._items(self._table("items", given["items"])) if "items" in given else None,
            not_held={
                label: self._texts(f"not_held.{label}", names) for label, names in given.get("not_held", {}).items()
            },
        )

    def recognisable(self, given: Dict[str, Any]) -> Mapping:
        """Return a mapping with what it is recognised by, whatever import it is for."""
        kind = given.get("for", ORDERS)
        if kind not in FOR:
            self._fail("for", f"is {kind!r}; it is one of {', '.join(FOR)}")
        return Mapping(
            self._name,
            self._text("title", given.get("title", self._name)),
            columns={},
            kind=kind,
            recognised_by=self._texts("recognised_by", given.get("recognised_by", [])),
        )

    def _fail(self, where: str, what: str) -> NoReturn:
        raise BadData(f"the mapping {self._name}: {where} {what}" if where else f"the mapping {self._name} {what}")

    def _check_keys(self, where: str, given: Dict[str, Any], known: Sequence[str]) -> None:
        unknown = [name for name in given if name not in known]
        if unknown:
            self._fail(where, f"has an unknown key, {unknown[0]}; the keys are {', '.join(known)}")

    def _table(self, where: str, given: Any) -> dict[str, Any]:
        return given if isinstance(given, dict) else self._fail(where, "is not a table")

    def _tables(self, where: str, given: Dict[str, Any]) -> Sequence[tuple[int, dict[str, Any]]]:
        tables = given.get(where, [])
        if not isinstance(tables, list):
            self._fail(where, f"is not a list of tables; write [[{where}]]")
        return [(place, self._table(f"{where} {place}", table)) for place, table in enumerate(tables, start=1)]

    def _text(self, where: str, given: Any) -> str:
        return given if isinstance(given, str) and given else self._fail(where, "is not a text")

    def _texts(self, where: str, given: Any) -> list[str]:
        if not isinstance(given, list):
            self._fail(where, "is not a list of texts")
        return [self._text(where, text) for text in given]

    def _conventions(self, given: dict[str, Any]) -> Conventions:
        self._check_keys("file", given, [one.name for one in fields(Conventions)])
        conventions = Conventions(**given)
        choices = {"delimiter": (",", ";", "\t", "|"), "decimal": (".", ","), "minor": (False, True), "dates": DATES}
        for name, allowed in choices.items():
            if name in given and given[name] not in allowed:
                self._fail(f"file.{name}", f"is not one of {', '.join(map(repr, allowed))}")
        if conventions.zone is not None:
            time.time_zone(self._text("file.zone", conventions.zone))
        return conventions

    def _value(self, where: str, given: Any) -> Value:
        """Return a value: a column, "{A} {B}", a list to take the first of, or a table."""
        if not isinstance(given, dict):
            return Value(self._first(where, given))
        self._check_keys(where, given, _OF_A_VALUE)
        if len({"from", "constant", "sum"} & given.keys()) != 1:
            self._fail(where, "needs one of from, constant and sum")
        same = self._texts(f"{where}.same", given.get("same", []))
        when = {
            column: frozenset(map(key, self._texts(f"{where}.when.{column}", texts)))
            for column, texts in self._table(f"{where}.when", given.get("when", {})).items()
        }
        if "sum" in given:
            names = self._texts(f"{where}.sum", given["sum"])
            signed = [(name.startswith("-"), name.removeprefix("-")) for name in names]
            return Value(sum=signed, same=same, when=when)
        if "constant" in given:
            return Value([Template([(self._text(where, given["constant"]), None)])])
        table = self._table(f"{where}.values", given["values"]) if "values" in given else None
        return Value(
            self._first(f"{where}.from", given["from"]),
            table=None if table is None else {key(name): self._to(where, text) for name, text in table.items()},
            otherwise=self._to(where, given["else"]) if "else" in given else None,
            without=given.get("without", ""),
            same=same,
            when=when,
            blank=frozenset(map(key, self._texts(f"{where}.blank", given.get("blank", [])))),
            between=self._between(f"{where}.between", given.get("between", [])),
            join=self._text(f"{where}.join", given.get("join", " + ")),
            times=self._text(f"{where}.times", given["times"]) if "times" in given else "",
            period=self._texts(f"{where}.period", given.get("period", [])),
        )

    def _between(self, where: str, given: Any) -> list[tuple[str, str]]:
        if not isinstance(given, list):
            self._fail(where, 'is not a list of beginnings and ends, such as [["name:", "|"]]')
        return [self._pair(where, pair) for pair in given]

    def _pair(self, where: str, given: Any) -> tuple[str, str]:
        texts = self._texts(where, given)
        return (texts[0], texts[1]) if len(texts) == 2 else self._fail(where, "has not two texts")

    def _to(self, where: str, given: Any) -> str:
        return given if isinstance(given, str) else self._fail(where, f"turns a value into {given!r}, which is no text")

    def _first(self, where: str, given: Any) -> list[Template]:
        if not isinstance(given, list):
            return [self._template(where, given)]
        return [self._template(where, one) for one in given]

    def _template(self, where: str, given: Any) -> Template:
        if isinstance(given, dict):
            self._check_keys(where, given, ("constant",))
            return Template([(self._text(where, given.get("constant")), None)])
        text = self._text(where, given)
        if "{" not in text:
            return Template([("", text)])
        pieces = re.split(r"\{([^{}]+)\}", text)
        ends = [*pieces[1::2], None]
        return Template([part for part in zip(pieces[::2], ends, strict=True) if part != ("", None)])

    def _conditions(self, where: str, given: Any) -> list[tuple[str, str | frozenset[str]]]:
        conditions: list[tuple[str, str | frozenset[str]]] = []
        for column, wanted in self._table(where, given).items():
            if isinstance(wanted, str) and wanted not in WORDS:
                self._fail(f"{where}.{column}", f"is neither a list of values nor one of {', '.join(WORDS)}")
            texts = wanted if isinstance(wanted, str) else frozenset(map(key, self._texts(where, wanted)))
            conditions.append((column, texts))
        return conditions or self._fail(where, "has no conditions")

    def _skip(self, where: str, given: dict[str, Any]) -> Rule:
        self._check_keys(where, given, ("when", "unless", "reason"))
        return Rule(
            self._conditions(f"{where}.when", given.get("when", {})),
            self._conditions(f"{where}.unless", given["unless"]) if "unless" in given else (),
            self._text(f"{where}.reason", given.get("reason")),
        )

    def _ended(self, where: str, given: dict[str, Any]) -> Rule:
        self._check_keys(where, given, ("when",))
        return Rule(self._conditions(f"{where}.when", given.get("when", {})))

    def _refunds(self, where: str, given: dict[str, Any], created: Any) -> Refunds:
        self._check_keys(where, given, ("when", "of", "amount", "at", "chargeback", "else"))
        of, amount, at = (
            self._value(f"{where}.{name}", given.get(name, otherwise))
            for name, otherwise in (("of", ""), ("amount", ""), ("at", created))
        )
        rule = Rule(self._conditions(f"{where}.when", given.get("when", {})))
        otherwise = self._text(f"{where}.else", given["else"]) if "else" in given else ""
        return Refunds(rule, of, amount, at, given.get("chargeback") is True, otherwise)

    def _items(self, given: dict[str, Any]) -> Items:
        self._check_keys("items", given, ("key", "total", "discount", "cell", "line"))
        if ("cell" in given) != ("line" in given):
            self._fail("items", "needs both cell and line, or neither")
        total, discount = (
            self._value(f"items.{name}", given[name]) if name in given else None for name in ("total", "discount")
        )
        line = self._template("items.line", given["line"]) if "line" in given else None
        return Items(given.get("key", ""), total, discount, given.get("cell", ""), line)
