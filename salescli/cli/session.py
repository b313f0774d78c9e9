"""The context of a command: the database, opened when first used, who acts, when."""

from __future__ import annotations

import os
from functools import cached_property
from typing import TYPE_CHECKING

import click
from click.core import ParameterSource

from salescli.cli import caller, remote
from salescli.errors import BadUsage, DatabaseUnusable, NotPermitted, OlderVersion
from salescli.rules import time
from salescli.storage import engine

# The rest is imported where it is used, so that --help and completion start as fast as Click lets them.
if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime
    from zoneinfo import ZoneInfo

    from salescli.catalogue.payment_systems import PaymentSystem
    from salescli.gateways.protocol import Gateway
    from salescli.rules.permissions import Actor
    from salescli.storage.work import Work


# The commands that are about payments which tick makes. doctor has its own finding; others, in a new shop or on a copy,
# would say it all day to people who cannot change it.
_OF_TICK = ("recurring", "todo", "charging", "explain")


class Session:
    """The context of a command; the database is opened when first used, so --help never opens one.

    ``others``: the databases of further shops, of reports only. ``as_login``: the user they act for, None: themselves.
    """

    def __init__(
        self,
        path: str,
        *,
        others: Sequence[str] = (),
        any_file_system: bool = False,
        as_login: str | None = None,
    ) -> None:
        self.path = path
        self.others = others
        self.any_file_system = any_file_system
        self.as_login = as_login
        self.sudo_uid: int | None = None  # who came through sudo to a service account's file: names no path, no program
        self._began = time.now(), time.uptime()
        self._gateways: dict[int, Gateway] = {}

    @property
    def now(self) -> datetime:
        """The time, as the clock showed it at first and as it has gone on since: a question may wait for an answer.

        Of a shop on a server it is the server's: hosts whose clocks differ would take over one another's payments.
        """
        if engine.is_url(self.path):
            assert self.file
        return time.on_from(*self._began)

    @cached_property
    def file(self) -> engine.Connection:
        """The open database, without a check of permissions. Raise DatabaseUnusable."""
        from salescli.storage import database

        if self.any_file_system and engine.is_url(self.path):
            raise BadUsage("--any-file-system is for a database in a file; for a shop on a server, leave it out")
        try:
            opened = database.connect(self.path, any_file_system=self.any_file_system)
        except OlderVersion as error:
            raise error.naming(self.program) from None
        self._opened = _identity(self.path)
        if there := engine.server(opened):
            self._began = there.clock(), time.uptime()
        return opened

    @property
    def beside(self) -> str:
        """The path beside which this machine keeps what belongs to the database: locks, letters, a sandbox."""
        from salescli.storage import place

        return place.beside(self.path)

    def check_is_a_file(self, instead: str) -> None:
        """Raise BadUsage for a shop on a server; what ``instead`` names is for that."""
        if engine.is_url(self.path):
            raise BadUsage(f"{self.command} is for a database in a file; for a shop on a server, {instead}")

    @cached_property
    def actor(self) -> Actor:
        """The registered user of the operating system's real uid. Raise NotPermitted for a stranger.

        With --as, that user acting for another, with the other's permissions. Raise NotPermitted if they may not.
        """
        from salescli.catalogue import actors

        real = actors.acting(self.file, self.login)
        actor = real if self.as_login is None else actors.acting_as(self.file, real, self.as_login)
        return actor._replace(command=self.command)

    @property
    def login(self) -> str:
        """Who calls: by the word of the server that holds the shop, else of the operating system."""
        if there := engine.server(self.file):
            return there.login()
        return caller.os_login() if self.sudo_uid is None else caller.login_of(self.sudo_uid)

    @property
    def program(self) -> str:
        """The program with its global options, so that a suggested command works on the same database."""
        import shlex

        ctx = click.get_current_context().find_root()
        given = self.path if ctx.get_parameter_source("named") is ParameterSource.COMMANDLINE else ""
        named = os.environ.get(remote.SHOWN, given)
        words = ["salescli", *(["--db", named] if named else [])]
        words += ["--as", self.as_login] if self.as_login else []
        return shlex.join(words + (["--any-file-system"] if self.any_file_system else []))

    @property
    def command(self) -> str:
        """The words of the command that runs, as typed, without its arguments: ``orders check``."""
        return click.get_current_context().command_path.partition(" ")[2]

    @cached_property
    def connection(self) -> engine.Connection:
        """The open database, for users who may view it: others do not even learn what is missing.

        Commands that view no records, such as tick, use ``file`` and check their own permission.
        """
        from salescli.rules import permissions

        self.actor.require(permissions.VIEW)
        if self.command.split()[0] in _OF_TICK:
            self._warn_of_a_late_tick()
        return self.file

    def _warn_of_a_late_tick(self) -> None:
        from salescli.charging import tick_log
        from salescli.cli.output.terminal import say

        if warning := tick_log.is_late(self.file, self.now):
            say(f"salescli: warning: {warning}")

    def gateway(self, system: PaymentSystem) -> Gateway:
        """Return the gateway of a payment system, opened once per run."""
        from pathlib import Path

        from salescli.gateways import registry

        if system.id not in self._gateways:
            environment = tuple(system.environment.split())
            self._gateways[system.id] = registry.open_gateway(system.gateway, Path(self.beside), environment)
        return self._gateways[system.id]

    @cached_property
    def zone(self) -> ZoneInfo:
        """The account's time zone."""
        from salescli.storage import database

        assert self.actor  # raises for an unregistered user
        return database.zone(self.file)

    @property
    def work(self) -> Work:
        """The context of an operation on this database, for a user who may view it."""
        from salescli.storage.work import Work

        return Work(self.connection, self.actor, self.now, self.zone)

    @cached_property
    def shops(self) -> dict[str, Session]:
        """The database of each shop by its name: the file's, the server's name for it, or all of it if two are alike.

        Raise BadUsage for one file twice, by whatever names: its money would count twice.
        """
        paths = [self.path, *self.others]
        if len({_identity(path) for path in paths}) < len(paths):
            raise BadUsage("two of the databases are one file, whose money would count twice; name each once")
        called = [_called(path) for path in paths]
        names = called if len(set(called)) == len(called) else paths
        others = [Session(path, any_file_system=self.any_file_system, as_login=self.as_login) for path in self.others]
        return dict(zip(names, [self, *others], strict=True))

    def check_no_copies(self) -> None:
        """Raise BadUsage if two shops are copies of one database: they are at home in one place."""
        from salescli.storage import database

        at: dict[str, str] = {}
        for shop in self.shops.values():
            home = database.setting(shop.file, "home")
            if home and at.setdefault(home, shop.path) != shop.path:
                raise BadUsage(
                    f"{at[home]} and {shop.path} are copies of one database, whose money would count twice;"
                    " leave one out"
                )

    @property
    def is_replaced(self) -> bool:
        """Whether another file has taken the database's place since it was opened."""
        return "file" in vars(self) and _identity(self.path) != self._opened

    def check_in_place(self) -> None:
        """Raise DatabaseUnusable if another file has taken the database's place since it was opened.

        SQLite would go on with the old one, and take a journal of the new one, which has its name, for its own.
        """
        if self.is_replaced:
            from salescli.storage import database

            raise DatabaseUnusable(f"{self.path} {database.REPLACED}")

    def reopen(self) -> None:
        """Open the database again at its next use, if its file was replaced meanwhile."""
        if "file" in vars(self):
            self.file.close()
        for name in ("file", "connection"):
            vars(self).pop(name, None)

    def close(self) -> None:
        """Close the databases that were opened."""
        if "file" in vars(self):
            self.file.close()
        for other in vars(self).get("shops", {}).values():
            if other is not self:
                other.close()

    def check_not_through_sudo(self, what: str, instead: str = "") -> None:
        """Raise NotPermitted where ``what`` would be done with a service account's rights in place of the caller's."""
        if self.sudo_uid is not None:
            account = caller.login_of(os.geteuid())
            raise NotPermitted(
                f"{what} is refused through sudo: it would be done with the rights of {account}{instead}"
            )


def _identity(path: str) -> tuple[int, int] | str:
    """Return what a file is known by under every name: hard links have several."""
    try:
        state = os.stat(path)  # noqa: PTH116 - see docs/start.md
    except OSError:  # it is missing, which is said when it is opened
        return os.path.realpath(path)
    return state.st_dev, state.st_ino


def _called(path: str) -> str:
    """Return the name of a shop: its file's, or that of the database on a server."""
    if engine.is_url(path):
        return path.partition("?")[0].rpartition("/")[2]
    from pathlib import Path  # see docs/start.md

    return Path(path).stem


pass_session = click.make_pass_decorator(Session)
