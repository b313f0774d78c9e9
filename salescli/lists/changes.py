"""The changes of history lines as text: ``paid: 0.00 → 50.00 EUR; manager: system → Іван``."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from salescli.rules import money, numbers, time
from salescli.storage import engine

if TYPE_CHECKING:
    from zoneinfo import ZoneInfo

Changes = Mapping[str, list[Any]]  # column -> [before, after]

_LABELS = {
    "customer_id": "customer",
    "every_count": "every",
    "every_unit": "every",
    "payments_total": "payments",
    "recurring_id": "recurring order",
    "source_id": "customer id",
    "wish": "pending status",
}
_REFERENCES = {  # column -> (table of the record that it points to, label); never a customer, whose name is personal
    "manager_id": ("users", "manager"),
    "payment_system_id": ("payment_systems", "payment system"),
    "offer_id": ("offers", "offer"),
    "category_id": ("categories", "category"),
}
_FLAGS = frozenset({"active", "confirmed", "fee_estimated", "multiple", "one_click", "partial"})
_PRICED = {  # subject -> the table whose records have a currency
    "order": "orders",
    "invoice": "invoices",
    "recurring": "recurring",
    "offer": "offers",
    "payment system": "payment_systems",
}
_KEPT = 5_000  # records whose currencies are remembered, and lines whose texts are
_LIMIT = "money_per_"  # a limit on charging: money_per_day_EUR


@lru_cache(256)
def label(column: str) -> str:
    """Return a column's name for people: ``price`` for ``price_minor``, ``paid at`` for ``paid_at``."""
    if column in _REFERENCES:
        return _REFERENCES[column][1]
    if column.startswith(_LIMIT):
        column = column[: -len("_EUR")]
    return _LABELS.get(column) or column.removesuffix("_minor").removesuffix("_ppm").replace("_", " ")


def labels(columns: Iterable[str]) -> str:
    """Return the names of columns for people, each once: ``name, price``."""
    return ", ".join(dict.fromkeys(map(label, columns)))


class ChangeText:
    """Writes the changes of history lines as text, and looks up each name and currency once."""

    def __init__(self, connection: engine.Connection, zone: ZoneInfo) -> None:
        self._connection, self._zone = connection, zone
        self._names: dict[tuple[str, int], str] = {}
        self._currencies: dict[tuple[str, int], list[tuple[int, str]]] = {}
        self._texts: dict[tuple[str, str], str] = {}  # of changes without amounts, which read the same on any record

    def of(self, line: Mapping[str, Any]) -> str:
        """Return the changes of a history line as text."""
        alike: tuple[str, str] = (line["subject"], line["changes"])
        if (known := self._texts.get(alike)) is not None:
            return known
        changes: Changes = _with_interval(json.loads(line["changes"]))
        text = "; ".join(f"{label(column)}: {self._pair(line, changes, column)}" for column in changes)
        if not any(column.endswith("_minor") for column in changes):
            if len(self._texts) >= _KEPT:
                self._texts.clear()
            self._texts[alike] = text
        return text

    def fields(self, line: Mapping[str, Any]) -> list[dict[str, Any]]:
        """Return the changes of a history line as they are stored: amounts in minor units, times in UTC.

        What is hidden is ``(before)``, ``(given)`` or ``(changed)``.
        """
        changes: Changes = json.loads(line["changes"])
        return [{"field": column, "from": before, "to": after} for column, (before, after) in changes.items()]

    def _pair(self, line: Mapping[str, Any], changes: Changes, column: str) -> str:
        pair = changes[column]
        if column.startswith(_LIMIT):
            return _amounts([value and int(value) for value in pair], [column[-len("EUR") :]] * 2)
        if column.endswith("_minor"):
            return _amounts(pair, self._currencies_of(line, changes, column))
        nobody = "system" if (line["subject"], column) == ("order", "manager_id") else "—"  # R18
        before, after = (nobody if value is None else self._value(column, value) for value in pair)
        return f"{before} → {after}"

    def _value(self, column: str, value: Any) -> str:
        if column in _REFERENCES:
            return self._name(_REFERENCES[column][0], value)
        if column in _FLAGS or isinstance(value, bool):
            return "yes" if value else "no"
        if column.endswith("_ppm") and isinstance(value, int):
            return f"{money.percent_text(value)} %"
        if isinstance(value, str) and time.is_utc_text(value):
            return time.local_text(time.stored(time.from_text(value)), self._zone)
        return str(value)

    def _name(self, table: str, id: int) -> str:
        """Return the current name of a record."""
        if (table, id) not in self._names:
            row = self._connection.execute(f"SELECT name FROM {table} WHERE id = ?", (id,)).fetchone()
            self._names[table, id] = row["name"] if row else str(id)
        return self._names[table, id]

    def _currencies_of(self, line: Mapping[str, Any], changes: Changes, column: str) -> list[str | None]:
        """Return the currencies of an amount before and after a change."""
        if column == "foreign_fee_minor":
            return list(changes["foreign_fee_currency"])  # they change together
        if "currency" in changes:
            before, after = changes["currency"]
            return [before or after, after or before]
        subject, id = line["subject"], line["number"]
        if (subject, column) == ("invoice", "share_minor"):  # a share of the order's price
            row = self._connection.execute("SELECT order_id FROM invoices WHERE id = ?", (id,)).fetchone()
            subject, id = "order", row["order_id"]
        return [self._currency(subject, id, line["line"])] * 2

    def _currency(self, subject: str, id: int, at_line: int) -> str | None:
        """Return a record's currency when a line was written: what its next change replaced, else the current one."""
        if subject not in _PRICED:
            return None
        if (subject, id) not in self._currencies:
            if len(self._currencies) >= _KEPT:
                self._currencies.clear()
            lines = self._connection.execute(
                "SELECT id, changes FROM history WHERE subject = ? AND subject_id = ? AND changes LIKE '%\"currency\"%'"
                " ORDER BY id",
                (subject, id),
            )
            replaced = [(row["id"], json.loads(row["changes"])["currency"][0]) for row in lines]
            present = self._connection.execute(f"SELECT currency FROM {_PRICED[subject]} WHERE id = ?", (id,))
            replaced += [(2**63, row["currency"]) for row in present]
            self._currencies[subject, id] = [(line, currency) for line, currency in replaced if currency]
        return next((currency for line, currency in self._currencies[subject, id] if line > at_line), None)


def _with_interval(changes: Changes) -> Changes:
    """Return changes with the count and the unit of an interval as one: ``1 month``."""
    if not {"every_count", "every_unit"} <= changes.keys():
        return changes
    pairs = zip(changes["every_count"], changes["every_unit"], strict=True)
    joined = [None if count is None else numbers.count(count, unit) for count, unit in pairs]
    others = {column: pair for column, pair in changes.items() if column != "every_unit"}
    return {**others, "every_count": joined}


def _amounts(pair: list[Any], currencies: list[str | None]) -> str:
    """Return two amounts with their currency, once where it is the same: ``0.00 → 50.00 EUR``."""
    pairs = list(zip(pair, currencies, strict=True))
    texts = ["—" if value is None else money.text(value, code) if code else str(value) for value, code in pairs]
    before, after = (f" {code}" if code and value is not None else "" for value, code in pairs)
    return f"{texts[0]}{before if before != after else ''} → {texts[1]}{after}"
