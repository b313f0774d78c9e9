"""``users merge``, ``offers merge`` …: two records of one user, offer, category or payment system become one.

keep + duplicate → everything moved, what ``keep`` lacks filled, the duplicate points to it; all its names then find it
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from salescli.catalogue import categories, offers, payment_systems, records, users
from salescli.catalogue.records import Noun
from salescli.errors import BadUsage, WrongStatus
from salescli.gateways import registry
from salescli.rules import text
from salescli.storage import database, engine, history
from salescli.storage.work import Work

# What may move: table → its noun, and its subject in history if its records have one.
_NOUNS = {
    "orders": ("order", "order"),
    "invoices": ("payment", "invoice"),
    "recurring": ("recurring order", "recurring"),
    "sales_plans": ("sales plan", ""),
    "offers": ("offer", "offer"),
    "refunds": ("refund", ""),
    "attempts": ("attempt", ""),
    "saved_tokens": ("saved payment method", ""),
    "cards": ("card", ""),
}


@dataclass(frozen=True, slots=True)
class Merged:
    """The result of a merge: the kept row, the duplicate, how many records of each noun moved, the fields filled."""

    keep: engine.Row
    duplicate: engine.Row
    moved: dict[str, int]
    filled: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Merging:
    """How records of a noun are merged.

    ``column`` of ``tables`` refers to them. ``check``: raise WrongStatus where two may not be one. ``fill``: the
    columns that the kept record takes over from the duplicate, and those that the duplicate is left with. ``before``:
    make one of what both have and may stand once.
    """

    noun: Noun
    find: Callable[[engine.Connection, str], int]
    column: str
    tables: tuple[str, ...]
    check: Callable[[engine.Connection, engine.Row, engine.Row], None] = lambda connection, keep, duplicate: None
    fill: Callable[[engine.Row, engine.Row], tuple[dict[str, Any], dict[str, Any]]] = lambda keep, duplicate: ({}, {})
    before: Callable[[engine.Connection, int, int], None] = lambda connection, keep, duplicate: None


def merge(work: Work, merging: Merging, keep: str, duplicate: str, *, reason: str | None = None) -> Merged:
    """Move everything of ``duplicate`` to ``keep``; the duplicate's name, number or login then finds ``keep``.

    Raise WrongStatus if either was merged, they cannot be one, or a line of a closed month's reports would move;
    BadUsage if both are the same record.
    """
    noun = merging.noun
    work.actor.require(noun.permission)
    why = text.text(reason, "the reason") if reason else None
    with database.transaction(work.connection):
        kept, other = (found(work.connection, merging, words) for words in (keep, duplicate))
        check_two(noun, other, kept)
        _check_open(work.connection, merging, other)
        merging.check(work.connection, kept, other)
        filled, left = merging.fill(kept, other)
        merging.before(work.connection, kept["id"], other["id"])
        moved = move(work, noun, merging.column, merging.tables, kept["id"], other["id"])
        point_to(work, noun, kept, other, left, why)
        if filled:
            database.update(work.connection, noun.table, kept["id"], filled)
            changes = {name: (kept[name], value) for name, value in filled.items()}
            history.record(work, noun.subject, kept["id"], "edited", changes)
        return Merged(records.get(work.connection, noun, kept["id"]), other, moved, tuple(filled))


def check_two(noun: Noun, duplicate: engine.Row, keep: engine.Row) -> None:
    """Raise BadUsage if both are the same record."""
    if duplicate["id"] == keep["id"]:
        raise BadUsage(f"both are {noun.subject} {records.called(noun, keep)}; there is nothing to merge")


def found(connection: engine.Connection, merging: Merging, words: str) -> engine.Row:
    """Return the record that ``words`` names. Raise WrongStatus if it was merged under that number or login."""
    row = records.get(connection, merging.noun, merging.find(connection, words))
    key = next((key for key in ("login", "number") if key in merging.noun.fields), "name")
    merged = f"SELECT name FROM {merging.noun.table} WHERE {key} = ? AND merged_into IS NOT NULL"
    if connection.execute(merged, (words.strip(),)).fetchone():
        raise WrongStatus(
            f"{merging.noun.subject} {words} was merged into {records.called(merging.noun, row)} already; use that one"
        )
    return row


def _check_open(connection: engine.Connection, merging: Merging, duplicate: engine.Row) -> None:
    """Raise WrongStatus if the duplicate has a line of its own in the reports of a closed month."""
    of_it = {"category_id": "dimension = 'offer' AND category_id = :id"}.get(
        merging.column, "dimension = :dimension AND key = :id"
    )
    rows = connection.execute(
        f"SELECT DISTINCT period FROM totals WHERE {of_it} AND events <> 0"
        " AND period IN (SELECT month FROM closed_months) ORDER BY period",
        {"dimension": merging.column.removesuffix("_id"), "id": duplicate["id"]},
    )
    if months := [row["period"] for row in rows]:
        raise WrongStatus(
            f"{merging.noun.subject} {records.called(merging.noun, duplicate)} has a line in the reports of"
            f" {', '.join(months)}, closed, and lines of closed months stay; to merge, reopen first:"
            f" salescli reopen {months[0]} --reason TEXT"
        )


def move(work: Work, noun: Noun, column: str, tables: Iterable[str], keep: int, duplicate: int) -> dict[str, int]:
    """Move the duplicate's rows of ``tables``, each with a line where rows have a history, and count them."""
    moved = {}
    for table in tables:
        of_duplicate = f"SELECT id FROM {table} WHERE {column} = ?"
        ids = [row["id"] for row in work.connection.execute(of_duplicate, (duplicate,))]
        work.connection.execute(f"UPDATE {table} SET {column} = ? WHERE {column} = ?", (keep, duplicate))
        name, subject = _NOUNS[table]
        for id in ids if subject else []:
            history.record(work, subject, id, f"{noun.subject} merged", {column: (duplicate, keep)})
        moved[name] = len(ids)
    return moved


def point_to(
    work: Work, noun: Noun, keep: engine.Row, duplicate: engine.Row, left: dict[str, Any], why: str | None
) -> None:
    """Let the duplicate, and what was merged into it, point to the kept record; ``left``: what else becomes of it."""
    pair = {"keep": keep["id"], "duplicate": duplicate["id"]}
    work.connection.execute(f"UPDATE {noun.table} SET merged_into = :keep WHERE merged_into = :duplicate", pair)
    changes = {**left, "merged_into": keep["id"]}
    database.update(work.connection, noun.table, duplicate["id"], changes)
    pairs = {name: (duplicate[name], value) for name, value in changes.items() if value != duplicate[name]}
    what = f"merged into {noun.subject} {keep['id']}"
    history.record(work, noun.subject, duplicate["id"], what, pairs, reason=why)
    history.record(work, noun.subject, keep["id"], f"took in {noun.subject} {duplicate['id']}", reason=why)


# Users


def _check_users(connection: engine.Connection, keep: engine.Row, duplicate: engine.Row) -> None:
    """Raise BadData if no owner would be left who can log in."""
    if keep["login"] is not None:
        users.check_an_owner_stays(connection, {"active": 0}, duplicate)


def _fill_user(keep: engine.Row, duplicate: engine.Row) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the login and the role of the duplicate for a user who came with an import and has none."""
    earns = {"shares": duplicate["shares"]} if duplicate["shares"] and not keep["shares"] else {}
    if keep["login"] is not None or duplicate["login"] is None:
        return earns, {"active": 0}
    taken = {**earns, "login": duplicate["login"], "role": duplicate["role"], "active": duplicate["active"]}
    return {name: value for name, value in taken.items() if value != keep[name]}, {"login": None, "active": 0}


# Offers


def _check_offers(connection: engine.Connection, keep: engine.Row, duplicate: engine.Row) -> None:
    if keep["currency"] != duplicate["currency"]:
        raise WrongStatus(
            f"offer {duplicate['number']} is in {duplicate['currency']} and offer {keep['number']} in"
            f" {keep['currency']}; an offer has one currency, so they stay two"
        )


# Payment systems


def _check_systems(connection: engine.Connection, keep: engine.Row, duplicate: engine.Row) -> None:
    """Raise WrongStatus where money would be looked for in an account that it never went through."""
    name = duplicate["name"]
    live = f"SELECT 1 FROM attempts WHERE payment_system_id = {duplicate['id']} AND status = 'live'"
    if connection.execute(live).fetchone():
        raise WrongStatus(f"a payment or refund through {name} is under way; confirm or decline it first")
    if (
        not keep["gateway"] == duplicate["gateway"] == registry.MANUAL
        and connection.execute(_USED, (duplicate["id"],)).fetchone()
    ):
        raise WrongStatus(
            f"money went through {name} ({duplicate['gateway']}), which {keep['name']} ({keep['gateway']}) has no"
            f" records of; keep both, or deactivate it: salescli payment-systems edit {name!r} --no-active"
        )
    if connection.execute(_SAME_PAYMENTS, (keep["id"], duplicate["id"])).fetchone():
        raise WrongStatus(
            f"a payment stands under both {name} and {keep['name']}; they have the same id in two invoices"
        )


def _one_card(connection: engine.Connection, keep: int, duplicate: int) -> None:
    """Of a card that both payment systems know keep the one with the later month: banks renew cards."""
    pair = {"keep": keep, "duplicate": duplicate}
    for mine, others, earlier in (("keep", "duplicate", "<"), ("duplicate", "keep", "<=")):
        connection.execute(
            f"DELETE FROM cards WHERE payment_system_id = :{mine} AND EXISTS (SELECT 1 FROM cards o"
            f" WHERE o.payment_system_id = :{others} AND o.token = cards.token AND cards.expires {earlier} o.expires)",
            pair,
        )


_USED = (
    "SELECT 1 FROM payment_systems p WHERE p.id = ? AND ("
    " EXISTS (SELECT 1 FROM attempts WHERE payment_system_id = p.id)"
    " OR EXISTS (SELECT 1 FROM disputes WHERE payment_system_id = p.id)"
    " OR EXISTS (SELECT 1 FROM gateway_checks WHERE payment_system_id = p.id)"
    " OR EXISTS (SELECT 1 FROM recurring WHERE payment_system_id = p.id AND status <> 'completed'))"
)
_SAME_PAYMENTS = (
    "SELECT 1 FROM invoices i JOIN invoices d ON d.gateway_id = i.gateway_id"
    " WHERE i.payment_system_id = ? AND d.payment_system_id = ?"
)


USERS = Merging(
    users.NOUN,
    lambda connection, words: int(users.find_manager(connection, words)["id"]),
    "manager_id",
    ("orders", "sales_plans"),
    _check_users,
    _fill_user,
)
OFFERS = Merging(
    offers.NOUN,
    lambda connection, words: offers.find(connection, words, whole=True).id,
    "offer_id",
    ("orders", "recurring", "sales_plans"),
    _check_offers,
)
CATEGORIES = Merging(
    categories.NOUN,
    lambda connection, words: int(categories.find(connection, words)["id"]),
    "category_id",
    ("offers", "orders"),
)
PAYMENT_SYSTEMS = Merging(
    payment_systems.NOUN,
    lambda connection, words: payment_systems.find(connection, words).id,
    "payment_system_id",
    ("offers", "orders", "invoices", "recurring", "refunds", "attempts", "saved_tokens", "cards"),
    _check_systems,
    before=_one_card,
)
