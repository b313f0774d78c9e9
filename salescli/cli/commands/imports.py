"""``import orders``, ``import recurring``, and the ``import`` of every catalogue noun: CSV from a file or stdin.

options -> the noun's ``run``, bad rows and progress told on stderr as they come -> what is true now
"""

from __future__ import annotations

import sqlite3
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from itertools import count
from pathlib import Path
from typing import Any

import click

from salescli.catalogue.records import Noun
from salescli.cli import options
from salescli.cli.main import Session, pass_session
from salescli.cli.output import render
from salescli.imports import catalogue, orders, recurring
from salescli.imports.csv_file import Problem
from salescli.imports.run import DEFAULT_SOURCE, Counts, Reporting, Request, told
from salescli.rules import money, numbers

_SOURCE = click.option(
    "--source",
    default=DEFAULT_SOURCE,
    show_default=True,
    metavar="NAME",
    help="Where the numbers come from; the same number from another source is another record.",
)
_NO_CREATE = click.option(
    "--no-create", is_flag=True, help="Refuse names of customers, offers and others that are not there yet."
)

_PROBLEMS_MAX = 50  # told on the terminal: a file in the wrong format has one in every row

_OPTIONS: tuple[Callable[[Callable[..., Any]], Callable[..., Any]], ...] = (  # the last one is shown first
    options.dry_run,
    click.option(
        "--rejects",
        type=options.FilePath(),
        metavar="FILE",
        help="Where the bad rows go with their reasons, to be repaired and imported.",
    ),
    click.option("--skip-bad", is_flag=True, help="Import the good rows; needs --rejects for the bad ones."),
    click.option("--update", is_flag=True, help="Change what is stored where a row differs from it."),
    click.argument("file", type=options.FilePath(dash=True, dir_okay=True)),
)


def _import_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command the file and the options that all imports have."""
    for decorate in _OPTIONS:
        command = decorate(command)
    return command


@click.group("import")
def import_group() -> None:
    """Bring orders or recurring orders over from elsewhere, as CSV.

    All or nothing: when a row is bad, the bad rows are named and nothing is written. The same file again changes
    nothing. Other records have an import of their own: salescli customers import --help.

    \b
    Example:
      salescli import orders orders.csv --dry-run
    """


@import_group.command("orders")
@_import_options
@_SOURCE
@_NO_CREATE
@pass_session
def orders_command(session: Session, /, source: str, **given: Any) -> None:
    """Import orders, payments and refunds.

    FILE is CSV in UTF-8; - is stdin.

    \b
    Columns, in any order; those with a star are needed:
      order* created_at* status* customer* customer_id email phone category
      category_number offer* offer_number quantity unit_price discount price
      currency* payment_type payment_system paid_at paid paid_currency rate
      funds_credited refunded refunded_at one_click comment manager confirmed

    Give unit_price or price. A completed order without `paid` was paid in full.

    --update changes orders of the same source, but never who sold, nor an order whose money a gateway took.

    \b
    Examples:
      salescli import orders shop.csv --source shop
      salescli import orders shop.csv --skip-bad --rejects bad.csv
    """
    _import(session, orders.run, "orders", source=source, **given)


@import_group.command("recurring")
@_import_options
@_SOURCE
@_NO_CREATE
@pass_session
def recurring_command(session: Session, /, source: str, **given: Any) -> None:
    """Import recurring orders, for tick to charge.

    FILE is CSV in UTF-8; - is stdin.

    \b
    Columns, in any order; those with a star are needed:
      recurring* customer* customer_id email offer* offer_number currency* price*
      payment_system* token* started_at* every* payments payments_made
      next_payment_at status retry_after

    Without next_payment_at the next date is the first planned one to come; a given one is kept, and is due at the next
    tick when it is past.

    \b
    Example:
      salescli import recurring subscribers.csv --source old-shop --dry-run
    """
    _import(session, recurring.run, "recurring orders", source=source, **given)


def catalogue_command(noun: Noun) -> click.Command:
    """Return the ``import`` command of a catalogue noun's group."""
    nouns = catalogue.plural(noun)

    @click.command(
        "import",
        short_help=f"Import {nouns} from CSV.",
        help=f"Import {nouns} as CSV from FILE, or from stdin for -, with the columns {', '.join(noun.fields)}.\n\n"
        f"\b\nExample:\n  salescli {nouns.replace(' ', '-')} import {noun.table}.csv --dry-run",
    )
    @_import_options
    @pass_session
    def command(session: Session, /, **given: Any) -> None:
        if "gateway" in noun.fields:  # its file may name programs
            session.check_not_through_sudo(f"import of {nouns}")
        run = partial(_run_catalogue, noun)
        _import(session, run, nouns, **given)

    return command


def _run_catalogue(noun: Noun, connection: sqlite3.Connection, request: Request, **who: Any) -> Counts:
    return catalogue.run(connection, noun, request, **who)


def _import(
    session: Session,
    run: Callable[..., Counts],
    what: str,
    *,
    file: Path,
    rejects: Path | None,
    no_create: bool = False,
    **given: Any,
) -> None:
    stream = sys.stdin.buffer if str(file) == "-" else file
    with _progress(file) as advance, _problems(None if given["dry_run"] else rejects) as tell:
        reporting = Reporting(on_bad=tell, on_progress=advance)
        request = Request(stream, create=not no_create, rejects_file=rejects, reporting=reporting, **given)
        counts = run(session.connection, request, actor=session.actor, now=session.now)
    render.say(told(what, counts, request))
    if counts.due:
        render.say(_due(counts))


@contextmanager
def _problems(rejects: Path | None) -> Iterator[Callable[[Problem], None]]:
    """Tell the first problems as they come, and in the end how many more there are."""
    told = count(1)

    def tell(problem: Problem) -> None:
        if next(told) <= _PROBLEMS_MAX:
            render.say(render.escaped(str(problem)))

    try:
        yield tell
    finally:
        more = next(told) - 1 - _PROBLEMS_MAX
        if more > 0:
            where = f"all go into {rejects}" if rejects else "--skip-bad --rejects FILE writes all into a file"
            render.say(f"and {numbers.count(more, 'more problem')}; {where}")


def _due(counts: Counts) -> str:
    """Return how many payments the next tick will make, and of how much (R66b)."""
    payments = sum(number for number, _ in counts.due.values())
    amounts = ", ".join(f"{money.text(minor, currency)} {currency}" for currency, (_, minor) in counts.due.items())
    of = f"of {amounts}"
    return f"{numbers.count(payments, f'payment {of} falls', f'payments {of} fall')} due at the next tick"


@contextmanager
def _progress(file: Path) -> Iterator[Callable[[int], None]]:
    """Show on a terminal how much of a file was read."""
    length = file.stat().st_size if str(file) != "-" and file.is_file() else 0
    hidden = not sys.stderr.isatty() or not length
    with click.progressbar(length=length, label=file.name, file=sys.stderr, hidden=hidden) as bar:
        yield bar.update
