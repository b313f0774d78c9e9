"""Hosts that tick on one PostgreSQL server, killed with SIGKILL, and the server under them: the book is the judge.

two or three ticks at once, one of them killed at random or at a commit | the server killed, and started again
| the server killed, and a stand-by that did not see the last ticks promoted -> … -> calm -> nothing forgotten
"""

from __future__ import annotations

import os
import random
import signal
import tempfile
import threading
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from time import sleep
from typing import Any

from salescli.cli import main as program
from salescli.rules import time
from salescli.storage import database
from salescli.storage.postgres.connection import Connection
from salescli.storage.postgres.cursor import Cursor
from tests.faults.hosts import Pair, shop_of
from tests.faults.kills import Found, kill_within
from tests.faults.world import forgotten, payment_of

HOSTS = 3
TICK_SECONDS = 1.2  # about as long as a tick of all plans takes here; a random kill comes within it
LEASE = timedelta(minutes=11)  # by then another host takes over what a killed one had under way
CLOCKS_WRONG = (timedelta(0), timedelta(hours=2), -timedelta(hours=2))  # of the hosts: only the server's counts


@dataclass
class HostCounts(Found):
    """What a run of kills on a server has seen."""

    kills: int = 0
    servers_killed: int = 0
    fail_overs: int = 0

    @property
    def all_kills(self) -> int:
        """All kills, of clients and servers."""
        return self.kills + self.servers_killed + self.fail_overs


def run(kills: int, seed: int) -> HostCounts:
    """Kill so many processes and servers, and count what that broke."""
    counts, chance = HostCounts(), random.Random(seed)
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGCHLD})  # so that the end of a child can be awaited
    with tempfile.TemporaryDirectory() as folder, shop_of(Path(folder)) as pair:
        followed = False
        while counts.all_kills < kills and not counts.double and not counts.violations:
            what = chance.random()
            if followed and what < 0.2:
                _ticks(pair, chance, counts)
                pair = _fail_over(pair, counts)
                followed = False
            elif not followed and what < 0.3:
                pair.second.follow(pair.first)  # what is done from here on, it does not know
                followed = True
            else:
                _ticks(pair, chance, counts, kills_server=what > 0.9)
            _compare(pair, counts)
            pair.now = max(pair.now + LEASE, next_due(pair))
        _calm(pair, counts)
    return counts


def _ticks(pair: Pair, chance: random.Random, counts: HostCounts, *, kills_server: bool = False) -> None:
    """Let hosts tick at once, and one of them die, or the server under all."""
    children = [host(pair, number) for number in range(chance.choice((2, HOSTS)))]
    dying = host(pair, HOSTS, dies_at=chance.randrange(12)) if chance.random() < 0.5 else children.pop()
    if kills_server:
        sleep(chance.random() * TICK_SECONDS)
        pair.first.kill()
        pair.first.start()
        counts.servers_killed += 1
    else:
        kill_within(dying, chance.random() * TICK_SECONDS)
    _, status = os.waitpid(dying, 0)
    counts.kills += os.WIFSIGNALED(status)
    for child in children:
        _, status = os.waitpid(child, 0)
        if not kills_server and os.waitstatus_to_exitcode(status) != 0:
            counts.violations.append(f"a tick ended with {os.waitstatus_to_exitcode(status)}")
    sleep(0.3)  # what a killed process has begun at the payment system ends there


def host(pair: Pair, number: int, dies_at: int | None = None) -> int:
    """Tick in a new process, whose clock is wrong and which may die around its n-th commit; return its id.

    What counts is the time of the pair, by the server's clock.
    """
    child = os.fork()
    if child:
        return child
    code = 70
    try:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGCHLD})
        silence = os.open(os.devnull, os.O_RDWR)
        for stream in (0, 1, 2):
            os.dup2(silence, stream)
        os.environ["XDG_STATE_HOME"] += f"/{number}"  # a machine of its own
        right = time.now
        setattr(time, "now", lambda: right() + CLOCKS_WRONG[number % len(CLOCKS_WRONG)])  # noqa: B010
        setattr(Connection, "clock", lambda connection: pair.now)  # noqa: B010
        if dies_at is not None:
            _die_at_commit(dies_at)
        code = program.run(["--db", pair.url, "tick", "--accept-clock", "--workers", "4"])
    finally:
        os._exit(code)


def _die_at_commit(left: int) -> None:
    """Let this process kill itself just before or just after its n-th COMMIT."""
    execute, lock = Cursor.execute, threading.Lock()

    def moment() -> None:
        nonlocal left
        with lock:
            left -= 1
            if left < 0:
                os.kill(os.getpid(), signal.SIGKILL)

    def deadly(cursor: Cursor, sql: str, values: Any = ()) -> Cursor:
        if sql != "COMMIT":
            return execute(cursor, sql, values)
        moment()
        done = execute(cursor, sql, values)
        moment()
        return done

    setattr(Cursor, "execute", deadly)  # noqa: B010


def _fail_over(pair: Pair, counts: HostCounts) -> Pair:
    """Kill the server, and let the stand-by take its place; a new one may follow that, in the place of the old."""
    pair.first.kill()
    pair.second.start()
    pair.second.promote()
    pair.first.forget()
    counts.fail_overs += 1
    return Pair(pair.second, pair.first, pair.book, pair.open_order, pair.now)


def next_due(pair: Pair) -> datetime:
    """Return when the next payment or look-up is due."""
    with closing(database.connect(pair.url)) as connection:
        soonest = connection.execute(
            "SELECT min(at) AS at FROM (SELECT next_payment_at AS at FROM recurring WHERE status = 'active'"
            " UNION ALL SELECT coalesce(next_lookup_at, started_at) FROM attempts WHERE status = 'live') AS times"
        ).fetchone()["at"]
    return pair.now if soonest is None else time.from_stored(soonest)


def _compare(pair: Pair, counts: HostCounts) -> None:
    counts.double += [f"{payment} was charged {times} times" for payment, times in pair.charges().items() if times > 1]


def _calm(pair: Pair, counts: HostCounts) -> None:
    """Let one host tick as it should for some days: then nobody may be forgotten, and the shop knows every charge.

    What the lost server charged last is learnt at the plan's next date, when that payment is looked up before it is
    sent: a plan that is late makes one payment, and goes on from there.
    """
    left = unknown = ["no tick ended well"]
    for _ in range(24):
        _, status = os.waitpid(host(pair, 0), 0)
        with closing(database.connect(pair.url)) as connection:
            left = forgotten(connection, pair.now)
        unknown = _unknown(pair)
        if not (left or unknown or status):
            break
        pair.now += timedelta(hours=6)
    counts.forgotten += left
    counts.charges += sum(pair.charges().values())
    counts.violations += [f"charged, and not known: {what}" for what in unknown]
    _compare(pair, counts)


def _unknown(pair: Pair) -> list[str]:
    """Return the payments in the book that the shop does not know as paid, with what it says of them."""
    with closing(database.connect(pair.url)) as connection:
        rows = connection.execute("SELECT reference, status, started_at FROM attempts WHERE kind = 'charge'").fetchall()
    said = {
        payment: [tuple(row) for row in rows if payment_of(row["reference"]) == payment] for payment in pair.charges()
    }
    return [f"{payment}: {of}" for payment, of in said.items() if "succeeded" not in {status for _, status, _ in of}]
