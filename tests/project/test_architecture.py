"""The house keeps its promises: what a command loads, that help needs no file, that what is public is explained.

The layers themselves stand in setup.cfg; scripts/check holds the imports to them.
"""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import click
import pytest

import salescli
from salescli.cli.groups import IndexedGroup
from salescli.cli.main import cli
from tests.terminal import Run

if TYPE_CHECKING:
    from tests.conftest import House

PACKAGE = Path(salescli.__file__).parent
SLOW_TO_IMPORT = {
    "sqlite_utils",
    "tabulate",
    "dateutil",
    "stripe",
    "xlsxwriter",
}  # up to 80 ms each, and most calls need none

_LOADED_BY = """
import sys
from salescli.cli.main import run
code = run(sys.argv[1:])
print("\\n".join(sys.modules), file=sys.stderr)
sys.exit(code)
"""


@pytest.mark.parametrize(
    ("arguments", "allowed"),
    [
        pytest.param(["--help"], set(), id="the help"),
        pytest.param(["orders", "list", "--help"], set(), id="the help of a list"),
        pytest.param(["orders", "list", "--csv"], set(), id="a list as CSV"),
        pytest.param(["orders", "list"], {"tabulate"}, id="a list as a table"),
        pytest.param(["reports", "by-offer", "--csv"], set(), id="a report as CSV"),
        pytest.param(["reports", "by-offer"], {"tabulate"}, id="a report as a table"),
        pytest.param(["orders", "show", "1", "--json"], set(), id="a record as JSON"),
        pytest.param(["history", "--csv"], set(), id="the history"),
    ],
)
def test_a_command_that_reads_loads_nothing_slow(house: House, arguments: list[str], allowed: set[str]) -> None:
    _sell(house)

    loaded = {name.partition(".")[0] for name in _loaded(house, arguments)}

    assert loaded & SLOW_TO_IMPORT <= allowed
    assert "salescli" in loaded


# What a list needs none of: the operations and what they need, and modules that cost more than a list's own work.
NOT_OF_A_LIST = {
    "salescli.catalogue.offers", "salescli.catalogue.payment_systems", "salescli.charging.pay", "salescli.gateways",
    "salescli.sales.attempts", "salescli.sales.attribution", "salescli.sales.invoices", "salescli.sales.orders",
    "salescli.sales.recurring",
    "decimal", "email", "fractions", "importlib.metadata", "pathlib", "secrets", "socket", "zipfile",
}  # fmt: skip


@pytest.mark.of_files("what a list from one imports")
@pytest.mark.parametrize("tab", ["orders", "payments", "recurring"])
@pytest.mark.parametrize("more", [["list"], ["list", "--csv"], ["list", "--help"], ["--help"]], ids=" ".join)
def test_a_list_loads_no_operation(house: House, tab: str, more: list[str]) -> None:
    _sell(house)

    loaded = _loaded(house, [tab, *more])

    assert "salescli.cli.commands.lists" in loaded
    assert not loaded & NOT_OF_A_LIST


def _loaded(house: House, arguments: list[str]) -> set[str]:
    """Return the modules that a process loads to run a command line."""
    ran = subprocess.run(
        [sys.executable, "-c", _LOADED_BY, "--db", house.run.named, *arguments], capture_output=True, text=True
    )
    assert ran.returncode == 0, ran.stderr
    return set(ran.stderr.splitlines())


def _sell(house: House) -> None:
    """Make one order, so that every list has a row."""
    house.offer()
    house.customer(email="olena@example.com")
    ran = house.run("orders", "new", "olena@example.com", "1")
    assert ran.code == 0, ran.err


def test_tick_with_nothing_due_loads_nothing_slow(house: House) -> None:
    assert not {name.partition(".")[0] for name in _loaded(house, ["tick"])} & SLOW_TO_IMPORT


def test_an_import_of_our_own_columns_loads_nothing_of_other_files(house: House, tmp_path: Path) -> None:
    file = tmp_path / "orders.csv"
    file.write_text("order,created_at,status,customer,offer,price,currency\n1,2026-01-01,open,Ann,Course,49.00,EUR\n")

    assert not _loaded(house, ["import", "orders", str(file)]) & {
        "openpyxl", "salescli.cli.mapping_dialogue", "salescli.imports.propose", "xml.etree.ElementTree", "zipfile",
    }  # fmt: skip


def _commands(command: click.Command, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], click.Command]]:
    """Yield every command with the words that call it, groups before what is in them."""
    yield path, command
    if isinstance(command, click.Group):
        context = click.Context(command, info_name=" ".join(path) or "salescli")
        for name in command.list_commands(context):
            found = command.get_command(context, name)
            assert found is not None
            yield from _commands(found, (*path, name))


COMMANDS = list(_commands(cli))


INDEXED = [(path, group) for path, group in COMMANDS if isinstance(group, IndexedGroup) and group.index]


@pytest.mark.parametrize(
    ("path", "group"), [pytest.param(path, group, id=" ".join(("salescli", *path))) for path, group in INDEXED]
)
def test_an_index_names_each_command_of_its_group_once(path: tuple[str, ...], group: IndexedGroup) -> None:
    context = click.Context(group)

    assert list(group.commands) == list(group.index), "the index hides the others"
    for name in group.index:
        assert (command := group.get_command(context, name)) is not None
        assert command.name == name


@pytest.mark.parametrize("path", [pytest.param(path, id=" ".join(("salescli", *path))) for path, _ in COMMANDS])
def test_help_opens_no_database(path: tuple[str, ...], run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*args: object, **kw: object) -> None:
        raise AssertionError("help opened a database")

    monkeypatch.setattr("sqlite3.connect", refuse)

    ran = run(*path, "--help")

    assert (ran.code, ran.err) == (0, "")
    assert ran.out.startswith("Usage: salescli")
    assert list(run.path.parent.iterdir()) == []


@pytest.mark.parametrize(
    ("path", "command"),
    [
        pytest.param(path, command, id=" ".join(("salescli", *path)))
        for path, command in COMMANDS
        if not isinstance(command, click.Group)
    ],
)
def test_every_command_has_help_with_an_example_of_itself(path: tuple[str, ...], command: click.Command) -> None:
    text = command.help or ""

    assert "Example" in text
    assert f"salescli {' '.join(path)}" in text.partition("Example")[2]


@pytest.mark.parametrize(
    ("path", "command"), [pytest.param(path, command, id=" ".join(path)) for path, command in COMMANDS if path]
)
def test_every_option_is_explained(path: tuple[str, ...], command: click.Command) -> None:
    unexplained = [option.name for option in command.params if isinstance(option, click.Option) and not option.help]

    assert unexplained == []


@pytest.mark.parametrize(
    "file", [pytest.param(file, id=str(file.relative_to(PACKAGE))) for file in sorted(PACKAGE.rglob("*.py"))]
)
def test_everything_public_has_a_docstring(file: Path) -> None:
    module = ast.parse(file.read_text(encoding="utf-8"))

    assert ast.get_docstring(module), "the module has none"
    bare = [node.name for node in _public(module) if not ast.get_docstring(node)]
    assert bare == []


def _public(
    parent: ast.Module | ast.ClassDef,
) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef]:
    """Yield the public classes, functions and methods, not those inside functions."""
    for node in parent.body:
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)) and not node.name.startswith("_"):
            yield node
            if isinstance(node, ast.ClassDef):
                yield from _public(node)
