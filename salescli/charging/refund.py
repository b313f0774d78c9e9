"""``orders refund``: refund the newest paid invoice first, through its gateway or only on record (R11).

order → parts of its paid invoices → each: live attempt COMMIT → gateway → ``settle`` COMMIT
"""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass

from salescli.catalogue import payment_systems
from salescli.catalogue.payment_systems import PaymentSystem
from salescli.charging import calls, elsewhere, settle
from salescli.charging.calls import Gateways
from salescli.errors import BadData, BadUsage, WrongStatus
from salescli.gateways.answers import Answer
from salescli.gateways.answers import able as capabilities_of
from salescli.rules import money, permissions, text, time
from salescli.sales import attempts, invoices, orders
from salescli.sales.attempts import NewAttempt
from salescli.sales.invoices import Invoice
from salescli.sales.orders import Order
from salescli.storage import database, home, process
from salescli.storage.work import Work


@dataclass(frozen=True, slots=True)
class RefundPart:
    """The part of a refund from one invoice, in its currency. ``system`` None: no gateway can refund it."""

    invoice: Invoice
    amount_minor: int
    system: PaymentSystem | None

    def __str__(self) -> str:
        amount = f"{money.text(self.amount_minor, self.invoice.currency)} {self.invoice.currency}"
        return f"{amount} of invoice {self.invoice.id}"


@dataclass(frozen=True, slots=True)
class NewRefund:
    """A refund to make; ``amount`` in the invoices' currency, by default everything that can be refunded."""

    amount: str | None = None
    invoice: int | None = None
    reason: str | None = None


def split(connection: sqlite3.Connection, order: Order, refund: NewRefund, *, gateways: Gateways) -> list[RefundPart]:
    """Return the parts of a refund, newest paid invoice first.

    Raise WrongStatus when nothing can be refunded now, BadData for more than was received, BadUsage when a refund
    without a gateway has no reason.
    """
    orders.refuse_while_paying(connection, order, "be refunded")
    if order.status == "open":
        raise WrongStatus(
            f"order {order.id} is Open and takes payments; decline it first: salescli orders decline {order.id}"
        )
    paid = [i for i in reversed(invoices.of_order(connection, order.id)) if i.refundable_minor]
    if refund.invoice is not None:
        paid = [invoice for invoice in paid if invoice.id == refund.invoice]
    if not paid:
        which = f"invoice {refund.invoice} of order {order.id}" if refund.invoice else f"order {order.id}"
        raise WrongStatus(f"{which} has nothing to refund; it is {order.status.capitalize()}")
    parts = [RefundPart(i, amount, _system(connection, i, gateways)) for i, amount in _spread(paid, refund.amount)]
    if any(part.system is None for part in parts) and not refund.reason:
        raise BadUsage(
            f"{next(p for p in parts if p.system is None)} was not paid through a gateway that can refund it:"
            " return it yourself and record that with --reason TEXT"
        )
    return parts


def refund(
    work: Work,
    order_id: int,
    wanted: NewRefund,
    *,
    gateways: Gateways,
) -> list[tuple[RefundPart, Answer]]:
    """Make a refund part by part, stop at the first that does not succeed, and return each with its answer."""
    work.actor.require(permissions.REFUND)
    reason = text.free_text(wanted.reason, "the reason") if wanted.reason else None
    done: list[tuple[RefundPart, Answer]] = []
    for part in split(work.connection, orders.get(work.connection, order_id), wanted, gateways=gateways):
        if part.system is None:
            answer = _record_only(work, part, reason)
        else:
            answer = _refund_through_gateway(work, part, reason, gateways)
        done.append((part, answer))
        if answer.became != "succeeded":
            break
    return done


def _spread(paid: list[Invoice], amount: str | None) -> list[tuple[Invoice, int]]:
    """Spread an amount over invoices in their order. Raise BadData when they hold less, or several currencies."""
    if amount is None:
        return [(invoice, invoice.refundable_minor) for invoice in paid]
    currencies = {invoice.currency for invoice in paid}
    if len(currencies) > 1:
        raise BadData(f"it was paid in {' and '.join(sorted(currencies))}; choose the invoice with --invoice")
    currency = paid[0].currency
    left = money.parse(amount, currency)
    if left == 0:
        raise BadData("a refund must be more than 0")
    held = sum(invoice.refundable_minor for invoice in paid)
    if left > held:
        raise BadData(
            f"{amount} {currency} is more than the {money.text(held, currency)} {currency} that can be refunded"
        )
    parts = []
    for invoice in paid:
        share = min(left, invoice.refundable_minor)
        left -= share
        if share:
            parts.append((invoice, share))
    return parts


def _system(connection: sqlite3.Connection, invoice: Invoice, gateways: Gateways) -> PaymentSystem | None:
    """Return the payment system that can refund an invoice: it took the money, and its gateway refunds."""
    if invoice.payment_system_id is None or invoice.gateway_id is None:
        return None
    system = payment_systems.get(connection, invoice.payment_system_id)
    able = capabilities_of(gateways(system))
    return system if isinstance(able, Answer) or "refund" in able else None


def _record_only(
    work: Work,
    part: RefundPart,
    reason: str | None,
) -> Answer:
    with database.transaction(work.connection):
        invoice = _unchanged(work.connection, part)
        settle.record_refund(work, invoice, part.amount_minor, attempt_id=None, reason=reason)
    return Answer("succeeded")


def _refund_through_gateway(
    work: Work,
    part: RefundPart,
    reason: str | None,
    gateways: Gateways,
) -> Answer:
    assert part.system is not None
    home.check(work.connection)
    gateway, since = gateways(part.system), part.invoice.paid_at or time.utc_text(work.now)
    elsewhere.check_tells(work, part.system, gateway, since)
    with database.transaction(work.connection):
        invoice = _unchanged(work.connection, part)
        order = orders.get(work.connection, invoice.order_id)
        new = NewAttempt(
            "refund",
            base=f"{database.setting(work.connection, 'installation')}:{order.uid}:{invoice.ordinal}:refund",
            payment_system_id=part.system.id,
            amount_minor=part.amount_minor,
            currency=invoice.currency,
            gateway_id=invoice.gateway_id,
            reason=reason,
            owner=process.this_process(),
        )
        attempt = attempts.open_attempt(work.connection, invoice, new, work.now)
        request = calls.request_of(work.connection, attempt)
    with calls.warn_if_cut(attempt):
        late = elsewhere.may_be_done(work.connection, since, work.now)
        answer = calls.known_already(attempt, gateway) if late else None
        answer = answer or calls.call(attempt, request, gateway)
        settle.settle(work, attempt, answer)
    return answer


def _unchanged(connection: sqlite3.Connection, part: RefundPart) -> Invoice:
    """Return the invoice of a part. Raise WrongStatus when another refund came in between."""
    invoice = invoices.get(connection, part.invoice.id)
    orders.refuse_while_paying(connection, orders.get(connection, invoice.order_id), "be refunded")
    if invoice.refundable_minor < part.amount_minor:
        raise WrongStatus(f"invoice {invoice.id} was refunded in the meantime; nothing more was refunded")
    return invoice
