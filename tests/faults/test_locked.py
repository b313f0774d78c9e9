"""A tick that others keep from writing: it waits long once, settles what it can, says so in one line and ends."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path
from time import monotonic

import pytest

from salescli.charging import tick
from salescli.charging.due_payments import TickCounts
from salescli.rules import time
from salescli.storage import database
from tests.conftest import House
from tests.faults.world import World, charged_twice, left_over, violations

WAIT_SECONDS = 2  # of a connection of the world
DUE = 12


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    """Plans due at once, of a bank that answers."""
    monkeypatch.setattr(database, "BRIEF_SECONDS", 0)
    world = World(tmp_path)
    plans = [world.subscribed("day", f"card {number}") for number in range(DUE)]
    world.at(time.from_stored(world.plan(plans[-1]).next_payment_at or 0))
    yield world
    world.close()


@pytest.fixture(params=["writes", "reads"])
def other(request: pytest.FixtureRequest, world: World) -> Iterator[Callable[[], None]]:
    """What makes another process begin to write, or to read, and never end; by rollback it ends."""
    connection = world.connect()
    if request.param == "reads" and connection.execute("PRAGMA journal_mode").fetchone()[0] == "wal":
        pytest.skip("readers hold nobody up here")

    def begin() -> None:
        connection.execute("BEGIN IMMEDIATE" if request.param == "writes" else "BEGIN")
        connection.execute("SELECT count(*) FROM orders").fetchall()

    begin.end = lambda: connection.execute("ROLLBACK")  # type: ignore[attr-defined]
    yield begin
    connection.close()


def held_up_at(world: World, call: int, begin: Callable[[], None]) -> TickCounts:
    """Run a tick; another process begins in the middle of its gateway call of this number. It waits long only once."""
    looks, calls = world.bank.witness, len(world.bank.calls)

    def witness(reference: str, amount_minor: int) -> None:
        looks(reference, amount_minor)
        if len(world.bank.calls) == calls + call:
            world.bank.witness = lambda reference, amount_minor: None  # it could not look at the file any more
            begin()

    world.bank.witness = witness
    started = monotonic()
    counts = world.tick(workers=1)  # which claims three at once
    assert counts is not None
    assert monotonic() - started < 2 * WAIT_SECONDS, "it waits again and again"
    world.bank.witness = looks
    world.boot += 1  # the process has ended
    return counts


@pytest.mark.parametrize("call", [1, 4])
def test_a_tick_that_cannot_write_ends_and_the_next_one_goes_on(world: World, other: Callable, call: int) -> None:  # type: ignore[type-arg]
    counts = held_up_at(world, call, other)

    assert counts.ended_by is not None
    assert counts.ended_by.exit_code == 7
    assert "could not be recorded; the next tick looks" in str(counts.ended_by)
    assert len(world.bank.charged()) < 2 * DUE, "nothing is begun any more"
    other.end()  # type: ignore[attr-defined]
    world.later(minutes=10).tick()
    world.later(minutes=5).tick()
    assert (violations(world), left_over(world), charged_twice(world.bank)) == ([], [], [])
    assert len(world.bank.charged()) == 2 * DUE


def test_what_can_be_written_at_last_is(world: World, other: Callable, monkeypatch: pytest.MonkeyPatch) -> None:  # type: ignore[type-arg]
    monkeypatch.setattr(database, "wait_briefly", lambda connection: other.end())  # type: ignore[attr-defined]

    counts = held_up_at(world, 4, other)

    assert "ended early; the next goes on" in str(counts.ended_by)
    assert world.value("SELECT count(*) FROM attempts WHERE status = 'live'") == 0
    assert violations(world) == []
    world.later(minutes=5).tick()
    assert left_over(world) == []
    assert len(world.bank.charged()) == 2 * DUE


def test_recovery_that_cannot_write_ends_the_tick(world: World) -> None:
    world.bank.moods["card 0"].append("dies after")
    world.tick()
    blocker = world.connect()
    connected = world.connect

    def connect() -> sqlite3.Connection:
        connection = connected()
        connection.execute("PRAGMA busy_timeout = 100")
        return connection

    world.connect = connect  # type: ignore[method-assign]
    looks_up = world.bank.lookup

    def lookup(*values: object) -> object:
        blocker.execute("BEGIN IMMEDIATE")
        world.bank.lookup = looks_up  # type: ignore[method-assign]
        return looks_up(*values)  # type: ignore[arg-type]

    world.bank.lookup = lookup  # type: ignore[method-assign, assignment]
    calls = len(world.bank.charged())

    counts = world.later(minutes=5).tick()

    assert counts is not None
    assert "1 answer of a payment system could not be recorded" in str(counts.ended_by)
    assert len(world.bank.charged()) == calls
    blocker.close()
    world.boot += 1
    world.later(minutes=5).tick()
    assert (violations(world), left_over(world)) == ([], [])


def test_a_claim_that_cannot_be_written_ends_the_tick(world: World, other: Callable) -> None:  # type: ignore[type-arg]
    said: list[str] = []

    def say(line: str) -> None:
        said.append(line)
        if len(said) == 1:  # its answer is recorded, and the next claim has not begun
            other()

    def run(connection: sqlite3.Connection) -> TickCounts:
        work = world.work(connection)
        return tick.run(work, gateways=world.gateway, clock_now=world.now, accept_clock=True, say=say)

    started = monotonic()
    counts = world.process(run)

    assert monotonic() - started < 1.75 * WAIT_SECONDS, "it waits again"
    assert counts is not None
    assert "this tick ended early; the next goes on" in str(counts.ended_by)
    assert len(world.bank.charged()) == DUE + 1
    assert violations(world) == []


def test_a_tick_that_never_gets_the_lock_is_one_line(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(database, "LONGER_SECONDS", 0)
    house.connection.execute("BEGIN IMMEDIATE")

    ran = house.run("tick")

    assert (ran.code, ran.err.count("\n"), ran.err.startswith("salescli: the database")) == (7, 1, True), ran
