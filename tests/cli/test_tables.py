"""Tables: every cell stands in its own row and column, whatever is in it, blank ones first of all."""

from __future__ import annotations

import io
from zoneinfo import ZoneInfo

from hypothesis import example, given
from hypothesis import strategies as st

from salescli.cli.output.contract import RIGHT, Output
from salescli.cli.output.table import write_table
from salescli.cli.output.terminal import escaped, width
from salescli.lists.columns import Column

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
