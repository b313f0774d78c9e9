"""A payment system's own statement: CSV with a row per movement of money (B7).

file -> ``tables.opened`` -> ``_read`` each row -> ``Line`` or reported problems -> all lines or none
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple
from zoneinfo import ZoneInfo

from salescli.errors import BadData
from salescli.imports import csv_file
from salescli.imports.cells import Columns, Fields, Readers
from salescli.imports.csv_file import BadRow, Problem, Row
from salescli.imports.reading import conventions, tables
from salescli.imports.reading.options import AS_FOUND, ReadingOptions
from salescli.imports.reading.tables import Expected
from salescli.rules import money, numbers, text, time

PAYMENT, REFUND, DISPUTE = "payment", "refund", "dispute"
KEYS = ("reference", "gateway_id", "invoice")  # that identify a movement
COLUMNS = (*KEYS, "kind", "amount", "currency", "fee", "fee_currency", "at")
REQUIRED = ("amount", "currency")
_KINDS = {"amount": conventions.AMOUNT, "fee": conventions.AMOUNT, "at": conventions.DATE}
_INVOICE_MAX = 999_999_999

ReportProblem = Callable[[Problem], None]


class Line(NamedTuple):
    """A movement of money according to the payment system; ``number`` is its line in the file.

    The amount is minor units of ``currency``, the fee of ``fee_currency``; ``at`` is UTC text, None without a date.
    """

    number: int
    kind: str
    reference: str | None
    gateway_id: str | None
    invoice: int | None
    amount_minor: int
    currency: str
    fee_minor: int | None
    at: str | None
    fee_currency: str | None = None  # None: the line's

    @property
    def keys(self) -> tuple[str | int | None, ...]:
        """The values that identify the movement: lines with equal keys are duplicates."""
        return (self.kind, self.reference, self.gateway_id, self.invoice)


def read(
    file: Path | BinaryIO,
    *,
    zone: ZoneInfo,
    reading: ReadingOptions = AS_FOUND,
    on_bad: ReportProblem = lambda problem: None,
    on_told: Callable[[str], None] = lambda words: None,
) -> list[Line]:
    """Return the lines of a statement; times without offset are in ``zone``.

    Raise NotFound when the file does not exist, BadData when its header or a row is bad. ``on_bad`` gets each
    problem, ``on_told`` how the file was read, in words.
    """
    columns = Columns(_readers(zone))
    with tables.opened(file, Expected(COLUMNS, REQUIRED, _KINDS), reading, on_told) as table:
        if not any(key in table.header for key in KEYS):
            raise BadData(f"line 1: at least one of the columns {', '.join(KEYS)} is needed to match rows")
        return refuse_bad([csv_file.attempted(partial(_read, columns), row) for row in table], on_bad)


def refuse_bad(rows: Sequence[Line | BadRow], on_bad: ReportProblem) -> list[Line]:
    """Return the lines if all are good; otherwise report every problem and raise BadData."""
    bad = [row for row in rows if isinstance(row, BadRow)]
    for problem in _problems(bad):
        on_bad(problem)
    if bad:
        of = f"of {len(rows)}"
        which = numbers.count(len(bad), f"row {of} is", f"rows {of} are")
        raise BadData(f"{which} bad and nothing was compared; repair the file")
    return [row for row in rows if isinstance(row, Line)]


def days(lines: Sequence[Line], zone: ZoneInfo) -> tuple[str, str] | None:
    """Return the first and the last local day of the lines; None when none has a date."""
    moments = [line.at for line in lines if line.at is not None]
    if not moments:
        return None
    first, last = (time.local_day(time.from_text(at), zone) for at in (min(moments), max(moments)))
    return first, last


def name_of(file: Path | BinaryIO) -> str:
    """Return the name of a statement for history: the file's name, if it can be stored."""
    if not isinstance(file, Path) or str(file) == "-":
        return "from standard input"
    name = file.name.encode("utf-8", "backslashreplace").decode()  # history must be UTF-8, a file name need not
    try:
        return text.text(name, "the file's name")[:200]
    except BadData:
        return "of a file whose name cannot be stored"


def _problems(bad: Sequence[BadRow]) -> Iterator[Problem]:
    return (problem for row in bad for problem in row.problems)


def _readers(zone: ZoneInfo) -> Readers:
    return {
        "reference": _word,
        "gateway_id": _word,
        "invoice": partial(text.whole_number, what="number of an invoice", most=_INVOICE_MAX),
        "kind": partial(text.one_of, allowed=(PAYMENT, REFUND, DISPUTE), what="kind"),
        "currency": money.ever_currency_code,
        "fee_currency": money.ever_currency_code,
        "at": partial(time.parse_time, zone=zone),
    }


def _word(given: str) -> str:
    """Return an id of the payment system unchanged: it is compared but never stored.

    Raise BadData if no gateway can have given it.
    """
    if len(given) > text.TEXT_MAX:
        raise BadData(f"has {len(given)} characters; ids here have at most {text.TEXT_MAX}")
    if not given.isprintable():
        raise BadData("has an invisible character; remove it")
    return given


def _read(columns: Columns, row: Row) -> Line:
    """Return the line of a row. Raise BadRow."""
    if row.problems:
        raise BadRow(row.problems)
    fields = Fields(row)
    given = fields.read(columns, ("currency",))
    if "amount" not in row.values:
        fields.refuse("amount", "is blank; every row needs it")
    if "currency" in given:
        for column, currency in (("amount", "currency"), ("fee", "fee_currency")):
            in_currency = given.setdefault(currency, given["currency"])
            fields.read_also(given, column, partial(_amount, currency=in_currency))
    if given.get("amount") == 0:
        fields.refuse("amount", "is zero; leave out rows in which no money moved")
    if not any(key in row.values for key in KEYS):
        fields.refuse(next(key for key in KEYS if key in row.names), f"is blank; a row needs one of {', '.join(KEYS)}")
    fields.check()
    return _line(row, given)


def _amount(given: str, currency: str) -> int:
    if given.startswith("-"):
        raise BadData("is negative; for a refund, set kind to refund and leave out the sign")
    return money.parse(given, currency)


def _line(row: Row, given: dict[str, Any]) -> Line:
    at: datetime | None = given.get("at")
    return Line(
        number=row.line,
        kind=given.get("kind", PAYMENT),
        reference=given.get("reference"),
        gateway_id=given.get("gateway_id"),
        invoice=given.get("invoice"),
        amount_minor=given["amount"],
        currency=given["currency"],
        fee_minor=given.get("fee"),
        at=None if at is None else time.utc_text(at),
        fee_currency=None if given["fee_currency"] == given["currency"] else given["fee_currency"],
    )
