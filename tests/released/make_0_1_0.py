"""How 0.1.0-empty.db, 0.1.0-full.db and its sandbox's ledger were made, by the code that was released as 0.1.0.

    python -m tests.released.make_0_1_0 DIRECTORY

It runs with that state of the project only; the files are kept so that every later one can be held to upgrading them.
What the machine or chance would decide (random numbers, the host, the process at work) is set to something fixed.
"""

from __future__ import annotations

import io
import itertools
import secrets
import sqlite3
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import datetime, timedelta, timezone
from functools import partialmethod
from pathlib import Path

from salescli.catalogue import customer_erase, customer_merge, roles, users
from salescli.charging.tick import Limits
from salescli.imports import recurring as recurring_import
from salescli.imports.run import Request
from salescli.rules import time
from salescli.sales import recurring_actions, sales_plans
from salescli.storage import database, home
from tests.conftest import House
from tests.importing import as_csv
from tests.shop import Shop, after_every_act
from tests.story import Story

MADE_AT = datetime(2026, 1, 31, 8, 0, tzinfo=timezone.utc)
SETTINGS = {"installation": "released", "time_zone": "Europe/Kyiv", "currency": "EUR", "home": "released:/0.1.0"}


def main(directory: Path) -> None:
    """Make the files in a directory that does not hold them yet."""
    with _new(directory / "0.1.0-empty.db"):
        pass
    with _new(directory / "0.1.0-full.db") as house:
        _fill(house)
    for path in (directory / "0.1.0-full.db.sandbox", directory / "0.1.0-full.db", directory / "0.1.0-empty.db"):
        with closing(sqlite3.connect(path, isolation_level=None)) as connection:
            connection.execute("PRAGMA journal_mode = delete").fetchall()
            connection.execute("PRAGMA page_size = 1024")  # a quarter of the usual: the files are a third as large
            connection.execute("VACUUM")


@contextmanager
def _new(path: Path) -> Iterator[House]:
    database.create(path, {**SETTINGS, "home": home.home_of(path)})
    with closing(database.connect(path)) as connection:
        actor = users.register_owner(connection, login="olena", name="Оксана Власник", now=MADE_AT)
        connection.execute("UPDATE _sqlite_migrations SET applied_at = '2026-01-31 08:00:00.000000+00:00'")
        yield House(path, connection, actor, time.time_zone(SETTINGS["time_zone"]), MADE_AT)
        database.set_setting(connection, "home", SETTINGS["home"])


def _fill(house: House) -> None:
    """Let a shop run for some months, until the file has every kind of record, in every status."""
    shop = after_every_act(house)
    connection = house.connection
    house.add(roles.NOUN, name="helper", permissions="view enter-orders")
    house.user("daria", name="Дарія Гончар", role="helper")
    house.add(users.NOUN, login="petro", name="Петро", active="no")
    house.offer("9.00", name="Letter", number="50", every="1 week", retry_after="90m,1d")
    house.offer("15.00", name="Hidden", number="60", active="no")
    shop.at("2027-01-04 10:00")

    _people(shop, house)
    plans = {name: shop.subscribed("50") for name in ("active", "retry", "paused", "failed", "completed", "wish")}
    plans["doubt"] = shop.subscribed("50")
    recurring_actions.pause(connection, plans["paused"], **shop.who_and_when)
    recurring_actions.complete(connection, plans["completed"], **shop.who_and_when)
    _imported(shop, house)

    shop.at("2027-01-12 10:00")
    _cards(connection, {plans["failed"]: "tok_card_declined"})
    for hours in (0, 2, 27):
        shop.now += timedelta(hours=hours)
        shop.tick()
    shop.at("2027-01-25 10:30")
    _cards(connection, {plans["retry"]: "tok_insufficient_funds"})
    _cards(connection, dict.fromkeys((plans["doubt"], plans["wish"]), "tok_timeout_after_charge"))
    shop.tick()
    recurring_actions.pause(connection, plans["wish"], **shop.who_and_when)
    sales_plans.mark(connection, "1", "50", "ivan", note="paid in cash", **shop.who_and_when)
    shop.pay(shop.order("20", through="Bank transfer"))  # waits for a person
    shop.refund(shop.some_order(-1, "status = 'completed' AND paid_minor > 0"), reason="надіслано назад")
    connection.execute("UPDATE attempts SET started_up = NULL")
    connection.execute("UPDATE attempts SET owner = 'desk/0/4711/1' WHERE id = (SELECT max(id) FROM attempts"
                       " WHERE status = 'live' AND recurring_id IS NOT NULL)")  # fmt: skip


def _people(shop: Shop, house: House) -> None:
    """Merge two records of one person, and erase another one's data."""
    who = {"actor": house.actor, "now": shop.now}
    house.customer("Olena Kovalenko", email="olena@example.com", phone="+380501234567")
    customer_merge.merge(house.connection, "1", "Olena Kovalenko", **who)
    gone = house.customer("Богдан Ткач", email="bohdan@example.com")
    customer_erase.erase(house.connection, str(gone["id"]), reason="asked by letter", **who)


def _imported(shop: Shop, house: House) -> None:
    row = {
        "recurring": "S-1", "customer": "Ганна Лис", "email": "hanna@example.com", "offer": "Course",
        "offer_number": "30", "currency": "EUR", "price": "49.00", "payment_system": "Sandbox", "token": "tok_fee",
        "started_at": "2026-12-31 09:00", "every": "1 month", "payments": "6", "payments_made": "1",
    }  # fmt: skip
    content = as_csv(recurring_import.COLUMNS, row, [{}, {"recurring": "S-2", "status": "paused"}])
    request = Request(io.BytesIO(content), source="oldshop")
    recurring_import.run(house.connection, request, actor=house.actor, now=shop.now)


def _cards(connection: sqlite3.Connection, tokens: dict[int, str]) -> None:
    for plan, token in tokens.items():
        connection.execute("UPDATE recurring SET token = ? WHERE id = ?", (token, plan))


if __name__ == "__main__":
    numbers = itertools.count(1)
    secrets.token_hex = lambda size=16: f"{next(numbers):0{2 * (size or 16)}x}"  # type: ignore[assignment]
    Shop.tick = partialmethod(Story.tick, limits=Limits(workers=1))  # type: ignore[assignment]
    time.now = lambda: MADE_AT  # of the sandbox's entries
    main(Path(sys.argv[1]).resolve())
