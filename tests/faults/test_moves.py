"""A move killed before or after any commit: never two sides that charge, and run again it ends."""

from __future__ import annotations

import os
import shutil
import signal
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from functools import partial
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from salescli.cli import main
from salescli.storage import database, home
from tests import moved, postgres_server
from tests.postgres_server import Shops, name_of
from tests.shop import Shop

pytestmark = pytest.mark.of_files("they bring a server of their own")
MOMENTS = 6  # before and after each of three commits


@pytest.fixture(scope="module")
def databases() -> Iterator[Shops]:
    """Run a server for the tests of this file."""
    if missing := postgres_server.missing():
        pytest.skip(f"not installed: {missing}")
    with postgres_server.server() as host:
        yield Shops(host)


class _Moments:
    """Kills its process at the n-th moment around a COMMIT of any engine."""

    def __init__(self, left: int) -> None:
        self._left = left

    def pass_by(self) -> None:
        """Let a moment pass."""
        self._left -= 1
        if self._left < 0:
            os.kill(os.getpid(), signal.SIGKILL)

    def around(self, execute: Callable[..., Any]) -> Callable[..., Any]:
        """Return what executes statements, with a moment before and after each COMMIT."""

        def executed(connection: Any, sql: str, *values: Any) -> Any:
            if sql != "COMMIT":
                return execute(connection, sql, *values)
            self.pass_by()
            done = execute(connection, sql, *values)
            self.pass_by()
            return done

        return executed


def killed_at(moment: int, words: list[str]) -> bool:
    """Run a command in a new process that dies at a moment; return whether it came so far."""
    child = os.fork()
    if not child:
        try:
            silence = os.open(os.devnull, os.O_RDWR)
            for stream in (0, 1, 2):
                os.dup2(silence, stream)
            moments = _Moments(moment)
            deadly = type("Deadly", (sqlite3.Connection,), {"execute": moments.around(sqlite3.Connection.execute)})
            setattr(sqlite3, "connect", partial(sqlite3.connect, factory=deadly))  # noqa: B010
            from salescli.storage.postgres import connection as postgres

            setattr(postgres.Connection, "execute", moments.around(postgres.Connection.execute))  # noqa: B010
            main.run(words)
        finally:
            os._exit(0)
    return os.WIFSIGNALED(os.waitpid(child, 0)[1])


def test_killed_at_any_moment_there_are_never_two_that_charge(shop: Shop, databases: Shops, tmp_path: Path) -> None:
    ways = {"to a server": 0, "to a file": 0, "back to a file": 0}
    first = shop.house.path
    before = moved.contents(first)
    kept = databases.url(databases.new())
    shutil.copyfile(first, tmp_path / "kept.db")
    with closing(database.connect(tmp_path / "kept.db")) as connection:
        database.set_setting(connection, "home", home.here(connection))
    assert moved.at(tmp_path / "kept.db")("move", kept).code == 0
    for way in ways:
        for moment in count():
            here: moved.Where = tmp_path / f"here{moment}.db"
            to: moved.Where = tmp_path / f"{way} {moment}.db"
            if way == "back to a file":
                here = databases.url(databases.new(name_of(kept)))
            else:
                shutil.copyfile(first, here)
            if way == "to a server":
                to = databases.url(databases.new())
            with closing(database.connect(here)) as connection:
                database.set_setting(connection, "home", home.here(connection))
            was_killed = killed_at(moment, ["--db", str(here), "move", str(to)])
            able = [side for side in (here, to) if moved.charges(side)]
            assert len(able) <= 1, (way, moment)
            assert [side for side in (here, to) if moved.changes(side)] == able, (way, moment)
            assert able or was_killed
            again = moved.at(here)("move", to)
            assert again.code == 0, (way, moment, again.err)
            assert (moved.charges(here), moved.charges(to)) == (False, True), (way, moment)
            assert moved.contents(to) == before, (way, moment)
            for done in (here, to):
                if isinstance(done, str):
                    databases.drop(name_of(done))
                else:
                    done.unlink()
                    Path(f"{done}.moved").unlink(missing_ok=True)
            ways[way] += was_killed
            if not was_killed:
                break
    assert set(ways.values()) == {MOMENTS}


def test_the_new_side_is_adopted_where_the_old_one_is_lost(shop: Shop, tmp_path: Path) -> None:
    here, to = shop.house.path, tmp_path / "there.db"
    before = moved.contents(here)
    assert killed_at(4, ["--db", str(here), "move", str(to)])  # both have committed, and this side is closed
    assert not moved.charges(to)
    refused = moved.at(to)("customers", "add", "Марія")
    assert (refused.code, f"salescli --db {here} move" in refused.err) == (7, True)
    here.unlink()
    assert moved.at(to)("adopt").code == 0
    assert moved.charges(to)
    assert {**before, "settings": [], "history": []} == {**moved.contents(to), "settings": [], "history": []}
