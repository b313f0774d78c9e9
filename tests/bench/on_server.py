"""``scripts/bench postgres``: hosts that tick on one PostgreSQL server, over a network, and its lists and reports.

a private server that syncs its disk <- a relay for each trip time <- hosts, through a gateway of each latency
a made file, moved there -> the same commands on both
"""

from __future__ import annotations

import shlex
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from pathlib import Path
from time import monotonic

from salescli.storage import database as storage
from salescli.storage import new_file
from tests import PROJECT, postgres_server
from tests.bench import database, peers, tick
from tests.bench.figures import OURS, Figure, tell
from tests.bench.goals import AT_MOST, FILE, ON_SERVER, ONE_HOST
from tests.bench.importing import gone
from tests.bench.measuring import Command, processes

HOSTS, LATENCIES, TRIPS = (1, 2, 4), (0.0, 0.05, 0.2), (0.0, 0.0005, 0.002)  # seconds
WORKERS = 8  # of a host: few, since all hosts and the server share the processors of one machine here
PAYMENTS = 320  # of a host: beside them the first, which is made alone, counts little
PAYMENT = "one payment, {hosts} hosts, {latency:.0f} ms gateway, {trip:g} ms a trip"
COMMANDS = (
    ("orders", "list"), ("orders", "list", "--sort", "-price"), ("orders", "list", "--status", "open"),
    ("customers", "list"), ("recurring", "list"), ("todo",), ("reports", "by-offer"), ("reports", "by-currency"),
    ("reports", "details", "--month", "last-month"),
)  # fmt: skip


def run(folder: Path, orders: int, rounds: int) -> Iterator[Figure]:
    """Measure hosts that tick, then lists and reports beside those of the file."""
    if postgres_server.programs() is None:
        return
    with postgres_server.server("fsync=on", "shared_buffers=256MB") as host:
        shops = postgres_server.Shops(host)
        for figure in _hosts(shops, host):
            yield tell(figure)
        for figure in _lists(shops, database.made(folder, orders), orders, rounds):
            yield tell(figure)


def _hosts(shops: postgres_server.Shops, host: str) -> Iterator[Figure]:
    for latency in LATENCIES:
        for trip in TRIPS:
            one = 0.0
            for hosts in HOSTS:
                rate, payments = _rate(shops, host, hosts, latency, trip)
                one = one or rate
                metric = PAYMENT.format(hosts=hosts, latency=latency * 1000, trip=trip * 1000)
                beside = {}
                if hosts > 1:
                    beside[ONE_HOST] = 1 / (one * hosts)
                if latency:
                    beside[AT_MOST] = latency / (WORKERS * hosts)
                yield Figure("postgres", metric, payments, 1 / rate, beside, note=f"{rate:.0f} payments/s")


def _rate(shops: postgres_server.Shops, host: str, hosts: int, latency: float, trip: float) -> tuple[float, int]:
    """Return the payments a second that so many hosts make together, and how many there were."""
    payments = PAYMENTS * hosts
    name = shops.new()
    url = shops.url(name)
    new_file.create(url, tick.SETTINGS, lambda connection: tick.fill(connection, payments))
    gateway = tick.serve(latency)
    with tempfile.TemporaryDirectory() as folder, _network(f"{host}/.s.PGSQL.5432", trip) as port:
        environment = tick.gateway(Path(folder), gateway.server_address[1])
        there = f"postgresql://{postgres_server.OWNER}@127.0.0.1:{port}/{name}"
        took = _ticks(there, environment, hosts, folder)
        idle = _ticks(there, environment, hosts, folder)  # to start Python is not what is measured
    gateway.shutdown()
    gateway.server_close()
    with closing(storage.connect(url)) as connection:
        made = connection.execute("SELECT count(*) FROM recurring WHERE payments_made = 2").fetchone()[0]
    assert made == payments, f"{made} of {payments} were charged"
    shops.drop(name)
    return payments / (took - idle if took > idle else took), payments  # few payments on a busy machine


def _ticks(url: str, environment: Mapping[str, str], hosts: int, folder: str) -> float:
    """Return how long ticks of so many hosts take that begin together."""
    began = monotonic()
    running = [
        subprocess.Popen(tick.tick_of(url, WORKERS), env={**environment, "XDG_STATE_HOME": f"{folder}/{number}"})
        for number in range(hosts)
    ]
    codes = [one.wait() for one in running]
    assert not any(codes), f"ticks ended with {codes}"
    return monotonic() - began


@contextmanager
def _network(server: str, trip: float) -> Iterator[str]:
    """Run a relay to a server's socket; yield its port."""
    line = [sys.executable, "-m", "tests.bench.slow_network", server, str(trip)]
    with subprocess.Popen(line, stdout=subprocess.PIPE, text=True, cwd=PROJECT) as relay:
        assert relay.stdout is not None
        try:
            yield relay.stdout.readline().strip()
        finally:
            relay.kill()


def _lists(shops: postgres_server.Shops, made: Path, orders: int, rounds: int) -> Iterator[Figure]:
    """Move a copy of the file to the server, and show the same on both."""
    path = made.with_name(f"to-move-{orders}.db")
    gone(path)
    shutil.copyfile(made, path)
    name = shops.new()
    url = shops.url(name)
    try:
        subprocess.run(peers.salescli(path, "adopt"), check=True, capture_output=True)
        began = monotonic()
        subprocess.run(peers.salescli(path, "move", url), check=True, capture_output=True)
        yield Figure("postgres", "move, of each order", orders, (monotonic() - began) / orders)
        for words in COMMANDS:
            both = {OURS: Command(peers.salescli(url, *words)), FILE: Command(peers.salescli(path, *words))}
            took = processes(both, rounds)
            shown = {_shown(one, named) for one, named in zip(both.values(), (url, str(path)), strict=True)}
            beside = {FILE: took[FILE].wall}
            agree = len(shown) == 1
            metric, limit = " ".join(words), ON_SERVER.limit
            yield Figure("postgres", metric, orders, took[OURS].wall, beside, limit, FILE, agree=agree)
    finally:
        gone(path)
        shops.drop(name)


def _shown(command: Command, named: str) -> str:
    """Return the rows of a command; what it advises to run names the database, which is left out."""
    words = [*command.words, "--csv"]
    return subprocess.run(words, check=True, capture_output=True, text=True).stdout.replace(shlex.quote(named), "")
