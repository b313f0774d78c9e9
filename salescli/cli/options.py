"""Options that commands share: filters, period, output, dry runs; each is defined once.

A decorator here gathers its options into one object, so that a command takes ``filters`` and ``output``.
"""

from __future__ import annotations

import functools
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import date, datetime
from typing import TYPE_CHECKING, Any, TypeVar

import click
from click.core import ParameterSource

from salescli.cli.output.contract import FORMATS, Output
from salescli.cli.output.terminal import held_back, say
from salescli.cli.paths import FilePath
from salescli.cli.session import Session
from salescli.errors import BadData, BadUsage
from salescli.lists.columns import Column
from salescli.lists.filters import FILTERS, Filter, Filters
from salescli.rules import happened, time

if TYPE_CHECKING:
    from salescli.storage.work import Work

if TYPE_CHECKING:
    from pathlib import Path

Command = TypeVar("Command", bound=Callable[..., Any])


def _statuses(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[str]:
    """Complete a status of the records that the command lists."""
    statuses: Sequence[str] = getattr(ctx.command, "statuses", ())
    return [word for word in statuses if word.startswith(incomplete.lower())]


_PERIODS = (
    "today",
    "yesterday",
    *(f"{step}-{unit}" for unit in ("week", "month", "year") for step in ("this", "last")),
)


def _periods(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[str]:
    """Complete a period as people say it."""
    return [word for word in _PERIODS if word.startswith(incomplete.lower())]


def _columns(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[str]:
    """Complete the last of several columns, with or without the - of descending order."""
    columns: Sequence[Column] = getattr(ctx.command, "columns", ())
    before, comma, last = incomplete.rpartition(",")
    sign = last[: last.startswith("-")]
    words = [f"{sign}{column.key}" for column in columns]
    return [f"{before}{comma}{word}" for word in words if word.startswith(last)]


def _views(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[str]:
    """Complete the name of a view in the configuration file."""
    from salescli.cli import configuration  # only a shell that completes needs it

    if (found := configuration.of_run(ctx)) is None:
        return []
    names = configuration.views_of(found, ctx.command_path.split()[1:])
    return [name for name in names if name.startswith(incomplete)]


def _list_columns(ctx: click.Context, param: click.Parameter, value: str | None) -> str | None:
    """Print the columns of the command and end it, for ``--columns help``; opens no database."""
    if value is None or value.strip() != "help" or ctx.resilient_parsing:
        return value
    columns: Sequence[Column] = getattr(ctx.command, "columns", ())
    for column in columns:
        click.echo(column.key if column.shown else f"{column.key:<24}  (not shown by default)")
    for column in getattr(ctx.command, "optional", ()):
        click.echo(f"{column.key:<24}  (with an option that adds it)")
    return ctx.exit()


def _declared(filter: Filter) -> Callable[[Command], Command]:
    what: dict[str, Any] = {"help": filter.help, "metavar": filter.metavar, "multiple": filter.multiple}
    if filter.choices:
        what["type"] = click.Choice(filter.choices)
    if filter.field == "status":
        what["shell_complete"] = _statuses
    if "/" in filter.option[0]:
        what["default"] = None  # so that a flag that is not given is None, not False
    return click.option(*filter.option, **what)


_BY_FIELD = {filter.field: _declared(filter) for filter in FILTERS}
_FROM_TO = (_BY_FIELD.pop("first_day"), _BY_FIELD.pop("last_day"))
_STATUS = _BY_FIELD.pop("status")
_FILTERS = (
    _STATUS,
    *_FROM_TO,
    click.option(
        "--on",
        "on",
        metavar="DAY",
        help="On this day, or in this period: yesterday, this-week, 2026-W07, 2026-Q1.",
        shell_complete=_periods,
    ),
    click.option(
        "--month",
        metavar="MONTH",
        help="In a month or another period: this-month, last-month, 2026-03, last-30d.",
        shell_complete=_periods,
    ),
    *_BY_FIELD.values(),
)


def filters(command: Command) -> Command:
    """Give a command the filter panel (R6) as ``filters``."""

    @functools.wraps(command)
    def with_filters(
        *args: Any, since: str | None, until: str | None, on: str | None, month: str | None, **kw: Any
    ) -> Any:
        session = click.get_current_context().obj
        if (since or until or on) and is_configured("month"):
            month = None
        if on and month:
            raise BadUsage("--on and --month are two periods; give one")
        first, last = _period(since, until, on or month, session)
        chosen = {name: kw.pop(name) for name in Filters._fields if name in kw}
        return command(*args, filters=Filters(**chosen, first_day=first, last_day=last), **kw)

    return _decorated(with_filters, _FILTERS)  # type: ignore[return-value]


def from_to(command: Command) -> Command:
    """Give a command ``--from`` and ``--to`` as ``days``: the first and the last day, or None."""

    @functools.wraps(command)
    def with_days(*args: Any, since: str | None, until: str | None, **kw: Any) -> Any:
        return command(*args, days=_period(since, until, None, click.get_current_context().obj), **kw)

    return _decorated(with_days, _FROM_TO)  # type: ignore[return-value]


def _period(since: str | None, until: str | None, on: str | None, session: Session) -> tuple[date | None, date | None]:
    today = session.now.astimezone(session.zone).date()
    if on is not None:
        if since or until:
            raise BadUsage("--on and --month are whole periods; leave out --from and --to")
        return time.parse_period(on, today)
    first = time.parse_period(since, today)[0] if since else None
    last = time.parse_period(until, today)[1] if until else None
    if first and last and first > last:
        raise BadUsage(f"the period ends ({last}) before it begins ({first})")
    return first, last


_OUTPUT = (
    click.option("--format", "format", type=click.Choice(FORMATS), help="The output format.  [default: table]"),
    click.option("--csv", "short", flag_value="csv", help="Same as --format csv, for spreadsheets."),
    click.option("--json", "short", flag_value="json", help="Same as --format json, for programs."),
    click.option("-q", "--quiet", "short", flag_value="ids", help="Show only the numbers, one per line, for pipes."),
    click.option(
        "--excel", is_flag=True, help="Write CSV with semicolons, decimal commas and a BOM, for Excel in many locales."
    ),
    click.option(
        "-o", "--output", "file", type=FilePath(dash=True), metavar="FILE",
        help="Write to FILE, in the format of its ending: .csv, .json, .ndjson, .md, .html, .xlsx, .txt (a table).",
    ),
    click.option(
        "--xlsx", type=FilePath(dash=True), metavar="FILE", help="Write a workbook for Excel, LibreOffice or Numbers."
    ),
    click.option(
        "--html", type=FilePath(dash=True), metavar="FILE", help="Write a page for a browser, without scripts."
    ),
    click.option("--open", "opened", is_flag=True, help="Show the page of --html in the browser."),
    click.option(
        "--columns", metavar="A,B,…", shell_complete=_columns, is_eager=True, callback=_list_columns,
        help="Columns to show, in order, or all. `--columns help` lists them.",
    ),
    click.option("--sort", metavar="A,-B", shell_complete=_columns, help="Sort by these columns; - means descending."),
    click.option(
        "--limit", type=click.IntRange(0, 999_999_999), metavar="N",
        help="Show at most N rows; 0 shows all.  [default: 50 in a table]",
    ),
    click.option(
        "--view", metavar="NAME", expose_value=False, shell_complete=_views,
        help="Use the options of this view in the configuration file; see `salescli config`.",
    ),
    click.option("--no-headers", is_flag=True, help="Leave out the line of column names."),
    click.option("-x", "--expanded", is_flag=True, help="Show each row as a block of lines, a line per column."),
    click.option("--no-pager", is_flag=True, help="Do not open $PAGER for a table taller than the terminal."),
)  # fmt: skip


def output(command: Command) -> Command:
    """Give a command the output contract as ``output``."""

    @functools.wraps(command)
    def with_output(*args: Any, **kw: Any) -> Any:
        return command(*args, output=_gathered(kw), **kw)

    return _decorated(with_output, _OUTPUT)  # type: ignore[return-value]


def is_configured(name: str) -> bool:
    """Return whether an option has its value from the configuration file: what is typed goes before it."""
    return click.get_current_context().get_parameter_source(name) is ParameterSource.DEFAULT_MAP


def _chosen(options: dict[str, Any]) -> tuple[str, bool, Path | None]:
    """Remove what says the format from a command's options; return the format, whether it is for Excel, and the file.

    Raise BadUsage for two formats.
    """
    format, short, excel, xlsx, html = (options.pop(name) for name in ("format", "short", "excel", "xlsx", "html"))
    file = options.pop("file")
    if (short or xlsx or html or file or options.get("chart")) and is_configured("format"):
        format = None
    if excel and format and is_configured("excel"):
        excel = False
    if format and short and format != short:
        raise BadUsage(f"--format {format} and --{short if short != 'ids' else 'quiet'} are two formats; give one")
    given = format or short or ("csv" if excel else None)
    if excel and given != "csv":
        raise BadUsage("--excel writes CSV; leave out the other format")
    own = xlsx or html
    if own and (given or file or (xlsx and html)):
        is_named_twice = file and not given and not (xlsx and html)
        other = "names its file; leave out --output" if is_named_twice else _OF_ITS_OWN
        raise BadUsage(f"--{'xlsx' if xlsx else 'html'} {other}")
    return "xlsx" if xlsx else "html" if html else given or by_ending(file), excel, own or file


def _gathered(options: dict[str, Any]) -> Output:
    """Remove the output options from a command's options and return them as one object."""
    chosen, excel, file = _chosen(options)
    opened = options.pop("opened")
    if opened:
        from salescli.cli.output import browser  # only this option needs it

        browser.check_can_open(chosen, file)
    chart = options.pop("chart", False)  # of reports
    if chart and chosen != "table":
        raise BadUsage(
            "--chart draws under a table; leave out the other format (--html and --xlsx have charts of their own)"
        )
    if chosen == "xlsx" and options["no_headers"]:
        raise BadUsage("a workbook needs column names for its filters; leave out --no-headers")
    expanded = options.pop("expanded")
    if expanded and chosen != "table":
        raise BadUsage("--expanded shows a table as blocks; leave out the other format")
    return Output(
        format=chosen,
        excel=excel,
        file=file,
        columns=_keys(options.pop("columns")),
        sort=_keys(options.pop("sort")),
        limit=options.pop("limit"),
        headers=not options.pop("no_headers"),
        expanded=expanded,
        pager=not options.pop("no_pager"),
        chart=chart,
        opened=opened,
        title=" ".join(click.get_current_context().command_path.split()[1:]),
    )


_OF_ITS_OWN = "is a format of its own; leave out the other one"
_ENDINGS = {
    "": "table", ".txt": "table", ".csv": "csv", ".json": "json", ".ndjson": "ndjson", ".jsonl": "ndjson",
    ".md": "md", ".html": "html", ".htm": "html", ".xlsx": "xlsx",
}  # fmt: skip


def by_ending(file: Path | None) -> str:
    """Return the format that the name of ``-o FILE`` ends in. Raise BadUsage for one that is not written here."""
    ending = file.suffix.lower() if file else ""
    if ending not in _ENDINGS:
        known = ", ".join(filter(None, _ENDINGS))
        raise BadUsage(f"no format is called {ending}; end the name in one of {known}, or give --format")
    return _ENDINGS[ending]


def _keys(given: str | None) -> tuple[str, ...]:
    return tuple(key.strip() for key in (given or "").split(",") if key.strip())


after = click.option(
    "--after", metavar="NUMBER", help="Continue after this row, the last one of the previous page. Use the same --sort."
)
dry_run = click.option("-n", "--dry-run", is_flag=True, help="Show what would be done; write nothing.")
yes = click.option("-y", "--yes", is_flag=True, help="Do not ask.")
keep_going = click.option(
    "--keep-going", is_flag=True, help="Continue after a refused record, and name it. Exit code 5 if there was one."
)


completes_recurring = click.option(
    "--complete-plan/--keep-plan", "completes_recurring", default=None,
    help="Complete the recurring order that this order began, or keep it.  [default: asks]",
)  # fmt: skip


def at(help: str, *, default: str = "now") -> Callable[[Command], Command]:
    """Give a command ``--at TIME``, when something happened; ``work_at`` and ``happened_at`` read it."""
    return click.option("--at", metavar="TIME", help=f"{help} Also yesterday, -3d.  [default: {default}]")


def work_at(given: str | None, session: Session) -> Work:
    """Return the session's context at the time of ``--at``. Raise BadUsage for the future."""
    return session.work.at(happened_at(given, session)) if given else session.work


def happened_at(given: str | None, session: Session) -> datetime:
    """Return the instant of ``--at``, or the session's now. Raise BadUsage for the future."""
    at = moment(given, session)
    if happened.is_future(at, session.now):
        raise BadUsage(f"--at {given} is in the future; give the time when it happened")
    return at


def moment(given: str | None, session: Session) -> datetime:
    """Return the instant of an option, in the account's zone unless it says otherwise; by default now.

    ISO 8601, or a day as people say it: ``yesterday``, ``yesterday 10:30``, ``-3d``.
    """
    return time.parse_moment(given, session.zone, session.now) if given else session.now


@contextmanager
def rehearsed(session: Session, dry_run: bool) -> Iterator[None]:
    """Run a block as usual, or, for a dry run, in a transaction that is rolled back at the end."""
    if not dry_run:
        yield
        return
    with taken_back(session):
        yield
    say("dry run: nothing was written")


@contextmanager
def taken_back(session: Session) -> Iterator[None]:
    """Run a block in a transaction that is rolled back at the end."""
    from salescli.storage import database

    assert session.actor  # raises for an unregistered user, who may not even take the lock
    with held_back():
        database.begin(session.file)
        try:
            yield
        finally:
            session.file.execute("ROLLBACK")


def numbers(given: tuple[str, ...]) -> list[str]:
    """Return a command's record numbers, with those from stdin in place of ``-``: each once, in order."""
    try:
        words = [word for one in given for word in (sys.stdin.read().split() if one == "-" else [one])]
        "".join(words).encode()  # Python hides a byte that is not text in a lone surrogate where the locale is C
    except UnicodeError:
        raise BadData("stdin is not text; give numbers, one per line") from None
    return list(dict.fromkeys(words))


def _decorated(command: Callable[..., Any], options: tuple[Callable[..., Any], ...]) -> Callable[..., Any]:
    for option in reversed(options):
        command = option(command)
    return command
