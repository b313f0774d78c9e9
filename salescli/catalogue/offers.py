"""Offers: what is sold, its price, and how it is paid: in full, in parts, or recurring (R77)."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from salescli.catalogue import categories, payment_systems, records
from salescli.catalogue.records import Words
from salescli.errors import BadData
from salescli.rules import instalments, money, permissions, schedule, text
from salescli.rules.instalments import Terms
from salescli.rules.schedule import Interval, Retries
from salescli.storage import database, engine

FIELDS = (
    "number", "name", "category", "price", "currency", "multiple", "partial_min", "partial_success",
    "every", "payments", "retry_after", "payment_system", "instalments", "active",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Offer:
    """An offer. Shares are parts per million of the price; without an ``interval`` it is not recurring."""

    id: int
    number: str
    name: str
    category_id: int | None
    category_number: str | None
    price_minor: int | None
    currency: str
    multiple: bool
    partial: bool
    partial_min_ppm: int
    partial_success_ppm: int
    interval: Interval | None
    payments_total: int | None
    retries: Retries | None
    payment_system_id: int | None  # of orders for which none is given
    instalments: Terms | None  # when the parts of an order's price are due
    active: bool

    @classmethod
    def from_row(cls, row: engine.Row, category_number: str | None) -> Offer:
        """Return the offer of a row of ``offers``, with its category's number."""
        recurring = row["every_count"] is not None
        return cls(
            id=row["id"],
            number=row["number"],
            name=row["name"],
            category_id=row["category_id"],
            category_number=category_number,
            price_minor=row["price_minor"],
            currency=row["currency"],
            multiple=bool(row["multiple"]),
            partial=bool(row["partial"]),
            partial_min_ppm=row["partial_min_ppm"],
            partial_success_ppm=row["partial_success_ppm"],
            interval=Interval(row["every_count"], row["every_unit"]) if recurring else None,
            payments_total=row["payments_total"],
            retries=Retries.stored(row["retry_after"]) if recurring else None,
            payment_system_id=row["payment_system_id"],
            instalments=instalments.parse(row["instalments"]) if row["instalments"] else None,
            active=bool(row["active"]),
        )


def find(connection: engine.Connection, words: str, *, whole: bool = False) -> Offer:
    """Return the offer with this number, else with this name or, unless ``whole``, its beginning.

    Raise NotFound if none or several match.
    """
    return _with_category(connection, records.find(connection, NOUN, words, "number", "name", whole=whole))


def get(connection: engine.Connection, id: int) -> Offer:
    """Return the offer with this id."""
    return get_all(connection, [id])[id]


def get_all(connection: engine.Connection, ids: Iterable[int]) -> dict[int, Offer]:
    """Return the offers with these ids, by id, in a query for them and one for their categories."""
    rows = records.get_all(connection, NOUN, ids)
    category_ids = (row["category_id"] for row in rows.values() if row["category_id"] is not None)
    numbers = records.get_all(connection, categories.NOUN, category_ids)
    return {
        id: Offer.from_row(row, numbers[row["category_id"]]["number"] if row["category_id"] is not None else None)
        for id, row in rows.items()
    }


def _with_category(connection: engine.Connection, row: engine.Row) -> Offer:
    number = None
    if row["category_id"] is not None:
        number = records.get(connection, categories.NOUN, row["category_id"])["number"]
    return Offer.from_row(row, number)


def _draft(connection: engine.Connection, words: Words, before: engine.Row | None) -> dict[str, Any]:
    values = {**_identity(connection, words, before), **_price(connection, words, before)}
    words = _with_instalments(words, before)
    values.update(_partial(words, before))
    if "instalments" in words:
        values["instalments"] = str(instalments.parse(words["instalments"])) if words["instalments"] else None
    values.update(_recurring(words, before))
    if "payment_system" in words:
        name = words["payment_system"]
        values["payment_system_id"] = payment_systems.find(connection, name).id if name else None
    for flag in ("multiple", "active"):
        if flag in words:
            values[flag] = int(text.yes_no(words[flag], flag))
    return values


def _identity(connection: engine.Connection, words: Words, before: engine.Row | None) -> dict[str, Any]:
    values: dict[str, Any] = {}
    if words.get("number"):
        values["number"] = text.word(words["number"], "number")
        taken = connection.execute("SELECT id FROM offers WHERE number = ?", (values["number"],)).fetchone()
        if taken and (before is None or taken["id"] != before["id"]):
            raise BadData(f"the offer number {values['number']} is taken")
    elif before is None:
        values["number"] = categories.free_number(connection, "offers")
    if "name" in words or before is None:
        values["name"] = text.text(words.get("name", ""), "name")
    if "category" in words:
        values["category_id"] = categories.find(connection, words["category"])["id"] if words["category"] else None
    return values


def _price(connection: engine.Connection, words: Words, before: engine.Row | None) -> dict[str, Any]:
    account = database.setting(connection, "currency")
    current = before["currency"] if before else account
    currency = money.currency_code(words["currency"]) if words.get("currency", "").strip() else current
    if currency is None:
        raise BadData("the price needs its currency; give --currency, or set a default with `init --currency`")
    values: dict[str, Any] = {"currency": currency}
    if words.get("price"):
        values["price_minor"] = money.parse(words["price"], currency)
    elif before is None:
        raise BadData("an offer needs its price, as in 49.00")
    elif currency != before["currency"]:
        raise BadData(f"a new currency needs a new price; give the price in {currency} too")
    return values


def _with_instalments(words: Words, before: engine.Row | None) -> Words:
    """Return the words of an offer with instalments: paid in parts, its first part by default the least payment.

    Raise BadData for an offer whose price is to be paid in full.
    """
    given = words.get("instalments")
    kept = before is not None and bool(before["instalments"]) and given is None
    if (given or kept) and "partial_min" in words and not words["partial_min"]:
        raise BadData("an offer with instalments is paid in parts; remove them too: --instalments ''")
    if not given or words.get("partial_min") or (before is not None and before["partial"]):
        return words
    return {**words, "partial_min": f"{money.percent_text(instalments.parse(given).now_ppm)}%"}


def _partial(words: Words, before: engine.Row | None) -> dict[str, Any]:
    if "partial_min" in words and not words["partial_min"]:  # emptied: paid in full again
        if words.get("partial_success"):
            raise BadData("an offer without partial_min is paid in full; leave out partial_success")
        return {"partial": 0, "partial_min_ppm": 0, "partial_success_ppm": money.PPM}
    if words.get("partial_success") and not words.get("partial_min") and not (before and before["partial"]):
        raise BadData(
            "partial_success needs partial_min, the least first payment; without one an offer is paid in full"
        )
    values: dict[str, Any] = {}
    for field in ("partial_min", "partial_success"):
        if words.get(field):
            values[f"{field}_ppm"] = money.parse_percent(words[field])
            values["partial"] = 1
    stored = dict(before) if before else {"partial_min_ppm": 0, "partial_success_ppm": money.PPM}
    shares = {**stored, **values}
    if shares["partial_success_ppm"] < shares["partial_min_ppm"]:
        raise BadData("partial_success is below partial_min, so the first payment would always be enough")
    return values


def _recurring(words: Words, before: engine.Row | None) -> dict[str, Any]:
    if "every" in words and not words["every"]:  # emptied: not recurring again
        if words.get("payments") or words.get("retry_after"):
            raise BadData("an offer without an interval is not recurring; leave out payments and retry_after")
        names = ("every_count", "every_unit", "payments_total", "retry_after")
        return dict.fromkeys(names)
    interval = _interval(words, before)
    if interval is None:
        for field in ("payments", "retry_after"):
            if words.get(field):
                raise BadData(f"{field} is for a recurring offer; give --every too")
        return {}
    retries = _retries(words, before, interval)
    values: dict[str, Any] = {
        "every_count": interval.count,
        "every_unit": interval.unit,
        "retry_after": str(retries),
    }
    if "payments" in words:
        total = words["payments"]
        values["payments_total"] = text.whole_number(total, "number of payments") if total else None
    return values


def _interval(words: Words, before: engine.Row | None) -> Interval | None:
    if words.get("every"):
        return schedule.parse_interval(words["every"])
    if before is not None and before["every_count"] is not None:
        return Interval(before["every_count"], before["every_unit"])
    return None


def _retries(words: Words, before: engine.Row | None, interval: Interval) -> Retries:
    if words.get("retry_after"):
        return Retries.for_interval(words["retry_after"], interval)
    if before is not None and before["retry_after"] is not None:
        return Retries.stored(before["retry_after"]).fitting(interval)
    return Retries.usual(interval)


def _match(connection: engine.Connection, words: Words) -> engine.Row | None:
    """Return the offer with the number, else with the category, name and currency."""
    if words.get("number"):
        rows = records.rows_of(connection, NOUN, "number = ?", (text.word(words["number"], "number"),))
    else:
        category = categories.find(connection, words["category"])["id"] if words.get("category") else None
        currency = (words.get("currency", "").strip() or database.setting(connection, "currency") or "").upper()
        rows = same_offers(connection, text.text(words.get("name", ""), "name"), currency, category)
    return records.the_only(NOUN, words.get("name", ""), rows) if rows else None


def same_offers(connection: engine.Connection, name: str, currency: str, category_id: int | None) -> list[engine.Row]:
    """Return the offers of a name, currency and category."""
    clause = "currency = ? AND category_id IS ?"
    return records.named(connection, NOUN, name, clause, (currency, category_id))


NOUN = records.Noun(
    "offer",
    "offers",
    permissions.EDIT_CATALOGUE,
    FIELDS,
    _draft,
    _match,
    searched=("name",),
    stands_for="coalesce(merged_into, id)",
)
