"""Payment systems: the accounts that payments go through, with their gateway and fee (R32, R78)."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from salescli.catalogue import records
from salescli.catalogue.records import Words
from salescli.errors import BadData
from salescli.gateways import registry
from salescli.rules import money, permissions, text
from salescli.storage import engine

FIELDS = ("name", "gateway", "fee", "fee_fixed", "currency", "one_click", "env", "active")


@dataclass(frozen=True, slots=True)
class PaymentSystem:
    """A payment system. ``fee_ppm`` is None while the fee is unknown, which is not the same as no fee."""

    id: int
    name: str
    gateway: str
    fee_ppm: int | None
    fee_fixed_minor: int | None
    currency: str | None
    one_click: bool
    environment: str
    active: bool
    failures: int
    paused_until: int | None
    checked_at: int | None  # when a person checked there what another copy of the database did

    @classmethod
    def from_row(cls, row: engine.Row) -> PaymentSystem:
        """Return the payment system of a row of ``payment_systems``."""
        flags = {"one_click": bool(row["one_click"]), "active": bool(row["active"])}
        return cls(**{name: flags.get(name, row[name]) for name in cls.__slots__})

    @property
    def manual(self) -> bool:
        """Return whether a person confirms its payments (R37)."""
        return self.gateway == registry.MANUAL

    def commission(self, amount_minor: int, currency: str) -> int | None:
        """Return the estimated commission in minor units of ``currency``, or None if it is unknown (R30)."""
        if self.fee_ppm is None and self.fee_fixed_minor is None:
            return None
        if self.fee_fixed_minor and currency != self.currency:
            return None  # a fixed fee in another currency says nothing about this one
        return money.fee(amount_minor, self.fee_ppm or 0, self.fee_fixed_minor or 0)


def find(connection: engine.Connection, words: str) -> PaymentSystem:
    """Return the payment system with this name, in any case. Raise NotFound."""
    return PaymentSystem.from_row(records.find(connection, NOUN, words, "name"))


def get(connection: engine.Connection, id: int) -> PaymentSystem:
    """Return the payment system with this id."""
    return get_all(connection, [id])[id]


def get_all(connection: engine.Connection, ids: Iterable[int]) -> dict[int, PaymentSystem]:
    """Return the payment systems with these ids, by id, in one query."""
    return {id: PaymentSystem.from_row(row) for id, row in records.get_all(connection, NOUN, ids).items()}


def find_charging(connection: engine.Connection, words: str | None) -> PaymentSystem:
    """Return the payment system of this name; without one the only active one that charges. Raise BadData for many."""
    if words is not None:
        return find(connection, words)
    rows = connection.execute(
        "SELECT * FROM payment_systems WHERE active = 1 AND merged_into IS NULL ORDER BY id"
    ).fetchall()
    charging = [system for system in map(PaymentSystem.from_row, rows) if not system.manual]
    if len(charging) != 1:
        names = ", ".join(system.name for system in charging) or "none charges"
        raise BadData(f"give --payment-system NAME; the active ones: {names}")
    return charging[0]


def check_usable(system: PaymentSystem, token: str | None, *, one_click: bool) -> None:
    """Raise BadData unless a payment with this token and mode can go through ``system``."""
    if not system.active:
        raise BadData(f"{system.name} is not active; choose another payment system")
    if one_click and not system.one_click:
        raise BadData(f"{system.name} does not support one-click payments; it is its option --one-click")
    if system.manual and token:
        raise BadData(f"{system.name} is manual: a person takes the money, so it takes no token")
    if token and text.holds_card_number(token):
        raise BadData("the token looks like a card number, which is never stored; give the payment system's token")


def _draft(connection: engine.Connection, words: Words, before: engine.Row | None) -> dict[str, Any]:
    values: dict[str, Any] = {}
    if "name" in words or before is None:
        values["name"] = text.text(words.get("name", ""), "name")
        taken = [
            row for row in records.named(connection, NOUN, values["name"]) if not before or row["id"] != before["id"]
        ]
        if taken:
            raise BadData(f"there is a payment system called {taken[0]['name']} already")
    if "gateway" in words or before is None:
        values["gateway"] = registry.checked_name(text.text(words.get("gateway") or registry.MANUAL, "gateway"))
        _check_gateway_may_change(connection, before, values["gateway"])
    if "env" in words:
        values["environment"] = _variable_names(words["env"])
    for flag in ("one_click", "active"):
        if flag in words:
            values[flag] = int(text.yes_no(words[flag], flag))
    return {**values, **_fees(words, before)}


def _check_gateway_may_change(connection: engine.Connection, before: engine.Row | None, gateway: str) -> None:
    """Raise BadData if money went, or is going, through the current gateway: no other gateway has its records."""
    if before is None or gateway == before["gateway"]:
        return
    sql = "SELECT 1 FROM attempts WHERE payment_system_id = ? AND status IN ('live', 'succeeded')"
    if connection.execute(sql, (before["id"],)).fetchone():
        raise BadData(
            f"payments of {before['name']} went through {before['gateway']}, and no other gateway knows them;"
            " add a new payment system instead"
        )


def _variable_names(value: str) -> str:
    """Return names of environment variables, separated by spaces. Raise BadData for anything else, such as values."""
    names = text.free_text(value.replace(",", " "), "env").split()
    for name in names:
        if not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", name):
            raise BadData(f"{name!r} is not the name of an environment variable; give names only, never values")
    return " ".join(names)


def _fees(words: Words, before: engine.Row | None) -> dict[str, Any]:
    values: dict[str, Any] = {}
    if "fee" in words:
        values["fee_ppm"] = money.parse_percent(words["fee"]) if words["fee"] else None
    if words.get("currency"):
        values["currency"] = money.currency_code(words["currency"])
    currency = values.get("currency") or (before["currency"] if before else None)
    if before and before["fee_fixed_minor"] is not None and currency != before["currency"] and "fee_fixed" not in words:
        raise BadData(f"the fixed fee is in {before['currency']}; give it in {currency} too, or '' to remove it")
    if not words.get("fee_fixed"):
        return {**values, "fee_fixed_minor": None} if "fee_fixed" in words else values
    if not currency:
        raise BadData("a fixed fee needs its currency; give --currency too")
    return {**values, "fee_fixed_minor": money.parse(words["fee_fixed"], currency)}


def _match(connection: engine.Connection, words: Words) -> engine.Row | None:
    name = text.text(words.get("name", ""), "name")
    rows = records.named(connection, NOUN, name)
    return records.the_only(NOUN, name, rows) if rows else None


NOUN = records.Noun(
    "payment system",
    "payment_systems",
    permissions.EDIT_CATALOGUE,
    FIELDS,
    _draft,
    _match,
    stands_for="coalesce(merged_into, id)",
)
