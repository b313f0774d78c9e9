"""History as it is read: what is asked for is told, by whom, by which command and since when (B6)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import replace
from datetime import timedelta

import pytest

from salescli.catalogue import customers, records
from salescli.cli.output.contract import sorted_rows
from salescli.lists import history
from salescli.lists.history import HistoryFilter
from salescli.rules import time
from salescli.storage import database
from salescli.storage.history import record
from tests.conftest import House
from tests.story import Story
from tests.terminal import Run

Told = Callable[..., list[dict[str, str]]]


@pytest.fixture
def told(story: Story) -> Told:
    """Return the rows of ``salescli history`` with further words, oldest first."""

    def told(*words: str) -> list[dict[str, str]]:
        columns = "line,at,about,by,subject,number,what,changes,reason,command"
        ran = story.house.run("history", *words, "--csv", "--sort", "line", "--columns", columns)
        assert ran.code == 0, ran.err
        return ran.rows

    return told


@pytest.fixture
def sold(story: Story) -> Story:
    """Two orders of two customers, the first of them paid, and a manager called Ivan."""
    story.house.offer("49.00", number="7")
    story.house.user("ivan", name="Іван", role="owner")
    story.house.customer("Petro", email="petro@example.com")
    story.pay(story.order("7"))
    story.order_of("petro@example.com", "7")
    return story


# Which lines


@pytest.mark.parametrize(
    ("words", "subjects"),
    [
        (["orders"], {("order", "1"), ("order", "2")}),
        (["order"], {("order", "1"), ("order", "2")}),
        (["orders", "1"], {("order", "1"), ("invoice", "1")}),
        (["ORDER", "2"], {("order", "2")}),
        (["payments"], {("invoice", "1")}),
        (["invoice", "1"], {("invoice", "1")}),
        (["customers", "petro@example.com"], {("customer", "2"), ("order", "2")}),
        (["customer", "Petro"], {("customer", "2"), ("order", "2")}),
        (["offers", "7"], {("offer", "1")}),
        (["payment-systems", "Bank transfer"], {("payment system", "2")}),
        (["payment systems"], {("payment system", "1"), ("payment system", "2")}),
        (["users", "ivan"], {("user", "2")}),
        (["categories"], set()),
        (["recurring"], set()),
        (["imports"], set()),
    ],
)
def test_a_subject_and_a_record_are_said_as_elsewhere(
    sold: Story, told: Told, words: list[str], subjects: set[tuple[str, str]]
) -> None:
    assert {(row["subject"], row["number"]) for row in told(*words)} == subjects


def test_an_order_is_found_by_the_number_it_has_elsewhere(sold: Story, told: Told) -> None:
    sold.house.connection.execute("UPDATE orders SET source = 'shop', source_number = 'A-17' WHERE id = 2")
    assert {row["number"] for row in told("orders", "A-17")} == {"2"}


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (["fees"], 2, "there is no history of 'fees'; there is one of orders, payments, recurring, customers"),
        (["imports", "3"], 2, "imports has one history, without numbers; leave out '3'"),
        (["file", "3"], 2, "file has one history, without numbers; leave out '3'"),
        (["orders", "99"], 3, "there is no order 99"),
        (["customers", "Nobody"], 3, "there is no customer 'Nobody'"),
        (["--by", "nobody"], 3, "there is no user 'nobody'"),
        (["--from", "soon"], 6, "'soon' is not a date"),
        (["--from", "2026-03-02", "--to", "2026-03-01"], 2, "the period ends"),
    ],
)
def test_what_there_is_not_is_said(sold: Story, words: list[str], code: int, said: str) -> None:
    ran = sold.house.run("history", *words)
    assert (ran.code, said in ran.err) == (code, True)


def test_by_tells_what_a_person_did_and_system_what_tick_did_by_itself(story: Story, told: Told) -> None:
    story.house.offer("49.00", number="7", every="1 month")
    ivan = story.house.user("ivan", name="Іван", role="owner")
    story.subscribed("7")
    records.edit(replace(story.work, actor=ivan), customers.NOUN, 1, {"phone": "1"})
    story.at("2026-02-28 10:05").tick()

    assert [row["what"] for row in told("--by", "ivan")] == ["edited"]
    assert {row["by"] for row in told("--by", "system")} == {"system, started by Оксана Власник"}
    assert {row["by"] for row in told("--by", "Оксана Власник")} == {"Оксана Власник"}
    assert len(told()) == sum(len(told("--by", who)) for who in ("ivan", "system", story.house.actor.login))


def test_from_and_to_are_whole_days_of_the_account(story: Story, told: Told) -> None:
    before = len(told())
    for moment in ("2026-03-01 23:59", "2026-03-02 00:00", "2026-03-02 23:59", "2026-03-03 00:00"):
        story.at(moment)
        record(story.work, "file", None, moment)

    assert [row["what"] for row in told("--from", "2026-03-02", "--to", "2026-03-02")] == [
        "2026-03-02 00:00",
        "2026-03-02 23:59",
    ]
    assert len(told("file", "--from", "2026-03")) == 4
    assert len(told("--to", "2026-03")) == before + 4


def test_the_filters_narrow_one_another(sold: Story) -> None:
    later = time.stored(sold.now + timedelta(seconds=1))
    assert list(history.Lines(sold.house.connection, "order", 1).rows(sold.house.zone, None))
    assert not list(
        history.Lines(sold.house.connection, "order", 1, HistoryFilter(since=later)).rows(sold.house.zone, None)
    )
    assert not list(history.Lines(sold.house.connection, "order", 1, HistoryFilter(by=2)).rows(sold.house.zone, None))


@pytest.mark.parametrize("limit", [None, 4])
@pytest.mark.parametrize("sort", ["line", "-line", "at", "-at", "about,-line", "-about", "number", "-number,at"])
def test_sql_sorts_lines_as_they_are_sorted_in_memory(sold: Story, sort: str, limit: int | None) -> None:
    sold.at("2026-03-01 12:00")
    record(sold.work.at(sold.now - timedelta(days=9)), "file", None, "of another time")
    sold.at("2026-02-01 12:00")
    record(sold.work, "file", None, "before the others")
    lines, words = history.Lines(sold.house.connection, None, None), sort.split(",")
    order = history.order_of(words)
    assert order is not None
    found = list(lines.rows(sold.house.zone, limit, order=order))
    assert found == sorted_rows(lines.rows(sold.house.zone, None), words, history.COLUMNS)[:limit]


def test_the_newest_come_first_and_as_many_as_asked_for(sold: Story) -> None:
    def lines(limit: int | None) -> list[int]:
        rows = list(history.Lines(sold.house.connection, None, None).rows(sold.house.zone, limit))
        return [row["line"] for row in rows]

    assert lines(None) == sorted(lines(None), reverse=True)
    assert lines(3) == lines(None)[:3]


def test_a_table_says_when_it_is_cut_off(story: Story) -> None:
    for line in range(60):
        record(story.work, "file", None, str(line))
    for words, said in ((["file"], True), (["file", "--limit", "0"], False), (["file", "--csv"], False)):
        ran = story.house.run("history", *words)
        assert (ran.code, "the newest 50 lines; --limit 0 shows all" in ran.err) == (0, said)


@pytest.mark.parametrize(
    ("sort", "lines", "said"),
    [
        pytest.param("line", range(50), "the oldest 50 lines", id="from the beginning"),
        pytest.param("-line", range(59, 9, -1), "the newest 50 lines", id="newest first"),
        pytest.param("-reason", [*range(59, 39, -1), *range(39, 9, -1)], "the first 50 lines", id="by another column"),
    ],
)
def test_a_table_that_is_cut_off_has_the_first_of_its_order(
    story: Story, sort: str, lines: Sequence[int], said: str
) -> None:
    for line in range(60):
        reason = "later" if line >= 40 else "earlier"
        record(story.work, "file", None, str(line), reason=reason)
    told = story.house.run("history", "file", "--columns", "what", "--no-headers", "--sort", sort)
    assert told.out.split() == [str(line) for line in lines]
    assert f"{said}; --limit 0 shows all" in told.err


@pytest.mark.of_files("SQLite's plan")
def test_a_record_s_history_needs_no_walk_through_all_of_it(house: House) -> None:
    for subject in ("order", "customer", "offer"):
        plan = house.connection.execute(
            f"EXPLAIN QUERY PLAN SELECT 1 FROM {history.SOURCE} WHERE"
            f" {history._RELATED.get(subject, 'h.subject = :subject AND h.subject_id = :id')}",
            {"id": 1, "subject": subject},
        )
        assert not any(row["detail"].startswith("SCAN h") for row in plan)


# By which command


@pytest.mark.parametrize(
    ("line", "command"),
    [
        ("customers edit 1 --phone 5551234", "customers edit"),
        ("orders new 1 7 --manager ivan", "orders new"),
        ("recurring pause 1", "recurring pause"),
        ("payment-systems edit Sandbox --fee 1%", "payment-systems edit"),
        ("charging off --reason secret", "charging off"),
        ("tick --now 2026-02-28T10:05:00Z --accept-clock", "tick"),
    ],
)
def test_a_line_keeps_the_words_of_its_command_and_none_of_its_arguments(
    story: Story, told: Told, line: str, command: str
) -> None:
    story.house.offer("49.00", number="7", every="1 month")
    story.house.user("ivan", name="Іван")
    story.subscribed("7")
    before = len(told())
    assert story.house.run(*line.split()).code == 0

    added = told()[before:]

    assert added
    assert {row["command"] for row in added} == {command}


def test_init_is_the_first_command(run: Run) -> None:
    assert run("init", "--time-zone", "UTC").code == 0
    with closing(database.connect(run.named)) as connection:
        told = [tuple(row) for row in connection.execute("SELECT what, command FROM history")]
    assert told == [("made", "init")]


def test_the_help_names_the_subjects_that_a_wrong_one_is_answered_with(house: House) -> None:
    named = house.run("history", "fees").err.strip().partition("there is one of ")[2].split(", ")
    assert f"SUBJECT is {', '.join(named[:-1])} or {named[-1]};" in " ".join(house.run("history", "--help").out.split())


# When it was written, and what it is about


def test_a_time_that_a_person_gives_is_not_when_the_line_was_written(story: Story, told: Told) -> None:
    story.house.offer("49.00", number="7")
    before = len(told())
    assert story.house.run("orders", "new", "1", "7", "--at", "2025-06-01 12:00").code == 0

    line = told("orders")[-1]
    assert (line["what"], line["about"]) == ("opened", "2025-06-01 12:00:00")
    assert line["at"] > "2026"
    assert told("--from", "2025-06-01", "--to", "2025-06-01") == []
    assert len(told("--from", "today")) == len(told()) - before


def test_a_line_about_the_time_it_was_written_has_one_time(story: Story, told: Told) -> None:
    story.house.offer("49.00", number="7")
    assert story.house.run("orders", "new", "1", "7").code == 0
    assert told("orders")[-1]["about"] == ""


def test_a_line_from_before_two_times_were_kept_has_the_one(story: Story, told: Told) -> None:
    story.house.connection.execute(
        "INSERT INTO history (at, user_id, by_system, subject, what, changes)"
        " VALUES ('2025-06-01T09:00:00Z', 1, 0, 'file', 'of old', '{}')"
    )
    assert [(row["at"], row["about"]) for row in told("--from", "2025-06-01", "--to", "2025-06-01")] == [
        ("2025-06-01 12:00:00", "")
    ]


@pytest.mark.of_files("SQLite's plan")
def test_a_period_of_the_history_is_found_by_an_index(house: House) -> None:
    plan = house.connection.execute(
        f"EXPLAIN QUERY PLAN SELECT 1 FROM {history.SOURCE} WHERE {history.WRITTEN} >= '2026'"
    )
    assert any("history_written" in row["detail"] for row in plan)


@pytest.mark.of_files("SQLite's plan")
def test_all_lines_are_counted_by_an_index_and_none_is_read(story: Story) -> None:
    story.house.offer("49.00", number="7")
    story.order("7")
    connection, statements = story.house.connection, list[str]()
    connection.set_trace_callback(statements.append)
    number = history.Lines(connection, None, None).count()
    connection.set_trace_callback(None)
    assert number == connection.execute("SELECT max(id) FROM history").fetchone()[0]
    codes = [row["opcode"] for row in connection.execute(f"EXPLAIN {statements[-1]}")]
    assert "Count" in codes
    assert "Next" not in codes
