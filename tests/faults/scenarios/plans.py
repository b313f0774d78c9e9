"""Recurring orders that are paused, moved and changed."""

from __future__ import annotations

from contextlib import suppress
from datetime import datetime, timedelta

from salescli.catalogue import offers, records
from salescli.charging import by_hand, refund
from salescli.charging.refund import NewRefund
from salescli.errors import SalesError, WrongStatus
from salescli.rules import time
from salescli.sales import customer_credit, recurring_actions
from tests.faults.scenarios.registry import Mutant, scenario
from tests.faults.scenarios.steps import due, paid_in_part, settled, well
from tests.faults.world import World


@scenario
def a_plan_waits_for_its_first_order(world: World) -> None:
    """A part payment begins no plan; that of an order whose money all goes back goes on only if somebody says so."""
    words = {"name": "Parts", "number": "parts", "price": "20.00", "every": "1 month", "partial_min": "1"}
    world.process(lambda c: records.add(world.work(c), offers.NOUN, words))
    order = world.order("parts", "card")
    assert paid_in_part(world, order, "5.00") == "open"
    assert world.value("SELECT count(*) FROM recurring") == 0
    assert paid_in_part(world, order, "15.00") == "completed"
    assert world.value("SELECT count(*) FROM recurring") == 1
    wanted = NewRefund(reason="asked for")
    try:
        world.process(lambda c: refund.refund(world.work(c), order, wanted, gateways=world.gateway))
    except SalesError:
        wanted = NewRefund(reason="asked for", completes_recurring=True)
        world.process(lambda c: refund.refund(world.work(c), order, wanted, gateways=world.gateway))
    world.later(days=40)
    world.tick()
    settled(world, charges=2)


@scenario
def what_waits_again_buys_what_is_left(world: World) -> None:
    """A payment that was less than asked and waits again buys what others have left; the rest is credit, not lost."""
    order = world.order("once", None, "By hand")
    world.pay(order)
    invoice = world.value("SELECT max(id) FROM invoices")
    world.answer(invoice, confirmed=True, received=by_hand.Received("15.00"))
    world.pay(order)
    world.answer(invoice + 1, confirmed=True)
    world.undo(invoice)
    world.answer(invoice, confirmed=True)
    settled(world, charges=0)
    assert world.value("SELECT paid_minor FROM orders WHERE id = ?", order) == 20_00
    connection = world.connect()
    assert [one.left_minor for one in customer_credit.of_customer(connection, 1, "EUR")] == [5_00]
    connection.close()


@scenario
def the_price_changes_between_attempts(world: World) -> None:
    """The next attempt takes the new price, and the invoice says so; a payment that is being made keeps its price."""
    plan = due(world, "declined", "cut after")
    world.tick()
    world.edit(plan, price="60.00")
    world.later(hours=9)
    world.bank.moods["lookup"].extend(["pending"] * 3)
    world.tick()
    assert world.plan(plan).status == "processing"
    with suppress(WrongStatus):
        world.edit(plan, price="70.00")
    well(world)
    world.later(days=2)
    world.tick()
    settled(world, charges=2)
    assert world.bank.charged()[-1].amount_minor == 6_000
    assert world.value("SELECT max(amount_minor) FROM invoices") == 6_000


@scenario
def the_quantity_of_a_discounted_plan_is_given_again(world: World) -> None:
    """What was taken off stays off: only a new price is what is paid."""
    plan = due(world)
    price = world.plan(plan).price_minor
    world.process(lambda c: c.execute("UPDATE recurring SET price_minor = price_minor - 500"))
    world.edit(plan, quantity=1)
    world.tick()
    assert world.bank.charged()[-1].amount_minor == price - 500


def _paused_until(world: World, plan: int, **time: float) -> datetime:
    """Pause a plan until so long from now, and return the moment."""
    ends = world.now + timedelta(**time)
    world.manage(lambda work, id: recurring_actions.pause(work, id, until=ends), plan)
    return ends


@scenario
def a_plan_is_paused_until_a_day(world: World) -> None:
    """Nothing is charged before; then what was due, once, and there is one resumption."""
    plan = world.subscribed("month", "card")
    ends = _paused_until(world, plan, days=40)
    while world.later(days=1).now < ends:
        world.tick()
        settled(world, charges=1)
    for _ in range(2):
        world.tick()
    settled(world, charges=2)
    assert world.plan(plan).status == "active"
    assert world.value("SELECT count(*) FROM history WHERE what = 'resumed as agreed'") == 1


@scenario
def a_pause_that_ends_is_changed_while_tick_resumes(world: World) -> None:
    plan = world.subscribed("month", "card")
    world.at(_paused_until(world, plan, days=40))
    world.manage(recurring_actions.pause, plan)  # for good, after tick has read what is to be resumed
    assert world.process(lambda c: recurring_actions.resume(world.work(c), plan)) is None
    world.tick()
    settled(world, charges=1)
    assert world.plan(plan).status == "paused"


@scenario
def a_plan_is_paused_until_a_day_while_its_payment_is_in_doubt(world: World) -> None:
    plan = due(world, "cut after")
    world.tick()
    ends = _paused_until(world, plan, days=40)
    world.later(minutes=10).tick()
    settled(world, charges=2)
    assert world.plan(plan).status == "paused"
    while world.later(days=1).now < ends:
        world.tick()
        settled(world, charges=2)
    world.tick()
    settled(world, charges=3)


@scenario
def a_plan_is_moved_to_a_date_that_is_paid(world: World) -> None:
    """Two payments came ahead of their dates: the next one is neither on these nor before them."""
    plan = world.subscribed("day", "card")
    for _ in range(2):
        world.record_payment(plan)
    for days in (1, 2):
        with suppress(SalesError):
            world.edit(plan, next_payment_at=world.now + timedelta(days=days))
    world.record_payment(plan)
    well(world)
    for _ in range(5):
        world.later(days=1).tick()
    settled(world, charges=3)


@scenario
def a_plan_skips_what_it_missed(world: World) -> None:
    """Also a payment between two attempts: its order is then for the next planned date."""
    plan = due(world, "declined")
    world.tick()
    world.manage(recurring_actions.pause, plan)
    world.later(days=70)
    world.manage(lambda work, id: recurring_actions.activate(work, id, skip_missed=True), plan)
    world.tick()
    settled(world, charges=1)
    following = world.plan(plan).due_at
    assert following is not None
    assert following > time.stored(world.now)
    assert world.value("SELECT due_at FROM orders WHERE payment_number = 2") == following
    world.at(time.from_stored(following)).tick()
    settled(world, charges=2)


@scenario
def a_payment_under_way_is_not_skipped(world: World) -> None:
    """It may have been made; and the pause that waits for its end stays."""
    plan = due(world, "cut after")
    world.tick()
    ends = _paused_until(world, plan, days=40)
    with suppress(WrongStatus):
        world.manage(lambda work, id: recurring_actions.activate(work, id, skip_missed=True), plan)
    world.later(minutes=10).tick()
    settled(world, charges=2)
    assert (world.plan(plan).status, world.plan(plan).resumes_at) == ("paused", time.stored(ends))


MUTANTS = (
    Mutant(
        "a plan is moved to a date that is paid",
        "a_plan_is_moved_to_a_date_that_is_paid",
        (
            (
                "sales/recurring_edit.py",
                "if paid is not None and paid >= moment:",
                "if paid is not None and not moment:",
            ),
        ),
    ),
    Mutant(
        "a pause ends at the next tick",
        "a_plan_is_paused_until_a_day",
        (("sales/recurring.py", "r.status = 'paused' AND r.resumes_at <= {now}", "r.resumes_at > 0 AND 0 < {now}"),),
    ),
    Mutant(
        "a pause until a day never ends",
        "a_plan_is_paused_until_a_day",
        (("charging/tick.py", "        _resume(run, only)\n", ""),),
    ),
    Mutant(
        "a resumed plan keeps the end of its pause",
        "a_plan_is_paused_until_a_day",
        (("sales/recurring.py", "after = replace(after, resumes_at=None)", "pass"),),
    ),
    Mutant(
        "a pause that was changed ends all the same",
        "a_pause_that_ends_is_changed_while_tick_resumes",
        (("sales/recurring_actions.py", "if id not in recurring.resuming(work.connection, work.now):", "if False:"),),
    ),
    Mutant(
        "a pause of a payment in flight has no end",
        "a_plan_is_paused_until_a_day_while_its_payment_is_in_doubt",
        (("sales/recurring_actions.py", "wish=wish, resumes_at=resumes_at", "wish=wish"),),
    ),
    Mutant(
        "what was missed is charged after all",
        "a_plan_skips_what_it_missed",
        (("sales/recurring_actions.py", "_skipping(work.now, work.zone) if skip_missed else ", ""),),
    ),
    Mutant(
        "a payment under way is skipped in words only",
        "a_payment_under_way_is_not_skipped",
        (("sales/recurring_actions.py", 'if skip_missed and before.status == "processing":', "if False:"),),
    ),
    Mutant(
        "the order of a skipped date keeps it",
        "a_plan_skips_what_it_missed",
        (
            (
                "sales/recurring_actions.py",
                "            recurring_edit.follow(work, before, after, None)\n",
                "            pass\n",
            ),
        ),
    ),
    Mutant(
        "a part payment begins a plan",
        "a_plan_waits_for_its_first_order",
        (
            (
                "charging/batch.py",
                '    if order.status == "open" and order.price_minor <= paid:',
                "    if order.every_count is not None and order.recurring_id is None:\n"
                "        batch.afterwards.append(partial(_start, batch.work, order.id, paid_at))\n"
                '    if order.status == "open" and order.price_minor <= paid:',
            ),
        ),
    ),
    Mutant(
        "a plan outlives its refunded order unasked",
        "a_plan_waits_for_its_first_order",
        (("sales/recurring_actions.py", "if found is not None and completes is None:", "if False:"),),
    ),
    Mutant(
        "what waits again pays an order twice",
        "what_waits_again_buys_what_is_left",
        (("charging/by_hand.py", "return min(share, left)", "return share"),),
    ),
    Mutant(
        "a payment that is being made changes its price",
        "the_price_changes_between_attempts",
        (("sales/recurring_edit.py", 'before.status in ("processing", "completed")', 'before.status == "completed"'),),
    ),
    Mutant(
        "another quantity of a plan loses its discount",
        "the_quantity_of_a_discounted_plan_is_given_again",
        (("sales/recurring_edit.py", "one.discount_minor if given.price is None else 0", "0"),),
    ),
    Mutant(
        "the invoice of a payment between attempts keeps the old price",
        "the_price_changes_between_attempts",
        (("sales/recurring_edit.py", "        follow(work, before, after, why)\n", ""),),
    ),
)
