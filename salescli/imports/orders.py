"""``import orders``: a seller's orders from elsewhere, each with its payment and refund (R8–R19, R31–R36).

row -> ``OrderReader`` -> digest stored: unchanged -> ``Parties`` -> insert, or ``order_changes`` -> update
"""

from __future__ import annotations

from collections.abc import Sequence, Set
from functools import partial
from typing import NamedTuple

from salescli.errors import WrongStatus
from salescli.imports import order_changes, order_row, order_tables, own_lists, parts, refunds, times
from salescli.imports.batch import Changed, Known, Numbers, Steps, find_known, marks, settle
from salescli.imports.cells import Fields
from salescli.imports.csv_file import Row, attempted
from salescli.imports.customers_ahead import Key
from salescli.imports.lookups import CATEGORY, CUSTOMER, MANAGER, OFFER, PAYMENT_SYSTEM, Lookups
from salescli.imports.mapped import LATE_REFUND
from salescli.imports.mapped_cells import EQUAL
from salescli.imports.mapping import ORDERS
from salescli.imports.order_reader import OrderReader
from salescli.imports.order_row import OrderRow
from salescli.imports.order_tables import Additions, Draft, Parties
from salescli.imports.refunds import RefundColumns
from salescli.imports.run import ImportCounts, ImportRequest, ImportRun, Outcome, Outcomes, import_rows
from salescli.imports.run import first_rows as first_rows_of
from salescli.imports.stage import Stage
from salescli.rules import closing, money, names, time
from salescli.sales import closed_months
from salescli.storage import database, engine, history
from salescli.storage.work import Work

COLUMNS = order_row.COLUMNS
REQUIRED = order_row.REQUIRED


def import_orders(work: Work, request: ImportRequest) -> ImportCounts:
    """Import orders from CSV, all or nothing, and return the counts; the same file again changes nothing.

    Raise BadData when rows are bad and not skipped; the request's ``reporting`` gets each problem.
    """
    return import_rows(_run(work, request), _Orders)


def first_rows(work: Work, request: ImportRequest, most: int) -> list[Row]:
    """Return the first rows of a file in our columns, good and bad, as they would be imported; write nothing."""
    return first_rows_of(_run(work, request), most)


def _run(work: Work, request: ImportRequest) -> ImportRun:
    return ImportRun(work, "orders", COLUMNS, REQUIRED, request, order_row.KINDS, maps=ORDERS, listed=own_lists.ORDERS)


class _Match(NamedTuple):
    """The payment here that a row tells, the others of its order, and what differs.

    ``again``: an earlier row of the file told it. ``stored``: with no invoice if it is a further payment.
    """

    stored: engine.Row
    others: Sequence[engine.Row]
    changed: Changed
    again: bool = False


class _Orders:
    """The import of one file's rows."""

    def __init__(self, run: ImportRun) -> None:
        self._run = run
        self._stage = Stage(run.work.connection, order_tables.TABLES)
        self._lookups = lookups = Lookups(run, self._stage)
        self._payments = parts.PaymentNumbers(run.work.connection)
        self._parts = parts.Payments(run.work.connection)
        self._additions = Additions(run.work.connection, self._stage, run.request.source)
        self._learnt = times.instant(run.work.now, run.work.zone)
        self._past = times.past(run.work.zone, run.work.written_at)
        self._closed = closed_months.closed(run.work.connection)
        self._first_new = next(database.free_ids(run.work.connection, "orders"))
        self._steps = Steps(
            numbers=Numbers(run.work.connection),
            column="order",
            read=OrderReader(run.work.zone, run.work.written_at).read,
            known=partial(find_known, run, "orders"),
            marks=marks(run.work.zone.key),
            ahead=lambda orders: lookups.read_customers([order.customer for order in orders]),
            find=self._found,
            insert=self._insert,
            compare=self._compare,
            again=self._again,
            expect=self._expect,
        )

    def take(self, rows: Sequence[Row], /) -> Outcomes:
        """Import rows and return the outcome of each."""
        late = [row for row in rows if row.names is LATE_REFUND]
        orders = iter(self._steps.take([row for row in rows if row.names is not LATE_REFUND] if late else rows))
        if not late:
            self._stage.write()
            return list(orders)
        self._stage.move()
        return [attempted(self._refunded_late, row) if row.names is LATE_REFUND else next(orders) for row in rows]

    def end(self) -> None:
        """Note the payments of known orders that the file leaves out."""
        self._run.notes.extend(self._parts.missing(self._run.work.zone))

    def keep(self) -> None:
        """Move what is staged into the tables, and make the new records searchable."""
        self._stage.end()
        self._lookups.index()

    def _expect(self, known: Sequence[Known]) -> None:
        """Expect the payments of those orders imported before that have several."""
        self._parts.expect([order.id for order in known if not order.erased and order.id < self._first_new])

    def _found(self, fields: Fields, order: OrderRow) -> Parties:
        """Return the existing records that the row names."""
        if self._run.own:
            same = (order.created.at, order.offer[1], order.price.price_minor)
            own_lists.refuse_own(self._run, fields, "order", self._first_new, same)
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

    def _check_payment(self, fields: Fields, order: OrderRow, system: engine.Row | None) -> None:
        """Refuse a payment of a payment system that paid another order: it is one payment."""
        number = order.payment.gateway_id if order.payment else None
        if number is None:
            return
        paid = self._payments.order_of(number, names.key(_payment_system(order) or ""), order.number)
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
        if self._closed:
            self._check_open(fields, order)
        parties = found if _complete(order, found) else self._taken(order, found)
        draft = parts.whole(fields, self._drafted(order, parties), ())
        id = self._additions.add(draft, number=order.number, digest=digest)
        if draft.refund:
            self._note_day(id, order, draft.refund)

    def _compare(self, fields: Fields, order: OrderRow, found: Parties, id: int, digest: bytes) -> Outcome:
        held = self._parts.of(id)
        match = self._matched(order, found, id, held)
        return self._settled(fields, order, found, match, digest)

    def _matched(self, order: OrderRow, found: Parties, id: int, held: Sequence[engine.Row]) -> _Match:
        """Return the payment here that a row tells: the same, refunded, corrected, or a further one."""
        drafted = self._drafted(order, found)
        matches = [self._match(order, drafted, id, payment["ordinal"], held) for payment in held]
        for is_seen in (False, True):
            for match, one in zip(matches, held, strict=True):
                if one["seen"] == is_seen and not match.changed.keys() & order_changes.PAYMENT:
                    return match._replace(again=is_seen)
        payment = parts.find(drafted, held)
        if payment is not None:
            return matches[held.index(payment)]
        return self._match(order, drafted, id, self._next_ordinal(id), held)

    def _match(self, order: OrderRow, drafted: Draft, id: int, ordinal: int, held: Sequence[engine.Row]) -> _Match:
        stored = order_changes.find_stored(self._run.work.connection, id, ordinal)
        draft = order_changes.inherited(drafted, order, stored)
        others = [payment for payment in held if payment["ordinal"] != ordinal]
        return _Match(stored, others, order_changes.differences(stored, draft, order))

    def _next_ordinal(self, id: int) -> int:
        """Return the number of an order's next invoice."""
        sql = "SELECT coalesce(max(ordinal), 0) + 1 FROM invoices WHERE order_id = ?"
        return int(self._run.work.connection.execute(sql, (id,)).fetchone()[0])

    def _settled(self, fields: Fields, order: OrderRow, found: Parties, match: _Match, digest: bytes | None) -> Outcome:
        """Refuse what differs from a payment and its order, or store it with --update."""
        connection, stored = self._run.work.connection, match.stored
        if match.others and stored["invoice_id"]:
            self._parts.see(stored["id"], stored["invoice_id"], stored["ordinal"])
        if (match.others or EQUAL in fields.row.names) and stored[
            "invoice_id"
        ]:  # the row's refund may be one of several
            refund = self._drafted(order, found).refund if match.changed.keys() <= order_changes.REFUND else None
            if refund and refunds.is_held(connection, stored["invoice_id"], refund, _place(fields)):
                return "unchanged"
        return settle(
            self._run,
            fields,
            match.changed,
            subject=("order", stored["id"]),
            why_kept=lambda: order_changes.why_kept(connection, stored, order.status),
            update=lambda: self._update(fields, order, found, match, digest),
        )

    def _update(self, fields: Fields, order: OrderRow, found: Parties, match: _Match, digest: bytes | None) -> None:
        stored = match.stored
        parties = self._taken(order._replace(manager=None), found)  # the seller is neither updated nor created
        self._stage.move()
        draft = order_changes.inherited(self._drafted(order, parties), order, stored)
        draft = parts.whole(fields, draft, match.others)
        if order.payment and order.payment.attempted.on != stored["paid_on"]:
            self._check_open(fields, order)
        if moved := order_changes.months_of_moved_lines(stored, draft) & self._closed:
            fields.stop("order", f"would move to another line in the reports of {min(moved)}, which is closed")
        is_further = bool(match.others) and stored["invoice_id"] is None
        try:
            with database.savepoint(self._run.work.connection), closed_months.guarded():
                self._additions.update(stored, draft, digest)
                self._stage.move()
        except WrongStatus as error:
            self._stage.drop()
            fields.stop("order", str(error))
        if is_further:
            self._parts.expect([stored["id"]])
            self._parts.see(stored["id"], self._additions.last_invoice, stored["ordinal"])
        if draft.refund and draft.refund.refunded_at != stored["refunded_at"]:
            self._note_day(stored["id"], order, draft.refund)
        self._stage.aside.wrote_order()

    def _drafted(self, order: OrderRow, parties: Parties) -> Draft:
        """Return the draft of a row; a refund of a closed month counts on the first open day."""
        draft = order_tables.draft(order, parties, self._learnt)
        if not self._closed or draft.refund is None:
            return draft
        counts = closing.first_open(time.day_of(draft.refund.refunded_on), self._closed)
        return draft._replace(refund=draft.refund._replace(refunded_on=time.day_number(counts)))

    def _note_day(self, id: int, order: OrderRow, refund: RefundColumns | None) -> None:
        """Write a line of history if the order's refund counts on another day than its own."""
        refunded = order.payment and order.payment.refunded
        if refunded and refund and refund.refunded_on != refunded.on:
            closed_months.counted_on(self._run.work, "order", id, time.day_of(refunded.on))

    def _check_open(self, fields: Fields, order: OrderRow) -> None:
        """Refuse a payment of a closed month."""
        if order.payment is None or not order.payment.paid:
            return
        month = closing.month_with(time.day_of(order.payment.attempted.on))
        if month in self._closed:
            column = "paid_at" if "paid_at" in fields.row.values else "created_at"
            fields.stop(column, f"is in {month}, which is closed; to add payments to it, reopen it first")

    def _again(self, fields: Fields, order: OrderRow, earlier: int) -> Outcome:
        """Take a further row of an order, which tells a further payment or refund; all else in it must be the same."""
        self._stage.move()
        known = find_known(self._run, "orders", [order.number]).get(order.number)
        if known is not None and known.erased:
            return "unchanged"
        found = self._found(fields, order)
        fields.check()
        held = self._parts.of_again(known.id) if known else []
        all_paid = all(one["paid_at"] is not None for one in held)
        if known is None or order.payment is None or not order.payment.paid or not all_paid:
            self._steps.refuse_again(fields, order, earlier)
        match = self._matched(order, found, known.id, held)
        others = match.changed.keys() - order_changes.PAYMENT - order_changes.REFUND
        if match.again:
            refund = self._drafted(order, found).refund
            if refund is None or others - {"status"}:
                self._steps.refuse_again(fields, order, earlier, _same_but(others))
            return self._refunded_again(fields, order, match.stored, refund)
        if others:
            self._steps.refuse_again(fields, order, earlier, _same_but(others))
        return self._paid_again(fields, order, found, match)

    def _paid_again(self, fields: Fields, order: OrderRow, found: Parties, match: _Match) -> Outcome:
        """Compare a further payment with what is here, or add it: to an order of this file, else with --update."""
        is_further = match.stored["invoice_id"] is None
        if is_further and match.stored["id"] >= self._first_new:
            self._update(fields, order, found, match, None)
            return "updated"
        if is_further and not self._run.request.update:
            fields.stop("order", "has a further payment in the file; --update takes it")
        return self._settled(fields, order, found, match, None)

    def _refunded_again(self, fields: Fields, order: OrderRow, stored: engine.Row, refund: RefundColumns) -> Outcome:
        """Add a further refund of a payment, which a further row of it tells."""
        if "refunded_at" not in fields.row.values:
            fields.stop("refunded_at", "is blank; each of several refunds of an order needs its time")
        if refunds.is_held(self._run.work.connection, stored["invoice_id"], refund, _place(fields)):
            return "unchanged"
        self._add_refund(fields, stored, refund)
        self._note_day(stored["id"], order, refund)
        return "updated"

    def _refunded_late(self, row: Row) -> Outcome:
        """Add a refund of an order that was imported before, which the file tells nothing else of."""
        fields, connection = Fields(row), self._run.work.connection
        number, values = row.cells[0], row.values
        known = find_known(self._run, "orders", [number]).get(number)
        if known is None:
            fields.stop(LATE_REFUND[0], "is a payment that is neither in the file nor here; export from its day on")
        stored = order_changes.find_stored(connection, known.id, 1)
        currency, at = values["paid_currency"], self._past(values["refunded_at"])
        if known.erased:
            return "unchanged"
        if stored["invoice_id"] is None or stored["paid_currency"] != currency:
            fields.stop(LATE_REFUND[0], f"is not paid in {currency} here")
        day = time.day_of(at.on)
        counts = closing.first_open(day, self._closed)
        minor = money.parse(values["refunded"], currency)
        refund = RefundColumns(minor, currency, at.at, time.day_number(counts), order_tables.IMPORTED)
        if refunds.is_held(connection, stored["invoice_id"], refund, _place(fields)):
            return "unchanged"
        self._add_refund(fields, stored, refund)
        if counts != day:
            closed_months.counted_on(self._run.work, "order", known.id, day)
        self._stage.move()
        return "updated"

    def _add_refund(self, fields: Fields, stored: engine.Row, refund: RefundColumns) -> None:
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
        if back and stored["status"] == "completed" and parts.all_refunded(self._parts.of(stored["id"])):
            database.update(work.connection, "orders", stored["id"], back)
        if not is_new:
            changes = {"refunded_minor": (stored["refunded_minor"], refunded)}
            history.record(work, "invoice", stored["invoice_id"], "refunded", changes, reason=order_tables.IMPORTED)


def _place(fields: Fields) -> int:
    """Return which of the equal refunds of its order, of one amount at one time, the refund of a row is."""
    return int(fields.row.values.get(EQUAL, "1"))


def _same_but(columns: Set[str]) -> str:
    """Return why a row with these columns is no further payment or refund of an order."""
    if not columns:
        return ""
    verb = "differs" if len(columns) == 1 else "differ"
    return f"; a further payment or refund agrees in all else, and here {', '.join(sorted(columns))} {verb}"


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


def _offer(order: OrderRow, category: engine.Row | None) -> Key:
    number, name = order.offer
    return (number, category["id"] if category else None, name, order.price.currency)
