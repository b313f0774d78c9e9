"""Fees that a payment system reports only some time after the payment: looked up until they are known (R30).

paid, fee unknown or estimated → ``fee_due_at`` → ``look_up``: call outside any transaction → fee COMMIT | later again
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta

from salescli.catalogue import payment_systems
from salescli.catalogue.payment_systems import PaymentSystem
from salescli.charging.due_payments import ChargingRun
from salescli.gateways import answers
from salescli.gateways.answers import Answer
from salescli.gateways.protocol import ReportsFees
from salescli.sales import closed_months, invoices
from salescli.sales.invoices import Invoice
from salescli.storage import database

LOOKUPS_MAX = 100  # per run, so that a slow gateway does not hold up the next run
_AGAIN_AFTER = tuple(timedelta(hours=hours) for hours in (6, 24, 72, 168))  # after the payment; then no more


def look_up(
    run: ChargingRun, *, only: tuple[str, ...] | None = None, stopping: Callable[[], bool] = lambda: False
) -> None:
    """Look up the fees that are due; skip a payment system once it has not answered."""
    silent: set[int] = set()
    for invoice in invoices.with_fee_due(run.work.connection, run.work.now, LOOKUPS_MAX):
        if stopping():
            return
        system = payment_systems.get(run.work.connection, invoice.payment_system_id or 0)
        if system.id in silent or (only is not None and system.gateway not in only):
            continue
        answer = _fee_answer(run, system, invoice.gateway_id or "")
        if answer is None:
            invoices.expect_no_fees(run.work.connection, system.id)
        if answer is None or answer.result is None:
            silent.add(system.id)
        else:
            _record(run, invoice, answer)


def _fee_answer(run: ChargingRun, system: PaymentSystem, gateway_id: str) -> Answer | None:
    """Return the gateway's answer about a payment's fee; None if it never reports fees."""
    gateway = run.gateways(system)
    able = answers.able(gateway)
    if isinstance(able, Answer):
        return able
    return answers.ask_fee(gateway, gateway_id) if "fee" in able and isinstance(gateway, ReportsFees) else None


def _record(run: ChargingRun, due: Invoice, answer: Answer) -> None:
    with database.transaction(run.work.connection):
        invoice = invoices.get(run.work.connection, due.id)
        fee = invoices.reported_fee(invoice, answer)
        if foreign := invoices.foreign_fee(invoice, answer):
            invoices.change(run.work, invoice, "fee recorded", foreign)
            return
        if fee is None:
            invoices.expect_fee(run.work.connection, invoice.id, _next_time(invoice, run.work.now))
            return
        if month := closed_months.fixed(run.work.connection, invoice.id):
            invoices.change(run.work, invoice, f"fee reported too late: {month} is closed", {"fee_due_at": None})
            return
        changes = {"fee_minor": fee, "fee_estimated": 0, "fee_due_at": None}
        invoices.change(run.work, invoice, "fee recorded", changes)


def _next_time(invoice: Invoice, now: datetime) -> datetime | None:
    """Return when a fee that is still unknown is looked up again; None: not any more."""
    return next((at for after in _AGAIN_AFTER if (at := invoice.came_at + after) > now), None)
