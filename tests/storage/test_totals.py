"""Totals kept by triggers: after any changes they are what the rows come to, and reports by either are the same."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Callable, Iterator
from datetime import date, timedelta
from itertools import count
from typing import Any, get_args

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from salescli.charging import by_hand
from salescli.errors import NotPermitted
from salescli.lists.filters import Filters
from salescli.overview import doctor
from salescli.reports import by_facts, by_rows, by_totals, report
from salescli.reports.dimensions import SALES, Counts
from salescli.reports.questions import Basis, Question
from salescli.reports.report import BREAKDOWNS
from salescli.storage import totals
from salescli.storage.postgres import sums
from salescli.storage.schema import comparable
from salescli.storage.work import Work
from tests import inside
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
NARROWED: tuple[dict[str, Any], ...] = (
    {"customer": ("Олена",)},
    {"offer": ("10", "20"), "manager": ("ivan",)},
    {"manager": ("ivan", "system")},
    {"search": ("dra",)},
    {"category": ("1",)},
    {"payment_system": ("Sandbox",)},
    {"payment_system": ("Sandbox", "Bank transfer")},
    {"least": "20", "most": "100"},
    {"least": "20", "payment_system": ("Sandbox",), "status": ("completed", "refund")},
    {"most": "100", "currency": ("EUR",), "kind": ("recurring",)},
    {"most": "100", "category": ("1",), "payment_type": ("full",), "confirmed": False},
)
DIMENSIONS = ((), ("offer",), ("category",), ("manager",), ("manager", "confirmed"), ("sale",))
COLUMNS = ("period", "currency", "orders", "payments", "quantity", "gross", "fee", "unknown", "refunded")
_PARTS = ("pay a part", "pay a part in dollars", "refund", "refund a part") * 2
_numbers = count()

acts = st.lists(st.tuples(st.sampled_from(sorted(ACTS)), st.integers(0, 23)), min_size=1, max_size=25)
several_houses = settings(max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture])


def questions(shop: Shop) -> Iterator[Question]:
    """Yield questions that the totals must be able to answer, of whole months and all time, and others."""
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


def the_same_as_by_the_rows(shop: Shop, asked: Question, *, carried: bool = False) -> None:
    """Assert that the facts answer a question as the rows do, and so the totals, which must if ``carried``."""
    connection = shop.house.connection
    compared = [name for name in COLUMNS if name not in ("orders", "payments", "quantity")]
    compared += ["payments"] if asked.counts == "payments" else ["orders", "quantity"]
    told = []
    for query in (source.query(connection, asked) for source in (by_rows, by_facts, by_totals)):
        rows = connection.execute(*query).fetchall() if query else []
        told.append(sorted((tuple(row[name] for name in (*asked.dimensions, *compared)) for row in rows), key=repr))
        if query is None:
            assert not carried
            told.pop()
    assert all(answer == told[0] for answer in told), asked


def the_same_bridge(shop: Shop, filters: Filters) -> None:
    """Assert that the bridge by the facts, and by the totals where they carry it, is the one by the rows."""
    connection, zone = shop.house.connection, shop.house.zone
    queries = [source.bridge(connection, filters, zone) for source in (by_rows, by_facts, by_totals)]
    told = [[dict(row) for row in connection.execute(*query) if any(tuple(row)[1:])] for query in queries if query]
    assert all(answer == told[0] for answer in told), filters


def all_agrees(shop: Shop) -> None:
    """Assert (a) the tables, (b) the reports by each source, (c) B9 and (d) the bridge."""
    assert list(totals.differences(shop.house.connection)) == []
    price = comparable("o.price_minor", "o.currency")
    assert shop.house.count("facts t JOIN orders o ON o.id = t.order_id", f"t.price_e4 <> {price}") == 0
    for asked in questions(shop):
        whole = any(asked.filters[1:3] == period[1:3] for period in PERIODS[:2])
        the_same_as_by_the_rows(shop, asked, carried=whole and asked.cut < totals.DAY)
    for period in PERIODS:
        for narrowing in (*CARRIED, *NARROWED):
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
    " SELECT min(id), 1, min(currency), 1774864800, 20260330 FROM invoices WHERE paid_at IS NOT NULL",
    "UPDATE refunds SET refunded_on = 20260331",
    "UPDATE invoices SET amount_minor = amount_minor + 1, paid_on = 20260330 WHERE paid_at IS NOT NULL",
    "UPDATE orders SET quantity = 3, unit_price_minor = NULL, manager_id = NULL",
    "DELETE FROM refunds",
    "DELETE FROM attempts",
    "DELETE FROM invoices WHERE id = (SELECT min(id) FROM invoices WHERE paid_at IS NOT NULL)",
)
TRIGGERS = (
    *(
        f"totals_{table}_{moment}_{event}"
        for table in ("orders", "invoices", "refunds")
        for event in ("insert", "update", "delete")
        for moment in ("before", "after")
        if table == "invoices" or (moment, event) not in (("before", "insert"), ("after", "delete"))
    ),
    "totals_facts_after_insert",
    "totals_facts_before_delete",
)


# Of a completed order without a payment, by its id: what is done to it. Each shows that one trigger is missing.
_PAY = (
    "INSERT INTO invoices (order_id, ordinal, status, amount_minor, currency, share_minor, attempted_at, paid_at,"
    " paid_on) VALUES (:id, 1, 'completed', 5, 'EUR', 5, 1774864800, 1774864800, 20260330)"
)
AFTERWARDS = (
    (),
    (_PAY,),
    ("UPDATE orders SET completed_on = 20260329 WHERE id = :id",),
    (_PAY, "UPDATE invoices SET amount_minor = 6 WHERE order_id = :id"),
    (_PAY, "DELETE FROM invoices WHERE order_id = :id"),
    (
        _PAY,
        "INSERT INTO refunds (invoice_id, amount_minor, currency, refunded_at, refunded_on)"
        " SELECT id, 1, 'EUR', 1774864800, 20260330 FROM invoices WHERE order_id = :id",
    ),
    (
        _PAY,
        "INSERT INTO refunds (invoice_id, amount_minor, currency, refunded_at, refunded_on)"
        " SELECT id, 1, 'EUR', 1774864800, 20260330 FROM invoices WHERE order_id = :id",
        "UPDATE refunds SET amount_minor = 2 WHERE invoice_id IN (SELECT id FROM invoices WHERE order_id = :id)",
    ),
)


def change_by_hand(connection: sqlite3.Connection) -> None:
    """Change and delete rows of every table as no operation does, and insert completed orders."""
    inside.without_references(connection)
    for sql in CHANGES:
        assert connection.execute(sql).rowcount, sql
    for number, changes in enumerate(AFTERWARDS):
        order = connection.execute(
            "INSERT INTO orders (uid, customer_id, offer_id, offer_name, offer_number, status, quantity, price_minor,"
            " currency, created_at, created_on, completed_at, completed_on) VALUES (?, 1, 1, '', '', 'completed', 1,"
            " 0, 'EUR', 1774864800, 20260330, 1774864800, 20260330)",
            (f"x{number}",),
        )
        for sql in changes:
            assert connection.execute(sql, {"id": order.lastrowid}).rowcount, sql
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


@pytest.mark.of_files("a view's text is changed, which a server words anew")
@pytest.mark.parametrize(
    ("text", "instead"),
    [
        pytest.param("x.currency AS currency", "o.currency AS currency", id="the order's currency"),
        pytest.param("o.category_id AS category_id", "NULL AS category_id", id="no category"),
        pytest.param("CASE WHEN o.completed_on IS NOT NULL", "CASE WHEN 1", id="orders that were not completed"),
        pytest.param("((x.refunded_on << 34)", "((i.paid_on << 34)", id="the day of the payment"),
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
    connection.execute("DROP VIEW counted_refunds")
    connection.execute(sql)
    assert list(totals.differences(connection))


def test_a_fact_that_is_missing_and_one_that_tells_of_nothing_are_both_noticed(shop: Shop) -> None:
    connection = shop.house.connection
    columns = ", ".join(totals.FACTS)
    last = connection.execute("SELECT max(id) FROM facts").fetchone()[0]
    connection.execute(f"INSERT INTO facts (id, {columns}) SELECT id + 4, {columns} FROM facts WHERE id = ?", (last,))
    assert _wrong_facts(shop) == [(0, 1)]
    connection.execute("DELETE FROM facts WHERE id = ?", (last,))
    assert sorted(_wrong_facts(shop)) == [(0, 1), (1, 0)]  # as many as there should be
    assert totals.rebuild(shop.work) > 0
    assert _wrong_facts(shop) == []


def _wrong_facts(shop: Shop) -> list[tuple[object, object]]:
    """Return of each fact that is wrong how often it is counted and stored."""
    found = totals.differences(shop.house.connection)
    return [(wrong.counted, wrong.stored) for wrong in found if (wrong.dimension, wrong.sum) == ("order", "events")]


@pytest.mark.parametrize("trigger", TRIGGERS)
def test_doctor_notices_each_trigger_that_is_missing(shop: Shop, trigger: str) -> None:
    if shop.house.url and trigger in sums.OF_A_FILE:
        trigger = f"facts_{trigger.rpartition('_')[2]}"
    inside.drop_trigger(shop.house.connection, trigger)
    change_by_hand(shop.house.connection)
    found = doctor.examine(shop.house.connection, shop.now, shop.house.zone)
    assert "totals" in {finding.check for finding in found}


def test_every_trigger_of_the_totals_is_known_to_the_test_above(house: House) -> None:
    kept = {name for name in inside.triggers(house.connection) if name.startswith("totals_")}
    known = {*TRIGGERS} - sums.OF_A_FILE | {"totals_one_writer"} if house.url else {*TRIGGERS}
    assert kept == known


def test_rebuilding_rights_what_is_wrong_and_says_how_much_was(shop: Shop) -> None:
    connection = shop.house.connection
    connection.execute("UPDATE totals SET gross = gross + 1 WHERE grain = 7 AND dimension = 'offer' AND orders > 0")
    found = [finding for finding in doctor.examine(connection, shop.now, shop.house.zone) if finding.check == "totals"]
    assert found[0].what.startswith("totals of offer 1, 2026-02, ")
    assert totals.rebuild(shop.work) > 0
    assert totals.rebuild(shop.work) == 0
    assert shop.house.history("file", None)[-2]["what"] == "totals rebuilt"
    all_agrees(shop)


def test_totals_rebuilt_are_those_that_the_triggers_kept(shop: Shop) -> None:
    def kept() -> set[tuple[Any, ...]]:
        return {tuple(row) for row in shop.house.connection.execute("SELECT * FROM totals WHERE events <> 0")}

    before = kept()
    totals.rebuild(shop.work)
    assert kept() == before
    if not shop.house.url:  # there nobody but its owner may delete a row
        assert shop.house.count("totals", "events = 0") == 0


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (
            "UPDATE facts SET gross = gross + 1 WHERE order_id = 1",
            r"totals of order 1, 2026-02-\d\d, EUR: gross",
        ),
        ("UPDATE facts SET customer_id = 9 WHERE order_id = 1", "totals of order 1, .* customer_id is 9, the rows"),
        ("DELETE FROM facts WHERE order_id = 1", "totals of order 1, .* events is 0, the rows add up to 1"),
        ("UPDATE facts SET id = id + (1 << 34) WHERE order_id = 1", "totals of order 1, .* events is 0, the rows .* 1"),
    ],
)
def test_a_fact_that_is_wrong_is_named_and_righted(shop: Shop, change: str, says: str) -> None:
    connection = shop.house.connection
    assert connection.execute(change).rowcount
    found = [finding for finding in doctor.examine(connection, shop.now, shop.house.zone) if finding.check == "totals"]
    assert any(re.match(says, finding.what) for finding in found), found
    assert totals.rebuild(shop.work) > 0
    all_agrees(shop)


def test_rebuilding_needs_a_permission(shop: Shop) -> None:
    with pytest.raises(NotPermitted):
        totals.rebuild(Work(shop.house.connection, shop.house.user("olha"), shop.now, shop.house.zone))


@pytest.mark.parametrize("few", [0, 1000])
@pytest.mark.parametrize("narrowing", NARROWED, ids=str)
def test_facts_answer_any_filter_as_the_rows_do(
    shop: Shop, narrowing: dict[str, Any], few: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(by_facts, "_FEW", few)
    asked: tuple[tuple[tuple[str, ...], Counts], ...] = (
        (("manager",), "orders"),
        (("offer", "category"), "orders"),
        (("payment_system",), "payments"),
        (("sale", "offer"), "payments"),
    )
    for names, counts in asked:
        for period in (*PERIODS, Filters(first_day=date(2026, 3, 9), last_day=date(2026, 3, 10))):
            filters = Filters(**narrowing)._replace(first_day=period.first_day, last_day=period.last_day)
            for basis in get_args(Basis):
                for cut in (0, 7, 10):
                    the_same_as_by_the_rows(shop, Question(names, counts, filters, shop.house.zone, basis, cut))


@pytest.mark.of_files("SQLite's plan")
def test_refunds_are_compared_without_looking_for_them_at_every_payment(shop: Shop) -> None:
    connection = shop.house.connection
    with inside.asked(connection) as ran:
        assert not list(totals.differences(connection))
    [comparison] = [sql for sql in ran if "counted_refunds" in sql]
    plan = [row["detail"] for row in connection.execute(f"EXPLAIN QUERY PLAN {comparison}")]
    assert "SEARCH x USING INTEGER PRIMARY KEY (rowid>?)" in plan, plan


@pytest.mark.of_files("SQLite's plan")
@pytest.mark.parametrize("counts", ["orders", "payments"])
def test_a_period_is_a_range_of_the_facts(shop: Shop, counts: Counts) -> None:
    connection = shop.house.connection
    march = Filters(first_day=date(2026, 3, 9), last_day=date(2026, 3, 9), least="20")
    sql, values = by_facts.query(connection, Question((), counts, march, shop.house.zone))
    plan = [row["detail"] for row in connection.execute(f"EXPLAIN QUERY PLAN {sql}", values)]
    reads = [line for line in plan if line.startswith(("SEARCH", "SCAN t"))]
    by_days = "SEARCH t USING INTEGER PRIMARY KEY (rowid>? AND rowid<?)"
    elsewhere = "SEARCH t USING INDEX facts_elsewhere (completed>? AND completed<?)"
    assert reads == ([by_days, elsewhere] if counts == "orders" else [by_days])
