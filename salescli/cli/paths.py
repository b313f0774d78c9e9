"""Files and programs that the caller names; refused through sudo to a service account."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from typing import Any

import click

from salescli.cli.session import Session


class FilePath(click.Path):
    """A file that the caller names; every option and argument that names one is of this type.

    Refused through sudo, before it is opened: `-o FILE` would overwrite a service account's own files. ``dash``: `-`
    means stdin or stdout.
    """

    def __init__(self, *, dash: bool = False, dir_okay: bool = False) -> None:
        super().__init__(dir_okay=dir_okay, allow_dash=dash)

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Return the path. Raise NotPermitted."""
        from pathlib import Path  # see docs/start.md

        if not (self.allow_dash and str(value) == "-"):
            _refuse_through_sudo(param, ctx, "; give -, and let your shell open it" if self.allow_dash else "")
        return Path(os.fsdecode(super().convert(value, param, ctx)))


class Outside(click.types.StringParamType):
    """A word that may choose a program, or a secret in the environment; refused through sudo as a path is.

    ``harmless``: words that are always accepted; ``known`` returns more of them when a word is given.
    """

    def __init__(self, *harmless: str, known: Callable[[], Iterable[str]] = tuple) -> None:
        self._harmless, self._known = harmless, known

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Return the word. Raise NotPermitted."""
        if value not in (*self._harmless, *self._known()):
            _refuse_through_sudo(param, ctx, "")
        return super().convert(value, param, ctx)


def _refuse_through_sudo(param: click.Parameter | None, ctx: click.Context | None, instead: str) -> None:
    session = ctx.find_object(Session) if ctx else None
    if session and param:
        session.check_not_through_sudo(param.opts[-1] if param.param_type_name == "option" else "FILE", instead)
