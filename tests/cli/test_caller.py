"""Who calls through sudo: SUDO_UID is believed where the effective user owns the file, and then nobody names a path."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import click
import pytest

from salescli.cli.paths import FilePath, Outside
from tests.project.test_architecture import COMMANDS
from tests.rules.test_permissions import FURTHER

if TYPE_CHECKING:
    from tests.conftest import House

_RUN_EACH = """
import contextlib, io, json, os, sys
from salescli.cli.main import run
environment = dict(os.environ)
told = []
for call in json.load(sys.stdin):
    os.environ.update(environment)
    with contextlib.redirect_stderr(io.StringIO()) as said, contextlib.redirect_stdout(io.StringIO()):
        told.append((run(call), said.getvalue()))
json.dump(told, sys.stdout)
"""
_WORDS = {"file", "path", "folder", "directory", "program", "command", "gateway", "env", "rejects", "output"}


def _outside(param: click.Parameter) -> bool:
    """Tell whether a parameter names what is outside of the database, by its type or by its names."""
    if isinstance(param, click.Option) and param.is_flag:
        return False
    if "--gateway-id" in param.opts:  # a number of the payment system's, which is only recorded
        return False
    named = {word for name in (*param.opts, param.metavar or "") for word in re.split(r"[-_]", name.lower())}
    return isinstance(param.type, (click.Path, click.File)) or bool(named & _WORDS)


OUTSIDE = [
    pytest.param(path, command, param, id=" ".join((*path, param.opts[-1])))
    for path, command in COMMANDS
    for param in command.params
    if path and _outside(param)
]


@pytest.mark.parametrize(("path", "command", "param"), OUTSIDE)
def test_what_names_a_path_or_a_program_is_of_the_type_that_sudo_refuses(
    path: tuple[str, ...], command: click.Command, param: click.Parameter
) -> None:
    assert isinstance(param.type, (FilePath, Outside))


def _calls() -> Iterator[list[str]]:
    """Yield a call with each such parameter, and with what the command needs beside it."""
    for case in OUTSIDE:
        path, command, param = cast("tuple[tuple[str, ...], click.Command, click.Parameter]", case.values)
        call: list[Any] = [*path, *FURTHER.get(" ".join(path), [])]
        for needed in command.params:
            if needed is not param and needed.required:
                word = "-" if needed.name == "file" else "1"
                call += [word] if isinstance(needed, click.Argument) else [needed.opts[-1], "x"]
        yield [*call, "x.csv"] if isinstance(param, click.Argument) else [*call, param.opts[-1], "x.csv"]


@pytest.mark.of_files("sudo is believed by its owner")
def test_every_one_of_them_is_refused_through_sudo_before_anything_is_looked_at(house: House, tmp_path: Path) -> None:
    before = sorted(tmp_path.iterdir())
    calls = [["--db", house.run.named, "orders", "list"], *_calls()]
    ran = subprocess.run(
        [sys.executable, "-c", _RUN_EACH],
        input=json.dumps(calls),
        env={**os.environ, "SUDO_UID": f"{os.geteuid()}", "SALESCLI_DB": house.run.named},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
    )
    told = json.loads(ran.stdout)
    assert len(told) > 40
    assert [call for call, (code, said) in zip(calls, told, strict=True) if code != 4] == []
    assert all("is refused through sudo" in said for _, said in told)
    assert sorted(tmp_path.iterdir()) == before


def _ran(house: House, *words: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "salescli", *words],
        env={**os.environ, "SALESCLI_DB": house.run.named, **environment},
        capture_output=True,
        text=True,
    )


@pytest.mark.parametrize("uid", ["", "x", "-1", " 0", "٠", "99999999999"])
@pytest.mark.of_files("sudo is believed by its owner")
def test_a_sudo_uid_that_is_none_is_nobody(house: House, uid: str) -> None:
    ran = _ran(house, "orders", "list", SUDO_UID=uid)
    assert ran.returncode == 4
    assert ran.stderr.startswith("salescli: SUDO_UID is ")


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file to another user")
@pytest.mark.of_files("sudo is believed by its owner")
def test_sudo_uid_means_nothing_where_the_effective_user_does_not_own_the_file(house: House, tmp_path: Path) -> None:
    os.chown(house.path, 65534, 65534)
    assert _ran(house, "users", "list", "-o", str(tmp_path / "out.csv"), SUDO_UID="1").returncode == 0
    assert (tmp_path / "out.csv").exists()


def test_the_page_s_own_words_are_shown_through_sudo_too(house: House) -> None:
    ran = _ran(house, "help", "several-people", SUDO_UID="1")
    assert ran.returncode == 0
    assert ran.stdout.startswith("# Several people")
