"""Our side of a comparison, read from the database: movements of money, and the invoices that keys name.

period or invoices -> ``of_period``, ``of_invoices`` -> ``Movement``;  keys of lines -> ``by_…`` -> ``KeyMatches``
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from datetime import date
from typing import Any, NamedTuple

from salescli.catalogue.payment_systems import PaymentSystem
from salescli.reconcile import match
from salescli.reconcile.evidence import Whose
from salescli.reconcile.match import Comparison, Period
from salescli.reconcile.pairs import Movement
from salescli.rules import time
from salescli.storage import engine


class KeyMatch(NamedTuple):
    """An invoice that a key names, with the kind and payment system of the attempt or movement."""

    invoice: int
    kind: str
    system: int | None


KeyMatches = dict[str, list[KeyMatch]]


def by_reference(connection: engine.Connection, references: Iterable[str | None]) -> KeyMatches:
    """Return the invoices of the attempts with these references."""
    return _found(connection, _BY_REFERENCE, references)


def by_shop(connection: engine.Connection, system: PaymentSystem, references: Iterable[str | None]) -> KeyMatches:
    """Return the invoices of a payment system by their reference in the shop, or the number of their order there.

    An import kept both; a payment system is often given one of them as its reference.
    """
    return _found(connection, _BY_SHOP, references, system=system.id)


def by_gateway_id(connection: engine.Connection, ids: Iterable[str | None]) -> KeyMatches:
    """Return the invoices of the payments and attempts with these ids, of any payment system."""
    return _found(connection, _BY_GATEWAY_ID, ids)


def _found(connection: engine.Connection, sql: str, words: Iterable[str | None], **values: int) -> KeyMatches:
    """Return the invoices that keys name, read with one query."""
    found: KeyMatches = defaultdict(list)
    wanted = sorted({word for word in words if word is not None})
    if wanted:
        for row in connection.execute(sql, {"words": json.dumps(wanted), **values}):
            found[row["word"]].append(KeyMatch(row["invoice"], row["kind"], row["system"]))
    return found


def of_period(connection: engine.Connection, system: PaymentSystem, period: Period) -> list[Movement]:
    """Return the payments and refunds of a payment system within a period of local days (B7)."""
    first, last = (time.day_number(day) for day in (period.first or date.min, period.last or date.max))
    values = {"system": system.id, "first": first, "last": last}
    return [
        *_read_movements(connection, _PAID_BETWEEN, values),
        *_read_movements(connection, _REFUNDED_BETWEEN, values),
    ]


def of_invoices(connection: engine.Connection, system: PaymentSystem, ids: Sequence[int]) -> Iterator[Movement]:
    """Yield the payments, refunds, open disputes and live attempts of these invoices, of a payment system."""
    values = {"system": system.id, "ids": json.dumps(ids)}
    for sql in (_PAID_OF, _REFUNDED_OF, _DISPUTED_OF, _LIVE_OF):
        yield from _read_movements(connection, sql, values)


def _read_movements(connection: engine.Connection, sql: str, values: dict[str, Any]) -> Iterator[Movement]:
    for row in connection.execute(sql, values):
        state, id, *rest = row
        kind, invoice, order, amount, currency, fee, estimated, gateway_id, reference, at, day, *foreign = rest
        counts = None if day is None else time.day_of(day)
        yield Movement(
            (f"{state} {kind}", id), state, kind, invoice, order, amount, currency, fee, bool(estimated), gateway_id,
            reference, at, counts, *foreign,
        )  # fmt: skip


def waiting(connection: engine.Connection, system: PaymentSystem) -> list[Movement]:
    """Return the payments that wait for a person at a payment system, whatever their day."""
    return list(_read_movements(connection, _WAITING, {"system": system.id}))


def whose(connection: engine.Connection, invoices: Iterable[int], orders: Iterable[int]) -> dict[int, Whose]:
    """Return, by invoice, by what a statement may name a payment of it: of these, and of these orders."""
    rows = connection.execute(_WHOSE, {"ids": json.dumps(sorted(invoices)), "orders": json.dumps(sorted(orders))})
    return {row["id"]: Whose(row["order_id"], *(row[name] or "" for name in Whose._fields[1:])) for row in rows}


class KnownInvoice(NamedTuple):
    """An invoice that an unmatched line names; ``refundable``: its payment of this payment system came in."""

    order: int
    refundable: bool
    state: str


def _known(row: engine.Row, system: PaymentSystem) -> KnownInvoice:
    ours = row["system"] == system.id
    through = "" if ours or row["name"] is None else f" and goes through {row['name']}"
    state = f"invoice {row['id']} is {row['status'].capitalize()} here{through}"
    return KnownInvoice(row["order_id"], ours and row["paid_at"] is not None, state)


def elsewhere(connection: engine.Connection, comparison: Comparison, system: PaymentSystem) -> dict[int, KnownInvoice]:
    """Return, by number, the invoices here that unmatched lines name."""
    wanted = [finding.invoice for finding in comparison.findings if finding.finding == match.ONLY_THERE]
    rows = connection.execute(_KNOWN, {"ids": json.dumps([id for id in wanted if id])})
    return {row["id"]: _known(row, system) for row in rows}


# SQL

_IDS = "(SELECT CAST(value AS INTEGER) FROM json_each(:ids))"

_BY_REFERENCE = """
SELECT reference AS word, invoice_id AS invoice, payment_system_id AS system,
  CASE kind WHEN 'charge' THEN 'payment' ELSE 'refund' END AS kind
FROM attempts WHERE reference IN (SELECT value FROM json_each(:words))
"""

_BY_SHOP = """
SELECT payment_reference AS word, id AS invoice, payment_system_id AS system, 'payment' AS kind
FROM invoices WHERE payment_reference IN (SELECT value FROM json_each(:words)) AND +payment_system_id = :system
UNION
SELECT o.source_number, i.id, i.payment_system_id, 'payment' FROM orders o JOIN invoices i ON i.order_id = o.id
WHERE o.source_number IN (SELECT value FROM json_each(:words)) AND +i.payment_system_id = :system
"""

# Without an index: one pass over both tables, for ids outside the period.
_BY_GATEWAY_ID = """
SELECT gateway_id AS word, id AS invoice, payment_system_id AS system, 'payment' AS kind
FROM invoices WHERE gateway_id IN (SELECT value FROM json_each(:words))
UNION
SELECT gateway_id, invoice_id, payment_system_id, CASE kind WHEN 'charge' THEN 'payment' ELSE 'refund' END
FROM attempts WHERE gateway_id IN (SELECT value FROM json_each(:words))
UNION
SELECT gateway_id, invoice_id, payment_system_id, kind FROM refunds
WHERE gateway_id IN (SELECT value FROM json_each(:words))
UNION
SELECT gateway_id, invoice_id, payment_system_id, 'dispute' FROM disputes
WHERE gateway_id IN (SELECT value FROM json_each(:words))
"""

# The columns of Movement, with the row's id second. A payment of zero went through no payment system. The `+` keeps
# SQLite from using the index of amounts, which has no days. A refund without a gateway id of its own has its charge's,
# which does not identify it. Credit that moved from one order to another moved at no payment system.
_PAID = """
SELECT 'moved', i.id, 'payment', i.id, i.order_id, i.amount_minor, i.currency, i.fee_minor, i.fee_estimated,
  i.gateway_id, (SELECT max(a.reference) FROM attempts a
    WHERE a.invoice_id = i.id AND a.kind = 'charge' AND a.status = 'succeeded'), i.paid_at, i.paid_on,
  i.foreign_fee_minor, i.foreign_fee_currency
FROM invoices i WHERE i.amount_minor > 0 AND +i.payment_system_id = :system
  AND NOT EXISTS (SELECT 1 FROM refunds m WHERE m.moved_to = i.id)
"""
_REFUNDED = """
SELECT 'moved', x.id, x.kind, x.invoice_id, i.order_id, x.amount_minor, x.currency, NULL, 0,
  coalesce(x.gateway_id, nullif(a.gateway_id, i.gateway_id)), a.reference, x.refunded_at, x.refunded_on
FROM refunds x JOIN invoices i ON i.id = x.invoice_id LEFT JOIN attempts a ON a.id = x.attempt_id
WHERE +i.payment_system_id = :system AND x.moved_to IS NULL
"""
_PAID_BETWEEN = f"{_PAID} AND i.paid_on BETWEEN :first AND :last"
_REFUNDED_BETWEEN = f"{_REFUNDED} AND x.refunded_on BETWEEN :first AND :last"
_PAID_OF = f"{_PAID} AND i.paid_on IS NOT NULL AND i.id IN {_IDS}"
_REFUNDED_OF = f"{_REFUNDED} AND x.invoice_id IN {_IDS}"
_LIVE = """
SELECT CASE p.gateway WHEN 'manual' THEN 'waits' ELSE 'outcome unknown' END, a.id,
  CASE a.kind WHEN 'charge' THEN 'payment' ELSE 'refund' END, a.invoice_id, i.order_id, a.amount_minor, a.currency,
  NULL, 0, CASE a.kind WHEN 'charge' THEN a.gateway_id END, a.reference, a.started_at, NULL
FROM attempts a JOIN invoices i ON i.id = a.invoice_id JOIN payment_systems p ON p.id = a.payment_system_id
WHERE a.status = 'live' AND a.payment_system_id = :system
"""
_LIVE_OF = f"{_LIVE} AND a.invoice_id IN {_IDS}"
_WAITING = f"{_LIVE} AND a.kind = 'charge' AND p.gateway = 'manual'"
_WHOSE = f"""
SELECT i.id, i.order_id, c.name, c.email, c.phone, o.source_number, i.payment_reference
FROM invoices i JOIN orders o ON o.id = i.order_id JOIN customers c ON c.id = o.customer_id
WHERE c.erased_at IS NULL
  AND (i.id IN {_IDS} OR i.order_id IN {_IDS.replace(":ids", ":orders")})
"""
_DISPUTED_OF = f"""
SELECT 'dispute open', d.id, 'dispute', d.invoice_id, i.order_id, d.amount_minor, d.currency,
  NULL, 0, d.gateway_id, NULL, d.opened_at, NULL
FROM disputes d JOIN invoices i ON i.id = d.invoice_id
WHERE d.status = 'open' AND d.payment_system_id = :system AND d.invoice_id IN {_IDS}
"""
_KNOWN = f"""
SELECT i.id, i.order_id, i.status, i.paid_at, i.payment_system_id AS system, p.name
FROM invoices i LEFT JOIN payment_systems p ON p.id = i.payment_system_id
WHERE i.id IN {_IDS}
"""
