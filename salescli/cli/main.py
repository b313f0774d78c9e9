"""One run of the program, and the one place where errors become exit codes.

argv -> ``run`` -> Click -> a command with its ``Session`` -> SalesError | engine.Error -> one line, exit code
"""

from __future__ import annotations

import errno
import io
import os
import sys
from contextlib import suppress
from typing import Any

import click
from click.core import ParameterSource

from salescli import __version__
from salescli.cli import caller, remote
from salescli.cli.groups import IndexedGroup
from salescli.cli.index import COMMANDS
from salescli.cli.session import Session
from salescli.errors import BadUsage, DatabaseUnusable, SalesError, WrongStatus
from salescli.rules import text
from salescli.storage import engine

# What code meets where a stored value is one that the schema or the program forbids, and otherwise only by a bug.
_BUGS = (ArithmeticError, AssertionError, LookupError, TypeError, ValueError)


class Databases(click.Path):
    """The paths of databases. In the environment it is one: a colon is part of its name."""

    envvar_list_splitter = "\0"


class Program(IndexedGroup):
    """All commands. An error that a damaged database explains is its own message; a bug shows its traceback."""

    def invoke(self, ctx: click.Context) -> Any:
        """Run a command. Raise DatabaseUnusable in the place of an error in a database that a check finds damaged."""
        try:
            return super().invoke(ctx)
        except (engine.Error, *_BUGS) as error:
            if _looks_like_a_bug(error) and (damage := _damage(ctx.obj)):
                raise DatabaseUnusable(
                    f"the database is damaged: {damage}; run `salescli doctor`, or restore the latest backup"
                ) from error
            raise


def _damage(session: Session | None) -> str:
    """Return what is damaged in the database that a command had open, empty if it is sound."""
    if session is None or "file" not in vars(session):
        return ""
    from salescli.overview import doctor

    return doctor.damage(session.file)


@click.command(
    cls=Program,
    index=COMMANDS,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog="Start with `salescli init`. Every command has an example in its --help. Longer pages: `salescli help`.",
)
@click.option(
    "--db", "named", metavar="FILE", type=Databases(readable=False), envvar="SALESCLI_DB", multiple=True,
    help="The SQLite database; also ssh://[user@]host/path or postgresql://[user@]host/database. Several for reports."
    "  [default: $SALESCLI_DB, else sales.db in your data directory]",
)  # fmt: skip
@click.option(
    "--as", "as_login", metavar="LOGIN", envvar="SALESCLI_USER",
    help="Act for this user; the history names both of you.  [default: $SALESCLI_USER, else yourself]",
)  # fmt: skip
@click.option("--any-file-system", is_flag=True, help="Accept a database on a network file system or with hard links.")
@click.option(
    "--color", type=click.Choice(["auto", "always", "never"]), default="auto", show_default=True,
    help="When to use colour. NO_COLOR, FORCE_COLOR and TERM=dumb are respected.",
)  # fmt: skip
@click.version_option(__version__, "-V", "--version", prog_name="salescli", message="%(prog)s %(version)s")
@click.pass_context
def cli(ctx: click.Context, named: tuple[str, ...], as_login: str | None, any_file_system: bool, color: str) -> None:
    """Manage the orders, payments, recurring orders and sales reports of a small team, in one SQLite file."""
    for database in named:
        remote.check_scheme(database)
    path, *others = named or [caller.default_path()]
    if others and ctx.invoked_subcommand != "reports":
        raise BadUsage("only reports add up several shops; give one --db")
    ctx.obj = Session(path, others=others, any_file_system=any_file_system, as_login=as_login)
    ctx.call_on_close(ctx.obj.close)
    if caller.comes_through_sudo(ctx.obj.path):
        ctx.obj.sudo_uid = caller.sudo_uid()
        if ctx.get_parameter_source("named") is ParameterSource.COMMANDLINE:
            ctx.obj.check_not_through_sudo("--db")
        ctx.obj.path = caller.own_path()
        caller.forget_the_environment()
    ctx.color = _colored(color)


def _colored(choice: str) -> bool | None:
    """Return whether to colour output; None means only on a terminal."""
    if choice != "auto":
        return choice == "always"
    if os.environ.get("NO_COLOR"):
        return False
    if os.environ.get("FORCE_COLOR"):
        return True
    return False if os.environ.get("TERM") == "dumb" else None


def run(arguments: list[str]) -> int:
    """Run one command line and return its exit code. Errors are written to stderr.

    0 done, 1 failed, 2 usage, 3 not found, 4 not permitted, 5 wrong status, 6 bad data, 7 database, 75 locked, 130.
    """
    if not all(map(_is_text, arguments)):
        return _fail("a word of this command line is not UTF-8 text; write it in UTF-8", 2)
    for name in ("SALESCLI_DB", "SALESCLI_USER", "XDG_DATA_HOME", "XDG_CONFIG_HOME", "HOME"):
        if not _is_text(os.environ.get(name, "")):
            return _fail(f"{name} in the environment is not UTF-8 text; write it in UTF-8", 2)
    _ready_to_complete()
    try:
        result = _called(arguments, _configuration(arguments))
        sys.stdout.flush()
        return result if isinstance(result, int) else 0
    except click.ClickException as error:
        from salescli.cli.output.terminal import fitted

        error = _placed(error)
        usage = io.StringIO()
        error.show(usage)
        click.echo(fitted(text.masked(usage.getvalue()), sys.stderr), err=True, nl=False)
        return error.exit_code
    except (click.Abort, KeyboardInterrupt):
        return _interrupted()
    except SalesError as error:
        return _fail(str(error), error.exit_code)
    except engine.Error as error:
        failure = _database_failure(error)
        return _fail(str(failure), failure.exit_code)
    except OSError as error:
        return _output_failed(error)
    except SystemExit as ended:  # so Click ends a completion; and so, with 1, when `| head` has seen enough
        return int(ended.code or 0) if "_SALESCLI_COMPLETE" in os.environ else 0


def _configuration(arguments: list[str]) -> dict[str, Any] | None:
    """Return the defaults of the configuration file, if there is one. Raise BadData if it cannot be used."""
    path = caller.config_path()
    if path is None or not os.path.lexists(path):  # most have none, and then nothing more is imported
        return None
    from salescli.cli import configuration

    try:
        return configuration.load(path, cli)
    except SalesError:
        asks = {"--help", "-h"} & {*arguments} or arguments[-2:] == ["config", "path"]  # where it is, how to mend it
        if asks or "_SALESCLI_COMPLETE" in os.environ:
            return None
        raise


def _called(arguments: list[str], defaults: dict[str, Any] | None) -> Any:
    """Run a command line where its database is; return its exit code, if it has one."""
    place = remote.place_of(arguments, (defaults or {}).get("named", [""])[0])
    sent = os.environ.pop(remote.SENT, "")
    if place or sent:
        from salescli.cli import remote_files

        remote_files.receive(sent)
        if place and not remote_files.asks_for_help(place, cli):
            return remote_files.run(place, cli)
    return cli.main(arguments, prog_name="salescli", standalone_mode=False, default_map=defaults)


def _ready_to_complete() -> None:
    if "_SALESCLI_COMPLETE" in os.environ:
        from salescli.cli import completing

        completing.register()
        completing.load_when_used()


def _placed(error: click.ClickException) -> click.ClickException:
    """Answer an option of the program that stands after the command with the place where it is taken."""
    if not isinstance(error, click.NoSuchOption) or error.ctx is None or error.ctx.parent is None:
        return error
    name = error.option_name
    if not any(name in param.opts for param in cli.params):
        return error
    where = f"No such option {name!r}. It goes before the command: salescli {name} …"
    return click.NoSuchOption(name, where, ctx=error.ctx)


def _is_text(word: str) -> bool:
    """Return whether a word is text. Python keeps bytes that are not UTF-8 as lone surrogates."""
    return word.isascii() or not any("\udc80" <= character <= "\udcff" for character in word)


def _interrupted() -> int:
    if sys.stderr.isatty():
        click.echo(err=True)  # the question, or ^C, has not ended its line
    return _fail("interrupted; unfinished work was not written", 130)


def _fail(message: str, code: int) -> int:
    """Write an error on stderr and return its exit code."""
    from salescli.cli.output.terminal import say

    with suppress(OSError):  # the code says it too
        say(f"salescli: {message}")
    return code


def _looks_like_a_bug(error: Exception) -> bool:
    """Return whether an error says that our code asked for what cannot be, rather than that the file cannot be used."""
    if isinstance(error, engine.OperationalError):
        return any(word in str(error) for word in ("no such", "syntax", "misuse", "ambiguous"))
    return isinstance(error, (engine.ProgrammingError, engine.InterfaceError, engine.IntegrityError, *_BUGS))


def _database_failure(error: engine.Error) -> SalesError:
    from salescli.sales import closed_months

    if closed_months.is_guarded(error):
        return WrongStatus("this would change a closed month, so nothing was changed; salescli close lists them")
    if _looks_like_a_bug(error):
        raise error  # with its traceback
    from salescli.storage import database

    return database.unusable(error, "the database")


def _output_failed(error: OSError) -> int:
    if error.errno == errno.EPIPE:  # `| head` has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    where = f"{error.filename}: " if error.filename else ""
    return _fail(f"{where}{error.strerror or error}", 1)
