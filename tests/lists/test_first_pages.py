"""First pages and counts: whatever way SQLite finds the rows, they are those of the plain definition of the filters."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from salescli.catalogue import customers, offers, records
from salescli.lists import filters, ledger, orders, payments, query, recurring
from salescli.lists.columns import View
from salescli.lists.filters import Filters
from salescli.lists.query import Page
from salescli.storage.schema import comparable
from tests.conftest import House
from tests.lists.test_query import fill

VIEWS = {view.name: view for view in (orders.VIEW, payments.VIEW, ledger.VIEW, recurring.VIEW)}
AMOUNTS = {
    "orders": ("o.price_minor", "o.currency"),
    "payments": ("i.amount_minor", "i.currency"),
    "entries": ("abs(e.moved)", "e.currency"),
    "recurring orders": ("r.price_minor", "r.currency"),
}
IDS = {"orders": "o.id", "payments": "i.id", "entries": "e.entry", "recurring orders": "r.id"}


def _plainly(view: View, wanted: Filters) -> tuple[str, list[Any]]:
    """Return a list's ids under filters as one plain query with all its joins, and the values of its places."""
    row = "r" if view is recurring.VIEW else "o"
    clauses = ["1 = 1"]
    values: list[Any] = []
    for amount, comparison in ((wanted.least, ">="), (wanted.most, "<=")):
        if amount is not None:
            clauses.append(f"{comparable(*AMOUNTS[view.name])} {comparison} {int(amount) * 10_000}")
    if wanted.currency:
        clauses.append(f"{AMOUNTS[view.name][1]} IN ({', '.join('?' * len(wanted.currency))})")
        values += wanted.currency
    if wanted.status:
        column = {"payments": "i.status", "recurring orders": "r.status"}.get(view.name, "o.status")
        clauses.append(f"{column} IN ({', '.join('?' * len(wanted.status))})")
        values += wanted.status
    if wanted.customer:
        clauses.append(f"{row}.customer_id = {wanted.customer[0]}")
    if wanted.confirmed is not None:
        done = "o.completed_on IS NOT NULL" if view is ledger.VIEW else "o.status = 'completed'"
        clauses.append(f"{done} AND o.confirmed = {int(wanted.confirmed)}")
    if wanted.search:
        number = {"entries": "e.invoice_id"}.get(view.name, view.id)
        named = "SELECT id FROM {} WHERE lower(name) LIKE lower(?)"
        found = f"{row}.customer_id IN ({named.format('customers')}) OR {row}.offer_id IN ({named.format('offers')}"
        found += " OR number LIKE ?)"
        clauses.append(f"({found} OR CAST({number} AS text) = ?)")
        values += [f"{wanted.search[0]}%"] * 3 + [wanted.search[0]]
    where = " AND ".join(clauses)
    by = ", ".join(f"{term.removeprefix('-')} {'DESC' if term[0] == '-' else ''}" for term in view.newest_first)
    return f"SELECT {IDS[view.name]} FROM {view.joined()} WHERE {where} ORDER BY {by}", values


def _wanted(view: View) -> st.SearchStrategy[Filters]:
    return st.builds(
        lambda *words: Filters()._replace(**dict(zip(_FIELDS, words, strict=True))),
        st.lists(st.sampled_from(view.statuses), max_size=2, unique=True).map(tuple),
        st.sampled_from([(), ("1",), ("5",)]),
        st.sampled_from([None, None, True, False]),
        st.sampled_from([(), ("EUR",), ("USD", "JPY"), ("CHF",)]),
        st.sampled_from([None, "0", "9", "10", "1000"]),
        st.sampled_from([None, "9", "10", "1000"]),
        st.sampled_from([(), ("Ivan",), ("Олена",), ("17",), ("nobody",)]),
    )


_FIELDS = ("status", "customer", "confirmed", "currency", "least", "most", "search")


@pytest.mark.parametrize("name", VIEWS)
@given(data=st.data(), many=st.sampled_from([1, 4, 10_000]), limit=st.sampled_from([1, 5, 100, None]))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=40)
def test_a_page_and_its_count_are_those_of_the_plain_filters(
    full: House, name: str, data: Any, many: int, limit: int | None
) -> None:
    view, wanted = VIEWS[name], data.draw(_wanted(VIEWS[name]))
    plain = [row[0] for row in full.connection.execute(*_plainly(view, wanted))]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(filters, "MANY", many)
        page = Page(view.columns, limit=limit)
        rows = query.select(full.connection, view, wanted, page, zone=full.zone, actor=full.actor)
        assert [row[view.columns[0].key] for row in rows] == plain[:limit]
    assert query.count(full.connection, view, wanted, zone=full.zone) == len(plain)


@pytest.fixture
def full(house: House) -> House:
    """A house of seventeen of everything, with amounts in currencies of all numbers of decimals."""
    fill(house.connection, 17)
    for id, currency in ((2, "JPY"), (3, "KWD"), (5, "CLF"), (8, "ITL")):
        for table in ("orders", "invoices", "recurring"):
            house.connection.execute(f"UPDATE {table} SET currency = ? WHERE id = ?", (currency, id))
    house.connection.execute(
        "UPDATE orders SET status = 'refund', confirmed = id % 2 WHERE status = 'completed' AND id > 9"
    )
    house.connection.execute(
        "INSERT INTO refunds (invoice_id, amount_minor, currency, refunded_at, refunded_on)"
        " SELECT id, 300, currency, paid_at, paid_on FROM invoices WHERE paid_at IS NOT NULL AND id % 3 = 0"
    )
    for noun in (customers.NOUN, offers.NOUN):
        records.rebuild_search(house.connection, noun)
    return house
