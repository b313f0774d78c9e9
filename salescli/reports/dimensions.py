"""Dimensions that split a report. A new one is a row here, and in the totals if they are to carry it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Literal

from salescli.lists.columns import Column

Counts = Literal["orders", "payments"]

SALES = ("confirmed sales of managers", "unconfirmed sales of managers", "system sales")  # B9: they make the total


def sale(manager: str, confirmed: str) -> str:
    """Return SQL for which of the three SALES a sale belongs to (B9)."""
    by_confirmed, by_unconfirmed, by_system = SALES
    return (
        f"CASE WHEN {manager} IS NULL THEN '{by_system}'"
        f" WHEN {confirmed} = 1 THEN '{by_confirmed}' ELSE '{by_unconfirmed}' END"
    )


@dataclass(frozen=True, eq=False, slots=True)
class Dimension:
    """A dimension that splits a report.

    ``labels``: the columns that name a group, ``named``: the join that knows them, both over the ids `t` of the groups;
    ``rows``: its ids over orders `o` and invoices `i`; ``facts``: over facts `t`; ``totals``: over the totals `t` of
    each dimension that carry it; ``counts``: of its own report; ``most``: SQL for the largest of its ids, if they are
    numbers.
    """

    name: str
    labels: tuple[Column, ...]
    rows: str
    facts: str
    totals: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    named: str = ""
    counts: Counts = "orders"
    most: str = ""


PAYMENT_SYSTEM = Dimension(
    "payment_system",
    labels=(Column("payment_system", "text", "p.name", rank=0),),
    rows="i.payment_system_id",
    facts="t.payment_system_id",
    totals={"payment_system": "nullif(t.key, 0)"},
    named="LEFT JOIN payment_systems p ON p.id = t.payment_system",
    counts="payments",
    most="(SELECT max(id) FROM payment_systems)",
)
OFFER = Dimension(
    "offer",
    labels=(Column("offer_number", "text", "f.number", rank=3), Column("offer", "text", "f.name", rank=0)),
    rows="o.offer_id",
    facts="t.offer_id",
    totals={"offer": "t.key"},
    named="LEFT JOIN offers f ON f.id = t.offer",
    most="(SELECT max(id) FROM offers)",
)
CATEGORY = Dimension(
    "category",
    labels=(Column("category_number", "text", "g.number", rank=3), Column("category", "text", "g.name", rank=0)),
    rows="o.category_id",
    facts="t.category_id",
    totals={"offer": "nullif(t.category_id, 0)"},
    named="LEFT JOIN categories g ON g.id = t.category",
    most="(SELECT max(id) FROM categories)",
)
MANAGER = Dimension(
    "manager",
    labels=(Column("manager", "text", "coalesce(m.name, 'system')", rank=0),),
    rows="o.manager_id",
    facts="t.manager_id",
    totals={"manager": "nullif(t.key, 0)"},
    named="LEFT JOIN users m ON m.id = t.manager",
    most="(SELECT max(id) FROM users)",
)
DIMENSIONS = (PAYMENT_SYSTEM, OFFER, CATEGORY, MANAGER)  # each with a report of its own, in this order

# What only splits a report further.
_CONFIRMED = "(t.flags >> 1 & 1)"
CONFIRMED = Dimension(
    "confirmed",
    labels=(Column("confirmed", "yesno", "t.confirmed", rank=0),),
    rows="o.confirmed",
    facts=_CONFIRMED,
    totals=dict.fromkeys(("manager", "offer", "payment_system"), _CONFIRMED),
    most="1",
)
SALE = Dimension(
    "sale",
    labels=(Column("sale", "text", "t.sale", rank=0),),
    rows=sale("o.manager_id", "o.confirmed"),
    facts=sale("t.manager_id", _CONFIRMED),
    totals={"manager": sale("nullif(t.key, 0)", _CONFIRMED)},
)
SHARES = "sale_shares"  # a temporary table: reports/earned


def _share(manager: str, completed_on: str) -> str:
    return (
        f"coalesce((SELECT e.ppm FROM temp.{SHARES} e WHERE e.user_id = {manager} AND e.since <= {completed_on}"
        " ORDER BY e.since DESC LIMIT 1), 0)"
    )


SHARE = Dimension(  # what the manager earns of the sale, in parts per million: as it was when the sale was made
    "share",
    labels=(),
    rows=_share("o.manager_id", "o.completed_on"),
    facts=_share("t.manager_id", "(SELECT o.completed_on FROM orders o WHERE o.id = t.order_id)"),  # of refunds, too
    most="1000000",
)
ALL = (*DIMENSIONS, CONFIRMED, SALE, SHARE)


@dataclass(frozen=True, slots=True)
class Stored:
    """Totals of one dimension, and the filters that they carry beside those of all."""

    name: str
    counts: Counts
    filters: Mapping[str, str]

    @property
    def dimensions(self) -> dict[str, str]:
        """Return the reports' dimensions that they carry, as SQL by name."""
        return {dimension.name: dimension.totals[self.name] for dimension in ALL if self.name in dimension.totals}


STORED = (
    Stored("manager", "orders", {"manager": MANAGER.totals["manager"]}),
    Stored("offer", "orders", {"offer": "t.key", "category": "t.category_id"}),
    Stored("payment_system", "payments", {"payment_system": "t.key"}),
)
