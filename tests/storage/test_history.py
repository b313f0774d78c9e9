"""History as it is written: nothing is lost or copied, and nobody can take a line out (B6)."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing

import pytest

from salescli.catalogue import customers, records
from salescli.charging import by_hand
from salescli.errors import SalesError
from salescli.sales import attribution, sales_plans
from salescli.sales.attribution import Seller
from salescli.storage import history
from tests.story import Story

# What is told of it


def test_an_outcome_that_is_not_known_is_told_once(story: Story) -> None:
    story.house.offer("49.00", number="7")
    order = story.order("7", token="tok_pending")
    story.pay(order)
    story.at("2026-01-31 12:00").tick()
    story.at("2026-01-31 18:00").tick()

    what = [line["what"] for line in story.house.history("invoice", 1)]

    assert what.count("outcome of the charge unknown") == 1


# Nothing personal


PERSONAL = ("Зоряна", "Zorianska", "zoriana@", "0507770707", "tok_", "Z-4711", "half for Zoriana", "call her")


def _live_richly(story: Story) -> None:
    """Live through whatever copies something of a customer, an invoice or a payment method."""
    connection = story.house.connection
    story.house.offer("100.00", number="7", partial_min="10", partial_success="90")
    story.house.offer("49.00", number="8", name="Plan", every="1 month")
    story.house.user("ivan", name="Іван")
    id = story.house.customer(
        "Зоряна Zorianska", email="zoriana@example.com", phone="0507770707", customer_id="Z-4711", source="shop"
    )["id"]
    records.edit(story.work, customers.NOUN, id, {"name": "Зоряна Z", "phone": "+380507770707"})
    sales_plans.mark(story.work, str(id), "7", "ivan", note="call her")
    for offer in ("7", "8"):
        order = story.order_of(str(id), offer)
        for token in ("tok_fail_once", "tok_insufficient_funds", "tok_ok"):
            more = {"amount": "95.00"} if offer == "7" else {}
            story.pay(order, payment_system="Sandbox", token=token, comment=f"half for Zoriana {token}", **more)
    by_hand.confirm_payment(story.work, 1)
    attribution.confirm_sale(story.work, 1, Seller(None))
    connection.execute("UPDATE recurring SET token = 'tok_insufficient_funds'")
    for day in ("28 10:05", "28 19:00"):
        story.at(f"2026-02-{day}").tick()
    story.refund(story.see(order), amount="5.00")


def test_no_line_copies_what_is_personal_or_secret(story: Story) -> None:
    _live_richly(story)
    stored = list(_texts(story.house.connection, "history"))

    assert len(stored) > 100
    for word in PERSONAL:
        assert [text for text in stored if word.lower() in text.lower()] == []
    assert any('"token":["(before)","(changed)"]' in text or '"comment":[' in text for text in stored)


def _texts(connection: sqlite3.Connection, table: str) -> Iterator[str]:
    for row in connection.execute(f"SELECT * FROM {table}"):
        yield from (value for value in row if isinstance(value, str))


# Append-only, whoever writes

_LINE = "at, user_id, by_system, subject, what, changes"
FORGERIES = [
    "UPDATE history SET what = 'forged'",
    "UPDATE history SET id = id + 100",
    "DELETE FROM history",
    f"INSERT OR REPLACE INTO history (id, {_LINE}) SELECT id, {_LINE.replace('what', chr(39) + 'x' + chr(39))}"
    " FROM history",
    f"REPLACE INTO history (id, {_LINE}) SELECT id, {_LINE} FROM history",
    f"INSERT OR IGNORE INTO history (id, {_LINE}) SELECT id, {_LINE} FROM history",
    f"INSERT INTO history (id, {_LINE}) SELECT id, {_LINE} FROM history WHERE true"
    " ON CONFLICT (id) DO UPDATE SET what = 'forged'",
    "UPDATE OR REPLACE history SET id = 1 WHERE id = 2",
    f"INSERT INTO history (id, {_LINE}) SELECT -1, {_LINE} FROM history LIMIT 1",
    "UPDATE texts SET text = 'forged'",
    "UPDATE texts SET id = id + 100, text = NULL",
    "DELETE FROM texts",
    "INSERT OR REPLACE INTO texts (id, text) SELECT id, 'forged' FROM texts",
]


@pytest.mark.of_files("statements of SQLite's; tests/storage/test_postgres_past.py has a server's")
@pytest.mark.parametrize("recursive", [0, 1])
@pytest.mark.parametrize("statement", FORGERIES)
def test_no_statement_of_any_program_changes_a_line(story: Story, statement: str, recursive: int) -> None:
    for reason in ("one", "two"):
        history.record(story.work, "file", None, "made", reason=reason)
    with closing(sqlite3.connect(story.house.path, isolation_level=None)) as plain:
        plain.execute(f"PRAGMA recursive_triggers = {recursive}")
        plain.execute("PRAGMA foreign_keys = 0")
        before = [plain.execute(f"SELECT * FROM {table}").fetchall() for table in ("history", "texts")]

        with pytest.raises(sqlite3.IntegrityError):
            plain.execute(statement)

        assert [plain.execute(f"SELECT * FROM {table}").fetchall() for table in ("history", "texts")] == before


def test_a_reason_can_be_emptied(story: Story) -> None:
    history.record(story.work, "order", 1, "declined", reason="she moved")
    history.record(story.work, "order", 2, "declined", reason="he moved")
    history.erase_reasons(story.house.connection, "order", "SELECT 1", {})
    assert [story.house.history("order", id)[0]["reason"] for id in (1, 2)] == [None, "he moved"]


def test_a_failed_operation_leaves_neither_line_nor_reason(story: Story) -> None:
    story.house.offer("49.00", number="7")
    story.pay(story.order("7"))
    before = [list(_texts(story.house.connection, table)) for table in ("history", "texts")]
    with pytest.raises(SalesError):
        by_hand.decline(story.work, 1, reason="no")
    assert [list(_texts(story.house.connection, table)) for table in ("history", "texts")] == before
