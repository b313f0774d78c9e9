"""What happened in 0.1.0-full.db, told again with the operations of today: ``make_0_1_0`` is how it was told then."""

from __future__ import annotations

import io
import itertools
import secrets
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import datetime, timedelta, timezone
from functools import partialmethod
from pathlib import Path

import pytest

from salescli.catalogue import customer_erase, customer_merge, roles, users
from salescli.charging.gateway_calls import Limits
from salescli.imports import recurring as recurring_import
from salescli.imports.run import ImportRequest
from salescli.rules import time
from salescli.sales import recurring_actions, sales_plans
from salescli.storage import database, home, new_file
from tests.conftest import House
from tests.importing import as_csv
from tests.shop import Shop, after_every_act
from tests.story import Story

MADE_AT = datetime(2026, 1, 31, 8, 0, tzinfo=timezone.utc)
SETTINGS = {"installation": "released", "time_zone": "Europe/Kyiv", "currency": "EUR"}


@contextmanager
def told(path: Path, login: str) -> Iterator[House]:
    """Make a new file to which happened what happened to the released one; ``login``: its owner's."""
    with pytest.MonkeyPatch.context() as fixed:
        fixed.setattr(Shop, "tick", partialmethod(Story.tick, limits=Limits(workers=1)))
        fixed.setattr(time, "now", lambda: MADE_AT)  # of the sandbox's entries
        new_file.create(path, {**SETTINGS, "home": home.home_of(path)})
        numbers = itertools.count(11)  # as many as 0.1.0 had drawn by then; each migration draws some
        fixed.setattr(secrets, "token_hex", lambda size=16: f"{next(numbers):0{2 * (size or 16)}x}")
        with closing(database.connect(path)) as connection:
            actor = users.register_owner(connection, login=login, name="Оксана Власник", now=MADE_AT)
            house = House(path, connection, actor, time.time_zone(SETTINGS["time_zone"]), MADE_AT)
            _fill(house)
            yield house


def _fill(house: House) -> None:
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
    recurring_actions.pause(shop.work, plans["paused"])
    recurring_actions.complete(shop.work, plans["completed"])
    _imported(shop)

    shop.at("2027-01-12 10:00")
    _cards(connection, {plans["failed"]: "tok_card_declined"})
    for hours in (0, 2, 27):
        shop.now += timedelta(hours=hours)
        shop.tick()
    shop.at("2027-01-25 10:30")
    _cards(connection, {plans["retry"]: "tok_insufficient_funds"})
    _cards(connection, dict.fromkeys((plans["doubt"], plans["wish"]), "tok_timeout_after_charge"))
    shop.tick()
    recurring_actions.pause(shop.work, plans["wish"])
    sales_plans.mark(shop.work, "1", "50", "ivan", note="paid in cash")
    shop.pay(shop.order("20", through="Bank transfer"))  # waits for a person
    shop.refund(shop.some_order(-1, "status = 'completed' AND paid_minor > 0"), reason="надіслано назад")
    connection.execute("UPDATE attempts SET started_up = NULL")
    connection.execute("UPDATE attempts SET owner = 'desk/0/4711/1' WHERE id = (SELECT max(id) FROM attempts"
                       " WHERE status = 'live' AND recurring_id IS NOT NULL)")  # fmt: skip


def _people(shop: Shop, house: House) -> None:
    """Merge two records of one person, and erase another one's data."""
    house.customer("Olena Kovalenko", email="olena@example.com", phone="+380501234567")
    customer_merge.merge(shop.work, "1", "Olena Kovalenko")
    gone = house.customer("Богдан Ткач", email="bohdan@example.com")
    customer_erase.erase_all(shop.work, [str(gone["id"])], reason="asked by letter")


def _imported(shop: Shop) -> None:
    row = {
        "recurring": "S-1", "customer": "Ганна Лис", "email": "hanna@example.com", "offer": "Course",
        "offer_number": "30", "currency": "EUR", "price": "49.00", "payment_system": "Sandbox", "token": "tok_fee",
        "started_at": "2026-12-31 09:00", "every": "1 month", "payments": "6", "payments_made": "1",
    }  # fmt: skip
    content = as_csv(recurring_import.COLUMNS, row, [{}, {"recurring": "S-2", "status": "paused"}])
    recurring_import.import_recurring(shop.work, ImportRequest(io.BytesIO(content), source="oldshop"))


def _cards(connection: sqlite3.Connection, tokens: dict[int, str]) -> None:
    for plan, token in tokens.items():
        connection.execute("UPDATE recurring SET token = ? WHERE id = ?", (token, plan))
