"""``salescli simulate``: what tick would do up to a day, on a copy of the file (B4)."""

from __future__ import annotations

import os
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import date, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from salescli.charging import simulate
from salescli.cli import options, pages
from salescli.cli.output import footer
from salescli.cli.output.contract import Output
from salescli.cli.output.terminal import print_beside, say
from salescli.cli.paths import FilePath
from salescli.cli.session import Session, pass_session
from salescli.errors import BadUsage
from salescli.lists.columns import Column
from salescli.rules import permissions, schedule, time
from salescli.sales import recurring

if TYPE_CHECKING:
    from salescli.charging.simulate import Simulation

_TOTALS = (Column("totals", "whole"), Column("payments", "count"), Column("amount", "money"), Column("currency"))


@click.command("simulate", cls=pages.ListCommand, columns=simulate.COLUMNS)
@click.option("--until", metavar="DAY", required=True, help="The last day: 2026-12-31, +90d, next-month.")
@click.option(
    "--decline", multiple=True, metavar="NUMBER", help="Decline all charges of this recurring order. Repeatable."
)
@click.option("--keep", type=FilePath(), metavar="FILE", help="Keep the copy in FILE, to look at with other commands.")
@options.output
@pass_session
def simulate_command(session: Session, until: str, decline: tuple[str, ...], keep: Path | None, output: Output) -> None:
    """Show what tick would do up to a day, by running it on a copy of the database. Nobody is charged.

    Each row is an attempt to charge, and the state of the recurring order after it. Charges succeed, except that those
    of --decline are declined, and a sandbox follows its tokens. Manual payments wait for a person. A kept copy can
    charge nobody either: it belongs to no machine, and its payment systems are sandboxes.

    \b
    Examples:
      salescli simulate --until +90d --csv -o expected.csv
      salescli simulate --until 2026-12-31 --decline 3 --keep after.db
      salescli --db after.db reports by-offer --by month
    """
    session.actor.require(permissions.VIEW)
    last = _last_day(until, session.now.astimezone(session.zone).date())
    declined = [recurring.find(session.connection, words).id for words in decline]
    end = time.start_of(last + time.ONE_DAY, session.zone)
    with (
        _place(keep) as target,
        simulate.copied(session.connection, target) as copy,
        _progress(session.now, end) as progress,
    ):
        simulation = simulate.run(copy, session.work, end, declined=declined, progress=progress)
    pages.show_rows(session, simulation.rows, simulate.COLUMNS, output)
    charged = {"totals": f"charged up to {last}"}
    sums = [
        {**charged, "payments": number, "amount": minor, "currency": currency}
        for currency, (number, minor) in simulation.sums().items()
    ]
    footer.write(sums, _TOTALS, output, session.zone)
    print_beside(_summary(simulation), output)
    if keep:
        say(f"kept the copy; to look at it: {session.program.split()[0]} --db {keep} …")


def _last_day(until: str, today: date) -> date:
    """Return the last day that is simulated. Raise BadUsage."""
    last = time.parse_period(until, today)[1]
    if last < today:
        raise BadUsage(f"{last} is past; `salescli history` shows what was done")
    if last - today > schedule.PLANNED_MAX:
        raise BadUsage(f"{last} is more than ten years away; give an earlier day")
    return last


@contextmanager
def _place(keep: Path | None) -> Iterator[Path]:
    """Yield the path of the copy: ``keep``, deleted again after a failure, or a file in a temporary folder."""
    if keep is None:
        with tempfile.TemporaryDirectory(prefix="salescli-") as folder:
            yield Path(folder) / "copy.db"
        return
    made = not os.path.lexists(keep)  # a dangling link belongs to somebody, too
    try:
        yield keep
    except BaseException:
        for leftover in (keep, *(keep.with_name(f"{keep.name}{end}") for end in ("-journal", "-wal", "-shm"))):
            if made:
                with suppress(OSError):
                    leftover.unlink()
        raise


@contextmanager
def _progress(now: datetime, end: datetime) -> Iterator[simulate.Progress]:
    """Yield a function that shows the progress on a terminal, in days."""
    hidden = not sys.stderr.isatty()
    with click.progressbar(length=(end - now).days + 1, label="simulating", file=sys.stderr, hidden=hidden) as bar:
        yield lambda moment: bar.update((moment - now).days - bar.pos)


def _summary(simulation: Simulation) -> Iterator[str]:
    tries = Counter(row["became"] for row in simulation.rows)
    ends = Counter(
        f"recurring orders {row['status']}" for row in simulation.rows if row["status"] in ("failed", "completed")
    )
    counts = {**{name: tries[name] for name in sorted(tries) if name != "charged"}, **ends}
    if counts:
        yield ", ".join(f"{name}: {number}" for name, number in counts.items())
    yield from simulation.held
