"""What stands around the program: the scripts that cron runs, crontab.example, the README, the pages, the set-up."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path
from time import monotonic, sleep

import pytest

from salescli.gateways import sandbox
from salescli.imports import order_row, recurring
from tests import PROJECT

SCRIPTS = PROJECT / "scripts"
DOCS = PROJECT / "salescli" / "docs"
_OF_TEST = ("awk", "cat", "chmod", "cksum", "df", "dirname", "env", "grep", "mktemp", "rm", "sleep")


# Pages that follow the code


def test_the_page_on_gateways_has_every_token_of_the_sandbox() -> None:
    page = (DOCS / "gateways.md").read_text(encoding="utf-8")

    assert sandbox.__doc__
    assert set(re.findall(r"tok_\w+", page)) == set(re.findall(r"tok_\w+", sandbox.__doc__))


@pytest.mark.parametrize(
    ("heading", "columns", "required"),
    [
        pytest.param("In: orders", order_row.COLUMNS, order_row.REQUIRED, id="orders"),
        pytest.param("In: recurring orders", recurring.COLUMNS, recurring.REQUIRED, id="recurring orders"),
    ],
)
def test_the_page_on_spreadsheets_has_every_column(
    heading: str, columns: tuple[str, ...], required: tuple[str, ...]
) -> None:
    page = (DOCS / "spreadsheets.md").read_text(encoding="utf-8")
    table = page.partition(f"\n## {heading}\n")[2].partition("\n## ")[0]
    named = [line.split(" | ")[0] for line in table.splitlines() if line.startswith("| `")]
    told = re.findall(r"`(\w+)`(\*?)", "\n".join(named))

    assert {name for name, _ in told} == set(columns)
    assert {name for name, star in told if star} == set(required)


# The set-up


@pytest.mark.parametrize("script", ["demo", "test", "check"])
def test_a_script_says_that_python_is_missing(tmp_path: Path, script: str) -> None:
    project = _copied(tmp_path)

    ran = _run(project, script, tools=("dirname", "grep", "env"))

    assert ran.returncode == 1
    assert "there is no python3 on PATH" in ran.stderr
    assert not (project / ".venv").exists()


@pytest.mark.parametrize(
    ("python", "told"),
    [
        pytest.param("import sys; sys.version_info = (3, 9, 18)", "too old", id="an old one"),
        pytest.param("import sys; sys.modules['venv'] = None", "has no module venv", id="without venv"),
        pytest.param("import sys; sys.modules['ensurepip'] = None", "has no module ensurepip", id="without ensurepip"),
        pytest.param("import sys; sys.modules['sqlite3'] = None", "has no module sqlite3", id="without sqlite3"),
        pytest.param("import sqlite3; sqlite3.sqlite_version_info = (3, 31, 1)", "has SQLite", id="an old SQLite"),
    ],
)
def test_a_script_names_what_a_python_lacks(tmp_path: Path, python: str, told: str) -> None:
    project = _copied(tmp_path)
    tools = tmp_path / "bin"
    tools.mkdir()
    lacking = tools / "python3"
    lacking.write_text(
        f'#!/bin/sh\nexec "{sys.executable}" -c "{python}\nimport sys\nexec(sys.stdin.read())"\n', encoding="utf-8"
    )
    lacking.chmod(0o700)

    ran = _run(project, "test", tools=("dirname", "grep", "env"))

    assert ran.returncode == 1
    assert told in ran.stderr
    assert "Traceback" not in ran.stderr
    assert not (project / ".venv").exists()


@pytest.mark.parametrize(("end", "code"), [("exit 3", 3), ("kill -KILL $$", -9)])
def test_temporary_files_of_tests_are_removed_however_they_end(tmp_path: Path, end: str, code: int) -> None:
    project = _copied(tmp_path)
    _pretend(project, f'echo "${{TMPDIR:-none}}"; [ -z "${{TMPDIR:-}}" ] || touch "$TMPDIR/made"; {end}')

    ran = [_run(project, "test", tools=_OF_TEST) for _ in range(2)]

    folders = [one.stdout.strip() for one in ran]
    if folders == ["none", "none"]:
        pytest.skip("there is no room in memory")
    assert [one.returncode for one in ran] == [code, code]
    assert len({*folders}) == 2
    deadline = monotonic() + 30
    while any(Path(folder).exists() for folder in folders):
        assert monotonic() < deadline
        sleep(0.1)


def test_tests_keep_a_place_for_temporary_files_that_they_are_given(tmp_path: Path) -> None:
    project = _copied(tmp_path)
    _pretend(project, 'echo "$TMPDIR"')

    assert _run(project, "test", tools=_OF_TEST, TMPDIR=str(tmp_path)).stdout == f"{tmp_path}\n"


def _pretend(project: Path, tests: str) -> None:
    """Make an environment that seems to be set up, where a line of shell stands for the tests."""
    (project / ".venv" / "bin").mkdir(parents=True)
    (project / ".venv" / "stand-by").mkdir()
    (project / ".venv" / "bin" / "pip").write_text(f"#!{project}/.venv/bin/python\n", encoding="utf-8")
    python = project / ".venv" / "bin" / "python"
    python.write_text(f'#!/bin/sh\nif [ "$1" = -m ]; then {tests}; fi\n', encoding="utf-8")
    python.chmod(0o700)
    stamp = subprocess.run(["cksum", "setup.cfg", "pyproject.toml"], cwd=project, capture_output=True, text=True)
    (project / ".venv" / "installed-test").write_text(stamp.stdout, encoding="utf-8")


def _copied(tmp_path: Path) -> Path:
    """Return a copy of what the set-up reads, below a folder with a space in its name."""
    project = tmp_path / "a project"
    shutil.copytree(SCRIPTS, project / "scripts")
    for name in ("setup.cfg", "pyproject.toml"):
        shutil.copy(PROJECT / name, project)
    return project


def _run(project: Path, script: str, tools: tuple[str, ...], **more: str) -> subprocess.CompletedProcess[str]:
    """Run a script with nothing on PATH but a few tools and what stands in bin/ already."""
    folder = project.parent / "bin"
    folder.mkdir(exist_ok=True)
    for tool in tools:
        found = shutil.which(tool)
        assert found
        if not (folder / tool).exists():
            (folder / tool).symlink_to(found)
    return subprocess.run(
        ["/bin/sh", str(project / "scripts" / script)],
        cwd=project.parent,
        env={"PATH": str(folder), "HOME": str(project.parent), **more},
        capture_output=True,
        text=True,
    )
