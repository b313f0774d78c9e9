"""Tables: every cell stands in its own row and column, whatever is in it, blank ones first of all."""

from __future__ import annotations

import ast
import io
import subprocess
import sys
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from salescli.cli.output import table
from salescli.cli.output.contract import RIGHT, Output
from salescli.cli.output.table import write_table
from salescli.cli.output.terminal import escaped, width
from salescli.lists import query
from salescli.lists.columns import Column, Kind
from tests.story import Story

COLUMNS = [Column("name"), Column("count", "number"), Column("note")]
cells = st.one_of(
    st.just(""), st.text(max_size=12), st.sampled_from([" begins", "ends ", "日本語", "e\u0301", "two\nlines", "-"])
)


@given(
    st.lists(st.tuples(cells, st.one_of(st.none(), st.integers(-9, 9_999)), cells), min_size=1, max_size=6),
    st.booleans(),
)
@example([("", None, ""), ("", 1, "of the second row"), ("", None, "")], True)
def test_a_table_is_its_cells_padded_to_their_columns(rows: list[tuple[str, int | None, str]], headers: bool) -> None:
    stream = io.StringIO()
    records = [dict(zip(("name", "count", "note"), row, strict=True)) for row in rows]

    write_table(records, COLUMNS, Output(headers=headers), ZoneInfo("UTC"), stream)

    texts = [[escaped("" if value is None else str(value)) for value in row] for row in rows]
    lines = [[column.key for column in COLUMNS], *texts] if headers else texts
    widths = [max(1, *(width(line[place]) for line in lines)) for place in range(len(COLUMNS))]
    wanted = [_padded(line, widths) for line in lines]
    if headers:
        wanted.insert(1, "  ".join("-" * size for size in widths))
    assert stream.getvalue().split("\n") == [*wanted, ""]


def _padded(line: list[str], widths: list[int]) -> str:
    parts = []
    for text, size, column in zip(line, widths, COLUMNS, strict=True):
        blank = " " * (size - width(text))
        parts.append(blank + text if column.kind in RIGHT else text + blank)
    return "  ".join(parts).rstrip()


_METADATA = "importlib.metadata"
_OWN_VERSION = """
try:
    __version__ = _version("tabulate")
except _PackageNotFoundError:
    __version__ = "unknown"
"""


def test_tabulate_asks_for_nothing_but_its_own_version_which_our_stand_in_answers() -> None:
    spec = find_spec("tabulate")
    assert spec is not None
    assert spec.origin is not None
    asked = [
        ast.unparse(node)
        for file in sorted(Path(spec.origin).parent.rglob("*.py"))
        for node in _statements_about_metadata(ast.parse(file.read_text(encoding="utf-8")))
    ]

    assert asked == [
        "from importlib.metadata import version as _version, PackageNotFoundError as _PackageNotFoundError",
        ast.unparse(ast.parse(_OWN_VERSION)),
    ]


def _statements_about_metadata(module: ast.Module) -> Iterator[ast.stmt]:
    """Yield the statements of a module that import importlib.metadata or use what they have of it."""
    names = {"importlib", "metadata", "_version", "_PackageNotFoundError"}
    for statement in module.body:
        for node in ast.walk(statement):
            imports = isinstance(node, ast.ImportFrom) and (node.module or "").startswith("importlib")
            imports |= isinstance(node, ast.Import) and any(one.name.startswith("importlib") for one in node.names)
            if imports or (isinstance(node, ast.Name) and node.id in names):
                yield statement
                break


def test_a_table_is_written_without_importlib_metadata_and_leaves_the_real_one_to_others() -> None:
    program = f"""
import sys
from zoneinfo import ZoneInfo
from salescli.cli.output.contract import Output
from salescli.cli.output.table import write_table
from salescli.lists import query
from salescli.lists.columns import Column, Kind
from tests.story import Story

write_table([{{"name": "Олена"}}], [Column("name")], Output(), ZoneInfo("UTC"), sys.stdout)
assert {_METADATA!r} not in sys.modules
import importlib.metadata
assert importlib.metadata.version("tabulate")
"""
    ran = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)

    assert (ran.returncode, ran.stdout, ran.stderr) == (0, "name\n-----\nОлена\n", "")


@pytest.mark.parametrize("columns", ["", "40", "70"])
def test_a_table_of_several_parts_is_the_table(columns: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", columns)
    kinds: list[Kind] = ["number", "text", "money", "text", "manager", "text"]
    keys = ("order", "customer", "price", "currency", "manager", "comment")
    shown = [Column(key, kind, rank=rank) for rank, (key, kind) in enumerate(zip(keys, kinds, strict=True))]
    rows = [
        {
            "order": 10**n, "customer": "Ко" * n, "price": 7 * 10**n, "currency": "EUR", "manager": f"m{n}",
            "confirmed": n % 2, "comment": None if n % 3 else "日本" * n,
        }
        for n in range(1, 12)
    ]  # fmt: skip

    def written() -> str:
        stream = io.StringIO()
        write_table(rows, shown, Output(), ZoneInfo("UTC"), stream)
        return stream.getvalue()

    whole = written()
    monkeypatch.setattr(table, "_PART_ROWS", 3)
    assert written() == whole


def test_of_a_long_table_few_rows_are_in_memory() -> None:
    alive, most = set[int](), 0

    class Row(dict[str, Any]):
        def __del__(self) -> None:
            alive.discard(self["id"])

    class Rows:
        def __iter__(self) -> Iterator[Row]:
            nonlocal most
            for id in range(10_000):
                alive.add(id)
                most = max(most, len(alive))
                yield Row(id=id)

    stream = io.StringIO()
    write_table(Rows(), [Column("id", "number")], Output(), ZoneInfo("UTC"), stream)
    assert len(stream.getvalue().splitlines()) == 10_002
    assert most < 4_500


def test_the_rows_of_a_page_are_read_once(story: Story, monkeypatch: pytest.MonkeyPatch) -> None:
    story.house.offer("49.00", number="7")
    story.order("7")
    read: list[object] = []
    select = query.select

    def selected(*given: Any, **named: Any) -> Iterator[dict[str, Any]]:
        read.append(given)
        return select(*given, **named)

    monkeypatch.setattr(query, "select", selected)
    assert "49.00" in story.house.run("orders", "list").out
    assert len(read) == 1
