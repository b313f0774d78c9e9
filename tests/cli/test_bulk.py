"""The same done to several records: all or none, or those that can be; nothing of a refused one is left behind."""

from __future__ import annotations

import sqlite3

import pytest

from salescli.storage import database, new_file
from salescli.storage.sqlite import connection as of_file
from tests.story import Story
from tests.terminal import Ran


@pytest.fixture
def sold(story: Story) -> Story:
    """Orders 1 and 3 are paid, 2 is open; 4 to 6 have partial payments, 5 none yet; Ivan is a manager."""
    house = story.house
    house.offer("49.00", number="7")
    house.offer("1000.00", number="8", name="Course", partial_min="1", partial_success="50")
    house.user("ivan", name="Іван")
    for paid in (True, False, True):
        order = story.order("7")
        if paid:
            story.pay(order)
    for amount in ("600.00", None, "700.00"):
        order = story.order("8")
        if amount:
            story.pay(order, amount=amount)
    return story


def run(sold: Story, line: str, stdin: str = "") -> Ran:
    return sold.house.run(*line.split(), stdin=stdin)


def state(connection: sqlite3.Connection) -> list[tuple[object, ...]]:
    """Return all that a command may change, its history included."""
    tables = ("orders", "invoices", "attempts", "recurring", "history")
    return [tuple(row) for table in tables for row in connection.execute(f"SELECT * FROM {table} ORDER BY id")]


REFUSED_IN_THE_MIDDLE = {
    "orders check 1 2 3 --yes": ("order 2", "is Open; only a Completed order's sale can be checked"),
    "orders check 1 99 3 --yes": ("order 99", "there is no order 99"),
    "orders assign 1 2 3 ivan --check": ("order 2", "is Open; only a Completed order's sale can be checked"),
    "orders confirm 4 5 6": ("order 5", "can be confirmed from"),
    "orders decline 4 1 6": ("order 1", "has no partial payments"),
}


@pytest.mark.parametrize("line", REFUSED_IN_THE_MIDDLE)
def test_one_that_is_refused_in_the_middle_leaves_all_as_they_were_and_is_named(sold: Story, line: str) -> None:
    before = state(sold.house.connection)
    which, why = REFUSED_IN_THE_MIDDLE[line]
    done = run(sold, line)
    assert done.code == (3 if "99" in line else 5)
    assert which in done.err
    assert why in done.err
    assert "none of the 3 was changed" in done.err
    assert done.out == ""
    assert state(sold.house.connection) == before


@pytest.mark.parametrize("line", REFUSED_IN_THE_MIDDLE)
def test_keep_going_does_the_others_and_leaves_nothing_of_the_refused_one(sold: Story, line: str) -> None:
    connection = sold.house.connection
    which, why = REFUSED_IN_THE_MIDDLE[line]
    words = line.split()
    middle = words[3]
    untouched = [tuple(row) for row in connection.execute("SELECT * FROM orders WHERE id = ?", (middle,))]
    done = run(sold, f"{line} --keep-going")
    assert done.code == 5
    [refusal, told] = [line for line in done.err.splitlines() if not line.startswith("confirming")]
    assert refusal.startswith(f"{which}: ")
    assert why in refusal
    assert told == "1 refused, 2 done"
    assert [line.split(" is ")[0] for line in done.out.splitlines()] == [f"order {words[2]}", f"order {words[4]}"]
    assert [tuple(row) for row in connection.execute("SELECT * FROM orders WHERE id = ?", (middle,))] == untouched


def test_keep_going_with_nothing_refused_is_a_success(sold: Story) -> None:
    assert run(sold, "orders check 1 3 --yes --keep-going").code == 0


def test_keep_going_with_all_refused_changes_nothing(sold: Story) -> None:
    before = state(sold.house.connection)
    done = run(sold, "orders check 2 98 99 --system --keep-going")
    assert (done.code, done.out, len(done.err.splitlines())) == (5, "", 4)
    assert state(sold.house.connection) == before


def test_a_mistake_in_the_call_itself_is_no_refusal_of_each(sold: Story) -> None:
    before = state(sold.house.connection)
    for line in ("orders check 1 3 --manager nobody --keep-going", "orders assign 1 3 nobody --keep-going"):
        done = run(sold, line)
        assert (done.code, done.err.count("nobody")) == (3, 1), done.err
    assert run(sold, "orders confirm 1 4 --keep-going").code == 2
    assert state(sold.house.connection) == before


def test_recurring_orders_and_payments_are_done_in_bulk_alike(sold: Story) -> None:
    sold.house.offer("10.00", number="9", name="Plan", every="1 month")
    numbers = [sold.subscribed("9") for _ in range(3)]
    assert run(sold, f"recurring pause {numbers[1]}").code == 0
    assert run(sold, "recurring pause 1 2 3").code == 5
    assert [sold.plan(one).status for one in numbers] == ["active", "paused", "active"]
    done = run(sold, "recurring pause 1 2 3 99 --keep-going")
    assert (done.code, done.out.count("is Paused")) == (5, 2)
    assert "recurring order 2: is Paused and cannot be paused; possible: Activate, Complete" in done.err
    assert "recurring order 99: there is no recurring order 99" in done.err
    assert run(sold, "recurring activate --keep-going -", stdin="1\n2\n3\n").code == 0
    assert run(sold, "recurring complete 1 2").code == 2  # it is final, and a script must say --yes
    assert run(sold, "recurring complete 1 2 --yes").code == 0
    assert run(sold, "recurring retry 3 1 --keep-going").code == 5
    for _ in range(2):
        sold.pay(sold.order("7", through="Bank transfer"))
    waiting = [row["id"] for row in sold.house.connection.execute("SELECT id FROM invoices WHERE status = 'open'")]
    assert run(sold, f"payments confirm {waiting[0]} 1 {waiting[1]}").code == 5
    assert run(sold, f"payments decline {waiting[0]} 1 --keep-going").code == 5
    assert run(sold, f"payments confirm {waiting[1]}").code == 0


@pytest.mark.parametrize(
    "line",
    [
        "orders check --yes -", "orders check -", "orders confirm -", "orders decline -", "orders assign - ivan",
        "recurring pause -", "recurring activate --now -", "recurring complete -", "recurring retry -",
        "payments confirm -", "payments decline -",
    ],
)  # fmt: skip
def test_no_numbers_on_stdin_are_nothing_to_do(sold: Story, line: str) -> None:
    done = run(sold, line, stdin="\n")
    assert (done.code, done.out, "nothing to do" in done.err) == (0, "", True)


def test_what_is_not_text_on_stdin_is_refused(sold: Story) -> None:
    done = run(sold, "orders check --yes -", stdin="1\n\udcff\n")
    assert (done.code, "is not text" in done.err) == (6, True)


def test_an_order_given_twice_or_by_two_numbers_is_one(sold: Story) -> None:
    sold.house.connection.execute("UPDATE orders SET source = 'shop', source_number = 'A-4' WHERE id = 4")
    done = run(sold, "orders decline 4 4 A-4 shop:A-4")
    assert (done.code, len(done.out.splitlines())) == (0, 1)


def test_a_dry_run_shows_what_would_change_and_changes_nothing(sold: Story) -> None:
    before = state(sold.house.connection)
    done = run(sold, "orders check 1 2 3 --manager ivan --keep-going -n")
    assert done.code == 5
    [heads, _, first, second] = done.out.splitlines()
    assert heads.split() == ["order", "customer", "offer", "price", "currency", "sale_by", "because", "change"]
    assert "Іван" in first
    assert "system → Іван, not confirmed → confirmed" in first
    assert second.split()[0] == "3"
    assert "order 2: is Open" in done.err
    assert "dry run: nothing was written" in done.err
    assert state(sold.house.connection) == before


def test_on_a_terminal_several_are_shown_and_one_question_is_asked(sold: Story) -> None:
    run(sold, "orders assign 1 ivan")
    shown = sold.house.run.typed("orders", "check", "1", "3", answer="n\n")
    assert "Іван" in shown.split("Confirm these")[0]
    assert "nobody marked or assigned it" in shown
    assert shown.count("[y/N]") == 1
    assert run(sold, "orders list --confirmed -q").out == ""
    shown = sold.house.run.typed("orders", "check", "1", "3", answer="y\n")
    assert "order 1 is Completed, sale by Іван, confirmed" in shown
    assert run(sold, "orders list --confirmed -q --sort order").out == "1\n3\n"


@pytest.mark.parametrize(
    ("line", "changes"),
    [
        pytest.param("orders confirm 4 6", "Open → Completed", id="confirm"),
        pytest.param("orders decline 4 6", "Open → Declined", id="decline"),
        pytest.param("orders assign 1 3 ivan", "system → Іван", id="assign"),
    ],
)
def test_every_change_of_several_is_previewed_on_a_terminal_and_yes_leaves_it_out(
    sold: Story, line: str, changes: str
) -> None:
    before = state(sold.house.connection)
    shown = sold.house.run.typed(*line.split(), answer="n\n")
    assert (shown.count(changes), shown.count("[y/N]")) == (2, 1)
    assert state(sold.house.connection) == before
    if "confirm" not in line:  # there --yes means the sale (R22)
        assert "[y/N]" not in sold.house.run.typed(*line.split(), "--yes")
        assert state(sold.house.connection) != before


def test_what_cannot_be_done_is_refused_before_the_question(sold: Story) -> None:
    shown = sold.house.run.typed("orders", "check", "1", "2")
    assert "order 2 is Open" in shown
    assert "[y/N]" not in shown
    shown = sold.house.run.typed("orders", "check", "1", "2", "--keep-going", answer="y\n")
    assert shown.count("order 2: is Open") == 1
    assert run(sold, "orders list --confirmed -q").out == "1\n"


def test_a_script_that_leaves_open_whose_sales_they_are_is_refused(sold: Story) -> None:
    before = state(sold.house.connection)
    for stdin in ("1\n3\n", "1\n"):
        done = run(sold, "orders check -", stdin=stdin)
        assert (done.code, "--yes" in done.err) == (2, True)
    assert state(sold.house.connection) == before


def test_an_order_that_changes_while_the_question_is_open_is_not_done_as_nobody_saw_it(sold: Story) -> None:
    def another_gives_it_to_ivan() -> None:
        assert run(sold, "orders assign 3 ivan").code == 0

    shown = sold.house.run.typed("orders", "check", "1", "3", answer="y\n", meanwhile=another_gives_it_to_ivan)
    assert "order 3 changed in the meantime; look again" in shown
    assert run(sold, "orders list --confirmed -q").out == ""


def test_the_dialogue_of_one_order_confirms_what_it_showed_or_nothing(sold: Story) -> None:
    def another_gives_it_to_ivan() -> None:
        assert run(sold, "orders assign 3 ivan").code == 0

    shown = sold.house.run.typed("orders", "check", "3", answer="\n", meanwhile=another_gives_it_to_ivan)
    assert "order 3 changed in the meantime; look again" in shown
    assert run(sold, "orders list --confirmed -q").out == ""


@pytest.mark.skipif(
    dict(of_file._journal(sqlite3.sqlite_version_info))["journal_mode"] == "wal", reason="this SQLite keeps no journal"
)
@pytest.mark.of_files("it is replaced")
def test_who_answers_about_a_file_that_was_replaced_leaves_the_journal_of_the_new_one(sold: Story) -> None:
    path, writers = sold.house.path, list[sqlite3.Connection]()
    journal = path.with_name(f"{path.name}-journal")

    def replace() -> None:
        new_file.copy(sold.house.connection, path.with_name("new.db"))
        path.with_name("new.db").rename(path)
        writers.append(database.connect(path))
        writers[0].execute("PRAGMA cache_size = 5")  # pages, so that it writes before its end
        writers[0].execute("BEGIN IMMEDIATE")
        writers[0].execute("CREATE TABLE large AS SELECT zeroblob(900000) AS it")
        assert journal.exists()

    shown = sold.house.run.typed("orders", "check", "1", "3", answer="y\n", meanwhile=replace)
    assert "was replaced meanwhile, by an import or a restore; nothing was changed: try again" in shown
    assert journal.exists()
    writers[0].close()
