"""Refunds and disputes that the payment system tells of."""

from __future__ import annotations

import sqlite3
from contextlib import suppress
from dataclasses import replace
from datetime import datetime, timedelta
from itertools import count

from salescli.charging import by_hand
from salescli.errors import SalesError, WrongStatus
from salescli.gateways.protocol import Changes
from tests.faults.scenarios.registry import Mutant, scenario
from tests.faults.scenarios.steps import agreed, sold, well
from tests.faults.world import World


@scenario
def a_refund_was_made_there_before(world: World) -> None:
    order = sold(world)
    world.bank.refund_there(0, 500)
    world.later(minutes=5).refund(order, "5.00")
    agreed(world, refunds=1)
    assert world.bank.back(0) == 500
    world.bank.refund_there(0, 200)
    world.later(minutes=5).refund(order, "5.00")
    agreed(world, refunds=2)
    assert world.bank.back(0) == 700, "ours was sent although nobody had seen theirs"


@scenario
def the_look_for_refunds_fails(world: World) -> None:
    order = sold(world)
    world.bank.refund_there(0, 500)
    world.bank.moods["changes"].append("unreachable")
    world.later(minutes=5).refund(order, "5.00")
    assert world.bank.back(0) == 500


@scenario
def a_refund_is_told_again_and_again(world: World) -> None:
    sold(world)
    world.bank.refund_there(0, 500)
    for _ in range(3):
        world.later(minutes=90).sync()
        world.tick()
    agreed(world, refunds=1)
    with suppress(sqlite3.IntegrityError):
        columns = "invoice_id, amount_minor, currency, refunded_at, refunded_on, kind, gateway_id, payment_system_id"
        world.rows(f"INSERT INTO refunds ({columns}) SELECT {columns} FROM refunds RETURNING id")
    assert world.value("SELECT count(*) FROM refunds") == 1


@scenario
def a_tick_asks_for_refunds_only_once_an_hour(world: World) -> None:
    sold(world)
    world.tick()
    world.bank.refund_there(0, 500)
    world.bank.moods["changes"].append("garbage")
    world.later(minutes=30).tick()
    assert list(world.bank.moods["changes"]) == ["garbage"]
    world.later(hours=2).tick()
    assert list(world.bank.moods["changes"]) == []


@scenario
def sync_dies_at_every_moment(world: World) -> None:
    sold(world)
    world.bank.refund_there(0, 500)
    world.bank.refund_there(0, 500)
    claim = world.bank.dispute(0, 800)
    file = world.path.read_bytes()
    for moment in count():
        world.path.write_bytes(file)
        boot = world.boot
        world.sync(dies_at=moment)
        world.sync()
        agreed(world, refunds=2)
        if world.boot == boot:
            break
    claim.status = "won"


@scenario
def our_refund_of_unknown_outcome_is_told(world: World) -> None:
    order = sold(world)
    world.bank.tells_references = False
    world.bank.moods["refund"].append("cut after")
    world.refund(order, "5.00")
    world.later(minutes=1).sync()
    world.later(minutes=10).tick()
    world.later(hours=2).tick()
    agreed(world, refunds=1)


@scenario
def a_refund_there_waits_for_ours(world: World) -> None:
    order = sold(world)
    world.bank.tells_references = False
    world.bank.moods["refund"].append("cut after")
    world.bank.moods["lookup"].extend(["unreachable"] * 5)
    world.refund(order, "5.00")
    world.bank.refund_there(0, 300)
    for _ in range(6):
        world.later(days=2).tick()
    world.later(hours=2).tick()
    agreed(world, refunds=2)


@scenario
def our_refund_of_unknown_outcome_is_told_by_its_reference(world: World) -> None:
    order = sold(world)
    world.bank.moods["refund"].append("cut after")
    world.refund(order, "5.00")
    world.later(minutes=1).sync()
    agreed(world, refunds=1)
    world.later(minutes=10).tick()
    agreed(world, refunds=1)


@scenario
def a_refund_that_a_person_recorded_is_told(world: World) -> None:
    order = sold(world)
    world.later(minutes=5).record_refund(order, "5.00")
    world.bank.refund_there(0, 500)
    world.later(minutes=5).sync()
    agreed(world, refunds=1)


@scenario
def a_copy_lacks_a_refund_of_ours(world: World) -> None:
    order = sold(world)
    file = world.path.read_bytes()
    world.refund(order, "5.00")
    world.path.write_bytes(file)
    world.later(minutes=5).sync()
    agreed(world, refunds=1)
    world.later(minutes=5).refund(order, "5.00")
    agreed(world, refunds=2)
    assert world.bank.back(0) == 1000


@scenario
def a_lost_dispute_is_told_again_and_again(world: World) -> None:
    order = sold(world)
    claim = world.bank.dispute(0, 800)
    world.later(minutes=5).sync()
    with suppress(WrongStatus):
        world.refund(order, "5.00")
    assert world.bank.back(0) == 0, "a refund of what is disputed may go back twice"
    claim.status, claim.settled_at = "lost", world.later(days=60).time
    world.later(minutes=5).record_refund(order, "8.00", dispute=True)
    for _ in range(3):
        world.later(hours=2).sync()
    agreed(world, refunds=1)
    assert world.value("SELECT status FROM disputes") == "lost"


@scenario
def a_dispute_is_settled_long_after_it_was_opened(world: World) -> None:
    sold(world)
    claim = world.bank.dispute(0, 800)
    for _ in range(2):
        world.later(days=3).sync()
    claim.status, claim.settled_at = "lost", world.later(days=60).time
    for _ in range(2):
        world.later(hours=2).tick()
    agreed(world, refunds=1)


@scenario
def a_clock_ran_ahead_when_the_bank_was_asked(world: World) -> None:
    sold(world)
    world.skew = timedelta(days=365)
    world.sync()
    world.skew = timedelta(0)
    world.bank.refund_there(0, 500)
    world.later(hours=2).sync()
    agreed(world, refunds=1)


@scenario
def a_payment_was_made_after_all(world: World) -> None:
    world.bank.capabilities |= {"changes"}
    order = world.order("once", "card")
    world.bank.moods["card"].append("cut after")
    world.pay(order)
    world.process(lambda c: by_hand.resolve(world.work(c), 1, "not_sent", "they say so"))
    world.sync()
    told = world.rows("SELECT what FROM history WHERE what LIKE 'payment b_0 made there%'")
    assert len(told) == 1
    world.later(hours=2).sync()
    assert len(world.rows("SELECT what FROM history WHERE what LIKE 'payment b_0 made there%'")) == 1


@scenario
def a_bank_tells_refunds_of_other_payments(world: World) -> None:
    """The second customer's money is still to go back, though as much went back to the first one there."""
    world.bank.capabilities |= {"changes"}
    world.bank.refunds = lambda gateway_id: tuple(world.bank._refunds())  # type: ignore[method-assign]
    first, second = (world.order("once", "card") for _ in range(2))
    world.pay(first)
    world.pay(second)
    world.bank.refund_there(0, 500)
    world.later(minutes=5).refund(second, "5.00")
    assert (world.bank.back(0), world.bank.back(1)) == (500, 500)
    well(world)


@scenario
def two_refunds_of_one_amount_have_no_numbers(world: World) -> None:
    world.bank.capabilities |= {"changes"}
    numbered = world.bank._refunds
    world.bank._refunds = lambda: [  # type: ignore[method-assign]
        replace(one, gateway_id=None, reference=None) for one in numbered()
    ]
    world.pay(world.order("once", "card"))
    for minutes in (5, 30, 5):
        world.later(minutes=minutes).sync()
        if world.bank.back(0) < 1000:
            world.bank.refund_there(0, 500)
    assert world.value("SELECT sum(amount_minor) FROM refunds") == 1000


@scenario
def a_dispute_is_lost_in_another_currency(world: World) -> None:
    """How much of the payment it took is for a person; until then nothing is refunded, and it is told each time."""
    world.bank.capabilities |= {"changes"}
    order = world.order("once", "card")
    world.pay(order)
    claim, changes = world.bank.dispute(0, 800), world.bank.changes

    def in_dollars(since: datetime, disputes: tuple[str, ...]) -> Changes:
        told = changes(since, disputes)
        return replace(told, disputes=tuple(replace(one, currency="USD") for one in told.disputes))

    world.bank.changes = in_dollars  # type: ignore[method-assign]
    world.later(minutes=5).sync()
    claim.status, claim.settled_at = "lost", world.later(days=1).time
    world.sync()
    with suppress(SalesError):
        world.refund(order)
    assert world.bank.back(0) == 800, "a refund of what was disputed went back twice"
    world.record_refund(order, "8.00", dispute=True, gateway_id="d_0")
    world.later(minutes=5).sync()
    assert world.rows("SELECT status, refund_id FROM disputes")[0][:] == ("lost", 1)
    assert world.value("SELECT sum(amount_minor) FROM refunds") == 800


@scenario
def a_dispute_that_was_won_is_lost_after_all(world: World) -> None:
    world.bank.capabilities |= {"changes"}
    order = world.order("once", "card")
    world.pay(order)
    claim = world.bank.dispute(0, 800)
    for status in ("won", "lost"):
        claim.status, claim.settled_at = status, world.later(hours=1).time
        world.sync()
    assert world.value("SELECT sum(amount_minor) FROM refunds") == 800


MOVED_THERE = "charging/moved_there.py"
OF_INVOICE = """        invoice = invoice_of(work.connection, system, reported.payment_id)
        if invoice is None:
            return _unpaid(work.connection, system, reported.payment_id)
        if reported.gateway_id"""

MUTANTS = (
    Mutant(
        "a refund that was made there is repeated",
        "a_refund_was_made_there_before",
        (("charging/refund.py", "already = _made_there(work, part, gateway)", "already = None"),),
    ),
    Mutant(
        "a refund that was found there is sent too",
        "a_refund_was_made_there_before",
        (("charging/refund.py", 'return Answer("succeeded", code=FOUND_THERE) if found else None', "return None"),),
    ),
    Mutant(
        "ours is sent beside one that nobody had seen",
        "a_refund_was_made_there_before",
        (
            (
                "charging/refund.py",
                "    if found in (0, part.amount_minor):\n",
                "    if found != part.amount_minor:\n        return None\n    if found:\n",
            ),
        ),
    ),
    Mutant(
        "a refund is sent where the look-up of theirs failed",
        "the_look_for_refunds_fails",
        (
            (
                "charging/refund.py",
                'return Answer("not_sent", message=f"its refunds there could not be looked up: {made.message}")',
                "return None",
            ),
        ),
    ),
    Mutant(
        "a refund that is known is recorded again",
        "a_refund_is_told_again_and_again",
        (
            (
                MOVED_THERE,
                'if reported.gateway_id and refunds.find(work.connection, system.id, reported.gateway_id, "refund"):',
                "if False:",
            ),
        ),
    ),
    Mutant(
        "the file takes one refund of a gateway twice",
        "a_refund_is_told_again_and_again",
        (
            (
                "storage/migrations/m0007_moved_elsewhere.py",
                "CREATE UNIQUE INDEX refunds_gateway",
                "CREATE INDEX refunds_gateway",
            ),
        ),
    ),
    Mutant(
        "every tick asks for refunds",
        "a_tick_asks_for_refunds_only_once_an_hour",
        (("charging/gateway_sync.py", "time.from_stored(last) < SYNC_EVERY", "time.from_stored(last) < timedelta(0)"),),
    ),
    Mutant(
        "a refund found there is half recorded",
        "sync_dies_at_every_moment",
        (
            (
                MOVED_THERE,
                f"    with database.transaction(work.connection):\n{OF_INVOICE}",
                f"    if True:\n{OF_INVOICE}",
            ),
        ),
    ),
    Mutant(
        "a refund there is recorded beside ours of unknown outcome",
        "our_refund_of_unknown_outcome_is_told",
        (
            (
                "charging/moved_there.py",
                "if reported.pending or (live is not None and (own is None or own.id != live.id)):",
                "if reported.pending:",
            ),
            (
                "charging/moved_there.py",
                "        if live is not None:\n            return _settled",
                "        if live is not None and own is not None:\n            return _settled",
            ),
        ),
    ),
    Mutant(
        "what waited is not asked for again",
        "a_refund_there_waits_for_ours",
        (("charging/gateway_sync.py", "min([reached, *waiting])", "reached"),),
    ),
    Mutant(
        "our refund is not known by its reference",
        "our_refund_of_unknown_outcome_is_told_by_its_reference",
        (
            (
                "charging/moved_there.py",
                'return attempt if attempt and (attempt.kind, attempt.invoice_id) == ("refund", invoice.id) else None',
                "return None",
            ),
        ),
    ),
    Mutant(
        "what a person recorded is recorded again",
        "a_refund_that_a_person_recorded_is_told",
        (
            (
                "charging/moved_there.py",
                "        if _known_without_number(work, invoice, own, reported):\n            return KNOWN\n",
                "",
            ),
        ),
    ),
    Mutant(
        "a reference that the gateway has answered is sent for another refund",
        "a_copy_lacks_a_refund_of_ours",
        (("charging/moved_there.py", "if named != base or not number.isascii() or not number.isdigit():", "if True:"),),
    ),
    Mutant(
        "what is disputed is refunded",
        "a_lost_dispute_is_told_again_and_again",
        (
            (
                "charging/refund.py",
                "(dispute := disputes.open_of_invoice(connection, part.invoice.id))",
                "(dispute := None)",
            ),
        ),
    ),
    Mutant(
        "a lost dispute that a person recorded is money back again",
        "a_lost_dispute_is_told_again_and_again",
        (
            (
                "charging/moved_there.py",
                'in refunds.without_number(work.connection, invoice.id, "dispute", dispute.amount_minor):',
                "in ():",
            ),
        ),
    ),
    Mutant(
        "an open dispute is not asked for again",
        "a_dispute_is_settled_long_after_it_was_opened",
        (
            (
                "charging/gateway_sync.py",
                "ask_changes(gateway, since, disputes.open_of(work.connection, system.id))",
                "ask_changes(gateway, since, ())",
            ),
        ),
    ),
    Mutant(
        "what happened while a clock was ahead is never asked for",
        "a_clock_ran_ahead_when_the_bank_was_asked",
        (("charging/gateway_sync.py", " or happened.is_future(time.from_stored(until), work.now)", ""),),
    ),
    Mutant(
        "a success that contradicts us is not told",
        "a_payment_was_made_after_all",
        (
            (
                "charging/moved_there.py",
                '    if attempt.status == "succeeded":\n        return KNOWN',
                '    if attempt.status != "live":\n        return KNOWN',
            ),
        ),
    ),
    Mutant(
        "refunds of other payments count",
        "a_bank_tells_refunds_of_other_payments",
        (("gateways/answers.py", " if one.payment_id == gateway_id", ""),),
    ),
    Mutant(
        "refunds without numbers are one by their amount",
        "two_refunds_of_one_amount_have_no_numbers",
        (("gateways/answers.py", "if number in (None, one.payment_id):", "if False:"),),
    ),
    Mutant(
        "a dispute lost in another currency is closed and forgotten",
        "a_dispute_is_lost_in_another_currency",
        (
            (
                "charging/moved_there.py",
                'if reported.status == "lost" and reported.currency != invoice',
                "if False and invoice",
            ),
        ),
    ),
    Mutant(
        "a lost dispute that was won before moves nothing",
        "a_dispute_that_was_won_is_lost_after_all",
        (("charging/moved_there.py", '(("open", "lost"), ("won", "lost"))', '(("open", "lost"),)'),),
    ),
)
