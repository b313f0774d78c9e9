"""Amounts and dates in the conventions of other programs: read the same, or refused with what to say."""

from __future__ import annotations

import csv
import io
from datetime import date
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from salescli.errors import BadData
from salescli.imports import order_row
from salescli.imports import orders as order_import
from salescli.imports.reading import tables
from salescli.imports.reading.conventions import AMOUNT, DATE, NUMBER, UnclearColumns
from salescli.imports.reading.options import ReadingOptions
from salescli.imports.reading.tables import Expected
from salescli.imports.run import ImportRequest, Reporting
from salescli.rules import money
from tests.conftest import House
from tests.importing import contents

EXPECTED = Expected(
    ("name", "price", "at", "rate", "currency"), ("name", "currency"), {"price": AMOUNT, "at": DATE, "rate": NUMBER}
)


def file_of(column: str, *cells: str, currency: str = "EUR") -> bytes:
    out = io.StringIO(newline="")
    csv.writer(out).writerows([["name", column, "currency"], *(["A", cell, currency] for cell in cells)])
    return out.getvalue().encode()


def read(content: bytes, **options: object) -> tuple[list[str], str, list[str]]:
    """Return the second cell of each good row in our own form, what was told, and the problems."""
    told: list[str] = []
    with tables.opened(io.BytesIO(content), EXPECTED, ReadingOptions(**options), told.append) as table:  # type: ignore[arg-type]
        rows = list(table)
    problems = [str(problem) for row in rows for problem in row.problems]
    return [row.cells[1] for row in rows if not row.problems], "; ".join(told), problems


@pytest.mark.parametrize(
    ("cells", "plain"),
    [
        pytest.param(["1234.50", "5"], ["1234.50", "5"], id="our own"),
        pytest.param(["1,234.50", "1,234"], ["1234.50", "1234"], id="commas between thousands"),
        pytest.param(["1.234,50", "1.234"], ["1234.50", "1234"], id="points between thousands"),
        pytest.param(["1 234,50", "7,5"], ["1234.50", "7.5"], id="a space"),
        pytest.param(["1\u00a0234,50", "1\u202f234\u202f567,00"], ["1234.50", "1234567.00"], id="other spaces"),
        pytest.param(["1'234.50", "1’234"], ["1234.50", "1234"], id="apostrophes"),
        pytest.param(["12,34,567.00"], ["1234567.00"], id="Indian groups"),
        pytest.param(["1.234.567"], ["1234567"], id="two groups are no decimals"),
        pytest.param(["-5.00", "(5.00)", "5.00-", "−5.00"], ["-5.00"] * 4, id="every minus"),
        pytest.param(["€ 5,00", "5,00 EUR", "€-5,00", "5,00€"], ["5.00", "5.00", "-5.00", "5.00"], id="a currency"),
        pytest.param([".50", ""], ["0.50", ""], id="no whole part"),
    ],
)
def test_amounts_are_read_by_the_convention_of_their_column(cells: list[str], plain: list[str]) -> None:
    found, _, problems = read(file_of("price", *cells))
    assert (found, problems) == (plain, [])


@pytest.mark.parametrize(("cell", "currency"), [("5 грн", "UAH"), ("300 руб.", "RUB"), ("$5", "CAD"), ("Kč 5", "CZK")])
def test_a_sign_of_the_rows_currency_is_read(cell: str, currency: str) -> None:
    assert read(file_of("price", cell, currency=currency))[0] in (["5"], ["300"])


def test_a_sign_of_another_currency_is_refused() -> None:
    [problem] = read(file_of("price", "£5"))[2]
    assert problem == "line 2, price: '£5' names another currency, and the row's currency is EUR"


def test_the_convention_is_told() -> None:
    assert read(file_of("price", "5,00"))[1] == "a decimal comma in price"
    assert read(file_of("price", "€5.50"))[1] == ""  # a point is what everybody expects
    assert read(file_of("at", "31.12.2026"))[1] == "the day first in at"
    assert read(file_of("price", "5.00"))[1] == ""


@pytest.mark.parametrize(
    ("column", "cells", "said"),
    [
        ("price", ["1,234", "5"], "line 2, price: '1,234' may be 1234 or 1.234, .* --decimal point for 1234, --dec"),
        ("price", ["5", "1.234"], "line 3, price: '1.234' may be 1.234 or 1234"),
        ("price", ["1,234.50", "1.234,50"], "line 2, price: '1,234.50' has a decimal point, '1.234,50' a decimal"),
        ("rate", ["0.5", "0,5"], "line 2, rate: '0.5' has a decimal point"),
        ("at", ["03/04/2026"], "line 2, at: '03/04/2026' may be 2026-04-03 or 2026-03-04, .* --dates dmy or --d"),
        ("at", ["31/12/2026", "12/31/2026"], "line 2, at: '31/12/2026' has the day first, '12/31/2026' the m"),
    ],
)  # fmt: skip
def test_what_is_not_clear_is_refused_with_what_to_say(column: str, cells: list[str], said: str) -> None:
    with pytest.raises(BadData, match=said):
        read(file_of(column, *cells))


def test_what_is_stated_decides_and_other_rows_are_named() -> None:
    good, told, bad = read(file_of("price", "1,234", "1,234.50", "1.234"), decimal="comma")
    assert (good, told) == (["1.234", "1234"], "")
    assert bad == ["line 3, price: '1,234.50' is not an amount with a decimal comma, as the column has them"]
    good, _, bad = read(file_of("at", "03/04/2026", "31/12/2026"), dates="mdy")
    assert good == ["2026-03-04"]
    assert bad == ["line 3, at: '31/12/2026' is not a date with the month first, as the column has them"]


def test_dinars_are_read_as_our_own_lists_write_them() -> None:
    assert read(file_of("price", "1.234", currency="KWD"))[0] == ["1.234"]


def test_minor_units() -> None:
    good, _, bad = read(file_of("price", "123450", "-5", "1.50"), minor=True)
    assert good == ["1234.50", "-0.05"]
    assert bad == ["line 4, price: '1.50' is not a whole number of minor units, as --minor says"]
    assert read(file_of("price", "1000", currency="JPY"), minor=True)[0] == ["1000"]


@pytest.mark.parametrize(
    ("cell", "iso"),
    [
        ("2026-12-31", "2026-12-31"),
        ("31.12.2026", "2026-12-31"),
        ("31/12/2026 14:05", "2026-12-31 14:05:00"),
        ("12/31/2026 2:05 PM", "2026-12-31 14:05:00"),
        ("12/31/2026 12:00:07 am", "2026-12-31 00:00:07"),
        ("2026/12/31", "2026-12-31"),
        ("Dec 31, 2026", "2026-12-31"),
        ("December 31, 2026 10:00 PST", "2026-12-31 10:00:00 -0800"),
        ("Dec 31, 2026, 2:05:07 PM", "2026-12-31 14:05:07"),
        ("31 Dec 2026", "2026-12-31"),
        ("31-Dec-2026", "2026-12-31"),
        ("Thu, 31 Dec 2026 10:00:00 +0200", "2026-12-31 10:00:00 +0200"),
        ("31 грудня 2026", "2026-12-31"),
        ("31.12.2026 10:00 Europe/Kyiv", "2026-12-31 10:00:00 Europe/Kyiv"),
        ("01.02.2026", "2026-02-01"),
    ],
)
def test_dates_are_read_by_the_convention_of_their_column(cell: str, iso: str) -> None:
    found, _, problems = read(file_of("at", cell, ""))
    assert (found, problems) == ([iso, ""], [])


def test_times_are_in_the_zone_that_is_stated_unless_they_name_one() -> None:
    zone = ZoneInfo("America/New_York")
    found, _, _ = read(file_of("at", "2026-01-02 10:00", "2026-01-02 10:00Z", "2026-01-02 10:00 PST"), zone=zone)
    assert found[0] == "2026-01-02T15:00:00Z"
    assert read(file_of("at (UTC)", "2026-01-02 10:00"), zone=zone)[0] == ["2026-01-02 10:00Z"]


def test_a_total_at_the_end_is_left_out_and_told() -> None:
    content = b"name,price,currency\nA,5.00,EUR\n,,\nTotal (1 row),5.00,\n"
    assert read(content) == (["5.00"], "line 4 is a total and left out", [])
    assert read(b"name,price,currency\nTotal,5.00,EUR\n")[0] == ["5.00"]


def test_a_row_that_is_no_csv_does_not_end_the_survey() -> None:
    content = b'name,price,currency\n"A"x,5.00,EUR\nB,"5,00",EUR\n'
    found, told, problems = read(content)
    assert (found, told) == (["5.00"], "a decimal comma in price")
    assert len(problems) == 1


def test_rejected_rows_are_as_the_file_has_them(house: House, tmp_path: Path) -> None:
    content = 'order;created_at;status;customer;offer;price;currency\n1;31.12.2025;completed;A;B;"1.234,567";EUR\n'
    said: list[str] = []
    request = ImportRequest(
        io.BytesIO(content.encode()), skip_bad=True, rejects_file=tmp_path / "bad.csv",
        reporting=Reporting(on_bad=lambda problem: said.append(str(problem))),
    )  # fmt: skip
    order_import.import_orders(house.work, request)
    assert said == ["line 2, price: '1.234,567': 1234.567 EUR has 3 decimals; EUR has at most 2 decimals"]
    assert '1,31.12.2025,completed,A,B,"1.234,567",EUR' in (tmp_path / "bad.csv").read_text()


GAPS = {"point": (",", "'", " ", "\u00a0", "\u202f", ""), "comma": (".", "'", " ", "\u00a0", "\u202f", "")}
DAYS = {"dmy": "%d/%m/%Y", "dots": "%d.%m.%Y", "mdy": "%m/%d/%Y", "iso": "%Y-%m-%d", "named": "%b %d, %Y"}


@st.composite
def conventions(draw: st.DrawFn) -> tuple[str, str, str, str]:
    decimal = draw(st.sampled_from(["point", "comma"]))
    currency = draw(st.sampled_from(["EUR", "JPY", "KWD", "UAH"]))
    return decimal, draw(st.sampled_from(GAPS[decimal])), currency, draw(st.sampled_from(list(DAYS)))


def written(minor: int, currency: str, decimal: str, gap: str) -> str:
    whole, _, decimals = money.text(minor, currency).partition(".")
    grouped = f"{int(whole):,}".replace(",", gap)
    return f"{grouped}{'.' if decimal == 'point' else ','}{decimals}" if decimals else grouped


@given(
    conventions(),
    st.lists(st.tuples(st.integers(0, 10**9), st.dates(date(2020, 1, 1), date(2025, 12, 31))), min_size=1, max_size=6),
    st.sampled_from([",", ";", "\t", "|"]),
    st.sampled_from(["utf-8", "utf-8-sig", "utf-16"]),
    st.booleans(),
)
@settings(max_examples=150, deadline=None)
def test_orders_in_any_convention_come_back_the_same(
    convention: tuple[str, str, str, str],
    orders: list[tuple[int, date]],
    delimiter: str,
    encoding: str,
    stated: bool,
) -> None:
    decimal, gap, currency, days = convention
    out = io.StringIO(newline="")
    rows = [
        [number, on.strftime(DAYS[days]), "open", "Їжак", "Курс", written(minor, currency, decimal, gap), currency]
        for number, (minor, on) in enumerate(orders)
    ]  # fmt: skip
    header = ["order", "created_at", "status", "customer", "offer", "price", "currency"]
    csv.writer(out, delimiter=delimiter).writerows([header, *rows])
    options = ReadingOptions(decimal=decimal, dates="mdy" if days == "mdy" else "dmy") if stated else ReadingOptions()
    expected = [(minor, on.isoformat()) for minor, on in orders]
    content = out.getvalue().encode(encoding)
    try:
        got = rows_of(content, options)
    except UnclearColumns:  # refused, and never misread
        assert not stated
        return
    assert [(money.parse(price, currency), at) for price, at in got] == expected


def order_expected() -> Expected:
    return Expected(order_row.COLUMNS, order_row.REQUIRED, order_row.KINDS)


def rows_of(content: bytes, options: ReadingOptions) -> list[tuple[str, str]]:
    with tables.opened(io.BytesIO(content), order_expected(), options, lambda words: None) as table:
        rows = list(table)
    assert not any(row.problems for row in rows)
    return [(row.values["price"], row.values["created_at"]) for row in rows]


CELL = st.one_of(
    st.text(max_size=12),
    st.text("0123456789.,-()'€$ \u00a0", max_size=14),
    st.text("0123456789./-: APMTZ+", max_size=22),
    st.sampled_from(["1,234", "31.12.2025", "12/31/2025", "99/99/2025", "Feb 30, 2025", "EUR", "completed", "Total"]),
)


@given(
    st.lists(st.lists(CELL, min_size=10, max_size=10), max_size=4),
    st.builds(
        ReadingOptions,
        decimal=st.sampled_from([None, "point", "comma"]),
        dates=st.sampled_from([None, "dmy", "mdy"]),
        minor=st.booleans(),
        zone=st.sampled_from([None, ZoneInfo("America/New_York")]),
    ),
)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=200, deadline=None)
def test_no_cells_break_the_import_and_a_refused_file_writes_nothing(
    house: House, cells: list[list[str]], options: ReadingOptions
) -> None:
    out = io.StringIO(newline="")
    header = ["order", "created_at", "status", "customer", "offer", "price", "currency", "paid", "rate", "refunded_at"]
    csv.writer(out).writerows([header, *([cell.replace("\0", "") for cell in row] for row in cells), ["x"] * 10])
    before = contents(house)
    with pytest.raises(BadData):
        order_import.import_orders(
            house.work, ImportRequest(io.BytesIO(out.getvalue().encode("utf-8", "surrogatepass")), reading=options)
        )
    assert contents(house) == before


@pytest.mark.parametrize("end", ["\n", "\r\n"])
@pytest.mark.parametrize("quoted", [[], [3], [499, 500], [998]], ids=["nowhere", "early", "between batches", "late"])
def test_a_row_tells_its_convention_wherever_quotes_stand(quoted: list[int], end: str) -> None:
    """A part of a file without quotes is split, the other parsed: the rows of both count, each once."""
    rows = [f"A,{n}.00,EUR" for n in range(1000)]
    for n in quoted:
        rows[n] = f'"A{end}B",{n}.00,EUR'
    rows[-1] = 'A,"1,50",EUR' if quoted else "A,(5),EUR"
    content = end.join(["name,price,currency", *rows, ""]).encode()
    if quoted:
        with pytest.raises(UnclearColumns, match=r"'0\.00' has a decimal point, '1,50' a decimal comma"):
            read(content)
        content = content.replace(b'"1,50"', b"(5)")
    found, _, problems = read(content)
    assert problems == []
    assert found == [*(f"{n}.00" for n in range(999)), "-5"]


def test_a_line_with_a_carriage_return_inside_is_named_as_ever() -> None:
    content = b"name,price,currency\nA,1.00,EUR\nA\rB,2.00,EUR\nC,(3.00),EUR\n"
    found, _, problems = read(content)
    assert found == ["1.00", "-3.00"]
    assert [problem.partition(":")[0] for problem in problems] == ["line 3"]
