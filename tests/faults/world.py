"""A world for faults: a file, a bank, a clock, and processes that can die at any statement.

``world.tick(dies_at=17)`` -> what the file holds then is what it would after SIGKILL -> ``violations(world)``
"""

from __future__ import annotations

import sqlite3
import tempfile
from collections import Counter
from collections.abc import Callable
from concurrent.futures import Future
from datetime import datetime, timedelta, timezone
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any, TypeVar

from salescli.catalogue import actors, customers, offers, payment_systems, records, users
from salescli.catalogue.payment_systems import PaymentSystem
from salescli.charging import by_hand, due_payments, gateway_calls, gateway_sync, pay, refund, tick, undo
from salescli.charging.due_payments import TickCounts
from salescli.charging.gateway_calls import Limits
from salescli.charging.gateway_sync import Synced
from salescli.charging.pay import NewPayment
from salescli.charging.refund import MadeOutside, NewRefund
from salescli.gateways.manual import Manual
from salescli.gateways.protocol import Gateway
from salescli.overview import doctor
from salescli.reconcile import compare
from salescli.reconcile.compare import ReconcileRequest
from salescli.reconcile.statement import Line
from salescli.rules import time
from salescli.sales import recurring, recurring_edit
from salescli.sales.orders import NewOrder
from salescli.sales.recurring import Recurring
from salescli.sales.recurring_edit import RecurringEdit
from salescli.storage import database, home, new_file, process
from salescli.storage.sqlite import connection as of_file
from salescli.storage.work import Work
from tests.faults.bank import Bank, Crash, Ledger

START = datetime(2026, 3, 27, 1, 30, tzinfo=timezone.utc)  # 03:30 in Kyiv, an hour that 29 March does not have
ZONE = time.time_zone("Europe/Kyiv")
ABLE = frozenset({"charge", "lookup", "refund", "idempotent"})
DAY_SECONDS = 24 * 60 * 60

T = TypeVar("T")


class AtOnce:
    """An executor that makes each call when it is submitted, so that every run of a test is the same."""

    def __init__(self, workers: int, **_: object) -> None:
        pass

    def __enter__(self) -> AtOnce:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def submit(self, call: Callable[..., T], *values: object) -> Future[T]:
        """Make the call; a Crash ends the caller too."""
        future: Future[T] = Future()
        try:
            future.set_result(call(*values))
        except Exception as error:
            future.set_exception(error)
        return future


class Mortal:
    """A connection whose process dies at a moment: before a statement, or just after a COMMIT.

    After its death only the ROLLBACK passes that SQLite would make by itself.
    """

    def __init__(self, connection: sqlite3.Connection, dies_at: int | None) -> None:
        self._connection = connection
        self._left = dies_at

    def __getattr__(self, name: str) -> Any:
        return getattr(self._connection, name)

    def execute(self, sql: str, *values: Any) -> sqlite3.Cursor:
        """Run a statement unless the moment has come."""
        if sql != "ROLLBACK":
            self._live_on()
        cursor = self._connection.execute(sql, *values)
        if sql == "COMMIT":
            self._live_on()
        return cursor

    def executemany(self, sql: str, rows: Any) -> sqlite3.Cursor:
        """Run a statement for many rows unless the moment has come."""
        self._live_on()
        return self._connection.executemany(sql, rows)

    def _live_on(self) -> None:
        if self._left is None:
            return
        self._left -= 1
        if self._left < 0:
            raise Crash("killed")


class World:
    """One file and everything around it. ``time`` is the true time; ``skew`` is how wrong the machine's clock is."""

    def __init__(
        self,
        directory: Path,
        *,
        capabilities: frozenset[str] = ABLE,
        key_ttl_seconds: int | None = DAY_SECONDS,
        file: bytes | None = None,
    ) -> None:
        """``file``: one that was furnished elsewhere."""
        self.path = directory / "sales.db"
        self.path.write_bytes(file or furnished())
        self.time, self.skew, self.boot, self.depth = START, timedelta(0), 0, 0
        self.bank = Bank(START, capabilities, key_ttl_seconds)
        self.bank.witness, self.bank.meanwhile = self._witness, self._overtake
        self.seen: list[str] = []  # what was wrong at the moment of a gateway call
        self._replaced: list[tuple[ModuleType, str, Any]] = []
        self._replace(tick, "ThreadPoolExecutor", AtOnce)
        for module in (tick, gateway_calls):
            self._replace(module, "monotonic", lambda: self.time.timestamp())
        self._replace(process, "boot_id", lambda: f"boot-{self.boot}")
        self._replace(time, "uptime", lambda: int((self.time - START).total_seconds()))
        connection = self.connect()
        database.set_setting(connection, "home", home.home_of(self.path))
        self.actor = actors.acting(connection, "owner")
        connection.close()

    def _replace(self, module: ModuleType, name: str, value: Any) -> None:
        self._replaced.append((module, name, getattr(module, name)))
        setattr(module, name, value)

    def close(self) -> None:
        """Put back what was replaced."""
        for module, name, value in self._replaced:
            setattr(module, name, value)

    def without_a_log(self) -> None:
        """Let SQLite be one whose write-ahead log is not safe, as most systems' is."""
        self._replace(of_file, "_journal", lambda version: (("journal_mode", "delete"), ("synchronous", 3)))

    @property
    def now(self) -> datetime:
        """What the machine's clock shows."""
        return self.time + self.skew

    def at(self, time: datetime) -> World:
        """Let it be this time, in truth and on the clock."""
        self.time = self.bank.now = time
        return self

    def later(self, **time: float) -> World:
        """Let time pass."""
        return self.at(self.time + timedelta(**time))

    def connect(self) -> sqlite3.Connection:
        """Open the file as a process does; without syncing, since no power is cut here."""
        connection = database.connect(self.path)
        connection.execute("PRAGMA synchronous = 0")
        connection.execute("PRAGMA busy_timeout = 2000")
        return connection

    def process(self, work: Callable[[Any], T], dies_at: int | None = None) -> T | None:
        """Run work as a process of its own; None when it died."""
        connection = self.connect()
        try:
            return work(Mortal(connection, dies_at))
        except Crash:
            self.boot += 1
            return None
        finally:
            connection.close()

    def work(self, connection: sqlite3.Connection) -> Work:
        """Return the owner at work on a connection, at the world's time."""
        return Work(connection, self.actor, self.now, ZONE)

    def tick(
        self,
        *,
        workers: int = 4,
        dies_at: int | None = None,
        accept_clock: bool = True,
        as_of: datetime | None = None,
    ) -> TickCounts | None:
        """Run a tick by the clock, or ``as_of`` another time; None when it died."""
        return self.process(
            lambda connection: tick.run(
                self.work(connection).at(as_of or self.now),
                gateways=self.gateway,
                clock_now=self.now,
                accept_clock=accept_clock,
                limits=Limits(workers=workers),
            ),
            dies_at,
        )

    def gateway(self, system: PaymentSystem) -> Gateway:
        """Return the bank, whichever merchant asks."""
        return Manual() if system.manual else self.bank

    def order(self, offer: str, token: str | None, through: str = "One") -> int:
        """Open an order and return its number."""
        new = NewOrder("1", offer, payment_system=through, token=token)
        order = self.process(lambda c: pay.open_and_settle_free(self.work(c), new))
        assert order is not None
        return order.id

    def pay(self, order: int, dies_at: int | None = None) -> None:
        """Take an order's payment as a person does."""
        self.process(
            lambda c: pay.pay(self.work(c), order, NewPayment(), gateways=self.gateway),
            dies_at,
        )

    def refund(self, order: int, amount: str | None = None, dies_at: int | None = None) -> list[str]:
        """Give an order's money back as a person does, and return what they are told of each part."""
        wanted = NewRefund(amount=amount, reason="asked for", completes_recurring=False)
        done = self.process(
            lambda c: refund.refund(self.work(c), order, wanted, gateways=self.gateway),
            dies_at,
        )
        return [answer.became for _, answer in done or []]

    def record_refund(self, order: int, amount: str, *, dispute: bool = False, gateway_id: str | None = None) -> None:
        """Record that money of an order went back, as a person who saw it does."""
        wanted = NewRefund(amount, reason="seen there", completes_recurring=False)
        made = MadeOutside(self.now, dispute, gateway_id)
        self.process(lambda c: refund.record(self.work(c), order, wanted, made))

    def sync(self, dies_at: int | None = None) -> None:
        """Ask the bank what happened there, as `gateway-sync One` does."""

        def ask(connection: Any) -> Synced:
            [system] = gateway_sync.systems(connection, ["One"])
            return gateway_sync.record(
                self.work(connection), gateway_sync.fetch(self.work(connection), system, self.gateway)
            )

        self.process(ask, dies_at)

    def reconcile(self, *lines: Line, through: str = "One", agreed: bool = False) -> None:
        """Apply a statement; ``agreed``: with all that it proposes."""

        def apply(connection: Any) -> None:
            request = ReconcileRequest(payment_systems.find(connection, through), lines, "march.csv", ZONE)
            work = self.work(connection)
            found = compare.compare(connection, request, actor=work.actor).found if agreed else []
            compare.apply(work, request, frozenset(filter(None, map(compare.proposal, found))))

        self.process(apply)

    def charge_now(self, id: int, dies_at: int | None = None) -> None:
        """Charge a plan at once, as `recurring activate --now` does."""
        self.process(
            lambda c: due_payments.charge_now(due_payments.ChargingRun(self.work(c).as_system(), self.gateway), id),
            dies_at,
        )

    def answer(self, invoice: int, *, confirmed: bool, received: by_hand.Received | None = None) -> None:
        """Answer a manual payment."""
        self.process(lambda c: by_hand.answer_by_hand(self.work(c), invoice, confirmed=confirmed, received=received))

    def record_payment(self, id: int) -> None:
        """Record that a recurring order's current payment came another way."""
        self.process(lambda connection: by_hand.record_payment(self.work(connection), id, "By hand"))

    def undo(self, invoice: int) -> None:
        """Take back what a person recorded on an invoice."""
        self.process(lambda connection: undo.undo(self.work(connection), invoice, "typed wrong"))

    def edit(self, id: int, **given: Any) -> None:
        """Change a recurring order's payments to come."""
        change = RecurringEdit(**given)
        self.process(lambda connection: recurring_edit.edit(self.work(connection), id, change, reason="agreed"))

    def manage(self, operation: Callable[..., Recurring], id: int) -> Recurring:
        """Pause, activate, complete or retry a plan."""
        after = self.process(lambda c: operation(self.work(c), id))
        assert after is not None
        return after

    def subscribed(self, offer: str, token: str | None, through: str = "One") -> int:
        """Pay a first order and return the plan that it started."""
        order = self.order(offer, token, through)
        self.pay(order)
        if token is None:
            self.answer(self.value("SELECT max(id) FROM invoices"), confirmed=True)
        id: int = self.value("SELECT recurring_id FROM orders WHERE id = ?", order)
        return id

    def plan(self, id: int) -> Recurring:
        """Return a plan as it stands in the file."""
        connection = self.connect()
        try:
            return recurring.get(connection, id)
        finally:
            connection.close()

    def rows(self, sql: str, *values: Any) -> list[sqlite3.Row]:
        """Return what the file holds."""
        connection = self.connect()
        try:
            return connection.execute(sql, values).fetchall()
        finally:
            connection.close()

    def value(self, sql: str, *values: Any) -> Any:
        """Return one value of the file."""
        return self.rows(sql, *values)[0][0]

    def _witness(self, reference: str, amount_minor: int) -> None:
        """Note a call that nothing durable stands behind (I2, I6)."""
        held = self.rows("SELECT status, recurring_id, amount_minor FROM attempts WHERE reference = ?", reference)
        if [(row["status"], row["amount_minor"]) for row in held] != [("live", amount_minor)]:
            self.seen.append(f"I2: {reference} was sent without a durable live attempt of {amount_minor}")
        elif held[0]["recurring_id"] and self.plan(held[0]["recurring_id"]).status != "processing":
            self.seen.append(f"I6: {reference} was sent while its plan is not Processing")

    def _overtake(self) -> None:
        """Let another process, which takes the one at work for dead, run a whole tick in the middle of its call."""
        if self.depth:
            return
        self.depth += 1
        self.boot += 1
        self.bank.only_cuts = self.bank.spares_overtaken
        try:
            self.tick()
        finally:
            self.bank.only_cuts = False
            self.depth -= 1


@cache
def furnished() -> bytes:
    """Return a file with an owner, a customer, offers and merchants; made once, since each test has a copy."""
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory) / "sales.db"
        new_file.create(
            path, {"installation": "test", "time_zone": ZONE.key, "currency": "EUR", "home": home.home_of(path)}
        )
        connection = database.connect(path)
        furnish(connection, "owner")
        connection.close()
        return path.read_bytes()


def furnish(connection: sqlite3.Connection, login: str) -> None:
    """Add an owner, a customer, offers and merchants to an empty shop."""
    who = users.register_owner(connection, login=login, name="Оксана Власник", now=START)
    for noun, words in (
        (customers.NOUN, {"name": "Олена Коваль", "email": "olena@example.com"}),
        (offers.NOUN, {"name": "Month", "number": "month", "price": "49.00", "every": "1 month", "payments": "12"}),
        (offers.NOUN, {"name": "Day", "number": "day", "price": "3.00", "every": "1 day"}),
        (offers.NOUN, {"name": "Once", "number": "once", "price": "20.00"}),
        (payment_systems.NOUN, {"name": "One", "gateway": "sandbox"}),
        (payment_systems.NOUN, {"name": "Two", "gateway": "sandbox"}),
        (payment_systems.NOUN, {"name": "By hand", "gateway": "manual"}),
    ):
        records.add(Work(connection, who, START, ZONE), noun, words)


def payment_of(reference: str) -> str:
    """Return a reference without its attempt: what may be charged once."""
    return reference.rpartition(":")[0]


def violations(world: World) -> list[str]:
    """Return what is not as it must be now (I1–I12), by the bank's own ledger; empty when all is well."""
    connection = world.connect()
    try:
        return [*world.seen, *disagreements(connection, world.bank, world.now)]
    finally:
        connection.close()


def disagreements(connection: sqlite3.Connection, bank: Ledger, now: datetime) -> list[str]:
    """Return where a file is at odds with itself or with the gateway's ledger."""
    return [
        *(f"{f.check}: {f.what}" for f in doctor.examine(connection, now, ZONE) if "do not run" in f.advice),
        *charged_twice(bank),
        *_against_the_ledger(connection, bank),
        *_windows(connection, bank),
        *_plans(connection),
    ]


def charged_twice(bank: Ledger) -> list[str]:
    """Name payments that were taken, and refunds that were given, more than once (I1)."""
    taken = Counter(payment_of(entry.reference) for entry in bank.charged())
    given = Counter(entry.reference for entry in bank.moved if entry.kind == "refund")
    return [f"I1: {what} moved money {times} times" for what, times in (taken + given).items() if times > 1]


def _against_the_ledger(connection: sqlite3.Connection, bank: Ledger) -> list[str]:
    """Compare each attempt with what is booked under its reference (I2, I3)."""
    rows = connection.execute(
        "SELECT a.*, i.status AS invoice_status FROM attempts a JOIN invoices i ON i.id = a.invoice_id"
        " JOIN payment_systems p ON p.id = a.payment_system_id"
        " WHERE p.gateway <> 'manual' AND a.amount_minor > 0"
    ).fetchall()
    found = [
        f"I2: the ledger knows {r}, the file does not" for r in bank.booked.keys() - {r["reference"] for r in rows}
    ]
    for row in rows:
        entry = bank.booked.get(row["reference"])
        booked = entry.status if entry else None
        if row["status"] != "live" and {"not_sent": None}.get(row["status"], row["status"]) != booked:
            found.append(f"I3: {row['reference']} is {row['status']} here and {booked} in the ledger")
        if entry and (entry.amount_minor, entry.currency) != (row["amount_minor"], row["currency"]):
            found.append(f"I3: {row['reference']} has another amount in the ledger")
        took = (row["kind"], row["status"]) == ("charge", "succeeded")
        if took and row["invoice_status"] not in ("completed", "refund"):
            found.append(f"I3: invoice {row['invoice_id']} is {row['invoice_status']} though its money came in")
    return found


def _windows(connection: sqlite3.Connection, bank: Ledger) -> list[str]:
    """Name schedule windows that were charged more than once (I1)."""
    rows = connection.execute(
        "SELECT a.reference, o.recurring_id, o.due_at FROM attempts a JOIN invoices i ON i.id = a.invoice_id"
        " JOIN orders o ON o.id = i.order_id WHERE a.kind = 'charge' AND o.due_at IS NOT NULL"
    ).fetchall()
    taken = {entry.reference for entry in bank.charged()}
    windows = Counter((row["recurring_id"], row["due_at"]) for row in rows if row["reference"] in taken)
    return [f"I1: {window} was charged {times} times" for window, times in windows.items() if times > 1]


def _plans(connection: sqlite3.Connection) -> list[str]:
    """Check what a plan says of itself: its declines (I4), its dates (I9), its wish (I11)."""
    found = []
    for row in connection.execute("SELECT * FROM recurring").fetchall():
        plan = Recurring.from_row(row)
        declined = connection.execute(
            "SELECT count(*) FROM attempts a JOIN invoices i ON i.id = a.invoice_id JOIN orders o ON o.id = i.order_id"
            " WHERE o.recurring_id = ? AND o.payment_number = ? AND a.status = 'declined' AND a.kind = 'charge'",
            (plan.id, plan.payment_number),
        ).fetchone()[0]
        if plan.status != "completed" and declined % plan.retries.attempts != plan.declines % plan.retries.attempts:
            found.append(f"I4: plan {plan.id} counts {plan.declines} declines of {declined}")
        if (plan.status == "failed") != (plan.declines == plan.retries.attempts and plan.status != "completed"):
            found.append(f"I4: plan {plan.id} is {plan.status} with {plan.declines} declines")
        if plan.due_at is None or plan.status == "failed":
            continue
        due = time.from_stored(plan.due_at)
        if plan.planned_after(due - timedelta(seconds=1), ZONE) != due and not _owed_from_before(connection, plan):
            found.append(f"I9: plan {plan.id} is due at {due}, which is not on its plan")
        waits_for_its_date = plan.status == "active" and not plan.declines and plan.activated_at is None
        if waits_for_its_date and plan.next_payment_at != plan.due_at:
            found.append(f"I9: plan {plan.id} is due at {plan.due_at} and charged at {plan.next_payment_at}")
    return found


def _owed_from_before(connection: sqlite3.Connection, plan: Recurring) -> bool:
    """Return whether a plan owes a payment of before its dates were moved: one that was taken back, due as it was."""
    sql = "SELECT 1 FROM orders WHERE recurring_id = ? AND payment_number = ? AND due_at = ?"
    its_order = connection.execute(sql, (plan.id, plan.payment_number, plan.due_at)).fetchone()
    return its_order is not None and plan.due_at is not None and plan.due_at < plan.anchor_at


def money_back(world: World) -> list[str]:
    """Name invoices whose money back is not what the bank's ledger has; empty when both agree."""
    rows = world.rows("SELECT id, gateway_id, refunded_minor FROM invoices WHERE gateway_id IS NOT NULL")
    pairs = [(row["id"], row["refunded_minor"], world.bank.back(int(row["gateway_id"][2:]))) for row in rows]
    return [f"invoice {id}: {here} back here, {there} there" for id, here, there in pairs if here != there]


def left_over(world: World) -> list[str]:
    """Name what is still in flight (I7) or still due (I8); empty once the gateway answers and ticks ran."""
    connection = world.connect()
    try:
        return forgotten(connection, world.now)
    finally:
        connection.close()


def forgotten(connection: sqlite3.Connection, now: datetime) -> list[str]:
    """Name what is in flight, or due at ``now``, in a file."""
    live = connection.execute(
        "SELECT a.reference FROM attempts a JOIN payment_systems p ON p.id = a.payment_system_id"
        " WHERE a.status = 'live' AND p.gateway <> 'manual'"
    ).fetchall()
    due = connection.execute(
        "SELECT id FROM recurring WHERE status = 'active' AND next_payment_at <= ?", (time.stored(now),)
    ).fetchall()
    return [
        *(f"I7: {row['reference']} is still in flight" for row in live),
        *(f"I8: plan {row['id']} was forgotten" for row in due),
    ]
