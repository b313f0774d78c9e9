"""Workbooks: what --xlsx writes, opened again by another library and compared with what the program says elsewhere."""

from __future__ import annotations

import csv
import io
import os
import shlex
import subprocess
import sys
import warnings
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import openpyxl
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from openpyxl.utils import range_boundaries
from openpyxl.utils.escape import unescape

from salescli.cli.output import workbook
from salescli.lists.columns import Column
from salescli.rules import money
from salescli.sales import attribution
from salescli.sales.attribution import Seller
from tests.conftest import House
from tests.story import Story
from tests.terminal import Run

FORMULA = '=HYPERLINK("http://evil.example","pay here")'
PHONE = "+380441234567"
UTC = ZoneInfo("UTC")


@pytest.fixture(autouse=True)
def _environment(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """Name the file in the environment, for what runs in a process of its own."""
    monkeypatch.setenv("SALESCLI_DB", house.run.named)


@pytest.fixture
def sold(story: Story) -> Story:
    """Sales of February and March in three currencies, a refund, a formula for a comment, a plus before a phone."""
    house = story.house
    house.user("ivan", name="Іван Петренко")
    house.customer(FORMULA, phone=PHONE)
    for number, price, currency in (("1", "49.00", "EUR"), ("2", "12.345", "KWD"), ("3", "9800", "JPY")):
        house.offer(price, name=f"Offer {number}", number=number, currency=currency, category="")
    for offer, moment in (("1", "02-10"), ("1", "03-05"), ("2", "03-06"), ("3", "03-07"), ("2", "03-29")):
        order = story.at(f"2026-{moment} 12:30").order(offer, manager="ivan" if offer == "1" else None)
        story.pay(order)
        if moment == "03-05":
            attribution.confirm_sale(story.work, order.id, Seller())
    story.at("2026-03-08 09:00").refund(order, amount="2.345")
    waits = story.order("1", through="Bank transfer")
    story.pay(waits, comment=FORMULA)
    return story


def opened(file: Path | io.BytesIO) -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return openpyxl.load_workbook(file)


def table(sheet: Any) -> list[dict[str, Any]]:
    """Return a sheet's rows under its header as dicts of cells."""
    header, *rows = sheet.iter_rows()
    return [{name.value: cell for name, cell in zip(header, row, strict=True)} for row in rows]


def as_csv_says(cell: Any, zone: ZoneInfo) -> str:
    """Return a cell as our CSV writes it, so that both can be compared."""
    if cell.value is None:
        return ""
    if isinstance(cell.value, datetime):
        return str(cell.value) if "h" in cell.number_format else str(cell.value.date())
    if cell.number_format == "0.00%":
        return money.percent_text(round(cell.value * money.PPM))
    if "[$" in cell.number_format:
        currency = cell.number_format.partition("[$")[2][:3]
        return money.text(round(cell.value * 10 ** money.EXPONENTS[currency]), currency)
    text = unescape(str(cell.value))
    return f"'{text}" if cell.data_type == "s" and text.startswith(("=", "+", "-", "@")) else text


@pytest.mark.parametrize(
    "words",
    [
        pytest.param(("orders", "list", "--kind", "all"), id="orders"),
        pytest.param(("payments", "list"), id="payments"),
        pytest.param(("customers", "list"), id="customers"),
        pytest.param(("offers", "list"), id="offers"),
        pytest.param(("todo",), id="what waits"),
        pytest.param(("history",), id="the history"),
        pytest.param(("orders", "show", "1"), id="an order's invoices"),
    ],
)
def test_a_list_says_in_a_workbook_what_it_says_in_csv(
    sold: Story, run: Run, tmp_path: Path, words: tuple[str, ...]
) -> None:
    file = tmp_path / "list.xlsx"
    assert run(*words, "--xlsx", file) == (0, "", "")
    [sheet] = opened(file).worksheets
    told = list(csv.reader(io.StringIO(run(*words, "--csv").out)))
    assert [[as_csv_says(cell, sold.house.zone) for cell in row] for row in sheet.iter_rows()] == told
    assert len(told) > 1


def test_amounts_are_numbers_with_the_decimals_and_the_code_of_their_currency(
    sold: Story, run: Run, tmp_path: Path
) -> None:
    file = tmp_path / "orders.xlsx"
    run("orders", "list", "--xlsx", file)
    found = {row["currency"].value: row["price"] for row in table(opened(file).active)}
    assert {currency: (cell.data_type, cell.value) for currency, cell in found.items()} == {
        "EUR": ("n", 49), "KWD": ("n", 12.345), "JPY": ("n", 9800),
    }  # fmt: skip
    assert {currency: cell.number_format.partition(";")[0] for currency, cell in found.items()} == {
        "EUR": "#,##0.00 [$EUR]", "KWD": "#,##0.000 [$KWD]", "JPY": "#,##0 [$JPY]",
    }  # fmt: skip


def test_times_are_dates_of_the_account_s_zone_without_an_offset(sold: Story, run: Run, tmp_path: Path) -> None:
    file = tmp_path / "orders.xlsx"
    run("orders", "list", "--xlsx", file, "--sort", "order", "--columns", "order,created_at,completed_at")
    rows = table(opened(file).active)
    assert next(row["created_at"].value for row in rows) == datetime(2026, 2, 10, 12, 30)
    assert {row["created_at"].data_type for row in rows} == {"d"}
    assert rows[-1]["completed_at"].value is None  # what is not known is empty


def test_a_formula_for_a_comment_stays_text_and_a_phone_keeps_its_plus(sold: Story, run: Run, tmp_path: Path) -> None:
    file = tmp_path / "list.xlsx"
    run("payments", "list", "--xlsx", file)
    [comment] = [row["comment"] for row in table(opened(file).active) if row["comment"].value]
    assert (comment.value, comment.data_type, comment.number_format) == (FORMULA, "s", "@")
    run("customers", "list", "--xlsx", file)
    [customer] = [row for row in table(opened(file).active) if row["name"].value == FORMULA]
    assert (customer["phone"].value, customer["phone"].data_type) == (PHONE, "s")


def test_a_list_s_sheet_is_ready_to_filter_and_to_print(sold: Story, run: Run, tmp_path: Path) -> None:
    file = tmp_path / "orders.xlsx"
    run("orders", "list", "--xlsx", file)
    [sheet] = opened(file).worksheets
    assert sheet.title == "orders list"
    assert (sheet.freeze_panes, sheet.auto_filter.ref) == ("A2", sheet.dimensions)
    assert sheet.print_title_rows == "$1:$1"
    assert (sheet.page_setup.orientation, sheet.sheet_properties.pageSetUpPr.fitToPage) == ("landscape", True)
    assert sheet.column_dimensions["B"].width > len("2026-02-10 12:30:00")
    run("customers", "list", "--xlsx", file)
    assert len(FORMULA) < opened(file).active.column_dimensions["B"].width < 60


def test_wide_scripts_get_wide_columns() -> None:
    sheet = _written(["山田太郎山田太郎山田太郎"]).active
    assert sheet.column_dimensions["A"].width > 24


def test_details_have_a_cover_a_sheet_for_each_breakdown_and_charts(sold: Story, run: Run, tmp_path: Path) -> None:
    file = tmp_path / "march.xlsx"
    done = run("reports", "details", "--month", "2026-03", "--xlsx", file)
    assert (done.code, done.out) == (0, "")
    assert "total, refunds excluded" in done.err
    book = opened(file)
    assert book.sheetnames == [
        "cover", "by-currency", "by-payment-system", "by-offer", "by-category", "by-manager", "charts",
    ]  # fmt: skip
    for name in book.sheetnames[1:-1]:
        told = list(csv.reader(io.StringIO(run("reports", name, "--month", "2026-03", "--csv").out)))
        assert [[as_csv_says(cell, sold.house.zone) for cell in row] for row in book[name].iter_rows()] == told
        assert (book[name].freeze_panes, book[name].auto_filter.ref) == ("A2", book[name].dimensions)


def test_the_cover_names_period_and_filters_and_its_totals_are_those_of_the_table(
    sold: Story, run: Run, tmp_path: Path
) -> None:
    file = tmp_path / "march.xlsx"
    asked = ("reports", "by-offer", "--month", "2026-03", "--offer", "1", "--offer", "2", "--kind", "all", "--min", "5")
    told = run(*asked, "--csv").err
    run(*asked, "--xlsx", file)
    cover = opened(file)["cover"]
    facts = {row[0].value: row[1].value for row in cover.iter_rows(min_row=3, max_row=12) if row[0].value}
    assert (facts["first day"], facts["last day"]) == (datetime(2026, 3, 1), datetime(2026, 3, 31))
    assert (facts["offer"], facts["min"], facts["time zone"]) == ("1, 2", "5", "Europe/Kyiv")
    assert isinstance(facts["made at"], datetime)
    totals = _under(cover, "Completed orders")
    assert [(row["currency"], row["orders"], row["gross"], row["net"]) for row in totals] == [
        ("EUR", 1, 49, 49), ("KWD", 2, 24.69, 22.345),
    ]  # fmt: skip
    assert "gross 49.00 24.690" in " ".join(told.split())
    assert told.endswith("22.345\n")
    sellers = _under(cover, "By who sold; adds up to the above")
    for total in totals:
        parts = [row["gross"] for row in sellers if row["currency"] == total["currency"]]
        assert sum(parts) == pytest.approx(total["gross"])


def _under(cover: Any, title: str) -> list[dict[str, Any]]:
    """Return the rows of the cover's table of a title."""
    rows = [[cell.value for cell in row] for row in cover.iter_rows()]
    first = next(at for at, row in enumerate(rows) if row[0] == title) + 1
    body = rows[first + 1 : next((at for at in range(first, len(rows)) if rows[at][0] is None), None)]
    return [dict(zip(rows[first], row, strict=True)) for row in body]


def test_every_chart_is_of_one_breakdown_and_one_currency(sold: Story, run: Run, tmp_path: Path) -> None:
    file = tmp_path / "all.xlsx"
    run("reports", "details", "--xlsx", file)
    book = opened(file)
    titles = []
    for chart in book["charts"]._charts:
        title = "".join(run.t for run in chart.title.tx.rich.p[0].r)
        titles.append(title)
        breakdown, _, currency = title.partition(", ")
        rows = [row for row in table(book[breakdown]) if row["currency"].value == currency]
        assert [series.tx.strRef or series.tx.v for series in chart.series] == ["gross", "net"]
        for series, name in zip(chart.series, ("gross", "net"), strict=True):
            cells = _cells(book, series.val.numRef.f)
            assert [cell.value for cell in cells] == [row[name].value for row in rows]
            assert {cell.number_format.partition("[$")[2][:3] for cell in cells} == {currency}
            assert len(_cells(book, series.cat.strRef.f)) == len(rows)
    assert titles == [
        f"{breakdown}, {currency}"
        for breakdown in book.sheetnames[1:-1]
        for currency in sorted({row["currency"].value for row in table(book[breakdown])})
    ]


def _cells(book: Any, reference: str) -> list[Any]:
    sheet, _, cells = reference.partition("!")
    left, top, right, bottom = range_boundaries(cells)
    return [c for row in book[sheet].iter_rows(top, bottom, left, right) for c in row]


def test_a_chart_shows_the_first_rows_and_says_how_many_there_are(story: Story, run: Run, tmp_path: Path) -> None:
    for number in range(32):
        story.house.offer(f"{number + 1}.00", name=f"Offer {number}")
        story.pay(story.order(str(number + 1)))
    run("reports", "by-offer", "--xlsx", tmp_path / "x.xlsx")
    charts = opened(tmp_path / "x.xlsx")["charts"]
    assert charts["A1"].value == "by-offer, EUR: the first 31 of 32"
    assert (charts.max_row, len(charts._charts)) == (33, 1)


def test_days_are_dates_and_a_second_dimension_names_its_bars(sold: Story, run: Run, tmp_path: Path) -> None:
    file = tmp_path / "days.xlsx"
    words = ("reports", "by-offer", "--by", "day", "--and", "manager", "--xlsx", file)
    assert run(*words).code == 0
    book = opened(file)
    periods = [row["period"] for row in table(book["by-offer"])]
    assert (periods[0].value, {cell.data_type for cell in periods}) == (datetime(2026, 2, 10), {"d"})
    names = [cell.value for cell in book["charts"][2]]
    assert names[:3] == ["period", "1 Offer 1 Іван Петренко confirmed", "1 Offer 1 Іван Петренко not confirmed"]


def test_a_chart_over_time_is_a_stack_of_columns(sold: Story, run: Run, tmp_path: Path) -> None:
    assert run("reports", "by-category", "--and", "offer", "--by", "month", "--xlsx", tmp_path / "x.xlsx").code == 0
    sheet = opened(tmp_path / "x.xlsx")["charts"]
    told = run("reports", "by-category", "--and", "offer", "--by", "month", "--csv").rows
    assert len(sheet._charts) == len({row["currency"] for row in told})
    for drawn in sheet._charts:
        assert (drawn.type, drawn.grouping) == ("col", "stacked")
    [wanted] = {row["period"]: row["net"] for row in told if row["currency"] == "JPY"}.items()
    [at] = [row[0].row for row in sheet.iter_rows() if str(row[0].value).endswith(", JPY")]
    assert (sheet.cell(at + 2, 1).value, str(sheet.cell(at + 2, 2).value)) == wanted


def test_nothing_in_a_workbook_is_computed(sold: Story, run: Run, tmp_path: Path) -> None:
    for words in (("reports", "details"), ("payments", "list"), ("customers", "list")):
        run(*words, "--xlsx", tmp_path / "x.xlsx")
        for sheet in opened(tmp_path / "x.xlsx").worksheets:
            assert {c.data_type for row in sheet.iter_rows() for c in row} <= {"n", "s", "d"}
            assert [c.hyperlink for row in sheet.iter_rows() for c in row if c.hyperlink] == []


def test_a_report_of_nothing_has_its_columns_and_no_charts(story: Story, run: Run, tmp_path: Path) -> None:
    assert run("reports", "by-offer", "--xlsx", tmp_path / "x.xlsx").code == 0
    book = opened(tmp_path / "x.xlsx")
    assert book.sheetnames == ["cover", "by-offer"]
    assert [cell.value for cell in book["by-offer"][1]][:3] == ["offer_number", "offer", "currency"]


def test_columns_sort_and_limit_count_in_a_workbook_too(sold: Story, run: Run, tmp_path: Path) -> None:
    file = tmp_path / "x.xlsx"
    run("orders", "list", "--columns", "price,order", "--sort", "order", "--limit", "2", "--xlsx", file)
    assert [[c.value for c in row] for row in opened(file).active.iter_rows()] == [["price", "order"], [49, 1], [49, 2]]
    run("reports", "details", "--columns", "currency,net", "--sort=-net", "--xlsx", file)
    rows = [[c.value for c in row] for row in opened(file)["by-offer"].iter_rows()]
    assert rows == [["currency", "net"], ["KWD", 22.345], ["EUR", 98], ["JPY", 9800]]


@given(st.lists(st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1), max_size=5))
@example(["_x0041_", "_x0041_x0042_", "_x005F_", "<r>&</r>", "<r><t>bold</t></r>", "\r\n", " both ", "\x01\x1f\ufffe"])
@example(["=1+1", "+380", "-1", "@x", "'quoted", "http://example.com", "{=1}", "1e5", "007", "TRUE", "#N/A", "]]>"])
def test_every_text_comes_back_from_a_workbook_as_it_was(texts: list[str]) -> None:
    sheet = _written(texts).active
    found = [row["name"] for row in table(sheet)]
    assert [unescape(cell.value) for cell in found] == texts
    assert {cell.data_type for cell in found} <= {"s"}


def _written(texts: list[str]) -> Any:
    stream = io.BytesIO()
    with workbook.writing(stream, UTC, "texts") as book:
        book.sheet("texts", [Column("name")], [{"name": text} for text in texts])
    return opened(stream)


@given(st.sampled_from(["EUR", "JPY", "KWD", "CLF"]), st.integers(-(10**15) + 1, 10**15 - 1))
@example("EUR", 10**14)
@example("CLF", 1)
def test_every_amount_of_up_to_fifteen_digits_is_exact(currency: str, minor: int) -> None:
    stream = io.BytesIO()
    with workbook.writing(stream, UTC, "amounts") as book:
        book.sheet("amounts", [Column("net", "money")], [{"net": minor, "currency": currency}])
        assert book.rounded == 0
    cell = opened(stream).active["A2"]
    assert cell.data_type == "n"
    assert f"{cell.value:.{money.EXPONENTS[currency]}f}" == money.text(minor, currency)


def test_an_amount_of_more_digits_is_rounded_and_that_is_said(capfd: pytest.CaptureFixture[str]) -> None:
    with workbook.writing(io.BytesIO(), UTC, "amounts") as book:
        book.sheet("amounts", [Column("net", "money")], [{"net": 10**15, "currency": "EUR"}] * 2)
    said = "2 amounts have more than 15 digits, which a spreadsheet rounds; --csv has them whole\n"
    assert capfd.readouterr().err == said


@pytest.mark.parametrize(
    ("words", "code", "says"),
    [
        pytest.param("orders list --csv --xlsx F", 2, "a format of its own", id="two formats"),
        pytest.param("orders list --excel --xlsx F", 2, "a format of its own", id="Excel's CSV"),
        pytest.param("orders list --format table --xlsx F", 2, "a format of its own", id="a table"),
        pytest.param("orders list -o F --xlsx F", 2, "leave out --output", id="two files"),
        pytest.param("orders list --no-headers --xlsx F", 2, "leave out --no-headers", id="no names of columns"),
        pytest.param("reports --chart --xlsx F", 2, "have charts of their own", id="bars of the terminal"),
        pytest.param("orders list --columns nope --xlsx F", 2, "no column 'nope'", id="an unknown column"),
        pytest.param("orders list --xlsx F/x", 1, "Not a directory", id="a file for a folder"),
    ],
)
def test_a_mistake_gets_one_clear_line_and_leaves_the_file_alone(
    sold: Story, run: Run, tmp_path: Path, words: str, code: int, says: str
) -> None:
    file = tmp_path / "kept.xlsx"
    file.write_text("mine")
    done = run(*words.replace("F", str(file)).split())
    assert (done.code, done.out, says in done.err, len(done.err.splitlines())) == (code, "", True, 1), done.err
    assert file.read_text() == "mine"


@pytest.mark.parametrize("words", ["orders list", "history", "reports by-offer"])
def test_more_rows_than_a_sheet_holds_are_refused_and_the_file_is_left_alone(
    sold: Story, run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, words: str
) -> None:
    monkeypatch.setattr(workbook, "ROWS_MAX", 2)
    folder, drafts = tmp_path / "out", tmp_path / "drafts"
    folder.mkdir()
    drafts.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(drafts))
    (folder / "x.xlsx").write_text("mine")
    done = run(*words.split(), "--xlsx", folder / "x.xlsx")
    assert (done.code, "a sheet holds 2 rows" in done.err, "--csv" in done.err) == (6, True, True)
    assert [(entry.name, entry.read_text()) for entry in folder.iterdir()] == [("x.xlsx", "mine")]
    assert list(drafts.iterdir()) == []
    assert run("orders", "list", "--limit", "2", "--xlsx", folder / "x.xlsx").code == 0


def test_a_workbook_can_be_read_by_its_owner_only_and_leaves_no_drafts(
    sold: Story, run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    drafts, folder = tmp_path / "drafts", tmp_path / "out"
    drafts.mkdir()
    folder.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(drafts))
    file = folder / "x.xlsx"
    file.write_text("old")
    file.chmod(0o644)
    run("reports", "details", "--xlsx", file)
    assert file.stat().st_mode & 0o777 == 0o600
    assert [entry.name for entry in folder.iterdir()] == ["x.xlsx"]
    assert list(drafts.iterdir()) == []


@pytest.mark.parametrize("reader", ["cat", "true"])
def test_a_workbook_goes_through_a_pipe_and_ends_quietly_when_nobody_reads(
    sold: Story, run: Run, tmp_path: Path, reader: str
) -> None:
    line = [sys.executable, "-m", "salescli", "orders", "list", "--xlsx", "-"]
    piped = f"{shlex.join(line)} 2>{tmp_path}/said | {reader} >{tmp_path}/x.xlsx"
    subprocess.run(["bash", "-c", piped], check=True)
    assert (tmp_path / "said").read_text() == ""
    if reader == "cat":
        assert len(table(opened(tmp_path / "x.xlsx").active)) == 6


def test_a_failing_disk_is_one_line(sold: Story, run: Run, tmp_path: Path) -> None:
    line = [sys.executable, "-c", _ON_A_SMALL_DISK, "orders", "list", "--xlsx", str(tmp_path / "x.xlsx")]
    done = subprocess.run(line, check=False, capture_output=True, text=True)
    assert (done.returncode, done.stdout, done.stderr) == (1, "", "salescli: File too large\n")
    assert [entry.name for entry in tmp_path.iterdir() if "x.xlsx" in entry.name] == []


_ON_A_SMALL_DISK = """
import resource, sys
from salescli.cli import main
resource.setrlimit(resource.RLIMIT_FSIZE, (5000, 5000))
sys.exit(main.run(sys.argv[1:]))
"""


def test_a_workbook_is_not_written_to_a_terminal(sold: Story, run: Run) -> None:
    import pty

    main, other = pty.openpty()
    line = [sys.executable, "-m", "salescli", "orders", "list", "--xlsx", "-"]
    done = subprocess.run(line, check=False, stdout=other, stderr=subprocess.PIPE, text=True)
    assert (done.returncode, "name a file" in done.stderr) == (2, True)
    os.close(main)
    os.close(other)


def test_without_its_package_a_line_says_what_to_install(
    sold: Story, run: Run, tmp_path: Path, missing_package: None
) -> None:
    for words in ("orders list", "reports details"):
        done = run(*words.split(), "--xlsx", tmp_path / "x.xlsx")
        assert (done.code, done.out) == (1, "")
        assert done.err == 'salescli: --xlsx needs its package: pip install "salescli[xlsx]"\n'
    assert not (tmp_path / "x.xlsx").exists()


@pytest.fixture
def missing_package(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Let XlsxWriter not be installed."""
    import salescli.cli.output

    with monkeypatch.context() as patched:
        patched.setitem(sys.modules, "xlsxwriter", None)
        patched.delitem(sys.modules, "salescli.cli.output.workbook")
        patched.delattr(salescli.cli.output, "workbook")
        yield


@pytest.mark.parametrize(
    ("words", "name"),
    [
        pytest.param("orders list", "orders list", id="a command"),
        pytest.param("history", "the history", id="the name that Excel keeps for itself"),
        pytest.param("a/b:c*d?e[f]g\\h", "a-b-c-d-e-f-g-h", id="characters that no name may have"),
        pytest.param("'quoted'", "quoted", id="quotes at the ends"),
        pytest.param("x" * 40, "x" * 31, id="more than 31 characters"),
        pytest.param("", "rows", id="nothing"),
    ],
)
def test_a_sheet_s_name_is_one_that_every_program_takes(words: str, name: str) -> None:
    assert workbook.sheet_name(words) == name
