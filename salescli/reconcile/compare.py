"""Compare a payment system's statement with our records, and write what it settles (B7).

lines → ``_named`` (the invoices of each) → ``movements`` → ``match.compare`` → findings
``apply``: writes the sure findings, with the operations that a person would use → compared again
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import NamedTuple
from zoneinfo import ZoneInfo

from salescli.catalogue.payment_systems import PaymentSystem
from salescli.charging import by_hand, moved_there
from salescli.errors import BadData, WrongStatus
from salescli.gateways.protocol import Refunded
from salescli.imports.csv_file import BadRow, Problem
from salescli.reconcile import evidence, match, movements, statement
from salescli.reconcile.evidence import Whose
from salescli.reconcile.match import Comparison, MatchFinding, Period
from salescli.reconcile.movements import KeyMatch, KeyMatches
from salescli.reconcile.pairs import Movement, NamedLine
from salescli.reconcile.statement import PAYMENT, REFUND, Line, ReportProblem
from salescli.rules import happened, money, permissions, time
from salescli.rules.permissions import Actor
from salescli.sales import closed_months, invoices
from salescli.storage import database, engine
from salescli.storage.work import Work

Accepted = frozenset[tuple[int, int]]  # lines with the invoices that they are said to pay


class ReconcileRequest(NamedTuple):
    """A request to compare the statement ``name`` with the movements of ``system``.

    ``days``: the first and the last; None: taken from the statement.
    """

    system: PaymentSystem
    lines: Sequence[Line]
    name: str
    zone: ZoneInfo
    days: tuple[date | None, date | None] = (None, None)
    on_bad: ReportProblem = lambda problem: None


@dataclass(slots=True)
class Applied:
    """What was written, and what was refused and why, a line each; fees are only counted."""

    done: list[str] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)
    fees: int = 0


def compare(connection: engine.Connection, request: ReconcileRequest, *, actor: Actor) -> Comparison:
    """Compare a statement with the ledger of its payment system. Nothing is written.

    Raise BadData for an empty statement without days, and when the keys of a line name different invoices;
    ``request.on_bad`` gets each such problem.
    """
    actor.require(permissions.VIEW)
    period = _period(request)
    with database.snapshot(connection):
        lines, of_period = (
            request.lines,
            [] if period is None else movements.of_period(connection, request.system, period),
        )
        named = _named(connection, request, lines, of_period)
        known = {movement.key: movement for movement in of_period}
        wanted = sorted({invoice for one in named for invoice in one.invoices})
        known.update((movement.key, movement) for movement in movements.of_invoices(connection, request.system, wanted))
        whose = _whose(connection, request, named, known)
    return match.compare(named, list(known.values()), period, request.zone, whose)


def _whose(
    connection: engine.Connection,
    request: ReconcileRequest,
    named: Iterable[NamedLine],
    known: dict[tuple[str, int], Movement],
) -> dict[int, Whose]:
    """Return by what movements may be named in words, if a line names nothing; what waits is added to ``known``."""
    lines = [one.line for one in named if not one.invoices and (one.line.text or one.line.payer)]
    if not lines:
        return {}
    amounts = {(line.amount_minor, line.currency) for line in lines}
    waiting = movements.waiting(connection, request.system)
    alike = [movement for movement in known.values() if (movement.amount_minor, movement.currency) in amounts]
    known.update((movement.key, movement) for movement in waiting)
    said = [evidence.said(line.text, line.payer) for line in lines]
    return movements.whose(
        connection,
        {movement.invoice for movement in (*alike, *waiting)}.union(*(one.invoices | one.either for one in said)),
        frozenset().union(*(one.orders | one.either for one in said)),
    )


def apply(work: Work, request: ReconcileRequest, accepted: Accepted = frozenset()) -> tuple[Applied, Comparison]:
    """Write what a statement settles, in one transaction, and return that and the remaining comparison.

    ``accepted``: the proposals that a person agreed to, which are confirmed too; others are not.

    It settles live attempts that succeeded there, manual payments that arrived, and unknown fees, and records refunds
    of payments that are known here. Other differences and movements on only one side are left to a person. An attempt
    under way, or a line whose time cannot be, is refused alone.
    Raise NotPermitted.
    """
    work.actor.require(permissions.ENTER_ORDERS)
    applied = Applied()
    with database.transaction(work.connection):
        before = compare(work.connection, request, actor=work.actor)
        for finding in sorted(before.findings, key=_when):
            try:
                with database.savepoint(work.connection):
                    _apply(work, request, finding, applied)
                    if proposal(finding) in accepted:
                        _confirm_proposed(work, request, finding, applied)
            except (WrongStatus, BadData) as error:
                applied.refused.append(str(error))
        return applied, compare(work.connection, request, actor=work.actor)


def proposal(finding: MatchFinding) -> tuple[int, int] | None:
    """Return the line and the invoice of a proposal; None for another finding."""
    if finding.finding != match.PROPOSED or finding.line is None or finding.movement is None:
        return None
    return finding.line.number, finding.movement.invoice


def _when(finding: MatchFinding) -> tuple[float, int]:
    """Return the sort key that applies findings in the order in which the money moved."""
    if finding.line is None:
        return match.BEFORE_ALL, 0
    at = match.BEFORE_ALL if finding.line.at is None else finding.line.at
    return at, finding.line.number


def _period(request: ReconcileRequest) -> Period | None:
    """Return the days to compare: those given, else those of the statement. Raise BadData when it is empty."""
    first, last = request.days
    dated = statement.days(request.lines, request.zone)
    if first is None and last is None and not request.lines:
        raise BadData("the statement has no rows, so nothing was compared; if that is right, give --from and --to")
    if dated is None:
        return Period(first, last) if first or last else None
    return Period(first or min(dated[0], last or dated[0]), last or max(dated[1], first or dated[1]))


# The invoices that a line names


def _named(
    connection: engine.Connection, request: ReconcileRequest, lines: Sequence[Line], of_period: Iterable[Movement]
) -> list[NamedLine]:
    """Return each line with the invoices that its keys agree on. Raise BadData when they name different ones."""
    references = movements.by_reference(connection, {line.reference for line in lines})
    shop = movements.by_shop(connection, request.system, {line.reference for line in lines} - references.keys())
    ids: KeyMatches = defaultdict(list)
    wanted = {id for line in lines for id in line.ids}
    for movement in of_period:
        if movement.gateway_id is not None:
            ids[movement.gateway_id].append(KeyMatch(movement.invoice, movement.kind, request.system.id))
    ids.update(movements.by_gateway_id(connection, wanted - ids.keys()))
    read = [_read(line, references, shop, ids, request.system) for line in lines]
    statement.refuse_bad([one.line if isinstance(one, NamedLine) else one for one in read], request.on_bad)
    return [one for one in read if isinstance(one, NamedLine)]


def _read(
    line: Line, references: KeyMatches, shop: KeyMatches, ids: KeyMatches, system: PaymentSystem
) -> NamedLine | BadRow:
    by_reference = references.get(line.reference or "", [])
    by_shop = shop.get(line.reference or "", [])
    by_id = ids.get(line.gateway_id or "", []) or ids.get(line.payment_id or "", [])
    ours = [key for key in by_id if key.system == system.id]  # another payment system may use the same numbers
    elsewhere = [] if by_reference or by_shop or line.invoice else by_id
    by_column = {"reference": by_reference or by_shop, "gateway_id": ours or elsewhere}
    invoices, first = frozenset[int](), ""
    for column, keyed in by_column.items():
        if keyed and all(one.kind != line.kind for one in keyed) and line.kind == PAYMENT:
            return _bad(line, column, f"is a refund of invoice {keyed[0].invoice} here; set its kind to refund")
    sets = {column: frozenset(one.invoice for one in keyed) for column, keyed in by_column.items()}
    for column, them in (*sets.items(), ("invoice", frozenset({line.invoice} if line.invoice else ()))):
        if them and invoices and not (invoices & them):
            return _bad(
                line, column, f"belongs to invoice {min(them)}, but the {first} belongs to invoice {min(invoices)}"
            )
        if them:
            invoices, first = (invoices & them or them), first or column
    known = bool(ours or [key for key in by_reference or by_shop if key.system == system.id])
    return NamedLine(line, invoices, any(key.kind == line.kind for key in by_reference), known, bool(by_shop))


def _bad(line: Line, column: str, reason: str) -> BadRow:
    return BadRow([Problem(line.number, column, str(getattr(line, column)), reason)])


# Writing


def _apply(
    work: Work,
    request: ReconcileRequest,
    finding: MatchFinding,
    applied: Applied,
) -> None:
    """Write what a finding settles. Raise WrongStatus when that is not possible now."""
    line, movement = finding.line, finding.movement
    if line is None:
        return
    reason = f"statement {request.name}, line {line.number}"
    if recordable(finding) and finding.invoice is not None:
        _record_refund(work, request, line, finding.invoice, applied)
    if movement is None:
        return
    if finding.finding == match.UNKNOWN_OUTCOME and finding.sure:
        if not work.actor.may(permissions.RESOLVE):
            raise WrongStatus(f"{reason}: only a user with the permission {permissions.RESOLVE} resolves an outcome")
        by_hand.resolve(work, movement.invoice, "succeeded", reason)
    elif finding.finding == match.WAITS:
        _confirm(work, line, movement.invoice, reason)
    elif finding.finding != match.FEE_REPORTED:
        return
    if finding.finding != match.FEE_REPORTED:
        amount = f"{money.text(line.amount_minor, line.currency)} {line.currency}"
        applied.done.append(f"invoice {movement.invoice}: {line.kind} of {amount} made ({reason})")
    if line.kind == PAYMENT:
        applied.fees += _take_fee(work, line, movement.invoice, reason)


def _confirm_proposed(work: Work, request: ReconcileRequest, finding: MatchFinding, applied: Applied) -> None:
    """Confirm the payment that a line is proposed for, with the number that it has there. Raise WrongStatus."""
    line, movement = finding.line, finding.movement
    assert line is not None  # it is a proposal, which has both
    assert movement is not None
    reason = f"statement {request.name}, line {line.number}: {finding.reason}"
    _confirm(work, line, movement.invoice, reason)
    if line.gateway_id:  # by which the same line is known next time
        paid = invoices.get(work.connection, movement.invoice)
        invoices.change(work, paid, "known there", {"gateway_id": line.gateway_id}, reason=reason)
    amount = f"{money.text(line.amount_minor, line.currency)} {line.currency}"
    applied.done.append(f"invoice {movement.invoice}: payment of {amount} made ({reason})")
    applied.fees += _take_fee(work, line, movement.invoice, reason)


def _confirm(
    work: Work,
    line: Line,
    invoice: int,
    reason: str,
) -> None:
    """Confirm a manual payment at the time in the statement, or now when it has none."""
    arrived = work.now if line.at is None else time.from_stored(line.at)
    if happened.is_future(arrived, work.now):
        raise WrongStatus(f"invoice {invoice} is not confirmed: {reason}, is dated in the future")
    after = by_hand.answer_by_hand(work.at(arrived), invoice, confirmed=True)
    invoices.change(work, after, "seen in a statement", {}, reason=reason)


def recordable(finding: MatchFinding) -> bool:
    """Return whether both sides agree on a refund that is only there: its payment is known by a number, and its day."""
    line = finding.line
    if line is None or finding.finding != match.ONLY_THERE or line.kind != REFUND:
        return False
    return finding.sure and finding.invoice is not None and line.at is not None


def _record_refund(work: Work, request: ReconcileRequest, line: Line, invoice_id: int, applied: Applied) -> None:
    """Record a refund that is only there, on its own day. Raise WrongStatus where that is not possible now."""
    reason = f"statement {request.name}, line {line.number}"
    assert line.at is not None  # it is recordable
    invoice, at = invoices.get(work.connection, invoice_id), time.from_stored(line.at)
    if not work.actor.may(permissions.REFUND):
        raise WrongStatus(f"{reason}: a refund is recorded only by a user with the permission {permissions.REFUND}")
    if (invoice.paid and at < invoice.came_at) or happened.is_future(at, work.now):
        raise WrongStatus(f"{reason}: the refund is dated before its payment, or in the future")
    number = None if line.gateway_id == invoice.gateway_id else line.gateway_id
    made_at, payment = time.utc_text(at), invoice.gateway_id or ""
    reported = Refunded(payment, number, line.amount_minor, line.currency, made_at, line.reference)
    taken = moved_there.take_refund(work, request.system, reported, reason=reason)
    if taken.became == "recorded":
        applied.done.append(f"{taken.line} ({reason})")
    elif taken.became != "known":
        raise WrongStatus(f"{reason}: {taken.line or f'invoice {invoice_id} has a refund under way, or no payment'}")


def _take_fee(work: Work, line: Line, invoice_id: int, reason: str) -> bool:
    """Store the fee in a line, and return whether it was stored; False: there is none, or it cannot be right."""
    invoice = invoices.get(work.connection, invoice_id)
    if line.fee_minor is None:
        return False
    if line.fee_currency is not None:
        foreign = {"foreign_fee_minor": line.fee_minor, "foreign_fee_currency": line.fee_currency, "fee_due_at": None}
        invoices.change(work, invoice, "fee recorded", foreign, reason=reason)
        return True
    if line.fee_minor > invoice.amount_minor:
        return False
    if month := closed_months.fixed(work.connection, invoice.id):
        raise WrongStatus(f"{reason}: the fee of invoice {invoice.id} is not recorded, since {month} is closed")
    changes = {"fee_minor": line.fee_minor, "fee_estimated": 0, "fee_due_at": None}
    invoices.change(work, invoice, "fee recorded", changes, reason=reason)
    return True
