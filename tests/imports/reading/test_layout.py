"""Files in other encodings, with other delimiters, line ends and lines above the header come in as they are."""

from __future__ import annotations

import contextlib
import io

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from salescli.errors import BadData, BadUsage
from salescli.imports import orders as order_import
from salescli.imports.reading import layout, tables
from salescli.imports.reading.options import ReadingOptions
from salescli.imports.reading.tables import Expected
from salescli.imports.run import ImportRequest, Reporting
from salescli.reconcile import statement
from tests.conftest import KYIV, House
from tests.importing import contents

EXPECTED = Expected(("name", "price", "note", "created_at"), ("name",), {})
TEXT = "name,price,note\nЇжак Тест,49.00,Курс «Малюнок»\nОлена Петренко,1,кава\n"
VALUES = [
    {"name": "Їжак Тест", "price": "49.00", "note": "Курс «Малюнок»"},
    {"name": "Олена Петренко", "price": "1", "note": "кава"},
]


def read(content: bytes, **options: object) -> tuple[list[dict[str, str]], str]:
    """Return the values of the rows of a file, and how it was said to be read."""
    told: list[str] = []
    reading = ReadingOptions(**options)  # type: ignore[arg-type]
    with tables.opened(io.BytesIO(content), EXPECTED, reading, told.append) as table:
        rows = list(table)
    assert not [problem for row in rows for problem in row.problems]
    return [row.values for row in rows], "; ".join(told)


def with_delimiter(delimiter: str) -> bytes:
    return TEXT.replace(",", delimiter).encode()


@pytest.mark.parametrize(
    ("content", "told"),
    [
        pytest.param(TEXT.encode(), "", id="it is UTF-8"),
        pytest.param(TEXT.encode("utf-8-sig"), "", id="it is UTF-8 with a mark"),
        pytest.param(TEXT.encode("utf-16"), "", id="it is UTF-16 with a mark"),
        pytest.param(b"\xfe\xff" + TEXT.encode("utf-16-be"), "", id="it is big-endian UTF-16 with a mark"),
        pytest.param(TEXT.encode("utf-16-le"), "read as utf-16-le", id="it is UTF-16 without a mark"),
        pytest.param(TEXT.encode("cp1251"), "read as cp1251", id="it is cp1251"),
        pytest.param(with_delimiter(";"), "columns separated by semicolons", id="semicolons separate the columns"),
        pytest.param(with_delimiter("\t"), "columns separated by tabs", id="tabs separate the columns"),
        pytest.param(with_delimiter("|"), "columns separated by |", id="bars separate the columns"),
        pytest.param(TEXT.replace("\n", "\r\n").encode(), "", id="lines end with CRLF"),
        pytest.param(TEXT.replace("\n", "\r").encode(), "", id="lines end with CR"),
        pytest.param(TEXT.replace("\n", "\r").encode("cp1251"), "read as cp1251", id="lines end with CR, in cp1251"),
        pytest.param(b"\n\n" + TEXT.encode(), "the header is on line 3", id="blank lines are above the header"),
        pytest.param(
            b'"Report, all"\nname\n\n' + TEXT.encode(), "the header is on line 4, below 3 other", id="a title is above"
        ),
        pytest.param(
            b"sep=;\n" + with_delimiter(";"),
            "columns separated by semicolons; the header is on line 2, below 1 other line",
            id="its first line names the delimiter",
        ),
    ],
)  # fmt: skip
def test_a_file_is_read_when(content: bytes, told: str) -> None:
    values, said = read(content)
    assert values == VALUES
    assert said.startswith(told)
    assert bool(said) == bool(told)


@pytest.mark.parametrize(
    ("content", "options"),
    [
        pytest.param(TEXT.encode("cp1251"), {"encoding": "windows-1251"}, id="the encoding"),
        pytest.param(TEXT.encode("utf-16-le"), {"encoding": "utf-16-le"}, id="UTF-16 without a mark"),
        pytest.param(with_delimiter("\x1f"), {"delimiter": "\x1f"}, id="a rare delimiter"),
        pytest.param(b"name,price\n" + TEXT.encode(), {"skip_lines": 1}, id="lines that look like a header"),
    ],
)
def test_what_is_stated_wins_and_is_not_told(content: bytes, options: dict[str, object]) -> None:
    assert read(content, **options) == (VALUES, "")


def test_a_row_that_holds_the_name_of_a_column_is_no_header() -> None:
    with pytest.raises(BadData, match="line 1: unknown columns 'who', 'sum'"):
        read(b"who,sum\nname,5\nBob,6\n")


def test_names_that_end_in_a_delimiter_have_no_further_column() -> None:
    assert read(b"name,price,\nAnn,5,\nBob,6\n")[0] == [{"name": "Ann", "price": "5"}, {"name": "Bob", "price": "6"}]


def test_a_value_in_a_column_without_name_is_named() -> None:
    with tables.opened(io.BytesIO(b"name,price,\nAnn,5,x\n"), EXPECTED, ReadingOptions(), print) as table:
        [row] = table
    assert "the row has 3 values, the header names 2 columns; the first one too many is 'x'" in str(row.problems[0])


def test_lines_are_numbered_as_in_the_file() -> None:
    with tables.opened(
        io.BytesIO(b"Title\n\nname,price\nAnn\n"), EXPECTED, ReadingOptions(), lambda words: None
    ) as table:
        [row] = table
    assert row.line == 4
    with pytest.raises(BadData, match="line 2: duplicate column name"):
        read(b"\nname,name,price\n")


def test_a_few_damaged_bytes_leave_a_file_utf_8() -> None:
    content = "name,note\nЇжак,кава\nAnn,\udcff\n".encode("utf-8", "surrogateescape")
    with tables.opened(io.BytesIO(content), EXPECTED, ReadingOptions(), print) as table:
        good, bad = table
    assert good.values["name"] == "Їжак"
    assert "is not UTF-8 (byte 0xFF)" in str(bad.problems[0])


def test_a_byte_that_the_encoding_lacks_is_named() -> None:
    options = ReadingOptions(encoding="cp1251")
    with tables.opened(io.BytesIO(b"name,note\nAnn,\x98\n"), EXPECTED, options, print) as table:
        [bad] = table
    assert "is not cp1251 (byte 0x98)" in str(bad.problems[0])


def test_too_little_to_tell_an_encoding_is_refused_with_its_readings() -> None:
    with pytest.raises(BadData, match="--encoding cp1251 reads 'Олена', --encoding cp1253 reads 'Ξλενΰ'"):
        read("name,note\nОлена,Курс\n".encode("cp1251"))


def test_cyrillic_is_not_taken_for_latin_with_an_accent_on_each_letter() -> None:
    text = "1;05.01.2026;Олена;Чай;1\u00a0234,50\n2;25.01.2026;Иван;Чай;12,00\nИтого;;;;1246,50\n"
    with pytest.raises(BadData, match="--encoding cp1251 reads 'Олена'"):
        read(f"name;at;note;note2;price\n{text}".encode("cp1251"))


@pytest.mark.parametrize("name", ["klingon", "unicode_escape", "hex", "undefined", "\0", ""])
def test_an_unknown_encoding_is_refused(name: str) -> None:
    with pytest.raises(BadUsage, match="is not an encoding known here"):
        read(TEXT.encode(), encoding=name)


@pytest.mark.parametrize("word", ["", "::", "a", '"', "\n", "Ї"])
def test_what_cannot_separate_columns_is_refused(word: str) -> None:
    with pytest.raises(BadUsage, match="cannot separate columns"):
        layout.delimiter(word)


def test_orders_and_statements_are_read_so(house: House) -> None:
    told: list[str] = []
    content = "order;created_at;status;customer;offer;price;currency\n1;2026-02-02;completed;Їжак Тест;Курс;5;EUR\n"
    request = ImportRequest(io.BytesIO(content.encode("utf-16")), reporting=Reporting(on_told=told.append))
    order_import.import_orders(house.work, request)
    assert house.connection.execute("SELECT name FROM customers").fetchone()[0] == "Їжак Тест"
    [line] = statement.read(
        io.BytesIO(b"Bank\n\ngateway_id\tamount\tcurrency\nx\t5\tEUR\n"), zone=KYIV, on_told=told.append
    )
    assert line.amount_minor == 500
    assert told == [
        "columns separated by semicolons",
        "columns separated by tabs; the header is on line 3, below 2 other lines",
    ]


@given(
    st.binary(max_size=300),
    st.sampled_from([None, "cp1251", "utf-16", "utf-16-le", "utf-7", "gb18030"]),
)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=150, deadline=None)
def test_no_bytes_break_the_reading_and_nothing_is_written(house: House, content: bytes, encoding: str | None) -> None:
    before = contents(house)
    options = ReadingOptions(encoding=encoding)
    for start in (b"", b"order,created_at,status,customer,offer,price,currency\n"):
        request = ImportRequest(io.BytesIO(start + content), reading=options)
        with contextlib.suppress(BadData):
            order_import.import_orders(house.work, request)
    assert contents(house) == before
