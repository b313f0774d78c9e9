"""Names and searches in PostgreSQL: sorted by the same key as in a file, and found by the same words."""

from __future__ import annotations

import random
import unicodedata
from collections.abc import Iterator
from typing import Any

import psycopg2
import pytest

from salescli.catalogue import customers, records
from salescli.lists.customers import VIEW
from salescli.lists.filters import FILTERS
from salescli.rules import names
from salescli.storage.clauses import FOUND_CUSTOMERS
from salescli.storage.postgres import schema, statements
from tests import postgres_server
from tests.conftest import House

FOUND = "SELECT rowid FROM customers_search WHERE customers_search MATCH ? ORDER BY rowid"
PARTS = (
    "Анна", "анн", "АННА-Марія", "О’Ніл", "o'neil", "Ґалаґан", "Галаган", "Йосип", "Ё", "Е", "ß", "STRASSE", "Zoë",
    "zoe", "x²", "½", "12", "123-45", "+380", "a.b@c.de", "a_b", "OR", "AND", "NOT", "NEAR", "(", ")", '"', "*", "'",
    "\\", ":", "%", "|", "&", "!", "<->", "日本", "中", "λόγος", "ΛΌΓΟΣ", "ı", "İ", "e\u0301", "№5", "…", " ", "  ",
)  # fmt: skip


@pytest.fixture(scope="module")
def there() -> Iterator[Any]:
    """Yield a cursor in the empty tables of a shop on a server of its own."""
    with postgres_server.server() as host:
        connection = psycopg2.connect(host=host, user=postgres_server.OWNER, dbname="postgres")
        cursor = connection.cursor()
        cursor.execute("CREATE SCHEMA shop; SET search_path TO shop")
        for statement in schema.statements():
            cursor.execute(statement)
        yield cursor
        connection.close()


def test_names_have_the_same_key(there: Any) -> None:
    letters = [chr(code) for code in range(1, 0x20000) if unicodedata.category(chr(code)) not in ("Cn", "Cs")]
    texts = [*PARTS, *(f"A{letter} б{letter}" for letter in letters), "", " a  b ", "a\tb", "O`Neil", "й\u0306"]
    there.execute("SELECT name, name_key(name) FROM unnest(%s) AS names (name)", (texts,))
    assert {name: key for name, key in there.fetchall() if key != names.key(name)} == {}


def test_a_search_finds_the_same(house: House, there: Any) -> None:
    some = random.Random(1)
    for id in range(1, 401):
        name, email = (" ".join(some.sample(PARTS, some.randint(1, 3))) for _ in range(2))
        row: dict[str, Any] = {
            "id": id,
            "name": name,
            "name_key": names.key(name),
            "email": f"{id} {email}",
            "phone": None,
        }
        places, values = ", ".join("?" * (len(row) + 1)), (*row.values(), 1_772_359_200)
        sql = f"INSERT INTO customers ({', '.join(row)}, created_at) VALUES ({places})"
        house.connection.execute(sql, values)
        there.execute(statements.translated(sql), values)
    records.rebuild_search(house.connection, customers.NOUN)
    resolve = next(filter.resolve for filter in FILTERS if filter.field == "search")
    counts = set()
    for _ in range(400):
        words = tuple("".join(some.sample(PARTS, some.randint(1, 3)))[: some.randint(1, 9)] for _ in range(2))
        _, asked = resolve(house.connection, VIEW, words, house.zone)
        for query in (records.match_query(words[0]), asked["query"]):
            here = [found[0] for found in house.connection.execute(FOUND, (query,))]
            there.execute(statements.translated(FOUND), (query,))
            assert [found[0] for found in there.fetchall()] == here, query
            counts.add(len(here))
    assert len(counts) > 50


def test_a_search_uses_an_index_that_follows_its_table(there: Any) -> None:
    there.execute(
        "INSERT INTO customers (id, name, name_key, created_at)"
        " SELECT 1000 + n, 'Anna ' || n, '', 'now' FROM generate_series(1, 3000) AS numbers (n)"
    )
    there.execute("ANALYZE customers")
    first = f"{FOUND_CUSTOMERS.format(query='?')} LIMIT 101"
    there.execute("EXPLAIN " + statements.translated(first), (records.match_query("some"),))
    assert "customers_search_words" in str(there.fetchall())
    there.execute(
        "INSERT INTO offers (id, number, name, name_key, price_minor, currency, created_at)"
        " VALUES (1, 'A1', 'Course', 'course', 1, 'EUR', 'now')"
    )
    for sql, values in (
        ("INSERT INTO offers_search (offers_search, rowid, name) VALUES ('delete', ?, ?)", (1, "Course")),
        ("UPDATE offers SET name = ? WHERE id = ?", ("Poster", 1)),
        ("INSERT INTO offers_search (rowid, name) SELECT id, name FROM offers WHERE id = ?", (1,)),
        ("INSERT INTO offers_search (offers_search) VALUES ('rebuild')", ()),
    ):
        there.execute(statements.translated(sql), values)
    found = statements.translated(FOUND.replace("customers", "offers"))
    for word, rows in (("course", []), ("pos", [(1,)])):
        there.execute(found, (records.match_query(word),))
        assert there.fetchall() == rows
