"""Every list, report, card, page and preview fits the screen, whatever its width and whatever the names."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import click
import pytest

from salescli.cli.index import COMMANDS
from salescli.cli.main import cli
from salescli.cli.output.terminal import width
from tests.shop import Shop
from tests.terminal import Run

WIDTHS = (60, 80, 100, 120, 200)
_NAMES = {
    "customers": ["Олександра Петренко-Коваленко із Переяслава-Хмельницького", "山田太郎山田太郎山田太郎山田太郎"],
    "offers": ["👩🏽\u200d🎨 Акварель для початківців: повний курс 🎨", "Ein Kurs mit langem Namen", "नमस्ते दुनिया"],
    "users": ["Dr. Maximiliane von Hohenlohe-Waldenburg-Schillingsfürst"],
}  # fmt: skip
LISTS = (
    "orders list --kind all", "payments list", "payments ledger", "recurring list", "customers list", "offers list",
    "categories list", "payment-systems list", "users list", "roles list", "history", "history order 1", "todo",
    "doctor", "recurring upcoming --days 3000", "recurring upcoming --by year", "customers plans 1",
    "orders list --kind all --columns all", "payments list -x",
)  # fmt: skip
CARDS = (
    "orders show {}", "payments show {}", "recurring show {}", "customers show {}", "offers show 10",
    "payment-systems show Sandbox", "users show ivan",
)  # fmt: skip
REPORTS = (
    "reports", "reports by-currency --by month", "reports by-offer --and manager", "reports by-manager --chart",
    "reports by-category", "reports by-payment-system",
)  # fmt: skip


@pytest.fixture(scope="module", autouse=True)
def _no_environment() -> Iterator[None]:
    before = os.environ.pop("COLUMNS", None)
    yield
    if before is not None:
        os.environ["COLUMNS"] = before


@pytest.fixture
def named(shop: Shop) -> Shop:
    """A shop after every act there is, with names of every script and length."""
    connection = shop.house.connection
    for table, names in _NAMES.items():
        for id, name in enumerate(names, 1):
            connection.execute(f"UPDATE {table} SET name = ? WHERE id = ?", (name, id))
    connection.execute("UPDATE orders SET offer_name = (SELECT f.name FROM offers f WHERE f.id = offer_id)")
    connection.execute("UPDATE recurring SET offer_name = (SELECT f.name FROM offers f WHERE f.id = offer_id)")
    return shop


def _too_wide(text: str, columns: int, *, but: str = "") -> list[str]:
    """Return the lines that do not fit and do not hold ``but``, a word that a shell must be able to read."""
    return [line for line in text.splitlines() if width(line) > columns and not (but and but in line)]


def test_no_list_card_or_report_is_wider_than_the_screen(named: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    run = replace(named.house.run, path=Path("sales.db"))
    monkeypatch.chdir(named.house.path.parent)
    cards = [line.format(id) for line in CARDS for id in ((1, 3) if "{}" in line else (1,))]
    for columns in WIDTHS:
        monkeypatch.setenv("COLUMNS", str(columns))
        for line in (*LISTS, *cards, *REPORTS):
            ran = run(*line.split())
            assert ran.code in (0, 1, 3), (line, ran.err)
            assert ran.code == 3 or ran.out or "nothing" in ran.err or "no " in ran.err, line
            assert _too_wide(ran.out, columns, but=run.url) == [], (line, columns)


def test_on_a_real_terminal_nothing_is_torn(named: Shop) -> None:
    """Tables, their messages, warnings, errors, previews and the questions below them."""
    run = named.house.run
    for columns, lines in {
        60: ("orders list --kind all", "todo", "orders show nobody", "orders check 4 7 -n", "recurring list -x"),
        80: ("payments list", "reports by-offer", "orders list --nosuch", "customers show 1"),
        120: ("orders list --kind all", "history"),
    }.items():
        for line in lines:
            shown = run.typed(*line.split(), columns=columns)
            assert _too_wide(shown, columns, but=run.named) == [], line


def test_a_preview_shows_each_change_whole_and_its_question_fits(named: Shop) -> None:
    shown = named.house.run.typed("orders", "check", "4", "7", "8", answer="n\n", columns=60)
    assert shown.count("  not confirmed → confirmed\n") == 3
    assert _too_wide(shown.replace("[y/N]: ", "[y/N]: \n"), 60) == []  # an answer ends its line


def test_a_question_of_several_lines_is_asked_once_and_an_interruption_begins_a_line(named: Shop) -> None:
    shown = named.house.run.typed("customers", "erase", "1", answer="\x04", columns=60)  # Ctrl-D
    lines = shown.splitlines()
    assert shown.count("[y/N]") == 1, shown
    assert lines[-1] == "salescli: interrupted; unfinished work was not written"
    assert _too_wide(shown, 60) == []


def test_a_reason_that_was_forgotten_is_asked_for(named: Shop) -> None:
    run = named.house.run
    shown = run.typed("charging", "off", answer="the bank is down\n", columns=60)
    assert "Why?" in shown
    assert "the bank is down" in run("charging", "status").out
    assert run("charging", "off").err.endswith("Missing option '--reason'.\n")  # nobody can answer


def _commands(command: click.Command, words: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    yield words
    if isinstance(command, click.Group):
        ctx = click.Context(command)
        for name in command.list_commands(ctx):
            if found := command.get_command(ctx, name):
                yield from _commands(found, (*words, name))


def test_no_help_page_is_wider_than_a_narrow_screen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "60")
    run = Run(tmp_path / "none.db")
    assert len(COMMANDS) > 20
    for words in _commands(cli):
        assert _too_wide(run(*words, "--help").out, 60) == [], words
    for topic in ("selling", "output", "mappings", "gateways", "orders"):
        assert _too_wide(run("help", topic).out, 60) == [], topic
