"""CSV from outside: what is taken in as it was meant, and how each kind of damage is named."""

from __future__ import annotations

import csv
import hashlib
import io
import re
import tracemalloc

import pytest
from hypothesis import given
from hypothesis import strategies as st

from salescli.errors import BadData
from salescli.imports.csv_file import Problem, Row, Table
from salescli.imports.reading.lines import ROW_MAX, Lines

COLUMNS = ("name", "price", "note")


def table(content: bytes, required: tuple[str, ...] = ("name",)) -> Table:
    return Table(io.BytesIO(content), COLUMNS, required)


def rows(content: bytes) -> list[Row]:
    return list(table(content))


def values(content: bytes) -> list[dict[str, str]]:
    return [row.values for row in rows(content)]


def told(content: bytes) -> list[str]:
    return [str(problem) for row in rows(content) for problem in row.problems]


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(b"name,price,note\nAnn,49.00,x\n", id="lines end with LF"),
        pytest.param(b"name,price,note\r\nAnn,49.00,x\r\n", id="lines end with CRLF"),
        pytest.param(b"name,price,note\nAnn,49.00,x", id="the last line does not end"),
        pytest.param(b"\xef\xbb\xbfname,price,note\nAnn,49.00,x\n", id="there is a byte order mark"),
        pytest.param(b"note,name,price\nx,Ann,49.00\n", id="the columns stand in another order"),
        pytest.param(b' Name ,PRICE,note\n Ann ,\t49.00,"x"\n', id="there are spaces and capitals around the names"),
        pytest.param(b"name,price,note\n\nAnn,49.00,x\n\n,,\n", id="there are blank lines"),
        pytest.param(b"line,reason,name,price,note\n7,bad,Ann,49.00,x\n", id="it is a rejects file, repaired"),
    ],
)
def test_a_row_is_read_alike_when(content: bytes) -> None:
    assert values(content) == [{"name": "Ann", "price": "49.00", "note": "x"}]


# Pieces of files in which lines are rows, or are not: quotes, line ends and damage in the middle.
PIECES = st.lists(
    st.sampled_from(
        [b"Ann", b",", b",,", b"\n", b"\r\n", b"\r", b'"', b'""', b"\0", b"\xff", "é".encode(), b" ", b"'"]
    ),
    max_size=30,
)


@given(pieces=PIECES)
def test_lines_that_are_rows_as_they_stand_are_read_as_csv_reads_them(pieces: list[bytes]) -> None:
    content = b"name,price,note\n" + b"".join(pieces)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Lines, "plain", lambda self: [])
        one_by_one = rows(content)
    assert rows(content) == one_by_one


@pytest.mark.parametrize(
    ("cell", "value"),
    [
        pytest.param("'=1+1", "=1+1", id="a formula made harmless by our export is itself again"),
        pytest.param("'+380 44", "+380 44", id="so is a phone number"),
        pytest.param("'-x", "-x", id="so is a dash"),
        pytest.param("'@ann", "@ann", id="so is an at sign"),
        pytest.param("'Ann", "'Ann", id="any other apostrophe stays"),
        pytest.param("O'Neil", "O'Neil", id="an apostrophe inside stays"),
        pytest.param("=1+1", "=1+1", id="a formula that nobody guarded stays"),
        pytest.param("Олена", "Олена", id="every script is read"),
        pytest.param('"a ""b"", c"', 'a "b", c', id="quotes and commas inside quotes are text"),
        pytest.param('"a\nb"', "a\nb", id="a line break inside quotes is text"),
    ],
)
def test_a_cell(cell: str, value: str) -> None:
    assert values(f"name,note\n{cell},x\n".encode()) == [{"name": value, "note": "x"}]


def test_a_blank_cell_is_left_out() -> None:
    assert values(b"name,price,note\nAnn, ,\n") == [{"name": "Ann"}]


@pytest.mark.parametrize(
    ("content", "said"),
    [
        pytest.param(b"", "the file is empty", id="the file is empty"),
        pytest.param(b"name,colour\n", "unknown column 'colour'", id="a column is unknown"),
        pytest.param(b"name,,note\n", "unknown column ''", id="a column has no name"),
        pytest.param(b"name;price\n", "unknown column 'name;price'", id="it is separated by semicolons"),
        pytest.param(b"name,note,name\n", "duplicate column name", id="a column stands there twice"),
        pytest.param(b"price,note\n", "missing column name;", id="a needed column is missing"),
        pytest.param("name,price".encode("utf-16"), "not UTF-8", id="it is UTF-16"),
        pytest.param(b'"name,price\n', "line 1 is not CSV", id="the header's quote is not closed"),
    ],
)
def test_a_header_is_refused_when(content: bytes, said: str) -> None:
    with pytest.raises(BadData, match=said):
        table(content)


@pytest.mark.parametrize(
    ("line", "said"),
    [
        pytest.param(b"Ann,49.00", "line 2, note: the row has 2 values, the header names 3", id="it is too short"),
        pytest.param(b"Ann,49.00,x,y", "line 2: the row has 4 values.*'y'", id="it is too long"),
        pytest.param(b"Ann,\xff,x", r"line 2, price: .*not UTF-8 \(byte 0xFF\)", id="a byte is not UTF-8"),
        pytest.param(b"Ann,1,\xed\xa0\x80", r"line 2, note: .*not UTF-8 \(byte 0xED\)", id="it has a lone surrogate"),
        pytest.param(b"Ann,\x00,x", "line 2, price: .*NUL", id="it has a NUL"),
        pytest.param(b'Ann,"4"9,x', "line 2: the row is not CSV: .*twice", id="a quoted value goes on"),
        pytest.param(b"Ann\r,49.00,x", "line 2: the row is not CSV: it contains a carriage", id="it has a stray CR"),
        pytest.param(b'Ann,49.00,"x', "line 2: the row is not CSV: ", id="a quote is not closed"),
        pytest.param(b"Ann," + b"4" * ROW_MAX + b",x", f"line 2: .*longer than {ROW_MAX} bytes", id="it is endless"),
    ],
)
def test_a_bad_row_is_named_and_the_next_is_read(line: bytes, said: str) -> None:
    bad, good = rows(b"name,price,note\n" + line + b"\nBob,1,y\n")
    (problem,) = bad.problems
    assert re.search(said, str(problem))
    assert (good.line, good.values) == (3, {"name": "Bob", "price": "1", "note": "y"})


def test_a_row_after_a_multi_line_one_has_the_number_of_its_line() -> None:
    assert [row.line for row in rows(b'name,note\nAnn,"a\nb\nc"\nBob,x\n')] == [2, 5]


def test_an_unclosed_quote_costs_its_own_row_only() -> None:
    content = b'name,note\n"Ann,x\n' + b"Bob,y\n" * 50_000
    first, *others = rows(content)
    assert first.problems
    assert [row.line for row in others] == list(range(3, 50_003))
    assert not any(row.problems for row in others)


def test_every_damaged_cell_of_a_row_is_named() -> None:
    assert [text.split(":")[0] for text in told(b"name,note\n\xff,\x00\n")] == ["line 2, name", "line 2, note"]


def test_the_hash_is_of_the_whole_file() -> None:
    content = b"name\n" + b"Ann\n" * 100_000
    read = table(content)
    assert sum(1 for _ in read) == 100_000
    assert (read.sha256, read.bytes_read) == (hashlib.sha256(content).hexdigest(), len(content))


def test_memory_does_not_grow_with_the_file() -> None:
    stream = Endless(b"name,price,note\n", b'Ann,"49\n00",x\n', 40_000)
    tracemalloc.start()
    assert sum(1 for _ in Table(stream, COLUMNS, ())) == 40_000
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 500_000


class Endless(io.BytesIO):
    """A header, then one row again and again."""

    def __init__(self, header: bytes, row: bytes, times: int) -> None:
        super().__init__(header)
        self._row, self._left = row * 1000, times // 1000

    def read(self, size: int | None = -1) -> bytes:
        block = super().read(size)
        if not block and self._left:
            self._left -= 1
            super().__init__(self._row)
            block = super().read(size)
        return block


def test_what_passes_as_a_card_number_is_not_repeated() -> None:
    said = str(Problem(2, "note", "4111 1111 1111 1111", "'4111 1111 1111 1111' is not good"))
    assert "4111" not in said
    assert said.startswith("line 2, note: ")


def test_a_long_value_is_cut_in_a_message() -> None:
    assert len(str(Problem(2, "note", "x" * 5000, "too long"))) < 120


@given(st.lists(st.lists(st.text(st.characters(exclude_characters="\0")), min_size=3, max_size=3), max_size=5))
def test_what_csv_writes_is_read_or_named(cells: list[list[str]]) -> None:
    out = io.StringIO(newline="")
    csv.writer(out).writerows([COLUMNS, *cells])
    read = rows(out.getvalue().encode("utf-8", "surrogatepass"))
    for row in read:
        assert row.problems or row.values
        assert not row.problems or not row.values
    clean = [c for c in cells if not any(set(cell) & set("\0\r") or not cell.isprintable() for cell in c)]
    expected = [{n: v for n, cell in zip(COLUMNS, c, strict=True) if (v := plain(cell))} for c in clean]
    found = [row.values for row in read]
    assert all(one in found for one in expected if one)


def plain(cell: str) -> str:
    return (cell[1:] if cell[:1] == "'" and cell[1:2] in tuple("=+-@") else cell).strip()


@given(st.binary(max_size=200))
def test_no_bytes_break_the_reader(content: bytes) -> None:
    for row in rows(b"name,price,note\n" + content):
        assert row.problems or set(row.values) <= set(COLUMNS)
        for problem in row.problems:
            assert str(problem).isprintable()
