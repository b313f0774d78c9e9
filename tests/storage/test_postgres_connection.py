"""A connection to PostgreSQL answers as one to a file: parameters, rows, errors, transactions, and no password."""

from __future__ import annotations

import socket
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from salescli.errors import BadUsage, DatabaseUnusable
from salescli.storage import database, new_file
from salescli.storage.postgres import connection as postgres
from tests import moved, postgres_server
from tests.postgres_server import Shops
from tests.trips import trips


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    """Run a server with an empty shop; yield its URL."""
    with postgres_server.server() as folder:
        url = f"postgresql://{postgres_server.OWNER}@/postgres?host={folder}"
        made: Any = postgres.connect(url)
        with database.transaction(made, anywhere=True):
            postgres.make_schema(made)
        made.close()
        yield url


def test_a_new_shop_begins_with_the_rows_of_a_new_file(url: str, tmp_path: Path) -> None:
    databases = Shops(url.partition("host=")[2])
    there, here = databases.url(databases.new()), tmp_path / "sales.db"
    for place in (there, here):
        new_file.create(place, {"time_zone": "Europe/Kyiv", "currency": "EUR"})
    assert moved.contents(there) == moved.contents(here)


@pytest.fixture
def there(url: str) -> Iterator[Any]:
    """Yield a session, at whose end all is undone."""
    opened = postgres.connect(url)
    yield opened
    opened.close()


def test_parameters_rows_and_values_are_those_of_a_file(there: Any) -> None:
    with sqlite3.connect(":memory:") as here:
        here.row_factory = sqlite3.Row
        for sql, values in (
            ("SELECT 1 AS a, 'x?:y' AS b, ? AS c, NULL AS d", ("50% ?",)),
            ("SELECT :a AS a, '%' AS b, :b AS c WHERE :a LIKE 'x%'", {"a": "xy", "b": "it's", "more": 1}),
            ("SELECT sum(n) AS total FROM (SELECT 1 AS n UNION ALL SELECT 2) AS all_of_them", ()),
            ("SELECT 1 = 1 AS same, ? AS flag", (True,)),
        ):
            ours, theirs = there.execute(sql, values).fetchone(), here.execute(sql, values).fetchone()
            assert dict(ours) == dict(theirs)
            assert tuple(ours) == tuple(theirs)
            assert {type(value) for value in ours} == {type(value) for value in theirs}
            assert ours.keys() == theirs.keys()
    with pytest.raises(IndexError):
        there.execute("SELECT 1 AS a").fetchone()["b"]


@pytest.mark.parametrize(
    ("said", "told"),
    [
        (
            'connection to server at "db", port 5432 failed: fe_sendauth: no password supplied\n',
            "wants a password, and none is known here; write the line host:port:database:user:password to ~/.pgpass",
        ),
        ('server at "db" failed: refused\n\tIs it running?\nserver at "e" failed\n', "refused; Is it running?; server"),
    ],
)
def test_why_nobody_gets_in_is_one_line(said: str, told: str, monkeypatch: pytest.MonkeyPatch) -> None:
    import psycopg2  # an extra of the program's

    def refuse(url: str, **settings: Any) -> None:
        raise psycopg2.OperationalError(said)

    monkeypatch.setattr(psycopg2, "connect", refuse)
    with pytest.raises(DatabaseUnusable) as refused:
        postgres.connect("postgresql://db/shop")
    assert told in str(refused.value)
    assert "\n" not in str(refused.value)


def test_errors_are_those_that_every_room_catches(there: Any) -> None:
    with pytest.raises(sqlite3.ProgrammingError):
        there.execute("SELECT * FROM nothing")
    database.set_setting(there, "once", "1")
    with pytest.raises(sqlite3.IntegrityError):
        there.execute("INSERT INTO settings (name, value) VALUES (?, ?)", ("once", "2"))
    there.execute("DELETE FROM settings WHERE name = 'once'")


def test_many_rows_are_inserted_in_few_statements_and_counted(there: Any) -> None:
    there.execute("BEGIN IMMEDIATE")
    rows = [{"name": f"n{n}", "value": "50%"} for n in range(1201)]
    assert there.executemany("INSERT INTO settings (name, value) VALUES (:name, :value)", rows).rowcount == 1201
    changed = there.executemany("UPDATE settings SET value = ? WHERE name = ?", [("1", "n1"), ("2", "n2"), ("3", "-")])
    assert changed.rowcount == 2
    assert database.setting(there, "n1200") == "50%"
    there.execute("ROLLBACK")
    assert not there.in_transaction


def test_many_rows_are_changed_by_one_statement(there: Any) -> None:
    columns = '(id BIGINT, status TEXT COLLATE "C", note TEXT, number BIGINT)'
    there.run([f"CREATE TEMPORARY TABLE changing {columns}"])
    statuses = ("live", "live", "done", "live")
    there.executemany("INSERT INTO changing VALUES (?, ?, 'kept', 7)", list(enumerate(statuses)))
    sql = (
        "UPDATE changing SET status = :status, note = coalesce(:note, note), number = :number"
        " WHERE id = :id AND status = :status_was"
    )
    notes = (None, "50% of it's", "new", None)
    rows = [
        {"id": id, "status": "done", "status_was": "live", "note": note, "number": None}
        for id, note in enumerate(notes)
    ]
    with trips(there) as sent:
        assert there.executemany(sql, rows).rowcount == 3
    assert len(sent) == 1
    changed = [tuple(row) for row in there.execute("SELECT * FROM changing ORDER BY id")]
    assert changed == [
        (0, "done", "kept", None), (1, "done", "50% of it's", None), (2, "done", "kept", 7), (3, "done", "kept", None),
    ]  # fmt: skip


def test_several_tables_are_written_in_one_trip_which_counts_the_rows_of_each(there: Any) -> None:
    there.execute("BEGIN IMMEDIATE")
    settings = [{"name": f"n{n}", "value": "50%; it's"} for n in range(1201)]
    sql = "INSERT INTO settings (name, value) VALUES (:name, :value)"
    changes = [{"name": f"n{n}", "value": None} for n in range(1200, 1203)]
    with trips(there) as sent:
        counts = there.execute_all(
            [(sql, settings), ("UPDATE settings SET value = coalesce(:value, 'x') WHERE name = :name", changes)]
        )
    assert (counts, len(sent)) == ([1201, 1], 1)
    with pytest.raises(sqlite3.IntegrityError):
        there.execute_all([(sql, settings[:1])])
    there.execute("ROLLBACK")
    assert there.execute_all([]) == []


def test_rows_of_several_queries_come_in_one_trip_as_they_would_alone(there: Any) -> None:
    queries = (
        ("SELECT * FROM roles WHERE name <> ? ORDER BY name DESC", ("it's 50%",)),
        ("SELECT value FROM settings WHERE name = 'nothing'", ()),
        ("SELECT 9007199254740993 AS big, NULL AS none, 'ä\"\\' AS text", ()),
    )
    with trips(there) as sent:
        together = there.fetch_all(queries)
    alone = [there.execute(*one).fetchall() for one in queries]
    assert (together, len(sent)) == (alone, 1)
    assert [row.keys() for row in together[0]] == [row.keys() for row in alone[0]]


def test_a_savepoint_goes_with_the_next_statement(there: Any) -> None:
    with trips(there) as sent:
        there.execute("BEGIN IMMEDIATE")
        with database.savepoint(there):
            database.set_setting(there, "part", "kept")
        rows = [{"name": "part", "value": "undone"}, {"name": "part", "value": "twice"}]
        with pytest.raises(sqlite3.IntegrityError), database.savepoint(there):
            there.executemany("INSERT INTO settings (name, value) VALUES (:name, :value)", rows)
        with pytest.raises(RuntimeError), database.savepoint(there):
            raise RuntimeError
        with database.savepoint(there):
            there.run(["SELECT 1"])
        assert database.setting(there, "part") == "kept"
        with database.savepoint(there):
            pass
        there.execute("ROLLBACK")
    assert database.setting(there, "part") is None
    assert len(sent) == 9, sent


def test_one_writer_at_a_time(there: Any, url: str) -> None:
    other: Any = postgres.connect(url)
    other.wait_seconds = 1
    with database.transaction(there):
        database.set_setting(there, "mine", "1")
        with pytest.raises(sqlite3.OperationalError) as busy, database.transaction(other):
            pass
        assert database.is_busy(busy.value)
        assert not other.in_transaction
        assert database.setting(other, "mine") is None
        there.execute("DELETE FROM settings WHERE name = 'mine'")
    with database.transaction(other):
        pass
    other.close()


def test_a_shop_is_never_made_over_another(there: Any) -> None:
    with pytest.raises(DatabaseUnusable, match="holds a shop already"), database.transaction(there):
        postgres.make_schema(there)


@pytest.mark.parametrize(
    "url", ["postgresql://me:secret@host/shop", "postgres://host/shop?passwor%64=secret", "postgresql://u:p@a,b/x"]
)
def test_a_password_in_a_url_is_refused_and_not_shown(url: str) -> None:
    with pytest.raises(BadUsage) as refused:
        postgres.connect(url)
    assert "secret" not in str(refused.value)
    assert "PGPASSFILE" in str(refused.value)


def test_a_host_that_dies_without_a_word_holds_the_writers_lock_for_a_minute_only() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
    with postgres_server.server("listen_addresses=127.0.0.1", f"port={port}"):
        there: Any = postgres.connect(f"postgresql://{postgres_server.OWNER}@127.0.0.1:{port}/postgres")
        with closing(there):
            usual = watched(there)
            there.execute("BEGIN IMMEDIATE")
            assert watched(there) == (30, 10, 3, 60_000)
            there.execute("ROLLBACK")
            assert watched(there) == usual  # whoever has the session next in a pool
            given = there._held.info.dsn_parameters
            assert (given["keepalives_idle"], given["tcp_user_timeout"]) == ("30", "60000")


def watched(there: Any) -> tuple[int, ...]:
    """Return by what a server's side of a line notices that the other one is dead: seconds, number, milliseconds."""
    names = ("tcp_keepalives_idle", "tcp_keepalives_interval", "tcp_keepalives_count", "tcp_user_timeout")
    return tuple(int(there.execute(f"SELECT setting FROM pg_settings WHERE name = '{name}'").one()) for name in names)
