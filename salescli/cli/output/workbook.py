"""Workbooks for spreadsheet programs; the only place that knows XlsxWriter.

``writing(stream)`` -> ``Book.cover`` | ``Book.sheet`` for each breakdown or list | ``Book.charts`` -> the file

Numbers, amounts and times become numbers and times of the spreadsheet, everything else is text: the file has
no formulas. Rows are written as they come, so that memory stays flat.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date, datetime
from tempfile import TemporaryDirectory
from typing import Any, BinaryIO
from zoneinfo import ZoneInfo

from salescli.cli.output.chart import Bars
from salescli.cli.output.contract import RIGHT, Row, as_text, day_text
from salescli.cli.output.report_cover import Fact, Table
from salescli.cli.output.stacks import Stacks
from salescli.cli.output.terminal import say, width
from salescli.errors import BadData, SalesError
from salescli.lists.columns import Column
from salescli.rules import money, time

try:
    from xlsxwriter import Workbook
    from xlsxwriter.exceptions import FileCreateError
    from xlsxwriter.worksheet import Worksheet
except ImportError:
    raise SalesError('--xlsx needs its package: pip install "salescli[xlsx]"') from None

ROWS_MAX = 2**20 - 1  # what the format holds, less the line of column names
EXACT_BELOW = 10**15  # minor units: spreadsheets keep 15 digits of a number
_WIDTHS = range(9, 61)  # characters of a column
_NAME_MAX = 31
_A4 = 9
_PAGE_ROWS = 44  # of the charts' sheet, printed at
_PAGE_SCALE = 70  # %
_TIME = "yyyy-mm-dd hh:mm:ss"
_COLOURS = {"gross": "#B4C7DC", "net": "#2A6099"}
_STACKED = ("#2A6099", "#C26D12", "#2F8557", "#8A559F", "#B3403E", "#20808F", "#74818D")  # as on pages
_STACKED_ROWS = 18
_DATE = "yyyy-mm-dd"
_ROW_PIXELS = 20

# Stays text when a person edits the cell: a name that begins with = stays a name.
_TEXT = {"num_format": "@", "indent": 1}
_LEFT = {"align": "left", "indent": 1}
_HEADER = {"bold": True, "bottom": 1, "bg_color": "#E7EDF3"}
_BUTTON = 2  # characters that a filter's button takes from a column's name
_TITLE = {"bold": True, "font_size": 16}
_SUBTITLE = {"bold": True}

_READ_AS_ESCAPE = re.compile("_(?=x[0-9a-fA-F]{4}_)")  # looks ahead: two may share an underscore
_ESCAPED = re.compile("[\x00-\x08\x0b-\x1f\ufffe\uffff]")

Widths = Counter[int]  # the place of a column -> the cells of its widest text


class _Sheet(Worksheet):  # type: ignore[misc]
    """A sheet that keeps every text as it is; XlsxWriter's own changes two kinds."""

    @staticmethod
    def _escape_control_characters(data: str) -> str:
        return _ESCAPED.sub(_escape, _READ_AS_ESCAPE.sub(_escape, data))

    def _xml_rich_inline_string(self, string: str, attributes: Any) -> None:
        self._xml_inline_string(string, False, attributes)  # a name in <r></r> is not taken for XML


def _escape(match: re.Match[str]) -> str:
    return f"_x{ord(match[0]):04X}_"


@contextmanager
def writing(stream: BinaryIO, zone: ZoneInfo, title: str) -> Iterator[Book]:
    """Yield a workbook to fill; it is written to ``stream`` in the end, its drafts lie in a private folder."""
    sink = _Sink(stream)
    with TemporaryDirectory(prefix="salescli-") as drafts:
        workbook = Workbook(sink, {"constant_memory": True, "tmpdir": drafts})
        book = Book(workbook, zone, title)
        try:
            yield book
            workbook.close()
        except FileCreateError as error:
            raise error.args[0] from None  # the OSError: a full disk, a closed pipe
        finally:
            sink.ended = True
            for sheet in workbook.worksheets():
                if sheet.row_data_fh and not sheet.row_data_fh.closed:  # a draft of rows, when something failed
                    sheet.row_data_fh.close()
    if book.rounded:
        say(f"{book.rounded} amounts have more than 15 digits, which a spreadsheet rounds; --csv has them whole")


class _Sink:
    """A stream that can be ended: after a failure zipfile writes once more when it is deleted, and fails loudly."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
        self.ended = False

    def write(self, data: bytes) -> int:
        """Write, or do nothing once the stream is ended."""
        return len(data) if self.ended else self._stream.write(data)

    def flush(self) -> None:
        """Do nothing: whoever opened the stream closes it."""


def check_rows(number: int) -> None:
    """Raise BadData if there are more rows than a sheet holds."""
    if number > ROWS_MAX:
        raise BadData(
            f"a sheet holds {ROWS_MAX} rows, and these are more; narrow them by filters, or write --csv -o FILE"
        )


def sheet_name(words: str) -> str:
    """Return words as a sheet name that spreadsheet programs accept."""
    legal = re.sub(r"[\[\]:*?/\\]", "-", words)[:_NAME_MAX].strip("'") or "rows"
    return f"the {legal}" if legal.lower() == "history" else legal  # Excel keeps that one for itself


@dataclass(slots=True)
class Book:
    """A workbook being written."""

    workbook: Any
    zone: ZoneInfo
    title: str
    rounded: int = 0  # amounts of more digits than a spreadsheet keeps
    _formats: dict[str, Any] = field(default_factory=dict)

    def cover(self, facts: Sequence[Fact], tables: Sequence[Table]) -> None:
        """Add the first sheet: what this is, and tables one below the other."""
        sheet = self._added("cover")
        sheet.hide_gridlines(2)
        sheet.write_string(0, 0, self.title, self._format("title", _TITLE))
        for at, (name, value) in enumerate(facts, 2):
            sheet.write_string(at, 0, name)
            self._write_fact(sheet, at, value)
        at, widths = len(facts) + 3, Widths({1: len(_TIME)})
        for table in tables:
            sheet.write_string(at, 0, table.title, self._format("subtitle", _SUBTITLE))
            at = self._table(sheet, at + 1, table.columns, table.rows, widths=widths) + 1
        _set_widths(sheet, widths)

    def sheet(self, name: str, columns: Sequence[Column], rows: Iterable[Row]) -> int:
        """Add a sheet of rows under their column names, ready to filter and to print, and return how many there are."""
        sheet = self._added(name)
        widths = Widths()
        end = self._table(sheet, 0, columns, rows, widths=widths, indent=_BUTTON)
        sheet.freeze_panes(1, 0)
        sheet.repeat_rows(0)
        if columns:
            sheet.autofilter(0, 0, end - 1, len(columns) - 1)
        _set_widths(sheet, widths)
        return end - 1

    def charts(self, drawn: Mapping[str, Sequence[Bars | Stacks]]) -> None:
        """Add a sheet with a chart for each breakdown and currency, beside the numbers that it shows.

        The charts do not look at the breakdowns' own sheets: sorting those would mix currencies on one axis.
        """
        if not any(drawn.values()):
            return
        sheet = self._added("charts")
        sheet.set_print_scale(_PAGE_SCALE)
        at, widths, pages = 0, Widths(), [0]
        for name, blocks in drawn.items():
            for bars in blocks:
                height = max(_chart_rows(bars), len(bars.rows) + 2) + 1
                if at + height > pages[-1] + _PAGE_ROWS:  # no chart is cut by the edge of a page
                    pages.append(at)
                self._drawn(sheet, name, bars, at, widths)
                at += height
        sheet.set_h_pagebreaks(pages[1:])
        _set_widths(sheet, widths)

    def _drawn(self, sheet: Any, name: str, bars: Bars | Stacks, at: int, widths: Widths) -> None:
        """Write what a chart shows and put the chart beside it."""
        sheet.write_string(at, 0, f"{name}, {bars.label}", self._format("subtitle", _SUBTITLE))
        self._table(sheet, at + 1, bars.columns, bars.rows, widths=widths)
        sheet.insert_chart(
            at,
            len(bars.columns) + 1,
            self._stacked(name, bars, at + 2) if isinstance(bars, Stacks) else self._chart(name, bars, at + 2),
        )

    def _chart(self, name: str, bars: Bars, first: int) -> Any:
        chart = self.workbook.add_chart({"type": "bar"})
        last = first + len(bars.rows) - 1
        for at, column in enumerate(bars.columns[1:], 1):
            values = [_amount(row[column.key], bars.currency) for row in bars.rows]
            chart.add_series(
                {
                    "name": column.key,
                    "fill": {"color": _COLOURS[column.key]},
                    "categories": ["charts", first, 0, last, 0],
                    "values": ["charts", first, at, last, at],
                    # for programs that show a file without computing it
                    "categories_data": [row[bars.columns[0].key] for row in bars.rows],
                    "values_data": values,
                }
            )
        chart.set_title({"name": f"{name}, {bars.label}", "name_font": {"size": 12}})
        chart.set_y_axis({"reverse": True, "label_position": "low"})  # the first row on top
        lowest = {} if any(row["net"] < 0 for row in bars.rows) else {"min": 0}
        chart.set_x_axis({"num_format": "#,##0", "label_position": "high", **lowest})  # the top is its high end now
        chart.set_legend({"position": "bottom"})
        chart.set_size({"width": 640, "height": _chart_rows(bars) * _ROW_PIXELS - _ROW_PIXELS // 2})
        return chart

    def _stacked(self, name: str, stacks: Stacks, first: int) -> Any:
        """Return a chart with a column for each period, stacked from the first group up."""
        chart = self.workbook.add_chart({"type": "column", "subtype": "stacked"})
        last = first + len(stacks.periods) - 1
        for at, one in enumerate(stacks.series, 1):
            chart.add_series(
                {
                    "name": ["charts", first - 1, at],
                    "fill": {"color": _STACKED[(at - 1) % len(_STACKED)]},
                    "gap": 40,
                    "categories": ["charts", first, 0, last, 0],
                    "values": ["charts", first, at, last, at],
                    # for programs that show a file without computing it
                    "name_data": [one.name],
                    "categories_data": list(stacks.periods),
                    "values_data": [_amount(amount, stacks.currency) for amount in one.amounts],
                }
            )
        chart.set_title({"name": f"{name}, {stacks.label}", "name_font": {"size": 12}})
        chart.set_x_axis({"label_position": "low", "text_axis": True})
        chart.set_y_axis({"num_format": "#,##0"})
        chart.set_legend({"none": True} if len(stacks.series) == 1 else {"position": "right"})  # in the stack's order
        chart.set_size({"width": 860, "height": _chart_rows(stacks) * _ROW_PIXELS - _ROW_PIXELS // 2})
        return chart

    def _added(self, name: str) -> Any:
        """Add a sheet that prints well: landscape, as wide as the page, its title and page number on each."""
        sheet = self.workbook.add_worksheet(sheet_name(name), worksheet_class=_Sheet)
        sheet.set_landscape()
        sheet.set_paper(_A4)
        sheet.fit_to_pages(1, 0)
        sheet.set_header(f"&L{self.title.replace('&', '&&')}&R&A")
        sheet.set_footer("&R&P / &N")
        return sheet

    def _table(
        self,
        sheet: Any,
        at: int,
        columns: Sequence[Column],
        rows: Iterable[Row],
        *,
        widths: Widths,
        indent: int = 0,
    ) -> int:
        """Write column names and rows from a line on, widen ``widths`` to what they take, return the next free line."""
        for place, column in enumerate(columns):
            sheet.write_string(at, place, column.key, self._header(column, indent))
            widths[place] = max(widths[place], len(column.key) + indent)
        writers = [self._writer(sheet, place, column) for place, column in enumerate(columns)]
        for row in rows:
            at += 1
            check_rows(at)
            for place, write in enumerate(writers):
                widths[place] = max(widths[place], write(at, row))
        return at + 1

    def _header(self, column: Column, indent: int) -> Any:
        """Return the format of a column's name: above numbers it is aligned as they are."""
        if column.kind not in RIGHT:
            return self._format("header", {**_HEADER, "indent": 1})
        return self._format(f"header {indent}", {**_HEADER, "align": "right", "indent": indent})

    def _writer(self, sheet: Any, place: int, column: Column) -> Callable[[int, Row], int]:
        """Return a function that writes a column's value in a line and returns its width."""
        write = {
            "money": self._write_money,
            "number": self._write_number,
            "count": self._write_number,
            "percent": self._write_percent,
            "time": self._write_time,
            "day": self._write_day,
        }.get(column.kind, self._write_text)

        def written(at: int, row: Row) -> int:
            if row[column.key] in (None, ""):  # an unknown value is empty, never 0
                return 0
            return write(sheet, at, place, column, row)

        return written

    def _write_money(self, sheet: Any, at: int, place: int, column: Column, row: Row) -> int:
        minor, currency = row[column.key], row[column.currency]
        self.rounded += abs(minor) >= EXACT_BELOW
        sheet.write_number(at, place, _amount(minor, currency), self._money_format(currency))
        digits = len(money.text(minor, currency))
        return digits + digits // 3 + len(currency)

    def _write_number(self, sheet: Any, at: int, place: int, column: Column, row: Row) -> int:
        sheet.write_number(at, place, row[column.key])
        return len(str(row[column.key]))

    def _write_percent(self, sheet: Any, at: int, place: int, column: Column, row: Row) -> int:
        sheet.write_number(at, place, row[column.key] / money.PPM, self._format("percent", {"num_format": "0.00%"}))
        return len("100.00%")

    def _write_time(self, sheet: Any, at: int, place: int, column: Column, row: Row) -> int:
        moment = time.from_stored(row[column.key]).astimezone(self.zone)
        sheet.write_datetime(
            at, place, moment.replace(tzinfo=None), self._format(_TIME, {"num_format": _TIME, **_LEFT})
        )
        return len(_TIME)

    def _write_day(self, sheet: Any, at: int, place: int, column: Column, row: Row) -> int:
        day = date.fromisoformat(day_text(row[column.key]))
        sheet.write_datetime(at, place, day, self._format(_DATE, {"num_format": _DATE, **_LEFT}))
        return len(_DATE)

    def _write_text(self, sheet: Any, at: int, place: int, column: Column, row: Row) -> int:
        text = as_text(column, row, self.zone)
        if sheet.write_string(at, place, text, self._format("text", _TEXT)):
            raise BadData(
                f"{column.key} in line {at + 1} is longer than a cell holds; leave it out by --columns, or write --csv"
            )
        return width(text)

    def _write_fact(self, sheet: Any, at: int, value: str | date) -> None:
        if isinstance(value, str):
            sheet.write_string(at, 1, value, self._format("text", _TEXT))
            return
        shown = _TIME if isinstance(value, datetime) else _DATE
        sheet.write_datetime(at, 1, value, self._format(shown, {"num_format": shown, **_LEFT}))

    def _money_format(self, currency: str) -> Any:
        """Return the format of a currency: its decimals, its code in each cell, red below zero."""
        decimals = money.EXPONENTS[currency]
        shown = f"#,##0{'.' + '0' * decimals if decimals else ''} [${currency}]"
        return self._format(currency, {"num_format": f"{shown};[Red]-{shown}"})

    def _format(self, name: str, properties: Mapping[str, Any]) -> Any:
        if name not in self._formats:
            self._formats[name] = self.workbook.add_format(properties)
        return self._formats[name]


def _amount(minor: int, currency: str) -> float:
    """Return the number a spreadsheet keeps: the nearest to the amount, exact to 15 digits."""
    number: float = minor / 10 ** money.EXPONENTS[currency]
    return number


def _chart_rows(bars: Bars | Stacks) -> int:
    """Return how many rows of the sheet a chart is high: fewer for each of many bars, so that it fits a page."""
    if isinstance(bars, Stacks):
        return _STACKED_ROWS
    number = max(len(bars.rows), 2)
    return 6 + min(2 * number, number + 6)


def _set_widths(sheet: Any, widths: Widths) -> None:
    for place, size in widths.items():
        sheet.set_column(place, place, min(max(size + 1, _WIDTHS[0]), _WIDTHS[-1]))
