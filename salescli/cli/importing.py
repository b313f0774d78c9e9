"""The options and the run of every import, from a file or stdin.

``file_options`` -> ``run``: the operation, bad rows and progress on stderr -> a summary
"""

from __future__ import annotations

import functools
import select
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

import click

from salescli.cli import problems, results
from salescli.cli.output.terminal import held_back, say
from salescli.cli.paths import FilePath
from salescli.cli.session import Session, pass_session
from salescli.imports import catalogue
from salescli.imports import run as import_run
from salescli.imports import told as told_of
from salescli.imports.reading import layout
from salescli.imports.reading import options as of_reading
from salescli.rules import money, numbers, time
from salescli.sales import attempts
from salescli.storage.sqlite import beside
from salescli.storage.work import Work

if TYPE_CHECKING:
    from salescli.catalogue.records import Noun
    from salescli.imports.run import ImportCounts, ImportRequest

_OPTIONS: tuple[Callable[[Callable[..., Any]], Callable[..., Any]], ...] = (  # the last one is shown first
    results.changes,
    click.option(
        "--rejects",
        type=FilePath(),
        metavar="FILE",
        help="Write the bad rows to FILE with their reasons, to be corrected and imported.",
    ),
    click.option("--skip-bad", is_flag=True, help="Import the good rows; needs --rejects for the bad ones."),
    click.option("--update", is_flag=True, help="Update stored records that differ from their row."),
    click.argument("file", type=FilePath(dash=True, dir_okay=True)),
)
_READING: tuple[Callable[[Callable[..., Any]], Callable[..., Any]], ...] = (  # the last one is shown first
    click.option("--time-zone", metavar="ZONE", help="The zone of times that name none.  [default: the account's]"),
    click.option("--dates", type=click.Choice(("dmy", "mdy")), help="Whether days or months come first: 31/12/2026."),
    click.option("--minor", is_flag=True, help="Amounts are in minor units, such as cents: 123450."),
    click.option("--decimal", type=click.Choice(("point", "comma")), help="What begins the decimals of amounts."),
    click.option("--sheet", metavar="NAME", help="The sheet of a workbook.  [default: the first]"),
    click.option(
        "--skip-lines",
        type=click.IntRange(0, 10_000),
        metavar="N",
        help="How many lines to skip above the column names.",
    ),
    click.option("--delimiter", metavar="CHARACTER", help="What separates the columns: , ; | or tab."),
    click.option("--encoding", metavar="NAME", help="The file's encoding, such as cp1251, cp1252 or utf-16."),
)


def file_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command the FILE argument and the options of all imports."""
    for decorate in _OPTIONS:
        command = decorate(command)
    return reading_options(command)


def reading_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command the options of how its file is read, as ``reading``."""

    @functools.wraps(command)
    def with_reading(*args: Any, delimiter: str | None, time_zone: str | None, **given: Any) -> Any:
        stated = {name: given.pop(name) for name in ("encoding", "skip_lines", "sheet", "decimal", "minor", "dates")}
        zone = time.time_zone(time_zone) if time_zone else None
        reading = of_reading.ReadingOptions(delimiter=delimiter and layout.delimiter(delimiter), zone=zone, **stated)
        return command(*args, reading=reading, **given)

    decorated: Callable[..., Any] = with_reading
    for decorate in _READING:
        decorated = decorate(decorated)
    return decorated


def told(file: Path) -> Callable[[str], None]:
    """Return what says on stderr how ``file`` was read."""
    name = "standard input" if str(file) == "-" else file.name
    return lambda words: say(f"{name}: {words}")


def command(noun: Noun) -> click.Command:
    """Return the ``import`` command of a catalogue noun's group."""
    nouns = noun.plural

    @click.command(
        "import",
        short_help=f"Import {nouns} from a file.",
        help=f"Import {nouns} from FILE (CSV, XLSX, ODS), or from stdin for -, with the columns "
        f"{', '.join(noun.fields)}. What the list of {nouns} writes comes in again in another database.\n\n"
        f"\b\nExample:\n  salescli {nouns.replace(' ', '-')} import {noun.table}.csv --dry-run",
    )
    @file_options
    @pass_session
    def import_(session: Session, /, **given: Any) -> None:
        if "gateway" in noun.fields:  # its file may name programs
            session.check_not_through_sudo(f"import of {nouns}")
        operation = partial(_run_catalogue, noun)
        run(session, operation, nouns, **given)

    return import_


def _run_catalogue(noun: Noun, work: Work, request: ImportRequest) -> ImportCounts:
    return catalogue.import_catalogue(work, noun, request)


def run(
    session: Session,
    operation: Callable[..., ImportCounts],
    what: str,
    *,
    file: Path,
    rejects: Path | None,
    no_create: bool = False,
    **given: Any,
) -> None:
    """Import a file by ``operation``, with bad rows and progress on stderr; print a summary."""
    stream = stream_of(file)
    written = rejects is not None and not given["dry_run"]
    where = f"all go into {rejects}" if written else "--skip-bad --rejects FILE writes all into a file"
    with held_back(), _progress(file) as advance, problems.shown(where) as show:
        reporting = import_run.Reporting(on_bad=show, on_progress=advance, on_told=told(file), on_mapping=_say_mapping)
        request = import_run.ImportRequest(
            stream, create=not no_create, rejects_file=rejects, reporting=reporting, **given
        )
        with _quietly(session, request) as work:
            counts = operation(work, request)
    added = results.numbers(session, import_run.table_of(what), counts.ids)
    results.tell("imports", [import_run.as_row(what, counts, request)], added)
    say(import_run.summary(what, counts, request))
    for note in (*counts.changed, *counts.notes):
        say(note)
    if counts.told:
        for line in told_of.lines(counts.told):
            say(line)
    if counts.due:
        say(_due(counts))


@contextmanager
def _quietly(session: Session, request: ImportRequest) -> Iterator[Work]:
    """Yield the context of an import: of a copy that takes the database's place, where readers would wait long."""
    work, file = session.work, request.file
    itself = request.dry_run or session.any_file_system  # where locks may fail, a rename may, too
    size = file.stat().st_size if isinstance(file, Path) and file.is_file() and not itself else 0
    with beside.copied(work.connection, size, attempts.any_awaited) as copy:
        yield replace(work, connection=copy) if copy else work
    if copy:
        session.reopen()


def stream_of(file: Path) -> Path | BinaryIO:
    """Return the file that an argument names: stdin for -."""
    return sys.stdin.buffer if str(file) == "-" else file


def _say_mapping(title: str, name: str) -> None:
    say(f"read as {title}, by the mapping {name}")


def _due(counts: ImportCounts) -> str:
    """Return the number and amount of payments that the next tick will make (R66b)."""
    payments = sum(number for number, _ in counts.due.values())
    amounts = ", ".join(f"{money.text(minor, currency)} {currency}" for currency, (_, minor) in counts.due.items())
    of = f"of {amounts}"
    return f"{numbers.count(payments, f'payment {of} falls', f'payments {of} fall')} due at the next tick"


@contextmanager
def _progress(file: Path) -> Iterator[Callable[[int], None]]:
    """Show on a terminal how much of a file has been read."""
    length = file.stat().st_size if str(file) != "-" and file.is_file() else 0
    hidden = not sys.stderr.isatty() or not length
    with click.progressbar(length=length, label=file.name, file=sys.stderr, hidden=hidden) as bar:
        waiting = 0

        def advance(bytes_read: int) -> None:
            nonlocal waiting
            waiting += bytes_read
            if not hidden and select.select([], [sys.stderr], [], 0)[1]:  # a stopped terminal holds no import up
                bar.update(waiting)
                waiting = 0

        yield advance
