"""Workbooks, XLSX and ODS: the rows of a sheet as texts, by the types of their cells, read row by row.

bytes -> ``rows`` (openpyxl | ODF's XML) -> texts; ``Typed`` where the type says the value -> ``spooled`` as JSON lines
"""

from __future__ import annotations

import json
import re
import warnings
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import date, datetime
from decimal import ROUND_HALF_UP, Decimal
from itertools import chain, islice, repeat
from typing import TYPE_CHECKING, Any, BinaryIO, NoReturn

from salescli.errors import BadData, SalesError

if TYPE_CHECKING:
    from xml.etree.ElementTree import Element

ZIP = b"PK\x03\x04"
OLD_EXCEL = b"\xd0\xcf\x11\xe0"
FIRST_ROWS = 50  # among which the header is
_OFFICE = "{urn:oasis:names:tc:opendocument:xmlns:office:1.0}"
_TABLE = "{urn:oasis:names:tc:opendocument:xmlns:table:1.0}"
_TEXT = "{urn:oasis:names:tc:opendocument:xmlns:text:1.0}"
_BLOCK = 1 << 16
_CELLS_MAX = 16_384  # columns of a sheet


class Typed(str):
    """A cell whose type says its value: in our own form already, whatever the convention of its column."""

    __slots__ = ()


Rows = Iterator[list[str]]


class SheetRows:
    """The rows of a spooled sheet, in place of lines of CSV: each is a line of JSON."""

    damaged = False

    def __init__(self, stream: BinaryIO, above: int) -> None:
        self._stream = stream
        self._line = 0
        for _ in range(above):
            next(self, [])

    def begin(self) -> int:
        """Return the number of the next row."""
        return self._line + 1

    def plain(self) -> list[str]:
        """Return no lines of text, as a sheet has none."""
        return []

    def give_back(self) -> NoReturn:
        """Never happens: no row of a sheet is damaged."""
        raise AssertionError

    def __iter__(self) -> SheetRows:
        return self

    def __next__(self) -> list[str]:
        line = self._stream.readline()
        if not line:
            raise StopIteration
        self._line += 1
        return [Typed(cell[0]) if isinstance(cell, list) else cell for cell in json.loads(line)]


def spool(rows: Rows, width: Callable[[list[list[str]]], int], target: BinaryIO) -> None:
    """Write rows to ``target``, each as wide as ``width`` of the first ones says, or wider."""
    first = list(islice(rows, FIRST_ROWS))
    wide = width(first)
    for row in chain(first, rows):
        while row and not row[-1]:
            row.pop()
        cells = [*row, *[""] * (wide - len(row))] if row else []
        target.write(json.dumps([[cell] if isinstance(cell, Typed) else cell for cell in cells]).encode() + b"\n")
    target.seek(0)


def rows(stream: BinaryIO, sheet: str | None) -> Rows:
    """Yield the rows of a sheet, of the first one unless it is named. Raise BadData for a file that is no workbook."""
    from zipfile import ZipFile  # here: most files are CSV

    try:
        with ZipFile(stream) as archive:
            names = set(archive.namelist())
        if "xl/workbook.xml" in names:
            yield from _xlsx(stream, sheet)
        elif "content.xml" in names:
            yield from _ods(stream, sheet)
        else:
            raise BadData("the file is a ZIP archive, but no workbook; give the file that is in it")
    except SalesError:
        raise
    except Exception as error:  # damaged files fail in every part of a reader
        raise BadData(
            f"the workbook cannot be read: {error or type(error).__name__}; save it again, or as CSV"
        ) from None


def _xlsx(stream: BinaryIO, sheet: str | None) -> Rows:
    try:
        from openpyxl import load_workbook
    except ImportError:
        raise SalesError('to read XLSX install its package: pip install "salescli[xlsx]"; or save it as CSV') from None
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # about styles and validations, which are of no matter here
        with closing(load_workbook(stream, read_only=True, data_only=True)) as book:
            names = [found.title for found in book.worksheets]
            place = _place(names, sheet)
            chosen = book.worksheets[place]
            chosen.reset_dimensions()  # some programs write wrong ones
            uncounted = _formulas(stream, place) if _has_formulas(stream, chosen) else repeat(())
            for row, formulas in zip(chosen.iter_rows(), uncounted, strict=False):
                for cell, formula in zip(row, formulas, strict=False):
                    _check_value(cell, formula)
                yield [_text(cell.value, cell) for cell in row]


def _has_formulas(stream: BinaryIO, sheet: Any) -> bool:
    """Return whether a sheet has formulas: then it is read a second time, beside the first, for them."""
    import zipfile  # see docs/start.md

    with zipfile.ZipFile(stream) as archive, archive.open(sheet._worksheet_path) as content:
        before = b""
        while block := content.read(_BLOCK):
            if b"<f>" in before + block or b"<f " in before + block:
                return True
            before = block[-2:]
    return False


def _formulas(stream: BinaryIO, place: int) -> Iterator[tuple[Any, ...]]:
    from openpyxl import load_workbook

    with closing(load_workbook(stream, read_only=True)) as book:
        sheet = book.worksheets[place]
        sheet.reset_dimensions()
        yield from sheet.iter_rows()


def _check_value(cell: Any, formula: Any) -> None:
    """Refuse a formula without its value, as a program writes it that cannot calculate: a blank would be a guess."""
    if cell.value is None and cell.data_type == "n" and formula.data_type == "f":
        _refuse_formula(f"the cell {cell.coordinate}")


def _refuse_formula(where: str) -> NoReturn:
    raise BadData(
        f"{where} has a formula, and the file does not hold what it comes to; open it in Excel or LibreOffice and save"
        " it again, or save it as CSV"
    )


def _place(names: list[str], sheet: str | None) -> int:
    if sheet is None and names:
        return 0
    if sheet not in names:
        raise BadData(f"there is no sheet {sheet!r}; the sheets are {', '.join(map(repr, names))}")
    return names.index(sheet)


def _text(value: Any, cell: Any) -> str:
    """Return a cell of XLSX as text."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return Typed("yes" if value else "no")
    if isinstance(value, datetime):
        return _moment(value)
    if isinstance(value, date):
        return Typed(value.isoformat())
    if isinstance(value, (int, float)):
        return Typed(number(value, cell.number_format or ""))
    return str(value)


def _moment(value: datetime) -> str:
    whole = value.replace(microsecond=0)
    return Typed(whole.date().isoformat() if whole.time() == datetime.min.time() else whole.isoformat(" "))


def number(value: float, shown_as: str) -> str:
    """Return a number with the decimals that its format shows; a format without decimals hides none.

    A sheet holds 0.1 + 0.2 as 0.30000000000000004, and shows 0.30.
    """
    shown = re.sub(r'"[^"]*"|\[[^]]*\]|\\.|_.', "", shown_as.split(";")[0])
    exact = Decimal(format(value, ".15g"))
    percent = "%" in shown
    exact = exact * 100 if percent else exact
    decimals = re.search(r"[0#?]\.([0#?]+)", shown)
    if decimals and "E" not in shown.upper().replace("GENERAL", ""):
        exact = exact.quantize(Decimal(1).scaleb(-len(decimals[1])), ROUND_HALF_UP)
    text = format(exact, "f")
    return f"{text}%" if percent else text


# OpenDocument


def _ods(stream: BinaryIO, sheet: str | None) -> Rows:
    from zipfile import ZipFile

    with ZipFile(stream) as archive:
        with archive.open("content.xml") as content:
            names = [element.get(f"{_TABLE}name", "") for element in _tables(content)]
        wanted = _place(names, sheet)
        with archive.open("content.xml") as content:
            yield from _rows_of(content, wanted)


def _events(content: Any) -> Iterator[tuple[str, Element]]:
    from xml.etree import ElementTree

    yield from ElementTree.iterparse(content, ("start", "end"))  # noqa: S314 — see above


def _tables(content: Any) -> Iterator[Element]:
    for event, element in _events(content):
        if event == "start" and element.tag == f"{_TABLE}table":
            yield element
        if event == "end" and element.tag == f"{_TABLE}table-row":
            element.clear()


def _rows_of(content: Any, wanted: int) -> Rows:
    """Yield the rows of a table; blank ones at its end, of which there may be a million, are left out."""
    table, blank = -1, 0
    for event, element in _events(content):
        if event == "start":
            table += element.tag == f"{_TABLE}table"
            continue
        if table > wanted:
            return
        if element.tag != f"{_TABLE}table-row":
            continue
        if table == wanted:
            cells, times = list(_cells(element)), int(element.get(f"{_TABLE}number-rows-repeated", 1))
            if cells:
                yield from ([] for _ in range(blank))
                yield from (list(cells) for _ in range(times))
            blank = 0 if cells else blank + times
        element.clear()


def _cells(row: Element) -> Iterator[str]:
    """Yield the cells of a row without the blank ones at its end."""
    blank = 0
    for cell in row:
        if cell.tag not in (f"{_TABLE}table-cell", f"{_TABLE}covered-table-cell"):
            continue
        text, times = _ods_text(cell), int(cell.get(f"{_TABLE}number-columns-repeated", 1))
        if not text:
            blank += times
            continue
        yield from [""] * min(blank, _CELLS_MAX)
        yield from [text] * min(times, _CELLS_MAX)
        blank = 0


def _ods_text(cell: Element) -> str:
    kind = cell.get(f"{_OFFICE}value-type", "")
    if not kind and cell.get(f"{_TABLE}formula"):
        _refuse_formula("a cell")
    shown = "\n".join("".join(line.itertext()) for line in cell.iter(f"{_TEXT}p"))
    if kind in ("float", "currency", "percentage"):
        return Typed(_shown_number(float(cell.get(f"{_OFFICE}value", "nan")), shown, percent=kind == "percentage"))
    if kind == "date":
        return _moment(datetime.fromisoformat(cell.get(f"{_OFFICE}date-value", "")[:19]))
    if kind == "boolean":
        return Typed("yes" if cell.get(f"{_OFFICE}boolean-value") == "true" else "no")
    return shown


def _shown_number(value: float, shown: str, *, percent: bool) -> str:
    """Return a number with the decimals of the text that shows it."""
    decimals = re.search(r"[.,]([0-9]+)[^0-9.,]*$", shown)
    format = f"0.{'0' * len(decimals[1])}" if decimals else "General"
    read = number(value, format + "%" * percent)
    digits = [re.sub("[^0-9]", "", text) for text in (read, shown)]
    return read if digits[0] == digits[1] else number(value, "General" + "%" * percent)
