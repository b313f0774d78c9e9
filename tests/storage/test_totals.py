"""Totals kept by triggers: after any changes they are what the rows come to, and reports by either are the same."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import date, timedelta
from itertools import count
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from salescli.charging import by_hand
from salescli.errors import NotPermitted
from salescli.lists.filters import Filters
from salescli.overview import doctor
from salescli.reports import by_rows as report_rows
from salescli.reports import by_totals, report
from salescli.reports.by_rows import Question
from salescli.reports.dimensions import SALES, Counts
from salescli.reports.report import BREAKDOWNS
from salescli.storage import totals
from salescli.storage.schema import comparable
from salescli.storage.work import Work
from tests.conftest import House
from tests.shop import ACTS, Shop

PERIODS = (
    Filters(),
    Filters(first_day=date(2026, 3, 1), last_day=date(2026, 3, 31)),
    Filters(first_day=date(2026, 2, 20), last_day=date(2026, 4, 10)),
    Filters(last_day=date(2026, 3, 5)),
)
CARRIED: tuple[dict[str, Any], ...] = (
    {},
    {"status": ("completed",)},
    {"status": ("open", "refund")},
    {"confirmed": True},
    {"confirmed": False},
    {"payment_type": ("partial",)},
    {"kind": ("recurring",)},
    {"currency": ("USD",)},
)
OF_ITS_OWN = (
    (("offer",), {"offer": ("10", "20")}),
    (("category",), {"category": ("1",)}),
    (("offer", "category"), {"offer": ("10",), "category": ("2",)}),
    (("manager",), {"manager": ("ivan",)}),
    (("sale",), {"manager": ("system", "maria")}),
    ((), {"category": ("1",), "kind": ("regular",)}),
)
DIMENSIONS = ((), ("offer",), ("category",), ("manager",), ("manager", "confirmed"), ("sale",))
COLUMNS = ("period", "currency", "orders", "payments", "quantity", "gross", "fee", "unknown", "refunded")
_PARTS = ("pay a part", "pay a part in dollars", "refund", "refund a part") * 2
_numbers = count()

acts = st.lists(st.tuples(st.sampled_from(sorted(ACTS)), st.integers(0, 23)), min_size=1, max_size=25)
several_houses = settings(max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture])


def questions(shop: Shop) -> Iterator[Question]:
    """Yield the questions that the totals must be able to answer."""
    for period in PERIODS:
        days = {"first_day": period.first_day, "last_day": period.last_day}
        for narrowing in CARRIED:
            filters = Filters(**narrowing, **days)  # type: ignore[arg-type]
            for cut in (0, 4, 7, 10) if not narrowing else (0,):
                yield from (Question(names, "orders", filters, shop.house.zone, cut=cut) for names in DIMENSIONS)
                yield Question(("payment_system",), "payments", filters, shop.house.zone, cut=cut)
                yield Question((), "payments", filters, shop.house.zone, cut=cut)
        for names, narrowing in OF_ITS_OWN:
            yield Question(names, "orders", Filters(**narrowing, **days), shop.house.zone)  # type: ignore[arg-type]
        through = Filters(payment_system=("Sandbox",), **days)  # type: ignore[arg-type]
        yield Question(("payment_system",), "payments", through, shop.house.zone)
        yield Question(("manager",), "orders", period, shop.house.zone, sales=SALES[:1])


def the_same_by_totals_and_rows(shop: Shop, asked: Question) -> None:
    """Assert that both sources answer a question alike."""
    connection = shop.house.connection
    compared = [name for name in COLUMNS if name not in ("orders", "payments", "quantity")]
    compared += ["payments"] if asked.counts == "payments" else ["orders", "quantity"]
    told = []
    for source in (by_totals, report_rows):
        query = source.query(connection, asked)
        assert query is not None, "the totals do not carry it"
        rows = connection.execute(*query).fetchall()
        told.append(sorted((tuple(row[name] for name in (*asked.dimensions, *compared)) for row in rows), key=repr))
    assert told[0] == told[1], asked


def the_same_bridge(shop: Shop, filters: Filters) -> None:
    """Assert that the bridge by the totals, where they carry it, is the one by the rows."""
    connection, zone = shop.house.connection, shop.house.zone
    query = by_totals.bridge(connection, filters, zone)
    if query is None:
        return
    told = [
        [tuple(row) for row in connection.execute(*source) if any(tuple(row)[1:])]
        for source in (query, report_rows.bridge(connection, filters, zone))
    ]
    assert told[0] == told[1], filters


def all_agrees(shop: Shop) -> None:
    """Assert (a) the tables, (b) the reports by either source, (c) B9 and (d) the bridge."""
    assert list(totals.differences(shop.house.connection)) == []
    assert (
        shop.house.count(
            "invoices i JOIN orders o ON o.id = i.order_id",
            f"i.price_e4 <> {comparable('o.price_minor', 'o.currency')}",
        )
        == 0
    )
    for asked in questions(shop):
        the_same_by_totals_and_rows(shop, asked)
    for period in PERIODS:
        for narrowing in CARRIED:
            days = {"first_day": period.first_day, "last_day": period.last_day}
            the_same_bridge(shop, Filters(**narrowing, **days))  # type: ignore[arg-type]
        report.statement(shop.house.connection, BREAKDOWNS, period, zone=shop.house.zone)  # asserts that it ties out


@several_houses
@given(acts=acts)
def test_totals_and_rows_agree_and_tie_out_after_any_changes(
    acts: list[tuple[str, int]], new_house: Callable[..., House]
) -> None:
    shop = Shop(new_house(f"shop-{next(_numbers)}.db"))
    for act, which in acts:
        shop.do(act, which)
        assert list(totals.differences(shop.house.connection)) == [], act
    all_agrees(shop)


def test_totals_and_rows_agree_and_tie_out_after_every_change_there_is(shop: Shop) -> None:
    for table in ("orders", "refunds", "recurring"):
        assert shop.house.count(table), f"a story without {table} shows nothing"
    assert shop.house.count("invoices", "ordinal > 1 AND paid_at IS NOT NULL")
    assert shop.house.count("orders o JOIN invoices i ON i.order_id = o.id", "o.currency <> i.currency")
    assert shop.house.count("orders", "completed_at IS NOT NULL AND status = 'refund'")
    by_hand = "invoices i JOIN payment_systems p ON p.id = i.payment_system_id"
    assert shop.house.count(by_hand, "p.gateway = 'manual' AND i.paid_at IS NOT NULL")
    assert shop.house.count(by_hand, "p.gateway = 'manual' AND i.status = 'declined'")
    all_agrees(shop)


CHANGES = (
    "INSERT INTO refunds (invoice_id, amount_minor, currency, refunded_at, refunded_on)"
    " SELECT min(id), 1, min(currency), '2026-03-30T10:00:00Z', '2026-03-30' FROM invoices WHERE paid_at IS NOT NULL",
    "UPDATE refunds SET refunded_on = '2026-03-31'",
    "UPDATE invoices SET amount_minor = amount_minor + 1, paid_on = '2026-03-30' WHERE paid_at IS NOT NULL",
    "UPDATE orders SET quantity = 3, unit_price_minor = NULL, manager_id = NULL",
    "DELETE FROM refunds",
    "DELETE FROM attempts",
    "DELETE FROM invoices WHERE id = (SELECT min(id) FROM invoices WHERE paid_at IS NOT NULL)",
)
TRIGGERS = tuple(
    f"totals_{table}_{moment}_{event}"
    for table in ("orders", "invoices", "refunds")
    for event in ("insert", "update", "delete")
    for moment in ("before", "after")
    if table == "invoices" or (moment, event) not in (("before", "insert"), ("after", "delete"))
)


def change_by_hand(connection: sqlite3.Connection) -> None:
    """Change and delete rows of every table as no operation does, and insert a completed order."""
    connection.execute("PRAGMA foreign_keys = OFF")
    for sql in CHANGES:
        assert connection.execute(sql).rowcount, sql
    connection.execute(
        "INSERT INTO orders (uid, customer_id, offer_id, offer_name, offer_number, status, quantity, price_minor,"
        " currency, created_at, created_on, completed_at, completed_on) VALUES ('x', 1, 1, '', '', 'completed', 1, 0,"
        " 'EUR', '2026-03-30T10:00:00Z', '2026-03-30', '2026-03-30T10:00:00Z', '2026-03-30')"
    )
    connection.execute(
        "INSERT INTO invoices (order_id, ordinal, status, amount_minor, currency, share_minor, attempted_at, paid_at,"
        " paid_on) VALUES (last_insert_rowid(), 1, 'completed', 5, 'EUR', 5, '2026-03-30T10:00:00Z',"
        " '2026-03-30T10:00:00Z', '2026-03-30')"
    )
    connection.execute("DELETE FROM orders WHERE id = (SELECT min(id) FROM orders WHERE completed_at IS NOT NULL)")


def test_totals_follow_changes_that_no_operation_makes(shop: Shop) -> None:
    change_by_hand(shop.house.connection)
    assert list(totals.differences(shop.house.connection)) == []


def refund_in_two_currencies(shop: Shop, became: str) -> None:
    """Pay an order in euros and dollars, let it become declined or completed, and refund a part of each payment."""
    order = shop.order("10", token="tok_ok", through="Sandbox", quantity=2)
    paid = {"token": "tok_ok", "payment_system": "Sandbox"}
    assert shop.pay(order, amount="25.00", **paid) == "succeeded"
    assert shop.pay(order, amount="5.00", currency="USD", rate="0.80", **paid) == "succeeded"
    if became == "declined":
        by_hand.decline(shop.work, order.id)
    else:
        assert shop.pay(order, **paid) == "succeeded"
    assert shop.see(order).status == became
    shop.now += timedelta(days=3)
    sql = "SELECT id FROM invoices WHERE order_id = ?"
    for (invoice,) in shop.house.connection.execute(sql, (order.id,)).fetchall():
        assert shop.refund(order, invoice=invoice, amount="1.00") == ["succeeded"]


@pytest.mark.parametrize("became", ["declined", "completed"])
def test_refunds_of_an_order_paid_in_two_currencies_are_counted(shop: Shop, became: str) -> None:
    refund_in_two_currencies(shop, became)
    assert list(totals.differences(shop.house.connection)) == []


@pytest.mark.parametrize(
    ("text", "instead"),
    [
        pytest.param("x.refunded_on, 'manager'", "x.refunded_on, 'offer'", id="another dimension"),
        pytest.param("o.offer_id AS key, x.currency", "o.offer_id AS key, o.currency", id="the order's currency"),
        pytest.param("coalesce(o.category_id, 0)", "0", id="no category"),
        pytest.param("o.completed_at IS NOT NULL", "i.paid_at IS NOT NULL", id="orders that were not completed"),
        pytest.param("THEN 10", "THEN 7", id="a day taken as a month"),
        pytest.param("x.refunded_on, 'payment_system'", "i.paid_on, 'payment_system'", id="the day of the payment"),
        pytest.param("x.amount_minor AS refunded", "i.amount_minor AS refunded", id="the whole payment"),
    ],
)
def test_refunds_counted_wrongly_are_noticed(shop: Shop, text: str, instead: str) -> None:
    connection = shop.house.connection
    sql = connection.execute("SELECT sql FROM sqlite_master WHERE name = 'counted_refunds'").fetchone()[0]
    assert text in sql, "mend this mutant"
    connection.execute("DROP VIEW counted_refunds")
    connection.execute(sql.replace(text, instead))
    for became in ("declined", "completed"):
        refund_in_two_currencies(shop, became)
    assert list(totals.differences(connection))


def test_a_refund_counts_as_the_same_by_itself_and_with_its_order(shop: Shop) -> None:
    columns = "dimension, day, key, currency, category_id, status, confirmed, partial, recurring, together, refunded"
    rows = [
        sorted(tuple(row) for row in shop.house.connection.execute(f"SELECT {columns} FROM {view}"))
        for view in ("counted_refunds", "counted WHERE refunded > 0")
    ]
    assert rows[0]
    assert rows[0] == rows[1]


@pytest.mark.parametrize("trigger", TRIGGERS)
def test_doctor_notices_each_trigger_that_is_missing(shop: Shop, trigger: str) -> None:
    shop.house.connection.execute(f"DROP TRIGGER {trigger}")
    change_by_hand(shop.house.connection)
    found = doctor.examine(shop.house.connection, shop.now, shop.house.zone)
    assert "totals" in {finding.check for finding in found}


def test_every_trigger_of_the_totals_is_known_to_the_test_above(house: House) -> None:
    sql = "SELECT name FROM sqlite_master WHERE type = 'trigger' AND name LIKE 'totals%'"
    assert {row["name"] for row in house.connection.execute(sql)} == set(TRIGGERS)


def test_rebuilding_rights_what_is_wrong_and_says_how_much_was(shop: Shop) -> None:
    connection = shop.house.connection
    connection.execute("UPDATE totals SET gross = gross + 1 WHERE grain = 10 AND dimension = 'offer' AND orders > 0")
    found = [finding for finding in doctor.examine(connection, shop.now, shop.house.zone) if finding.check == "totals"]
    assert found[0].what.startswith("totals of offer 1, 2026-02-")
    assert totals.rebuild(shop.work) > 0
    assert totals.rebuild(shop.work) == 0
    assert shop.house.history("file", None)[-2]["what"] == "totals rebuilt"
    all_agrees(shop)


def test_totals_rebuilt_are_those_that_the_triggers_kept(shop: Shop) -> None:
    kept = "SELECT * FROM totals WHERE events <> 0"
    before = [tuple(row) for row in shop.house.connection.execute(kept)]
    totals.rebuild(shop.work)
    assert [tuple(row) for row in shop.house.connection.execute("SELECT * FROM totals")] == before


def test_rebuilding_needs_a_permission(shop: Shop) -> None:
    with pytest.raises(NotPermitted):
        totals.rebuild(Work(shop.house.connection, shop.house.user("olha"), shop.now, shop.house.zone))


@pytest.mark.parametrize(
    "narrowing",
    [
        {"customer": ("Олена",)},
        {"offer": ("10",)},
        {"offer": ("10", "20"), "manager": ("ivan",)},
        {"manager": ("ivan",)},
        {"manager": ("ivan", "system")},
        {"search": ("dra",)},
        {"category": ("1",)},
        {"payment_system": ("Sandbox",)},
        {"least": "20", "most": "100"},
        {"least": "20", "payment_system": ("Sandbox",)},
        {"most": "100", "currency": ("EUR",)},
        {"most": "100", "category": ("1",)},
        {"payment_system": ("Sandbox",), "category": ("1",)},
    ],
    ids=str,
)
def test_a_period_by_the_rows_is_what_its_days_come_to(shop: Shop, narrowing: dict[str, Any]) -> None:
    asked: tuple[tuple[tuple[str, ...], Counts], ...] = ((("manager",), "orders"), (("payment_system",), "payments"))
    for names, counts in asked:
        by_day = Question(names, counts, Filters(**narrowing), shop.house.zone, cut=10)
        for period in (*PERIODS, Filters(first_day=date(2026, 3, 9), last_day=date(2026, 3, 10))):
            dated = by_day.filters._replace(first_day=period.first_day, last_day=period.last_day)
            first, last = (day and day.isoformat() for day in (period.first_day, period.last_day))
            within = [row for row in by_rows(shop, by_day) if (first or "") <= row["period"] <= (last or "9")]
            assert summed(by_rows(shop, replace(by_day, filters=dated, cut=0))) == summed(within), period


def by_rows(shop: Shop, asked: Question) -> list[sqlite3.Row]:
    return shop.house.connection.execute(*report_rows.query(shop.house.connection, asked)).fetchall()


def summed(rows: list[sqlite3.Row]) -> dict[tuple[Any, ...], list[int]]:
    """Return what the counts and the money of each group, whatever its period, add up to."""
    sums: dict[tuple[Any, ...], list[int]] = {}
    for row in rows:
        _, key, currency, *numbers = row
        sums[key, currency] = [a + b for a, b in zip(sums.get((key, currency), [0] * 7), numbers, strict=True)]
    return sums


@pytest.mark.parametrize(
    ("period", "index"),
    [
        pytest.param(Filters(first_day=date(2026, 3, 9), last_day=date(2026, 3, 9)), "orders_completed", id="a day"),
        pytest.param(Filters(first_day=date(2026, 1, 1)), "orders_manager", id="all days"),
    ],
)
def test_orders_of_a_manager_and_a_period_are_found_by_the_narrower(shop: Shop, period: Filters, index: str) -> None:
    connection = shop.house.connection
    filters = period._replace(manager=("ivan",))
    sql, values = report_rows.query(connection, Question(("category",), "orders", filters, shop.house.zone))
    plan = " ".join(row["detail"] for row in connection.execute(f"EXPLAIN QUERY PLAN {sql}", values))
    assert {"orders_completed", "orders_manager"} & set(plan.split()) == {index}


@pytest.mark.parametrize(
    ("filters", "tables"),
    [
        pytest.param(Filters(least="20"), ["SCAN i USING INDEX invoices_amounts"], id="one index by amounts"),
        pytest.param(
            Filters(least="20", kind=("regular",)),
            ["SCAN o", "SEARCH i USING INDEX sqlite_autoindex_invoices_1 (order_id=?)"],
            id="orders by what only they are",
        ),
    ],
)
def test_payments_are_found_in(shop: Shop, filters: Filters, tables: list[str]) -> None:
    connection = shop.house.connection
    asked = Question(("payment_system",), "payments", filters, shop.house.zone)
    sql, values = report_rows.query(connection, asked)
    plan = [row["detail"] for row in connection.execute(f"EXPLAIN QUERY PLAN {sql}", values)]
    assert [line for line in plan if "TEMP B-TREE" not in line] == tables
