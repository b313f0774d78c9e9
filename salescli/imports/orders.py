"""``import orders``: a seller's orders from elsewhere, each with its payment and refund (R8–R19, R31–R36).

row -> ``order_row.read`` -> digest stored: unchanged -> ``Parties`` -> insert, or ``order_changes`` -> update
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial

from salescli.imports import order_changes, order_row, order_tables
from salescli.imports.batch import Numbers, Steps, find_known, settle
from salescli.imports.bulk_load import Aside
from salescli.imports.cells import Fields
from salescli.imports.csv_file import Row
from salescli.imports.customers_ahead import Key
from salescli.imports.lookups import CATEGORY, CUSTOMER, MANAGER, OFFER, PAYMENT_SYSTEM, Lookups, opened
from salescli.imports.order_row import OrderRow
from salescli.imports.order_tables import Additions, Parties
from salescli.imports.run import ImportCounts, ImportRequest, ImportRun, Outcome, Outcomes, Take, import_rows
from salescli.rules import names
from salescli.storage.work import Work

COLUMNS = order_row.COLUMNS
REQUIRED = order_row.REQUIRED


def import_orders(work: Work, request: ImportRequest) -> ImportCounts:
    """Import orders from CSV, all or nothing, and return the counts; the same file again changes nothing.

    Raise BadData when rows are bad and not skipped; the request's ``reporting`` gets each problem.
    """
    run = ImportRun(work, "orders", COLUMNS, REQUIRED, request)
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
        columns = order_row.columns(run.work.zone)
        self._steps = Steps(
            numbers=Numbers(run.work.connection),
            column="order",
            read=lambda fields: order_row.read(fields, columns),
            known=partial(find_known, run, "orders"),
            ahead=lambda orders: lookups.read_customers([order.customer for order in orders]),
            find=self._found,
            insert=self._insert,
            compare=self._compare,
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

    def _insert(self, order: OrderRow, found: Parties, digest: bytes) -> None:
        parties = found if _complete(order, found) else self._taken(order, found)
        draft = order_tables.draft(order, parties)
        self._additions.add(draft, number=order.number, digest=digest)
        self._aside.wrote_order()

    def _compare(self, fields: Fields, order: OrderRow, found: Parties, id: int, digest: bytes) -> Outcome:
        connection = self._run.work.connection
        stored = order_changes.find_stored(connection, id)
        draft = order_changes.inherited(order_tables.draft(order, found), order, stored)
        return settle(
            self._run,
            fields,
            order_changes.differences(stored, draft, order),
            subject=("order", id),
            why_kept=lambda: order_changes.why_kept(connection, stored, order.status),
            update=lambda: self._update(order, stored, found, digest),
        )

    def _update(self, order: OrderRow, stored: sqlite3.Row, found: Parties, digest: bytes) -> None:
        parties = self._taken(order._replace(manager=None), found)  # the seller is neither updated nor created
        draft = order_changes.inherited(order_tables.draft(order, parties), order, stored)
        self._additions.update(stored, draft, digest)
        self._aside.wrote_order()


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
