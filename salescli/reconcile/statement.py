"""A payment system's own statement: a file with a row per movement of money (B7).

file -> ``tables.opened``, or ``mapped`` for another system's columns -> ``_read`` each row -> all lines or none
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import date, datetime
from functools import partial
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple
from zoneinfo import ZoneInfo

from salescli.errors import BadData
from salescli.imports import csv_file
from salescli.imports.cells import Fields, Readers
from salescli.imports.csv_file import BadRow, Problem, Row
from salescli.imports.reading import conventions, files, tables
from salescli.imports.reading.options import AS_FOUND, ReadingOptions
from salescli.imports.reading.tables import Expected
from salescli.reconcile import mapped
from salescli.rules import money, numbers, text, time

PAYMENT, REFUND, DISPUTE = "payment", "refund", "dispute"
SENT = mapped.SENT  # money that went out of an account: perhaps a refund, perhaps the rent
UNCOMPARED = ("fee", "payout", SENT, "other")  # kinds that are shown and not compared
KEYS = ("reference", "gateway_id", "payment_id", "invoice")  # that identify a movement
SAYS = ("text", "payer")  # words in which it may be recognised
COLUMNS = (*KEYS, "kind", "amount", "currency", "fee", "fee_currency", "at", *SAYS)
REQUIRED = ("amount", "currency")
_KINDS = {"amount": conventions.AMOUNT, "fee": conventions.AMOUNT, "at": conventions.DATE}
_INVOICE_MAX = 999_999_999

ReportProblem = Callable[[Problem], None]


class Line(NamedTuple):
    """A movement of money according to the payment system; ``number`` is its line in the file.

    The amount is minor units of ``currency``, the fee of ``fee_currency``; ``at`` is an instant as it is stored, None
    without a date.
    """

    number: int
    kind: str
    reference: str | None
    gateway_id: str | None
    invoice: int | None
    amount_minor: int
    currency: str
    fee_minor: int | None
    at: int | None
    fee_currency: str | None = None  # None: the line's
    payment_id: str | None = None  # the id of the payment that a refund or dispute is of
    text: str = ""
    payer: str = ""

    @property
    def keys(self) -> tuple[str | int | None, ...]:
        """The values that identify the movement: lines with equal keys are duplicates."""
        found = (self.reference, self.gateway_id, self.payment_id, self.invoice)
        return (self.kind, *found) if any(found) else (self.kind, self.number)

    @property
    def ids(self) -> tuple[str, ...]:
        """The payment system's ids in it: the movement's own, and its payment's."""
        return tuple(filter(None, (self.gateway_id, self.payment_id)))


def read(
    file: Path | BinaryIO,
    *,
    zone: ZoneInfo,
    reading: ReadingOptions = AS_FOUND,
    mapping: str | None = None,
    on_bad: ReportProblem = lambda problem: None,
    on_told: Callable[[str], None] = lambda words: None,
) -> list[Line]:
    """Return the lines of a statement; times without offset are in ``zone``.

    ``mapping``: the name or file of the mapping by which it is read; None: our own columns, else found by the header.
    Raise NotFound when the file does not exist, BadData when its header or a row is bad. ``on_bad`` gets each
    problem, ``on_told`` how the file was read, in words.
    """
    readers = _readers(zone)
    ours = Expected(COLUMNS, REQUIRED, _KINDS)
    with _seekable(file) as given:
        found = mapped.mapping_of(given, ours, reading, mapping)
        if not isinstance(given, Path):
            given.seek(0)
        if found is not None:
            rows = mapped.rows(given, *found, reading, on_told)
            return _lines(readers, rows, lambda problem: on_bad(mapped.named(found[0], problem)))
        with tables.opened(given, ours, reading, on_told) as table:
            if not any(key in table.header for key in (*KEYS, *SAYS)):
                raise BadData(f"line 1: at least one of the columns {', '.join(KEYS)} is needed to match rows")
            return _lines(readers, map(_signed, table), on_bad)


@contextmanager
def _seekable(file: Path | BinaryIO) -> Iterator[Path | BinaryIO]:
    """Yield a file that can be read twice: its path, or all of what a pipe had."""
    if isinstance(file, Path) and file.is_file():
        yield file
    else:
        with files.opened(file) as stream:
            yield stream


def _lines(readers: Readers, rows: Iterable[Row], on_bad: ReportProblem) -> list[Line]:
    return refuse_bad([csv_file.attempted(partial(_read, readers), row) for row in rows], on_bad)


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


def days(lines: Sequence[Line], zone: ZoneInfo) -> tuple[date, date] | None:
    """Return the first and the last local day of the lines; None when none has a date."""
    moments = [line.at for line in lines if line.at is not None]
    if not moments:
        return None
    first, last = (time.local_day(time.from_stored(at), zone) for at in (min(moments), max(moments)))
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
        "payment_id": _word,
        "text": _said,
        "payer": _said,
        "invoice": partial(text.whole_number, what="number of an invoice", most=_INVOICE_MAX),
        "kind": partial(text.one_of, allowed=(PAYMENT, REFUND, DISPUTE, *UNCOMPARED), what="kind"),
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


def _said(given: str) -> str:
    """Return words of a bank, in which a payment may be recognised; they are never stored."""
    return " ".join(given.split())


def _read(readers: Readers, row: Row) -> Line:
    """Return the line of a row. Raise BadRow."""
    if row.problems:
        raise BadRow(row.problems)
    fields = Fields(row)
    given = fields.read(readers, ("currency",))
    if "amount" not in row.values:
        fields.refuse("amount", "is blank; every row needs it")
    if "currency" in given:
        for column, currency in (("amount", "currency"), ("fee", "fee_currency")):
            in_currency = given.setdefault(currency, given["currency"])
            fields.read_also(given, column, partial(_amount, currency=in_currency))
    if given.get("amount") == 0:
        fields.refuse("amount", "is zero; leave out rows in which no money moved")
    given.setdefault("kind", PAYMENT)
    if given["kind"] not in UNCOMPARED and not any(key in row.values for key in (*KEYS, *SAYS)):
        first = next(key for key in (*KEYS, *SAYS) if key in row.names)
        fields.refuse(first, f"is blank; a row needs one of {', '.join(KEYS)}")
    fields.check()
    return _line(row, given)


def _signed(row: Row) -> Row:
    """Return a row with its sign left to the kind: without one, what is negative was sent, as in a mapped file."""
    amount = row.values.get("amount", "")
    if "kind" in row.values or not amount.startswith("-"):
        return row
    cells = ["" if name == "amount" else cell for name, cell in zip(row.names, row.cells, strict=False)]
    names = row.names[: len(cells)]
    return row._replace(names=(*names, "amount", "kind"), cells=[*cells, amount[1:], SENT])


def _amount(given: str, currency: str) -> int:
    if given.startswith("-"):
        raise BadData("is negative beside its kind; leave out the sign, which the kind says")
    return money.parse(given, currency)


def _line(row: Row, given: dict[str, Any]) -> Line:
    at: datetime | None = given.get("at")
    return Line(
        number=row.line,
        kind=given["kind"],
        reference=given.get("reference"),
        gateway_id=given.get("gateway_id"),
        invoice=given.get("invoice"),
        amount_minor=given["amount"],
        currency=given["currency"],
        fee_minor=given.get("fee"),
        at=None if at is None else time.stored(at),
        fee_currency=None if given["fee_currency"] == given["currency"] else given["fee_currency"],
        payment_id=given.get("payment_id"),
        text=given.get("text", ""),
        payer=given.get("payer", ""),
    )
