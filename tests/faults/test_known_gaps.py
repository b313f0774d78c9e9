"""Gaps that the faults found, closed since: each is the smallest story that showed it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from salescli.rules import time
from tests.faults.test_restored import Backup
from tests.faults.world import World, charged_twice, violations


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    """Return a world whose bank prunes its keys."""
    world = World(tmp_path)
    yield world
    world.close()


def test_what_is_not_found_yet_stays_in_doubt(world: World) -> None:
    # The first request is still on its way when a second process looks it up and finds nothing.
    world.bank.spares_overtaken = False
    order = world.order("once", "card")
    world.bank.moods["card"].extend(["overtaken before", "unreachable"])
    world.pay(order)
    assert violations(world) == []


def test_an_order_paid_since_a_backup_is_not_charged_again(world: World) -> None:
    order = world.order("once", "card")
    backup = Backup(world)
    world.pay(order)
    backup.put_back()
    world.later(days=2).pay(order)
    assert charged_twice(world.bank) == []


def test_money_given_back_since_a_backup_is_not_given_back_again(world: World) -> None:
    order = world.order("once", "card")
    world.pay(order)
    backup = Backup(world)
    world.refund(order, "5.00")
    backup.put_back()
    world.later(days=2).refund(order, "5.00")
    assert charged_twice(world.bank) == []


def test_several_payments_since_a_backup_are_all_learnt_from_the_ledger(world: World) -> None:
    plan = world.subscribed("day", "card")
    backup = Backup(world)
    for _ in range(5):
        world.at(time.from_stored(world.plan(plan).next_payment_at or 0)).tick()
    assert world.plan(plan).payments_made == 6
    backup.put_back()
    for _ in range(3):
        world.tick()
    world.at(time.from_stored(world.plan(plan).next_payment_at or 0)).tick()
    assert charged_twice(world.bank) == []
