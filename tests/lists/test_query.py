"""Pages by ``--after``: one after the other they are the list, whatever it is sorted by, at one cost."""

from __future__ import annotations

import itertools
import random
import sqlite3
from collections.abc import Iterator
from datetime import datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from salescli.errors import NotFound
from salescli.lists import (
    attempts,
    categories,
    customers,
    filters,
    offers,
    orders,
    payment_systems,
    payments,
    query,
    recurring,
    roles,
    sales_plans,
    users,
)  # fmt: skip
from salescli.lists.columns import View
from salescli.lists.filters import Filters
from salescli.lists.query import Page
from salescli.rules import time
from salescli.storage import database
from tests.conftest import House

VIEWS = (
    orders.VIEW, payments.VIEW, recurring.VIEW, attempts.VIEW, customers.VIEW, offers.VIEW, categories.VIEW,
    payment_systems.VIEW, users.VIEW, roles.VIEW, sales_plans.VIEW,
)  # fmt: skip

EVERYTHING = Filters()


@pytest.fixture
def full(house: House) -> House:
    """A house of seventeen of everything: few different moments, names and amounts, and many that are not known."""
    with database.transaction(house.connection):
        fill(house.connection, 17)
    return house


def fill(connection: sqlite3.Connection, size: int) -> None:
    pick, began = random.Random(size).choice, 1_769_900_000  # the last day of January 2026

    def moment() -> int:
        return began + pick([1, 2, 3]) * 24 * 3600

    # fmt: off
    for n in range(1, size + 1):
        shared = {"name": pick(["Олена", "Ivan", "=1+1", "ivan"]), "active": pick([0, 1]), "created_at": moment()}
        sold = {"customer_id": pick([1, n]), "offer_id": pick([1, n]), "offer_name": pick(["Course", "курс"]),
                "currency": pick(["EUR", "USD"]), "price_minor": pick([900, 900, 1000]), "quantity": 1,
                "created_at": moment()}
        status, at = pick([("open", None), ("declined", None), ("completed", moment())])
        day = at and 20260201
        rows: dict[str, dict[str, Any]] = {
            "users": {"login": pick([None, f"login{n}"]), **shared},
            "roles": {"name": f"role {n}", "permissions": pick(["view", "view reports"]), "created_at": moment()},
            "categories": {"number": str(n), **shared},
            "offers": {"number": str(n), "category_id": pick([None, 1]), "price_minor": pick([None, 5, 70]),
                       "currency": pick(["EUR", "JPY"]), **shared},
            "customers": {"email": pick([None, "a@example.com"]), "phone": pick([None, "+380"]), **shared},
            "payment_systems": {"gateway": "manual", "fee_ppm": pick([None, 29_000]), **shared, "name": f"System {n}"},
            "recurring": {"uid": f"r{n}", "payment_system_id": pick([1, n]), "status": "failed", "every_count": 1,
                          "every_unit": "month", "retry_after": "8h,24h", "payments_made": 1,
                          "payments_total": pick([None, 3, 12]), "last_error": pick([None, "no"]),
                          "anchor_at": moment(), **sold},
            "orders": {"uid": f"o{n}", "offer_number": "1", "status": status, "category_number": pick([None, "1"]),
                       "manager_id": pick([None, 1, n]), "created_on": 20260201, "completed_at": at,
                       "completed_on": day, **sold},
            "invoices": {"order_id": n, "ordinal": 1, "status": status, "amount_minor": 900, "currency": "EUR",
                         "share_minor": pick([300, 900]), "fee_minor": pick([None, 0, 20]),
                         "payment_system_id": pick([None, 1]), "attempted_at": moment(), "paid_at": at, "paid_on": day},
            "attempts": {"kind": "charge", "invoice_id": n, "number": 1, "reference": f"a{n}", "payment_system_id": 1,
                         "customer_id": sold["customer_id"], "amount_minor": pick([1, 2]), "currency": "EUR",
                         "status": "declined", "owned_at": moment(), "started_at": moment(),
                         "settled_at": moment(), "code": pick([None, "card_declined"])},
            "sales_plans": {"customer_id": 1, "offer_id": pick([1, n]), "manager_id": 1, "order_id": pick([None, n]),
                            "marked_at": moment()},
        }
        for table, values in rows.items():
            database.insert(connection, table, values)
    # fmt: on


def _names(house: House, view: View, sort: tuple[str, ...], filters: Filters = EVERYTHING, **page: Any) -> list[Any]:
    """Return what the rows of a list are called, in its order."""
    asked = Page([], sort, **page)
    rows = query.select(house.connection, view, filters, asked, zone=house.zone, actor=house.actor)
    return [row[view.columns[0].key] for row in rows]


def _walked(house: House, view: View, sort: tuple[str, ...], size: int, filters: Filters = EVERYTHING) -> Iterator[Any]:
    """Yield the same page by page, going on after the last row of the page before."""
    after = None
    for _ in range(100):
        page = _names(house, view, sort, filters, limit=size, after=after)
        yield from page
        if not page:
            return
        after = str(page[-1])
    raise AssertionError("the pages do not end")


@pytest.mark.parametrize("view", [pytest.param(view, id=view.name) for view in VIEWS])
def test_the_pages_of_a_list_are_the_list_whatever_column_it_is_sorted_by(full: House, view: View) -> None:
    keys = [column.key for column in view.columns if column.sql]
    sorts = [(), *((f"{sign}{key}",) for key in keys for sign in ("", "-"))]

    for sort, size in itertools.product(sorts, (1, 3, 16)):
        whole = _names(full, view, sort)
        assert len(whole) >= 17
        assert list(_walked(full, view, sort, size)) == whole, (sort, size)


KEYS = [column.key for column in orders.VIEW.columns if column.sql]


@given(
    sort=st.lists(st.builds("{}{}".format, st.sampled_from(["", "-"]), st.sampled_from(KEYS)), max_size=3).map(tuple),
    size=st.integers(1, 18),
    filters=st.sampled_from(
        [
            Filters(),
            Filters(status=("open",)),
            Filters(status=("open", "completed")),
            Filters(offer=("1",)),
            Filters(offer=("1", "3"), manager=("login1", "system")),
        ]
    ),
    view=st.sampled_from([orders.VIEW, payments.VIEW]),
)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_the_pages_are_the_list_with_several_columns_and_filters(
    full: House, sort: tuple[str, ...], size: int, filters: Filters, view: View
) -> None:
    sort = tuple(key for key in sort if key.removeprefix("-") in [column.key for column in view.columns if column.sql])
    assert list(_walked(full, view, sort, size, filters)) == _names(full, view, sort, filters)


def test_a_page_goes_on_after_a_row_that_left_the_filters_meanwhile(full: House) -> None:
    still_open = Filters(status=("open",))
    first, *rest = _names(full, orders.VIEW, (), still_open)
    full.connection.execute("UPDATE orders SET status = 'declined' WHERE id = ?", (first,))

    assert _names(full, orders.VIEW, (), still_open, after=str(first)) == rest


@pytest.mark.parametrize("after", ["99", "nonsense", ""])
def test_a_page_after_nothing_there_is_refused(full: House, after: str) -> None:
    with pytest.raises(NotFound, match="continue after"):
        _names(full, orders.VIEW, (), after=after)


@pytest.mark.parametrize("view", [pytest.param(view, id=view.name) for view in (orders.VIEW, payments.VIEW)])
@pytest.mark.parametrize("kind", ["regular", "all"])
@pytest.mark.of_files("SQLite's steps")
def test_a_page_costs_the_same_however_deep_it_is_and_however_long_the_list(
    house: House, view: View, kind: str
) -> None:
    def steps(after: str | None = None) -> int:
        """Return how many steps SQLite's machine takes for a page of ten."""
        counted = itertools.count()
        house.connection.set_progress_handler(lambda: next(counted) and None, 1)
        assert len(_names(house, view, (), Filters(kind=(kind,)), limit=10, after=after)) == 10
        house.connection.set_progress_handler(None, 1)
        return next(counted)

    fill_orders(house, 100)
    short = steps()
    fill_orders(house, 1000)

    assert steps() < 1.2 * short
    assert steps(after="1000") < 2 * short  # the search for the place is some steps, too
    assert steps(after="30") < 2 * short


@pytest.mark.of_files("SQLite's plan")
def test_payments_of_an_offer_that_sells_much_are_not_sorted_for_a_page_of_them(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(filters, "MANY", 100)
    fill_orders(house, 200)
    popular = Filters(offer=("1",))
    ran: list[str] = []
    house.connection.set_trace_callback(ran.append)
    page = _names(house, payments.VIEW, (), popular, limit=10)
    house.connection.set_trace_callback(None)

    assert page == list(range(200, 190, -1))
    plan = [row["detail"] for row in house.connection.execute(f"EXPLAIN QUERY PLAN {ran[-1]}")]
    assert plan[:2] == ["CO-ROUTINE page", "SCAN i USING INDEX invoices_attempted"]


def test_payments_of_an_offer_that_sells_little_are_found_by_its_orders(house: House) -> None:
    fill_orders(house, 200)
    house.offer(number="2")
    house.connection.execute("UPDATE orders SET offer_id = 2 WHERE id IN (7, 8)")
    assert _names(house, payments.VIEW, (), Filters(offer=("2",)), limit=1) == [8]


def fill_orders(house: House, size: int) -> None:
    """Add orders and their invoices, each a minute after the one before."""
    if not house.count("offers"):
        house.offer()
        house.customer()
    first, began = house.count("orders"), datetime(2026, 1, 1, tzinfo=timezone.utc)
    house.connection.executemany(
        "INSERT INTO orders (uid, customer_id, offer_id, offer_name, offer_number, status, quantity, price_minor,"
        " currency, created_at, created_on) VALUES (?, 1, 1, 'Course', '1', 'open', 1, 900, 'EUR', ?, 20260101)",
        ((str(n), time.stored(began + timedelta(minutes=n))) for n in range(first, first + size)),
    )
    house.connection.execute(
        "INSERT INTO invoices (order_id, ordinal, status, amount_minor, currency, share_minor, attempted_at)"
        " SELECT id, 1, 'open', 900, 'EUR', 900, created_at FROM orders"
        " WHERE id > (SELECT count(*) FROM invoices) ORDER BY id"
    )
