"""The tables: what may never be true is refused by the database itself, whoever writes the row."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from itertools import count
from typing import Any

import pytest

from salescli.rules import money
from salescli.rules.time import stored
from salescli.storage import database, history, schema
from salescli.storage.migrations import steps
from tests import inside
from tests.conftest import House

AT, ON = 1_772_359_200, 20260301
LATER = AT + 31 * 24 * 3600
PAID = {"status": "completed", "completed_at": AT, "completed_on": ON}


@dataclass(frozen=True, slots=True)
class Rows:
    """Write rows that are right but for the columns that a test names."""

    house: House
    numbers: Any

    def add(self, table: str, **columns: Any) -> int:
        """Insert a row of ``table`` and return its id."""
        usual: dict[str, Callable[[], dict[str, Any]]] = {
            "categories": lambda: {"number": self.number(), "name": "Courses", "created_at": AT},
            "customers": lambda: {"name": "Олена", "created_at": AT},
            "users": lambda: {"name": "Іван", "created_at": AT},
            "payment_systems": lambda: {"name": self.number(), "gateway": "manual", "created_at": AT},
            "offers": lambda: {"number": self.number(), "name": "Course", "currency": "EUR", "created_at": AT},
            "recurring": self._recurring,
            "orders": self._order,
            "invoices": self._invoice,
            "attempts": self._attempt,
            "refunds": self._refund,
        }
        return database.insert(self.house.connection, table, {**usual[table](), **columns})

    def number(self) -> str:
        """Return a word that no other row has."""
        return f"n{next(self.numbers)}"

    def _recurring(self) -> dict[str, Any]:
        return {
            "uid": self.number(), "customer_id": 1, "offer_id": 1, "offer_name": "Course", "payment_system_id": 1,
            "status": "active", "price_minor": 4900, "currency": "EUR", "every_count": 1, "every_unit": "month",
            "retry_after": "8h,24h", "payments_made": 1, "anchor_at": AT, "due_at": LATER,
            "next_payment_at": LATER, "created_at": AT,
        }  # fmt: skip

    def _order(self) -> dict[str, Any]:
        return {
            "uid": self.number(), "customer_id": 1, "offer_id": 1, "offer_name": "Course", "offer_number": "1",
            "status": "open", "unit_price_minor": 4900, "quantity": 1, "price_minor": 4900, "currency": "EUR",
            "created_at": AT, "created_on": ON,
        }  # fmt: skip

    def _invoice(self) -> dict[str, Any]:
        return {
            "order_id": self.add("orders"), "ordinal": 1, "status": "open", "amount_minor": 4900, "currency": "EUR",
            "share_minor": 4900, "attempted_at": AT,
        }  # fmt: skip

    def _attempt(self) -> dict[str, Any]:
        return {
            "kind": "charge", "invoice_id": self.add("invoices"), "customer_id": 1, "number": 1,
            "reference": self.number(),
            "payment_system_id": 1, "amount_minor": 4900, "currency": "EUR", "status": "live",
            "started_at": AT, "owned_at": AT,
        }  # fmt: skip

    def _refund(self) -> dict[str, Any]:
        return {
            "invoice_id": self.add("invoices"), "amount_minor": 4900, "currency": "EUR", "refunded_at": AT,
            "refunded_on": ON,
        }  # fmt: skip


@pytest.fixture
def rows(house: House) -> Rows:
    """Return a writer of rows; customer, offer and payment system 1 are there."""
    writer = Rows(house, count(1))
    for table in ("customers", "offers", "payment_systems"):
        assert writer.add(table) == 1
    return writer


@pytest.mark.parametrize(
    ("table", "columns"),
    [
        pytest.param("orders", {}, id="an open order"),
        pytest.param("orders", {**PAID, "confirmed": 1}, id="a confirmed sale"),
        pytest.param("orders", {**PAID, "status": "refund"}, id="a refunded order keeps when it was completed"),
        pytest.param("orders", {"unit_price_minor": None, "price_minor": 1000, "quantity": 3},
                     id="an imported order whose price does not divide"),
        pytest.param("orders", {"quantity": 3, "discount_minor": 700, "price_minor": 14_000}, id="a discount"),
        pytest.param("orders", {"unit_price_minor": 0, "price_minor": 0}, id="a price of nothing"),
        pytest.param("recurring", {}, id="an active recurring order"),
        pytest.param("recurring", {"status": "paused"}, id="a paused one keeps its next date"),
        pytest.param("recurring", {"status": "processing", "wish": "paused"}, id="a wish while processing"),
        pytest.param("recurring", {"status": "failed", "next_payment_at": None}, id="a failed one without a date"),
        pytest.param("recurring", {"payments_total": 12, "payments_made": 12, "status": "completed",
                                   "next_payment_at": None}, id="a completed one has all its payments made"),
        pytest.param("invoices", {"status": "completed", "paid_at": AT, "paid_on": ON, "fee_minor": 4900,
                                  "refunded_minor": 4900}, id="a paid invoice"),
        pytest.param("attempts", {}, id="a live attempt"),
        pytest.param("attempts", {"status": "declined", "settled_at": AT}, id="a settled attempt"),
        pytest.param("refunds", {}, id="a refund"),
        pytest.param("customers", {"source": "shop", "source_id": "7"}, id="a customer of a shop"),
        pytest.param("payment_systems", {"fee_fixed_minor": 30, "currency": "EUR"}, id="a fixed fee in its currency"),
        pytest.param("offers", {"every_count": 1, "every_unit": "month", "retry_after": "1m,1m",
                                "payments_total": 12}, id="a recurring offer"),
    ],
)  # fmt: skip
def test_a_row_that_is_right_is_taken(rows: Rows, table: str, columns: dict[str, Any]) -> None:
    assert rows.add(table, **columns)


@pytest.mark.parametrize(
    ("table", "columns", "refused_by"),
    [
        # I10: a next date if and only if active, paused or processing
        pytest.param("recurring", {"next_payment_at": None}, "next_payment_at IS NOT NULL",
                     id="an active recurring order without a next date"),
        pytest.param("recurring", {"status": "paused", "next_payment_at": None}, "next_payment_at IS NOT NULL",
                     id="a paused one without a next date"),
        pytest.param("recurring", {"status": "processing", "next_payment_at": None}, "next_payment_at IS NOT NULL",
                     id="a processing one without a next date"),
        pytest.param("recurring", {"status": "failed"}, "next_payment_at IS NOT NULL",
                     id="a failed one with a next date"),
        pytest.param("recurring", {"status": "completed"}, "next_payment_at IS NOT NULL",
                     id="a completed one with a next date"),
        pytest.param("recurring", {"payments_total": 12, "payments_made": 13}, "payments_made <= payments_total",
                     id="fewer than no payments remaining"),
        pytest.param("recurring", {"payments_imported": 2, "payments_made": 1}, "payments_made >= payments_imported",
                     id="fewer payments made than were brought along"),
        pytest.param("recurring", {"payments_imported": -1}, "payments_imported >= 0", id="less than nothing imported"),
        pytest.param("recurring", {"payments_total": 0, "payments_made": 0}, "payments_total >= 1",
                     id="a recurring order of no payments"),
        pytest.param("recurring", {"declines": -1}, "declines >= 0", id="fewer declines than none"),
        pytest.param("recurring", {"wish": "paused"}, "wish IS NULL OR status = 'processing'",
                     id="a wish while nothing is processing"),
        pytest.param("recurring", {"status": "processing", "wish": "failed"}, "wish IN", id="a wish to fail"),
        pytest.param("recurring", {"status": "stopped"}, "status IN", id="a recurring order in an unknown status"),
        pytest.param("recurring", {"every_unit": "year"}, "every_unit IN", id="an interval in years"),
        pytest.param("recurring", {"every_count": 0}, "every_count BETWEEN", id="an interval of nothing"),
        pytest.param("recurring", {"retry_after": "0h,24h"}, "retry_after GLOB", id="a first retry at once"),
        pytest.param("recurring", {"retry_after": "8,24"}, "retry_after GLOB", id="waits without their unit"),
        pytest.param("orders", {"retry_after": "8h 24h"}, "retry_after GLOB", id="waits with a blank between"),
        pytest.param("offers", {"every_count": 1, "every_unit": "day", "retry_after": ""}, "retry_after GLOB",
                     id="waits of nothing"),
        # Orders
        pytest.param("orders", {"status": "paid"}, "status IN", id="an order in an unknown status"),
        pytest.param("orders", {"price_minor": 4899}, "price_minor = unit_price_minor",
                     id="a price that does not add up"),
        pytest.param("orders", {"quantity": 2}, "price_minor = unit_price_minor", id="a quantity that was not priced"),
        pytest.param("orders", {"quantity": 0, "price_minor": 0}, "quantity BETWEEN", id="a quantity of none"),
        pytest.param("orders", {"unit_price_minor": -1, "price_minor": -1}, "price_minor BETWEEN 0",
                     id="a price below 0"),
        pytest.param("orders", {"unit_price_minor": None, "price_minor": 10**14 + 1}, "price_minor BETWEEN 0",
                     id="a price that could overflow sums"),
        pytest.param("orders", {"paid_minor": -1}, "paid_minor BETWEEN 0", id="less than nothing paid"),
        pytest.param("orders", {"status": "completed"}, "status IN ('completed', 'refund')",
                     id="a completed order without its moment"),
        pytest.param("orders", {"completed_at": AT, "completed_on": ON}, "status IN ('completed', 'refund')",
                     id="an open order with a moment of completion"),
        pytest.param("orders", {**PAID, "completed_on": None}, "(completed_at IS NULL) = (completed_on IS NULL)",
                     id="a moment of completion without its day"),
        pytest.param("orders", {"confirmed": 1}, "confirmed = 0 OR completed_at IS NOT NULL",
                     id="a sale confirmed before it was paid"),
        pytest.param("orders", {"recurring_id": 1}, "(recurring_id IS NULL) = (payment_number IS NULL)",
                     id="an order of a recurring order without its payment number"),
        pytest.param("orders", {"payment_number": 1}, "(recurring_id IS NULL) = (payment_number IS NULL)",
                     id="a payment number without a recurring order"),
        pytest.param("orders", {"source": "shop"}, "(source IS NULL) = (source_number IS NULL)",
                     id="a source without the number there"),
        pytest.param("orders", {"currency": "EURO"}, "length(currency) = 3", id="a currency of four letters"),
        pytest.param("orders", {"customer_id": 99}, "FOREIGN KEY", id="an order of nobody"),
        pytest.param("orders", {"offer_id": 99}, "FOREIGN KEY", id="an order of nothing"),
        pytest.param("orders", {"price_minor": 49.5}, "cannot store REAL", id="a price with a fraction of a cent",
                     marks=pytest.mark.of_files("a server rounds it")),
        # Invoices and attempts
        pytest.param("invoices", {"status": "paid"}, "status IN", id="an invoice in an unknown status"),
        pytest.param("invoices", {"ordinal": 0}, "ordinal >= 1", id="a zeroth invoice"),
        pytest.param("invoices", {"status": "completed"}, "status IN ('completed', 'refund')",
                     id="a paid invoice without its moment"),
        pytest.param("invoices", {"paid_at": AT, "paid_on": ON}, "status IN ('completed', 'refund')",
                     id="an unpaid invoice with a moment of payment"),
        pytest.param("invoices", {"status": "completed", "paid_at": AT}, "(paid_at IS NULL) = (paid_on IS NULL)",
                     id="a moment of payment without its day"),
        pytest.param("invoices", {"fee_minor": 4901}, "fee_minor BETWEEN 0 AND amount_minor",
                     id="a commission above the amount"),
        pytest.param("invoices", {"refunded_minor": 4901}, "refunded_minor BETWEEN 0 AND amount_minor",
                     id="more given back than was paid"),
        pytest.param("attempts", {"status": "unknown"}, "status IN", id="an attempt in an unknown status"),
        pytest.param("attempts", {"kind": "gift"}, "kind IN", id="an attempt of an unknown kind"),
        pytest.param("attempts", {"settled_at": AT}, "(settled_at IS NULL) = (status = 'live')",
                     id="a live attempt that is settled"),
        pytest.param("attempts", {"status": "declined"}, "(settled_at IS NULL) = (status = 'live')",
                     id="a settled attempt without its moment"),
        pytest.param("attempts", {"number": 0}, "number >= 1", id="a zeroth attempt"),
        pytest.param("refunds", {"amount_minor": 0}, "amount_minor BETWEEN 1", id="a refund of nothing"),
        # The catalogue
        pytest.param("offers", {"every_count": 1}, "(every_count IS NULL) = (every_unit IS NULL)",
                     id="half an interval"),
        pytest.param("offers", {"payments_total": 3}, "payments_total IS NULL OR every_count IS NOT NULL",
                     id="a number of payments without an interval"),
        pytest.param("offers", {"every_count": 1, "every_unit": "day"},
                     "(every_count IS NULL) = (retry_after IS NULL)",
                     id="a recurring offer without retries"),
        pytest.param("offers", {"partial_success_ppm": 1_000_001}, "partial_success_ppm BETWEEN",
                     id="a success share above 100 %"),
        pytest.param("offers", {"partial_min_ppm": -1}, "partial_min_ppm BETWEEN", id="a first payment below 0 %"),
        pytest.param("offers", {"name": ""}, "name <> ''", id="an offer without a name"),
        pytest.param("categories", {"number": ""}, "number <> ''", id="a category without a number"),
        pytest.param("customers", {"name": ""}, "name <> ''", id="a customer without a name"),
        pytest.param("customers", {"source": "shop"}, "(source IS NULL) = (source_id IS NULL)",
                     id="a customer's shop without the number there"),
        pytest.param("customers", {"active": 2}, "active IN (0, 1)", id="a flag that is neither 0 nor 1"),
        pytest.param("payment_systems", {"fee_fixed_minor": 30}, "fee_fixed_minor IS NULL OR currency IS NOT NULL",
                     id="a fixed fee without its currency"),
        pytest.param("payment_systems", {"fee_ppm": 1_000_001}, "fee_ppm BETWEEN", id="a fee above 100 %"),
    ],
)  # fmt: skip
def test_a_row_that_cannot_be_is_refused(rows: Rows, table: str, columns: dict[str, Any], refused_by: str) -> None:
    if columns.get("recurring_id"):
        rows.add("recurring")
    with refused(rows.house, refused_by):
        rows.add(table, **columns)


@contextmanager
def refused(house: House, by: str) -> Iterator[None]:
    """Check that a row is refused by the constraint with the text ``by``; a server says its name, so by its columns."""
    with pytest.raises(sqlite3.IntegrityError) as caught:
        yield
    if not house.url:
        assert by in str(caught.value)
    elif "FOREIGN KEY" in by:
        assert "violates foreign key constraint" in str(caught.value)
    else:
        words = set(re.findall(r"\b[a-z_]+\b(?![.(])", re.sub(r"'\w+'", "", by)))
        assert words <= inside.refused_by(house.connection, caught.value), by


@pytest.mark.parametrize(
    ("table", "first", "second", "columns"),
    [
        pytest.param("orders", {"payment_number": 2, "due_at": AT}, {"payment_number": 2, "due_at": LATER},
                     "orders.recurring_id, orders.payment_number", id="a second order of one planned payment (I1)"),
        pytest.param("orders", {"payment_number": 2, "due_at": AT}, {"payment_number": 3, "due_at": AT},
                     "orders.recurring_id, orders.due_at", id="a second order in one schedule window (I1)"),
        pytest.param("attempts", {"number": 1, "reference": "a"}, {"number": 2, "reference": "b"},
                     "attempts.invoice_id", id="a second live attempt of one invoice"),
        pytest.param("attempts", {"number": 1, "kind": "charge"}, {"number": 1, "kind": "refund"},
                     "attempts.invoice_id", id="a refund of an invoice while its charge is live"),
        pytest.param("attempts", {"status": "declined", "settled_at": AT}, {"status": "declined", "settled_at": AT},
                     "attempts.invoice_id, attempts.kind, attempts.number", id="a second first attempt of one invoice"),
        pytest.param("invoices", {"ordinal": 2}, {"ordinal": 2}, "invoices.order_id, invoices.ordinal",
                     id="a second second invoice of one order"),
    ],
)  # fmt: skip
def test_a_second_row_beside_the_first_is_refused(
    rows: Rows, table: str, first: dict[str, Any], second: dict[str, Any], columns: str
) -> None:
    parents: dict[str, dict[str, Any]] = {
        "orders": {"recurring_id": rows.add("recurring")},
        "invoices": {"order_id": rows.add("orders")},
        "attempts": {"invoice_id": rows.add("invoices")},
    }
    rows.add(table, **parents[table], **first)
    with refused(rows.house, columns):
        rows.add(table, **parents[table], **second)


def test_a_recurring_order_has_one_live_attempt_over_all_its_invoices(rows: Rows) -> None:
    recurring = rows.add("recurring")
    rows.add("attempts", recurring_id=recurring)
    with refused(rows.house, "attempts.recurring_id"):
        rows.add("attempts", recurring_id=recurring)


def test_after_an_attempt_is_settled_the_next_may_be_live(rows: Rows) -> None:
    recurring, invoice = rows.add("recurring"), rows.add("invoices")
    same = {"recurring_id": recurring, "invoice_id": invoice}
    rows.add("attempts", **same, number=1, status="declined", settled_at=AT)
    assert rows.add("attempts", **same, number=2)


def test_regular_orders_have_no_windows_to_share(rows: Rows) -> None:
    rows.add("orders")
    assert rows.add("orders")


def test_two_recurring_orders_have_windows_of_their_own(rows: Rows) -> None:
    one, other = rows.add("recurring"), rows.add("recurring")
    rows.add("orders", recurring_id=one, payment_number=2, due_at=AT)
    assert rows.add("orders", recurring_id=other, payment_number=2, due_at=AT)


@pytest.mark.parametrize(
    ("table", "columns"),
    [
        pytest.param("orders", {"uid": "u"}, id="an order's uid"),
        pytest.param("orders", {"source_number": "7", "source": "shop"}, id="an imported order"),
        pytest.param("recurring", {"uid": "u"}, id="a recurring order's uid"),
        pytest.param("recurring", {"source": "shop", "source_number": "7"}, id="an imported recurring order"),
        pytest.param("attempts", {"reference": "r"}, id="a reference"),
        pytest.param("offers", {"number": "7"}, id="an offer's number"),
        pytest.param("categories", {"number": "7"}, id="a category's number"),
        pytest.param("payment_systems", {"name": "Bank"}, id="a payment system's name"),
        pytest.param("customers", {"source_id": "7", "source": "shop"}, id="a customer's number elsewhere"),
        pytest.param("users", {"login": "ivan"}, id="a login"),
    ],
)
def test_what_names_one_record_cannot_name_another(rows: Rows, table: str, columns: dict[str, str]) -> None:
    rows.add(table, **columns)
    names = ", ".join(f"{table}.{name}" for name in columns)
    with refused(rows.house, names):
        rows.add(table, **columns)


@pytest.mark.parametrize("table", ["orders", "invoices", "recurring", "customers", "offers"])
def test_a_number_is_never_given_again(rows: Rows, table: str) -> None:
    last = rows.add(table)
    rows.house.connection.execute(f"DELETE FROM {table} WHERE id = ?", (last,))
    assert rows.add(table) > last


def test_a_record_that_others_name_cannot_be_deleted(rows: Rows) -> None:
    order = rows.add("orders")
    rows.add("invoices", order_id=order)
    with refused(rows.house, "FOREIGN KEY"):
        rows.house.connection.execute("DELETE FROM orders WHERE id = ?", (order,))


def test_ten_is_as_much_in_every_currency(house: House) -> None:
    for currency in money.EXPONENTS:
        sql = f"SELECT {schema.comparable(':minor', ':currency')}"
        values = {"minor": money.parse("10", currency), "currency": currency}
        assert house.connection.execute(sql, values).fetchone()[0] == 100_000, currency


def test_a_payment_counts_with_what_its_order_costs_now(rows: Rows) -> None:
    rows.add("invoices", paid_at=AT, paid_on=ON, status="completed")

    def known() -> int:
        return int(rows.house.connection.execute("SELECT price_e4 FROM facts").fetchone()[0])

    assert known() == 490_000
    rows.house.connection.execute("UPDATE orders SET unit_price_minor = 5000, price_minor = 5000")
    assert known() == 500_000
    rows.house.connection.execute("UPDATE orders SET currency = 'JPY'")
    assert known() == 50_000_000


@pytest.mark.parametrize(
    "statement",
    [
        pytest.param("UPDATE history SET what = 'forged'", id="changed"),
        pytest.param("UPDATE history SET id = id + 100", id="renumbered"),
        pytest.param("DELETE FROM history", id="deleted"),
        pytest.param(
            "INSERT OR REPLACE INTO history (id, at, user_id, by_system, subject, what, changes)"
            " SELECT id, at, user_id, by_system, subject, 'forged', changes FROM history",
            id="replaced",
            marks=pytest.mark.of_files("a statement of SQLite's"),
        ),
        pytest.param(
            "INSERT INTO history (id, at, user_id, by_system, subject, what, changes)"
            " SELECT id, at, user_id, by_system, subject, what, changes FROM history WHERE true"
            " ON CONFLICT (id) DO UPDATE SET what = 'forged'",
            id="upserted",
        ),
    ],
)
def test_history_cannot_be(house: House, statement: str) -> None:
    history.record(house.work, "file", None, "made")
    before = house.history("file", None)
    with pytest.raises(sqlite3.IntegrityError, match="history is append-only"):
        house.connection.execute(statement)
    assert house.history("file", None) == before


def test_a_line_of_history_says_who_what_when_and_why(house: House) -> None:
    changes = {"status": ("open", "completed"), "price_minor": (4900, 4900), "manager_id": (None, 2)}
    about = house.now - timedelta(days=30)
    history.record(house.work.at(about).as_system(), "order", 7, "confirmed", changes, reason="оплачено")
    (line,) = house.history("order", 7)
    assert line == {
        "id": line["id"],
        "at": stored(about),
        "written_at": stored(house.now),
        "user_id": house.actor.user_id,
        "by_system": 1,
        "for_user_id": None,
        "command": None,
        "subject": "order",
        "subject_id": 7,
        "what": "confirmed",
        "changes": {"status": ["open", "completed"], "manager_id": [None, 2]},  # what did not change is left out
        "reason": "оплачено",
    }


@pytest.mark.of_files("a server's tables always are")
def test_every_table_of_rows_is_strict(house: House) -> None:
    listed = house.connection.execute("PRAGMA table_list").fetchall()
    loose = {row["name"] for row in listed if row["type"] == "table" and not row["strict"]}
    assert loose <= {"_sqlite_migrations", "sqlite_schema", "sqlite_temp_schema", "sqlite_sequence"}


def test_statements_are_split_where_they_end_and_not_inside_a_trigger() -> None:
    script = """
CREATE TABLE a (
  b TEXT  -- a comment; with a semicolon
);
CREATE TRIGGER c AFTER INSERT ON a BEGIN
  SELECT 1;
  SELECT 2;
END;
"""
    connection = sqlite3.connect(":memory:")
    for statement in steps.statements(script):
        connection.execute(statement)
    assert [row[0] for row in connection.execute("SELECT name FROM sqlite_schema ORDER BY name")] == ["a", "c"]
    connection.close()


def test_the_price_of_a_payment_is_what_the_program_compares_by(rows: Rows) -> None:
    rows.add("invoices", paid_at=AT, paid_on=ON, status="completed")
    connection = rows.house.connection
    for currency in money.EXPONENTS:
        connection.execute("UPDATE orders SET currency = ?", (currency,))
        counted = schema.comparable("o.price_minor", "o.currency")
        sql = f"SELECT f.price_e4, {counted} FROM facts f JOIN orders o ON o.id = f.order_id"
        stored, counted = connection.execute(sql).fetchone()
        assert stored == counted, "a change of it needs a migration"
