"""``orders refund``: refund the newest paid invoice first, through its gateway or only on record (R11).

order → parts of its paid invoices → each: live attempt COMMIT → gateway → ``settle`` COMMIT | recorded COMMIT
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from salescli.catalogue import payment_systems
from salescli.catalogue.payment_systems import PaymentSystem
from salescli.charging import calls, elsewhere, moved_there, settle
from salescli.charging.calls import Gateways
from salescli.charging.settle import MoneyBack
from salescli.errors import BadData, BadUsage, WrongStatus
from salescli.gateways import answers, registry
from salescli.gateways.answers import Answer
from salescli.gateways.answers import able as capabilities_of
from salescli.gateways.protocol import Gateway, ReportsChanges
from salescli.rules import happened, money, permissions, text, time
from salescli.sales import attempts, closed_months, disputes, invoices, new_attempts, orders, recurring_actions, refunds
from salescli.sales.invoices import Invoice
from salescli.sales.new_attempts import NewAttempt
from salescli.sales.orders import Order
from salescli.storage import database, engine, home
from salescli.storage.work import Work

FOUND_THERE = "found_there"  # the code of a refund that was made at the payment system before, and is recorded now


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
    """A refund to make; ``amount`` in the invoices' currency, by default everything that can be refunded.

    ``completes_recurring``: what becomes of the recurring order that the order began, if all its money goes back.
    """

    amount: str | None = None
    invoice: int | None = None
    reason: str | None = None
    completes_recurring: bool | None = None


@dataclass(frozen=True, slots=True)
class MadeOutside:
    """A refund made in the payment system itself, or a dispute lost there; ``gateway_id``: its number there."""

    at: datetime
    dispute: bool = False
    gateway_id: str | None = None


def split(
    connection: engine.Connection, order: Order, refund: NewRefund, *, gateways: Gateways | None = None
) -> list[RefundPart]:
    """Return the parts of a refund, newest paid invoice first. Without ``gateways`` it was made outside.

    Raise WrongStatus when nothing can be refunded now, BadData for more than was received, BadUsage when a refund
    without a gateway has no reason.
    """
    orders.refuse_while_paying(connection, order, "be refunded")
    if order.status == "open" and gateways is not None:
        if not order.paid_minor:
            raise WrongStatus(f"order {order.id} is Open and nothing was paid, so there is nothing to refund")
        raise WrongStatus(
            f"order {order.id} is Open and takes payments; decline it first: salescli orders decline {order.id}"
        )
    paid = [i for i in reversed(invoices.of_order(connection, order.id)) if i.refundable_minor]
    if refund.invoice is not None:
        paid = [invoice for invoice in paid if invoice.id == refund.invoice]
    if not paid:
        which = f"invoice {refund.invoice} of order {order.id}" if refund.invoice else f"order {order.id}"
        raise WrongStatus(f"{which} has nothing to refund; it is {order.status.capitalize()}")
    amounts = _spread(paid, refund.amount)
    if gateways is None:
        return [RefundPart(invoice, amount, None) for invoice, amount in amounts]
    parts = [RefundPart(invoice, amount, _system(connection, invoice, gateways)) for invoice, amount in amounts]
    for part in parts:
        if part.system and (dispute := disputes.open_of_invoice(connection, part.invoice.id)):
            raise WrongStatus(
                f"invoice {part.invoice.id} is disputed ({dispute.gateway_id}): a refund and a lost dispute would"
                f" return it twice; answer the dispute at {part.system.name}"
            )
    if any(part.system is None for part in parts) and not refund.reason:
        raise BadUsage(
            f"{next(p for p in parts if p.system is None)} was not paid through a gateway that can refund it:"
            " return it yourself and record that with --reason TEXT"
        )
    return parts


def plan(work: Work, order: Order, wanted: NewRefund, *, gateways: Gateways) -> list[RefundPart]:
    """Return the parts of a refund as ``split`` does.

    Raise BadUsage for a time given although a gateway returns the money now.
    """
    parts = split(work.connection, order, wanted, gateways=gateways)
    for part in parts:
        if work.dated and part.system and part.system.gateway not in registry.MOVES_NO_MONEY:
            raise BadUsage(
                f"{part.system.name} returns the money now, so the refund cannot have another date; omit --at, or add"
                " --record-only if it was made there already"
            )
    return parts


def refund(
    work: Work,
    order_id: int,
    wanted: NewRefund,
    *,
    gateways: Gateways,
) -> list[tuple[RefundPart, Answer]]:
    """Make a refund part by part, stop at the first that does not succeed, and return each with its answer.

    Raise BadData for a time given before the payment.
    """
    work.actor.require(permissions.REFUND)
    reason = text.free_text(wanted.reason, "the reason") if wanted.reason else None
    order = orders.get(work.connection, order_id)
    done: list[tuple[RefundPart, Answer]] = []
    parts = plan(work, order, wanted, gateways=gateways)
    if whole := ends(work.connection, order, parts):
        recurring_actions.check_decided(work, order, completes=wanted.completes_recurring)
    if work.dated:
        work = work.at(max(_since_payment(work, part.invoice, work.now) for part in parts))
        closed_months.check_open(work)
    for part in parts:
        if part.system is None:
            answer = _record_only(work, part, reason)
        else:
            answer = _refund_through_gateway(work, part, reason, gateways)
        done.append((part, answer))
        if answer.became != "succeeded":
            break
    if whole and answer.became in ("succeeded", "unknown"):  # an unknown one is resolved later, without this command
        recurring_actions.decide(work, order, completes=wanted.completes_recurring)
    return done


def ends(connection: engine.Connection, order: Order, parts: list[RefundPart]) -> bool:
    """Return whether nothing of an order's money is left after these parts went back."""
    left = sum(invoice.refundable_minor for invoice in invoices.of_order(connection, order.id))
    return left == sum(part.amount_minor for part in parts)


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


def _system(connection: engine.Connection, invoice: Invoice, gateways: Gateways) -> PaymentSystem | None:
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
        settle.record_refund(work, invoice, MoneyBack(part.amount_minor, work.now, reason))
    return Answer("succeeded")


def record(work: Work, order_id: int, wanted: NewRefund, made: MadeOutside) -> list[RefundPart]:
    """Record a refund or lost dispute that was made outside, all of it or nothing, on its day; no gateway is called.

    Raise BadUsage without a reason or for a time in the future, BadData for one before the payment, WrongStatus for
    one that is recorded already.
    """
    work.actor.require(permissions.REFUND)
    if not wanted.reason:
        raise BadUsage("say how you know of it with --reason TEXT")
    if happened.is_future(made.at, work.now):
        raise BadUsage("--at is in the future; record a refund when it has been made")
    reason = text.free_text(wanted.reason, "the reason")
    number = text.text(made.gateway_id, "its number") if made.gateway_id else None
    with database.transaction(work.connection):
        order = orders.get(work.connection, order_id)
        parts = split(work.connection, order, wanted)
        if ends(work.connection, order, parts):
            recurring_actions.decide(work, order, completes=wanted.completes_recurring)
        if number and len(parts) > 1:
            raise BadUsage("a refund with a number of its own is of one invoice; name it with --invoice")
        for part in parts:
            at = _since_payment(work, part.invoice, made.at)
            closed_months.check_open(work, at)
            _refuse_known(work, part, number, at)
            kind: Literal["refund", "dispute"] = "dispute" if made.dispute else "refund"
            invoice = invoices.get(work.connection, part.invoice.id)
            settle.record_refund(work, invoice, MoneyBack(part.amount_minor, at, reason, kind, None, number))
    return parts


def _since_payment(work: Work, invoice: Invoice, at: datetime) -> datetime:
    """Return when a refund was made. Raise BadData for a time before the payment."""
    return happened.since(at, invoice.came_at, work.zone, what=f"invoice {invoice.id} was paid at")


def _refuse_known(work: Work, part: RefundPart, number: str | None, at: datetime) -> None:
    """Raise WrongStatus if the refund is recorded: by its number or, without one, the same amount within a day."""
    for known in refunds.of_invoice(work.connection, part.invoice.id):
        alike = known.moved_to is None and known.amount_minor == part.amount_minor and abs(known.at - at) < time.ONE_DAY
        if (known.gateway_id == number) if number else alike:
            when = time.local_text(known.refunded_at, work.zone)
            raise WrongStatus(
                f"{part} is recorded already, as of {when}; if this is another one, give its number at the payment"
                " system with --gateway-id"
            )


def _refund_through_gateway(
    work: Work,
    part: RefundPart,
    reason: str | None,
    gateways: Gateways,
) -> Answer:
    assert part.system is not None
    home.check(work.connection)
    gateway, paid_at = gateways(part.system), part.invoice.paid_at
    since = time.stored(work.now) if paid_at is None else paid_at
    elsewhere.check_tells(work, part.system, gateway, since)
    already = _made_there(work, part, gateway)
    if already is not None:
        return already
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
            owner=attempts.owner(work.connection),
        )
        attempt = new_attempts.open_attempt(work, invoice, new)
        request = calls.request_of(work.connection, attempt)
    with calls.warn_if_cut(attempt):
        late = elsewhere.may_be_done(work.connection, since, work.now)
        answer = calls.known_already(attempt, gateway) if late else None
        other = elsewhere.other_copy(work.connection, attempt, gateways) if late and not answer else None
        answer = answer or (other and other.made()) or calls.call(attempt, request, gateway)
        return settle.settle(work, attempt, answer) or answer


def _made_there(work: Work, part: RefundPart, gateway: Gateway) -> Answer | None:
    """Record the refunds of a payment that its gateway knows and we do not; None if ours can be sent.

    What was made there already is not repeated: nothing is sent until a person has seen it.
    """
    able, system, invoice = capabilities_of(gateway), part.system, part.invoice
    if system is None or isinstance(able, Answer) or "changes" not in able or not isinstance(gateway, ReportsChanges):
        return None
    made = answers.ask_refunds(gateway, invoice.gateway_id or "")
    if isinstance(made, Answer):
        return Answer("not_sent", message=f"its refunds there could not be looked up: {made.message}")
    taken = [moved_there.take_refund(work, system, one) for one in made.refunds]
    if any(one.became == "waits" for one in taken):
        return Answer("not_sent", message=f"a refund of it is under way at {system.name}; try again when that is made")
    if unfit := [one.line for one in taken if one.became == "unfit"]:
        return Answer("not_sent", message=unfit[0])
    found = sum(one.amount_minor for one in taken)
    if found in (0, part.amount_minor):
        return Answer("succeeded", code=FOUND_THERE) if found else None
    left = invoices.get(work.connection, invoice.id).refundable_minor
    went, rest = (f"{money.text(minor, invoice.currency)} {invoice.currency}" for minor in (found, left))
    more = f"{rest} is left; run it again to refund that, or a part of it" if left else "nothing is left"
    return Answer("not_sent", message=f"{went} went back through {system.name} already, and is recorded now; {more}")


def _unchanged(connection: engine.Connection, part: RefundPart) -> Invoice:
    """Return the part's invoice. Raise WrongStatus when another refund came between plan and transaction."""
    invoice = invoices.get(connection, part.invoice.id)
    orders.refuse_while_paying(connection, orders.get(connection, invoice.order_id), "be refunded")
    if invoice.refundable_minor < part.amount_minor:
        raise WrongStatus(f"invoice {invoice.id} was refunded in the meantime; nothing more was refunded")
    return invoice
