"""A command on a database of another machine that names files of this one: they go through the pipes of ssh.

``run``: the command's parameters that are files -> ``-`` in their places -> ssh, reading FILE, writing ``-o FILE``
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import click

from salescli.cli import options, remote
from salescli.cli.output.contract import Output
from salescli.cli.output.destination import bytes_of
from salescli.cli.paths import FilePath
from salescli.cli.remote import Place
from salescli.errors import BadUsage, SalesError

_OUTPUTS = ("--output", "--xlsx", "--html")


def run(place: Place, program: click.Group) -> int:
    """Run a command line there, with FILE and ``-o FILE`` of this machine, and return its exit code.

    Raise BadUsage for two outputs, or a file that cannot go through a pipe, such as that of --rejects.
    """
    words, source, target = _through_pipes(place, program)
    if source:
        with source.open("rb") as file:
            os.dup2(file.fileno(), 0)
    there = place._replace(words=words)
    if target is None:
        remote.become(there)
    with bytes_of(Output(file=target)) as stream:
        ended = subprocess.run(there.command(), stdout=stream, check=False)
        if ended.returncode > 1:  # 1 is also what doctor ends with when it has found something
            raise _Ended(ended.returncode)
    return ended.returncode


class _Ended(SalesError):
    """The program there failed, and has said why: the file here stays as it was."""

    def __init__(self, code: int) -> None:
        super().__init__("the file here was not written")
        self.exit_code = code


def _through_pipes(place: Place, program: click.Group) -> tuple[list[str], Path | None, Path | None]:
    """Return a command line with ``-`` in place of its files, the file to read and the one to write."""
    words, source, target = place.words, None, None
    at, command = _command(program, words)
    for param, value in _files(command, words[at:]):
        if value == "-":
            continue
        if not param.type.allow_dash:  # type: ignore[attr-defined]
            raise BadUsage(
                f"{_name(param)} would be on {place.host}, not here; run it there: ssh {place.host} salescli …"
            )
        if param.opts[-1] not in _OUTPUTS:
            source = _readable(Path(value))
            words = _replaced(words, at, command, param, value)
        elif target:
            raise BadUsage("a command writes one file; give one of --output, --xlsx and --html")
        else:
            target = Path(value)
            words = _written(_replaced(words, at, command, param, value), words, param, target)
    if "--open" in words:
        raise BadUsage(f"--open would open a browser on {place.host}; leave it out, and open the file here")
    return words, source, target


def _readable(file: Path) -> Path:
    if file.is_dir():
        raise BadUsage(f"{file} is a folder, which cannot be sent to another machine; give one file")
    if not file.exists():
        raise BadUsage(f"{file}: there is no such file on this machine")
    return file


def _command(program: click.Command, words: Sequence[str]) -> tuple[int, click.Command]:
    """Return where the own words of a command begin, and the command, as far as it is understood here."""
    at, command = remote.leading(words), program
    while isinstance(command, click.Group) and at < len(words) and words[at] in command.commands:
        at, command = at + 1, command.commands[words[at]]
    bare = getattr(command, "bare", None)
    return at, command.commands[bare] if bare and isinstance(command, click.Group) else command


def _files(command: click.Command, words: Sequence[str]) -> list[tuple[click.Parameter, str]]:
    """Return the parameters of a command that name files, with their values."""
    given = _parsed(command, words)
    files = [param for param in command.params if isinstance(param.type, FilePath)]
    return [(param, value) for param in files if isinstance(value := given.get(param.name or ""), str)]


def _parsed(command: click.Command, words: Sequence[str]) -> Mapping[str, Any]:
    """Return what is given to each parameter, unchecked; nothing if Click cannot read it: that is answered there."""
    try:
        return command.make_parser(click.Context(command)).parse_args(list(words))[0]
    except click.UsageError:
        return {}


def _replaced(words: Sequence[str], at: int, command: click.Command, param: click.Parameter, value: str) -> list[str]:
    """Return the words with ``-`` in the one place where it reaches a parameter: Click says where, not a guess."""
    for place in range(at, len(words)):
        if words[place].endswith(value):
            tried = [*words[:place], words[place].removesuffix(value) + "-", *words[place + 1 :]]
            if _parsed(command, tried[at:]).get(param.name or "") == "-":
                return tried
    raise AssertionError(f"{value} is not among {words}")


def _written(replaced: list[str], words: Sequence[str], param: click.Parameter, target: Path) -> list[str]:
    """Return the words with the format that the name of ``-o FILE`` ends in, which is not sent."""
    chosen = {"--format", "--csv", "--json", "-q", "--quiet", "--excel"} & {word.partition("=")[0] for word in words}
    if param.opts[-1] != "--output" or chosen:
        return replaced
    format = options.by_ending(target)
    if format not in ("xlsx", "html"):
        return [*replaced, "--format", format]
    changed = next(place for place, word in enumerate(replaced) if word != words[place])
    separate = replaced[changed] == "-"
    return [*replaced[: changed - separate], f"--{format}", "-", *replaced[changed + 1 :]]


def _name(param: click.Parameter) -> str:
    return param.opts[-1] if param.param_type_name == "option" else (param.metavar or "FILE").strip("[]")
