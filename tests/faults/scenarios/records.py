"""Closed months, statements of a payment system, and reports."""

from __future__ import annotations

import json
from contextlib import suppress
from datetime import date, datetime, timezone
from typing import Any

from salescli.charging import by_hand
from salescli.errors import WrongStatus
from salescli.lists.columns import Column
from salescli.overview import glance
from salescli.reconcile.statement import Line
from salescli.reports import comparison, earned
from salescli.reports import recurring as recurring_report
from salescli.rules import sale_shares, time
from salescli.sales import closed_months
from tests.faults.scenarios.registry import Mutant, scenario
from tests.faults.scenarios.steps import agreed, sold, well
from tests.faults.world import World


def _march(world: World) -> list[tuple[Any, ...]]:
    """Return what March adds up to."""
    sums = "sum(orders), sum(payments), sum(gross), sum(fee), sum(refunded)"
    rows = world.rows(f"SELECT dimension, {sums} FROM totals WHERE period = '2026-03' GROUP BY 1 ORDER BY 1")
    return [tuple(row) for row in rows]


@scenario
def money_of_a_closed_month_is_learnt_later(world: World) -> None:
    sold(world)
    world.bank.moods["card"].append("cut after")
    world.pay(world.order("once", "card"))
    world.bank.refund_there(0, 500)
    world.later(days=6).process(lambda c: closed_months.close(world.work(c), "2026-03"))
    march = _march(world)
    world.sync()
    world.tick()
    agreed(world, refunds=1)
    assert world.value("SELECT count(*) FROM invoices WHERE paid_at IS NOT NULL") == 2
    assert _march(world) == march
    assert world.value("SELECT count(*) FROM history WHERE what = 'counts on 2026-04-01: 2026-03 is closed'") == 3


@scenario
def a_person_dates_a_payment_in_a_closed_month(world: World) -> None:
    world.pay(world.order("once", None, "By hand"))
    arrived = world.now
    world.later(days=6).process(lambda c: closed_months.close(world.work(c), "2026-03"))
    with suppress(WrongStatus):
        world.process(lambda c: by_hand.answer_by_hand(world.work(c).at(arrived), 1, confirmed=True))
    assert world.value("SELECT count(*) FROM invoices WHERE paid_at IS NOT NULL") == 0


@scenario
def a_statement_and_the_bank_tell_of_one_refund(world: World) -> None:
    sold(world)
    world.bank.refund_there(0, 500)
    at = time.stored(world.later(minutes=5).time)
    world.reconcile(Line(2, "refund", None, None, 1, 500, "EUR", None, at))
    assert world.value("SELECT count(*) FROM refunds") == 0, "the number of an invoice here may be a typing error"
    line = Line(2, "refund", None, "b_0", None, 500, "EUR", None, at)
    world.reconcile(line)
    world.reconcile(line)
    world.sync()
    world.reconcile(line, line)
    agreed(world, refunds=1)


@scenario
def a_statement_names_no_invoice(world: World) -> None:
    """Two invoices wait for the same amount; one line names the first, another one fits both."""
    for _ in range(2):
        world.pay(world.order("once", None, "By hand"))
    amount, currency = world.rows("SELECT amount_minor, currency FROM invoices WHERE id = 1")[0]
    name = world.value("SELECT name FROM customers WHERE id = 1")
    at = time.stored(world.later(minutes=5).time)
    line = Line(2, "payment", None, None, None, amount, currency, None, at, text="invoice 1", payer=name)
    paid = "SELECT count(*) FROM invoices WHERE status = 'completed'"
    world.reconcile(line, through="By hand")
    assert world.value(paid) == 0, "nobody agreed to what is only proposed"
    either = line._replace(number=3, text="")
    world.reconcile(either, through="By hand", agreed=True)
    assert world.value(paid) == 0, "two fit equally"
    for _ in range(2):
        world.reconcile(line, line._replace(number=3), through="By hand", agreed=True)
        assert world.value(paid) == 0, "two lines name one invoice"
    world.reconcile(line, through="By hand", agreed=True)
    world.reconcile(line, through="By hand", agreed=True)
    assert world.value(paid) == 1
    well(world)


@scenario
def a_refund_is_resolved_in_a_later_month(world: World) -> None:
    """It counts on the day on which it was made, however it is learnt."""
    order = world.order("once", "card")
    world.pay(order)
    for way in (world.tick, world.sync):
        world.bank.moods["refund"].append("cut after")
        world.later(minutes=5).refund(order, "5.00")
        made = time.stored(world.time)
        world.bank.capabilities |= {"changes"}
        world.later(days=7)
        way()
        assert world.value("SELECT max(refunded_at) FROM refunds") == made
    well(world)


def _at(month: int) -> int:
    """Return ten o'clock on the first day of a month of 2026, as it is stored."""
    return time.stored(datetime(2026, month, 1, 10, tzinfo=timezone.utc))


@scenario
def what_plans_and_managers_brought_is_reported(world: World) -> None:
    """A plan of a year fails after it recovered once; two shares, and a refund of a sale at the earlier one."""
    plan = recurring_report.Plan(1, "EUR", _at(1) - 3600, "failed", 12_000, 12, "month", None)
    lines: list[recurring_report.Line] = [
        (1, _at(month), None, json.dumps(changes))
        for month, changes in enumerate(
            (
                {"status": [None, "active"], "payments_made": [None, 1], "declines": [None, 0]},
                {"declines": [0, 1]},
                {"payments_made": [1, 2], "declines": [1, 0]},
                {"payments_made": [2, 3]},
                {"status": ["active", "failed"], "declines": [0, 3]},
            ),
            start=1,
        )
    ]
    steps = list(recurring_report._life(plan, recurring_report._states(plan, lines)))
    terms = (12_000, 12, "month")
    assert [step[2:] for step in steps] == [("new", None, terms), ("recovered", None, None), ("failed", terms, None)]
    running = recurring_report._Running()
    recurring_report._sweep(steps, 0, _at(2), {"EUR": running})
    assert recurring_report._row("EUR", 0, running)["monthly"] == 1_000
    running.counts.clear()
    recurring_report._sweep(steps, 2, _at(12), {"EUR": running})
    row = recurring_report._row("EUR", 1, running)
    assert (row["failed"], row["churn"], row["active_at_end"], row["monthly"]) == (1, 1_000_000, 0, 0)

    shares = sale_shares.parse("2026-03-01 20%, 2026-02-01 10%")
    days = ("2026-01-31", "2026-02-01", "2026-02-28", "2026-03-01")
    assert [sale_shares.on(shares, day) for day in days] == [0, 100_000, 100_000, 200_000]
    assert sale_shares.changed_months(shares, {}, ["2026-01", "2026-02", "2026-03"]) == ["2026-02", "2026-03"]
    assert sale_shares.changed_months({"2026-02-15": 1}, {}, ["2026-02"]) == ["2026-02"]
    group = {"period": "", "currency": "EUR", "key_0": 1}
    sold = [{**group, "key_1": 200_000, "gross": 1_000, "refunded": 0}]
    sold.append({**group, "key_1": 100_000, "gross": 0, "refunded": 405})
    assert list(earned.of_own_shares(sold, "key_1", ("gross", "refunded"))) == [
        {**group, "gross": 1_000, "refunded": 405, "earned": 200 - 41}
    ]
    before = glance.Sums("EUR", net=500, gross=1_000, payments=3)
    assert (before.average, glance.Sums("EUR").average) == (333, None)
    compared = comparison.days_before(date(2026, 3, 1), date(2026, 3, 31), None, date(2026, 4, 1))
    assert (compared.first, compared.last) == (date(2026, 2, 1), date(2026, 2, 28))
    columns = (Column("net", "money"),)
    now, then = [{"currency": "EUR", "net": 5}], [{"currency": "EUR", "net": 8}, {"currency": "USD", "net": 2}]
    assert list(comparison.beside(now, then, columns, (), compared)) == [
        {"currency": "EUR", "net": 5, "net_before": 8, "net_change": -3},
        {"currency": "USD", "net": 0, "net_before": 2, "net_change": -2},
    ]


MUTANTS = (
    Mutant(
        "a refund counts in a closed month",
        "money_of_a_closed_month_is_learnt_later",
        (
            (
                "charging/settle.py",
                'closed_months.counted_on(work, "invoice", invoice.id, time.local_day(back.at, work.zone))',
                "time.local_day(back.at, work.zone)",
            ),
        ),
    ),
    Mutant(
        "a payment counts in a closed month",
        "money_of_a_closed_month_is_learnt_later",
        (
            (
                "charging/settle.py",
                '    columns["paid_on"] = batch.counted_on("invoice", invoice.id, columns["paid_on"])\n',
                "",
            ),
        ),
    ),
    Mutant(
        "an order becomes Completed in a closed month",
        "money_of_a_closed_month_is_learnt_later",
        (
            (
                "charging/batch.py",
                'batch.counted_on("order", order.id, columns["completed_on"])',
                'columns["completed_on"]',
            ),
        ),
    ),
    Mutant(
        "nothing guards a closed month",
        "money_of_a_closed_month_is_learnt_later",
        (
            (
                "charging/settle.py",
                '    columns["paid_on"] = batch.counted_on("invoice", invoice.id, columns["paid_on"])\n',
                "",
            ),
            (
                "storage/migrations/m0009_closed_months.py",
                "WHERE month = substr({day}, 1, 7)",
                "WHERE month = substr({day}, 1, 6)",
            ),
        ),
    ),
    Mutant(
        "a person is not refused a closed month",
        "a_person_dates_a_payment_in_a_closed_month",
        (
            (
                "charging/by_hand.py",
                "            closed_months.check_open(work)\n            _receive",
                "            _receive",
            ),
        ),
    ),
    Mutant(
        "a payment is confirmed that is only proposed",
        "a_statement_names_no_invoice",
        (("reconcile/compare.py", "if proposal(finding) in accepted:", "if proposal(finding) is not None:"),),
    ),
    Mutant(
        "of several lines for one invoice, one is proposed",
        "a_statement_names_no_invoice",
        (("reconcile/propose.py", ' and equal["place", place, strength] == 1', ""),),
    ),
    Mutant(
        "of several that fit a line equally, one is proposed",
        "a_statement_names_no_invoice",
        (("reconcile/propose.py", 'equal["line", at, strength] == 1 and ', ""),),
    ),
    Mutant(
        "a statement's refund is recorded by a number of ours",
        "a_statement_and_the_bank_tell_of_one_refund",
        (
            (
                "reconcile/compare.py",
                "return finding.sure and finding.invoice is not None",
                "return finding.invoice is not None",
            ),
        ),
    ),
    Mutant(
        "a refund counts on the day on which it was resolved",
        "a_refund_is_resolved_in_a_later_month",
        (
            (
                "charging/settle.py",
                "    at = _moved_at(attempt, answer, work.now)\n    at = at if",
                "    at = work.now\n    at = at if",
            ),
        ),
    ),
    Mutant(
        "a refund takes back nothing of what was earned",
        "what_plans_and_managers_brought_is_reported",
        (("reports/earned.py", "return earned if net >= 0 else -earned", "return earned"),),
    ),
    Mutant(
        "only the last share earns",
        "what_plans_and_managers_brought_is_reported",
        (("reports/earned.py", 'kept["earned"] += earned', 'kept["earned"] = earned'),),
    ),
    Mutant(
        "a share holds from the day after",
        "what_plans_and_managers_brought_is_reported",
        (("rules/sale_shares.py", "if since <= day), 0)", "if since < day), 0)"),),
    ),
    Mutant(
        "what a closed month earned may change within it",
        "what_plans_and_managers_brought_is_reported",
        (("rules/sale_shares.py", "        if any(on(before", "        if all(on(before"),),
    ),
    Mutant(
        "a plan that fails is no churn",
        "what_plans_and_managers_brought_is_reported",
        (("reports/recurring.py", 'counts["failed"] + counts["ended_early"]', 'counts["ended_early"]'),),
    ),
    Mutant(
        "every payment is one that recovered",
        "what_plans_and_managers_brought_is_reported",
        (("reports/recurring.py", "            if declined:\n", "            if True:\n"),),
    ),
    Mutant(
        "a year's plan is worth its price a month",
        "what_plans_and_managers_brought_is_reported",
        (("reports/recurring.py", "(count * _MONTHS[unit])", "(1 * _MONTHS[unit])"),),
    ),
    Mutant(
        "an average is rounded up",
        "what_plans_and_managers_brought_is_reported",
        (("overview/glance.py", "(2 * self.gross + self.payments)", "(2 * self.gross + 2 * self.payments)"),),
    ),
    Mutant(
        "what only was before is left out",
        "what_plans_and_managers_brought_is_reported",
        (
            (
                "reports/comparison.py",
                "        when = min(found)",
                "        if _NOW not in found:\n            continue\n        when = min(found)",
            ),
        ),
    ),
    Mutant(
        "a difference is the wrong way round",
        "what_plans_and_managers_brought_is_reported",
        (("reports/comparison.py", "else now - then", "else then - now"),),
    ),
)
