"""Files that come in."""

from __future__ import annotations

import io
import sqlite3
from collections.abc import Sequence
from contextlib import suppress
from datetime import timedelta
from functools import partial
from typing import Any

from salescli.errors import BadData, WrongStatus
from salescli.imports import bulk_load
from salescli.imports.orders import import_orders
from salescli.imports.recurring import import_recurring
from salescli.imports.run import ImportRequest
from salescli.sales import attempts
from salescli.storage import database
from salescli.storage.sqlite import beside
from tests import PROJECT
from tests.faults.scenarios.registry import Mutant, scenario
from tests.faults.scenarios.steps import due, settled, well
from tests.faults.world import World


@scenario
def other_systems_subscriptions_come_in(world: World) -> None:
    """What a payment costs, how often, how often still, and that nothing is paid for what was cancelled."""
    for name in ("stripe-subscriptions", "woocommerce-subscriptions") * 2:
        request = ImportRequest(PROJECT / "tests" / "imports" / "files" / "recurring" / f"{name}.csv")

        def bring(connection: Any, request: ImportRequest = request) -> None:
            import_recurring(world.work(connection), request)

        world.process(bring)
    found = world.rows(
        "SELECT source_number, price_minor, every_count, payments_total FROM recurring WHERE status = 'active'"
        " ORDER BY source_number"
    )
    assert [tuple(row) for row in found] == [
        ("701", 45_000, 1, None),
        ("702", 10_050, 3, 3),
        ("sub_TestA", 900, 1, None),
        ("sub_TestB", 375_000, 3, None),
        ("sub_TestD", 900, 1, None),
    ]
    planned = "status NOT IN ('active', 'paused') AND next_payment_at IS NOT NULL"
    assert world.value(f"SELECT count(*) FROM recurring WHERE {planned}") == 0


@scenario
def a_subscription_comes_in_before_its_first_payment(world: World) -> None:
    """Tick alone takes its first payment; a person may not take it as that of an order which began something."""
    lines = (
        "recurring,customer,offer,currency,price,payment_system,token,started_at,every",
        f"S1,Олена Коваль,Month,EUR,49.00,One,card,{(world.now + timedelta(hours=1)).isoformat()},1 month",
    )
    world.process(lambda c: import_recurring(world.work(c), ImportRequest(io.BytesIO("\n".join(lines).encode()))))
    world.bank.moods["card"].append("declined")
    world.later(hours=2)
    world.tick()
    with suppress(WrongStatus):
        world.pay(world.value("SELECT max(id) FROM orders"))
    well(world)
    world.later(days=2)
    world.tick()
    settled(world, charges=1)


@scenario
def other_systems_files_come_in(world: World) -> None:
    """What items and refunds add up to is the file's total to the cent, and a second time nothing is added."""
    for name in ("shopify-orders", "paypal-activity", "stripe-payments", "square-items") * 2:
        request = ImportRequest(PROJECT / "tests" / "imports" / "files" / f"{name}.csv")

        def bring(connection: Any, request: ImportRequest = request) -> None:
            import_orders(world.work(connection), request)

        world.process(bring)
    sums = world.rows(
        "SELECT o.source, sum(o.price_minor) AS price, sum(i.refunded_minor) AS refunded, count(*) AS orders"
        " FROM orders o JOIN invoices i ON i.order_id = o.id WHERE o.currency = 'EUR' AND i.paid_at IS NOT NULL"
        " GROUP BY o.source ORDER BY o.source"
    )
    assert [tuple(row) for row in sums] == [
        ("paypal", 123_450, 13_450, 1),
        ("shopify", 7_867, 699, 7),  # one of them, of 16.00, is paid in part
        ("square", 5_581, 1_350, 5),
        ("stripe", 6_900, 500, 2),
    ]
    assert world.value("SELECT sum(amount_minor) FROM refunds r") == 13_450 + 6_900 + 699 + 1_350 + 500 + 125_000
    assert world.value("SELECT count(*) FROM invoices WHERE currency = 'USD' AND amount_minor = 125000") == 1
    assert world.value("SELECT max(fee_minor) FROM invoices WHERE currency = 'USD' AND amount_minor = 125000") is None
    assert world.value("SELECT sum(foreign_fee_minor) FROM invoices WHERE foreign_fee_currency = 'EUR'") == 3_655 + 45


@scenario
def many_orders_come_in_beside_far_more(world: World) -> None:
    """They are counted as if the triggers had counted each."""
    row = "{number},2026-01-05,{status},Ann {customer},Course,49.00,EUR\n"
    header, statuses = "order,created_at,status,customer,offer,price,currency\n", ("completed", "refund", "declined")
    lines = [row.format(number=n, status=statuses[n % 3], customer=n % 7) for n in range(600)]

    def bring(connection: Any, lines: Sequence[str]) -> None:
        import_orders(world.work(connection), ImportRequest(io.BytesIO("".join((header, *lines)).encode())))

    kept, bulk_load._COST_OF_KEEPING = bulk_load._COST_OF_KEEPING, 0  # as if there were many
    try:
        for part in (lines[:1], lines[1:]):
            world.process(partial(bring, lines=part))
    finally:
        bulk_load._COST_OF_KEEPING = kept
    assert world.value("SELECT sum(payments) FROM totals WHERE dimension = 'payment_system' AND grain = 0") == 400


@scenario
def a_long_file_comes_in_while_a_payment_is_made(world: World) -> None:
    """The answer stands in the file that everybody has afterwards."""
    world.without_a_log()

    def bring() -> None:
        held = world.connect()
        with beside.copied(held, beside.LONG_BYTES, attempts.any_awaited) as copy:
            database.set_setting(copy or held, "currency", "UAH")
        held.close()

    world.bank.meanwhile = bring
    plan = due(world, "overtaken after")
    world.tick()
    settled(world, charges=2)
    assert world.plan(plan).payments_made == 2
    assert world.value("SELECT value FROM settings WHERE name = 'currency'") == "UAH"


@scenario
def somebody_sells_while_a_long_file_comes_in(world: World) -> None:
    """Nothing that is written meanwhile gets lost: it waits, or is refused."""
    world.without_a_log()
    other, sold = world.connect(), 0
    other.execute("PRAGMA busy_timeout = 0")
    with beside.copied(world.connect(), beside.LONG_BYTES, attempts.any_awaited) as copy:
        assert copy is not None
        database.set_setting(copy, "currency", "UAH")
        with suppress(sqlite3.OperationalError):
            database.set_setting(other, "sold", "1")
            sold = 1
    with suppress(sqlite3.OperationalError):
        database.set_setting(other, "sold", "1")
        sold = 1
    other.close()
    assert world.value("SELECT value FROM settings WHERE name = 'currency'") == "UAH"
    assert world.value("SELECT count(*) FROM settings WHERE name = 'sold'") == sold


_BALANCE = """\
balance_transaction_id,created_utc,currency,gross,fee,net,reporting_category,source_id,charge_id
txn_1,2026-01-05 10:00:00,eur,100.00,3.00,97.00,charge,ch_1,ch_1
txn_2,2026-01-07 10:00:00,eur,-5.00,0.00,-5.00,refund,re_1,ch_1
txn_3,2026-01-07 10:00:00,eur,-5.00,0.00,-5.00,refund,re_2,ch_1
"""


_ELSEWHERE = "txn_4,2026-01-08 10:00:00,usd,-6.00,0.00,-6.00,refund,re_3,ch_1\n"


@scenario
def refunds_of_one_payment_come_in(world: World) -> None:
    """Two of one amount at one time are two, and one in another currency is not taken for the payment's."""
    for file, refunded in ((_BALANCE + _ELSEWHERE, None), (_BALANCE, 1000), (_BALANCE, 1000)):
        request = ImportRequest(io.BytesIO(file.encode()))

        def bring(connection: Any, request: ImportRequest = request) -> None:
            with suppress(BadData):
                import_orders(world.work(connection), request)

        world.process(bring)
        assert world.value("SELECT sum(amount_minor) FROM refunds") == refunded
        assert world.value("SELECT sum(refunded_minor) FROM invoices") == refunded


MUTANTS = (
    Mutant(
        "the rest of what is shared is lost",
        "other_systems_files_come_in",
        (("imports/shares.py", "        shares[0] += rest\n        return shares", "        return shares"),),
    ),
    Mutant(
        "what equal amounts come to is taken from a row without the refund",
        "other_systems_files_come_in",
        (
            (
                "imports/order_reader.py",
                '"rate", "funds_credited", "refunded", "fee",',
                '"rate", "funds_credited", "fee",',
            ),
        ),
    ),
    Mutant(
        "many new orders are counted for their months alone",
        "many_orders_come_in_beside_far_more",
        (("storage/totals.py", """, (ALL_TIME, "''", "")):""", "):"),),
    ),
    Mutant(
        "many new orders are counted without those that are there",
        "many_orders_come_in_beside_far_more",
        (
            (
                "storage/totals.py",
                "{name} = totals.{name} + excluded.{name}' for name in SUMS)}\"\n                )",
                "{name} = excluded.{name}' for name in SUMS)}\"\n                )",
            ),
        ),
    ),
    Mutant(
        "a long import takes the file from who awaits an answer",
        "a_long_file_comes_in_while_a_payment_is_made",
        (
            ("storage/sqlite/beside.py", "    if is_awaited(held):", "    if False:"),
            ("storage/sqlite/beside.py", """for of in ("tick", "notify"):""", "for of in ():"),
        ),
    ),
    Mutant(
        "a long import lets others write into the old file",
        "somebody_sells_while_a_long_file_comes_in",
        (("storage/sqlite/beside.py", "    return True\n", """    held.execute("ROLLBACK")\n    return True\n"""),),
    ),
    Mutant(
        "refunds that are staged are not moved",
        "other_systems_files_come_in",
        (
            (
                "imports/stage.py",
                "        if self._staged[table]:\n",
                '        if self._staged[table] and table != "refunds":\n',
            ),
        ),
    ),
    Mutant(
        "a refund that is a row of its own is taken for less",
        "other_systems_files_come_in",
        (
            (
                "imports/mapped_order.py",
                "            left[place] -= minor\n            if minor:",
                "            if False:",
            ),
        ),
    ),
    Mutant(
        "a value with a condition is read without it",
        "other_systems_files_come_in",
        (("imports/mapped_cells.py", "        if not value.applies(cells):\n            return None\n", ""),),
    ),
    Mutant(
        "the first payment of a subscription from elsewhere is that of an order",
        "a_subscription_comes_in_before_its_first_payment",
        (("sales/orders.py", "and self.every_count is None", "and self.payment_number != 1"),),
    ),
    Mutant(
        "a subscription of several units costs one",
        "other_systems_subscriptions_come_in",
        (("imports/mapped_cells.py", "            amount *= self._units(value, cells)\n", ""),),
    ),
    Mutant(
        "a subscription of every three months is paid each month",
        "other_systems_subscriptions_come_in",
        (
            (
                "imports/mapped_recurring.py",
                "    return next((one for one in longer if",
                "    return next((one for one in () if",
            ),
        ),
    ),
    Mutant(
        "a subscription that was cancelled for its end goes on",
        "other_systems_subscriptions_come_in",
        (("imports/mapped_recurring.py", "COMPLETED if ended else", ""),),
    ),
    Mutant(
        "a subscription is paid after its end",
        "other_systems_subscriptions_come_in",
        (("imports/mapped_recurring.py", '{**interval, "payments": str(left)} if left', "interval if left"),),
    ),
    Mutant(
        "a fee in another currency is written in the payment's",
        "other_systems_files_come_in",
        (
            (
                "imports/mapped_order.py",
                "fee_in = charged if charged in money.EXPONENTS else paid_in",
                "fee_in = paid_in",
            ),
        ),
    ),
    Mutant(
        "a refund of no payment of the file is taken for an order's",
        "other_systems_files_come_in",
        (("imports/mapped.py", "            elif kind.otherwise:\n", "            elif False:\n"),),
    ),
    Mutant(
        "of two equal refunds at one time one is lost",
        "refunds_of_one_payment_come_in",
        (("imports/refunds.py", "int(row[0]) >= place", "int(row[0]) >= 1"),),
    ),
    Mutant(
        "a refund in another currency is taken for the payment's",
        "refunds_of_one_payment_come_in",
        (("imports/mapped_order.py", "if its_own.upper() != currency:", "if False:"),),
    ),
)
