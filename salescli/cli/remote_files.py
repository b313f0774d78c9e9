"""A command on a database of another machine that names files of this one: they go through the pipes of ssh.

``run``: the command's parameters that are files -> ``-`` in their places -> ssh, reading FILE, writing ``-o FILE``
There: ``receive`` -> the command, when all of FILE has arrived
"""

from __future__ import annotations

import os
import shutil
import stat
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, BinaryIO

import click

from salescli.cli import options, remote
from salescli.cli.output.contract import Output
from salescli.cli.output.destination import bytes_of
from salescli.cli.paths import FilePath
from salescli.cli.remote import Place
from salescli.errors import BadData, BadUsage, SalesError
from salescli.rules import numbers

_OUTPUTS = ("--output", "--xlsx", "--html")


def run(place: Place, program: click.Group) -> int:
    """Run a command line there, with FILE and ``-o FILE`` of this machine, and return its exit code.

    Raise BadUsage for two outputs, or a file that cannot go through a pipe, such as that of --rejects.
    """
    words, source, target = _through_pipes(place, program)
    sent = _sent_from(source) if source or _reads_stdin(program, words) else ""
    there = place._replace(words=words)
    if target is None:
        remote.become(there, sent)
    mark = f"salescli:{os.urandom(8).hex()}"
    with bytes_of(Output(file=target)) as stream:
        code = _fetched(there.command(sent=sent, mark=mark), mark.encode(), stream)
        if code and (code != 1 or words[remote.leading(words)] != "doctor"):  # with 1, doctor has found something
            raise _Ended(code)
    return code


def asks_for_help(place: Place, program: click.Group) -> bool:
    """Return whether a command line asks for help, which is of this machine: `-h` may also be a value."""
    at, command = _command(program, place.words)
    option = command.get_help_option(_context(command))
    asked = option and _parsed(command, place.words[at:]).get(option.name or "")
    return bool(asked or {"-h", "--help"} & {*place.words[:at]})


def receive(sent: str) -> None:
    """Read so many bytes, all that was sent, before a command begins. Raise BadData if the connection was cut."""
    if sent and (arrived := _spooled()) != sent:
        raise BadData(f"the connection was cut: {arrived} of {sent} bytes arrived; nothing was changed")


def _reads_stdin(program: click.Group, words: Sequence[str]) -> bool:
    """Return whether a command reads numbers or a file from stdin, for ``-``, and nobody types them."""
    at, command = _command(program, words)
    given = _parsed(command, words[at:])
    reading = (param for param in command.params if param.opts[-1] not in _OUTPUTS)
    several = (given.get(param.name or "") for param in reading if param.nargs == -1 or _is_file(param))
    return any(value == "-" or (isinstance(value, tuple) and "-" in value) for value in several) and not (
        sys.stdin.isatty()
    )


def _sent_from(source: Path | None) -> str:
    """Let stdin be a file, or all of what stdin is, and return its size in bytes."""
    if source:
        with source.open("rb") as file:
            os.dup2(file.fileno(), 0)
    state = os.fstat(0)
    return str(state.st_size - os.lseek(0, 0, os.SEEK_CUR)) if stat.S_ISREG(state.st_mode) else _spooled()


def _spooled() -> str:
    """Let stdin be a file with all that is still to come on it, and return its size in bytes."""
    with tempfile.TemporaryFile() as file, open(0, "rb", closefd=False) as stdin:
        shutil.copyfileobj(stdin, file)
        size = file.tell()
        file.seek(0)
        os.dup2(file.fileno(), 0)
    return str(size)


def _fetched(command: Sequence[str], mark: bytes, stream: BinaryIO) -> int:
    """Write what comes after the line of the mark to a stream, and return the exit code."""
    try:
        ssh = subprocess.Popen(command, stdout=subprocess.PIPE)
    except OSError as error:
        raise remote.no_ssh(error) from None
    with ssh:
        assert ssh.stdout
        for line in ssh.stdout:
            if line.rstrip().endswith(mark):
                shutil.copyfileobj(ssh.stdout, stream)
        stream.flush()
    return ssh.returncode


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
            replaced = _replaced(words, at, command, param, value)
            words = _written(replaced, words, _parsed(command, words[at:]), param, target)
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
    while isinstance(command, click.Group) and at < len(words):
        name = (
            words[at] if len(words[at]) < 2 or words[at] in command.commands else numbers.plural(words[at])
        )  # as Click understands it
        if name not in command.commands:
            break
        at, command = at + 1, command.commands[name]
    bare = getattr(command, "bare", None)
    return at, command.commands[bare] if bare and isinstance(command, click.Group) else command


def _files(command: click.Command, words: Sequence[str]) -> list[tuple[click.Parameter, str]]:
    """Return the parameters of a command that name files, with their values."""
    given = _parsed(command, words)
    files = filter(_is_file, command.params)
    return [(param, value) for param in files if isinstance(value := given.get(param.name or ""), str)]


def _is_file(param: click.Parameter) -> bool:
    return isinstance(param.type, FilePath)


def _parsed(command: click.Command, words: Sequence[str]) -> Mapping[str, Any]:
    """Return what is given to each parameter, unchecked; nothing if Click cannot read it: that is answered there."""
    try:
        return command.make_parser(_context(command)).parse_args(list(words))[0]
    except click.UsageError:
        return {}


def _context(command: click.Command) -> click.Context:
    return click.Context(command, help_option_names=["-h", "--help"])


def _replaced(words: Sequence[str], at: int, command: click.Command, param: click.Parameter, value: str) -> list[str]:
    """Return the words with ``-`` in the one place where it reaches a parameter: Click says where, not a guess."""
    for place in range(at, len(words)):
        if words[place].endswith(value):
            tried = [*words[:place], words[place].removesuffix(value) + "-", *words[place + 1 :]]
            if _parsed(command, tried[at:]).get(param.name or "") == "-":
                return tried
    raise AssertionError(f"{value} is not among {words}")


def _written(
    replaced: list[str], words: Sequence[str], given: Mapping[str, Any], param: click.Parameter, target: Path
) -> list[str]:
    """Return the words with the format that the name of ``-o FILE`` ends in, which is not sent."""
    if param.opts[-1] != "--output" or given.get("short") or given.get("format") or given.get("excel"):
        return replaced
    format = options.by_ending(target)
    changed = next(place for place, word in enumerate(replaced) if word != words[place])
    if format not in ("xlsx", "html"):
        return [*replaced[: changed + 1], "--format", format, *replaced[changed + 1 :]]
    before = changed - 1 if replaced[changed] == "-" else changed
    option = replaced[before].removesuffix("-")
    others = [option[:-1]] if not option.startswith("--") and len(option) > 2 else []  # -qo holds -q
    return [*replaced[:before], *others, f"--{format}", "-", *replaced[changed + 1 :]]


def _name(param: click.Parameter) -> str:
    return param.opts[-1] if param.param_type_name == "option" else (param.metavar or "FILE").strip("[]")
