"""A charge whose answer is late, lost, wrong or of another payment."""

from __future__ import annotations

import sqlite3
from contextlib import suppress
from datetime import datetime, timedelta
from typing import Any

from salescli.charging import settle
from salescli.gateways.answers import Answer
from salescli.gateways.protocol import Charge, Result
from salescli.rules import time
from salescli.sales.attempts import Attempt
from salescli.storage.work import Work
from tests.faults.scenarios.registry import Mutant, scenario
from tests.faults.scenarios.steps import RECOGNISED, due, settled, well
from tests.faults.world import ABLE, ZONE, World, left_over


@scenario
def the_line_is_cut_after_the_money_moved(world: World) -> None:
    plan = due(world, "cut after")
    world.tick()
    well(world)
    assert world.plan(plan).status == "processing"
    world.later(minutes=10).tick()
    settled(world, charges=2)


@scenario
def a_decline_is_followed_by_a_success(world: World) -> None:
    plan = due(world, "declined")
    world.tick()
    assert world.plan(plan).declines == 1
    world.later(days=1).tick()
    settled(world, charges=2)


@scenario
def a_gateway_is_away_for_half_an_hour(world: World) -> None:
    plan = due(world, "unreachable", "unreachable")
    for _ in range(2):
        world.tick()
        well(world)
        assert world.plan(plan).declines == 0
        world.later(minutes=15)
    world.tick()
    settled(world, charges=2)


@scenario
def a_process_taken_for_dead_comes_back_with_a_stale_answer(world: World) -> None:
    # The second process sends the payment, which is made, but its line is cut; then the first says: not sent.
    plan = due(world, "overtaken, then unreachable", "cut after")
    world.tick()
    well(world)
    assert world.plan(plan).status == "processing"
    world.later(minutes=10).tick()
    world.later(minutes=20).tick()
    settled(world, charges=2)


@scenario
def two_processes_settle_one_payment(world: World) -> None:
    plan = due(world, "overtaken after")
    world.tick()
    settled(world, charges=2)
    assert world.plan(plan).payments_made == 2


@scenario
def a_success_is_followed_by_a_decline_of_the_same_attempt(world: World) -> None:
    order = world.order("once", "card")
    world.pay(order)
    [row] = world.rows("SELECT * FROM attempts")
    told = Answer("declined", code="card_declined", message="too late")

    def tell(connection: Any) -> Answer | None:
        attempt = Attempt.from_row(row)
        return settle.settle(Work(connection, world.actor, world.now, ZONE), attempt, told)

    assert world.process(tell) is None
    settled(world, charges=1)
    assert world.value("SELECT status FROM orders WHERE id = ?", order) == "completed"


@scenario
def a_payment_is_in_doubt_for_two_days(world: World) -> None:
    due(world, "cut after")
    world.tick()
    world.bank.moods["lookup"].append("unreachable")
    world.later(minutes=10).tick()
    well(world)
    world.later(days=2).tick()
    settled(world, charges=2)


@scenario
def a_tick_died_two_days_ago(world: World) -> None:
    due(world, "dies after")
    world.tick()
    well(world)
    world.later(days=2).tick()
    settled(world, charges=2)


@scenario
def a_gateway_answers_with_another_invoices_payment(world: World) -> None:
    one, other = world.order("once", "card"), world.order("once", "card")
    world.pay(one)
    world.bank.repeats = "b_0"
    world.pay(other)
    statuses = [row["status"] for row in world.rows("SELECT status FROM orders ORDER BY id")]
    assert statuses == ["completed", "open"]
    assert world.value("SELECT count(*) FROM attempts WHERE status = 'live'") == 1
    world.later(minutes=10).tick()
    assert world.value("SELECT count(*) FROM attempts WHERE status = 'live'") == 1, "a look-up says no more"
    with suppress(sqlite3.IntegrityError):
        world.rows("UPDATE invoices SET gateway_id = 'b_0' WHERE gateway_id IS NULL RETURNING id")
    assert world.value("SELECT count(*) FROM invoices WHERE gateway_id = 'b_0'") == 1


@scenario
def a_card_is_changed_while_its_payment_waits(world: World) -> None:
    """The gateway was not reached; the payment goes to another card, which the old reference does not stand for."""
    plan = due(world, "unreachable")
    world.tick()
    world.rows("UPDATE recurring SET token = 'another card' WHERE id = ? RETURNING id", plan)
    world.later(minutes=5).tick()
    settled(world, charges=2)
    sent = [reference for _, reference in world.bank.calls[1:]]
    assert len(set(sent)) == len(sent) == 2, sent


@scenario
def a_gateway_reports_another_currency(world: World) -> None:
    plan = due(world, "lies about the currency")
    world.tick()
    well(world)
    assert world.plan(plan).status == "processing"
    world.later(minutes=10).tick()
    settled(world, charges=2)


@scenario
def a_request_is_looked_up_before_it_arrives(world: World) -> None:
    world.bank.spares_overtaken = False
    order = world.order("once", "card")
    world.bank.moods["card"].append("overtaken before")
    world.pay(order)
    well(world)
    world.later(minutes=10).tick()
    settled(world, charges=1)


@scenario
def a_request_late_in_a_long_tick_is_looked_up_early_in_the_next(world: World) -> None:
    """It is as young as its call, not as old as the tick; the bank lists a payment minutes after it was made."""
    world.bank.capabilities, world.bank.key_ttl_seconds = ABLE - {"idempotent"}, 0
    plans = [world.subscribed("day", f"card-{number}") for number in range(2)]
    world.bank.moods["card-1"].append("cut after")
    charge, lookup = world.bank.charge, world.bank.lookup

    def slow(request: Charge, timeout: float) -> Result:
        answer = charge(request, timeout)
        world.later(seconds=230)
        return answer

    def lists_late(reference: str, gateway_id: str | None, since: datetime) -> Result:
        entry = world.bank.booked.get(reference)
        young = entry is None or world.time - entry.booked_at < timedelta(seconds=170)
        return Result("not_found") if young else lookup(reference, gateway_id, since)

    world.bank.charge, world.bank.lookup = slow, lists_late  # type: ignore[method-assign,assignment]
    world.at(time.from_stored(world.plan(plans[1]).next_payment_at or 0)).tick()
    world.bank.charge = charge  # type: ignore[method-assign]
    while left_over(world):
        world.later(minutes=1).tick()
    settled(world, charges=4)


FIRST_TABLES = "storage/migrations/m0001_house.py"
CLOSE = "\" retryable = :retryable WHERE id = :id AND status = 'live' AND fence = :fence\""
HELD = '(rows[one.id]["status"], rows[one.id]["fence"]) == ("live", one.fence)'
CUT = "    except OutcomeUnknown as error:\n"
AWAY = "    except Unavailable as error:\n"
INVOICE_MOVES = """        "completed": ("refund",),
        "refund": (),
    },
    "recurring order": {"""
PAID_CHECK = """  CHECK ((paid_at IS NOT NULL) = (status IN ('completed', 'refund')))
) STRICT;
CREATE INDEX invoices_attempted"""


def _answered(clause: str, became: str) -> str:
    """Return a clause that takes an error for another answer."""
    return f'{clause}        return Answer("{became}", None, "card_declined", None, str(error))\n'


MUTANTS = (
    Mutant(
        "call before commit",
        "the_line_is_cut_after_the_money_moved",
        (
            (
                "charging/tick.py",
                "            claims = _claimed(run, calls, chosen)\n",
                "            claims = _claimed(run, calls, chosen)\n"
                "            [due_payments.answer_to(claimed) for claimed in claims]\n",
            ),
        ),
    ),
    Mutant(
        "key without attempt",
        "a_decline_is_followed_by_a_success",
        (("sales/new_attempts.py", 'f"{new.base}:{number}"', 'f"{new.base}:1"'),),
    ),
    Mutant(
        "key without attempt, and the file does not mind",
        "a_decline_is_followed_by_a_success",
        (
            ("sales/new_attempts.py", 'f"{new.base}:{number}"', 'f"{new.base}:1"'),
            (
                FIRST_TABLES,
                "reference TEXT NOT NULL UNIQUE,          --",
                "reference TEXT NOT NULL,  --",
            ),
        ),
    ),
    Mutant(
        "time-out taken as decline",
        "the_line_is_cut_after_the_money_moved",
        (("gateways/answers.py", CUT, _answered(CUT, "declined") + CUT),),
    ),
    Mutant(
        "time-out taken as not sent",
        "the_line_is_cut_after_the_money_moved",
        (("gateways/answers.py", CUT, _answered(CUT, "not_sent") + CUT),),
    ),
    Mutant(
        "outage counts as attempt",
        "a_gateway_is_away_for_half_an_hour",
        (("gateways/answers.py", AWAY, _answered(AWAY, "declined") + AWAY),),
    ),
    Mutant(
        "settle twice",
        "two_processes_settle_one_payment",
        (
            ("sales/attempts.py", CLOSE, CLOSE.replace(" AND status = 'live' AND fence = :fence", "")),
            ("sales/attempts.py", HELD, "True"),
        ),
    ),
    Mutant(
        "recovery without look-up",
        "a_tick_died_two_days_ago",
        (
            ("charging/recover.py", 'if "lookup" in able:', "if False:"),
            ("gateways/answers.py", RECOGNISED, "return True"),
        ),
    ),
    Mutant(
        "a failed look-up taken as not sent",
        "a_payment_is_in_doubt_for_two_days",
        (("charging/recover.py", 'answer.became in ("not_sent", "misconfigured")', "answer.became in ()"),),
    ),
    Mutant(
        "fence ignored",
        "a_process_taken_for_dead_comes_back_with_a_stale_answer",
        (
            ("sales/attempts.py", CLOSE, CLOSE.replace(" AND fence = :fence", "")),
            ("sales/attempts.py", HELD, 'rows[one.id]["status"] == "live"'),
        ),
    ),
    Mutant(
        "advance before charge",
        "a_gateway_is_away_for_half_an_hour",
        (
            (
                "charging/due_payments.py",
                'replace(due, status="processing")',
                'replace(due, status="processing",'
                " next_payment_at=time.stored(due.planned_after(work.now, work.zone)))",
            ),
        ),
    ),
    Mutant(
        "overwrite of a success",
        "a_success_is_followed_by_a_decline_of_the_same_attempt",
        (
            ("sales/attempts.py", CLOSE, CLOSE.replace(" AND status = 'live'", "")),
            ("sales/attempts.py", HELD, 'rows[one.id]["fence"] == one.fence'),
            ("rules/lifecycle.py", INVOICE_MOVES, INVOICE_MOVES.replace('("refund",)', '("refund", "declined")')),
            (
                FIRST_TABLES,
                PAID_CHECK,
                PAID_CHECK.replace("IN ('completed'", "IN ('declined', 'completed'"),
            ),
        ),
    ),
    Mutant(
        "one payment of a gateway pays two orders",
        "a_gateway_answers_with_another_invoices_payment",
        (("charging/settle.py", "believed(connection, ours)", "ours"),),
    ),
    Mutant(
        "the file takes one payment of a gateway twice",
        "a_gateway_answers_with_another_invoices_payment",
        (
            (
                "storage/migrations/m0005_one_payment_each.py",
                "payment_system_id IS NEW.payment_system_id AND id <> NEW.id",
                "id = -1",
            ),
        ),
    ),
    Mutant(
        "the same reference for another token",
        "a_card_is_changed_while_its_payment_waits",
        (
            ("sales/new_attempts.py", "last.currency, last.token)", "last.currency)"),
            ("sales/new_attempts.py", "new.currency, new.token)", "new.currency)"),
        ),
    ),
    Mutant(
        "the currency of a success is not compared",
        "a_gateway_reports_another_currency",
        (
            (
                "charging/believe.py",
                "if (result.amount_minor, result.currency) == (attempt.amount_minor, attempt.currency):",
                "if result.amount_minor == attempt.amount_minor:",
            ),
        ),
    ),
    Mutant(
        "a look-up that finds nothing is believed at once",
        "a_request_is_looked_up_before_it_arrives",
        (("charging/recover.py", "if age < attempts.IN_TRANSIT_MAX and claimed.attempt.lookups == 0:", "if False:"),),
    ),
    Mutant(
        "the time of a long tick stands still",
        "a_request_late_in_a_long_tick_is_looked_up_early_in_the_next",
        (("charging/due_payments.py", "self.work = self.work.later(time.on_from(*self.began))", "pass"),),
    ),
)
