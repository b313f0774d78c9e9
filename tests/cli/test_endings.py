"""-o FILE: the ending of its name decides the format, unless a format is given."""

from __future__ import annotations

import zipfile
from pathlib import Path

import pytest

from tests.story import Story


@pytest.fixture
def sold(story: Story) -> Story:
    story.house.offer("49.00", number="7")
    story.pay(story.order("7"))
    return story


COMMANDS = [
    "orders list", "orders show 1", "payments ledger", "customers list", "reports by-offer", "reports", "todo",
    "recurring upcoming", "history", "simulate --until +1d",
]  # fmt: skip


@pytest.mark.parametrize("ending", ["csv", "json", "ndjson", "md"])
@pytest.mark.parametrize("command", COMMANDS)
def test_the_ending_decides_the_format(sold: Story, tmp_path: Path, command: str, ending: str) -> None:
    file = tmp_path / f"x.{ending}"
    assert sold.house.run(*command.split(), "-o", file).code == 0
    assert file.read_text(encoding="utf-8") == sold.house.run(*command.split(), "--format", ending).out


@pytest.mark.parametrize("command", COMMANDS)
def test_the_ending_of_a_workbook_writes_one(sold: Story, tmp_path: Path, command: str) -> None:
    done = sold.house.run(*command.split(), "-o", tmp_path / "X.XLSX")
    assert done.code == 0, done.err
    assert "xl/workbook.xml" in zipfile.ZipFile(tmp_path / "X.XLSX").namelist()


@pytest.mark.parametrize("name", ["x", "x.txt", ".x"])
def test_a_name_without_an_ending_or_of_a_text_is_a_table(sold: Story, tmp_path: Path, name: str) -> None:
    assert sold.house.run("orders", "list", "-o", tmp_path / name).code == 0
    assert (tmp_path / name).read_text(encoding="utf-8").startswith("order  created_at")


def test_a_format_that_is_given_goes_before_the_ending(sold: Story, tmp_path: Path) -> None:
    file = tmp_path / "x.json"
    for given, begins in (
        ("--csv", "order,"),
        ("--format table", "order  "),
        ("-q", "1\n"),
        ("--excel", "\ufefforder;"),
    ):
        assert sold.house.run("orders", "list", *given.split(), "-o", file).code == 0
        assert file.read_text(encoding="utf-8").startswith(begins)


@pytest.mark.parametrize("file", ["x.csv", "x.xlsx", "x.html"])
def test_a_folder_that_is_missing_is_named_and_not_the_draft(sold: Story, tmp_path: Path, file: str) -> None:
    done = sold.house.run("orders", "list", "-o", tmp_path / "none" / file)
    assert (done.code, done.out) == (3, "")
    assert done.err == f"salescli: there is no folder {tmp_path / 'none'} to write {file} into; make it first\n"


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("orders list -o x.yaml", "no format is called .yaml; end the name in one of .txt, .csv, .json"),
        ("orders show 1 -o x.pdf", "no format is called .pdf"),
        ("reports -o x.xls", "no format is called .xls"),
        ("reports by-offer --chart -o x.csv", "--chart draws under a table"),
        ("orders list --no-headers -o x.xlsx", "a workbook needs column names"),
    ],
)
def test_what_an_ending_cannot_be_is_refused(sold: Story, line: str, says: str) -> None:
    done = sold.house.run(*line.split())
    assert (done.code, done.out) == (2, "")
    assert says in done.err
    assert not Path(line.split()[-1]).exists()
