"""Pages: the numbers of the reports to the cent, names that stay text, nothing loaded, and looked at in a browser."""

from __future__ import annotations

import base64
import hashlib
import io
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from datetime import date
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from salescli.cli.output import page
from salescli.cli.output.browser import check_can_open
from salescli.cli.output.contract import Output
from salescli.cli.output.page_style import POLICY, SHEET
from salescli.errors import BadUsage
from salescli.lists.columns import Column
from salescli.reports import periods
from tests.browser import PROGRAM, Browser
from tests.story import Story
from tests.terminal import Run

HOSTILE = '"><script>alert(1)</script><img src=x onerror=alert(2)>&amp;'
_VOID = ("meta", "col", "br")


class Read(HTMLParser):
    """A page as a browser reads it: its tags with their attributes, its tables, and its tiles by currency."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.headings: list[str] = []
        self.tables: list[tuple[str, list[list[str]]]] = []  # (the heading above, its lines)
        self.tiles: list[tuple[str, list[str]]] = []  # (the heading above, what the tile says)
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in _VOID and not (self.get_starttag_text() or "").endswith("/>"):
            self.open.append(tag)
        if tag in ("h1", "h2"):
            self.headings.append("")
        elif tag == "table":
            self.tables.append((self.headings[-1], []))
        elif tag == "tr":
            self.tables[-1][1].append([])
        elif tag in ("td", "th"):
            self.tables[-1][1][-1].append("")
        elif tag == "dl":
            self.tiles.append((self.headings[-1] if self.headings else "", []))
        elif tag in ("dt", "dd"):
            self.tiles[-1][1].append("")

    def handle_endtag(self, tag: str) -> None:
        if self.open[-1:] == [tag]:
            self.open.pop()

    def handle_data(self, data: str) -> None:
        if {"h1", "h2"} & set(self.open):
            self.headings[-1] += data
        elif {"td", "th"} & set(self.open) and "title" not in self.open:
            self.tables[-1][1][-1][-1] += data
        elif {"dt", "dd"} & set(self.open):
            self.tiles[-1][1][-1] += data

    def rows(self, heading: str) -> list[dict[str, str]]:
        """Return the rows of the tables under a heading, without the blanks between digits."""
        found = []
        for above, (names, *rows) in self.tables:
            if above == heading:
                rows = [row for row in rows if row != ["nothing to show"]]
                found += [dict(zip(names, map(plain, row), strict=True)) for row in rows]
        return found


def plain(text: str) -> str:
    return text.replace("\u00a0", "")


@pytest.fixture
def sold(story: Story) -> Story:
    """Sales in two currencies, a refund, more offers than are shown at once, names that look like markup."""
    house = story.house
    house.customer(HOSTILE)
    house.offer("49.00", name=HOSTILE, number="1", category="")
    house.offer("9800", name="茶", number="2", currency="JPY", category="")
    house.offer("30.00", name="Lessons", number="7", every="1 month", payments="12", category="")
    for at, offer in (("02-10", "1"), ("02-11", "2"), ("03-05", "1"), ("03-06", "1"), ("03-31", "2")):
        order = story.at(f"2026-{at} 12:30").order(offer)
        story.pay(order)
        if at == "03-05":
            story.refund(order, amount="9.99")
    for number in range(20, 30):
        house.offer(f"{number}.25", name=f"Offer {number}", number=str(number), category="")
        story.pay(story.order(str(number)))
    story.at("2026-03-08 09:00").subscribed("7")
    return story


def written(run: Run, file: Path, *words: str) -> Read:
    ran = run(*words, "--html", file)
    assert (ran.code, ran.out) == (0, ""), ran.err
    return Read(file.read_text("utf-8"))


def test_the_numbers_of_a_page_are_those_of_the_reports_to_the_cent(sold: Story, run: Run, tmp_path: Path) -> None:
    read = written(run, tmp_path / "x.html", "reports", "details", "--month", "2026-03")
    for name in ("by-currency", "by-payment-system", "by-offer", "by-category", "by-manager"):
        told = run("reports", name, "--month", "2026-03", "--csv", "--limit", "0").rows
        shown = read.rows(name.replace("-", " ").capitalize())
        assert len(shown) == len(told)
        for row, wanted in zip(shown, told, strict=True):
            row.pop("", None)  # the bar
            assert row == {key: value for key, value in wanted.items() if key in row}
            assert not any(value for key, value in wanted.items() if key not in row)


def test_tiles_are_those_of_a_currency_beside_the_period_before(sold: Story, run: Run, tmp_path: Path) -> None:
    read = written(run, tmp_path / "x.html", "reports", "details", "--month", "2026-03")
    told = {}
    for month in ("2026-02", "2026-03"):
        for row in run("reports", "by-currency", "--month", month, "--csv").rows:
            told[row["currency"], month] = row
    for currency in ("EUR", "JPY"):
        tiles = {words[0]: [plain(word) for word in words[1:]] for above, words in read.tiles if above == currency}
        for name in ("net", "gross", "refunded", "payments"):
            now, before = tiles[name]
            assert now == told[currency, "2026-03"][name]
            assert before.endswith(f" {told[currency, '2026-02'][name]}")
        gross, payments = (told[currency, "2026-03"][name] for name in ("gross", "payments"))
        assert float(tiles["average payment"][0]) == pytest.approx(float(gross) / int(payments), abs=0.0051)
    assert {above for above, words in read.tiles if words[0] == "net"} == {"EUR", "JPY"}  # and no sum of both


def test_a_chart_and_the_tie_out_add_up_to_the_report(sold: Story, run: Run, tmp_path: Path) -> None:
    read = written(run, tmp_path / "x.html", "reports", "details")
    told = {row["currency"]: row for row in run("reports", "by-currency", "--csv").rows}
    for currency in ("EUR", "JPY"):
        months = {row["period"]: row["net"] for row in read.rows(currency)}
        wanted = run("reports", "by-currency", "--by", "month", "--currency", currency, "--csv").rows
        assert months == {row["period"]: row["net"] for row in wanted}
    lines = {row["totals"]: row for row in read.rows("How it adds up")}
    assert {code: lines["payments"][code] for code in told} == {code: row["gross"] for code, row in told.items()}


def test_a_page_tells_what_is_to_come_and_who_must_do_what(sold: Story, run: Run, tmp_path: Path) -> None:
    read = written(run, tmp_path / "x.html", "reports", "details", "--month", "2026-03")
    [recurring] = read.rows("Recurring orders")
    assert (recurring["currency"], recurring["active"], recurring["failed"]) == ("EUR", "1", "0")
    days = f"today..+{90}d".split("..")
    wanted = run("recurring", "upcoming", "--from", days[0], "--to", days[1], "--csv").rows
    assert recurring["payments"] == str(len(wanted))
    assert recurring["amount"] == f"{sum(float(row['amount']) for row in wanted):.2f}"
    commands = [row["command"] for row in read.rows("Waiting for a person")]
    assert commands == [row["command"] for row in run("todo", "--limit", "10", "--csv").rows]
    assert commands[0].startswith("salescli --db ")


@pytest.mark.parametrize(
    "words",
    ["reports details", "reports by-offer --by month", "orders list", "customers list --columns all", "history"],
)
def test_names_stay_text_and_a_page_runs_and_loads_nothing(sold: Story, run: Run, tmp_path: Path, words: str) -> None:
    read = written(run, tmp_path / "x.html", *words.split())
    text = (tmp_path / "x.html").read_text("utf-8")
    assert {tag for tag, _ in read.tags}.isdisjoint({"script", "img", "a", "link", "iframe", "form", "object", "base"})
    assert not [name for _, attributes in read.tags for name in attributes if name.startswith("on") or name == "style"]
    assert not re.search(r"https?:|url\(|@import|\x1b", text)
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in text
    assert {tag: attributes for tag, attributes in read.tags if tag == "meta" and "http-equiv" in attributes} == {
        "meta": {"http-equiv": "Content-Security-Policy", "content": POLICY}
    }


def test_the_policy_allows_the_style_of_the_page_and_nothing_else(sold: Story, run: Run, tmp_path: Path) -> None:
    run("orders", "list", "--html", tmp_path / "x.html")
    [style] = re.findall(r"<style>(.*?)</style>", (tmp_path / "x.html").read_text("utf-8"), re.DOTALL)
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    assert POLICY.split("; ") == [
        "default-src 'none'", f"style-src 'sha256-{digest}'", "base-uri 'none'", "form-action 'none'"
    ]  # fmt: skip


def test_a_list_has_the_rows_of_the_list_and_the_options_of_every_format(sold: Story, run: Run, tmp_path: Path) -> None:
    written(run, tmp_path / "x.html", "orders", "list", "--columns", "order,price,currency", "--sort", "price")
    told = run("orders", "list", "--columns", "order,price,currency", "--sort", "price", "--csv").rows
    read = Read((tmp_path / "x.html").read_text("utf-8"))
    assert read.rows("Orders list") == told
    assert run("orders", "list", "-o", tmp_path / "y.htm", "--limit", "3").code == 0
    assert len(Read((tmp_path / "y.htm").read_text("utf-8")).rows("Orders list")) == 3
    assert run("orders", "list", "--html", "-", "--limit", "3").out == (tmp_path / "y.htm").read_text("utf-8")


def test_rows_are_written_as_they_come() -> None:
    written: list[int] = []
    stream = io.StringIO()

    def rows() -> Iterator[dict[str, Any]]:
        for number in range(3):
            written.append(stream.getvalue().count("<tr>"))
            yield {"order": number}

    page.write(rows(), [Column("order", "number")], Output(title="orders list"), ZoneInfo("UTC"), stream)
    assert written == [1, 2, 3]  # the names of the columns, then each row before the next is read


def test_a_report_of_nothing_is_a_page_that_says_so(story: Story, run: Run, tmp_path: Path) -> None:
    for words in (("reports", "details"), ("reports", "by-offer", "--by", "month", "--month", "2026-02")):
        written(run, tmp_path / "x.html", *words)
        assert "No payments in this period." in (tmp_path / "x.html").read_text("utf-8")


@pytest.mark.parametrize(
    ("words", "environment", "said"),
    [
        ("--open", {}, "name its file with --html FILE"),
        ("--open --csv", {}, "name its file with --html FILE"),
        ("--open --html -", {}, "name its file with --html FILE"),
        ("--open --html FILE", {"DISPLAY": ""}, "there is no DISPLAY here"),
        ("--html FILE --csv", {}, "is a format of its own"),
        ("--html FILE -o FILE", {}, "names its file"),
        ("--html FILE --xlsx FILE", {}, "is a format of its own"),
    ],
)
def test_what_cannot_be_done_is_refused_before_anything_is_written(
    story: Story,
    run: Run,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    words: str,
    environment: dict[str, str],
    said: str,
) -> None:
    monkeypatch.setenv("DISPLAY", ":0")
    monkeypatch.delenv("WAYLAND_DISPLAY", raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    file = tmp_path / "x.html"
    ran = run("orders", "list", *words.replace("FILE", str(file)).split())
    assert (ran.code, said in ran.err, file.exists()) == (2, True, False), ran.err


def test_open_is_refused_through_sudo(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("SUDO_UID", "1000")
    with pytest.raises(BadUsage, match="does not work through sudo"):
        check_can_open("html", tmp_path / "x.html")


def test_open_shows_the_page_in_the_browser(story: Story, tmp_path: Path) -> None:
    (tmp_path / "browser").write_text(f'#!/bin/sh\nprintf %s "$1" > "{tmp_path}/shown"\n')
    (tmp_path / "browser").chmod(0o755)
    environment = {**os.environ, "BROWSER": f"{tmp_path}/browser", "DISPLAY": ":0"}
    file = tmp_path / "the page.html"
    command = [sys.executable, "-m", "salescli", "--db", story.house.run.named, "orders", "list", "-o", file, "--open"]
    subprocess.run(list(map(str, command)), env=environment, check=True)
    assert (tmp_path / "shown").read_text() == file.as_uri()


@pytest.mark.parametrize(
    ("first", "last", "before"),
    [
        pytest.param("2026-03-01", "2026-03-31", ("2026-02-01", "2026-02-28"), id="a month"),
        pytest.param("2026-01-01", "2026-03-31", ("2025-10-01", "2025-12-31"), id="a quarter"),
        pytest.param("2024-01-01", "2024-12-31", ("2023-01-01", "2023-12-31"), id="a year, a leap year"),
        pytest.param("2026-03-02", "2026-03-08", ("2026-02-23", "2026-03-01"), id="a week"),
        pytest.param("2026-03-01", "2026-03-10", ("2026-02-19", "2026-02-28"), id="the first days of a month"),
        pytest.param("2026-03-01", "2026-03-01", ("2026-02-28", "2026-02-28"), id="a day"),
    ],
)
def test_the_period_before_is_as_long(first: str, last: str, before: tuple[str, str]) -> None:
    found = periods.before(date.fromisoformat(first), date.fromisoformat(last))
    assert tuple(map(str, found)) == before


# How it looks


def _colours() -> dict[str, dict[str, str]]:
    """Return the colours of the style sheet, light, dark and printed."""
    found: dict[str, dict[str, str]] = {}
    for name, block in zip(("light", "dark", "print"), re.findall(r":root\{(.*?)\}", SHEET, re.DOTALL), strict=True):
        found[name] = {**found.get("light", {}), **dict(re.findall(r"--(\w+):(#\w+)", block))}
    return found


def _contrast(one: str, other: str) -> float:
    """Return the contrast of two colours as WCAG defines it."""

    def luminance(colour: str) -> float:
        digits = colour[1:] if len(colour) == 7 else "".join(digit * 2 for digit in colour[1:])
        parts = [int(digits[at : at + 2], 16) / 255 for at in (0, 2, 4)]
        linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("look", ["light", "dark", "print"])
def test_everything_can_be_read_and_seen(look: str) -> None:
    colours = _colours()[look]
    for ground in ("ground", "card"):
        for name in ("text", "soft", "accent", "good", "bad"):
            assert _contrast(colours[name], colours[ground]) >= 4.5, (look, name, ground)
    for mark in (f"s{number}" for number in range(7)):
        assert _contrast(colours[mark], colours["card"]) >= 3, (look, mark)
    assert _contrast(colours["text"], colours["track"]) >= 4.5  # commands


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    if PROGRAM is None:
        pytest.skip("needs Chromium: apt-get install chromium")
    with Browser(tmp_path_factory.mktemp("browser")) as one:
        yield one


_LEGEND = """
(() => {
  const marks = [...document.querySelectorAll('.legend rect')].map(rect => rect.getAttribute('class'));
  const drawn = [...document.querySelectorAll('.plot svg rect')]
    .sort((a, b) => a.getBoundingClientRect().top - b.getBoundingClientRect().top || 0);
  const column = drawn.filter(rect => rect.textContent.startsWith('2026-03'));
  return [marks, column.map(rect => rect.getAttribute('class'))];
})()
"""


def test_in_a_browser_nothing_is_refused_and_nothing_overflows(
    sold: Story, run: Run, tmp_path: Path, browser: Browser
) -> None:
    sold.house.customer("W" * 200)
    pages = {
        "details": ("reports", "details", "--month", "2026-03"),
        "stacks": ("reports", "by-offer", "--by", "month", "--currency", "EUR"),
        "list": ("customers", "list", "--columns", "all"),
    }
    for name, words in pages.items():
        written(run, tmp_path / f"{name}.html", *words)
        for wide, dark in ((380, False), (380, True), (1400, False)):
            browser.open(tmp_path / f"{name}.html", wide=wide, dark=dark)
            assert browser.said == []
            assert browser.value("document.documentElement.scrollWidth - window.innerWidth") <= 0
            ground = browser.value("getComputedStyle(document.body).backgroundColor")
            assert ground == ("rgb(16, 22, 28)" if dark else "rgb(244, 246, 248)")  # so the style was allowed
    assert browser.printed().startswith(b"%PDF")
    browser.open(tmp_path / "details.html")
    assert browser.value("document.querySelectorAll('script, img').length") == 0
    assert "<script>alert(1)</script>" in browser.value("document.body.textContent")


def test_a_legend_stands_in_the_order_of_the_stack(sold: Story, run: Run, tmp_path: Path, browser: Browser) -> None:
    written(run, tmp_path / "x.html", "reports", "by-offer", "--by", "month", "--currency", "EUR")
    browser.open(tmp_path / "x.html")
    legend, column = browser.value(_LEGEND)
    assert len(legend) == 7
    assert column == legend
