"""What fits a terminal: which columns are left out, how far texts are cut, and when rows become blocks."""

from __future__ import annotations

import io
from zoneinfo import ZoneInfo

import pytest

from salescli.cli.output.contract import Output, Table
from salescli.cli.output.fit import fitted
from salescli.cli.output.fold import folded
from salescli.cli.output.table import write_table
from salescli.cli.output.terminal import fitted as fitted_lines
from salescli.cli.output.terminal import width
from salescli.lists.columns import Column
from salescli.rules.numbers import grouped
from tests.story import Story

_ID, _NAME, _NOTE = Column("id", "number", rank=0), Column("name", rank=0), Column("note", rank=2)
_PRICE, _CURRENCY = Column("price", "money", rank=0), Column("currency", rank=0)
_LONG = "Олександра Петренко-Коваленко із дуже довгим іменем"


def _fitted(columns: list[Column], row: list[str], room: int, *, whole: bool = False) -> Table | None:
    return fitted(
        Table(columns, [[cell] for cell in row], [width(cell) for cell in row]), room, headers=True, whole=whole
    )


def test_the_highest_rank_is_left_out_first_of_equals_the_last() -> None:
    columns = [_ID, Column("a", rank=1), Column("b", rank=3), Column("c", rank=1)]
    row = ["1", "x" * 16, "x" * 16, "x" * 16]
    found = [_fitted(columns, row, room) for room in (56, 55, 37, 19)]
    assert [table and table.left_out for table in found] == [(), ("b",), ("b", "c"), ("a", "b", "c")]


def test_a_narrow_column_takes_the_room_that_a_wide_one_left() -> None:
    columns = [_ID, Column("day", "day", rank=1), Column("tag", rank=2)]
    found = _fitted(columns, ["1", "2026-01-01 or later", "new"], 20)
    assert found is not None
    assert found.left_out == ("day",)


def test_an_empty_column_is_left_out_before_all_others() -> None:
    found = _fitted([_ID, Column("late", "time", rank=1), _NOTE], ["1", "", "something to read"], 20)
    assert found is not None
    assert found.left_out == ("late",)


def test_texts_are_cut_last_and_none_below_what_is_readable() -> None:
    found = _fitted([_ID, _NAME, _NOTE], ["1", _LONG, "x" * 30], 40)
    assert found is not None
    assert found.left_out == ()
    assert [width(cells[0]) for cells in found.cells] == [1, 17, 17]
    narrow = _fitted([_ID, _NAME, _NOTE], ["1", _LONG, "x" * 30], 30)
    assert narrow is not None
    assert (narrow.left_out, narrow.cells[1]) == (("note",), [f"{_LONG[:25]}…"])


@pytest.mark.parametrize("kind", ["whole", "command"])
def test_what_a_preview_says_will_change_is_never_cut(kind: str) -> None:
    change = Column("change", kind, rank=0)  # type: ignore[arg-type]
    found = _fitted([_ID, _NAME, change], ["1", _LONG, "Open → Completed"], 40)
    assert found is not None
    assert found.cells[2] == ["Open → Completed"]
    assert _fitted([_ID, change], ["1", "x" * 40], 40) is None


def test_a_time_loses_its_seconds_then_but_for_the_first_column_its_hour_to_keep_others() -> None:
    at, about = Column("at", "time", rank=0), Column("about", "time")
    row = ["2026-01-31 10:00:00", "2026-01-30 09:00:00", "something to read"]
    found = [_fitted([at, about, _NOTE], row, room) for room in (59, 58, 52, 51, 46)]
    assert [table and [cells[0][:16] for cells in table.cells[:2]] for table in found[2:]] == [
        ["2026-01-31 10:00", "2026-01-30 09:00"],
        ["2026-01-31 10:00", "2026-01-30"],
        ["2026-01-31 10:00", "2026-01-30"],
    ]
    assert [table and table.cells[0][0][16:] for table in found] == [":00", "", "", "", ""]


def test_what_may_go_on_below_itself_is_whole_in_lines() -> None:
    changes = Column("changes", "lines", rank=0)
    found = _fitted([_ID, changes], ["1", "status: open → completed; home: 3d1219c7c4c5404aaa1f6d2a48"], 30)
    assert found is not None
    assert found.cells[1] == ["status: open → completed;\nhome:\n3d1219c7c4c5404aaa1f6d2a48"]


def test_history_keeps_who_and_shows_changes_whole_at_80_columns(story: Story, monkeypatch: pytest.MonkeyPatch) -> None:
    story.house.offer("4900.00", number="7", name="A course of a long name, and more")
    story.pay(story.order("7"))
    monkeypatch.setenv("COLUMNS", "80")
    lines = story.house.run("history").out.splitlines()
    assert lines[0].split() == ["at", "by", "subject", "number", "what", "changes"]
    assert max(map(width, lines)) <= 80
    assert "…" not in "".join(line[-20:] for line in lines)


def test_a_list_of_recurring_orders_keeps_an_error(story: Story, monkeypatch: pytest.MonkeyPatch) -> None:
    story.house.offer("49.00", number="7", name="A course of a long name, and more", every="1 month")
    story.subscribed("7")
    story.house.connection.execute("UPDATE recurring SET last_error = 'insufficient funds'")
    monkeypatch.setenv("COLUMNS", "80")
    assert "last_error" in story.house.run("recurring", "list").out


def test_columns_that_a_person_chose_are_all_shown() -> None:
    assert _fitted([_NAME, _NOTE], ["x" * 20, "x" * 20], 33, whole=True) is None
    found = _fitted([_NAME, _NOTE], ["x" * 20, "x" * 20], 34, whole=True)
    assert found is not None
    assert found.left_out == ()


def test_a_currency_without_room_stands_behind_its_amount() -> None:
    found = _fitted([_ID, _PRICE, _CURRENCY], ["1", "49.00", "EUR"], 15)
    assert found is not None
    assert (found.columns, found.cells, found.left_out) == ([_ID, _PRICE], [["1"], ["49.00 EUR"]], ())


def test_where_even_the_first_columns_are_wider_each_row_is_a_block(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "24")
    stream = io.StringIO()
    rows = [{"id": number, "name": "日本語の長い名前", "note": None} for number in (1, 2)]
    assert write_table(rows, [_ID, _NAME], Output(), ZoneInfo("UTC"), stream) == ()
    stream = io.StringIO()
    monkeypatch.setenv("COLUMNS", "18")
    write_table(rows, [_ID, _NAME, _NOTE], Output(), ZoneInfo("UTC"), stream)
    block = "id    {}\nname  日本語の長い\n      名前\n"
    assert stream.getvalue() == f"{block.format(1)}\n{block.format(2)}"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        pytest.param("1234567.50", "1\u00a0234\u00a0567.50", id="an amount"),
        pytest.param("-1234.50", "-1\u00a0234.50", id="below zero"),
        pytest.param("1234", "1\u00a0234", id="without decimals"),
        pytest.param("999.1234", "999.1234", id="decimals stay"),
        pytest.param("", "", id="nothing"),
    ],
)
def test_digits_stand_in_groups(text: str, shown: str) -> None:
    assert grouped(text) == shown


class _Screen(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(
    ("said", "shown"),
    [
        pytest.param("order 1042 is Open, 1500.00 EUR of 5000.00 EUR paid", "1.500.00 EUR of 5.000.00 EUR", id="EUR"),
        pytest.param("12500 JPY came", "12.500 JPY came", id="no decimals"),
        pytest.param("1250.00 came instead of 2000.00 EUR", "1.250.00 came instead of 2.000.00 EUR", id="two amounts"),
        pytest.param("salescli orders pay 1042 --amount 1250.00", "pay 1042 --amount 1250.00", id="a command"),
    ],
)
def test_amounts_in_messages_have_groups_of_digits_on_a_terminal_only(said: str, shown: str) -> None:
    assert shown in fitted_lines(said, _Screen()).replace("\u00a0", ".")
    assert fitted_lines(said, io.StringIO()) == said


def test_a_sentence_is_broken_between_words_and_before_a_command() -> None:
    text = "recurring order 3 continues; to end it: salescli recurring complete 3; or not"
    assert folded(text, 50) == [
        "recurring order 3 continues; to end it:",
        "salescli recurring complete 3; or not",
    ]
    assert folded("日本語日本語 ab", 6) == ["日本語", "日本語", "ab"]
    assert folded("  a list of things", 10) == ["  a list", "  of", "  things"]


def test_a_command_goes_on_after_a_backslash() -> None:
    assert folded("salescli --db '/a b/x.db' orders check 3", 30, command=True) == [
        "salescli --db '/a b/x.db' \\",
        "  orders check 3",
    ]


def test_a_list_names_what_it_does_not_show_and_shows_it_when_asked(
    story: Story, monkeypatch: pytest.MonkeyPatch
) -> None:
    story.house.offer("4900.00", number="7", name="A course of a long name, and more")
    story.pay(story.order("7"))
    run = story.house.run
    monkeypatch.setenv("COLUMNS", "60")
    ran = run("orders", "list")
    assert max(map(width, ran.out.splitlines())) <= 60
    assert "4\u00a0900.00 EUR" in ran.out
    assert "not shown: offer, category_number" in ran.err
    assert ran.err.endswith("; --columns all, or --expanded\n")
    for option in (("-x",), ("--columns", "all")):
        block = run("orders", "list", *option)
        assert ("created_at" in block.out, "not shown" in block.err) == (True, False)
    assert "comment" not in run("orders", "list", "-x").out.split()
    assert run("orders", "list", "-x", "--csv").code == 2
    assert "payment_type" in run("orders", "list", "--columns", "all", "--csv").out
    monkeypatch.delenv("COLUMNS")
    assert "4900.00" in run("orders", "list").out
