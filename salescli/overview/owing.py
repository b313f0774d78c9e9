"""Who owes what: Open orders with something left to pay, the latest first, and how to reach their customers.

open orders + instalments → a list of orders → ``rows``: left, what is due by today, the next due day, days late;
``totals`` of all of them
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from itertools import chain, islice
from typing import Any

from salescli.lists import orders as order_list
from salescli.lists import query
from salescli.lists.columns import Column, View
from salescli.lists.filters import Filters, clauses
from salescli.lists.instalments import NEXT_DUE
from salescli.lists.query import Page
from salescli.rules import time
from salescli.storage.work import Work

# Payments of recurring orders are charged by tick, and listed by `recurring upcoming`.
# The order that began one is found by its number, since the index of open amounts knows no more of it.
_BEGAN = "o.id = (SELECT b.initial_order_id FROM recurring b WHERE b.id = o.recurring_id)"
_OWED = f"o.price_minor > o.paid_minor AND (o.recurring_id IS NULL OR {_BEGAN})"
_OPEN = "status = 'open' AND status <> 'completed'"  # as the index of those that are not Completed has it
_NEXT = f"CASE WHEN EXISTS (SELECT 1 FROM instalments) THEN {NEXT_DUE} END"  # many shops have none: it is asked once
_ORDERS = f"(SELECT o.*, {_NEXT} AS next_due FROM orders o WHERE {_OWED} AND {{which}})"
_ALL = _ORDERS.format(which=_OPEN)
_ADDED_UP = _ORDERS.format(which="status = 'open'")  # as the index that has all the amounts has it
_IN_PARTS = _ORDERS.format(which=f"{_OPEN} AND id IN (SELECT order_id FROM instalments)")
_DATED = "next_due IS NOT NULL AND EXISTS (SELECT 1 FROM instalments)"  # without any no order is looked at
_BY_NUMBER = _ORDERS.format(which=f"id IN (SELECT id FROM orders WHERE {_OPEN})")  # few are looked at for a page

_LEFT = "o.price_minor - o.paid_minor"
_DUE = (
    "(SELECT sum(d.amount_minor) FROM instalments d WHERE d.order_id = o.id AND d.due_on <= max(o.next_due, :today))"
    " - o.paid_minor"
)
_LATE_SINCE = "CASE WHEN o.next_due < :today THEN o.next_due END"
_VIEW = order_list.VIEW._replace(
    columns=(
        Column("order", "number", "o.id"),
        Column("customer", sql="c.name", sort="c.name_key", filled=True),
        Column("left", "money", _LEFT),
        Column("currency", sql="o.currency"),
        Column("due_on", "day", "o.next_due"),
        Column("due", "money", _DUE, shown=False),  # on that day, or by today
        # SQL has the day since which it is late: the later it is, the fewer days
        Column("days_late", "number", _LATE_SINCE, sort=f"-({_LATE_SINCE})"),
        Column("contact", "command", "coalesce(c.email, c.phone)"),  # whole, so that it can be copied
        Column("email", sql="c.email", shown=False),
        Column("phone", sql="c.phone", shown=False),
        Column("offer", sql="o.offer_name", shown=False),
        Column("paid", "money", "o.paid_minor", shown=False),
        Column("price", "money", "o.price_minor", shown=False),
        Column("manager", sql="coalesce(m.name, 'system')", sort="coalesce(m.name_key, 'system')", shown=False),
        Column("customer_number", "number", "o.customer_id", shown=False),
    ),
    newest_first=("coalesce(o.next_due, 99999999)", "o.id"),
    hidden="",
    indexed=(),
)
COLUMNS = _VIEW.columns


def rows(
    work: Work, filters: Filters, page: Page | None = None, *, overdue: bool = False, dated: bool = False
) -> Iterator[dict[str, Any]]:
    """Yield the rows of a page, all without one: the most days late first, then the next due day, then those without.

    ``overdue``: only what was due before today, in the account's zone. ``dated``: only what is due on a day.
    """
    today = _today(work)
    page = page or Page(COLUMNS)
    if dated:
        found = _selected(work, _view(work, which=_DATED), filters, page)
    else:
        found = _found(work, filters, page, overdue=overdue)
    for row in found:
        if since := row.get("days_late"):
            row["days_late"] = (today - time.day_of(since)).days
        yield row


def _found(work: Work, filters: Filters, page: Page, *, overdue: bool) -> Iterator[dict[str, Any]]:
    """Yield the rows of a page: in the order of the list those that are due on a day, then the others by number."""
    if overdue or page.sort or page.limit is None:
        return _selected(work, _view(work, overdue=overdue), filters, page)
    due = _view(work, _IN_PARTS, which="next_due IS NOT NULL")
    others = _view(work, _BY_NUMBER, which="next_due IS NULL")._replace(newest_first=("o.id",))
    return islice(chain.from_iterable(_selected(work, view, filters, page) for view in (due, others)), page.limit)


def _selected(work: Work, view: View, filters: Filters, page: Page) -> Iterator[dict[str, Any]]:
    return query.select(work.connection, view, filters, page, zone=work.zone, actor=work.actor)


def totals(work: Work, filters: Filters, *, overdue: bool = False) -> list[dict[str, Any]]:
    """Return of each currency the number of orders, what is left of them, and what of that is late, or None."""
    view = _view(work, _ADDED_UP, overdue=overdue)
    where = clauses(work.connection, view, filters, zone=work.zone)
    sql = (
        f'SELECT count(*) AS orders, sum({_LEFT}) AS "left",'
        f" sum(CASE WHEN o.next_due < :today THEN {_DUE} END) AS late, o.currency AS currency"
        f" FROM {view.joined(str(where))} WHERE {where} GROUP BY o.currency ORDER BY o.currency"
    )
    return [dict(row) for row in work.connection.execute(sql, where.values)]


def _view(work: Work, orders: str = _ALL, which: str = "1 = 1", *, overdue: bool = False) -> View:
    if overdue:
        orders, which = _IN_PARTS, "next_due < :today"
    values = {"today": time.day_number(_today(work))}
    return _VIEW._replace(source=f"(SELECT * FROM {orders} WHERE {which}) o", values=values)


def _today(work: Work) -> date:
    return work.now.astimezone(work.zone).date()
