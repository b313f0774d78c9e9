"""``salescli reconcile``: compare a payment system's statement with the database, and apply it (B7).

FILE -> ``statement.read`` -> ``reconciling.compare`` or, with --apply, ``apply`` -> findings, sums under them
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from datetime import date
from functools import partial
from pathlib import Path
from typing import Any

import click

from salescli.catalogue import payment_systems
from salescli.catalogue.payment_systems import PaymentSystem
from salescli.cli import importing, options, pages, problems
from salescli.cli.output.contract import Output, sorted_rows
from salescli.cli.output.terminal import print_beside, say
from salescli.cli.paths import FilePath
from salescli.cli.session import Session, pass_session
from salescli.errors import SalesError
from salescli.imports.reading.options import ReadingOptions
from salescli.lists.columns import Column
from salescli.reconcile import compare, match, movements, statement
from salescli.reconcile.compare import Applied, ReconcileRequest
from salescli.reconcile.match import AGREES, ONLY_HERE, ONLY_THERE, Comparison, MatchFinding, Movement, Sums
from salescli.reconcile.movements import KnownInvoice
from salescli.reconcile.statement import PAYMENT, REFUND, Line, ReportProblem
from salescli.rules import money, numbers, permissions, time
from salescli.sales import closed_months

_INVOICE = Column("invoice", "number", rank=1)
_COLUMNS = (
    Column("finding", rank=0),
    Column("kind", rank=4),
    _INVOICE,
    Column("order", "number", rank=3),
    Column("gateway_id", rank=2),
    Column("reference", shown=False),
    Column("at", "time", rank=3),
    Column("amount_here", "money", rank=0),  # in the row's currency; an amount in another one is in the advice
    Column("amount_there", "money", rank=0),
    Column("currency", rank=0),
    Column("fee_here", "money", currency="fee_currency", rank=5),
    Column("fee_there", "money", currency="fee_currency", rank=5),
    Column("fee_currency", shown=False),
    Column("line", "number", rank=2),
    Column("advice", "whole", rank=0),
)
Days = tuple[date | None, date | None]


@click.command("reconcile", cls=pages.ListCommand, columns=_COLUMNS)
@click.argument("path", metavar="FILE", type=FilePath(dash=True, dir_okay=True))
@click.option("--payment-system", required=True, metavar="NAME", help="The payment system that the statement is from.")
@importing.reading_options
@options.from_to
@click.option("--all", "everything", is_flag=True, help="Also list what agrees.")
@click.option("--apply", is_flag=True, help="Apply what the statement resolves: see above.")
@options.dry_run
@options.output
@pass_session
def reconcile_command(
    session: Session, /, path: Path, payment_system: str, days: Days, output: Output, everything: bool, **mode: Any
) -> None:
    """Compare a payment system's own statement with the payments recorded here.

    FILE is CSV, XLSX or ODS; - is stdin. Columns, in any order; * means required, and so is one of the first three:

    \b
      reference gateway_id invoice kind amount* currency* fee fee_currency at

    `kind` is payment, refund or dispute; blank means payment. The days of the statement are compared.

    Lists the differences, with what to do about each. Exit code 1 if there is one, 0 if all agrees; -q then prints
    nothing. --apply resolves payments with an unknown outcome, confirms open manual payments, fills in unknown fees,
    and records refunds of payments that are known here by a number of the payment system. The rest is for a person. No
    money is ever moved.

    \b
    Examples:
      salescli reconcile march.csv --payment-system LiqPay
      salescli reconcile march.csv --payment-system LiqPay --apply --dry-run
    """
    session.actor.require(permissions.VIEW)
    if mode["apply"]:
        session.actor.require(permissions.ENTER_ORDERS)
    elif mode["dry_run"]:
        say("--dry-run changes nothing without --apply: nothing is written anyway")
    system = payment_systems.find(session.connection, payment_system)
    with problems.shown() as on_bad:
        lines = _statement(session, path, mode["reading"], on_bad)
        request = ReconcileRequest(system, lines, statement.name_of(path), session.zone, days, on_bad)
        comparison = _applied(session, request, mode["dry_run"]) if mode["apply"] else _compared(session, request)
    known = movements.elsewhere(session.connection, comparison, system)
    found = comparison.found if everything else comparison.findings
    advise = partial(_advice, comparison, system, known, session)
    _write(session, [_row(finding, advise(finding)) for finding in found], output)
    _write_sums(comparison, system, output)
    if comparison.findings:
        raise SalesError(numbers.count(len(comparison.findings), "finding"))


def _statement(session: Session, path: Path, reading: ReadingOptions, on_bad: ReportProblem) -> list[Line]:
    """Read the statement, before the database is locked."""
    stream = sys.stdin.buffer if str(path) == "-" else path
    return statement.read(stream, zone=session.zone, reading=reading, on_bad=on_bad, on_told=importing.told(path))


def _compared(session: Session, request: ReconcileRequest) -> Comparison:
    return compare.compare(session.connection, request, actor=session.actor)


def _applied(session: Session, request: ReconcileRequest, dry_run: bool) -> Comparison:
    """Apply the statement, or rehearse it, and print what was or would be written."""
    with options.rehearsed(session, dry_run):
        written, after = compare.apply(session.work, request)
        if dry_run:
            _say_applied(written, would=True)
    if not dry_run:
        _say_applied(written, would=False)
    return after


def _row(finding: MatchFinding, advice: str) -> dict[str, Any]:
    """Return a finding as a row of ``_COLUMNS``; what one side does not state is empty."""
    line, movement = finding.line, finding.movement
    currency = line.currency if line else movement and movement.currency
    fee_currency = (line and line.fee_minor is not None and line.fee_currency) or currency
    here = movement if movement and movement.currency == currency else None
    if finding.finding == match.TWICE_THERE:  # our amount is shown beside the first line about it
        here = None
    return {
        "finding": finding.finding,
        "kind": _of("kind", line, movement),
        "invoice": movement.invoice if movement else finding.invoice,
        "order": movement.order if movement else None,
        "gateway_id": _of("gateway_id", line, movement),
        "reference": _of("reference", line, movement),
        "at": _of("at", line, movement),
        "amount_here": here and here.amount_minor,
        "amount_there": line and line.amount_minor,
        "currency": currency,
        "fee_here": here and (here.fee_minor if fee_currency == currency else _foreign_fee(here, fee_currency)),
        "fee_there": line and line.fee_minor,
        "fee_currency": fee_currency,
        "line": line and line.number,
        "advice": advice,
    }


def _foreign_fee(movement: Movement, currency: str | None) -> int | None:
    return movement.foreign_fee_minor if movement.foreign_fee_currency == currency else None


def _of(name: str, *sides: Any) -> Any:
    """Return the first non-empty value of attribute ``name``."""
    return next((value for one in sides if one is not None and (value := getattr(one, name)) is not None), None)


def _advice(
    comparison: Comparison,
    system: PaymentSystem,
    known: Mapping[int, KnownInvoice],
    session: Session,
    finding: MatchFinding,
) -> str:
    """Return the advice for a finding, as a command if there is one that the acting user may run."""
    program, actor = session.program, session.actor
    invoice = finding.movement.invoice if finding.movement else finding.invoice
    show = f"{program} payments show {invoice}"
    if finding.finding == ONLY_THERE:
        return _only_there(finding, system, known, session)
    if finding.finding == ONLY_HERE:
        day, period = finding.movement and finding.movement.day, comparison.period
        edge = period is not None and day in (period.first, period.last)
        where = "look in the statement of the days beside it" if edge else f"ask {system.name} for it"
        return f"{where}; {show}"
    return {
        match.TWICE_THERE: f"line {finding.same_as} lists it too; if it moved twice, have one refunded there",
        match.AMOUNT_DIFFERS: f"{_here(finding)}; never applied; {_another_amount(finding, program) or show}",
        match.UNKNOWN_OUTCOME: (
            actor.advised(
                permissions.RESOLVE,
                "resolved by --apply" if finding.sure else f"{program} {_resolve(invoice, finding.line)}",
            )
        ),
        match.WAITS: _promised(finding, invoice, session, "confirmed by --apply"),
        match.DISPUTE_OPEN: f"answer it at {system.name}; {show}",
        match.FEE_DIFFERS: f"ask {system.name}; ours stays; {show}",
        match.FEE_REPORTED: _promised(finding, invoice, session, "filled in by --apply"),
        AGREES: "",
    }[finding.finding]


def _promised(finding: MatchFinding, invoice: int | None, session: Session, words: str) -> str:
    """Return what --apply does about a payment, or the closed month in which it does nothing."""
    if finding.line is None or invoice is None:
        return ""
    if finding.finding == match.FEE_REPORTED:
        month = closed_months.fixed(session.connection, invoice)
    else:
        day = time.local_day(time.from_text(finding.line.at), session.zone) if finding.line.at else ""
        month = day[:7] if day[:7] in closed_months.closed(session.connection) else None
    if month:
        words = f"not applied, since {month} is closed; it stays, or {session.program} reopen {month} --reason TEXT"
        return session.actor.advised(permissions.MANAGE_SALES, words)
    return session.actor.advised(permissions.ENTER_ORDERS, words)


def _only_there(
    finding: MatchFinding, system: PaymentSystem, known: Mapping[int, KnownInvoice], session: Session
) -> str:
    """Return the advice for a line without a movement: a refund or dispute of a payment here can be recorded."""
    line, invoice = finding.line, finding.invoice
    if invoice is None or line is None:
        return f"ask {system.name} what it was; no invoice here matches"
    if invoice not in known:
        return f"there is no invoice {invoice} here"
    if compare.recordable(finding):
        return session.actor.advised(permissions.REFUND, "recorded by --apply")
    here = known[invoice]
    if line.kind == PAYMENT or not here.refundable:
        return f"{here.state}: {session.program} payments show {invoice}"
    record = (
        f"{session.program} orders refund {here.order} --invoice {invoice} --record-only"
        f" --amount {money.text(line.amount_minor, line.currency)} --at {line.at or 'TIME'}"
        f" --reason 'line {line.number} of the statement'"
    )
    advice = record if line.kind == REFUND else f"if it was lost: {record} --dispute"
    return session.actor.advised(permissions.REFUND, advice)


def _here(finding: MatchFinding) -> str:
    """Return our amount of a finding whose amounts or currencies differ."""
    movement = finding.movement
    return f"here {money.text(movement.amount_minor, movement.currency)} {movement.currency}" if movement else ""


def _another_amount(finding: MatchFinding, program: str) -> str:
    """Return the command that records what came for an invoice that waits for another amount; empty for others."""
    line, movement = finding.line, finding.movement
    if line is None or movement is None or movement.state != "waits" or line.currency != movement.currency:
        return ""
    amount = money.text(line.amount_minor, line.currency)
    return f"{program} payments confirm {movement.invoice} --amount {amount} --at {line.at or 'TIME'}"


def _resolve(invoice: int | None, line: Line | None) -> str:
    """Return the command that settles a line which names only its invoice."""
    return f"payments resolve {invoice} --succeeded --reason 'line {line.number if line else ''} of the statement'"


def _write(session: Session, rows: list[dict[str, Any]], output: Output) -> None:
    if output.format == "ids":  # numbers of invoices, for pipes
        numbered = [row for row in sorted_rows(rows, output.sort, _COLUMNS) if row["invoice"] is not None]
        pages.show_rows(session, numbered, [_INVOICE], output._replace(sort=()))
    elif rows or output.format != "table":
        pages.show_rows(session, rows, _COLUMNS, output)


def _say_applied(written: Applied, *, would: bool) -> None:
    for line in written.done:
        say(f"would be written: {line}" if would else line)
    for line in written.refused:
        say(line)
    if written.fees:
        say(f"{'would fill' if would else 'filled'} in {numbers.count(written.fees, 'fee')}")
    if not written.done and not written.fees:
        say("there is nothing to apply")


def _write_sums(comparison: Comparison, system: PaymentSystem, output: Output) -> None:
    """Write the sums under a table, else on stderr, never among the rows; nothing with -q."""
    if output.format == "ids":
        return
    print_beside(_lines(comparison, system), output)


def _lines(comparison: Comparison, system: PaymentSystem) -> Iterator[str]:
    period = comparison.period
    for sums in comparison.sums:
        yield from _sum_lines(sums, system)
    if period is None:
        yield "the statement has no dates, so payments only here are not listed; give --from and --to"
    else:
        yield f"compared {_span(period.first, period.last)}"
    if comparison.left_out:
        yield f"lines of other days, left out: {comparison.left_out}"


def _span(first: str | None, last: str | None) -> str:
    if first == last:
        return str(first)
    return " ".join((f"from {first}" if first else "from the beginning", f"to {last}" if last else "on"))


def _sum_lines(sums: Sums, system: PaymentSystem) -> Iterator[str]:
    """Yield the totals of the statement and of the ledger, and how much of each agrees."""
    for side, parts in ((f"{system.name}'s statement", sums.there), ("here", sums.here)):
        whole = sum(minor for _, minor in parts.values())
        summands = [f"{money.text(minor, sums.currency)} {name} ({number})" for name, (number, minor) in parts.items()]
        yield f"{sums.currency} {side}: {money.text(whole, sums.currency)} = {' + '.join(summands) or 'nothing'}"
