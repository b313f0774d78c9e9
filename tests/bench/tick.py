"""How fast tick charges through a slow gateway, beside what its workers could at most: workers ÷ latency.

A server on loopback answers after a set time; plans fell due less than an hour ago; a real `salescli tick` charges.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import threading
from datetime import datetime, timedelta, timezone
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from time import monotonic, sleep
from urllib.parse import parse_qs, urlparse

from salescli.catalogue import customers, offers, payment_systems, records, users
from salescli.cli.caller import os_login
from salescli.rules import time
from salescli.storage import database, engine, home, new_file
from salescli.storage.work import Work
from tests import PROJECT

WORKERS = 32
SETTINGS = {"installation": "bench", "time_zone": "UTC", "currency": "EUR"}
CASES = ((0.3, WORKERS, 1500), (0.3, 128, 6000), (0.05, WORKERS, 3000), (0.0, WORKERS, 2000), (0.0, 1, 400))


def main() -> None:
    """Print a line per case: payments a second, and the share of workers ÷ latency where there is a latency."""
    parser = argparse.ArgumentParser(prog="scripts/bench tick", description=__doc__)
    parser.add_argument("--json", type=Path, help="write the figures to this file, too")
    wanted = parser.parse_args()
    figures = [measured(*case) for case in CASES]
    for figure in figures:
        sys.stdout.write(
            "{latency_ms:>4} ms, {workers:>3} workers: {rate:8.1f} payments/s{share}\n".format_map(_told(figure))
        )
    durable = figures[-2]["rate"] / figures[-1]["rate"]
    sys.stdout.write(f"at 0 ms, {WORKERS} workers make {durable:.1f} times the durable charges of one by one\n")
    if wanted.json:
        wanted.json.write_text(json.dumps(figures, indent=2) + "\n", encoding="utf-8")


def _told(figure: dict[str, float]) -> dict[str, object]:
    share = f", {figure['share']:.2f} of workers ÷ latency" if figure["share"] else ""
    return {**figure, "latency_ms": round(figure["latency"] * 1000), "share": share}


def measured(latency: float, workers: int, payments: int) -> dict[str, float]:
    """Run one tick over ``payments`` due plans and return its rate, by the wall clock of the charging alone."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "sales.db"
        furnish(path, payments)
        server = serve(latency)
        seconds = _tick(path, server.server_address[1], workers) - _idle(path, server.server_address[1])
        charged = _charged(path)
        server.shutdown()
    assert charged == payments, f"{charged} of {payments} were charged"
    rate = payments / seconds
    share = rate / (workers / latency) if latency else 0.0
    return {"latency": latency, "workers": workers, "payments": payments, "rate": rate, "share": share}


def _tick(path: Path, port: int, workers: int) -> float:
    environment = gateway(path.parent, port)
    began = monotonic()
    subprocess.run(tick_of(str(path), workers), env=environment, check=True)
    return monotonic() - began


def tick_of(named: str, workers: int) -> list[str]:
    """Return the command line of a tick of a database."""
    return [sys.executable, "-m", "salescli", "--db", named, "tick", "--workers", str(workers)]


def gateway(folder: Path, port: int) -> dict[str, str]:
    """Return an environment in which the gateway ``bench`` is known, by an entry point in a folder."""
    package = folder / "bench-1.dist-info"
    package.mkdir(exist_ok=True)
    (package / "METADATA").write_text("Metadata-Version: 2.1\nName: bench\nVersion: 1\n", encoding="utf-8")
    entry = "[salescli.gateways]\nbench = tests.bench.http_gateway:HttpGateway\n"
    (package / "entry_points.txt").write_text(entry, encoding="utf-8")
    roots = [str(folder), str(PROJECT)]
    return {**os.environ, "BENCH_PORT": str(port), "PYTHONPATH": os.pathsep.join(roots)}


def _idle(path: Path, port: int) -> float:
    """Return what a tick with nothing to do takes: the start of Python is not the bench's subject."""
    return _tick(path, port, 1)


def _charged(path: Path) -> int:
    connection = database.connect(path)
    try:
        return int(connection.execute("SELECT count(*) FROM recurring WHERE payments_made = 2").fetchone()[0])
    finally:
        connection.close()


def furnish(path: Path, payments: int) -> None:
    """Make a file with as many plans, each with its second payment due a quarter of an hour ago."""
    new_file.create(path, {**SETTINGS, "home": home.home_of(path)})
    connection = database.connect(path)
    fill(connection, payments)
    connection.close()


def fill(connection: engine.Connection, payments: int) -> None:
    """Fill an empty shop with as many plans, each with its second payment due a quarter of an hour ago."""
    now = datetime.now(timezone.utc).replace(microsecond=0)
    due = time.stored(now - timedelta(minutes=15))
    actor = users.register_owner(connection, os_login(), "Bench", now)
    for noun, words in (
        (customers.NOUN, {"name": "Olena"}),
        (offers.NOUN, {"name": "Plan", "price": "10.00", "every": "1 month"}),
    ):
        records.add(Work(connection, actor, now, time.time_zone("Europe/Kyiv")), noun, words)
    system = {"name": "Bench", "gateway": "bench", "created_at": due}
    database.insert(connection, payment_systems.NOUN.table, system)
    row = {
        "customer_id": 1, "offer_id": 1, "offer_name": "Plan", "payment_system_id": 1, "token": "t", "status": "active",
        "price_minor": 1000, "currency": "EUR", "every_count": 1, "every_unit": "month", "retry_after": "8h,24h",
        "payments_imported": 1, "payments_made": 1, "anchor_at": due, "due_at": due,
        "next_payment_at": due, "created_at": due,
    }  # fmt: skip
    with database.transaction(connection):
        for number in range(payments):
            database.insert(connection, "recurring", {**row, "uid": f"plan-{number}"})


def serve(latency: float) -> ThreadingHTTPServer:
    """Start a server on loopback that books every reference once and answers after ``latency`` seconds."""
    booked: dict[str, tuple[int, str]] = {}

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True  # else an answer's body waits 40 ms for the client's delayed acknowledgement

        def do_GET(self) -> None:
            asked = urlparse(self.path)
            words = {name: values[0] for name, values in parse_qs(asked.query).items()}
            sleep(latency)
            if asked.path == "/charge":
                booked.setdefault(words["reference"], (int(words["amount"]), words["currency"]))
            amount, currency = booked.get(words["reference"], (None, None))
            status = "not_found" if amount is None else "succeeded"
            answer = json.dumps({"status": status, "amount_minor": amount, "currency": currency}).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, *words: object) -> None:
            pass

    class Server(ThreadingHTTPServer):
        daemon_threads = True
        request_queue_size = 256  # else some of the workers' first connections wait a second for their turn

    server = Server(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server


if __name__ == "__main__":
    main()
