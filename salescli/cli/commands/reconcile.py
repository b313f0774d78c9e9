"""``salescli reconcile``: compare a payment system's statement with the database, and apply it (B7).

FILE -> ``statement.read`` -> ``reconciling.compare`` or, with --apply, ``apply`` -> findings, sums under them
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from datetime import date
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from salescli.catalogue import payment_systems
from salescli.cli import importing, options, pages, problems, prompts, reconcile_advice
from salescli.cli.output import footer
from salescli.cli.output.contract import Output, sorted_rows
from salescli.cli.output.terminal import print_beside, say
from salescli.cli.paths import FilePath
from salescli.cli.session import Session, pass_session
from salescli.errors import BadUsage, SalesError
from salescli.lists.columns import Column
from salescli.reconcile import compare, match, movements, statement
from salescli.rules import money, numbers, permissions, time

if TYPE_CHECKING:
    from zoneinfo import ZoneInfo

    from salescli.reconcile.compare import Accepted, Applied, ReconcileRequest
    from salescli.reconcile.match import Comparison, MatchFinding, Sums
    from salescli.reconcile.pairs import Movement
    from salescli.reconcile.statement import Line, ReportProblem

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
_SUMS = (
    Column("totals", "whole"),
    Column("lines", "count"),
    Column("there", "money"),
    Column("payments", "count"),
    Column("here", "money"),
    Column("currency"),
)
_SUBJECTS_MAX = 5
Days = tuple[date | None, date | None]


@click.command("reconcile", cls=pages.ListCommand, columns=_COLUMNS)
@click.argument("path", metavar="FILE", type=FilePath(dash=True, dir_okay=True))
@click.option("--payment-system", required=True, metavar="NAME", help="The payment system that the statement is from.")
@importing.reading_options
@click.option("--map", "mapping", metavar="NAME|FILE.toml", help="The mapping of the file.  [default: by its columns]")
@options.from_to
@click.option("--all", "everything", is_flag=True, help="Also list what agrees.")
@click.option("--apply", is_flag=True, help="Apply what the statement resolves: see above.")
@click.option("--proposed", is_flag=True, help="With --apply: also confirm the payments that are proposed.")
@options.dry_run
@options.output
@pass_session
def reconcile_command(
    session: Session, /, path: Path, payment_system: str, days: Days, output: Output, everything: bool, **mode: Any
) -> None:
    """Compare a payment system's own statement with the payments recorded here.

    FILE is CSV, XLSX or ODS; - is stdin. Statements of Stripe, PayPal, monobank and PrivatBank are known by their
    columns, others are read with --map: see salescli help mappings. Columns of our own, in any order; * means required:

    \b
      reference gateway_id payment_id invoice kind amount* currency* fee
      fee_currency at text payer

    One of the first four is needed, or what the bank says: text, payer. `payment_id` is the payment of a refund.
    `kind` is payment, refund or dispute; blank means payment. fee, payout, sent and other are shown and not compared.
    The days of the statement are compared.

    Lists the differences, with what to do about each. Exit code 1 if there is one, 0 if all agrees; -q then prints
    nothing. --apply resolves payments with an unknown outcome, confirms open manual payments, fills in unknown fees,
    and records refunds of payments that are known here by a number of the payment system. The rest is for a person. No
    money is ever moved.

    A payment that names no invoice is proposed for an open one of the same amount, by its number, or the customer's
    name, email or phone in the text. --apply asks about each on a terminal; --apply --proposed confirms all. Where
    several fit equally, they are named and none is confirmed.

    \b
    Examples:
      salescli reconcile march.csv --payment-system LiqPay
      salescli reconcile march.csv --payment-system LiqPay --apply --dry-run
      salescli reconcile bank.csv --payment-system Bank --map my.toml
    """
    session.actor.require(permissions.VIEW)
    if mode["proposed"] and not mode["apply"]:
        raise BadUsage("--proposed confirms what is proposed, so it needs --apply")
    if mode["apply"]:
        session.actor.require(permissions.ENTER_ORDERS)
    elif mode["dry_run"]:
        say("--dry-run changes nothing without --apply: nothing is written anyway")
    system = payment_systems.find(session.connection, payment_system)
    with problems.shown() as on_bad:
        lines = _statement(session, path, mode, on_bad)
        request = compare.ReconcileRequest(system, lines, statement.name_of(path), session.zone, days, on_bad)
        comparison = _applied(session, request, mode) if mode["apply"] else _compared(session, request)
    known = movements.elsewhere(session.connection, comparison, system)
    found = comparison.found if everything else comparison.findings
    advise = partial(reconcile_advice.advice, comparison, system, known, session)
    _write(session, [_row(finding, advise(finding)) for finding in found], output)
    _write_sums(comparison, output, session.zone)
    if comparison.findings:
        raise SalesError(numbers.count(len(comparison.findings), "finding"))


def _statement(session: Session, path: Path, mode: Mapping[str, Any], on_bad: ReportProblem) -> list[Line]:
    """Read the statement, before the database is locked."""
    how = {"reading": mode["reading"], "mapping": mode["mapping"], "on_told": importing.told(path)}
    return statement.read(importing.stream_of(path), zone=session.zone, on_bad=on_bad, **how)


def _compared(session: Session, request: ReconcileRequest) -> Comparison:
    return compare.compare(session.connection, request, actor=session.actor)


def _applied(session: Session, request: ReconcileRequest, mode: Mapping[str, Any]) -> Comparison:
    """Apply the statement, or rehearse it, and print what was or would be written."""
    dry_run, accepted = mode["dry_run"], _accepted(session, request, proposed=mode["proposed"])
    with options.rehearsed(session, dry_run):
        written, after = compare.apply(session.work, request, accepted)
        if dry_run:
            _say_applied(written, would=True)
    if not dry_run:
        _say_applied(written, would=False)
    return after


def _accepted(session: Session, request: ReconcileRequest, *, proposed: bool) -> Accepted:
    """Return the proposals that a person agrees to: all with --proposed, else those confirmed on a terminal."""
    found = {one: finding for finding in _compared(session, request).findings if (one := compare.proposal(finding))}
    return frozenset(one for one, finding in found.items() if proposed or prompts.agreed(_question(session, finding)))


def _question(session: Session, finding: MatchFinding) -> str:
    line, movement = finding.line, finding.movement
    if line is None or movement is None:
        return ""
    day = f" of {time.local_day(time.from_stored(line.at), session.zone)}" if line.at is not None else ""
    payer = f" from {line.payer}" if line.payer else ""
    amount = f"{money.text(line.amount_minor, line.currency)} {line.currency}"
    return f"Line {line.number}, {amount}{day}{payer}: pays invoice {movement.invoice}, {finding.reason}. Confirm it?"


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


def _write(session: Session, rows: list[dict[str, Any]], output: Output) -> None:
    if output.format == "ids":  # numbers of invoices, for pipes
        numbered = [row for row in sorted_rows(rows, output.sort, _COLUMNS) if row["invoice"] is not None]
        pages.show_rows(session, numbered, [_INVOICE], output._replace(sort=()))
    elif output.format != "table" or output.file is not None or output.columns:
        pages.show_rows(session, rows, _COLUMNS, output)
    elif rows:
        _show(session, rows, output)


def _show(session: Session, rows: list[dict[str, Any]], output: Output) -> None:
    """Show a table without columns that say nothing, and below it what to do, for which a column is too narrow."""
    same = all(row["amount_here"] in (None, row["amount_there"]) for row in rows)
    left_out = ("advice", "order", "amount_here" if same else "")
    columns = [column for column in _COLUMNS if column.shown and column.key not in left_out]
    pages.show_rows(session, rows, [one for one in columns if any(row[one.key] is not None for row in rows)], output)
    shown = sorted_rows(rows, output.sort, _COLUMNS)[: output.row_limit()]
    print_beside(_advised(shown), output)


def _advised(rows: Sequence[dict[str, Any]]) -> Iterator[str]:
    """Yield each advice once, with what it is about."""
    about: dict[str, list[str]] = {}
    for row in rows:
        if row["advice"]:
            about.setdefault(row["advice"], []).append(_subject(row))
    for advice, subjects in about.items():
        more = len(subjects) - _SUBJECTS_MAX
        yield f"{', '.join(subjects[:_SUBJECTS_MAX])}{f' and {more} more' if more > 0 else ''}: {advice}"


def _subject(row: Mapping[str, Any]) -> str:
    return f"line {row['line']}" if row["line"] is not None else f"invoice {row['invoice']}"


def _say_applied(written: Applied, *, would: bool) -> None:
    for line in written.done:
        say(f"would be written: {line}" if would else line)
    for line in written.refused:
        say(line)
    if written.fees:
        say(f"{'would fill' if would else 'filled'} in {numbers.count(written.fees, 'fee')}")
    if not written.done and not written.fees:
        say("there is nothing to apply")


def _write_sums(comparison: Comparison, output: Output, zone: ZoneInfo) -> None:
    """Write the sums under a table, else on stderr, never among the rows; nothing with -q."""
    if output.format == "ids":
        return
    rows = [row for sums in comparison.sums for row in _sums(sums)]
    footer.write(rows, _SUMS, output, zone)
    print_beside(_lines(comparison), output)


def _lines(comparison: Comparison) -> Iterator[str]:
    period = comparison.period
    if period is None:
        yield "the statement has no dates, so payments only here are not listed; give --from and --to"
    else:
        yield f"compared {_span(period.first, period.last)}"
    yield from _uncompared(comparison)
    if comparison.left_out:
        yield f"lines of other days, left out: {comparison.left_out}"


def _uncompared(comparison: Comparison) -> Iterator[str]:
    """Yield how much of each kind was not compared."""
    counts: Counter[tuple[str, str]] = Counter()
    sums: Counter[tuple[str, str]] = Counter()
    for line in comparison.uncompared:
        counts[line.kind, line.currency] += 1
        sums[line.kind, line.currency] += line.amount_minor
    called = {statement.SENT: ("payment sent", "payments sent"), "other": ("other movement", "other movements")}
    words = [
        f"{numbers.count(counts[kind, currency], *called.get(kind, (kind,)))} of"
        f" {money.text(sums[kind, currency], currency)} {currency}"
        for kind, currency in sorted(counts)
    ]
    if words:
        yield f"not compared: {', '.join(words)}; --all lists them"


def _span(first: date | None, last: date | None) -> str:
    if first == last:
        return str(first)
    return " ".join((f"from {first}" if first else "from the beginning", f"to {last}" if last else "on"))


def _sums(sums: Sums) -> Iterator[dict[str, Any]]:
    """Yield how much of the statement and of what is here has each finding, and then all of both."""
    findings = tuple(dict.fromkeys((*sums.there, *sums.here)))
    for finding in findings:
        yield _sum(finding, sums.currency, sums.there.get(finding, (0, 0)), sums.here.get(finding, (0, 0)))
    if len(findings) > 1:
        yield _sum("total", sums.currency, _whole(sums.there), _whole(sums.here))


def _whole(parts: Mapping[str, tuple[int, int]]) -> tuple[int, int]:
    return sum(number for number, _ in parts.values()), sum(minor for _, minor in parts.values())


def _sum(name: str, currency: str, there: tuple[int, int], here: tuple[int, int]) -> dict[str, Any]:
    return {
        "totals": name,
        "lines": there[0],
        "there": there[1],
        "payments": here[0],
        "here": here[1],
        "currency": currency,
    }
