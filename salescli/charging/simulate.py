"""``simulate``: show what tick would do up to a day, by running it on a copy of the database that moves no money (B4).

database → ``copied`` (no home, every payment system a sandbox) → tick at each moment at which something is due → rows

The database itself is only read, and none of its gateways is called: a stand-in answers.
"""

from __future__ import annotations

import shutil
from collections import Counter
from collections.abc import Callable, Collection, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

from salescli.catalogue.payment_systems import PaymentSystem
from salescli.charging import tick
from salescli.charging.gateway_calls import Limits
from salescli.errors import DatabaseUnusable
from salescli.gateways.protocol import Gateway
from salescli.gateways.registry import MANUAL
from salescli.gateways.sandbox import Rehearsal
from salescli.lists.columns import Column
from salescli.rules import time
from salescli.sales import recurring
from salescli.storage import database, engine, new_file, pages
from salescli.storage.scratch import Scratch
from salescli.storage.work import Work

EVERY = timedelta(minutes=5)  # cron's rhythm, as `salescli cron` prints it
_ONE_BY_ONE = Limits(workers=1, ahead=64)  # the stand-in has one book; few commits for many payments
_HELD_MAX = 5  # messages kept of a tick that charged nothing
COLUMNS = (
    Column("recurring", "number", rank=0),
    Column("at", "time", rank=0),
    Column("customer", rank=0),
    Column("offer", rank=2),
    Column("payment", "number", rank=4),
    Column("attempt", "number", rank=4),
    Column("became", rank=0),
    Column("amount", "money", rank=0),
    Column("currency", rank=0),
    Column("error_code", rank=3),
    Column("status", "status", rank=2),
    Column("next_payment_at", "time", rank=2),
    Column("payment_system", shown=False),
    Column("invoice", "number", shown=False),
)
Rows = list[dict[str, Any]]
Progress = Callable[[datetime], None]


@dataclass(slots=True)
class Simulation:
    """What tick did on the copy: a row for each attempt, and its messages when it charged nothing."""

    rows: Scratch[dict[str, Any]] = field(default_factory=Scratch)
    held: list[str] = field(default_factory=list)

    def sums(self) -> dict[str, tuple[int, int]]:
        """Return the number and sum of the charges by currency, in minor units."""
        numbers, sums = Counter[str](), Counter[str]()
        for row in self.rows:
            if row["became"] == "charged":
                numbers[row["currency"]] += 1
                sums[row["currency"]] += row["amount"]
        return {currency: (numbers[currency], sums[currency]) for currency in sorted(numbers)}


class Copy(NamedTuple):
    """A copy of a database that moves no money. ``by_token``: the sandboxes of the original."""

    connection: engine.Connection
    by_token: frozenset[int]
    ledger: Path  # of the real sandbox


def run(
    copy: Copy,
    work: Work,
    until: datetime,
    *,
    declined: Collection[int] = (),
    progress: Progress = lambda moment: None,
) -> Simulation:
    """Run tick on a copy at every moment before ``until`` at which something is due, as cron would.

    Charges succeed, those through a sandbox depending on their token; those of the recurring orders ``declined`` are
    all declined. A payment with an unknown outcome counts as not made, and is made.
    """
    simulation, connection = Simulation(), copy.connection
    on_copy = replace(work, connection=connection)
    with _stand_ins(copy, declined) as gateways:
        moment = _rounded_up(work.now)
        while moment < until:
            progress(moment)
            before = _Before.of(connection)
            counts = tick.run(
                on_copy.at(moment), gateways=gateways, clock_now=moment, accept_clock=True,
                limits=_ONE_BY_ONE,
            )  # fmt: skip
            rows = _tried(connection, before, moment)
            simulation.rows.extend(rows)
            if not rows:
                held = [line for line in counts.for_a_person if line not in simulation.held]
                simulation.held += held[:_HELD_MAX]
            moment = _following(connection, moment, work.zone, worked=bool(rows)) or until
    return simulation


def _rounded_up(moment: datetime) -> datetime:
    """Return the time of cron's next run: every five minutes by the clock."""
    beyond = timedelta(minutes=moment.minute, seconds=moment.second) % EVERY
    return moment + (EVERY - beyond) % EVERY


class _Before(NamedTuple):
    """The last attempt before a tick, and those that were live then: it changes no others."""

    last: int
    live: tuple[int, ...]

    @classmethod
    def of(cls, connection: engine.Connection) -> _Before:
        last = connection.execute("SELECT coalesce(max(id), 0) FROM attempts").fetchone()[0]
        live = connection.execute("SELECT id FROM attempts WHERE status = 'live'")
        return cls(last, tuple(row["id"] for row in live))


def _tried(connection: engine.Connection, before: _Before, moment: datetime) -> Rows:
    """Return the attempts of a tick: those it made, and those of earlier ticks that it resolved."""
    live = ", ".join(map(str, before.live))
    rows = connection.execute(_TRIED.format(live=live), {"last": before.last, "moment": time.stored(moment)})
    return [{**dict(row), "at": time.stored(moment)} for row in rows]


_TRIED = f"""
SELECT r.id AS recurring, c.name AS customer, r.offer_name AS offer, o.payment_number AS payment, a.number AS attempt,
  CASE a.status WHEN 'succeeded' THEN 'charged' WHEN 'declined' THEN 'declined' WHEN 'not_sent' THEN 'not sent'
    ELSE CASE p.gateway WHEN '{MANUAL}' THEN 'waits for a person' ELSE 'outcome unknown' END END AS became,
  a.amount_minor AS amount, a.currency, a.code AS error_code, r.status, r.next_payment_at, p.name AS payment_system,
  a.invoice_id AS invoice
FROM attempts a JOIN recurring r ON r.id = a.recurring_id JOIN invoices i ON i.id = a.invoice_id
JOIN orders o ON o.id = i.order_id JOIN customers c ON c.id = o.customer_id
JOIN payment_systems p ON p.id = a.payment_system_id
WHERE a.kind = 'charge' AND a.id IN (SELECT id FROM attempts WHERE id > :last
  UNION ALL SELECT id FROM attempts WHERE id IN ({{live}}) AND settled_at = :moment) ORDER BY a.id"""


def _following(connection: engine.Connection, moment: datetime, zone: ZoneInfo, *, worked: bool) -> datetime | None:
    """Return the next moment at which a tick has something to do, or None.

    A due payment that was not tried waits for the next day, when a limit allows more.
    """
    values = {"now": time.stored(moment)}
    due = connection.execute(
        "SELECT 1 FROM recurring WHERE status = 'active' AND next_payment_at <= :now LIMIT 1", values
    ).fetchone()
    if due and worked:
        return moment + EVERY
    coming = [row["at"] for row in connection.execute(_COMING, values) if row["at"] is not None]
    moments = [_rounded_up(time.from_stored(at)) for at in coming]
    if due:
        moments.append(time.start_of(moment.astimezone(zone).date() + time.ONE_DAY, zone))
    return min(moments, default=None)


_COMING = """
SELECT min(next_payment_at) AS at FROM recurring WHERE status = 'active' AND next_payment_at > :now
UNION ALL SELECT min(resumes_at) FROM recurring WHERE status = 'paused' AND resumes_at > :now
UNION ALL SELECT min(next_lookup_at) FROM attempts WHERE status = 'live' AND next_lookup_at > :now
UNION ALL SELECT min(paused_until) FROM payment_systems WHERE paused_until > :now"""


# The copy


@contextmanager
def copied(connection: engine.Connection, target: Path) -> Iterator[Copy]:
    """Yield a consistent copy of the database at ``target`` that moves no money, even if it is used by mistake.

    It has no home, so tick refuses it, and every payment system that is not manual is a sandbox. Raise
    DatabaseUnusable when ``target`` exists or the disk is too full.
    """
    source = Path(database.path_of(connection))
    _check_room(connection, target)
    new_file.copy(connection, target)
    with closing(database.connect(target, any_file_system=True)) as copy:
        copy.execute("PRAGMA synchronous = OFF")  # it can be made again
        with database.transaction(copy, anywhere=True):
            by_token = copy.execute("SELECT id FROM payment_systems WHERE gateway = 'sandbox'").fetchall()
            database.set_setting(copy, "home", f"nowhere, since it simulates {source}")
            copy.execute(
                "UPDATE payment_systems SET gateway = 'sandbox', environment = '' WHERE gateway <> ?", (MANUAL,)
            )
        ledger = source.with_name(f"{source.name}.sandbox")
        yield Copy(copy, frozenset(row["id"] for row in by_token), ledger)


def _check_room(connection: engine.Connection, target: Path) -> None:
    needed = pages.bytes_of(connection)
    try:
        free = shutil.disk_usage(target.parent).free
    except OSError as error:
        raise DatabaseUnusable(f"cannot write {target}: {error.strerror}") from None
    if free < needed + needed // 4:
        raise DatabaseUnusable(
            f"a copy of the database takes {needed >> 20} MB, and {free >> 20} MB are free beside {target}; name"
            " another place with --keep, or set TMPDIR"
        )


@contextmanager
def _stand_ins(copy: Copy, declined: Collection[int]) -> Iterator[Callable[[PaymentSystem], Gateway]]:
    """Yield the stand-in of each payment system: a sandbox goes by tokens, any other always charges."""
    uids = {recurring.get(copy.connection, id).uid for id in declined}
    with Rehearsal.opened(copy.ledger) as book:
        by_token, charging = Rehearsal(book, uids), Rehearsal(book, uids, always="tok_ok")
        yield lambda system: by_token if system.id in copy.by_token else charging
