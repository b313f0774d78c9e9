"""The bench's seller: a sound file, as a real one would be, and the same for the same seed."""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from datetime import timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from salescli.catalogue import customers, records
from salescli.cli.main import run
from salescli.overview import doctor
from salescli.rules import schedule, time
from salescli.rules.schedule import Interval
from salescli.storage import database as db
from salescli.storage import new_file, schema
from tests.bench import database, older, order_file, tick_rows
from tests.bench.years import END, START

ZONE = ZoneInfo(database.ZONE)
TABLES = (
    "users", "categories", "offers", "customers", "payment_systems", "orders", "invoices", "attempts", "refunds",
    "recurring", "history",
)  # fmt: skip


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make a seller of ten thousand orders."""
    return database.made(tmp_path_factory.mktemp("bench"), 10_000)


@pytest.fixture
def seller(path: Path) -> Iterator[sqlite3.Connection]:
    connection = db.connect(path)
    yield connection
    connection.close()


def _one(connection: sqlite3.Connection, sql: str) -> int:
    return int(connection.execute(sql).fetchone()[0])


def test_doctor_finds_nothing_but_plans_that_failed(seller: sqlite3.Connection) -> None:
    until = seller.execute("SELECT max(created_at) FROM orders").fetchone()[0]
    findings = doctor.examine(seller, time.from_stored(until), ZONE)
    assert {finding.check for finding in findings} == {"failed"}


def test_tick_and_simulate_go_on_from_it(path: Path, tmp_path: Path) -> None:
    copy = tmp_path / "sales.db"
    shutil.copyfile(path, copy)
    before = _one_in(copy, "SELECT count(*) FROM attempts")
    for words in (["adopt"], ["simulate", "--until", "next-week"], ["tick"]):
        assert run([f"--db={copy}", *words]) == 0
    assert _one_in(copy, "SELECT count(*) FROM attempts") > before


def _one_in(path: Path, sql: str) -> int:
    with closing(sqlite3.connect(path)) as connection:
        return _one(connection, sql)


def test_a_payment_of_a_plan_has_the_lines_that_tick_writes(seller: sqlite3.Connection) -> None:
    order = seller.execute(
        "SELECT o.id, i.id AS invoice, o.recurring_id FROM orders o JOIN invoices i ON i.order_id = o.id"
        " JOIN recurring r ON r.id = o.recurring_id"
        " WHERE o.payment_number = 2 AND o.status = 'completed' AND o.confirmed = 1 AND r.payments_made > 2"
    ).fetchone()
    lines = seller.execute(
        "SELECT subject, what FROM history WHERE command = 'tick' AND (subject = 'order' AND subject_id = ?"
        " OR subject = 'invoice' AND subject_id = ? OR subject = 'recurring' AND subject_id = ? AND what LIKE ?)"
        " ORDER BY id",
        (*order, "payment 2%"),
    ).fetchall()
    template = tick_rows.learnt()[False, True]
    known = {"number": 2, "initial": "initial order"}
    told = [(line["subject"], line["what"] % {**dict.fromkeys(("made", "at"), ""), **known}) for line in template]
    assert [subject for subject, _ in lines] == [subject for subject, _ in told]
    assert all(what.startswith(begins) for (_, what), (_, begins) in zip(lines, told, strict=True))


def test_it_has_as_many_orders_as_were_asked_for_the_newest_last(seller: sqlite3.Connection) -> None:
    moments = [at for (at,) in seller.execute("SELECT created_at FROM orders ORDER BY id")]
    assert len(moments) == 10_000
    assert moments == sorted(moments)
    assert time.stored(START) < moments[0] < moments[-1] < time.stored(END)


@pytest.mark.parametrize(
    ("what", "sql"),
    [
        ("orders of every status", "SELECT count(DISTINCT status) = 4 FROM orders"),
        ("invoices of every final status", "SELECT count(DISTINCT status) = 3 FROM invoices"),
        ("plans of every resting status", "SELECT count(DISTINCT status) = 4 FROM recurring"),
        ("several currencies", "SELECT count(DISTINCT currency) >= 4 FROM orders"),
        ("a currency without decimals", "SELECT count(*) FROM orders WHERE currency = 'JPY'"),
        ("payments in another currency", "SELECT count(*) FROM invoices WHERE rate IS NOT NULL"),
        ("orders paid in two currencies",
         "SELECT count(*) FROM (SELECT 1 FROM invoices GROUP BY order_id HAVING count(DISTINCT currency) > 1)"),
        ("payments in parts", "SELECT count(*) FROM invoices WHERE ordinal = 3"),
        ("money on open orders", "SELECT count(*) FROM orders WHERE status = 'open' AND paid_minor > 0"),
        ("money on declined orders", "SELECT count(*) FROM orders WHERE status = 'declined' AND paid_minor > 0"),
        ("orders completed below their price",
         "SELECT count(*) FROM orders WHERE status = 'completed' AND paid_minor < price_minor"),
        ("free orders", "SELECT count(*) FROM orders WHERE price_minor = 0 AND status = 'completed'"),
        ("discounts and quantities", "SELECT count(*) FROM orders WHERE discount_minor > 0 AND quantity > 1"),
        ("partial refunds",
         "SELECT count(*) FROM invoices WHERE refunded_minor BETWEEN 1 AND amount_minor - 1 AND status = 'completed'"),
        ("refunds in a later month",
         "SELECT count(*) FROM refunds x JOIN invoices i ON i.id = x.invoice_id"
         " WHERE x.refunded_on / 100 > i.paid_on / 100"),
        ("declines before a success", "SELECT count(*) FROM attempts WHERE number = 2 AND status = 'succeeded'"),
        ("plans with many orders", "SELECT count(*) FROM orders WHERE payment_number = 6"),
        ("unknown commissions", "SELECT count(*) FROM invoices WHERE paid_at IS NOT NULL AND fee_minor IS NULL"),
        ("confirmed, unconfirmed and system sales",
         "SELECT count(DISTINCT confirmed || (manager_id IS NULL)) = 4 FROM orders WHERE status = 'completed'"),
        ("orders without a category", "SELECT count(*) FROM orders WHERE category_id IS NULL"),
        ("names in two scripts",
         "SELECT count(*) > 0 AND (SELECT count(*) FROM customers WHERE name GLOB '[A-Z]*') FROM customers"
         " WHERE name GLOB '[А-Я]*'"),
        ("nearly as many names as customers",
         "SELECT count(DISTINCT name) > 0.9 * count(*) FROM customers"),
        ("uids in no order", "SELECT count(*) FROM orders o JOIN orders n ON n.id = o.id + 1 WHERE n.uid < o.uid"),
        ("uids that no order and plan share",
         "SELECT NOT EXISTS (SELECT 1 FROM orders o JOIN recurring r ON r.uid = o.uid)"),
        ("customers who came back", "SELECT count(*) > count(DISTINCT customer_id) FROM orders"),
    ],
)  # fmt: skip
def test_it_has_what_a_real_seller_has(seller: sqlite3.Connection, what: str, sql: str) -> None:
    assert _one(seller, sql) > 0, f"no {what}"


def test_offers_sell_by_zipfs_law(seller: sqlite3.Connection) -> None:
    sold = [n for (n,) in seller.execute("SELECT count(*) FROM orders GROUP BY offer_id ORDER BY 1 DESC")]
    assert sold[0] > 5 * sold[9] > 5 * sold[60] > 0


def test_days_are_the_accounts(seller: sqlite3.Connection) -> None:
    pairs = [("orders", "created"), ("orders", "completed"), ("invoices", "paid"), ("refunds", "refunded")]
    for table, name in pairs:
        for at, on in seller.execute(f"SELECT {name}_at, {name}_on FROM {table} WHERE {name}_at IS NOT NULL"):
            assert time.day_number(time.local_day(time.from_stored(at), ZONE)) == on


def test_plans_fall_due_when_the_schedule_says(seller: sqlite3.Connection) -> None:
    rows = seller.execute(
        "SELECT r.anchor_at, r.every_count, r.every_unit, coalesce(o.created_at, r.due_at) AS due FROM recurring r"
        " LEFT JOIN orders o ON o.recurring_id = r.id AND o.payment_number > 1"
        " WHERE o.id IS NOT NULL OR r.due_at IS NOT NULL"
    ).fetchall()
    assert len(rows) > 500
    for anchor, count, unit, due in rows:
        moment = time.from_stored(due)
        before = moment - timedelta(seconds=1)
        assert schedule.next_planned(time.from_stored(anchor), Interval(count, unit), before, ZONE) == moment


def test_its_people_are_found_in_every_script(seller: sqlite3.Connection) -> None:
    for words in ("олена", "ann"):
        assert records.search(seller, customers.NOUN, words)


def test_the_load_leaves_every_index_and_trigger(path: Path, tmp_path: Path) -> None:
    new_file.create(tmp_path / "fresh.db", {})
    assert _schema(path) == _schema(tmp_path / "fresh.db")


def _schema(path: Path) -> set[tuple[str, ...]]:
    connection = sqlite3.connect(path)
    found = set(connection.execute("SELECT type, name, tbl_name, sql FROM sqlite_master"))
    connection.close()
    return found


def test_a_seed_draws_the_same_rows_and_another_others(tmp_path: Path) -> None:
    one, again, other = (
        _contents(database.made(tmp_path / folder, 500, seed)) for folder, seed in (("a", 1), ("b", 1), ("c", 2))
    )
    assert one == again
    assert one["orders"] != other["orders"]


def _contents(path: Path) -> dict[str, list[tuple[object, ...]]]:
    connection = sqlite3.connect(path)
    rows = {table: connection.execute(f"SELECT * FROM {table}").fetchall() for table in TABLES}
    connection.close()
    return rows


def test_a_file_of_the_version_before_comes_to_the_same_when_it_is_upgraded(tmp_path: Path) -> None:
    path = tmp_path / "older.db"
    assert older.made(path, 500, schema.VERSION - 1)
    assert run([f"--db={path}", "upgrade"]) == 0
    found, wanted = _contents(path), _contents(database.made(tmp_path, 500))
    found["history"].pop()  # the line of the upgrade
    assert found == wanted


def test_a_file_that_was_kept_is_taken_again(tmp_path: Path) -> None:
    path = database.made(tmp_path, 200)
    made = path.stat()
    assert database.made(tmp_path, 200).stat().st_mtime_ns == made.st_mtime_ns
    assert [file.name for file in tmp_path.iterdir()] == [path.name]


def test_its_orders_can_be_imported_all_of_them(path: Path, tmp_path: Path) -> None:
    lines = order_file.write(path, tmp_path / "orders.csv").read_text(encoding="utf-8").splitlines()
    assert len(lines) == 10_001
