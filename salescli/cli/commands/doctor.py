"""``salescli doctor`` and ``rebuild-totals``: check the database, and rebuild its totals."""

from __future__ import annotations

import sys
from dataclasses import asdict
from pathlib import Path

import click

from salescli.charging import tick_log
from salescli.cli import options, pages
from salescli.cli.output.contract import Output, sorted_rows
from salescli.cli.output.render import render
from salescli.cli.output.terminal import say
from salescli.cli.paths import FilePath
from salescli.cli.session import Session, pass_session
from salescli.errors import BadData, SalesError
from salescli.lists.columns import Column
from salescli.overview import doctor
from salescli.rules import numbers, permissions, time
from salescli.storage import totals

_FINDINGS = (Column("check", rank=0), Column("what", "whole", rank=0), Column("advice", "whole", rank=0))


@click.command("doctor", cls=pages.ListCommand, columns=_FINDINGS)
@click.option(
    "--watch", type=FilePath(dash=True), metavar="FILE",
    help="Check only FILE, the sign of life of `tick --heartbeat`, on any machine; - is stdin.",
)  # fmt: skip
@click.option(
    "--deep",
    is_flag=True,
    help="Check every page, sum and total of a file of any size. Once a week, and after a crash of the machine.",
)
@options.output
@pass_session
def doctor_command(session: Session, watch: Path | None, deep: bool, output: Output) -> None:
    """Check the database: integrity, totals, scheduler, and what needs attention.

    Of a file of more than 10 MB, only the newest orders, payments and recurring orders are recomputed, in a second;
    --deep checks everything.

    Exit code 1 if there is a finding, or with --watch if the last good tick was more than 15 minutes ago. When all is
    well, a table is nothing at all without a terminal, so that cron mails only findings; JSON is an empty list.

    \b
    Examples:
      salescli doctor
      salescli doctor --deep
      ssh shop cat tick.beat | salescli doctor --watch -
    """
    if watch is not None:
        _watch(watch)
        return
    session.actor.require(permissions.VIEW)
    findings = doctor.examine(
        session.file, session.now, session.zone, program=session.program, actor=session.actor, deep=deep
    )
    found = [asdict(finding) for finding in findings]
    if found or output.format != "table":
        rows = sorted_rows(found, output.sort, _FINDINGS)[: output.limit or None]
        render(rows, output.chosen(_FINDINGS), output, session.zone)
    if found:
        raise SalesError(numbers.count(len(found), "finding"))
    if sys.stderr.isatty():  # cron would mail it every day
        partly = "" if deep or doctor.small(session.file) else ", as far as the newest rows show; for all: --deep"
        say(f"all is well{partly}; tick last ran {_or_never(tick_log.last(session.file), session)}")


def _watch(path: Path) -> None:
    """Check a sign of life; no database is opened, so that a monitor needs none."""
    from salescli.notices import heartbeat  # http and TLS, which the other checks need not load

    try:
        with click.open_file(str(path), encoding="utf-8", errors="replace") as file:
            late = heartbeat.late(file, str(path), time.now())
    except OSError as error:
        raise BadData(f"{path}: {error.strerror or error}; does tick --heartbeat write it?") from None
    if late:
        raise SalesError(f"{late}; is cron running?")


def _or_never(stored: int | None, session: Session) -> str:
    return "never" if stored is None else time.local_text(stored, session.zone)


@click.command("rebuild-totals")
@options.dry_run
@pass_session
def rebuild_totals(session: Session, dry_run: bool) -> None:
    """Rebuild the facts and totals that reports read, and say how many were wrong.

    Every change updates the totals; run this only when `doctor` says so.

    \b
    Example:
      salescli rebuild-totals
    """
    with options.rehearsed(session, dry_run):
        wrong = totals.rebuild(session.work)
    if wrong:
        now_right = "would be right" if dry_run else "is right now" if wrong == 1 else "are right now"
        say(f"{numbers.count(wrong, 'total was wrong', 'totals were wrong')} and {now_right}")
    else:
        say("no total was wrong")
