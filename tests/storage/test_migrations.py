"""Files of released versions become files of this one: the same tables as a new file's, and every row kept."""

from __future__ import annotations

import hashlib
import json
import re
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from salescli.errors import DatabaseUnusable
from salescli.rules import time
from salescli.rules.schedule import Retries
from salescli.storage import database, migrate, migrations, schema, totals
from salescli.storage.sqlite import upgrade
from salescli.storage.work import Work
from tests import released
from tests.conftest import LOGIN, NOW, House
from tests.released import story

pytestmark = pytest.mark.of_files("a shop on a server is moved instead")

# A released migration is never edited: the files that it made would not be those that it makes.
DIGESTS = {
    "m0001_house": "06f05406e6d0cbe827949d840bba3d09b0b01539ea9e16748114fde158f19be2",
    "m0002_retry_after": "eddd419a4bebb03db3c4c667b96f1acb06cdb3c0f2ff0e0e53f6ad5767888f71",
    "m0003_refund_cost": "de7f363b3b4baaf0e888ba2f1d97811c658f6e4165c6a3b49c53379dd6dd945b",
    "m0004_checked_elsewhere": "6a50a8952d4ec660b69d0f07153471d464a5e64d7c97c0156eefe59efa9cee7c",
    "m0005_one_payment_each": "99e4ec5a46ffbda40a924dbd2395567229d0e6112c814cbfd19f69b793219aa7",
    "m0006_gateway_checks": "ba8e7fd8f5d627725d0adbac677a9fd629434369257fbb5f71f4a1ffed6dc0c7",
    "m0007_moved_elsewhere": "f4995431ed66a277e3eca4cfb024c2634b345a4305645611583d1d5de3607bf3",
    "m0008_written_at": "721144d4f1c422131affe20e4920bbc6e02c8842289595d78c51f500dbccbf74",
    "m0009_closed_months": "3e0dde6757f6ac6ada973660c38ddd7ed6d38fdf7e0a52b014c94ed2fce9fac6",
    "m0010_credit": "9024d933aded564abcf51f8bce988063b87d0bbc99ff6ba040c0fc7cfe0a5b04",
    "m0011_order_comment": "e1172446122d74ce1a6e6dc8da28b1ef197c91871fd2bced7597292973cb20dd",
    "m0012_sells": "e8c4385811b3d479ad32d96438ae5404feb62bd506d6a533b38e64ee8ee0cd47",
    "m0013_resolve": "5a57df963ad2e111a4cc9ba1c81b26b7a0295cfdafc408ae43782bb33bd82146",
    "m0014_names": "ad89a8a81060045085a61b18ebcac2b2355fb3abe4c1c76f05537ed8c86de4d9",
    "m0015_currencies": "0745a3c3e40cd90f06a1d573b21efc5d3e0c3cf0e09064cbcfe63a55a21af106",
    "m0016_payment_reference": "b8eeb7efffadbb314cf0fd1e6ca3eeb0367314536905e61168e5891c10f0de2e",
    "m0017_default_system": "7cdfbf2507498bced1de84eb84842363c09960ef9ee202c4b0eaf2239249c3a8",
    "m0018_saved_tokens": "a3820e526490c08fa477fde0bc4909f65bf178de4721932ce54a285a68c98430",
    "m0019_instalments": "02cdf13e0ff928d3f64765dd6344a73298ff3c87c8532f78f01a13948118e680",
    "m0020_resumes_at": "0e955abb0d538ab3ab950b637521d337dd5a43905bd86957a15eda4409fba836",
    "m0021_hooks": "63693d0a2ab1263ca0d1d7ff39ddf4d8f9820224061079ebf77599a68ebc2ef1",
    "m0022_views": "b4cc2c0df850069104807139876106b89ef9dcc71d1714a845b9378cde8773ab",
    "m0023_letters": "a606773fa236e4be8f2c1677c7420f105d3c5469c5329abed2fe1af1807840a6",
    "m0024_shares": "e08a9a7be150143b673ba4c72aad95cea6200d2b728ecc384f5096c22eaa1859",
    "m0025_facts": "52c048443d0e1e9677864bcd75fbdc81bf521047e8d15a21876650af284ee560",
    "m0026_uids": "7dba35fdc09b10b000723e94dea2284a55184826494451b40ff608a8bc2a49f1",
    "m0027_first_pages": "9ef563fd0551289677a586e3683dc55ffe53e4f6921090ddb009a0a19b37e47e",
    "m0028_whole_numbers": "364387e8ac6ef619786cd8a539c6880c72b29a841f7febda070d6355bd542316",
    "m0029_to_do": "491af5b90563025a490993919839d99a726c5c1e70c30be32ccc6ba8d675f7ba",
    "m0030_steps": "2e97955653631f60b9d873b32f7dd8dc5c982fabcbc8e12bc46a3a4211d4ddcc",
}
REBUILT = ("offers", "orders", "recurring")
REWORDED = {  # since 0.1.0
    "the line was cut": "the connection was cut",
    "outcome of the charge not known": "outcome of the charge unknown",
}
NEW_TABLES = (
    "cards",
    "closed_months",
    "disputes",
    "gateway_checks",
    "hooks",
    "saved_tokens",
)  # since 0.1.0, whose story has nothing for them


@pytest.fixture(params=released.older(), ids=lambda each: f"{each[0]} of version {each[1]}")
def path(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """A file of a released version, or what became of it in a version between releases."""
    name, version = request.param
    return released.put(name, tmp_path / "old.db", LOGIN, version)


@pytest.fixture
def old(path: Path) -> Iterator[sqlite3.Connection]:
    with closing(database.connect(path, older=True)) as connection:
        yield connection


def upgraded(connection: sqlite3.Connection, house: House) -> sqlite3.Connection:
    assert upgrade.run(Work(connection, house.actor, NOW, house.zone))
    return connection


def tables(connection: sqlite3.Connection) -> dict[str, list[dict[str, Any]]]:
    """Return the rows of every table but SQLite's and the settings, by its name."""
    names = connection.execute(
        "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite!_%' ESCAPE '!'"
        " AND sql NOT LIKE 'CREATE VIRTUAL%' AND name NOT IN ('settings', '_sqlite_migrations')"
    )
    return {row[0]: [dict(each) for each in connection.execute(f'SELECT * FROM "{row[0]}"')] for row in names}


def as_number(column: str, value: Any) -> Any:
    """Return an instant or a day as version 28 stores it; all other values unchanged."""
    if not isinstance(value, str):
        return value
    if column.endswith("_on"):
        return int(value.replace("-", ""))
    is_time = column.endswith(("_at", "_until")) or column in ("at", "now", "failing_since")
    return time.stored(time.from_text(value)) if is_time else value


def everything(connection: sqlite3.Connection) -> set[tuple[str, ...]]:
    """Return type, name and table of all that a file is made of, SQLite's own indexes too."""
    return {tuple(row) for row in connection.execute("SELECT type, name, tbl_name FROM sqlite_master")}


def test_a_released_migration_is_never_edited() -> None:
    folder = Path(migrations.__file__).parent
    digests = {file.stem: hashlib.sha256(file.read_bytes()).hexdigest() for file in sorted(folder.glob("m0*.py"))}
    assert digests == DIGESTS, "write a further migration, and add its digest here"


def test_the_version_is_the_number_of_the_last_migration() -> None:
    assert len(migrate.MIGRATIONS) == schema.VERSION
    for number, migration in enumerate(migrate.MIGRATIONS, start=1):
        assert migration.NAME.startswith(f"{number:03}_")
        assert migration.CHANGES


def test_the_digest_is_that_of_all_that_the_migrations_make() -> None:
    assert migrate.digest(migrate._wanted(schema.VERSION)) == schema.DIGEST


def test_tables_are_compared_without_making_them_again_unless_they_differ(
    connection: sqlite3.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[int] = []
    wanted = migrate._wanted

    def noting(version: int) -> dict[str, str]:
        made.append(version)
        return wanted(version)

    monkeypatch.setattr(migrate, "_wanted", noting)
    assert (migrate.missing(connection, schema.VERSION), made) == ([], [])
    connection.execute("CREATE INDEX of_somebody_s_own ON orders (comment)")
    assert (migrate.missing(connection, schema.VERSION), made) == ([], [schema.VERSION])
    connection.execute("DROP INDEX orders_created")
    assert migrate.missing(connection, schema.VERSION) == ["orders_created"]


def test_there_is_a_file_of_every_version_but_this_one() -> None:
    assert {version for _, version in released.older()} == set(range(1, schema.VERSION))


def test_the_migrations_make_what_their_version_made(old: sqlite3.Connection) -> None:
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as model:
        migrate.run(model, database.version_of(old))
        assert migrate.definitions(model) == migrate.definitions(old)
        assert everything(model) == everything(old)


def test_an_upgraded_file_is_made_as_a_new_one(old: sqlite3.Connection, house: House) -> None:
    upgraded(old, house)
    assert migrate.definitions(old) == migrate.definitions(house.connection)
    assert everything(old) == everything(house.connection)
    for (name,) in house.connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall():
        columns = [tuple(row) for row in house.connection.execute(f"PRAGMA table_xinfo ({name})")]
        assert [tuple(row) for row in old.execute(f"PRAGMA table_xinfo ({name})")] == columns, name
    listed = "SELECT name, strict, wr FROM pragma_table_list WHERE schema = 'main'"
    assert set(map(tuple, old.execute(listed))) == set(map(tuple, house.connection.execute(listed)))
    assert database.version_of(old) == schema.VERSION
    assert old.execute("PRAGMA foreign_keys").fetchone()[0] == 1


def test_every_row_is_kept(old: sqlite3.Connection, house: House) -> None:
    before = tables(old)
    before.pop("totals")  # counted anew, since version 23 by other keys
    before.pop("zone_offsets", None)  # stored anew
    after = tables(upgraded(old, house))
    assert after["history"].pop()["what"] == "upgraded"
    filled = {"zone_offsets", "currency_decimals", "facts", "totals"}
    assert not any(after[name] for name in set(after) - set(before) - filled), "a new table is empty"
    for name, rows in before.items():
        for row, kept in zip(rows, after[name], strict=True):
            if "retry_1_minutes" in row:  # in version 1
                waits = [row.pop(f"retry_{number}_minutes") for number in (1, 2)]
                row["retry_after"] = str(Retries((waits[0], waits[1]))) if waits[0] else None
            if name == "roles" and row["name"] in ("owner", "sales-head"):  # before version 9
                row["permissions"] = f"{row['permissions'].removesuffix(' resolve')} resolve"
            if name == "orders":  # before version 22; it was counted from the price
                row.pop("price_e4", None)
            if name == "invoices":  # before version 23; facts have it
                row.pop("price_e4", None)
            was = {column: as_number(column, value) for column, value in row.items()}
            assert {column: kept[column] for column in row} == was, name
    assert list(totals.differences(old)) == []


@pytest.mark.parametrize("damage", ["recurring SET due_at = 'soon'", "orders SET completed_on = '2026-03-0x'"])
def test_a_text_that_is_no_time_is_not_lost(tmp_path: Path, damage: str) -> None:
    path = released.put("0.1.0-full", tmp_path / "old.db", LOGIN, version=27)
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("PRAGMA foreign_keys = OFF")
        for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'").fetchall():
            connection.execute(f"DROP TRIGGER {name}")
        connection.execute(f"UPDATE {damage} WHERE {damage.split()[2]} IS NOT NULL")
        connection.execute("BEGIN")
        with pytest.raises(sqlite3.IntegrityError, match="cannot store TEXT value in INTEGER column"):
            migrate.run(connection)


def test_its_rows_are_those_of_a_new_file_with_the_same_story(tmp_path: Path, house: House) -> None:
    path = released.put("0.1.0-full", tmp_path / "old.db", LOGIN)
    with closing(database.connect(path, older=True)) as old, story.told(tmp_path / "new.db", LOGIN) as new:
        found, wanted = (told_alike(connection) for connection in (upgraded(old, house), new.connection))
    assert set(found) == set(wanted)
    for name, rows in wanted.items():
        assert rows or name in NEW_TABLES
        assert found[name] == rows, name


def told_alike(connection: sqlite3.Connection) -> dict[str, list[dict[str, Any]]]:
    """Return the rows of every table with any, without what each release may write in its own way."""
    found = {name: rows for name, rows in tables(connection).items() if rows}
    found["totals"] = [row for row in found["totals"] if row["events"]]
    for row in found["ticks"]:
        del row["version"], row["ended_at"]  # 0.1.0 asked the machine, and not the run, for the time
    for row in found["recurring"]:
        del row["imported_as"]  # another digest than 0.1.0's; imports know both
    for row in found["erased"]:
        del row["digest"]  # by the key of a name too, since it has one
    found["erased"] = [row for place, row in enumerate(found["erased"]) if row not in found["erased"][:place]]
    for row in found["payment_systems"]:
        del row["changes_until"], row["changes_asked_at"]  # 0.1.0 asked for no changes
    for row in found["attempts"]:
        row["message"] = REWORDED.get(row["message"], row["message"])
        # 0.1.0 gave imported orders random uids too, so that all later ones are others.
        row["reference"] = re.sub(":[0-9a-f]{16}:", ":", row["reference"])
    for row in (*found["orders"], *found["recurring"]):
        del row["uid"]
    texts = {row["id"]: REWORDED.get(row["text"], row["text"]) for row in found.pop("texts")}
    lines = [{**row, "reason_id": texts.get(row["reason_id"])} for row in found["history"] if row["what"] != "upgraded"]
    lines = [line for line in steps_in_one(lines) if not is_told_by_the_order(line)]
    for line in lines:
        line["what"] = REWORDED.get(line["what"], line["what"])
        # 0.1.0 counted the attempts of a new series from 1 again.
        line["what"] = re.sub(r"^attempt \d+ of payment", "an attempt of payment", line["what"])
        del line["written_at"]  # 0.1.0 kept none
        del line["id"]  # a tick may write what became of payments in another order
        changes = json.loads(line["changes"])
        leave_out_told(line, changes)
        changes.pop("sells", None)  # of users, since version 12
        waits = [changes.pop(f"retry_{number}_minutes", None) for number in (1, 2)]
        if waits[0]:  # lines of version 1 stay as they were written
            changes["retry_after"] = [None, str(Retries((waits[0][1], waits[1][1])))]
        line["changes"] = sorted(changes.items())
    found["history"] = sorted(lines, key=str)
    return found


def is_told_by_the_order(line: dict[str, Any]) -> bool:
    """Return whether the line of the order that a recurring payment opens tells this one since."""
    begins = {"invoice": "attempt 1", "recurring": r"payment \d+, attempt \d+"}.get(line["subject"])
    return bool(line["by_system"] and begins and re.fullmatch(begins, line["what"]))


def leave_out_told(line: dict[str, Any], changes: dict[str, Any]) -> None:
    """Leave out of a recurring order's changes what other columns, or lines, of a payment tell since."""
    if line["subject"] != "recurring":
        return
    if changes.get("due_at") == changes.get("next_payment_at"):
        changes.pop("due_at", None)
    if line["what"].endswith(" made") and changes.get("status") == ["processing", "active"]:
        del changes["status"]


def steps_in_one(lines: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return lines of the history with what one payment did to one record in one line: once each step had its own."""
    told: list[dict[str, Any]] = []
    last: dict[tuple[str, int], dict[str, Any]] = {}  # of a record
    for line in lines:
        before = last.get((line["subject"], line["subject_id"]))
        steps = (before and before["what"], line["what"])
        if (
            before
            and before["at"] == line["at"]
            and steps in (("payment received", "completed"), ("opened", "attempt 1"))
        ):
            changes = json.loads(before["changes"])
            for name, (old, new) in json.loads(line["changes"]).items():
                changes[name] = [changes.get(name, [old])[0], new]
            before |= {"what": line["what"], "changes": json.dumps(changes)}
            continue
        told.append(line)
        last[line["subject"], line["subject_id"]] = line
    return told


def test_settings_are_kept_and_the_stamp_goes(old: sqlite3.Connection, house: House) -> None:
    before = dict(map(tuple, old.execute("SELECT name, value FROM settings")))
    assert before.pop("schema", None) == ("69f1d087" if database.version_of(old) == 1 else None)
    assert dict(map(tuple, upgraded(old, house).execute("SELECT name, value FROM settings"))) == before


def test_a_number_that_was_given_is_not_given_again(old: sqlite3.Connection, house: House) -> None:
    for table in REBUILT:  # as if their last records were gone
        old.execute("DELETE FROM sqlite_sequence WHERE name = ?", (table,))
        old.execute("INSERT INTO sqlite_sequence (name, seq) VALUES (?, 900)", (table,))
    before = dict(map(tuple, old.execute("SELECT name, seq FROM sqlite_sequence WHERE name <> 'history'")))
    upgraded(old, house)
    assert dict(map(tuple, old.execute("SELECT name, seq FROM sqlite_sequence WHERE name <> 'history'"))) == before


def test_search_finds_what_it_found(tmp_path: Path, house: House) -> None:
    with closing(database.connect(released.put("0.1.0-full", tmp_path / "old.db", LOGIN), older=True)) as old:
        upgraded(old, house)
        for table, word in (("customers", "олена"), ("offers", "letter")):
            found = old.execute(f"SELECT rowid FROM {table}_search WHERE {table}_search MATCH ?", (word,)).fetchall()
            assert found, table
            old.execute(f"INSERT INTO {table}_search ({table}_search, rank) VALUES ('integrity-check', 1)")


def test_a_trigger_and_an_index_of_somebody_s_own_are_kept(old: sqlite3.Connection, house: House) -> None:
    old.execute("CREATE INDEX mine ON orders (source)")
    old.execute("CREATE TRIGGER my_own AFTER UPDATE ON offers BEGIN SELECT 1; END")
    before = migrate.definitions(old)
    after = migrate.definitions(upgraded(old, house))
    assert {name: after[name] for name in ("mine", "my_own")} == {name: before[name] for name in ("mine", "my_own")}


@pytest.mark.parametrize(
    ("done", "says"),
    [
        pytest.param("DROP INDEX orders_payment", "not have the tables of .*orders_payment", id="an index is gone"),
        pytest.param("DROP TRIGGER totals_refunds_after_insert", "totals_refunds_after_insert", id="a trigger is gone"),
        pytest.param("ALTER TABLE users ADD COLUMN mine TEXT", "differs in users", id="a column was added"),
        pytest.param("UPDATE customers SET merged_into = 999 WHERE id = 2", "1 row refers to a missing record",
                     id="a row names what is not there"),
    ],
)  # fmt: skip
def test_a_file_that_is_not_as_its_version_made_it_is_left_alone(
    tmp_path: Path, house: House, done: str, says: str
) -> None:
    path = released.put("0.1.0-full", tmp_path / "old.db", LOGIN)
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute(done)
    before = path.read_bytes()
    with closing(database.connect(path, older=True)) as old:
        for operation in (upgrade.rehearse, upgrade.run):
            with pytest.raises(DatabaseUnusable, match=says):
                operation(replace(house.work, connection=old))
    assert path.read_bytes() == before
    assert sorted(tmp_path.glob("*old.db*")) == [path, Path(f"{path}.sandbox"), Path(f"{path}.tick.lock")]


def test_totals_that_were_wrong_are_counted_again(tmp_path: Path, house: House) -> None:
    path = released.put("0.1.0-full", tmp_path / "old.db", LOGIN)
    with closing(database.connect(path, older=True)) as old:
        old.execute("UPDATE totals SET gross = gross + 1 WHERE grain = 0")
        done = upgrade.run(Work(old, house.actor, NOW, house.zone))
        assert done is not None
        assert done.wrong_totals == 0, "version 23 counts all anew"
        assert list(totals.differences(old)) == []
