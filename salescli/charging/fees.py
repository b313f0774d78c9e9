"""Fees that a payment system tells only some time after the payment: asked for until they are known (R30).

paid, fee unknown or estimated → ``fee_due_at`` → ``learn``: asked outside any transaction → fee COMMIT | asked again
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta

from salescli.catalogue import payment_systems
from salescli.catalogue.payment_systems import PaymentSystem
from salescli.charging.due_payments import ChargingRun
from salescli.gateways import answers
from salescli.gateways.answers import Answer
from salescli.gateways.protocol import TellsFees
from salescli.rules import time
from salescli.sales import invoices
from salescli.sales.invoices import Invoice
from salescli.storage import database

ASKED_MAX = 100  # a run, so that a slow gateway does not hold up the next
_ASKED_AGAIN_AFTER = tuple(timedelta(hours=hours) for hours in (6, 24, 72, 168))  # the payment; then it stays as it is


def learn(
    run: ChargingRun, *, only: tuple[str, ...] | None = None, stopping: Callable[[], bool] = lambda: False
) -> None:
    """Ask for the fees that are due; skip a payment system once it has not answered."""
    silent: set[int] = set()
    for invoice in invoices.with_fee_due(run.work.connection, run.work.now, ASKED_MAX):
        if stopping():
            return
        system = payment_systems.get(run.work.connection, invoice.payment_system_id or 0)
        if system.id in silent or (only is not None and system.gateway not in only):
            continue
        answer = _asked(run, system, invoice.gateway_id or "")
        if answer is None:
            invoices.expect_no_fees(run.work.connection, system.id)
        if answer is None or answer.result is None:
            silent.add(system.id)
        else:
            _record(run, invoice, answer)


def _asked(run: ChargingRun, system: PaymentSystem, gateway_id: str) -> Answer | None:
    """Return the gateway's answer about a payment's fee; None if it never reports fees."""
    gateway = run.gateways(system)
    able = answers.able(gateway)
    if isinstance(able, Answer):
        return able
    return answers.ask_fee(gateway, gateway_id) if "fee" in able and isinstance(gateway, TellsFees) else None


def _record(run: ChargingRun, asked: Invoice, answer: Answer) -> None:
    with database.transaction(run.work.connection):
        invoice = invoices.get(run.work.connection, asked.id)
        told = invoices.reported_fee(invoice, answer)
        if told is None:
            invoices.expect_fee(run.work.connection, invoice.id, _next_time(invoice, run.work.now))
            return
        changes = {"fee_minor": told, "fee_estimated": 0, "fee_due_at": None}
        invoices.change(run.work, invoice, "fee told", changes)


def _next_time(invoice: Invoice, now: datetime) -> datetime | None:
    """Return when a fee that was not told yet is asked for again, None when it is left as it is."""
    paid_at = time.from_text(invoice.paid_at or invoice.attempted_at)
    return next((paid_at + after for after in _ASKED_AGAIN_AFTER if paid_at + after > now), None)
