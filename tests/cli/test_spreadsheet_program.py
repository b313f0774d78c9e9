"""The hostile cases in real spreadsheet programs: what Gnumeric and LibreOffice make of our files, headless.

Each opens a file of ours and saves it as its own workbook, which is then looked into. A program that is not installed
is skipped: ``apt-get install --no-install-recommends gnumeric libreoffice-calc``.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import warnings
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import openpyxl
import pytest

from tests.story import Story

FORMULA = '=HYPERLINK("http://evil.example","pay here")'
PHONE = "+380441234567"
NAMES = [
    FORMULA,
    "-1+1",
    "@SUM(1;2)",
    "+1",
    "＝1",
    "'quoted",
    "<r>&</r>",
    '山田; "太郎", jr',
    "007",
    "1e5",
    "TRUE",
    "1/2",
]
UTF8, DETECT = "76", "true"


@pytest.fixture
def sold(story: Story) -> Story:
    """Customers of hostile names, payments in three currencies, one of them with a formula for a comment."""
    for name in NAMES:
        story.house.customer(name, phone=PHONE)
    for number, price, currency in (("1", "1234.50", "EUR"), ("2", "12.345", "KWD"), ("3", "9800", "JPY")):
        story.house.offer(price, name=NAMES[int(number)], number=number, currency=currency)
        story.at("2026-03-01 00:30").pay(story.order(number))
    story.pay(story.order("1", through="Bank transfer"), comment=FORMULA)
    return story


@dataclass(frozen=True, slots=True)
class Program:
    """A spreadsheet program without its window."""

    name: str
    folder: Path

    def resaved(self, file: Path, *, separator: str = ",", language: str = "0") -> Any:
        """Have it open a file and save it as its own workbook, and open that."""
        target = self.folder / "resaved" / f"{file.stem}.xlsx"
        target.parent.mkdir(exist_ok=True)
        if self.name == "ssconvert":
            words = [str(file), str(target)]
        else:
            words = [f"-env:UserInstallation=file://{self.folder}/profile", "--headless", "--convert-to", "xlsx"]
            if file.suffix == ".csv":
                words += [f"--infilter=CSV:{ord(separator)},34,{UTF8},1,,{language},false,{DETECT}"]
            words += ["--outdir", str(target.parent), str(file)]
        environment = {**os.environ, "HOME": str(self.folder), "LC_ALL": "C.UTF-8"}
        subprocess.run([self.name, *words], check=True, capture_output=True, timeout=120, env=environment)
        return opened(target)


@pytest.fixture(params=["ssconvert", "soffice"])
def program(request: pytest.FixtureRequest, tmp_path: Path) -> Program:
    if shutil.which(request.param) is None:
        pytest.skip(f"{request.param} is not installed")
    return Program(request.param, tmp_path)


def opened(file: Path) -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return openpyxl.load_workbook(file)


def cells(book: Any) -> dict[str, list[list[tuple[Any, str]]]]:
    """Return every sheet's cells as (value, type)."""
    return {s.title: [[(c.value, c.data_type) for c in row] for row in s.iter_rows()] for s in book.worksheets}


def rows(book: Any) -> list[dict[str, tuple[Any, str]]]:
    """Return the rows of the only sheet by column."""
    [[header, *body]] = cells(book).values()
    return [{name: cell for (name, _), cell in zip(header, row, strict=True)} for row in body]


@pytest.mark.parametrize("words", ["customers list", "payments list", "orders list", "reports details"])
def test_a_workbook_is_read_as_it_was_written(sold: Story, program: Program, tmp_path: Path, words: str) -> None:
    file = tmp_path / "ours.xlsx"
    assert sold.house.run(*words.split(), "--xlsx", file).code == 0
    ours = cells(opened(file))
    theirs = cells(program.resaved(file))
    assert theirs.keys() == ours.keys()
    for name, sheet in ours.items():
        for at, (row, read) in enumerate(zip(sheet, theirs[name], strict=True), 1):
            assert (name, at, read) == (name, at, row)
    assert {type for sheet in ours.values() for row in sheet for _, type in row} <= {"n", "s", "d"}


def test_in_a_workbook_formulas_and_phones_are_text(sold: Story, program: Program, tmp_path: Path) -> None:
    file = tmp_path / "ours.xlsx"
    sold.house.run("customers", "list", "--sort", "customer", "--xlsx", file)
    found = rows(program.resaved(file))[1:]
    assert [row["name"] for row in found] == [(name, "s") for name in NAMES]
    assert {row["phone"] for row in found} == {(PHONE, "s")}
    sold.house.run("payments", "list", "--xlsx", file)
    assert rows(program.resaved(file))[0]["comment"] == (FORMULA, "s")


def test_charts_survive(sold: Story, program: Program, tmp_path: Path) -> None:
    file = tmp_path / "ours.xlsx"
    sold.house.run("reports", "by-offer", "--xlsx", file)
    assert len(program.resaved(file)["charts"]._charts) == 3


def test_in_a_csv_numbers_are_numbers_and_dates_are_dates(sold: Story, program: Program, tmp_path: Path) -> None:
    file = tmp_path / "ours.csv"
    sold.house.run("payments", "list", "--sort", "invoice", "--csv", "-o", file)
    found = rows(program.resaved(file))
    assert [row["amount"] for row in found] == [(1234.5, "n"), (12.345, "n"), (9800, "n"), (1234.5, "n")]
    assert found[0]["attempted_at"] == (datetime(2026, 3, 1, 0, 30), "d")
    assert found[0]["share"] == (100, "n")
    _is_text(found[3]["comment"], FORMULA)


def test_in_a_csv_nothing_is_computed(sold: Story, program: Program, tmp_path: Path) -> None:
    file = tmp_path / "ours.csv"
    sold.house.run("customers", "list", "--sort", "customer", "--csv", "-o", file)
    found = rows(program.resaved(file))[1:]
    for row, name in zip(found, NAMES, strict=True):
        _is_text(row["phone"], PHONE)
        if name.startswith(("=", "-", "@", "+", "＝", "'", "<", "山")):  # what looks like a number may become one
            _is_text(row["name"], name)
        assert row["name"][1] != "f"


def test_excel_s_csv_is_read_where_commas_are_decimal(sold: Story, program: Program, tmp_path: Path) -> None:
    if program.name == "ssconvert":
        pytest.skip("ssconvert takes its decimal mark from the locale")
    german = "1031"
    file = tmp_path / "ours.csv"
    sold.house.run("payments", "list", "--sort", "invoice", "--excel", "-o", file)
    found = rows(program.resaved(file, separator=";", language=german))
    assert [row["amount"] for row in found] == [(1234.5, "n"), (12.345, "n"), (9800, "n"), (1234.5, "n")]
    assert found[0]["attempted_at"] == (datetime(2026, 3, 1, 0, 30), "d")
    _is_text(found[3]["comment"], FORMULA)


def _is_text(cell: tuple[Any, str], text: str) -> None:
    """Assert that a cell is this text; the guard before it is shown by some programs and taken away by others."""
    assert (cell[0].removeprefix("'"), cell[1]) == (text.removeprefix("'"), "s")
