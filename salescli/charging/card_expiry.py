"""Cards that expire before a planned payment: a line of history each, once, from which notices are made.

once a day: active recurring orders with a payment soon + their cards → the first payment after the card's last month
"""

from __future__ import annotations

from datetime import date, datetime, timedelta

from salescli.rules import time
from salescli.sales import recurring
from salescli.sales.recurring import Recurring
from salescli.storage import database, engine, history
from salescli.storage.work import Work

NOTICE = timedelta(days=14)  # before the payment that the card cannot make: time to send another card, and to enter it
_LOOKED = "cards_looked_on"


def note_expiring(work: Work) -> int:
    """Note the cards that expire before a payment of the next two weeks, each once, and return how many; once a day."""
    today = time.local_day(work.now, work.zone).isoformat()
    if database.setting(work.connection, _LOOKED) == today:
        return 0
    with database.transaction(work.connection):
        database.set_setting(work.connection, _LOOKED, today)
        told: set[int] = set()
        for card in _untold(work.connection, work.now):
            if card["id"] in told:
                continue
            planned = recurring.get(work.connection, card["recurring_id"])
            payment = _first_after(planned, card["expires"], work)
            if payment is None or payment > work.now + NOTICE:
                continue
            told.add(card["id"])
            database.update(work.connection, "cards", card["id"], {"told": card["expires"]})
            changes = {"card_expires": (None, card["expires"]), "next_payment_at": (None, time.stored(payment))}
            history.record(work.as_system(), "recurring", planned.id, "card expires", changes)
    return len(told)


def _untold(connection: engine.Connection, now: datetime) -> list[engine.Row]:
    """Return the cards of which nothing was told, each with its recurring orders, the soonest payment first."""
    soon = now + NOTICE
    return connection.execute(
        "SELECT c.id, c.expires, r.id AS recurring_id FROM recurring r"
        " JOIN cards c ON c.payment_system_id = r.payment_system_id AND c.token = r.token"
        " WHERE r.status = 'active' AND r.next_payment_at <= :soon AND c.expires < :month"
        " AND (c.told IS NULL OR c.told <> c.expires) ORDER BY r.next_payment_at, r.id",
        {"soon": time.stored(soon), "month": time.utc_text(soon)[:7]},
    ).fetchall()


def _first_after(planned: Recurring, expires: str, work: Work) -> datetime | None:
    """Return the first planned payment after a card's last month; None if all are made before."""
    year, month = map(int, expires.split("-"))
    ended = time.start_of(date(year + month // 12, month % 12 + 1, 1), work.zone)
    assert planned.next_payment_at is not None  # it is soon
    payment = time.from_stored(planned.next_payment_at)
    left = planned.remaining
    while payment < ended:
        if left is not None:
            left -= 1
        payment = planned.planned_after(payment, work.zone)
    return payment if left is None or left > 0 else None
