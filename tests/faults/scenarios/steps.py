"""What several stories do."""

from __future__ import annotations

from typing import Any

from salescli.charging import pay
from salescli.charging.pay import NewPayment
from salescli.rules import time
from tests.faults.world import World, left_over, money_back, violations


def well(world: World) -> None:
    """Hold the file against the ledger."""
    assert violations(world) == []


def settled(world: World, charges: int) -> None:
    """Hold that all is well, nothing is left over, and the bank took so many payments in all."""
    well(world)
    assert left_over(world) == []
    assert len(world.bank.charged()) == charges


def due(world: World, *moods: str, offer: str = "month") -> int:
    """Start a plan, whose next charges meet these moods, and let its next date come."""
    plan = world.subscribed(offer, "card")
    world.bank.moods["card"].extend(moods)
    next_payment_at = world.plan(plan).next_payment_at
    assert next_payment_at is not None
    world.at(time.from_stored(next_payment_at))
    return plan


def sold(world: World) -> int:
    """Sell for 20.00 through a bank that tells of its changes."""
    world.bank.capabilities |= {"changes"}
    order = world.order("once", "card")
    world.pay(order)
    return order


def agreed(world: World, refunds: int) -> None:
    """Hold that all is well, nothing waits, both sides have the same money back, and so many refunds are recorded."""
    well(world)
    assert left_over(world) == []
    assert money_back(world) == []
    assert world.value("SELECT count(*) FROM refunds") == refunds


def paid_in_part(world: World, order: int, amount: str) -> Any:
    part = NewPayment(amount=amount)
    world.process(lambda c: pay.pay(world.work(c), order, part, gateways=world.gateway))
    return world.value("SELECT status FROM orders WHERE id = ?", order)


RECOGNISED = 'return "idempotent" in able and (seconds is None or age.total_seconds() < seconds)'
