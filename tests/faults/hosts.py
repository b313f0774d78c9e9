"""A shop on a PostgreSQL server and its stand-by, several hosts that tick, and a payment system that forgets nothing.

``shop_of`` -> ``Pair``: its ``url`` finds whichever of the two servers is the primary; ``book``: a line for each charge

Nothing here recognises a repetition: whoever charges twice has two lines in the book.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from unittest.mock import patch

from salescli.catalogue import actors
from salescli.rules import time
from salescli.sales import orders
from salescli.sales.orders import NewOrder
from salescli.storage import database, engine, new_file, place
from salescli.storage.work import Work
from tests import postgres_server
from tests.faults.kills import login, open_plans
from tests.faults.world import START, ZONE, furnish, payment_of
from tests.postgres_server import OWNER, Server
from tests.terminal import Ran

PLANS = 20
# A payment system that charges as often as it is asked, and can only tell what it was asked before: one line a charge.
FORGETFUL = f"""#!{sys.executable}
import json, os, sys, time
op, request = sys.argv[1], json.load(sys.stdin)["request"]
def answer(**values): print(json.dumps({{"version": 1, **values}}))
def booked(reference):
    path = os.environ["FORGETFUL_BOOK"]
    amounts = dict(line.split() for line in open(path)) if os.path.exists(path) else {{}}
    if reference not in amounts: return {{"status": "not_found"}}
    amount = int(amounts[reference])
    return {{"status": "succeeded", "gateway_id": reference, "amount_minor": amount, "currency": "EUR"}}
held = os.environ["FORGETFUL_BOOK"] + ".held"
while op == "charge" and os.path.exists(held): time.sleep(0.05)
if op == "check": answer(kind="result", capabilities=["charge", "lookup"], key_ttl_seconds=None)
else:
    if op == "charge":
        line = f"{{request['reference']}} {{request['amount_minor']}}\\n"
        with open(os.environ["FORGETFUL_BOOK"], "a") as book: book.write(line)
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
    began: datetime = START + timedelta(days=1)  # when the first payment through it was due

    @property
    def url(self) -> str:
        """Both servers, of which the one is wanted that takes writes."""
        hosts = f"{self.first.folder},{self.second.folder}"
        return f"postgresql://{OWNER}@/postgres?host={hosts}&target_session_attrs=read-write"

    def connection(self) -> engine.Connection:
        """Open the shop, for a moment."""
        return database.connect(self.url)

    def ran(self, *words: str) -> Ran:
        """Run a command line in a process of its own."""
        command = [sys.executable, "-m", "salescli", "--db", self.url, *words]
        ended = subprocess.run(command, capture_output=True, text=True, check=False)
        return Ran(ended.returncode, ended.stdout, ended.stderr)

    def tick(self, *words: str) -> Ran:
        """Run a tick at its time."""
        return self.ran("tick", "--now", time.utc_text(self.now), *words)

    @property
    def held(self) -> Path:
        """A file; while it is there, the payment system takes its time for each charge."""
        return self.book.with_name(f"{self.book.name}.held")

    def charges(self) -> Counter[str]:
        """Return how often each payment was charged, by the payment system's book."""
        lines = self.book.read_text(encoding="utf-8").splitlines() if self.book.exists() else []
        return Counter(payment_of(line.split()[0]) for line in lines)


@contextmanager
def shop_of(folder: Path) -> Iterator[Pair]:
    """Run a primary whose shop has plans that are due, all through the forgetful payment system."""
    program = folder / "salescli-gateway-forgetful"
    program.write_text(FORGETFUL, encoding="utf-8")
    program.chmod(0o755)
    environment = {
        "XDG_STATE_HOME": str(folder), "PATH": f"{folder}:{os.environ['PATH']}", "FORGETFUL_BOOK": str(folder / "book")
    }  # fmt: skip
    with patch.dict(os.environ, environment), postgres_server.place() as first, postgres_server.place() as second:
        first.make()
        first.start()
        made = Pair(first, second, folder / "book")
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
