"""What a file of another system held, in sentences for its summary."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from salescli.rules import money, numbers


@dataclass(slots=True)
class Told:
    """What a file held: rows, orders or subscriptions, items, refunds, and what was left out or cannot be held.

    ``paid`` and ``refunded``: currency -> minor units, of all orders that could be read; ``unpaid``: what the
    file says was given back of orders that were not paid. Of subscriptions, ``statuses`` and what one payment of each
    active one comes to, ``planned``.
    """

    what: str = "order"
    rows: int = 0
    orders: int = 0
    items: int = 0
    refunds: int = 0
    chargebacks: int = 0
    skipped: Counter[str] = field(default_factory=Counter)
    not_held: dict[str, None] = field(default_factory=dict)
    paid: Counter[str] = field(default_factory=Counter)
    refunded: Counter[str] = field(default_factory=Counter)
    unpaid: Counter[str] = field(default_factory=Counter)
    statuses: Counter[str] = field(default_factory=Counter)
    planned: Counter[str] = field(default_factory=Counter)


def lines(told: Told) -> list[str]:
    """Return what a file held as lines: counts, rows skipped by reason, sums by currency, what cannot be held."""
    held = [numbers.count(told.rows, "row"), numbers.count(told.orders, told.what)]
    held += [numbers.count(told.items, "item")] if told.items != told.orders else []
    held += [numbers.count(told.refunds, "refund")] if told.refunds else []
    held += [numbers.count(told.chargebacks, "chargeback")] if told.chargebacks else []
    said = [f"the file has {', '.join(held)}"]
    said += [skipped(told.skipped)] if told.skipped else []
    if told.statuses:
        said.append(", ".join(f"{number} {status}" for status, number in sorted(told.statuses.items())))
    if told.planned:
        said.append("they are still charged where they come from: cancel them there before tick charges them here")
    for currency, minor in told.planned.items():
        said.append(f"one payment of each active one comes to {money.text(minor, currency)} {currency}")
    for currency, minor in told.paid.items():
        back = told.refunded[currency]
        refunded = f", refunded {money.text(back, currency)} {currency}" if back else ""
        said.append(f"paid {money.text(minor, currency)} {currency}{refunded}")
    for currency, minor in told.unpaid.items():
        if minor:
            amount = f"{money.text(minor, currency)} {currency}"
            said.append(f"left out refunds of {amount}: their orders were not paid; see their status in the file")
    if told.not_held:
        said.append(f"not kept, as there is no place for it here: {', '.join(told.not_held)}")
    return said


def skipped(reasons: Counter[str]) -> str:
    """Return how many rows were left out, and why; several reasons each with their number, largest first."""
    total = numbers.count(reasons.total(), "row")
    if len(reasons) == 1:
        return f"skipped {total}: {next(iter(reasons))}"
    return f"skipped {total}: {', '.join(f'{reason} ({number})' for reason, number in reasons.most_common())}"
