"""``orders pay``: take a payment of an order, through its gateway or, for a manual one, by a person.

order → ``claim`` (invoice, live attempt) COMMIT → gateway → ``settle`` COMMIT
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from salescli.catalogue import payment_systems, tokens
from salescli.catalogue.payment_systems import PaymentSystem
from salescli.charging import batch, calls, elsewhere, limits, settle
from salescli.charging.calls import Gateways
from salescli.errors import BadData, BadUsage, WrongStatus
from salescli.gateways import registry
from salescli.gateways.answers import Answer
from salescli.gateways.protocol import Charge
from salescli.rules import money, permissions, text, time
from salescli.sales import attempts, closed_months, invoices, new_attempts, orders, recurring, sales_plans
from salescli.sales.attempts import Attempt
from salescli.sales.invoices import Invoice
from salescli.sales.new_attempts import NewAttempt
from salescli.sales.orders import NewOrder, Order
from salescli.storage import database, engine, home
from salescli.storage.work import Work


@dataclass(frozen=True, slots=True)
class NewPayment:
    """A payment to take. ``amount`` is in ``currency``, by default everything left of the price.

    ``rate``: how much of the order's currency one unit of ``currency`` is worth (R34).
    """

    amount: str | None = None
    currency: str | None = None
    rate: str | None = None
    payment_system: str | None = None
    token: str | None = None
    one_click: bool = False
    comment: str | None = None


@dataclass(frozen=True, slots=True)
class OrderClaim:
    """A live attempt, its payment system, and the request to it."""

    attempt: Attempt
    system: PaymentSystem
    request: Charge
    late: bool  # the order is old enough to look its payment up first, see LOOKED_UP_WHEN_LATE_BY


def pay(
    work: Work,
    order_id: int,
    payment: NewPayment,
    *,
    gateways: Gateways,
) -> tuple[Invoice, Answer | None]:
    """Take a payment and return its invoice and the gateway's answer; None: a person must confirm it (R37).

    Raise WrongStatus or BadData when the order cannot be paid this way; nothing is written then.
    """
    work = orders.since_made(work, order_id)
    _check_tells(work, orders.get(work.connection, order_id), payment, gateways)
    with database.transaction(work.connection):
        made = claim(work, orders.get(work.connection, order_id), payment)
    return send(work, made, gateways=gateways)


def send(work: Work, made: OrderClaim, *, gateways: Gateways) -> tuple[Invoice, Answer | None]:
    """Make the call of a committed claim and record its outcome; return the invoice and the gateway's answer.

    A manual payment calls nobody: a person must confirm it, and the answer is None (R37).
    """
    if made.system.manual:
        return invoices.get(work.connection, made.attempt.invoice_id), None
    with calls.warn_if_cut(made.attempt):
        gateway = gateways(made.system)
        answer = calls.known_already(made.attempt, gateway) if made.late else None
        other = elsewhere.other_copy(work.connection, made.attempt, gateways) if made.late and not answer else None
        answer = (
            answer or (other and other.made()) or calls.carry_out(work.connection, made.attempt, made.request, gateway)
        )
        answer = settle.settle(work, made.attempt, answer) or answer
    return invoices.get(work.connection, made.attempt.invoice_id), answer


def open_and_settle_free(work: Work, new: NewOrder) -> Order:
    """Open an order; a free one is Completed at once, with an invoice of 0 and no gateway (R11)."""
    with database.transaction(work.connection):
        order = orders.open_order(work, new)
        if order.price_minor == 0:
            closed_months.check_open(work)
        if new.manager is None:
            order = sales_plans.claim(work, order)
        if order.price_minor:
            return order
        values = {"amount_minor": 0, "currency": order.currency, "share_minor": 0}
        invoice = invoices.create(work, order.id, values)
        columns = {**invoices.payment(invoice, None, Answer("succeeded"), work.now, work.zone), "fee_minor": 0}
        invoices.change(work, invoice, "nothing to pay", columns)
        return batch.complete_order(work, order)


def claim(work: Work, order: Order, payment: NewPayment) -> OrderClaim:
    """Make the invoice and a live attempt for a payment; the caller holds the transaction and commits it."""
    work.actor.require(permissions.ENTER_ORDERS)
    work = orders.since_made(work, order.id)
    check_payable(work.connection, order)
    orders.refuse_erased(work.connection, order)
    system = _system(work.connection, order, payment)
    if not system.manual:
        home.check(work.connection)
        limits.check_on(work.connection)
    if work.dated and system.gateway not in registry.MOVES_NO_MONEY:
        raise BadUsage(f"{system.name} takes the money now, so the payment cannot have another date; omit --at")
    closed_months.check_open(work)
    invoice = _invoice(work, order, payment, system)
    new = NewAttempt(
        "charge",
        base=f"{database.setting(work.connection, 'installation')}:{order.uid}:{invoice.ordinal}",
        payment_system_id=system.id,
        amount_minor=invoice.amount_minor,
        currency=invoice.currency,
        token=_token(work.connection, order, payment, system),
        owner=None if system.manual else attempts.owner(work.connection),
    )
    if order.status == "declined":
        orders.change(work, order, "reopened by a new payment", {"status": "open"})
    late = elsewhere.may_be_done(work.connection, order.created_at, work.now)
    attempt = begin(work, invoice, new, system)
    return OrderClaim(attempt, system, calls.request_of(work.connection, attempt), late)


def _check_tells(work: Work, order: Order, payment: NewPayment, gateways: Gateways) -> None:
    """Raise WrongStatus if another copy of the database may have taken this payment, and the gateway cannot tell."""
    work.actor.require(permissions.ENTER_ORDERS)
    check_payable(work.connection, order)
    system = _system(work.connection, order, payment)
    if not system.manual:
        elsewhere.check_tells(work, system, gateways(system), order.created_at)


def payable(connection: engine.Connection, order: Order) -> bool:
    """Return whether a payment of the order can be taken now."""
    try:
        check_payable(connection, order)
    except WrongStatus:
        return False
    return True


def begin(
    work: Work,
    invoice: Invoice,
    new: NewAttempt,
    system: PaymentSystem,
) -> Attempt:
    """Open an attempt of an invoice, which becomes Processing, or stays Open until a person confirms it (R29, R37)."""
    attempt = new_attempts.open_attempt(work, invoice, new)
    invoices.change(work, invoice, f"attempt {attempt.number}", begun(work, system))
    return attempt


def begun(work: Work, system: PaymentSystem) -> dict[str, Any]:
    """Return the columns of an invoice of which an attempt begins now."""
    return {
        "status": "open" if system.manual else "processing",
        "attempted_at": time.stored(work.now),
        "payment_system_id": system.id,
    }


def check_payable(connection: engine.Connection, order: Order) -> None:
    """Raise WrongStatus unless a payment of the order can be taken now."""
    orders.refuse_while_paying(connection, order, "be paid")
    if order.status in ("completed", "refund"):
        raise WrongStatus(f"order {order.id} is {order.status.capitalize()}; there is nothing left to pay")
    if order.recurring_id is not None and order.made_by_recurring:
        found = recurring.get(connection, order.recurring_id)
        raise WrongStatus(
            f"order {order.id} is payment {order.payment_number} of recurring order {found.id}, which is"
            f" {found.status.capitalize()}; if the money came another way: salescli recurring pay {found.id}"
            " --payment-system NAME"
        )
    if order.status == "declined" and order.in_parts:
        raise WrongStatus(f"order {order.id} was declined and takes no more payments; open a new order")


def _system(connection: engine.Connection, order: Order, payment: NewPayment) -> PaymentSystem:
    """Return the payment system given for this payment, else the order's, else that of the customer's saved token."""
    if payment.payment_system is not None:
        system = payment_systems.find(connection, payment.payment_system)
    elif order.payment_system_id is not None:
        system = payment_systems.get(connection, order.payment_system_id)
    elif (saved := tokens.for_payment(connection, order.customer_id, None)) is not None:
        system = payment_systems.get(connection, saved.payment_system_id)
    else:
        raise BadData(f"{order.offer_name} has no payment system; give --payment-system NAME")
    token = _token(connection, order, payment, system)
    payment_systems.check_usable(system, token, one_click=payment.one_click)
    if not system.manual and not token:
        raise BadData(
            f"{system.name} charges a saved payment method; give its --token, or keep it for the customer:"
            " salescli customers save-token --help"
        )
    return system


def _token(connection: engine.Connection, order: Order, payment: NewPayment, system: PaymentSystem) -> str | None:
    """Return the payment method given for this payment, else the order's, else the customer's, of the system used."""
    if payment.token or system.manual:
        return payment.token
    if order.token and order.payment_system_id == system.id:
        return order.token
    saved = tokens.for_payment(connection, order.customer_id, system.id)
    return saved.token if saved else None


def _invoice(
    work: Work,
    order: Order,
    payment: NewPayment,
    system: PaymentSystem,
) -> Invoice:
    """Return the invoice to pay: the unpaid one if this payment tries it again, else a new one (R26)."""
    values = _amounts(work.connection, order, payment)
    values["payment_system_id"] = system.id
    values["one_click"] = int(payment.one_click or (order.one_click and order.payment_system_id == system.id))
    if payment.comment:
        values["comment"] = text.free_text(payment.comment, "the comment")
    unpaid = [invoice for invoice in invoices.of_order(work.connection, order.id) if not invoice.paid]
    for invoice in reversed(unpaid):
        if not order.in_parts or (invoice.amount_minor, invoice.currency) == (
            values["amount_minor"],
            values["currency"],
        ):
            return invoices.change(work, invoice, "tried again", values)
    return invoices.create(work, order.id, values)


def _amounts(connection: engine.Connection, order: Order, payment: NewPayment) -> dict[str, int | str | None]:
    """Return amount, currency, rate and share of a payment. Raise BadData for too much or too little (R34–R36a)."""
    currency = money.currency_code(payment.currency) if payment.currency else order.currency
    rate = _rate(order, payment, currency)
    if payment.amount is None:
        share = order.left_minor
        amount = share if rate is None else money.convert_back(share, order.currency, rate, currency)
    else:
        amount = money.parse(payment.amount, currency)
        share = amount if rate is None else money.convert(amount, currency, rate, order.currency)
    _check_share(order, share)
    if amount <= 0 or share <= 0:
        raise BadData("a payment must be more than 0 in its own currency and in the order's")
    return {"amount_minor": amount, "currency": currency, "rate": rate, "share_minor": share}


def _rate(order: Order, payment: NewPayment, currency: str) -> str | None:
    if currency == order.currency:
        if payment.rate:
            raise BadData(
                f"--rate is for payments in another currency than the order's {order.currency}; give --currency too"
            )
        return None
    if payment.rate is None:
        raise BadData(
            f"order {order.id} is in {order.currency}; with --rate, give how much of it one {currency} is worth"
        )
    return money.parse_rate(payment.rate)


def _check_share(order: Order, share: int) -> None:
    left = order.amount(order.left_minor)
    if share > order.left_minor:
        raise BadData(f"{order.amount(share)} is more than the {left} left of order {order.id}; nothing was charged")
    if not order.in_parts and share != order.left_minor:
        raise BadData(f"order {order.id} must be paid in full ({left}); its offer allows no partial payments")
    least = money.share_of(order.price_minor, order.partial_min_ppm)
    if order.paid_minor == 0 and share < least:
        raise BadData(
            f"the first payment of order {order.id} must be at least {order.amount(least)},"
            f" {money.percent_text(order.partial_min_ppm)} % of {order.amount(order.price_minor)}; nothing was charged"
        )
