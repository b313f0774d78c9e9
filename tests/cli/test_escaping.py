"""Whatever a text holds, it stays a text where it goes: terminal, CSV, Markdown; workbooks are in test_workbook."""

from __future__ import annotations

import csv
import io
import re
from zoneinfo import ZoneInfo

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from salescli.cli.output import csv as csv_output
from salescli.cli.output import markdown, table
from salescli.cli.output.contract import Output, as_text
from salescli.cli.output.terminal import escaped
from salescli.errors import BadData
from salescli.imports import csv_file
from salescli.lists.columns import Column
from salescli.rules import formulas, text

UTC = ZoneInfo("UTC")
COLUMNS = (Column("name"), Column("note"))
FORMULAS = ("=", "+", "-", "@", "\t", "\r", "＝", "＋", "－", "＠")
# Characters that do something where they are printed, but for a line end.
ACTING = re.compile("[\x00-\x09\x0b-\x1f\x7f-\x9f\u00ad\u061c\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff]")
# Anything that text may be, and what does harm somewhere more often than chance would have it.
HOSTILE = st.one_of(
    st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0")),
    st.lists(
        st.sampled_from(
            [*"=+-@'\"|\\`*_[]<>&~;,#!\r\n\t\x1b\x7f\x9b\u202e\u2066\u200b", "<b>", "山", "http://x", "--", " "]
        )
    ).map("".join),
)
WORST = [
    '=HYPERLINK("http://x","y")',
    "+380441234567",
    "-1+1",
    "@SUM(1)",
    "'=1",
    "''+1",
    "＝1+1",
    "Ivan;=1",
    'a; "=1',
    "b,+1",
    "c\n@d",
    "e;＝1",
    'a;b,c\t"d"\r\n=e',
]


def written(format: str, *texts: str, excel: bool = False) -> str:
    """Return what a format makes of rows whose two texts are each of ``texts``."""
    stream = io.StringIO(newline="")
    writers = {"csv": csv_output.write, "md": markdown.write, "table": table.write}
    rows = [{"name": text, "note": text} for text in texts]
    writers[format](rows, COLUMNS, Output(format=format, excel=excel), UTC, stream)
    return stream.getvalue()


@given(HOSTILE)
@example("a\x1b[31m\x9b2J\u202eb\r\n\t\x07")
def test_nothing_in_a_table_acts_on_the_terminal(text: str) -> None:
    assert not ACTING.search(written("table", text))


@pytest.mark.parametrize("name", ["می\u200cخواهم", "क्\u200dष", "ක්\u200dෂ", "Société\u00a0: un", "👩\u200d🏫"])
def test_joiners_and_blanks_that_a_language_needs_are_text(name: str) -> None:
    assert escaped(name) == name


@pytest.mark.parametrize(
    ("name", "shown"),
    [("a\u200db", "a\\u200db"), ("\u200cа", "\\u200cа"), ("а\u200b", "а\\u200b")],
)
def test_a_joiner_that_joins_nothing_is_shown(name: str, shown: str) -> None:
    assert escaped(name) == shown


@given(st.lists(HOSTILE, min_size=1, max_size=4), st.booleans())
@example(WORST, False)
@example(WORST, True)
def test_no_text_in_a_csv_begins_as_a_formula(texts: list[str], excel: bool) -> None:
    told = written("csv", *texts, excel=excel)
    rows = list(csv.reader(io.StringIO(told, newline=""), delimiter=";" if excel else ",", strict=True))
    assert [len(row) for row in rows] == [2] * (len(texts) + 1)
    assert not [cell for row in rows for cell in row if cell.startswith(FORMULAS)]
    beginnings = re.split(r"[,\t\r\n]" if excel else r"[;\t\r\n]", told)  # where another list separator is set
    assert not [cell for cell in beginnings if cell.lstrip('" ').startswith(FORMULAS)]


MANY_KINDS = (
    Column("name"),
    Column("number", "number"),
    Column("price", "money"),
    Column("currency"),
    Column("at", "time"),
    Column("confirmed", "yesno"),
    Column("share", "percent"),
)


def test_a_long_csv_has_every_row_in_its_place_and_its_cells_as_people_read_them() -> None:
    zone = ZoneInfo("Europe/Kyiv")
    empty = dict.fromkeys([column.key for column in MANY_KINDS])
    rows = [
        {
            "name": f"Олена {i}",
            "number": i,
            "price": -i if i % 7 == 0 else i % 3,
            "currency": ("EUR", "JPY", "BHD")[i % 3],
            "at": 1_770_000_000 + 1_000_003 * i,
            "confirmed": i % 2,
            "share": i * 12_345,
        }
        if i % 5
        else empty
        for i in range(400)
    ]
    stream = io.StringIO(newline="")
    assert csv_output.write(rows, MANY_KINDS, Output(format="csv"), zone, stream) == len(rows)
    told = list(csv.reader(io.StringIO(stream.getvalue(), newline=""), strict=True))
    assert told[1:] == [[as_text(column, row, zone) for column in MANY_KINDS] for row in rows]


@given(HOSTILE)
@example("'=1+1")
@example("Ivan;=HYPERLINK(1)")
@example("Ivan;'=1;''=2; =3\n'=4,=5")
@example('Ivan;"=1"')
@example('"=1"')
@example("'")
@example("＝1")
def test_every_name_that_is_taken_in_comes_back_from_our_csv_as_it_was(given: str) -> None:
    try:
        name = text.text(given, "name")
    except BadData:
        return  # it is refused, and never goes out
    table = csv_file.Table(io.BytesIO(written("csv", name).encode()), ("name", "note"), ())
    [row] = table
    assert (row.problems, text.text(row.values["name"], "name")) == ((), name)


@given(HOSTILE, st.sampled_from(",;"))
@example("'';''=1", ",")
def test_a_guard_is_taken_off_again(given: str, delimiter: str) -> None:
    assert formulas.unguarded(formulas.guarded(given)) == given
    assert len(formulas.guarded(given, delimiter)) >= len(given)


def test_a_guard_stands_where_another_list_separator_would_begin_a_cell() -> None:
    assert formulas.guarded('Ivan;=HYPERLINK("http://x")') == 'Ivan;\'=HYPERLINK("http://x")'
    assert formulas.guarded("a,=1;b-1") == "a,=1;b-1"
    assert formulas.guarded("a,=1;=2", ";") == "a,'=1;=2"
    assert formulas.guarded("a; b, c; d") == "a; b, c; d"


@given(st.lists(HOSTILE, min_size=1, max_size=4))
@example(["|", "\\|", "\\", "a\nb", "<script>", "[x](javascript:1)", "**b**", "`c`", "&lt;"])
def test_in_markdown_a_text_is_one_cell_and_nothing_else(texts: list[str]) -> None:
    lines = written("md", *texts).split("\n")[2:-1]
    assert len(lines) == len(texts)
    for line, one in zip(lines, texts, strict=True):
        assert not ACTING.search(line)
        cells = re.split(r"(?<!\\)(?:\\\\)*\|", line)
        assert len(cells) == 4
        assert not re.search(r"(?<!\\)[`*_~&<>\[\]]", re.sub(r"\\\\", "", line))
        assert _unescaped(line) == "| {0} | {0} |".format(escaped(one))


def _unescaped(cell: str) -> str:
    return re.sub(r"\\([\\`*_~|&<>\[\]])", r"\1", cell)
