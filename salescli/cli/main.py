"""One run of the program: the lazy database, who acts, when; and the one place where errors become exit codes.

argv -> ``run`` -> Click -> a command with its ``Session`` -> SalesError | sqlite3.Error -> one line, exit code
"""

from __future__ import annotations

import errno
import importlib
import os
import sqlite3
import sys
from collections.abc import Mapping
from functools import cached_property
from typing import TYPE_CHECKING, Any

import click
from click.core import ParameterSource

from salescli import __version__
from salescli.cli import caller
from salescli.cli.index import COMMANDS
from salescli.errors import BadUsage, NotPermitted, OlderVersion, SalesError
from salescli.rules import time

# The rest is imported where it is used, so that --help and completion start as fast as Click lets them.
if TYPE_CHECKING:
    from zoneinfo import ZoneInfo

    from click.shell_completion import CompletionItem

    from salescli.catalogue.payment_systems import PaymentSystem
    from salescli.gateways import Gateway
    from salescli.rules.permissions import Actor


class Session:
    """What every command works with; the file is opened when first asked for, so that --help never opens one.

    ``as_login``: for whom they act, None for themselves.
    """

    def __init__(self, path: str, *, any_file_system: bool = False, as_login: str | None = None) -> None:
        self.path = path
        self.any_file_system = any_file_system
        self.as_login = as_login
        self.sudo_uid: int | None = None  # who came through sudo to a service account's file: names no path, no program
        self.now = time.now()
        self._gateways: dict[int, Gateway] = {}

    @cached_property
    def file(self) -> sqlite3.Connection:
        """The open database, whoever asks. Raise DatabaseUnusable."""
        from salescli.storage import database

        try:
            return database.connect(self.path, any_file_system=self.any_file_system)
        except OlderVersion as error:
            raise error.naming(self.program) from None

    @cached_property
    def actor(self) -> Actor:
        """The registered user of the operating system's real uid. Raise NotPermitted for a stranger.

        With --as, that user acting for another: whoever may, has what the other one may do.
        """
        from salescli.catalogue import actors

        real = actors.acting(self.file, os_login() if self.sudo_uid is None else caller.login_of(self.sudo_uid))
        actor = real if self.as_login is None else actors.acting_as(self.file, real, self.as_login)
        return actor._replace(command=self.command)

    @property
    def program(self) -> str:
        """How this run calls the program, so that a command which is shown does the same to the same file."""
        import shlex

        ctx = click.get_current_context().find_root()
        given = ctx.get_parameter_source("named") is ParameterSource.COMMANDLINE
        words = ["salescli", *(["--db", self.path] if given else [])]
        words += ["--as", self.as_login] if self.as_login else []
        return shlex.join(words + (["--any-file-system"] if self.any_file_system else []))

    @property
    def command(self) -> str:
        """The words of the command that runs, as typed, without its arguments: ``orders check``."""
        return click.get_current_context().command_path.partition(" ")[2]

    @cached_property
    def connection(self) -> sqlite3.Connection:
        """The open database, for whoever may look at it: nobody else may learn even what is not there.

        What needs no look at a record, such as tick, takes ``file`` and asks for its own permission first.
        """
        from salescli.charging import tick_log
        from salescli.rules import permissions

        self.actor.require(permissions.VIEW)
        if warning := tick_log.is_late(self.file, self.now):
            click.echo(f"salescli: warning: {warning}", err=True)
        return self.file

    def gateway(self, system: PaymentSystem) -> Gateway:
        """Return the gateway of a merchant, one for each in a run."""
        from pathlib import Path

        from salescli import gateways

        if system.id not in self._gateways:
            environment = tuple(system.environment.split())
            self._gateways[system.id] = gateways.open_gateway(system.gateway, Path(self.path), environment)
        return self._gateways[system.id]

    @cached_property
    def zone(self) -> ZoneInfo:
        """The account's time zone."""
        from salescli.storage import database

        assert self.actor  # a stranger does not learn even this
        return time.time_zone(database.setting(self.file, "time_zone") or "UTC")

    def close(self) -> None:
        """Close the file, where it was opened."""
        if "file" in vars(self):
            self.file.close()

    def check_not_through_sudo(self, what: str, instead: str = "") -> None:
        """Raise NotPermitted where ``what`` would be done with a service account's rights in place of the caller's."""
        if self.sudo_uid is not None:
            account = caller.login_of(os.geteuid())
            raise NotPermitted(
                f"{what} is refused through sudo: it would be done with the rights of {account}{instead}"
            )


def os_login() -> str:
    """Return the operating system's name for the real uid."""
    return caller.login_of(os.getuid())


class IndexedGroup(click.Group):
    """A group whose commands come from an index and load when called; without one, a usual group."""

    def __init__(self, *args: Any, index: Mapping[str, tuple[str, str]] | None = None, **kw: Any) -> None:
        super().__init__(*args, **kw)
        self.index = index or {}

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the commands in the order of the index."""
        return list(self.index) or super().list_commands(ctx)

    def get_command(self, ctx: click.Context, name: str) -> click.Command | None:
        """Import one command."""
        if name not in self.index:
            return super().get_command(ctx, name)
        module, _, attribute = self.index[name][0].partition(":")
        command: click.Command = getattr(importlib.import_module(module), attribute)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the index without importing what it names."""
        if not self.index:
            super().format_commands(ctx, formatter)
            return
        with formatter.section("Commands"):
            formatter.write_dl([(name, text) for name, (_, text) in self.index.items()])


class ListingGroup(IndexedGroup):
    """A group whose bare name, with or without options, lists (R2)."""

    bare = "list"

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Put ``list`` before the options of a call that names no subcommand, unless that is being completed."""
        bare = not args and not ctx.resilient_parsing
        if bare or (args and args[0].startswith("-") and args[0] not in ("--help", "-h")):
            args = [self.bare, *args]
        return super().parse_args(ctx, args)

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        """Offer the subcommands, and the options of ``list``, which the bare name takes."""
        found = super().shell_complete(ctx, incomplete)
        if incomplete.startswith("-") and (command := self.get_command(ctx, self.bare)):
            found += command.shell_complete(click.Context(command, parent=ctx, resilient_parsing=True), incomplete)
        return found


@click.command(
    cls=IndexedGroup,
    index=COMMANDS,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110},
    epilog="Start with `salescli init`. Every command shows an example with --help; longer pages: `salescli help`.",
)
@click.option(
    "--db", "named", metavar="FILE", type=click.Path(readable=False), envvar="SALESCLI_DB",
    help="The SQLite file; by default $SALESCLI_DB, else sales.db in the user's data directory.",
)  # fmt: skip
@click.option(
    "--as", "as_login", metavar="LOGIN", envvar="SALESCLI_USER",
    help="Act for this user, who is named beside you in the history; by default $SALESCLI_USER, else for yourself.",
)  # fmt: skip
@click.option("--any-file-system", is_flag=True, help="Accept a file on a network file system or with hard links.")
@click.option(
    "--color", type=click.Choice(["auto", "always", "never"]), default="auto", show_default=True,
    help="Colour; NO_COLOR and FORCE_COLOR are obeyed.",
)  # fmt: skip
@click.version_option(__version__, "-V", "--version", prog_name="salescli", message="%(prog)s %(version)s")
@click.pass_context
def cli(ctx: click.Context, named: str | None, as_login: str | None, any_file_system: bool, color: str) -> None:
    """Orders, payments, recurring orders and sales reports of a small team, in one SQLite file."""
    ctx.obj = Session(named or caller.default_path(), any_file_system=any_file_system, as_login=as_login)
    ctx.call_on_close(ctx.obj.close)
    if caller.comes_through_sudo(ctx.obj.path):
        ctx.obj.sudo_uid = caller.sudo_uid()
        if ctx.get_parameter_source("named") is ParameterSource.COMMANDLINE:
            ctx.obj.check_not_through_sudo("--db")
        ctx.obj.path = caller.own_path()
        caller.forget_the_environment()
    ctx.color = _colored(color)


def _colored(choice: str) -> bool | None:
    """Return whether output is coloured; None leaves it to whether it goes to a terminal."""
    if choice != "auto":
        return choice == "always"
    if os.environ.get("NO_COLOR"):
        return False
    return True if os.environ.get("FORCE_COLOR") else None


def run(arguments: list[str]) -> int:
    """Run one command line and return its exit code, having said on stderr what went wrong.

    0 done, 1 failed, 2 usage, 3 not found, 4 not permitted, 5 wrong status, 6 bad data, 7 database, 75 locked, 130.
    """
    if not all(map(_is_text, arguments)):
        return _told("a word of this command line is not UTF-8 text; write it in UTF-8", 2)
    for name in ("SALESCLI_DB", "SALESCLI_USER", "XDG_DATA_HOME", "HOME"):
        if not _is_text(os.environ.get(name, "")):
            return _told(f"{name} in the environment is not UTF-8 text; write it in UTF-8", 2)
    try:
        result: Any = cli.main(arguments, prog_name="salescli", standalone_mode=False)
        sys.stdout.flush()
        return result if isinstance(result, int) else 0
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except (click.Abort, KeyboardInterrupt):
        return _told("interrupted; what was not finished was not written", 130)
    except SalesError as error:
        return _told(str(error), error.exit_code)
    except sqlite3.Error as error:
        failure = _database_failure(error)
        return _told(str(failure), failure.exit_code)
    except OSError as error:
        return _output_failed(error)
    except SystemExit as ended:  # so Click ends a completion; and so, with 1, when `| head` has seen enough
        return int(ended.code or 0) if "_SALESCLI_COMPLETE" in os.environ else 0


def _is_text(word: str) -> bool:
    """Tell whether a word is text throughout: Python keeps bytes that are none as lone surrogates."""
    return word.isascii() or not any("\udc80" <= character <= "\udcff" for character in word)


def _told(message: str, code: int) -> int:
    from salescli.cli.output import render

    render.say(f"salescli: {message}")
    return code


def _database_failure(error: sqlite3.Error) -> SalesError:
    if isinstance(error, (sqlite3.ProgrammingError, sqlite3.InterfaceError)):
        raise error  # a bug of ours shows its traceback
    if isinstance(error, sqlite3.OperationalError) and any(
        word in str(error) for word in ("no such", "syntax", "misuse", "ambiguous")
    ):
        raise error
    if isinstance(error, sqlite3.IntegrityError):
        raise error
    from salescli.storage import database

    return database.unusable(error, "the database")


def _output_failed(error: OSError) -> int:
    if error.errno == errno.EPIPE:  # `| head` has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    where = f"{error.filename}: " if error.filename else ""
    return _told(f"{where}{error.strerror or error}", 1)


pass_session = click.make_pass_decorator(Session)


def ask_first(question: str, *, yes: bool) -> None:
    """Ask before something that cannot be taken back. Raise BadUsage without a terminal and without --yes."""
    if not yes:
        check_terminal(question)
        click.confirm(question, abort=True, err=True)


def prompt(question: str, *, default: str) -> str:
    """Ask for a word, on a terminal. Raise BadUsage without one."""
    check_terminal(f"{question}?")
    answer: str = click.prompt(question, default=default, err=True)
    return answer


def on_a_terminal() -> bool:
    """Tell whether there is somebody to ask."""
    return sys.stdin.isatty() and sys.stderr.isatty()


def check_terminal(question: str) -> None:
    """Raise BadUsage when there is nobody to ask."""
    if not on_a_terminal():
        raise BadUsage(f"{question} Without a terminal to ask on, say --yes")
