"""A payment system's own statement: CSV, each row money that it says moved through it (B7).

bytes -> ``csv_rows.Table`` -> each row ``_read`` -> ``Line``, or what is wrong with it is told -> lines, all or none
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
from salescli.rules import money, numbers, text, time

PAYMENT, REFUND = "payment", "refund"
KEYS = ("reference", "gateway_id", "invoice")  # by which a movement is known, in this order
COLUMNS = (*KEYS, "kind", "amount", "currency", "fee", "at")
REQUIRED = ("amount", "currency")
_INVOICE_MAX = 999_999_999

Tell = Callable[[Problem], None]


class Line(NamedTuple):  # a tuple, and not a frozen dataclass: a statement may have many
    """A movement of money as the payment system tells it; ``number`` is its line in the file.

    Amount and fee are minor units of ``currency``; ``at`` is UTC text, None where the statement does not say.
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

    @property
    def keys(self) -> tuple[str | int | None, ...]:
        """All that names the movement: two lines with the same keys are of one."""
        return (self.kind, self.reference, self.gateway_id, self.invoice)


def read(file: Path | BinaryIO, *, zone: ZoneInfo, on_bad: Tell = lambda problem: None) -> list[Line]:
    """Return the lines of a statement; times without offset are in ``zone``.

    Raise NotFound without the file, BadData when its header or any row is bad; each problem was told to ``on_bad``.
    """
    columns = Columns(_readers(zone))
    with csv_file.opened(file) as stream:
        table = csv_file.Table(stream, COLUMNS, REQUIRED)
        if not any(key in table.header for key in KEYS):
            raise BadData(f"line 1: none of the columns {', '.join(KEYS)} is there; rows need one to be known by")
        return refuse_bad([csv_file.attempted(partial(_read, columns), row) for row in table], on_bad)


def refuse_bad(rows: Sequence[Line | BadRow], on_bad: Tell) -> list[Line]:
    """Return the lines when none of them is bad; else tell every problem and raise BadData."""
    bad = [row for row in rows if isinstance(row, BadRow)]
    for problem in _problems(bad):
        on_bad(problem)
    if bad:
        of = f"of {len(rows)}"
        which = numbers.count(len(bad), f"row {of} is", f"rows {of} are")
        raise BadData(f"{which} bad and nothing was compared; repair the file")
    return [row for row in rows if isinstance(row, Line)]


def days(lines: Sequence[Line], zone: ZoneInfo) -> tuple[str, str] | None:
    """Return the first and the last local day that lines are dated on; None when none is dated."""
    moments = [line.at for line in lines if line.at is not None]
    if not moments:
        return None
    first, last = (time.local_day(time.from_text(at), zone) for at in (min(moments), max(moments)))
    return first, last


def name_of(file: Path | BinaryIO) -> str:
    """Return what a statement is called in history: a file's name, unless that is no text to keep."""
    if not isinstance(file, Path) or str(file) == "-":
        return "from standard input"
    name = file.name.encode("utf-8", "backslashreplace").decode()  # a name need not be UTF-8, history must
    try:
        return text.text(name, "the file's name")[:200]
    except BadData:
        return "of a file whose name is not kept"


def _problems(bad: Sequence[BadRow]) -> Iterator[Problem]:
    return (problem for row in bad for problem in row.problems)


def _readers(zone: ZoneInfo) -> Readers:
    return {
        "reference": _word,
        "gateway_id": _word,
        "invoice": partial(text.whole_number, what="number of an invoice", most=_INVOICE_MAX),
        "kind": partial(text.one_of, allowed=(PAYMENT, REFUND), what="kind"),
        "currency": money.currency_code,
        "at": partial(time.parse_time, zone=zone),
    }


def _word(given: str) -> str:
    """Return a number of the payment system's as it stands: only compared and never stored, it may look like anything.

    Raise BadData for one that no gateway can have told.
    """
    if len(given) > text.TEXT_MAX:
        raise BadData(f"has {len(given)} characters; no number here has more than {text.TEXT_MAX}")
    if not given.isprintable():
        raise BadData("has a character that cannot be seen; take it out")
    return given


def _read(columns: Columns, row: Row) -> Line:
    """Return what a row says. Raise BadRow."""
    if row.problems:
        raise BadRow(row.problems)
    fields = Fields(row)
    given = fields.read(columns, ("currency",))
    if "amount" not in row.values:
        fields.refuse("amount", "is blank, and a row needs it")
    if "currency" in given:
        for column in ("amount", "fee"):
            fields.read_also(given, column, partial(_amount, currency=given["currency"]))
    if given.get("amount") == 0:
        fields.refuse("amount", "is nothing; leave out the rows in which no money moved")
    if not any(key in row.values for key in KEYS):
        fields.refuse(next(key for key in KEYS if key in row.names), f"is blank; a row needs one of {', '.join(KEYS)}")
    fields.check()
    return _line(row, given)


def _amount(given: str, currency: str) -> int:
    if given.startswith("-"):
        raise BadData("is below zero; write a refund as one of kind refund, its amount without a sign")
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
    )
