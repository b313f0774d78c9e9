"""Charts: bars that can be compared, a scale for each currency, harmless and as wide as there is room."""

from __future__ import annotations

import io
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from salescli.cli.output import chart
from salescli.cli.output.contract import Output
from salescli.cli.output.terminal import width
from salescli.lists.columns import Column
from tests.story import Story
from tests.terminal import Ran

OFFER = (Column("offer_number"), Column("offer"))
_AMOUNTS = st.integers(-(10**14), 10**14)


def row(name: str, net: int, currency: str = "EUR", gross: int | None = None) -> dict[str, Any]:
    return {
        "offer_number": None,
        "offer": name,
        "currency": currency,
        "net": net,
        "gross": net if gross is None else gross,
    }


def drawn(rows: list[dict[str, Any]], encoding: str = "utf-8") -> list[str]:
    """Return the lines of the bars of rows, as they go to a file or a pipe."""
    raw = io.BytesIO()
    stream = io.TextIOWrapper(raw, encoding=encoding)
    chart.draw(rows, OFFER, Output(), stream)
    stream.flush()
    return raw.getvalue().decode(encoding).splitlines()


def test_bars_are_as_long_as_their_amounts_and_as_wide_as_the_room_allows() -> None:
    assert drawn([row("Drawing", 10000), row("Violin", 5000), row("Flute", 1), row("Gift", 0)]) == [
        "",
        "net in EUR",
        "Drawing  100.00  " + "█" * 55,
        "Violin    50.00  " + "█" * 27 + "▌",
        "Flute      0.01  ▏",
        "Gift       0.00",
    ]


def test_where_blocks_cannot_be_written_bars_are_of_signs_that_every_printer_has() -> None:
    lines = drawn([row("Drawing", 10000), row("Violin", 5000), row("Refund", -5000)], "ascii")
    assert lines[2:] == [
        "Drawing  100.00  " + " " * 18 + "|" + "#" * 36,
        "Violin    50.00  " + " " * 18 + "|" + "#" * 18,
        "Refund   -50.00  " + "#" * 18 + "|",
    ]


def test_an_amount_below_zero_stands_on_the_other_side_of_the_axis() -> None:
    assert drawn([row("Drawing", 3000), row("Back in March", -1000)])[2:] == [
        "Drawing         30.00  " + " " * 12 + "│" + "█" * 36,
        "Back in March  -10.00  " + "█" * 12 + "│",
    ]


def test_each_currency_has_a_scale_of_its_own() -> None:
    lines = drawn([row("Drawing", 5000), row("Violin", 900_000, "JPY"), row("Flute", 10000)])
    assert [line for line in lines if line.startswith("net")] == ["net in EUR", "net in JPY"]
    assert [line.count("█") for line in lines if "█" in line] == [27, 55, 56]


def test_without_rows_nothing_is_drawn_and_without_money_no_bar() -> None:
    assert drawn([]) == []
    assert drawn([row("Gift", 0)]) == ["", "net in EUR", "Gift  0.00"]


def test_of_a_thousand_the_first_are_drawn_and_the_rest_counted() -> None:
    lines = drawn([row(f"Offer {number}", 1000 - number) for number in range(1000)])
    assert len(lines) == 2 + 31 + 1
    assert lines[-1] == "… and 969 more"


def test_names_of_wide_scripts_line_up_and_long_ones_are_cut() -> None:
    lines = drawn([row("山田太郎", 100), row("Олена", 100), row("x" * 80, 100), row("é", 100)])[2:]
    assert len({width(line.partition("█")[0]) for line in lines}) == 1
    assert next(line for line in lines if "…" in line).startswith("x" * 27 + "…")


def test_of_two_names_the_longer_one_is_cut_so_that_both_can_be_told() -> None:
    rows = [{**row("Drawing, the full course", 100), "offer_number": name} for name in ("Іван Петренко", "Olha")]
    assert [line.partition("  ")[0] for line in drawn(rows)[2:]] == [
        "Іван Петренко Drawing, the …",
        "Olha Drawing, the full cour…",
    ]


def test_what_a_name_would_do_to_the_terminal_is_shown_and_not_done() -> None:
    [line] = drawn([row("a\x1b[31m\u202e\nb", 100)])[2:]
    assert line.startswith("a\\x1b[31m\\u202e\\nb")


@given(
    st.lists(st.tuples(st.text(max_size=60), _AMOUNTS), min_size=1, max_size=30), st.sampled_from(["utf-8", "utf-16"])
)
def test_no_line_is_wider_than_the_room(given: list[tuple[str, int]], encoding: str) -> None:
    kept = [(re.sub("[\ud800-\udfff]", "", name), amount) for name, amount in given]
    lines = drawn([row(name, amount) for name, amount in kept], encoding)
    assert max(map(width, lines)) <= 72
    text = re.compile("[\u00a0\u202f\u200c\u200d]")  # blanks that do not break, and joiners: as they are
    assert all(text.sub("", line).isprintable() for line in lines)


@given(st.lists(_AMOUNTS, min_size=2, max_size=20))
def test_a_larger_amount_never_has_the_shorter_bar(amounts: list[int]) -> None:
    lines = drawn([row("", amount) for amount in sorted(amounts, reverse=True)])[2:]
    lengths = [_length(line) for line in lines]
    assert lengths == sorted(lengths, reverse=True)
    for amount, length in zip(sorted(amounts, reverse=True), lengths, strict=True):
        assert (amount > 0, amount < 0) == (length > 0, length < 0)


def _length(line: str) -> int:
    """Return a bar's length in eighths, below zero for one on the left of the axis."""
    bar = re.sub(r"^[^.]*\.\d\d", "", line)
    left, axis, right = bar.partition("│")
    return _eighths(right) - _eighths(left) if axis else _eighths(left)


def _eighths(blocks: str) -> int:
    return sum("▏▎▍▌▋▊▉█".index(c) + 1 for c in blocks.replace("▐", "▌").strip())


# In the program


@pytest.fixture
def sold(story: Story) -> Story:
    story.house.offer("100.00", name="Drawing", number="10")
    story.house.offer("9800", name="Violin", number="20", currency="JPY")
    story.pay(story.order("10"))
    story.pay(story.order("20"))
    return story


def test_the_bars_stand_under_the_table(sold: Story) -> None:
    out = sold.house.run("reports", "by-offer", "--chart").out
    assert out.index("offer_number") < out.index("net in EUR\n10 Drawing") < out.index("net in JPY\n20 Violin")
    out = sold.house.run("reports", "details", "--chart").out
    assert out.count("net in EUR") == 4  # by-manager has no confirmed sale to show


def test_the_bars_go_where_the_table_goes(sold: Story, tmp_path: Path) -> None:
    ran = sold.house.run("reports", "by-offer", "--chart", "-o", tmp_path / "x.txt")
    assert (ran.code, "█" in ran.out) == (0, False)
    written = (tmp_path / "x.txt").read_text(encoding="utf-8")
    assert "10 Drawing  100.00  ████" in written


@pytest.mark.parametrize("format", ["--csv", "--json", "--excel", "-q", "--format=md"])
def test_bars_in_a_file_for_programs_are_refused(sold: Story, format: str) -> None:
    ran = sold.house.run("reports", "by-offer", "--chart", format)
    assert (ran.code, ran.out, "--chart draws under a table" in ran.err) == (2, "", True)


def test_a_report_of_nothing_has_no_bars(story: Story) -> None:
    assert story.house.run("reports", "by-offer", "--chart") == Ran(0, "", "nothing to show\n")


@pytest.mark.parametrize("columns", [40, 100])
def test_on_a_terminal_the_bars_are_as_wide_as_it_is(sold: Story, columns: int) -> None:
    shown = sold.house.run.typed("reports", "by-offer", "--chart", columns=columns)
    lines = [line for line in shown.splitlines() if "█" in line]
    assert {width(line) for line in lines} == {columns}


def test_in_a_locale_without_blocks_the_bars_are_signs(sold: Story) -> None:
    plain = {**os.environ, "LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0", "PYTHONIOENCODING": "latin-1"}
    line = [sys.executable, "-m", "salescli", "--db", sold.house.run.named, "reports", "by-offer", "--chart"]
    ran = subprocess.run(line, capture_output=True, env=plain)
    assert (ran.returncode, ran.stderr[:6]) == (0, b"totals")
    assert b"10 Drawing  100.00  ####" in ran.stdout
