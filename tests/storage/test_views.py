"""Other programs read the views: exact amounts, local times, names; and any SQLite copies the file."""

from __future__ import annotations

import json
import random
import re
import shlex
import shutil
import socket
import sqlite3
import subprocess
import sys
import time as time_module
from collections.abc import Iterator
from contextlib import closing
from datetime import datetime, timedelta, timezone
from functools import partial
from pathlib import Path
from typing import Any
from urllib.error import HTTPError, URLError
from urllib.parse import urlencode
from urllib.request import urlopen
from zoneinfo import ZoneInfo

import pytest

from salescli.errors import DatabaseUnusable
from salescli.rules import money, time
from salescli.storage import database, migrate, offsets
from salescli.storage.migrations import m0022_views as views
from salescli.storage.migrations import m0028_whole_numbers
from salescli.storage.postgres.statements import with_words
from tests import PROJECT
from tests.conftest import LOGIN, House
from tests.released import put
from tests.terminal import Run

SHELL = shutil.which("sqlite3")
needs_shell = pytest.mark.skipif(SHELL is None, reason="the sqlite3 shell is not installed")


@pytest.fixture
def full(tmp_path: Path) -> Path:
    """A file of a released version with something of everything, upgraded."""
    path = put("0.1.0-full", tmp_path / "full.db", LOGIN)
    assert Run(path)("upgrade").code == 0
    return path


@pytest.fixture
def reading(full: Path) -> Iterator[sqlite3.Connection]:
    with closing(database.read_only(full)) as connection:
        yield connection


def test_amounts_have_the_decimals_of_their_currency_exactly(house: House) -> None:
    for currency in money.EXPONENTS:
        for minor in (0, 1, -1, 99, -100, 123_456_789_012_345, -99_999_999_999_999):
            sql = f"SELECT {views._decimal(':minor')}, {views._comparable(':minor', ':currency')} FROM (SELECT 1)"
            sql += views._decimals_of(":currency")
            sql = with_words(sql) if house.url else sql
            text, e4 = house.connection.execute(sql, {"minor": minor, "currency": currency}).fetchone()
            wanted = f"{'-' if minor < 0 else ''}{money.text(abs(minor), currency)}"
            assert (text, e4) == (wanted, minor * 10 ** (4 - money.EXPONENTS[currency])), currency


@pytest.mark.of_files("a server parses none of them at a start")
def test_what_each_command_parses_of_the_views_when_it_opens_a_database_stays_short(house: House) -> None:
    text = house.connection.execute("SELECT sum(length(sql)) FROM sqlite_master WHERE name LIKE 'v\\_%' ESCAPE '\\'")
    assert text.fetchone()[0] < 7_700  # a character costs some 200 instructions at each start


@pytest.mark.parametrize("name", ["Europe/Kyiv", "America/New_York", "Asia/Kathmandu", "Australia/Lord_Howe", "UTC"])
def test_every_time_is_that_of_the_clocks_there(house: House, name: str) -> None:
    zone = ZoneInfo(name)
    with database.transaction(house.connection):
        offsets.store(house.connection, zone)
    chance = random.Random(name)
    begun = datetime(1990, 1, 1, tzinfo=timezone.utc)
    moments = [begun + timedelta(seconds=chance.randrange(3 * 10**9)) for _ in range(100)]
    moments += [
        time.from_stored(since) + timedelta(seconds=by) for since, _ in offsets.changes(zone)[1:] for by in (-1, 0, 1)
    ]
    for moment in moments:
        at = time.stored(moment)
        local = m0028_whole_numbers.rewritten(views._local("o.at"))
        shown = house.connection.execute(f"SELECT {local} FROM (SELECT CAST(:at AS INTEGER) AS at) o", {"at": at})
        assert shown.fetchone()[0] == time.local_text(at, zone)


@pytest.mark.of_files("a server's are stored when its shop is made or moved")
def test_rules_of_a_zone_that_changed_are_stored_by_an_upgrade(house: House) -> None:
    house.connection.execute("DELETE FROM zone_offsets WHERE since > 1767225600")
    assert house.run("upgrade").code == 0
    assert tuple(map(tuple, house.connection.execute("SELECT * FROM zone_offsets"))) == offsets.changes(house.zone)


ALIKE = {  # view -> the list beside it, its key there, and column of the list -> column of the view
    "v_orders": ("orders list --kind all", "order_number", {"order": "order_number", "status": "status",
        "price": "price", "paid": "paid", "discount": "discount", "created_at": "created_at", "customer": "customer",
        "completed_at": "completed_at", "manager": "manager", "category": "category", "currency": "currency"}),
    "v_payments": ("payments list", "invoice_number", {"invoice": "invoice_number", "amount": "amount",
        "commission": "commission", "refunded": "refunded", "attempted_at": "attempted_at", "paid_at": "paid_at",
        "payment_system": "payment_system", "customer": "customer"}),
    "v_recurring": ("recurring list", "recurring_number", {"recurring": "recurring_number", "price": "price",
        "next_payment_at": "next_payment_at", "due_at": "due_at", "started_at": "started_at", "customer": "customer",
        "payments": "payments", "manager": "manager", "payment_system": "payment_system"}),
    "v_customers": ("customers list", "customer_number", {"customer": "customer_number", "name": "name",
        "email": "email", "phone": "phone", "language": "language"}),
    "v_ledger": ("payments ledger", "entry", {"entry": "entry", "amount": "amount", "commission": "commission",
        "at": "at", "kind": "kind", "customer": "customer", "invoice": "invoice_number", "order": "order_number"}),
}  # fmt: skip


@pytest.mark.parametrize("view", ALIKE)
def test_a_view_shows_what_the_list_does(full: Path, reading: sqlite3.Connection, view: str) -> None:
    command, key, same = ALIKE[view]
    listed = Run(full)(*command.split(), "--columns", ",".join(same), "--json")
    assert listed.code == 0, listed.err
    rows = {str(row[key]): row for row in reading.execute(f"SELECT * FROM {view}")}
    assert len(listed.json) == len(rows) or view == "v_customers"  # the list leaves out those that were merged
    for shown in listed.json:
        row = rows[str(shown[next(iter(same))])]
        utc = {ours: f"{ours}_utc" for ours in same.values() if f"{ours}_utc" in row.keys()}  # noqa: SIM118 - a Row
        of_view = {column: row[utc.get(ours, ours)] for column, ours in same.items()}
        assert of_view == {column: shown[column] for column in same}


def _shell(*words: str, stdin: str | None = None) -> str:
    assert SHELL
    return subprocess.run([SHELL, *words], input=stdin, capture_output=True, text=True, check=True).stdout


@needs_shell
def test_a_copy_that_the_shell_makes_without_writing_is_a_database(full: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy.db"
    full.chmod(0o400)
    _shell("-readonly", str(full), f"VACUUM INTO '{copy}'")
    copy.chmod(0o600)
    assert Run(copy)("orders", "list", "--csv").out == Run(full)("orders", "list", "--csv").out
    assert Run(copy)("doctor").code in (0, 1)


@needs_shell
def test_a_dump_is_a_database_again_when_it_is_marked_as_said(full: Path, tmp_path: Path) -> None:
    loaded = tmp_path / "it's loaded.db"
    _shell(str(loaded), stdin=_shell("-readonly", str(full), ".dump"))
    loaded.chmod(0o600)
    ran = Run(loaded)("orders", "list")
    assert "was loaded from a dump" in ran.err
    (command,) = re.findall(r"mark it by: sqlite3 (.*), then run", ran.err)
    _shell(*shlex.split(command))
    assert Run(loaded)("orders", "list", "--csv").out == Run(full)("orders", "list", "--csv").out
    with closing(database.read_only(loaded)) as one, closing(database.read_only(full)) as other:
        assert migrate.missing(one, database.version_of(one)) == []
        assert list(one.iterdump()) == list(other.iterdump())
    assert Run(loaded)("customers", "list", "--search", "olena", "-q").code == 0


def test_another_program_s_database_is_no_dump_of_ours(tmp_path: Path) -> None:
    path = tmp_path / "other.db"
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE _sqlite_migrations (migration_set TEXT)")
    with pytest.raises(DatabaseUnusable, match="is not a salescli database"):
        database.connect(path)


# What help sql says

PAGE = (PROJECT / "salescli" / "docs" / "sql.md").read_text(encoding="utf-8")


def _recipe(heading: str, number: int = 0) -> str:
    section = PAGE.partition(f"\n## {heading}\n")[2].partition("\n## ")[0]
    return str(re.findall(r"```\w+\n(.*?)```", section, re.DOTALL)[number])


def _run(recipe: str, folder: Path) -> str:
    ran = subprocess.run(["sh", "-ec", recipe], cwd=folder, capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stderr
    return ran.stdout


@pytest.fixture
def folder(full: Path) -> Path:
    """A folder with sales.db, as the page has it."""
    full.rename(full.with_name("sales.db"))
    return full.parent


@needs_shell
def test_the_recipes_of_the_shell(folder: Path) -> None:
    lines = _run(_recipe("sqlite3"), folder).splitlines()
    assert lines[0] == "month|currency|minor"
    assert len(lines) > 1
    _run(_recipe("sqlite3", 1), folder)
    (folder / "copy.db").chmod(0o600)
    assert Run(folder / "copy.db")("orders", "list").code == 0


def test_the_recipe_of_sqlite_utils(folder: Path) -> None:
    recipe = _recipe("sqlite-utils").replace("sqlite-utils", f"{shlex.quote(sys.executable)} -m sqlite_utils", 1)
    failed = Run(folder / "sales.db")("recurring", "list", "--status", "failed", "-q").out.split()
    shown = _run(recipe, folder)
    assert [line.split()[0] for line in shown.splitlines()[2:]] == sorted(failed, key=int)


def test_the_recipe_of_pandas(folder: Path) -> None:
    pytest.importorskip("pandas", reason='pandas is not installed: pip install "salescli[bench]"')
    assert "EUR" in _run(f"{shlex.quote(sys.executable)} -c {shlex.quote(_recipe('pandas'))}", folder)


def test_the_recipe_of_duckdb(folder: Path) -> None:
    pytest.importorskip("duckdb", reason='duckdb is not installed: pip install "salescli[bench]"')
    pytest.importorskip("pandas", reason='pandas is not installed: pip install "salescli[bench]"')
    shown = _run(f"{shlex.quote(sys.executable)} -c {shlex.quote(_recipe('DuckDB'))}", folder)
    assert "bought" in shown
    for row in _bought(folder):
        assert re.search(rf"{re.escape(row['customer'])}.*{row['currency']}.*\b{row['minor'] // 100}\.", shown), row


def _bought(folder: Path) -> list[sqlite3.Row]:
    """Return what each customer bought, added up here."""
    with closing(sqlite3.connect(folder / "sales.db")) as connection:
        connection.row_factory = sqlite3.Row
        return connection.execute(
            "SELECT customer, currency, sum(price_minor) AS minor FROM v_orders WHERE status = 'completed'"
            " GROUP BY customer, currency ORDER BY customer, currency"
        ).fetchall()


def test_what_is_shipped_for_datasette_names_the_views(folder: Path) -> None:
    metadata = json.loads((PROJECT / "salescli" / "docs" / "data" / "datasette.json").read_text(encoding="utf-8"))
    with closing(sqlite3.connect(folder / "sales.db")) as connection:
        for view, told in metadata["databases"]["sales"]["tables"].items():
            connection.execute(f"SELECT {told['sort_desc']} FROM {view}")


def test_datasette_shows_every_view_and_answers_the_recipes(folder: Path) -> None:
    """Its server on loopback, started as the page says, asked for the JSON of each view and of the questions there."""
    pytest.importorskip("datasette", reason='datasette is not installed: pip install "salescli[bench]"')
    python, port = shlex.quote(sys.executable), _free_port()
    recipe = _recipe("Datasette").replace("datasette -i", f"exec {python} -m datasette -i", 1)
    recipe = recipe.replace("python3 -c", f"{python} -c").rstrip() + f" --host 127.0.0.1 --port {port}"
    server = subprocess.Popen(["sh", "-ec", recipe], cwd=folder, stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
    try:
        ask = partial(_asked, f"http://127.0.0.1:{port}")
        with closing(sqlite3.connect(folder / "sales.db")) as connection:
            for view in views._views():
                (number,) = connection.execute(f"SELECT count(*) FROM {view}").fetchone()
                assert len(ask(f"/sales/{view}.json", _shape="array", _size="max")) == number, view
        for sql in (re.findall(r'sales\.db "\n(.*?)"', PAGE, re.DOTALL))[:2]:
            with closing(sqlite3.connect(folder / "sales.db")) as connection:
                connection.row_factory = sqlite3.Row
                wanted = [dict(row) for row in connection.execute(sql)]
            assert wanted
            assert ask("/sales.json", _shape="array", sql=sql) == wanted
        assert "Ledger: money in and out" in _fetched(f"http://127.0.0.1:{port}/sales/v_ledger").decode()
    finally:
        server.terminate()
        server.wait()


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as free:
        return int(free.getsockname()[1])


def _asked(server: str, path: str, **words: str) -> Any:
    return json.loads(_fetched(f"{server}{path}?{urlencode(words)}"))


def _fetched(url: str) -> bytes:
    """Return what a server answers, once it is up."""
    for _ in range(300):
        try:
            with urlopen(url, timeout=60) as answer:  # noqa: S310 - of loopback
                return bytes(answer.read())
        except HTTPError:
            raise
        except URLError:
            time_module.sleep(0.1)
    raise AssertionError(f"{url} did not answer")
