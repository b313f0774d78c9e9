"""Credit: what a customer paid above the price, until another order takes it or it is refunded.

A payment's credit = its amount − what it bought − what went back of it
"""

from __future__ import annotations

from dataclasses import dataclass

from salescli.storage import engine

# Of a paid invoice `i` in its order's currency.
LEFT = "max(0, i.amount_minor - i.share_minor - i.refunded_minor)"
UNEQUAL = "i.amount_minor <> i.share_minor AND i.rate IS NULL AND i.paid_on IS NOT NULL"


@dataclass(frozen=True, slots=True)
class Credit:
    """What is left of a payment above the price, in its currency."""

    invoice_id: int
    left_minor: int


def of_customer(connection: engine.Connection, customer_id: int, currency: str) -> list[Credit]:
    """Return a customer's credits in a currency, the oldest payment first."""
    rows = connection.execute(
        f"SELECT i.id, {LEFT} AS left_minor FROM orders o JOIN invoices i ON i.order_id = o.id"
        f" WHERE o.customer_id = ? AND i.currency = ? AND {UNEQUAL} AND {LEFT} > 0 ORDER BY i.id",
        (customer_id, currency),
    )
    return [Credit(row["id"], row["left_minor"]) for row in rows]
