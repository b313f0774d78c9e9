"""What to do about a finding of ``salescli reconcile``, in words or as a command that the acting user may run."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from salescli.cli.session import Session
from salescli.reconcile import compare, match, statement
from salescli.rules import closing, money, permissions, time
from salescli.sales import closed_months

if TYPE_CHECKING:
    from salescli.catalogue.payment_systems import PaymentSystem
    from salescli.reconcile.match import Comparison, MatchFinding
    from salescli.reconcile.movements import KnownInvoice
    from salescli.reconcile.statement import Line

_CANDIDATES_MAX = 5


def advice(
    comparison: Comparison,
    system: PaymentSystem,
    known: Mapping[int, KnownInvoice],
    session: Session,
    finding: MatchFinding,
) -> str:
    """Return the advice for a finding, as a command if there is one that the acting user may run.

    ``known``: the invoices that the statement names, by number.
    """
    program, actor = session.program, session.actor
    invoice = finding.movement.invoice if finding.movement else finding.invoice
    show = f"{program} payments show {invoice}"
    if finding.finding == match.ONLY_THERE:
        return _only_there(finding, system, known, session)
    if finding.finding == match.ONLY_HERE:
        day, period = finding.movement and finding.movement.day, comparison.period
        edge = period is not None and day in (period.first, period.last)
        where = "look in the statement of the days beside it" if edge else f"ask {system.name} for it"
        return f"{where}; {show}"
    return {
        match.TWICE_THERE: f"line {finding.same_as} lists it too; if it moved twice, have one refunded there",
        match.AMOUNT_DIFFERS: f"{_here(finding)}; never applied; {_another_amount(finding, session) or show}",
        match.UNKNOWN_OUTCOME: (
            actor.advised(
                permissions.RESOLVE,
                "resolved by --apply" if finding.sure else f"{program} {_resolve(invoice, finding.line)}",
            )
        ),
        match.WAITS: _promised(finding, invoice, session, "confirmed by --apply"),
        match.PROPOSED: _promised(
            finding, invoice, session, f"taken for invoice {invoice} {finding.reason}; confirmed by --apply --proposed"
        ),
        match.DISPUTE_OPEN: f"answer it at {system.name}; {show}",
        match.FEE_DIFFERS: f"ask {system.name}; ours stays; {show}",
        match.FEE_REPORTED: _promised(
            finding, invoice, session, "; ".join(filter(None, (finding.reason, "filled in by --apply")))
        ),
        match.AGREES: finding.reason,
        match.NOT_COMPARED: "",
    }[finding.finding]


def _promised(finding: MatchFinding, invoice: int | None, session: Session, words: str) -> str:
    """Return what --apply does about a payment, or the closed month in which it does nothing."""
    if finding.line is None or invoice is None:
        return ""
    if finding.finding == match.FEE_REPORTED:
        month = closed_months.fixed(session.connection, invoice)
    else:
        month = _closed_month(finding.line.at, session)
    if month:
        words = f"not applied, since {month} is closed; it stays, or {session.program} reopen {month} --reason TEXT"
        return session.actor.advised(permissions.MANAGE_SALES, words)
    return session.actor.advised(permissions.ENTER_ORDERS, words)


def _closed_month(at: int | None, session: Session) -> str | None:
    """Return the month of a stored instant if it is closed."""
    if at is None:
        return None
    month = closing.month_with(time.local_day(time.from_stored(at), session.zone))
    return month if month in closed_months.closed(session.connection) else None


def _only_there(
    finding: MatchFinding, system: PaymentSystem, known: Mapping[int, KnownInvoice], session: Session
) -> str:
    """Return the advice for a line without a movement: a refund or dispute of a payment here can be recorded."""
    line, invoice = finding.line, finding.invoice
    if line is not None and finding.candidates:
        may = " or ".join(map(str, finding.candidates[:_CANDIDATES_MAX]))
        more = " or others" if len(finding.candidates) > _CANDIDATES_MAX else ""
        confirm = f"{session.program} payments confirm {finding.candidates[0]} --at {_at(line, session.zone)}"
        advice = f"may pay invoice {may}{more}, {finding.reason}; if so: {confirm}"
        return session.actor.advised(permissions.ENTER_ORDERS, advice)
    if invoice is None and line is not None and system.manual and line.kind == statement.PAYMENT:
        advice = f"no open invoice fits; if it pays an order: {_paid_order(system, line, session)}"
        return session.actor.advised(permissions.ENTER_ORDERS, advice)
    if invoice is None or line is None:
        return f"ask {system.name} what it was; no invoice here matches"
    if invoice not in known:
        return f"there is no invoice {invoice} here"
    if compare.recordable(finding):
        return session.actor.advised(permissions.REFUND, "recorded by --apply")
    here = known[invoice]
    if line.kind == statement.PAYMENT or not here.refundable:
        return f"{here.state}: {session.program} payments show {invoice}"
    record = (
        f"{session.program} orders refund {here.order} --invoice {invoice} --record-only"
        f" --amount {money.text(line.amount_minor, line.currency)} --at {_at(line, session.zone)}"
        f" --reason 'line {line.number} of the statement'"
    )
    advice = record if line.kind == statement.REFUND else f"if it was lost: {record} --dispute"
    return session.actor.advised(permissions.REFUND, advice)


def _paid_order(system: PaymentSystem, line: Line, session: Session) -> str:
    """Return the command that opens an invoice for a line, at its time."""
    at = _at(line, session.zone)
    return f"{session.program} orders pay ORDER --payment-system {shlex.quote(system.name)} --at {at}"


def _at(line: Line, zone: ZoneInfo) -> str:
    """Return a line's time as --at takes it: local, and a day alone if it is its beginning."""
    if line.at is None:
        return "TIME"
    local = time.local_text(line.at, zone)
    if time.parse_time(local, zone) != time.from_stored(line.at):  # of the hour that a change of clocks repeats
        return time.stored_text(line.at)
    return shlex.quote(local.removesuffix(" 00:00:00"))


def _here(finding: MatchFinding) -> str:
    """Return our amount of a finding whose amounts or currencies differ."""
    movement = finding.movement
    return f"here {money.text(movement.amount_minor, movement.currency)} {movement.currency}" if movement else ""


def _another_amount(finding: MatchFinding, session: Session) -> str:
    """Return the command that records what came for an invoice that waits for another amount; empty for others."""
    line, movement = finding.line, finding.movement
    if line is None or movement is None or movement.state != "waits" or line.currency != movement.currency:
        return ""
    amount = money.text(line.amount_minor, line.currency)
    return f"{session.program} payments confirm {movement.invoice} --amount {amount} --at {_at(line, session.zone)}"


def _resolve(invoice: int | None, line: Line | None) -> str:
    """Return the command that settles a line which names only its invoice."""
    return f"payments resolve {invoice} --succeeded --reason 'line {line.number if line else ''} of the statement'"
