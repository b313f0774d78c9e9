"""A customer's saved payment methods: the tokens that payment systems gave for their cards, one of them the default.

``save`` → ``of_customer`` | ``for_payment``: the default, else the newest of the payment system → ``forget``
"""

from __future__ import annotations

from dataclasses import dataclass

from salescli.catalogue import cards, customers, payment_systems
from salescli.errors import NotFound
from salescli.rules import permissions, text, time
from salescli.storage import database, engine, history
from salescli.storage.work import Work


@dataclass(frozen=True, slots=True)
class SavedToken:
    """A saved payment method; ``preferred``: it is taken where no payment system is said."""

    id: int
    customer_id: int
    payment_system_id: int
    token: str
    preferred: bool

    @classmethod
    def from_row(cls, row: engine.Row) -> SavedToken:
        """Return the record of a row of ``saved_tokens``."""
        return cls(row["id"], row["customer_id"], row["payment_system_id"], row["token"], bool(row["preferred"]))


def save(
    work: Work,
    customer: str,
    token: str,
    system_name: str | None = None,
    *,
    preferred: bool = False,
    expires: str | None = None,
) -> SavedToken:
    """Save a customer's payment method, and return it; the first one is the default.

    Without a payment system it is of the only one that charges. ``expires``: the card's last month, YYYY-MM. Saving one
    again changes only that, and whether it is the default. Raise BadData for a manual payment system, or what looks
    like a card number.
    """
    work.actor.require(permissions.ENTER_ORDERS)
    token = text.text(token, "the token")
    with database.transaction(work.connection):
        found = customers.buyer(work.connection, customer)
        system = payment_systems.find_charging(work.connection, system_name)
        payment_systems.check_usable(system, token, one_click=False)
        if expires:
            cards.note(work.connection, system.id, token, cards.month(expires))
        kept = of_customer(work.connection, found["id"])
        same = next((one for one in kept if (one.payment_system_id, one.token) == (system.id, token)), None)
        if same is None:
            values = {
                "customer_id": found["id"],
                "payment_system_id": system.id,
                "token": token,
                "created_at": time.stored(work.now),
            }
            id = database.insert(work.connection, "saved_tokens", values)
            changes = {"payment_system_id": (None, system.id)}
            history.record(work, "customer", found["id"], f"payment method {id} saved", changes)
        else:
            id = same.id
        if not any(one.preferred for one in kept) or (preferred and not (same and same.preferred)):
            _prefer(work, found["id"], id)
        return get(work.connection, id)


def forget(work: Work, id: int) -> SavedToken:
    """Forget a saved payment method and return it; the newest of the others is the default if it was.

    Recurring orders keep the token that they charge. Raise NotFound if there is no such one.
    """
    work.actor.require(permissions.ENTER_ORDERS)
    with database.transaction(work.connection):
        gone = get(work.connection, id)
        work.connection.execute("DELETE FROM saved_tokens WHERE id = ?", (id,))
        changes = {"payment_system_id": (gone.payment_system_id, None)}
        history.record(work, "customer", gone.customer_id, f"payment method {id} forgotten", changes)
        if gone.preferred and (left := of_customer(work.connection, gone.customer_id)):
            _prefer(work, gone.customer_id, left[0].id)
        return gone


def get(connection: engine.Connection, id: int) -> SavedToken:
    """Return the saved payment method of a number. Raise NotFound."""
    row = connection.execute("SELECT * FROM saved_tokens WHERE id = ?", (id,)).fetchone()
    if row is None:
        raise NotFound(f"there is no saved payment method {id}; see: salescli customers tokens CUSTOMER")
    return SavedToken.from_row(row)


def of_customer(connection: engine.Connection, customer_id: int) -> list[SavedToken]:
    """Return a customer's saved payment methods: the default first, then the newest."""
    rows = connection.execute(
        "SELECT * FROM saved_tokens WHERE customer_id = ? ORDER BY preferred DESC, id DESC", (customer_id,)
    )
    return [SavedToken.from_row(row) for row in rows]


def for_payment(connection: engine.Connection, customer_id: int, system_id: int | None) -> SavedToken | None:
    """Return the saved payment method to charge: of the payment system given, the default or else the newest.

    Without a payment system, the default.
    """
    fitting = (one for one in of_customer(connection, customer_id) if system_id in (None, one.payment_system_id))
    return next(fitting, None)


def merge(work: Work, keep: int, duplicate: int) -> int:
    """Give a customer what was saved of a duplicate, except what they have, and return how many those are."""
    kept = of_customer(work.connection, keep)
    have = {(one.payment_system_id, one.token) for one in kept}
    moved = 0
    for one in of_customer(work.connection, duplicate):
        if (one.payment_system_id, one.token) in have:
            work.connection.execute("DELETE FROM saved_tokens WHERE id = ?", (one.id,))
            continue
        columns = {"customer_id": keep, "preferred": int(one.preferred and not kept)}
        database.update(work.connection, "saved_tokens", one.id, columns)
        moved += 1
    return moved


def _prefer(work: Work, customer_id: int, id: int) -> None:
    work.connection.execute("UPDATE saved_tokens SET preferred = 0 WHERE customer_id = ?", (customer_id,))
    database.update(work.connection, "saved_tokens", id, {"preferred": 1})
    history.record(work, "customer", customer_id, f"payment method {id} made the default")
