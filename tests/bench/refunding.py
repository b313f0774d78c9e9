"""``scripts/bench refund``: a refund in a large file beside one in a small file: neither may read the whole of it.

Of payments that no gateway gives back, so that ours alone is measured: the operation, and ``orders refund``.
"""

from __future__ import annotations

import os
import shutil
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from itertools import cycle
from pathlib import Path
from zoneinfo import ZoneInfo

from salescli.catalogue import actors
from salescli.catalogue.payment_systems import PaymentSystem
from salescli.charging import refund
from salescli.charging.refund import NewRefund
from salescli.cli.caller import os_login
from salescli.gateways.protocol import Gateway
from salescli.gateways.registry import open_gateway
from salescli.storage import database as db
from salescli.storage.work import Work
from tests.bench import database, peers
from tests.bench.figures import OURS, Figure, short, tell, timed
from tests.bench.measuring import Command, calls, processes
from tests.bench.years import END

_FEWEST = 1000  # orders of the small file, which is a hundredth of the large one: 10 k of 1 M
_REFUNDS = 20  # for each round: one takes milliseconds
_BY_HAND = """
SELECT o.id FROM orders o JOIN invoices i ON i.order_id = o.id
LEFT JOIN payment_systems p ON p.id = i.payment_system_id
WHERE o.status = 'completed' AND o.currency = 'EUR'
GROUP BY o.id HAVING count(*) = 1 AND min(p.gateway) = 'manual' AND min(i.currency) = 'EUR'
  AND min(i.amount_minor) >= 1000 AND max(i.refunded_minor) = 0 ORDER BY o.id
"""
_AGREE = """
SELECT (SELECT sum(refunded) FROM totals WHERE dimension = 'payment_system' AND grain = 0)
  = (SELECT sum(x.amount_minor) FROM refunds x JOIN invoices i ON i.id = x.invoice_id WHERE i.paid_at IS NOT NULL)
"""


def run(folder: Path, orders: int, rounds: int) -> Iterator[Figure]:
    """Measure refunds in a file of so many orders, and in one of a hundredth."""
    few = max(_FEWEST, orders // 100)
    small = f"at {short(few)}"
    files = {OURS: _copied(folder, orders), small: _copied(folder, few)}
    try:
        done = {name: _one_after_another(path) for name, path in files.items()}
        taken, _ = calls(done, rounds * _REFUNDS)
        commands = {name: Command(_command(path)) for name, path in files.items()}
        started = processes(commands, rounds)
        agree = all(_totals_agree(path) for path in files.values())
    finally:
        for path in files.values():
            path.unlink(missing_ok=True)  # few orders: both are one file
    for metric, found in (("one refund", taken), ("one refund, as a command", started)):
        yield tell(timed("refund", metric, orders, found, against=small, agree=agree))


def _copied(folder: Path, orders: int) -> Path:
    """Return a copy of a made file, which its refunds may change."""
    path = folder / f"into-refunds-{orders}.db"
    shutil.copyfile(database.made(folder, orders), path)
    with path.open("rb+") as copied:
        os.fsync(copied)  # else the first refunds wait until all of it is on the disk
    return path


def _one_after_another(path: Path) -> Callable[[], object]:
    """Return what refunds a cent of another order each time it is called, orders of all years."""
    connection = db.connect(path)
    work = Work(connection, actors.acting(connection, os_login()), END, ZoneInfo(database.ZONE))
    found = _refundable(path)
    turns = cycle(found[number * 7919 % len(found)] for number in range(len(found)))  # far from one another

    def gateway(system: PaymentSystem) -> Gateway:
        return open_gateway(system.gateway, path)

    return lambda: refund.refund(work, next(turns), NewRefund(amount="0.01", reason="sent back"), gateways=gateway)


def _command(path: Path) -> list[str | Path]:
    """Return the command that refunds a cent of an order; it can be repeated."""
    number = str(_refundable(path)[-1])
    return peers.salescli(path, "orders", "refund", number, "--amount", "0.01", "--reason", "sent back", "--yes")


def _refundable(path: Path) -> list[int]:
    with closing(sqlite3.connect(path)) as connection:
        return [number for (number,) in connection.execute(_BY_HAND)]


def _totals_agree(path: Path) -> bool:
    with closing(sqlite3.connect(path)) as connection:
        return bool(connection.execute(_AGREE).fetchone()[0])
