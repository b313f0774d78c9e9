"""What people record, refund and take back by hand."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

from salescli.catalogue import offers, records
from salescli.charging import refund
from salescli.charging.refund import NewRefund
from salescli.errors import WrongStatus
from salescli.rules import time
from salescli.sales import recurring_actions
from tests.faults.scenarios.registry import Mutant, scenario
from tests.faults.scenarios.steps import due, paid_in_part, settled, well
from tests.faults.world import World


@scenario
def a_gateway_answers_with_another_refund(world: World) -> None:
    one, other = world.order("once", "card"), world.order("once", "card")
    world.pay(one)
    world.pay(other)
    world.bank.repeats = "re_1"
    world.refund(one)
    assert world.refund(other) == ["unknown"], "what is told is what was recorded"
    assert world.value("SELECT count(*) FROM refunds") == 1


@scenario
def a_second_person_refunds_while_a_refund_is_under_way(world: World) -> None:
    order = world.order("once", "card")
    world.pay(order)
    world.bank.moods["refund"].append("cut after")
    world.refund(order, "5.00")
    with suppress(WrongStatus):
        world.refund(order, "5.00")
    assert len(world.bank.moved) == 2
    well(world)


@scenario
def two_persons_plan_one_refund(world: World) -> None:
    """Both see that nothing is under way; the second finds the first one's when it begins its own."""
    order = world.order("once", "card")
    world.pay(order)
    world.bank.moods["refund"].append("cut after")
    quicker = [lambda: world.refund(order, "5.00")]

    def gateway(system: Any) -> Any:
        while quicker:
            quicker.pop()()
        return world.gateway(system)

    wanted = NewRefund(amount="5.00", reason="asked for")
    with suppress(WrongStatus):
        world.process(lambda c: refund.refund(world.work(c), order, wanted, gateways=gateway))
    assert len(world.bank.moved) == 2
    well(world)


@scenario
def an_order_in_parts_lacks_one_minor_unit(world: World) -> None:
    words = {"name": "Parts", "number": "parts", "price": "20.00", "partial_min": "1", "partial_success": "50"}
    world.process(lambda c: records.add(world.work(c), offers.NOUN, words))
    order = world.order("parts", "card")
    assert paid_in_part(world, order, "19.99") == "open"
    assert paid_in_part(world, order, "0.01") == "completed"
    settled(world, charges=2)


@scenario
def the_due_payment_came_another_way(world: World) -> None:
    """A payment that a person records advances the number, and tick does not charge it again."""
    plan = due(world)
    world.record_payment(plan)
    world.tick()
    settled(world, 1)
    assert world.plan(plan).payments_made == 2


@scenario
def a_resting_plan_is_paid_another_way(world: World) -> None:
    """A payment that a person records leaves a paused plan paused, and a completed one completed."""
    for operation, status in ((recurring_actions.pause, "paused"), (recurring_actions.complete, "completed")):
        plan = due(world, "declined")
        world.tick()
        world.manage(operation, plan)
        world.record_payment(plan)
        world.later(days=40)
        world.tick()
        assert (world.plan(plan).status, world.plan(plan).payments_made) == (status, 2)
    settled(world, 2)


@scenario
def a_payment_is_recorded_while_a_charge_is_under_way(world: World) -> None:
    """A payment whose charge is under way is not recorded beside it."""
    plan = due(world, "cut after")
    world.bank.moods["lookup"].extend(["pending"] * 3)
    world.tick()
    assert world.plan(plan).status == "processing"
    with suppress(WrongStatus):
        world.record_payment(plan)
    well(world)
    assert world.plan(plan).payments_made == 1


@scenario
def the_refund_that_ends_a_plan_is_cut(world: World) -> None:
    """Who said that a plan ends with the refund of its first order is not charged because the answer was lost."""
    plan = world.subscribed("month", "card")
    order = world.value("SELECT initial_order_id FROM recurring WHERE id = ?", plan)
    world.bank.moods["refund"].append("cut after")
    wanted = NewRefund(reason="asked for", completes_recurring=True)
    world.process(lambda c: refund.refund(world.work(c), order, wanted, gateways=world.gateway))
    world.later(days=40).tick()
    settled(world, charges=1)
    assert world.plan(plan).status == "completed"


@scenario
def a_recorded_payment_is_taken_back(world: World) -> None:
    """A payment that a person records and takes back waits for a person; what a bank did is not taken back."""
    plan = due(world)
    world.record_payment(plan)
    invoice = world.value("SELECT max(id) FROM invoices")
    world.undo(invoice)
    well(world)
    world.tick()
    settled(world, charges=1)
    world.answer(invoice, confirmed=True)
    order = world.order("once", "card")
    world.pay(order)
    charged = world.value("SELECT id FROM invoices WHERE order_id = ?", order)
    with suppress(WrongStatus):
        world.undo(charged)
    settled(world, charges=2)
    assert world.value("SELECT count(*) FROM invoices WHERE paid_at IS NOT NULL") == 3


@scenario
def a_payment_recorded_ahead_is_taken_back(world: World) -> None:
    """What a person records ahead of its date by mistake is charged on its date then, neither before nor never."""
    plan = world.subscribed("month", "card")
    world.later(days=2).record_payment(plan)
    invoice = world.value("SELECT max(id) FROM invoices")
    world.undo(invoice)
    world.later(days=2).tick()
    settled(world, charges=1)
    following = world.plan(plan).next_payment_at
    assert following is not None
    world.at(time.from_stored(following)).tick()
    settled(world, charges=2)


@scenario
def a_failed_payment_is_recorded_by_mistake(world: World) -> None:
    """What had failed, was recorded as paid and taken back, has failed again: the card is not tried unasked."""
    plan = due(world, "declined", "declined", "declined")
    for _ in range(3):
        world.tick()
        world.later(days=2)
    assert world.plan(plan).status == "failed"
    world.record_payment(plan)
    invoice = world.value("SELECT max(id) FROM invoices")
    world.undo(invoice)
    world.later(days=2).tick()
    settled(world, charges=1)
    assert world.plan(plan).status == "failed"


PLANNED_REFUND = 'orders.refuse_while_paying(connection, order, "be refunded")'
BEGUN_REFUND = 'orders.refuse_while_paying(connection, orders.get(connection, invoice.order_id), "be refunded")'
RECORDED_AS_TOLD = """settle.settle(work, attempt, answer)
        return answer"""

MUTANTS = (
    Mutant(
        "one refund of a gateway is two",
        "a_gateway_answers_with_another_refund",
        (("charging/believe.py", "AND kind = 'refund'", "AND id = -1"),),
    ),
    Mutant(
        "a refund whose outcome is unknown is told as made",
        "a_gateway_answers_with_another_refund",
        (("charging/refund.py", "return settle.settle(work, attempt, answer) or answer", RECORDED_AS_TOLD),),
    ),
    Mutant(
        "a second refund while one is under way",
        "a_second_person_refunds_while_a_refund_is_under_way",
        (
            ("charging/refund.py", PLANNED_REFUND, "pass"),
            ("charging/refund.py", BEGUN_REFUND, "pass"),
        ),
    ),
    Mutant(
        "a second refund that was planned in time",
        "two_persons_plan_one_refund",
        (("charging/refund.py", BEGUN_REFUND, "pass"),),
    ),
    Mutant(
        "completed one minor unit early",
        "an_order_in_parts_lacks_one_minor_unit",
        (("charging/batch.py", "order.price_minor <= paid", "order.price_minor <= paid + 1"),),
    ),
    Mutant(
        "a payment recorded by hand leaves the number",
        "the_due_payment_came_another_way",
        (
            (
                "charging/by_hand.py",
                "due_payments.attempt_of(work, before, system)",
                "replace(due_payments.attempt_of(work, before, system), recurring_id=None)",
            ),
            (
                "charging/by_hand.py",
                "from dataclasses import dataclass\n",
                "from dataclasses import dataclass, replace\n",
            ),
        ),
    ),
    Mutant(
        "a payment recorded by hand resumes a paused plan",
        "a_resting_plan_is_paid_another_way",
        (("rules/course.py", '"paused" if status == "paused" else "active"', '"active"'),),
    ),
    Mutant(
        "a payment recorded by hand revives a completed plan",
        "a_resting_plan_is_paid_another_way",
        (("rules/course.py", '"completed" in (wish, status)', 'wish == "completed"'),),
    ),
    Mutant(
        "a payment is recorded beside a charge",
        "a_payment_is_recorded_while_a_charge_is_under_way",
        (("charging/by_hand.py", 'orders.refuse_while_paying(work.connection, order, "be recorded as paid")', "pass"),),
    ),
    Mutant(
        "a plan outlives the refund whose answer was lost",
        "the_refund_that_ends_a_plan_is_cut",
        (
            (
                "charging/refund.py",
                'whole and answer.became in ("succeeded", "unknown")',
                'whole and answer.became == "succeeded"',
            ),
        ),
    ),
    Mutant(
        "a payment taken back is charged without a person",
        "a_recorded_payment_is_taken_back",
        (
            ("charging/undo.py", 'plan, status="processing", wish=wish', 'plan, status="active", wish=wish'),
            (
                "charging/undo.py",
                "        attempts.reopen(work.connection, attempt, work.now)\n    invoices",
                "    invoices",
            ),
        ),
    ),
    Mutant(
        "a payment recorded ahead and taken back is forgotten",
        "a_payment_recorded_ahead_is_taken_back",
        (("charging/undo.py", "attempt.started_at < order.due_at", "False"),),
    ),
    Mutant(
        "a failed payment taken back is tried again",
        "a_failed_payment_is_recorded_by_mistake",
        (("charging/undo.py", "failed = declines == 0 and (declined > 0 or order.due_at is None)", "failed = False"),),
    ),
    Mutant(
        "what a gateway did is taken back",
        "a_recorded_payment_is_taken_back",
        (("charging/undo.py", "if not system.manual:", "if False:"),),
    ),
)
