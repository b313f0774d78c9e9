"""Several hosts of one shop on a server, as far as no machine must die: nobody is charged twice (I1)."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from time import monotonic, sleep
from typing import Any
from unittest.mock import patch

import pytest

from salescli.charging import tick_log
from salescli.rules import time
from salescli.storage import database, engine
from salescli.storage.postgres.connection import Connection
from salescli.storage.postgres.cursor import Cursor
from tests.faults import host_kills
from tests.faults.hosts import PLANS, Pair, shop_of
from tests.terminal import Ran

_PATIENCE_SECONDS = 60


@pytest.fixture
def pair(tmp_path: Path) -> Iterator[Pair]:
    """Run a server with plans that are due."""
    with shop_of(tmp_path) as made:
        yield made


def until(true: Callable[[], bool]) -> None:
    """Wait for what another process does."""
    end = monotonic() + _PATIENCE_SECONDS
    while not true():
        assert monotonic() < end, "it did not happen"
        sleep(0.05)


def begun(pair: Pair, *words: str) -> subprocess.Popen[str]:
    """Begin a command on a machine of its own; return its process once the payment system has its charge."""
    pair.held.touch()
    command = [sys.executable, "-m", "salescli", "--db", pair.url, *words]
    machine = {**os.environ, "XDG_STATE_HOME": str(pair.book.with_name("-".join(words)))}
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=machine)
    with closing(pair.connection()) as connection:
        until(lambda: _calls(connection, process.pid))
    return process


def _calls(connection: engine.Connection, pid: int) -> bool:
    """Return whether a process has a charge under way, not one that it took over only to look it up."""
    sql = "SELECT owner FROM attempts WHERE status = 'live' AND fence <> 2 AND owner IS NOT NULL"
    return any(f"/{pid}/" in owner for (owner,) in connection.execute(sql).fetchall())


def test_what_a_tick_as_of_an_earlier_time_has_under_way_is_left_to_it(pair: Pair) -> None:
    ticks = [begun(pair, "tick", "--now", time.utc_text(pair.now)), begun(pair, "tick")]
    pair.held.unlink()
    assert [tick.communicate()[1] for tick in ticks] == ["", ""]
    assert {*pair.charges().values()} == {1}


def test_hosts_that_begin_at_once_are_two_ticks(pair: Pair) -> None:
    execute = Cursor.execute
    begun_between: list[bool] = []

    def interrupted(cursor: Cursor, sql: str, values: Any = ()) -> Cursor:
        done = execute(cursor, sql, values)
        if sql.startswith("INSERT INTO ticks") and not begun_between:
            begun_between.append(True)
            database.wait_briefly(other)
            with pytest.raises(engine.OperationalError, match="locked"):
                tick_log.begin(other, pair.now, pair.now, held=False)
        return done

    with (
        closing(pair.connection()) as one,
        closing(pair.connection()) as other,
        patch.object(Cursor, "execute", interrupted),
    ):
        ids = [tick_log.begin(connection, pair.now, pair.now, held=False) for connection in (one, other)]
    assert (begun_between, ids[1] - ids[0]) == ([True], 1)


def lose_line_at_commit(left: int, *, done: bool, clock: str) -> None:
    """Let the server end this process's session at its n-th COMMIT: once it is ``done``, or before it is.

    ``clock``: what the server's shows, as UTC text.
    """
    execute = Cursor.execute

    def losing(cursor: Cursor, sql: str, values: Any = ()) -> Cursor:
        nonlocal left
        left -= sql == "COMMIT"
        if sql == "COMMIT" and left == 0:
            if done:
                execute(cursor, sql)
            session = cursor._connection._held
            with closing(database.connect(cursor._connection.url)) as other:
                other.execute("SELECT pg_terminate_backend(?)", (session.info.backend_pid,))
                until(lambda: other.execute(_ENDED, (session.info.backend_pid,)).fetchone() is None)
        return execute(cursor, sql, values)

    setattr(Cursor, "execute", losing)  # noqa: B010
    setattr(Connection, "clock", lambda connection: time.from_text(clock))  # noqa: B010


_ENDED = "SELECT 1 FROM pg_stat_activity WHERE pid = ?"


@pytest.mark.parametrize("done", [pytest.param(True, id="done"), pytest.param(False, id="not done")])
def test_a_line_lost_in_a_commit_leaves_open_whether_it_is_done(done: bool, pair: Pair) -> None:
    ended = cut(pair, 1, "customers", "add", "Cut", done=done)
    assert (ended.code, "look what is done" in ended.err, "nothing was changed" in ended.err) == (7, True, False)
    assert ("Cut" in pair.ran("customers", "list").out) is done


@pytest.mark.parametrize("done", [pytest.param(True, id="done"), pytest.param(False, id="not done")])
@pytest.mark.parametrize("commit", [2, 3])  # of a claim, of an answer
def test_a_tick_that_loses_its_line_says_so_and_later_ones_go_on(commit: int, done: bool, pair: Pair) -> None:
    ended = cut(pair, commit, "tick", done=done)
    assert (ended.code, ended.err.count("\n"), "the connection to the server was lost" in ended.err) == (7, 1, True)
    for _ in range(3):
        os.waitpid(host_kills.host(pair, 1), 0)
        pair.now += host_kills.LEASE
    assert (len(pair.charges()), {*pair.charges().values()}) == (PLANS, {1})


def cut(pair: Pair, commit: int, *words: str, done: bool) -> Ran:
    """Run a command whose line is lost at its n-th COMMIT."""
    clock = time.utc_text(pair.now)
    lost = f"from tests.faults.test_hosts import lose_line_at_commit as lose; lose({commit}, {done=}, {clock=})"
    run = "import sys; from salescli.cli.main import run; sys.exit(run(sys.argv[1:]))"
    command = [sys.executable, "-c", f"{lost}; {run}", "--db", pair.url, *words]
    ended = subprocess.run(command, capture_output=True, text=True, check=False)
    return Ran(ended.returncode, ended.stdout, ended.stderr)
