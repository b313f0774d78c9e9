"""``import orders``: a seller's orders from elsewhere, each with its payment and refund (R8–R19, R31–R36).

row -> ``order_row.read`` -> digest stored: unchanged -> ``Parties`` -> insert, or ``order_changes`` -> update
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial

from salescli.errors import WrongStatus
from salescli.imports import order_changes, order_row, order_tables, refunds
from salescli.imports.batch import Numbers, Steps, find_known, settle
from salescli.imports.bulk_load import Aside
from salescli.imports.cells import Fields
from salescli.imports.csv_file import Row
from salescli.imports.customers_ahead import Key
from salescli.imports.lookups import CATEGORY, CUSTOMER, MANAGER, OFFER, PAYMENT_SYSTEM, Lookups, opened
from salescli.imports.order_row import OrderRow
from salescli.imports.order_tables import Additions, Draft, Parties
from salescli.imports.refunds import RefundColumns
from salescli.imports.run import ImportCounts, ImportRequest, ImportRun, Outcome, Outcomes, Take, import_rows
from salescli.imports.times import Instant
from salescli.rules import closing, names, time
from salescli.sales import closed_months
from salescli.storage import database, history
from salescli.storage.work import Work

COLUMNS = order_row.COLUMNS
REQUIRED = order_row.REQUIRED


def import_orders(work: Work, request: ImportRequest) -> ImportCounts:
    """Import orders from CSV, all or nothing, and return the counts; the same file again changes nothing.

    Raise BadData when rows are bad and not skipped; the request's ``reporting`` gets each problem.
    """
    run = ImportRun(work, "orders", COLUMNS, REQUIRED, request, order_row.KINDS)
    aside = Aside(work.connection)
    return import_rows(run, partial(_orders, run, aside), aside.end)


@contextmanager
def _orders(run: ImportRun, aside: Aside) -> Iterator[Take]:
    with opened(run) as lookups:
        yield _Orders(run, lookups, aside).take


class _Orders:
    """The import of one file's rows."""

    def __init__(self, run: ImportRun, lookups: Lookups, aside: Aside) -> None:
        self._run = run
        self._lookups = lookups
        self._aside = aside
        self._payments: dict[tuple[str, str], str] = {}  # payment system and its number -> the order it paid
        self._additions = Additions(run.work.connection, run.request.source)
        columns = order_row.columns(run.work.zone, run.work.written_at)
        self._learnt = Instant(time.utc_text(run.work.now), time.local_day(run.work.now, run.work.zone))
        self._closed = closed_months.closed(run.work.connection)
        self._first_new = next(database.free_ids(run.work.connection, "orders"))
        self._steps = Steps(
            numbers=Numbers(run.work.connection),
            column="order",
            read=lambda fields: order_row.read(fields, columns),
            known=partial(find_known, run, "orders"),
            ahead=lambda orders: lookups.read_customers([order.customer for order in orders]),
            find=self._found,
            insert=self._insert,
            compare=self._compare,
            again=self._refunded_again,
        )

    def take(self, rows: Sequence[Row]) -> Outcomes:
        """Import rows and return the outcome of each."""
        outcomes = self._steps.take(rows)
        self._additions.write()
        return outcomes

    def _found(self, fields: Fields, order: OrderRow) -> Parties:
        """Return the existing records that the row names."""
        find, system = self._lookups.find, _payment_system(order)
        payment_system = find(fields, PAYMENT_SYSTEM, (system,)) if system else None
        self._check_payment(fields, order, payment_system)
        category = find(fields, CATEGORY, order.category) if order.category else None
        new_category = order.category is not None and category is None  # which has no offers yet
        return Parties(
            find(fields, CUSTOMER, order.customer),
            category,
            None if new_category and not order.offer[0] else find(fields, OFFER, _offer(order, category)),
            payment_system,
            find(fields, MANAGER, (order.manager,)) if order.manager else None,
        )

    def _check_payment(self, fields: Fields, order: OrderRow, system: sqlite3.Row | None) -> None:
        """Refuse a payment of a payment system that paid another order: it is one payment."""
        number = order.payment.gateway_id if order.payment else None
        if number is None:
            return
        paid = self._payments.setdefault((names.key(_payment_system(order) or ""), number), order.number)
        row = self._run.work.connection.execute(
            "SELECT o.id, o.source, o.source_number FROM invoices i JOIN orders o ON o.id = i.order_id"
            " WHERE i.gateway_id = ? AND i.payment_system_id IS ?",
            (number, system["id"] if system else None),
        ).fetchone()
        known = row is not None and (row["source"], row["source_number"]) != (self._run.request.source, order.number)
        if known or paid != order.number:
            which = f"order {row['id']}, here" if known else f"order {paid} of the file"
            fields.refuse("gateway_id", f"is the payment of {which}; one payment pays one order")

    def _taken(self, order: OrderRow, found: Parties) -> Parties:
        """Return the records that the row names, and create missing ones."""
        take, system = self._lookups.take, _payment_system(order)
        category = take(CATEGORY, order.category, found.category) if order.category else None
        return Parties(
            customer=take(CUSTOMER, order.customer, found.customer),
            category=category,
            offer=take(OFFER, _offer(order, category), found.offer),
            payment_system=take(PAYMENT_SYSTEM, (system,), found.payment_system) if system else None,
            manager=take(MANAGER, (order.manager,), found.manager) if order.manager else None,
        )

    def _insert(self, fields: Fields, order: OrderRow, found: Parties, digest: bytes) -> None:
        self._check_open(fields, order)
        parties = found if _complete(order, found) else self._taken(order, found)
        draft = self._drafted(order, parties)
        id = self._additions.add(draft, number=order.number, digest=digest)
        self._note_day(id, order, draft)
        self._aside.wrote_order()

    def _compare(self, fields: Fields, order: OrderRow, found: Parties, id: int, digest: bytes) -> Outcome:
        connection = self._run.work.connection
        stored = order_changes.find_stored(connection, id)
        draft = self._compared(order, found, stored)
        return settle(
            self._run,
            fields,
            order_changes.differences(stored, draft, order),
            subject=("order", id),
            why_kept=lambda: order_changes.why_kept(connection, stored, order.status),
            update=lambda: self._update(fields, order, stored, found, digest),
        )

    def _update(self, fields: Fields, order: OrderRow, stored: sqlite3.Row, found: Parties, digest: bytes) -> None:
        parties = self._taken(order._replace(manager=None), found)  # the seller is neither updated nor created
        draft = self._compared(order, parties, stored)
        if order.payment and order.payment.attempted.on != stored["paid_on"]:
            self._check_open(fields, order)
        try:
            with database.savepoint(self._run.work.connection), closed_months.guarded():
                self._additions.update(stored, draft, digest)
        except WrongStatus as error:
            fields.stop("order", str(error))
        if draft.refund and draft.refund.refunded_at != stored["refunded_at"]:
            self._note_day(stored["id"], order, draft)
        self._aside.wrote_order()

    def _compared(self, order: OrderRow, parties: Parties, stored: sqlite3.Row) -> Draft:
        return order_changes.inherited(self._drafted(order, parties), order, stored)

    def _drafted(self, order: OrderRow, parties: Parties) -> Draft:
        """Return the draft of a row; a refund of a closed month counts on the first open day."""
        draft = order_tables.draft(order, parties, self._learnt)
        if not self._closed or draft.refund is None:
            return draft
        counts = closing.first_open(draft.refund.refunded_on, self._closed)
        return draft._replace(refund=draft.refund._replace(refunded_on=counts))

    def _note_day(self, id: int, order: OrderRow, draft: Draft) -> None:
        """Write a line of history if the order's refund counts on another day than its own."""
        refunded = order.payment and order.payment.refunded
        if refunded and draft.refund and draft.refund.refunded_on != refunded.on:
            closed_months.counted_on(self._run.work, "order", id, refunded.on)

    def _check_open(self, fields: Fields, order: OrderRow) -> None:
        """Refuse a payment of a closed month."""
        paid = order.payment.attempted.on if order.payment and order.payment.paid else ""
        if paid[:7] in self._closed:
            column = "paid_at" if "paid_at" in fields.row.values else "created_at"
            fields.stop(column, f"is in {paid[:7]}, which is closed; to add payments to it, reopen it first")

    def _refunded_again(self, fields: Fields, order: OrderRow, earlier: int) -> Outcome:
        """Add a further refund of an order, which a further row of it tells; all else in it must be the same."""
        connection = self._run.work.connection
        self._additions.write()
        known = find_known(self._run, "orders", [order.number]).get(order.number)
        found = self._found(fields, order)
        fields.check()
        draft = self._drafted(order, found)
        refund = draft.refund
        if known is None or known.erased or refund is None:
            return self._steps.refuse_again(fields, order, earlier)
        stored = order_changes.find_stored(connection, known.id)
        changed = order_changes.differences(stored, self._compared(order, found, stored), order)
        if not changed.keys() <= {"status", "refunded", "refunded_at"}:
            return self._steps.refuse_again(fields, order, earlier)
        if "refunded_at" not in fields.row.values:
            fields.stop("refunded_at", "is blank; each of several refunds of an order needs its time")
        if refunds.is_held(connection, stored["invoice_id"], refund):
            return "unchanged"
        self._add_refund(fields, stored, refund)
        self._note_day(stored["id"], order, draft)
        return "updated"

    def _add_refund(self, fields: Fields, stored: sqlite3.Row, refund: RefundColumns) -> None:
        work, is_new = self._run.work, stored["id"] >= self._first_new
        refunded = stored["refunded_minor"] + refund.amount_minor
        if refunded > stored["amount_minor"]:
            fields.stop("refunded", "is, with the order's other refunds, more than what was paid")
        kept = None if is_new else order_changes.why_kept(work.connection, stored, stored["status"])
        if kept or not (is_new or self._run.request.update):
            fields.stop("order", kept or "has a further refund in the file; --update takes it")
        self._additions.add_refund(refund, stored["invoice_id"])
        back = {"status": "refund"} if refunded == stored["amount_minor"] else {}
        database.update(work.connection, "invoices", stored["invoice_id"], {"refunded_minor": refunded, **back})
        if back and stored["status"] == "completed":
            database.update(work.connection, "orders", stored["id"], back)
        if not is_new:
            changes = {"refunded_minor": (stored["refunded_minor"], refunded)}
            history.record(work, "invoice", stored["invoice_id"], "refunded", changes, reason=order_tables.IMPORTED)


def _complete(order: OrderRow, found: Parties) -> bool:
    """Return whether all records of a row exist, as is usual in long files."""
    customer, category, offer, system, manager = found
    return (
        customer is not None
        and (order.customer[0] is None or customer["source_id"] is not None)
        and offer is not None
        and (category is not None or order.category is None)
        and (system is not None or _payment_system(order) is None)
        and (manager is not None or order.manager is None)
    )


def _payment_system(order: OrderRow) -> str | None:
    return order.payment.payment_system if order.payment else None


def _offer(order: OrderRow, category: sqlite3.Row | None) -> Key:
    number, name = order.offer
    return (number, category["id"] if category else None, name, order.price.currency)
