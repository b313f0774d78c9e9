"""The pages: generated ones are fresh, all fit 80 columns, link to files, are shown by help and packaged."""

from __future__ import annotations

import re
import subprocess
import sys
import unicodedata
from collections.abc import Iterator
from configparser import ConfigParser
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from click.testing import CliRunner

import salescli
from salescli import __version__
from salescli.cli.commands import help as help_pages
from salescli.cli.main import cli
from salescli.errors import NotFound
from salescli.imports import find_mapping
from salescli.storage.postgres import sums
from tests import PROJECT, inside

if TYPE_CHECKING:
    from tests.conftest import House

DOCS = PROJECT / "salescli" / "docs"
PACKAGED = sorted(DOCS.rglob("*.md"))
PAGES = [PROJECT / "README.md", *sorted((PROJECT / ".github").glob("*.md")), *PACKAGED]
GENERATE = PROJECT / "scripts" / "readme"


def _named(page: Path) -> str:
    return str(page.relative_to(PROJECT))


def test_generated_pages_are_fresh() -> None:
    """All but the guide's, each of which has a test of its own."""
    generated = [PROJECT / "README.md", *sorted((DOCS / "commands").glob("*.md")), DOCS / "filters.md"]

    ran = _checked(*generated, DOCS / "output.md", DOCS / "mappings.md")

    assert ran.returncode == 0, ran.stderr


def test_every_group_of_commands_has_a_page_and_every_page_its_group() -> None:
    shown = CliRunner().invoke(cli, ["help"]).output

    assert {page.stem for page in (DOCS / "commands").iterdir()} == {
        "salescli",
        *(name for name, command in _commands() if hasattr(command, "commands")),
    }
    assert all(page.stem in shown for page in (DOCS / "commands").iterdir())


def _commands() -> Iterator[tuple[str, object]]:
    context = cli.make_context("salescli", [], resilient_parsing=True)
    for name in cli.list_commands(context):
        yield name, cli.get_command(context, name)


def _checked(*pages: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, GENERATE, "--check", *pages], capture_output=True, text=True, check=False)


# 80 columns


@pytest.mark.parametrize("page", PAGES, ids=_named)
def test_a_page_fits_80_columns(page: Path) -> None:
    assert [line for line in _written(page.read_text(encoding="utf-8")) if _width(line) > help_pages.WIDTH] == []


@pytest.mark.parametrize("page", PACKAGED, ids=_named)
def test_a_page_as_help_shows_it_fits_80_columns(page: Path) -> None:
    """Tables, too: they are fitted."""
    text = page.read_text(encoding="utf-8")
    shown = help_pages.readable(text)

    assert [
        line for line in shown.splitlines() if _width(line) > help_pages.WIDTH and line not in _documents(text)
    ] == []


def _written(text: str) -> Iterator[str]:
    """Yield the lines that can be wrapped: a row of a table in Markdown is one line, and so is one of CSV."""
    yield from (line for line in text.splitlines() if not line.startswith("|") and line not in _documents(text))


def _documents(text: str) -> set[str]:
    """Return the lines of the files that the commands of a page write."""
    return set("".join(re.findall(r"<<'END'\n(.*?)^END$", text, re.DOTALL | re.MULTILINE)).splitlines())


def _width(line: str) -> int:
    return sum(2 if unicodedata.east_asian_width(character) in "WF" else 1 for character in line)


# Links


@pytest.mark.parametrize("page", PAGES, ids=_named)
def test_every_link_leads_to_a_file(page: Path) -> None:
    assert [target for target in _links(page) if not (page.parent / target).exists()] == []


def test_a_packaged_page_links_to_packaged_pages_only() -> None:
    outside = [
        (_named(page), target)
        for page in PACKAGED
        for target in _links(page)
        if not (page.parent / target).resolve().is_relative_to(DOCS)
    ]

    assert outside == []


def test_every_page_is_linked_from_the_readme() -> None:
    linked = {(PROJECT / target).resolve() for target in _links(PROJECT / "README.md")}

    assert [_named(page) for page in PACKAGED if page.parent.name != "commands" and page not in linked] == []


def _links(page: Path) -> Iterator[str]:
    for target in re.findall(r"\]\(([^)#]+)[^)]*\)", page.read_text(encoding="utf-8")):
        if "://" not in target:
            yield target


# help


@pytest.mark.parametrize("page", PACKAGED, ids=_named)
def test_help_shows_every_page(page: Path) -> None:
    text = page.read_text(encoding="utf-8")

    shown = CliRunner().invoke(cli, ["help", page.stem]).output

    assert text.startswith("# ")
    assert shown.startswith(help_pages.readable(text))  # the help of a command of that name may follow


def test_help_lists_every_topic_with_its_title() -> None:
    shown = CliRunner().invoke(cli, ["help"]).output

    for page in [*DOCS.glob("*.md"), *(DOCS / "guide").glob("*.md")]:
        title = page.read_text(encoding="utf-8").partition("\n")[0].removeprefix("# ")
        assert re.search(rf"^  {page.stem} +{re.escape(title)}$", shown, re.MULTILINE)
    assert all(len(line) <= help_pages.WIDTH for line in shown.splitlines())


@pytest.mark.parametrize(
    ("words", "heading"),
    [
        pytest.param(["orders check"], "## salescli orders check", id="a command, as one word"),
        pytest.param(["orders", "check"], "## salescli orders check", id="a command, as two words"),
        pytest.param(["salescli", "orders", "check"], "## salescli orders check", id="a command, as it is typed"),
        pytest.param(["tick"], "## salescli tick", id="a command in no group"),
        pytest.param(["orders"], "# salescli orders", id="a group"),
    ],
)
def test_help_shows_a_command(words: list[str], heading: str) -> None:
    shown = CliRunner().invoke(cli, ["help", *words]).output

    assert shown.splitlines()[0] == heading
    assert shown.count(heading.lstrip("# ") + " [OPTIONS]") == 1


def test_help_of_a_command_ends_with_its_section() -> None:
    assert "salescli orders confirm [OPTIONS]" not in CliRunner().invoke(cli, ["help", "orders check"]).output


@pytest.mark.parametrize("words", ["nothing", "orders nothing", "../errors"])
def test_help_on_what_there_is_not_is_refused(words: str) -> None:
    with pytest.raises(NotFound, match="no page"):
        CliRunner().invoke(cli, ["help", words], catch_exceptions=False, standalone_mode=False)


# The picture of the rooms


def test_the_picture_of_the_rooms_has_the_folders_in_the_order_of_the_layers() -> None:
    page = (DOCS / "design.md").read_text(encoding="utf-8")
    picture = page.partition("```text\n")[2].partition("```")[0]
    drawn = [set(rooms) for line in picture.splitlines() if (rooms := re.findall(r"[a-z]+", line))]
    package = Path(salescli.__file__).parent
    config = ConfigParser()
    config.read(PROJECT / "setup.cfg", encoding="utf-8")
    layers = config["importlinter:contract:rooms"]["layers"].split("\n")

    assert set().union(*drawn) == {folder.name for folder in package.iterdir() if (folder / "__init__.py").exists()}
    assert [*drawn, {"errors"}] == [set(re.findall(r"\w+", layer)) for layer in layers if layer]


def test_the_page_on_the_design_names_every_table(house: House) -> None:
    page = (DOCS / "design.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| (`.*?) \|", page, re.MULTILINE)
    kept = {name for name in inside.tables(house.connection) if not re.search(r"^_|sqlite_|_search", name)}
    kept.discard(sums.TABLE)  # of a server alone, and empty between two transactions

    assert set(re.findall(r"\w+", " ".join(rows))) == kept


def test_the_readme_names_the_rooms() -> None:
    page = (PROJECT / "README.md").read_text(encoding="utf-8")
    legend = page.partition("```text\n")[2].partition("```")[0]
    package = Path(salescli.__file__).parent

    assert {line.split()[0] for line in legend.splitlines()} == {
        folder.name for folder in package.iterdir() if (folder / "__init__.py").exists()
    }
    assert len(page.splitlines()) <= 200


def test_the_changes_of_this_version_are_told() -> None:
    heading = "## Unreleased\n" if "dev" in __version__ else f"## {__version__} "
    assert f"\n{heading}" in (DOCS / "changes.md").read_text(encoding="utf-8")


# The package


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build the wheel from a copy, since building leaves files, and return it."""
    folder = tmp_path_factory.mktemp("wheel")
    source = folder / "source"
    kept = ["setup.py", "setup.cfg", "pyproject.toml", "README.md", "LICENSE", "salescli"]
    source.mkdir()
    subprocess.run(["cp", "-R", *(str(PROJECT / name) for name in kept), source], check=True)
    _pip("wheel", "-q", "--no-deps", "--no-build-isolation", "-w", folder, source)
    (built,) = folder.glob("*.whl")
    return built


def _pip(*arguments: str | Path) -> None:
    command = [sys.executable, "-m", "pip", *arguments, "--disable-pip-version-check"]
    ran = subprocess.run(command, capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stderr


def test_the_wheel_has_every_page_and_man_finds_every_command(wheel: Path, tmp_path: Path) -> None:
    _pip("install", "-q", "--no-deps", "--ignore-installed", "--prefix", tmp_path, wheel)
    (package,) = tmp_path.glob("lib/python*/site-packages/salescli")
    manual = tmp_path / "share" / "man" / "man1"

    assert [_named(page) for page in PACKAGED if not (package / page.relative_to(DOCS.parent)).exists()] == []
    mappings = {path.name for path in (package / "imports" / "mappings").iterdir()}
    assert mappings == {f"{name}.toml" for name in find_mapping.shipped()}
    commands = "".join(page.read_text(encoding="utf-8") for page in (DOCS / "commands").iterdir())
    headings = re.findall(r"^#{1,2} (salescli.*)$", commands, re.MULTILINE)
    assert {page.stem for page in manual.iterdir()} == {
        *(heading.replace(" ", "-") for heading in headings),
        "salescli-filters",
        "salescli-output",
    }
    text = (manual / "salescli-orders-check.1").read_text(encoding="utf-8")
    assert text.startswith(".TH SALESCLI-ORDERS-CHECK 1 ")
    assert ".SH SYNOPSIS\nsalescli orders check [OPTIONS] ORDER...\n" in text
    assert "\\fB\\-\\-manager LOGIN\\fR" in text
