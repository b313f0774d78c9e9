"""Terminals of every kind: how wide they are, whether they have colours, and how wide they show a text."""

from __future__ import annotations

from pathlib import Path

import pytest

from salescli.cli.main import _colored
from salescli.cli.output.terminal import shortened, width
from tests.story import Story


@pytest.fixture
def sold(story: Story) -> Story:
    story.house.offer("49.00", number="7", name="A course with a name that is rather long for a table of orders")
    story.pay(story.order("7"))
    return story


def _widest(text: str) -> int:
    return max(map(width, text.splitlines()))


def test_columns_of_the_environment_are_kept_to_in_a_pipe(sold: Story, monkeypatch: pytest.MonkeyPatch) -> None:
    wanted = ("orders", "list", "--columns", "order,customer,offer,price")
    whole = sold.house.run(*wanted).out
    assert _widest(whole) > 70
    monkeypatch.setenv("COLUMNS", "50")
    assert _widest(sold.house.run(*wanted).out) == 50
    table, chart = sold.house.run("reports", "by-offer", "--columns", "offer,net", "--chart").out.split("net in EUR")
    assert max(_widest(table), _widest(chart.partition("49.00")[0])) <= 50
    for wrong in ("", "0", "-1", "wide", "٥٠"):
        monkeypatch.setenv("COLUMNS", wrong)
        assert sold.house.run(*wanted).out == whole


def test_columns_of_the_environment_go_before_those_of_the_terminal(
    sold: Story, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "50")
    assert _widest(sold.house.run.typed("orders", "list", "--columns", "order,customer,offer", columns=200)) == 50


def test_a_file_is_as_wide_as_its_text(sold: Story, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("COLUMNS", "50")
    sold.house.run("orders", "list", "-o", tmp_path / "x.txt")
    assert "…" not in (tmp_path / "x.txt").read_text(encoding="utf-8")
    assert "…" not in sold.house.run("orders", "list", "--csv").out


@pytest.mark.parametrize(
    ("environment", "colored"),
    [
        pytest.param({"TERM": "xterm"}, None, id="on a terminal only"),
        pytest.param({"TERM": "dumb"}, False, id="not on one that has none"),
        pytest.param({"TERM": "dumb", "FORCE_COLOR": "1"}, True, id="unless they are forced"),
        pytest.param({"TERM": "xterm", "NO_COLOR": "1"}, False, id="not where nobody wants them"),
    ],
)
def test_colours(environment: dict[str, str], colored: bool | None, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    assert _colored("auto") is colored
    assert (_colored("always"), _colored("never")) == (True, False)


@pytest.mark.parametrize(
    ("text", "cells"),
    [
        pytest.param("Олена", 5, id="letters"),
        pytest.param("日本", 4, id="a wide script"),
        pytest.param("e\u0301", 1, id="a combining mark"),
        pytest.param("\u1112\u1161\u11ab\u1100\u1173\u11af", 4, id="Korean in single letters"),
        pytest.param("🎨", 2, id="an emoji"),
        pytest.param("❤\ufe0f", 2, id="a sign shown as an emoji"),
        pytest.param("❤", 1, id="the sign itself"),
        pytest.param("👍🏽", 2, id="an emoji of a skin tone"),
        pytest.param("🏽", 2, id="a tone of its own"),
        pytest.param("👩\u200d👧\u200d👦", 2, id="a family"),
        pytest.param("👩🏽\u200d🎨", 2, id="an artist of a skin tone"),
        pytest.param("👩\u200d⚕\ufe0f", 2, id="a sign joined to an emoji"),
        pytest.param("🏳\ufe0f\u200d🌈", 2, id="a flag of several signs"),
        pytest.param("🇺🇦", 2, id="a flag of two letters"),
        pytest.param("1\ufe0f\u20e3", 2, id="a key"),
        pytest.param("می\u200cخواهم", 7, id="letters that are kept apart"),
        pytest.param("क्\u200dष", 2, id="letters that are joined"),
        pytest.param("👩👧 Олена 👍🏽", 13, id="several in a text"),
    ],
)
def test_a_text_is_as_wide_as_a_terminal_shows_it(text: str, cells: int) -> None:
    assert width(text) == cells


def test_a_text_is_not_cut_inside_an_emoji() -> None:
    assert shortened("ab👩\u200d👧cd", 4) == "ab…"
    assert shortened("ab👩\u200d👧cd", 5) == "ab👩\u200d👧…"
    assert shortened("👍🏽👍🏽👍🏽", 4) == "👍🏽…"
