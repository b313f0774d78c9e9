"""``import recurring``: subscribers from elsewhere, charged by tick from their next payment on (R60, R66a, R66b).

row -> ``_read`` -> ``RecurringRow`` -> customer, offer, payment system -> ``_draft`` (dates) -> insert or update
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import partial
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

from salescli.gateways import registry
from salescli.imports import order_row, own_lists
from salescli.imports.batch import Changed, Numbers, Steps, find_known, marks, settle
from salescli.imports.cells import Fields, Readers
from salescli.imports.csv_file import Row
from salescli.imports.customers_ahead import Found, Key
from salescli.imports.lookups import CUSTOMER, OFFER_BY_NAME, PAYMENT_SYSTEM, Lookups
from salescli.imports.mapping import RECURRING
from salescli.imports.order_reader import NAMES
from salescli.imports.reading import conventions
from salescli.imports.run import ImportCounts, ImportRequest, ImportRun, Outcome, Outcomes, import_rows
from salescli.imports.stage import Stage
from salescli.rules import money, numbers, schedule, text, time
from salescli.rules.schedule import Interval, Retries
from salescli.storage import database, engine
from salescli.storage.work import Work

COLUMNS = (
    "recurring", "customer", "customer_id", "email", "offer", "offer_number", "currency", "price", "payment_system",
    "token", "started_at", "every", "payments", "payments_made", "next_payment_at", "status", "retry_after",
)  # fmt: skip
REQUIRED = (
    "recurring", "customer", "offer", "currency", "price", "payment_system", "started_at", "every",
)  # fmt: skip
STATUSES = ("active", "paused", "completed", "failed")
_KINDS = {"started_at": conventions.DATE, "next_payment_at": conventions.DATE, "price": conventions.AMOUNT}
_PLANNED = ("active", "paused")  # those that have a next payment date (I10)


class RecurringRow(NamedTuple):
    """A recurring order read from a row. ``next_payment_at`` None: the next planned date."""

    number: str
    customer: tuple[str | None, str | None, str, str | None]  # customer_id, email, name, phone
    offer: tuple[str | None, str]  # number, name
    currency: str
    price_minor: int
    payment_system: str
    token: str | None
    started_at: datetime
    interval: Interval
    payments: int | None
    payments_made: int
    next_payment_at: datetime | None
    status: str
    retries: Retries

    @property
    def canonical(self) -> tuple[Any, ...]:
        """The values of the row from which its digest is made."""
        planned = self.next_payment_at and time.utc_text(self.next_payment_at)
        dates = (time.utc_text(self.started_at), str(self.interval), planned, self.retries.minutes)
        return (*self[:7], *dates, self.payments, self.payments_made, self.status)


class SubscriberParties(NamedTuple):
    """The records that a row names; None: not created yet."""

    customer: Found | None
    offer: engine.Row | None
    payment_system: engine.Row | None


def import_recurring(work: Work, request: ImportRequest) -> ImportCounts:
    """Import recurring orders from CSV, all or nothing; ``due`` of the result is what the next tick charges.

    Raise BadData when rows are bad and not skipped; the request's ``reporting`` gets each problem.
    """
    listed = own_lists.recurring(COLUMNS)
    run = ImportRun(work, "recurring orders", COLUMNS, REQUIRED, request, _KINDS, maps=RECURRING, listed=listed)
    return import_rows(run, _Subscribers)


class _Subscribers:
    """The import of one file's rows."""

    def __init__(self, run: ImportRun) -> None:
        self._run = run
        self._zone = run.work.zone
        self._stage = Stage(run.work.connection, {})
        self._lookups = lookups = Lookups(run, self._stage)
        self._first_new = next(database.free_ids(run.work.connection, "recurring"))
        readers = _readers(self._zone)
        self._steps = Steps(
            numbers=Numbers(run.work.connection),
            column="recurring",
            read=lambda fields: _read(fields, readers, run.work),
            known=partial(find_known, run, "recurring"),
            marks=marks(run.work.zone.key),
            ahead=lambda rows: lookups.read_customers([row.customer for row in rows]),
            find=self._find,
            insert=self._insert,
            compare=self._compare,
        )

    def take(self, rows: Sequence[Row], /) -> Outcomes:
        """Import rows and return their outcomes."""
        return self._steps.take(rows)

    def end(self) -> None:
        """Note nothing."""

    def keep(self) -> None:
        """Make the new customers searchable."""
        self._lookups.index()

    def _find(self, fields: Fields, row: RecurringRow) -> SubscriberParties:
        """Return the records that the row names. A payment without token is only for a person to confirm."""
        if self._run.own:
            same = (time.stored(row.started_at), row.offer[1], row.price_minor)
            own_lists.refuse_own(self._run, fields, "recurring", self._first_new, same)
        find = self._lookups.find
        system = find(fields, PAYMENT_SYSTEM, (row.payment_system,))
        if row.token is None and system is not None and system["gateway"] != registry.MANUAL:
            fields.refuse(
                "token", f"is blank; {system['name']} charges by token; only manual payment systems need none"
            )
        return SubscriberParties(find(fields, CUSTOMER, row.customer), find(fields, OFFER_BY_NAME, _offer(row)), system)

    def _taken(self, row: RecurringRow, found: SubscriberParties) -> SubscriberParties:
        """Return the records that the row names, and create missing ones."""
        take = self._lookups.take
        taken = SubscriberParties(
            take(CUSTOMER, row.customer, found.customer),
            take(OFFER_BY_NAME, _offer(row), found.offer),
            take(PAYMENT_SYSTEM, (row.payment_system,), found.payment_system),
        )
        self._stage.move()
        return taken

    def _insert(self, fields: Fields, row: RecurringRow, found: SubscriberParties, digest: bytes) -> None:
        drafted = _draft(row, self._taken(row, found), now=self._run.work.now, zone=self._zone)
        marks = {"uid": secrets.token_hex(8), "source": self._run.request.source, "source_number": row.number}
        database.insert(self._run.work.connection, "recurring", {**drafted, **marks, "imported_as": digest})
        self._count_due(drafted)

    def _compare(self, fields: Fields, row: RecurringRow, found: SubscriberParties, id: int, digest: bytes) -> Outcome:
        connection = self._run.work.connection
        stored: engine.Row = connection.execute(_STORED, {"id": id}).fetchone()
        drafted = self._inherited(row, found, stored)
        return settle(
            self._run,
            fields,
            _differences(stored, {**drafted, **_names(row)}, self._zone),
            subject=("recurring", id),
            why_kept=lambda: _why_kept(connection, id),
            update=lambda: self._update(row, found, stored, digest),
        )

    def _inherited(self, row: RecurringRow, parties: SubscriberParties, stored: engine.Row) -> dict[str, Any]:
        """Return the draft with the dates as they are stored, if the row has none and the same schedule."""
        drafted = _draft(row, parties, now=self._run.work.now, zone=self._zone)
        schedule_columns = ("created_at", "every_count", "every_unit")
        planned = None not in (drafted["next_payment_at"], stored["next_payment_at"]) and row.next_payment_at is None
        if planned and all(drafted[name] == stored[name] for name in schedule_columns):
            drafted.update({name: stored[name] for name in ("anchor_at", "due_at", "next_payment_at")})
        return drafted

    def _update(self, row: RecurringRow, found: SubscriberParties, stored: engine.Row, digest: bytes) -> None:
        drafted = self._inherited(row, self._taken(row, found), stored)
        ends = {} if row.status == "paused" else {"resumes_at": None}  # of a pause that was to end
        database.update(
            self._run.work.connection, "recurring", stored["id"], {**drafted, **ends, "imported_as": digest}
        )
        self._count_due(drafted)

    def _count_due(self, drafted: Mapping[str, Any]) -> None:
        """Count what the next tick takes (R66b)."""
        if drafted["status"] == "active" and drafted["next_payment_at"] <= time.stored(self._run.work.now):
            due, currency = self._run.due, drafted["currency"]
            payments, minor = due.get(currency, (0, 0))
            due[currency] = (payments + 1, minor + drafted["price_minor"])


def _offer(row: RecurringRow) -> Key:
    number, name = row.offer
    return (number, None, name, row.currency)


# Reading a row


def _readers(zone: ZoneInfo) -> Readers:
    instant = partial(time.parse_time, zone=zone)
    return {
        **NAMES,
        "recurring": partial(text.text, what="recurring"),
        "currency": money.currency_code,
        "token": partial(text.text, what="token"),
        "started_at": instant,
        "every": schedule.parse_interval,
        "payments": partial(text.whole_number, what="number of payments"),
        "payments_made": _made,
        "next_payment_at": instant,
        "status": partial(text.one_of, allowed=STATUSES, what="status"),
    }


def _made(given: str) -> int:
    return 0 if given == "0" else text.whole_number(given, "number of payments")


def _read(fields: Fields, readers: Readers, work: Work) -> RecurringRow:
    given = fields.read(readers, REQUIRED)
    if "currency" in given:
        fields.read_also(given, "price", partial(money.parse, currency=given["currency"]))
    if "every" in given:
        fields.read_also(given, "retry_after", partial(Retries.for_interval, interval=given["every"]))
    fields.check()
    _check_payments(fields, given)
    _check_dates(fields, given, work)
    return RecurringRow(
        number=given["recurring"],
        customer=order_row.customer(given),
        offer=(given.get("offer_number"), given["offer"]),
        currency=given["currency"],
        price_minor=given["price"],
        payment_system=given["payment_system"],
        token=given.get("token"),
        started_at=given["started_at"],
        interval=given["every"],
        payments=given.get("payments"),
        payments_made=given.get("payments_made", 0),
        next_payment_at=given.get("next_payment_at"),
        status=given.get("status", "active"),
        retries=given.get("retry_after") or Retries.usual(given["every"]),
    )


def _check_payments(fields: Fields, given: Mapping[str, Any]) -> None:
    total, made = given.get("payments"), given.get("payments_made", 0)
    if total is not None and made > total:
        fields.stop("payments_made", f"is more than all of the {numbers.count(total, 'payment')}")
    if made == total and given.get("status", "active") != "completed":
        fields.stop("payments_made", f"is all of the {numbers.count(total, 'payment')}; then the status is completed")


def _check_dates(fields: Fields, given: Mapping[str, Any], work: Work) -> None:
    """Refuse dates that cannot be: a payment before the start, and what is far away."""
    started, planned = given["started_at"], given.get("next_payment_at")
    if planned and time.local_day(planned, work.zone) < time.local_day(started, work.zone):
        fields.stop("next_payment_at", f"is before started_at, {time.local_day(started, work.zone)}")
    for column in ("started_at", "next_payment_at"):
        if column in given and given[column] > work.written_at + schedule.PLANNED_MAX:
            fields.stop(column, "is more than ten years away")


# Drafting


def _draft(row: RecurringRow, parties: SubscriberParties, *, now: datetime, zone: ZoneInfo) -> dict[str, Any]:
    customer, offer, system = (party["id"] if party else None for party in parties)
    return {
        "customer_id": customer,
        "offer_id": offer,
        "offer_name": row.offer[1],
        "payment_system_id": system,
        "token": row.token,
        "status": row.status,
        "unit_price_minor": row.price_minor,
        "price_minor": row.price_minor,
        "currency": row.currency,
        "every_count": row.interval.count,
        "every_unit": row.interval.unit,
        "retry_after": str(row.retries),
        "payments_total": row.payments,
        "payments_imported": row.payments_made,
        "payments_made": row.payments_made,
        "created_at": time.stored(row.started_at),
        **_dates(row, now=now, zone=zone),
    }


def _dates(row: RecurringRow, *, now: datetime, zone: ZoneInfo) -> dict[str, int | None]:
    """Return the schedule's anchor and its next date: as given, else the first planned date to come (R66a, R66b).

    A given date off the schedule's days moves the schedule onto it.
    """
    anchor, planned = row.started_at, row.next_payment_at
    if planned is not None and not schedule.falls_on_schedule(anchor, row.interval, planned, zone):
        anchor = planned
    if planned is None:
        begins = row.started_at > now and row.payments_made == 0
        planned = anchor if begins else schedule.next_planned(anchor, row.interval, max(now, anchor), zone)
    due = time.stored(planned) if row.status in _PLANNED else None
    return {"anchor_at": time.stored(anchor), "due_at": due, "next_payment_at": due}


# Comparing with what is stored

_STORED = """
SELECT r.id, r.customer_id, r.offer_id, r.offer_name, r.payment_system_id, r.token, r.status, r.price_minor, r.currency,
  r.every_count, r.every_unit, r.retry_after, r.payments_total, r.payments_imported, r.anchor_at, r.due_at,
  r.next_payment_at, r.created_at, c.name AS customer, o.name AS offer, p.name AS payment_system
FROM recurring r
JOIN customers c ON c.id = r.customer_id
JOIN offers o ON o.id = r.offer_id
JOIN payment_systems p ON p.id = r.payment_system_id
WHERE r.id = :id
"""

_TOUCHED = """
SELECT
  (SELECT count(*) FROM attempts WHERE recurring_id = :id) AS attempts,
  (SELECT count(*) FROM orders WHERE recurring_id = :id) AS orders
"""


def _why_kept(connection: engine.Connection, id: int) -> str | None:
    touched = connection.execute(_TOUCHED, {"id": id}).fetchone()
    if touched["attempts"] or touched["orders"]:
        return "it was charged here since; pause, complete or retry it here"
    return None


def _names(row: RecurringRow) -> dict[str, str]:
    return {"customer": row.customer[2], "offer": row.offer[1], "payment_system": row.payment_system}


def _differences(stored: engine.Row, drafted: Mapping[str, Any], zone: ZoneInfo) -> Changed:
    here, there = _as_file_columns(stored, zone), _as_file_columns(drafted, zone)
    changed = {column: (here[column], there[column]) for column in here if here[column] != there[column]}
    for column in ("customer", "offer", "payment_system"):
        if stored[f"{column}_id"] != drafted[f"{column}_id"]:
            changed[column] = (stored[column], drafted[column])
    if stored["token"] != drafted["token"]:
        changed["token"] = ("another token", "this one")  # a token is not shown
    return changed


def _as_file_columns(record: Mapping[str, Any] | engine.Row, zone: ZoneInfo) -> dict[str, str]:
    """Return a record as text by the columns of the file."""
    planned, total = record["next_payment_at"], record["payments_total"]
    return {
        "offer": record["offer_name"],
        "currency": record["currency"],
        "price": money.text(record["price_minor"], record["currency"]),
        "started_at": time.local_text(record["created_at"], zone),
        "every": str(Interval(record["every_count"], record["every_unit"])),
        "payments": "endless" if total is None else str(total),
        "payments_made": str(record["payments_imported"]),
        "next_payment_at": "none" if planned is None else time.local_text(planned, zone),
        "status": record["status"],
        "retry_after": record["retry_after"],
    }
