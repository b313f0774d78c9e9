"""Damaged files: whatever byte or value is wrong, a command ends in a line and 0, 1 or 7, and charges nobody twice.

a real file → bytes turned | a value replaced → doctor, tick, lists, reports → no traceback; the ledger is in the file
"""

from __future__ import annotations

import os
import random
import shutil
import sqlite3
from collections import Counter
from collections.abc import Callable
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

import pytest

from salescli.rules import time
from tests import inside, released
from tests.conftest import LOGIN, House
from tests.faults.world import payment_of
from tests.terminal import Run

ROUNDS = int(os.environ.get("SALESCLI_FAULTS_DAMAGES", "30"))
SHARES = 2
LOOKS = (
    "orders list", "payments list", "recurring list", "recurring upcoming", "customers list", "history", "todo",
    "reports", "reports by-offer", "offers list", "orders show 1", "recurring show 1", "customers show 1",
    "explain order 1", "explain recurring 5", "orders list --csv", "orders list --json", "users list",
    "payment-systems list",
)  # fmt: skip
TICK = "tick --now 2027-02-20"  # long after the file's last day: every recurring order is due
ODD = ("", "x", "2026-13-45T99:99:99Z", "2026-03-01", "ЖЖ", "0", "-1", "9" * 30, "\x00", "2026-03-01T10:00:00Z", "USD")
ODD_NUMBERS = (0, -1, 1, 2, 7, 99_999, 2**62, -(2**62))
TABLES = ("recurring", "attempts", "orders", "invoices") * 3 + (
    "settings", "payment_systems", "ticks", "refunds", "customers", "offers", "history", "categories",
)  # fmt: skip
SIDES = ("", ".sandbox")


@pytest.fixture(scope="module")
def real(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file of a release with something of everything in it, brought up to date and at home."""
    path = released.put("0.1.0-full", tmp_path_factory.mktemp("damaged") / "sales.db", LOGIN)
    for line in ("upgrade", "adopt"):
        done = Run(path)(*line.split())
        assert done.code == 0, done.err
    return path


def turned_bytes(path: Path, chance: random.Random) -> str:
    """Turn one to a dozen bytes at random places, as a failing disk does."""
    data = bytearray(path.read_bytes())
    places = [chance.randrange(100, len(data)) for _ in range(chance.choice((1, 1, 2, 4, 12)))]
    for place in places:
        data[place] = chance.choice((0, 255, data[place] ^ 1 << chance.randrange(8), chance.randrange(256)))
    path.write_bytes(data)
    return f"bytes {places}"


def replaced_value(path: Path, chance: random.Random) -> str:
    """Put a value where the program never would, past every check of the schema."""
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        for pragma in ("foreign_keys = 0", "ignore_check_constraints = 1", "trusted_schema = 1"):
            connection.execute(f"PRAGMA {pragma}")
        triggers = connection.execute("SELECT name, sql FROM sqlite_master WHERE type = 'trigger'").fetchall()
        for name, _ in triggers:
            connection.execute(f'DROP TRIGGER "{name}"')
        did = "nothing"
        while did == "nothing":
            table = chance.choice(TABLES)
            columns = connection.execute(f'PRAGMA table_info("{table}")').fetchall()
            column = chance.choice(columns)[1]
            value: Any = chance.choice(ODD if chance.random() < 0.6 else (*ODD_NUMBERS, None))
            first = columns[0][1]
            keys = [key for [key] in connection.execute(f'SELECT "{first}" FROM "{table}" ORDER BY 1')]
            where, key = (f'"{first}" = ?', chance.choice(keys)) if keys and chance.random() < 0.5 else ("?", 1)
            with suppress(sqlite3.Error):
                if connection.execute(f'UPDATE "{table}" SET "{column}" = ? WHERE {where}', (value, key)).rowcount:
                    did = f"{table}.{column} = {value!r} where {where} {key!r}"
        for _, sql in triggers:
            connection.execute(sql)
    return did


def charged(path: Path) -> list[str]:
    """Return the references of the charges that took money, by the sandbox's own ledger."""
    with closing(sqlite3.connect(f"{path}.sandbox")) as ledger:
        sql = "SELECT reference FROM entries WHERE kind = 'charge' AND status = 'succeeded'"
        return [reference for [reference] in ledger.execute(sql)]


def recorded(path: Path) -> set[str] | None:
    """Return the references that the file knows; None if it cannot be read any more."""
    try:
        with closing(sqlite3.connect(path)) as connection:
            return {reference for [reference] in connection.execute("SELECT reference FROM attempts NOT INDEXED")}
    except (sqlite3.Error, UnicodeDecodeError):
        return None


@pytest.mark.parametrize("share", range(SHARES))
@pytest.mark.parametrize("damage", [turned_bytes, replaced_value])
def test_a_damaged_file_is_one_line_and_charges_nobody_twice(
    real: Path, tmp_path: Path, damage: Callable[[Path, random.Random], str], share: int
) -> None:
    path = tmp_path / "sales.db"
    before = charged(real)
    for seed in range(share, ROUNDS, SHARES):
        chance = random.Random(seed)
        for side in SIDES:
            shutil.copyfile(f"{real}{side}", f"{path}{side}")
        for left in ("-wal", "-shm", "-journal"):
            Path(f"{path}{left}").unlink(missing_ok=True)
        with closing(sqlite3.connect(path)) as connection:
            connection.execute("UPDATE settings SET value = replace(value, ?, ?)", (str(real), str(path)))
            connection.commit()
        what = f"seed {seed}: {damage(path, chance)}"
        for line in ("doctor", f"{TICK} --dry-run", TICK, chance.choice(LOOKS)):
            done = Run(path)(*line.split())  # a traceback would end the test here
            lines = done.err.strip().splitlines()
            assert done.code in (0, 1, 7) or "show" in line or "explain" in line, (what, line, done)
            assert done.code != 7 or len([one for one in lines if "salescli: warning" not in one]) == 1, (what, done)
        now = charged(path)
        twice = [payment for payment, times in Counter(map(payment_of, now)).items() if times > 1]
        known = recorded(path)
        lost = [] if known is None else [reference for reference in now[len(before) :] if reference not in known]
        assert (twice, lost) == ([], []), what


@pytest.mark.parametrize(
    ("change", "says"),
    [
        pytest.param(f"recurring SET next_payment_at = {10**18}", f"'{10**18}' is stored as a time", id="a time"),
        pytest.param("recurring SET currency = 'XXX'", "'XXX' is stored as a currency", id="a currency"),
        pytest.param("recurring SET retry_after = '2'", "'2' is stored as the waits", id="the waits of retries"),
        pytest.param("settings SET value = 'Mars' WHERE name = 'time_zone'", "'Mars' is stored", id="the time zone"),
        pytest.param("recurring SET payment_system_id = 99", "number of a missing payment system", id="a reference"),
        pytest.param("recurring SET status = 'x'", "CHECK constraint failed in recurring", id="a status",
                     marks=pytest.mark.of_files("a server lets in no such row")),
        pytest.param("recurring SET initial_order_id = 99", "refers to a row of orders", id="a reference to an order",
                     marks=pytest.mark.of_files("a server lets in no such row")),
    ],
)  # fmt: skip
def test_a_damaged_value_is_named(house: House, change: str, says: str) -> None:
    _sell(house)
    _damage(house, change)

    told = [house.run(*line.split()) for line in (TICK, "explain recurring 1", "orders list")]

    assert any(ran.code == 7 and says in ran.err for ran in told), told
    assert all("Traceback" not in ran.err and ran.code in (0, 1, 7) for ran in told)
    assert len(charged(house.path)) == 1


@pytest.mark.parametrize(
    ("change", "says"),
    [
        pytest.param("every_count = 0", "'0 month' is stored as an interval", id="no interval"),
        pytest.param("every_unit = 'x'", "'1 x' is stored as an interval", id="a unit"),
        pytest.param("price_minor = -5", "-5 is stored as the price of recurring order 1", id="a price"),
        pytest.param("quantity = 0", "0 is stored as the quantity of", id="a quantity"),
        pytest.param("payments_total = 1", "1 is stored as the number of payments of", id="no payment left"),
        pytest.param("payments_made = -1", "-1 is stored as the number of payments made of", id="payments made"),
        pytest.param("wish = 'x'", "'x' is stored as the pending status of", id="a pending status"),
        pytest.param("anchor_at = 253402300799", "is stored as a planned date", id="the end of time"),
        pytest.param("due_at = 253402300799", "is stored as a planned date", id="no date after it"),
        pytest.param("due_at = 1000000000000, payments_total = 2", "'1000000000000' is stored as a time",
                     id="beyond the end of time, before the last payment"),
    ],
)  # fmt: skip
@pytest.mark.of_files("a server lets in no such row")
def test_a_damaged_recurring_order_is_named_and_holds_up_no_other(house: House, change: str, says: str) -> None:
    _sell(house)
    for line in ("orders new 1 7 --payment-system Sandbox --token tok_ok --at 2026-03-01", "orders pay 2"):
        assert house.run(*line.split()).code == 0
    _damage(house, f"recurring SET {change} WHERE id = 1")

    ran = house.run(*TICK.split())

    assert (ran.code, len(ran.err.splitlines())) == (7, 1), ran
    assert says in ran.err
    assert len(charged(house.path)) == 3  # the first payments, and the next one of the other
    assert house.count("recurring", "id = 2 AND payments_made = 2") == 1


def test_a_row_without_its_order_ends_tick_with_one_line(house: House) -> None:
    _sell(house)
    _damage(house, "offers SET category_id = 99")

    ran = house.run(*TICK.split())

    assert (ran.code, len(charged(house.path))) == (7, 1), ran
    assert ran.err.startswith("salescli: the database is damaged: 99 is stored as the number of a missing category")


def test_a_changed_schema_is_named(house: House) -> None:
    house.connection.execute("DROP VIEW totalled_offer")

    ran = house.run("doctor")

    assert (ran.code, "Traceback" in ran.err) == (7, False)
    assert "the database is damaged: totalled_offer is missing, or differs" in ran.err


@pytest.mark.parametrize("bug", [KeyError("x"), TypeError("x"), sqlite3.IntegrityError("x"), ValueError("x")], ids=repr)
def test_a_bug_of_ours_in_a_sound_file_shows_its_traceback(
    house: House, monkeypatch: pytest.MonkeyPatch, bug: Exception
) -> None:
    def broken(*values: object) -> None:
        raise bug

    _sell(house)
    monkeypatch.setattr(time, "from_stored", broken)

    with pytest.raises(type(bug), match="x"):
        house.run(*TICK.split())


def _sell(house: House) -> None:
    """Start a recurring order at the sandbox."""
    house.customer()
    house.payment_system()
    house.offer("49.00", number="7", every="1 month", category=house.category()["name"])
    for line in (
        "orders new 1 7 --payment-system Sandbox --token tok_ok --at 2026-03-01",
        "orders pay 1",
    ):
        assert house.run(*line.split()).code == 0


def _damage(house: House, change: str) -> None:
    """Change a value past every check of the schema."""
    inside.without_checks(house.connection)
    house.connection.execute(f"UPDATE {change}")
