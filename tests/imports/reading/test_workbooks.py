"""Workbooks, XLSX and ODS, are read by the types of their cells."""

from __future__ import annotations

import hashlib
import io
import re
import zipfile
from datetime import date, datetime
from typing import Any
from xml.sax.saxutils import escape

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from openpyxl import Workbook

from salescli.errors import BadData, BadUsage
from salescli.imports import orders as order_import
from salescli.imports.reading import tables, workbooks
from salescli.imports.reading.conventions import AMOUNT, DATE
from salescli.imports.reading.options import ReadingOptions
from salescli.imports.reading.tables import Expected
from salescli.imports.run import ImportRequest
from tests.conftest import House
from tests.importing import contents

EXPECTED = Expected(("name", "price", "at", "note"), ("name",), {"price": AMOUNT, "at": DATE})
HEADER = ["Name", "Price", "At", "Note"]


def xlsx(*rows: list[Any], formats: dict[str, str] | None = None, title: str = "Orders", second: str = "") -> bytes:
    book = Workbook()
    sheet = book.active
    sheet.title = title
    for row in rows:
        sheet.append(row)
    for cell, format in (formats or {}).items():
        sheet[cell].number_format = format
    if second:
        book.create_sheet(second).append(["Name"])
        book[second].append(["Second"])
    out = io.BytesIO()
    book.save(out)
    return out.getvalue()


def ods_cell(value: Any, shown: str = "", times: int = 1) -> str:
    repeated = f' table:number-columns-repeated="{times}"' if times > 1 else ""
    if value is None:
        return f"<table:table-cell{repeated}/>"
    if isinstance(value, bool):
        kind = f'office:value-type="boolean" office:boolean-value="{str(value).lower()}"'
    elif isinstance(value, (int, float)):
        kind = f'office:value-type="float" office:value="{value!r}"'
    elif isinstance(value, date):
        kind = f'office:value-type="date" office:date-value="{value.isoformat()}"'
    else:
        kind = 'office:value-type="string"'
    text = escape(shown or str(value)).replace("\n", "</text:p><text:p>")
    return f"<table:table-cell {kind}{repeated}><text:p>{text}</text:p></table:table-cell>"


def ods(*rows: list[str], tables: tuple[str, ...] = ("Orders",)) -> bytes:
    names = "".join(
        f' xmlns:{name}="urn:oasis:names:tc:opendocument:xmlns:{name}:1.0"' for name in ("office", "table", "text")
    )
    body = "".join(f"<table:table-row>{''.join(row)}</table:table-row>" for row in rows)
    blank = '<table:table-row table:number-rows-repeated="1048570"><table:table-cell/></table:table-row>'
    sheets = "".join(f'<table:table table:name="{name}">{body}{blank}</table:table>' for name in tables)
    content = f"<office:document-content{names}><office:body>{sheets}</office:body></office:document-content>"
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        archive.writestr("content.xml", content)
    return out.getvalue()


def read(content: bytes, **options: object) -> list[dict[str, str]]:
    reading = ReadingOptions(**options)  # type: ignore[arg-type]
    with tables.opened(io.BytesIO(content), EXPECTED, reading, lambda words: None) as table:
        rows = list(table)
    assert not [str(problem) for row in rows for problem in row.problems]
    return [row.values for row in rows]


def test_cells_are_read_by_their_types() -> None:
    rows: list[list[Any]] = [
        HEADER,
        ["Їжак", 0.1 + 0.2, datetime(2026, 3, 1, 10, 30), "a\nb"],
        ["Ann", 5, date(2026, 3, 4), True],
    ]
    expected = [
        {"name": "Їжак", "price": "0.30", "at": "2026-03-01 10:30:00", "note": "a\nb"},
        {"name": "Ann", "price": "5", "at": "2026-03-04", "note": "yes"},
    ]
    assert read(xlsx(*rows, formats={"B2": "#,##0.00"})) == expected
    cells = [[ods_cell(cell) for cell in row] for row in rows]
    cells[1][1] = ods_cell(0.1 + 0.2, "0,30")
    assert read(ods(*cells)) == expected


@pytest.mark.parametrize(
    ("value", "format", "text"),
    [
        (1234.5, "0.00", "1234.50"),
        (0.1 + 0.2, "General", "0.3"),
        (12.345678, '#,##0.00 "грн."', "12.35"),
        (12.345, "[$€-2] #,##0.00;[Red]-#,##0.00", "12.35"),
        (1234.56, "#,##0", "1234.56"),
        (0.029, "0.0%", "2.9%"),
        (1e15, "General", "1000000000000000"),
        (-5.0, "0.00", "-5.00"),
        (380441234567, "General", "380441234567"),
    ],
)
def test_numbers_have_the_decimals_that_are_shown(value: float, format: str, text: str) -> None:
    assert workbooks.number(value, format) == text


def test_texts_have_the_convention_of_their_column_and_typed_cells_their_own() -> None:
    content = xlsx(HEADER, ["A", "1.234,50", "31.12.2026"], ["B", 7.5, date(2026, 3, 4)])
    assert [(row["price"], row["at"]) for row in read(content)] == [("1234.50", "2026-12-31"), ("7.5", "2026-03-04")]
    assert read(content, decimal="comma", dates="dmy")[1]["price"] == "7.5"
    with pytest.raises(BadData, match="line 2, price: '1,234' may be 1234 or"):
        read(xlsx(HEADER, ["A", "1,234"], ["B", 7.5]))


def test_rows_are_numbered_as_in_the_sheet_and_the_header_is_found() -> None:
    content = xlsx(["Report"], [], ["Line one\nline two"], HEADER, [], ["A", "x y z"])
    told: list[str] = []
    with tables.opened(io.BytesIO(content), EXPECTED, ReadingOptions(), told.append) as table:
        [row] = table
    assert row.line == 6
    assert told == ["the header is on line 4, below 3 other lines"]
    assert table.sha256 == hashlib.sha256(content).hexdigest()


def test_a_sheet_is_chosen_by_its_name() -> None:
    content = xlsx(HEADER, ["First"], second="Other")
    assert read(content) == [{"name": "First"}]
    assert read(content, sheet="Other") == [{"name": "Second"}]
    with pytest.raises(BadData, match="there is no sheet 'Third'; the sheets are 'Orders', 'Other'"):
        read(content, sheet="Third")
    header = [ods_cell(name) for name in HEADER]
    assert read(ods(header, [ods_cell("A")], tables=("One", "Two")), sheet="Two") == [{"name": "A"}]
    with pytest.raises(BadUsage, match="--sheet names a sheet of a workbook"):
        read(b"name\nA\n", sheet="One")


def test_repeated_cells_and_blank_ones_are_counted() -> None:
    row = [ods_cell("A"), ods_cell(None, times=2), ods_cell("x"), ods_cell(None, times=16_000)]
    assert read(ods([ods_cell(name) for name in HEADER], [ods_cell(None, times=16_384)], row)) == [
        {"name": "A", "note": "x"}
    ]


@pytest.mark.parametrize(
    ("content", "said"),
    [
        pytest.param(b"PK\x03\x04junk", "the workbook cannot be read", id="it is damaged"),
        pytest.param(xlsx(HEADER)[:900], "the workbook cannot be read", id="it is cut"),
        pytest.param(workbooks.OLD_EXCEL + b"x", "save it as .xlsx", id="it is of an old Excel"),
        pytest.param(xlsx(), "the file is empty", id="it is empty"),
    ],
)
def test_a_file_is_refused_when(content: bytes, said: str) -> None:
    with pytest.raises(BadData, match=said):
        read(content)


def test_an_archive_that_is_no_workbook_is_refused() -> None:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        archive.writestr("orders.csv", "name\nA\n")
    with pytest.raises(BadData, match="a ZIP archive, but no workbook"):
        read(out.getvalue())


CELL = st.one_of(
    st.none(), st.booleans(), st.integers(-(10**12), 10**12), st.floats(allow_nan=False, allow_infinity=False),
    st.datetimes(datetime(1900, 3, 1), datetime(2200, 1, 1)),
    st.text(st.characters(min_codepoint=32, exclude_categories=["Cs", "Cc"]), max_size=10),
    st.sampled_from(["1,234", "31.12.2025", "EUR", "Total", "=1+1", "#N/A"]),
)  # fmt: skip


@given(st.lists(st.lists(CELL, max_size=9), max_size=4))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60, deadline=None)
def test_no_cells_break_the_import_and_a_refused_workbook_writes_nothing(house: House, rows: list[list[Any]]) -> None:
    header = ["order", "created_at", "status", "customer", "offer", "price", "currency"]
    before = contents(house)
    with pytest.raises(BadData):
        order_import.import_orders(house.work, ImportRequest(io.BytesIO(xlsx(header, *rows, ["x"] * 7))))
    assert contents(house) == before


# Formulas


def with_cell(content: bytes, place: bytes, cell: bytes) -> bytes:
    """Return a workbook with the XML of a cell replaced."""
    out = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(content)) as old, zipfile.ZipFile(out, "w") as new:
        for name in old.namelist():
            found = rb'<c r="' + place + rb'".*?</c>'
            new.writestr(name, re.sub(found, cell, old.read(name)) if "sheet1" in name else old.read(name))
    return out.getvalue()


CALCULATED = xlsx(HEADER, ["Ann", "=1+1"])


def test_a_formula_without_its_value_is_refused_and_not_read_as_blank() -> None:
    with pytest.raises(BadData, match="the cell B2 has a formula, and the file does not hold what it comes to"):
        read(CALCULATED)
    formula = '<table:table-cell table:formula="of:=1+1"/>'
    with pytest.raises(BadData, match="a cell has a formula, and the file does not hold what it comes to"):
        read(ods([ods_cell(name) for name in HEADER], [ods_cell("Ann"), formula]))


@pytest.mark.parametrize(
    ("cell", "text"),
    [
        pytest.param(b'<c r="B2"><f>1+1</f><v>2</v></c>', "2", id="a number"),
        pytest.param(b'<c r="B2" t="str"><f>IF(1,"",2)</f><v></v></c>', "", id="no text"),
    ],
)
def test_a_formula_is_read_as_what_it_comes_to(cell: bytes, text: str) -> None:
    assert read(with_cell(CALCULATED, b"B2", cell))[0].get("price", "") == text
