"""``salescli cron``: the lines of a crontab that run this installation on this database."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from collections.abc import Collection
from contextlib import suppress
from pathlib import Path

import click

from salescli.cli import options
from salescli.cli.output.terminal import say
from salescli.cli.paths import Outside
from salescli.cli.session import Session, pass_session
from salescli.errors import BadUsage, DatabaseUnusable, SalesError
from salescli.notices import hooks
from salescli.rules import permissions
from salescli.storage import engine

_LONGEST = 990  # cron takes 1,000 characters
_LINES = """\
# {begin}
# `salescli cron --install` puts these lines into your crontab,
# `salescli cron --remove` takes them out.
#
# Where cron mails the output of a job. Every job but the report prints only
# what needs a person.
#MAILTO=you@example.com
{jobs}# {end}
"""
# Each with its name, and the permission that it needs.
_JOBS = (
    ("tick", permissions.RUN_TICK, """
# Every 5 minutes: a resumed payment is promised within 10, and one run may be
# missed.{advice}
*/5 * * * *  {call} tick --quiet-if-busy{ping}
"""),
    ("the report", permissions.VIEW, """
# At 6:10: yesterday's report, one file a day; cron mails its totals.
10 6 * * *  {call} reports details --on yesterday --csv -o "$HOME/sales-report-$(date +\\%F).csv"
"""),
    ("backup", permissions.RUN_TICK, """
# At 2:30, when few people write: a checked copy of the database. Copies are
# kept for 30 days.
30 2 * * *  {call} backup --keep 30
"""),
    ("doctor", permissions.VIEW, """
# At 7:00: problems, and what needs a person.
0 7 * * *  {call} doctor
"""),
)  # fmt: skip
_ADVICE = " To hear that it stopped, from a dead man's switch:\n# salescli cron --ping URL"


@click.command("cron")
@click.option("--install", is_flag=True, help="Add the lines to your crontab, replacing those of this database.")
@click.option("--remove", is_flag=True, help="Remove the lines of this database from your crontab.")
@click.option(
    "--ping", type=Outside(), metavar="URL",
    help="Let tick call URL after each good run: a dead man's switch. A repeated --install keeps it.",
)  # fmt: skip
@options.dry_run
@pass_session
def cron_command(session: Session, install: bool, remove: bool, ping: str | None, dry_run: bool) -> None:
    """Print crontab lines for this installation and this database: tick, report, backup, doctor.

    The lines stand between two marker lines that name the database. Other lines of a crontab are never changed; a
    missing newline at its end is added. A shop on a server gets no backup line: the server has its own. What the
    user who acts may not run is left out.

    \b
    Examples:
      salescli cron
      salescli cron --install --ping https://hc.example.com/ping/ID
      salescli cron --remove
    """
    if install and remove:
        raise BadUsage("--install and --remove exclude each other; give one")
    if ping is not None:
        hooks.check_url("--ping", ping)
    # one block for a database, whatever symbolic link names it
    database = session.path if engine.is_url(session.path) else os.path.realpath(session.path)
    may = None if remove else _allowed(session)
    if not (install or remove):
        click.echo(lines(_program(), database, any_file_system=session.any_file_system, ping=ping, may=may), nl=False)
        return
    session.check_not_through_sudo("cron --install" if install else "cron --remove")
    before = _read()
    ping = ping or _pinged(before, database)
    made = lines(_program(), database, any_file_system=session.any_file_system, ping=ping, may=may)
    after = replaced(before, b"" if remove else made.encode(), database)
    for line in _by_hand(after) if install else ():
        say(f"another line of your crontab runs tick; if it is for this database, take it out with crontab -e: {line}")
    if after == before:
        say(f"nothing to change: the lines of {database} are {'there already' if install else 'not in the crontab'}")
        return
    if not dry_run:
        _write(after)
    would = "would be " if dry_run else ""
    say(f"the lines of {database} {would}{'added to' if install else 'removed from'} your crontab")


def _jobs(database: str) -> list[tuple[str, str, str]]:
    """Return the jobs of a database, each with its name and permission; a server makes its own backups."""
    return [job for job in _JOBS if not (job[0] == "backup" and engine.is_url(database))]


def _allowed(session: Session) -> frozenset[str] | None:
    """Return what the user who acts may do, and say which jobs that leaves out; None: there is no database yet."""
    try:
        actor = session.actor
    except DatabaseUnusable:
        return None
    if not any(actor.may(permission) for _, permission, _ in _JOBS):
        actor.require(permissions.RUN_TICK)
    for name, permission, _ in _jobs(session.path):
        if not actor.may(permission):
            say(f"{name} is left out: {actor.login} lacks the permission {permission}")
    return actor.permissions


def lines(
    program: list[str],
    database: str,
    *,
    any_file_system: bool = False,
    ping: str | None = None,
    may: Collection[str] | None = None,
) -> str:
    """Return the block of crontab lines, with its markers. Raise BadUsage for what cron cannot express.

    ``may``: the permissions of whose crontab it is; what needs others is left out. None: nothing is.
    """
    words = [*program, "--db", database, *(["--any-file-system"] if any_file_system else [])]
    pinging = ["--ping", ping] if ping else []
    for word in words + pinging:
        if not word.isprintable() or "\\" in word:
            raise BadUsage(f"cron cannot express {word!r}: it has a control character or a backslash")
    begin, end = _markers(database)
    call = _escaped(words)
    words_of_jobs = {
        "call": call, "advice": "" if ping else _ADVICE, "ping": f" {_escaped(pinging)}" if ping else "",
    }  # fmt: skip
    jobs = "".join(
        job.format_map(words_of_jobs) for _, permission, job in _jobs(database) if may is None or permission in may
    )
    text = _LINES.format(jobs=jobs, begin=begin, end=end)
    if max(len(line.encode()) for line in text.splitlines()) > _LONGEST:
        raise BadUsage(f"cron cannot express so long a path or URL: {database}")
    return text


def _escaped(words: list[str]) -> str:
    return shlex.join(words).replace("%", "\\%")


def _pinged(crontab: bytes, database: str) -> str | None:
    """Return the URL that tick pings in the block of a database."""
    own = _own(database).search(crontab)
    found = re.search(rb" tick --quiet-if-busy --ping (.*)$", own[0], re.MULTILINE) if own else None
    with suppress(ValueError):  # somebody's edit that is no shell
        words = shlex.split(found[1].decode(errors="replace").replace("\\%", "%")) if found else []
        return words[0] if len(words) == 1 else None
    return None


def replaced(crontab: bytes, block: bytes, database: str) -> bytes:
    """Return a crontab with the block of ``database`` replaced, appended, or, if the new one is empty, removed.

    Raise SalesError when only one of the two markers is there.
    """
    own = _own(database)
    rest = own.sub(b"", crontab)
    if any(re.search(rb"^" + re.escape(f"# {marker}\n".encode()), rest, re.MULTILINE) for marker in _markers(database)):
        raise SalesError(f"the crontab has only one of the two marker lines of {database}; repair it with: crontab -e")
    if not block:
        return rest
    if own.search(crontab):
        return own.sub(lambda _: block, crontab, count=1)
    return crontab + (b"" if crontab.endswith(b"\n") or not crontab else b"\n") + block


def _own(database: str) -> re.Pattern[bytes]:
    """Return what matches the block of a database."""
    start, stop = (b"^" + re.escape(f"# {marker}\n".encode()) for marker in _markers(database))
    return re.compile(start + rb"(?:(?!" + start + rb").)*?" + stop, re.MULTILINE | re.DOTALL)


def _by_hand(crontab: bytes) -> list[str]:
    """Return the lines outside of all blocks that run a tick: a second one, if they were written by hand."""
    block = re.compile(rb"^# salescli begin: .*?^# salescli end: [^\n]*$", re.MULTILINE | re.DOTALL)
    found = re.findall(rb"^[^#\n]*\bsalescli\b[^\n]*\btick\b[^\n]*$", block.sub(b"", crontab), re.MULTILINE)
    return [line.decode(errors="backslashreplace") for line in found]


def _markers(database: str) -> tuple[str, str]:
    return f"salescli begin: {database}", f"salescli end: {database}"


def _program() -> list[str]:
    """Return the words that call this installation: its script, else its Python with the package."""
    script = Path(sys.executable).with_name("salescli")
    if script.exists():
        return [str(script)]
    return [sys.executable, "-m", "salescli"]


def _read() -> bytes:
    ran = _crontab("-l")
    if ran.returncode == 0:
        return ran.stdout
    if b"no crontab" in ran.stderr:
        return b""
    raise SalesError(f"crontab -l failed: {ran.stderr.decode(errors='replace').strip() or ran.returncode}")


def _write(crontab: bytes) -> None:
    ran = _crontab("-", crontab)
    if ran.returncode:
        raise SalesError(f"crontab was not changed: {ran.stderr.decode(errors='replace').strip() or ran.returncode}")


def _crontab(argument: str, content: bytes = b"") -> subprocess.CompletedProcess[bytes]:
    try:
        return subprocess.run(
            ["crontab", argument],  # noqa: S607 - found by PATH, as cron's own
            input=content,
            capture_output=True,
            env={**os.environ, "LC_ALL": "C"},
        )
    except FileNotFoundError:
        raise SalesError("there is no program crontab; install cron, or use the lines of: salescli cron") from None
