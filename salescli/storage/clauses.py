"""SQL clauses that several packages share, and a WHERE that joins them. What a user wrote is only ever bound."""

from __future__ import annotations

from typing import Any

from salescli.rules import money


class Where:
    """A WHERE clause under construction: fixed texts, and the values bound to their placeholders."""

    def __init__(self) -> None:
        self.texts: list[str] = []
        self.values: dict[str, Any] = {}

    def bind(self, *values: Any) -> str:
        """Bind values and return their placeholders, separated by commas as in an IN."""
        names = [f"v{len(self.values) + i}" for i in range(len(values))]
        self.values.update(zip(names, values, strict=True))
        return ", ".join(f":{name}" for name in names)

    def add(self, template: str, **values: Any) -> None:
        """Add a clause in which `{name}` stands for the placeholder of that value, or those of a list."""
        places = {n: self.bind(*v) if isinstance(v, list) else self.bind(v) for n, v in values.items()}
        self.texts.append(template.format(**places))

    def __str__(self) -> str:
        return " AND ".join(self.texts) or "1 = 1"


# The filters that facts and totals carry, both as a table `t`: what they look at is in the flags.
OF_FLAGS = {
    "status": "CASE t.flags >> 4 WHEN 0 THEN 'open' WHEN 1 THEN 'completed' WHEN 2 THEN 'declined' ELSE 'refund' END",
    "confirmed": "t.flags >> 4 IN (1, 3) AND t.flags >> 1 & 1 = {v}",
    "payment_type": "t.flags >> 2 & 1 IN ({v})",
    "kind": "t.flags >> 3 & 1 IN ({v})",
    "currency": "t.currency",
}


def month_of(day: str) -> str:
    """Return SQL for the month of a stored day, ``2026-03``; NULL stays NULL."""
    return f"substr({day}, 1, 4) || '-' || substr({day}, 5, 2)"


# The customers that a full-text query finds, also by the name of a duplicate that was merged into them.
FOUND_CUSTOMERS = (
    "SELECT coalesce(merged_into, id) FROM customers WHERE id IN"
    " (SELECT rowid FROM customers_search WHERE customers_search MATCH {query})"
)


# The offers that a full-text query finds, in the same way.
FOUND_OFFERS = (
    "SELECT coalesce(merged_into, id) FROM offers WHERE id IN"
    " (SELECT rowid FROM offers_search WHERE offers_search MATCH {query})"
)


def searched(customer: str, offer: str, *also: str) -> str:
    """Return the clause of ``--search`` over a customer column, an offer column and further clauses.

    Placeholders: `{query}`, and in the further clauses `{number}` and `{words}`.
    """
    found = (
        f"{customer} IN ({FOUND_CUSTOMERS})",
        f"{offer} IN ({FOUND_OFFERS})",
        *also,
    )
    return f"({' OR '.join(found)})"


def searched_by_order(order: str, *also: str) -> str:
    """Return the same clause over a column of order ids, so that an index finds the rows of few orders."""
    orders = searched("q.customer_id", "q.offer_id")
    return f"({' OR '.join((f'{order} IN (SELECT q.id FROM orders q WHERE {orders})', *also))})"


def compared(minor: str, currency: str) -> dict[str, str]:
    """Return the clauses of ``--min``, ``--max`` and both over an amount; `{v}`, `{w}` are ten-thousandths of a unit.

    One comparison for each number of decimals, so that an index of currency and amount finds the rows.
    """
    return {
        "min": _of_each(currency, f"{minor} >= {_AT_LEAST}"),
        "max": _of_each(currency, f"{minor} <= {{v}} / {{unit}}"),
        "between": _of_each(currency, f"{minor} >= {_AT_LEAST} AND {minor} <= {{w}} / {{unit}}"),
    }


_AT_LEAST = "({v} + {unit} - 1) / {unit}"  # rounded up
_BY_DECIMALS = (2, 0, 3, 4)  # most amounts have two


def _of_each(currency: str, comparison: str) -> str:
    """Return a comparison with the unit of each number of decimals, of the currencies that have as many."""
    parts = []
    for decimals in _BY_DECIMALS:
        codes = ", ".join(f"'{code}'" for code, exponent in money.EXPONENTS.items() if exponent == decimals)
        parts.append(f"{comparison} AND {currency} IN ({codes})".replace("{unit}", str(10 ** (4 - decimals))))
    return f"({' OR '.join(parts)})"


# The filters on an order `o`, which the lists of orders, payments and the ledger share.
OF_AN_ORDER = {
    "customer": "o.customer_id",
    "offer": "o.offer_id",
    "category": "o.category_id",
    "manager": "o.manager_id",
    "system": "o.manager_id",
    "confirmed": "o.status = 'completed' AND o.confirmed = {v}",
    "payment_type": "o.partial",
    "kind": "o.recurring_id",
}

# Those of them whose index has not the order of a list of payments.
BY_ITS_ORDER = ("customer", "customers", "offer", "offers", "category", "manager")

# Whether a charge or refund of the order `o` is under way or waits for a person.
UNDER_WAY = (
    "SELECT 1 FROM invoices i JOIN attempts a ON a.invoice_id = i.id WHERE i.order_id = o.id AND a.status = 'live'"
)

# Whether the order `o` became Completed in a closed month: whose sale it was is settled.
OF_A_CLOSED_MONTH = f"EXISTS (SELECT 1 FROM closed_months z WHERE z.month = {month_of('o.completed_on')})"
# The number of the last declined attempt at the payment that the recurring order `r` is at, 0 without one. They go on
# after `recurring retry`, which begins a new series.
ATTEMPTS_MADE = (
    "(SELECT coalesce(max(t.number), 0) FROM orders q JOIN invoices v ON v.order_id = q.id"
    " JOIN attempts t ON t.invoice_id = v.id WHERE q.recurring_id = r.id AND q.payment_number = r.payments_made + 1"
    " AND t.kind = 'charge' AND t.status = 'declined')"
)


def every(row: str) -> str:
    """Return SQL for the interval of a row as text, ``1 month`` or ``2 weeks``; NULL when it has none."""
    plural = f"CASE WHEN {row}.every_count = 1 THEN '' ELSE 's' END"
    return f"{row}.every_count || ' ' || {row}.every_unit || {plural}"
