"""Processes that hang, die or do not wait for each other."""

from __future__ import annotations

import json
import os
import sqlite3
import subprocess
import sys
from itertools import count
from pathlib import Path
from time import monotonic, sleep

from salescli.cli import caller
from salescli.errors import AlreadyRunning
from salescli.gateways.answers import ask
from salescli.gateways.command import Command
from salescli.gateways.protocol import Charge
from salescli.notices import deliver, events, hooks
from salescli.notices.hooks import NewHook
from salescli.sales import attempts
from salescli.storage import database, lock
from tests.faults import power
from tests.faults.scenarios.registry import Mutant, scenario
from tests.faults.scenarios.steps import due, settled
from tests.faults.world import World


@scenario
def a_transaction_holds_the_write_lock_from_its_beginning(world: World) -> None:
    one, other = world.connect(), world.connect()
    other.execute("PRAGMA busy_timeout = 0")
    try:
        with database.transaction(one):
            assert _is_refused(other), "another process could begin to write meanwhile"
    finally:
        one.close()
        other.close()


def _is_refused(connection: sqlite3.Connection) -> bool:
    try:
        connection.execute("BEGIN IMMEDIATE")
    except sqlite3.OperationalError:
        return True
    return False


@scenario
def power_is_cut_after_a_claim(world: World) -> None:
    if power.can_record():
        lost, states = power.lost(None)
        assert lost == 0, f"an acknowledged commit is lost in {lost} of {states} states of the disk"
    connection = database.connect(world.path)
    pragmas = tuple(connection.execute(f"PRAGMA {name}").fetchone()[0] for name in ("journal_mode", "synchronous"))
    connection.close()
    assert pragmas in power.LOSE_NOTHING


@scenario
def an_attempt_of_another_process_is_left_alone_while_it_lives(world: World) -> None:
    due(world, "dies after")
    world.tick()
    world.boot -= 1  # it lives after all
    connection = world.connect()
    try:
        assert attempts.abandoned(connection, world.now, world.now) == []
    finally:
        connection.close()
    world.boot += 1
    world.tick()
    settled(world, charges=2)


@scenario
def a_tick_as_of_an_earlier_time_is_at_work_on_another_machine(world: World) -> None:
    """Its lease goes by the clock: as of the time that it was given, it had ended before it began."""
    due(world, "dies after")
    due_at, connection = world.now, world.connect()
    try:
        world.later(hours=1).tick(as_of=due_at)
        connection.execute("UPDATE attempts SET owner = 'elsewhere/' || owner WHERE status = 'live'")
        assert attempts.abandoned(connection, world.now, world.now) == []
        world.later(minutes=11)
        assert len(attempts.abandoned(connection, world.now, world.now)) == 1
    finally:
        connection.close()
    world.tick()
    settled(world, charges=2)


@scenario
def a_program_has_its_question_and_cannot_be_killed(world: World) -> None:
    """It runs through sudo, say: killpg is refused. It may have charged, so "not sent" would be a lie."""
    folder = world.path.parent / "bin"
    folder.mkdir()
    program = folder / "salescli-gateway-slow"
    program.write_text("#!/bin/sh\ncat >/dev/null\nexec sleep 0.4\n")
    program.chmod(0o700)
    path, killpg = os.environ["PATH"], os.killpg
    os.environ["PATH"], os.killpg = f"{folder}:{path}", _refused
    try:
        charge = Charge("reference:1", 4900, "EUR", "card", "customer-1", "Month", "merchant")
        answer = ask(lambda: Command("slow").charge(charge, 0.1))
    finally:
        os.environ["PATH"], os.killpg = path, killpg
    assert answer.became == "unknown", answer


def _refused(group: int, number: int) -> None:
    raise PermissionError("Operation not permitted")


@scenario
def a_gateways_program_hangs_and_who_asked_it_is_killed(world: World) -> None:
    folder = world.path.parent
    program = folder / "salescli-gateway-odd"
    program.write_text(f"#!/bin/sh\ntouch {folder}/begun; (sleep 4; touch {folder}/charged); true\n")
    program.chmod(0o700)
    asking = (
        "from salescli.gateways.command import Command; from salescli.gateways.protocol import Charge;"
        " Command('odd').charge(Charge('r:1', 100, 'EUR', 't', 'customer-1', 'Drawing', 'merchant'), 0.5)"
    )
    path = {**os.environ, "PATH": f"{folder}:{os.environ['PATH']}"}
    asker = subprocess.Popen([sys.executable, "-c", asking], env=path)
    deadline = monotonic() + 30
    while not (folder / "begun").exists():
        assert monotonic() < deadline
        sleep(0.02)
    asker.kill()
    asker.wait()
    sleep(5)
    assert not (folder / "charged").exists(), "charged long after it was given up"


@scenario
def a_hook_hangs_while_the_next_tick_is_due(world: World) -> None:
    folder = _with_hook(world, "touch $0.begun; exec sleep 5")
    line = [sys.executable, "-m", "salescli", "--db", str(world.path), "tick"]
    ticking = subprocess.Popen(line, env={**os.environ, "PATH": f"{folder}:{os.environ['PATH']}"})
    deadline = monotonic() + 30
    while not (folder / "salescli-hook-slow.begun").exists():
        assert monotonic() < deadline
        sleep(0.02)
    try:
        with lock.alone(world.path):
            world.process(lambda c: database.set_setting(c, "further", "it may write"))
    except AlreadyRunning:
        raise AssertionError("no tick can charge while a hook hangs") from None
    finally:
        ticking.kill()
        ticking.wait()


@scenario
def notify_dies_at_every_moment(world: World) -> None:
    folder = _with_hook(world, "cat >> $0.got; echo >> $0.got")
    path = os.environ["PATH"]
    os.environ["PATH"] = f"{folder}:{path}"
    try:
        for moment in count():  # each process lives for one statement more, until one is not killed
            if world.process(lambda c: deliver.run(world.work(c)), dies_at=moment) is not None:
                break
    finally:
        os.environ["PATH"] = path
    got = [json.loads(line)["event"] for line in (folder / "salescli-hook-slow.got").read_text().splitlines()]
    connection = world.connect()
    expected = [event["event"] for event in events.after(connection, 0) if event["kind"] == "order.opened"]
    connection.close()
    assert got == sorted(got)
    assert sorted(set(got)) == expected, "an event was never told"


def _with_hook(world: World, script: str) -> Path:
    """Add a hook, whose program is in the folder that is returned, and three events for it."""
    folder = world.path.parent / "bin"
    folder.mkdir()
    program = folder / "salescli-hook-slow"
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o700)
    world.process(lambda c: hooks.add(world.work(c), NewHook("slow", "program", "slow", events="order.opened")))
    world.rows("UPDATE users SET login = ? WHERE login = 'owner' RETURNING id", caller.os_login())
    for _ in range(3):
        world.order("once", "card")
    return folder


MUTANTS = (
    Mutant(
        "the living taken for dead",
        "an_attempt_of_another_process_is_left_alone_while_it_lives",
        (("sales/attempts.py", " if not attempt.worked_on(clock)]", "]"),),
    ),
    Mutant(
        "a lease by the time that a person gave",
        "a_tick_as_of_an_earlier_time_is_at_work_on_another_machine",
        (("sales/new_attempts.py", "owned_at=at.clock", "owned_at=at.now"),),
    ),
    Mutant(
        "deferred begin",
        "a_transaction_holds_the_write_lock_from_its_beginning",
        (("storage/database.py", '_BEGIN, _HOME = "BEGIN IMMEDIATE"', '_BEGIN, _HOME = "BEGIN"'),),
    ),
    Mutant(
        "synchronous NORMAL",
        "power_is_cut_after_a_claim",
        (
            ("storage/sqlite/connection.py", '"delete"), ("synchronous", 3)', '"delete"), ("synchronous", 1)'),
            ("storage/sqlite/connection.py", '"wal"), ("synchronous", 2)', '"wal"), ("synchronous", 1)'),
        ),
    ),
    Mutant(
        "our own error once a program runs is called not sent",
        "a_program_has_its_question_and_cannot_be_killed",
        (
            (
                "gateways/program.py",
                "    with suppress(OSError):\n        os.killpg",
                "    if True:\n        os.killpg",
            ),
            ("gateways/command.py", "except program.NotStarted as", "except (program.NotStarted, OSError) as"),
        ),
    ),
    Mutant(
        "a gateway's program outlives who asked it",
        "a_gateways_program_hangs_and_who_asked_it_is_killed",
        (("gateways/program.py", "            os.killpg(0, signal.SIGKILL)\n", "            pass\n"),),
    ),
    Mutant(
        "a hook that hangs holds up the next tick",
        "a_hook_hangs_while_the_next_tick_is_due",
        (
            (
                "cli/commands/tick.py",
                "            stopped = stopping()\n",
                "            stopped = stopping()\n            _tell(session)\n",
            ),
        ),
    ),
    Mutant(
        "a hook was told before it is told",
        "notify_dies_at_every_moment",
        (
            (
                "notices/deliver.py",
                "                senders.send(run.hook, [event]",
                '                hooks.told(run.connection, run.hook, event["event"])\n'
                "                senders.send(run.hook, [event]",
            ),
        ),
    ),
)
