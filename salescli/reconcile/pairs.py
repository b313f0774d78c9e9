"""Pair the lines of a statement with our movements, by the numbers that both have, the surest first; pure (B7).

line + the invoices that its numbers name, movements -> every possible ``Pair`` -> sorted -> each in at most one
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from datetime import date
from typing import Literal, NamedTuple

from salescli.reconcile.statement import PAYMENT, Line

# How a line is matched with a movement, the surest first.
BY_BOTH, BY_REFERENCE, BY_GATEWAY_ID, BY_INVOICE = range(4)

State = Literal["moved", "outcome unknown", "waits", "dispute open"]


class Movement(NamedTuple):
    """A movement of money here: ``moved``, or a live attempt whose ``outcome unknown`` or that ``waits``, or a dispute.

    ``at`` is an instant as it is stored; ``day`` is the local day it counts on, None unless it moved. ``key`` is
    unique.
    """

    key: tuple[str, int]
    state: State
    kind: str
    invoice: int
    order: int
    amount_minor: int
    currency: str
    fee_minor: int | None
    estimated: bool
    gateway_id: str | None
    reference: str | None
    at: int
    day: date | None
    foreign_fee_minor: int | None = None  # a fee in another currency
    foreign_fee_currency: str | None = None


class NamedLine(NamedTuple):
    """A line with the invoices that its keys name: one, unless a payment system gave several the same id.

    ``attempt``: its reference belongs to an attempt of the line's kind. ``known``: a number of the payment system
    itself names the invoice, as one of its payments. ``shop``: its reference is the shop's, of the payment or order.
    """

    line: Line
    invoices: frozenset[int] = frozenset()
    attempt: bool = False
    known: bool = False
    shop: bool = False


class Pair(NamedTuple):
    """A possible match of a line and a movement, by their indexes; sorts the surest and closest first."""

    known_by: int
    differs: bool  # in amount or currency
    apart: int  # seconds
    line: int
    place: int


def paired(lines: Sequence[NamedLine], movements: Sequence[Movement]) -> dict[int, Pair]:
    """Return line → pair, with each line and each movement in at most one pair."""
    found: dict[int, Pair] = {}
    claimed: set[int] = set()
    for pair in sorted(_candidates(lines, movements)):
        if pair.line not in found and pair.place not in claimed:
            found[pair.line] = pair
            claimed.add(pair.place)
    return found


def _candidates(lines: Sequence[NamedLine], movements: Sequence[Movement]) -> Iterator[Pair]:
    of_invoice: defaultdict[tuple[str, int], list[int]] = defaultdict(list)
    for place, movement in enumerate(movements):
        of_invoice[movement.kind, movement.invoice].append(place)
    for at, named in enumerate(lines):
        for invoice in named.invoices:
            for place in of_invoice.get((named.line.kind, invoice), ()):
                by = known_by(named, movements[place])
                if by is not None:
                    differs = not same_amount(named.line, movements[place])
                    yield Pair(by, differs, _apart(named.line, movements[place]), at, place)


def known_by(named: NamedLine, movement: Movement) -> int | None:
    """Return how a line is matched with a movement of its invoice; None when it is a different one.

    A line that names another attempt neither settles a live attempt, which may charge too, nor matches another refund.
    """
    line = named.line
    by_id = movement.gateway_id is not None and movement.gateway_id in line.ids
    if line.reference is not None and line.reference == movement.reference:
        return BY_BOTH if by_id else BY_REFERENCE
    if named.attempt and (movement.state != "moved" or line.kind != PAYMENT):
        return None
    if named.shop and not by_id:
        return BY_REFERENCE
    return BY_GATEWAY_ID if by_id else BY_INVOICE


def same_amount(line: Line, movement: Movement) -> bool:
    """Return whether a line and a movement are of one amount, in one currency."""
    return (line.amount_minor, line.currency) == (movement.amount_minor, movement.currency)


def _apart(line: Line, movement: Movement) -> int:
    return 0 if line.at is None else abs(line.at - movement.at)
