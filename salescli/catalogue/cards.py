"""When a card expires: the last month of a token at its payment system, as an answer or a person says.

``note`` → ``cards`` → charging/card_expiry, which makes an event of it
"""

from __future__ import annotations

import re

from salescli.errors import BadData
from salescli.storage import engine

MONTH = re.compile(r"20\d\d-(0[1-9]|1[0-2])", re.ASCII)


def month(given: str) -> str:
    """Return a card's last month. Raise BadData unless it is one."""
    if not MONTH.fullmatch(given.strip()):
        raise BadData(f"{given!r} is not the month in which a card expires; write it like 2027-04")
    return given.strip()


def note(connection: engine.Connection, payment_system_id: int, token: str, expires: str) -> None:
    """Note a card's last month; the caller holds the transaction."""
    connection.execute(
        "INSERT INTO cards (payment_system_id, token, expires) VALUES (:system, :token, :expires)"
        " ON CONFLICT (payment_system_id, token) DO UPDATE SET expires = :expires WHERE cards.expires <> :expires",
        {"system": payment_system_id, "token": token, "expires": expires},
    )
