"""What a gateway's answer is taken for: a success of another amount, or of another invoice's payment, is unknown (I3).

answer → ``as_asked`` → ``believed`` → settled
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple

from salescli.gateways.answers import Answer
from salescli.sales.attempts import Attempt
from salescli.storage import engine
from salescli.storage.clauses import Where


class Answered(NamedTuple):
    """A live attempt and what its gateway, or a person, answered."""

    attempt: Attempt
    answer: Answer


def as_asked(attempt: Attempt, answer: Answer) -> Answer:
    """Return the answer, as unknown if it is a success of another amount or currency than requested."""
    result = answer.result
    if answer.became != "succeeded" or result is None:
        return answer
    if (result.amount_minor, result.currency) == (attempt.amount_minor, attempt.currency):
        return answer
    reported = f"the gateway reports {result.amount_minor} {result.currency} in minor units for {attempt.reference}"
    return replace(answer, became="unknown", code="processing_error", message=f"{reported}, not what was requested")


def believed(connection: engine.Connection, answered: Sequence[Answered]) -> list[Answered]:
    """Return the answers, each as unknown if the payment or refund that it names is another invoice's already."""
    taken = _taken(connection, [one for one in answered if _named(one)])
    believed = []
    for one in answered:
        key, attempt = _named(one), one.attempt
        owner = attempt.invoice_id if attempt.kind == "charge" else attempt.id
        others = [invoice for by, invoice in taken.get(key, ()) if by != owner] if key else []
        if key and not others:
            taken.setdefault(key, []).append((owner, attempt.invoice_id))
        believed.append(one._replace(answer=_of_another(one, others[0])) if others else one)
    return believed


Named = tuple[str, int, str]  # a charge or a refund, a payment system, and the number there


def _named(one: Answered) -> Named | None:
    """Return the payment or refund that an answer names as made; None if it names none of its own."""
    attempt, answer = one
    id = answer.result.gateway_id if answer.result else None
    if answer.became != "succeeded" or id is None:
        return None
    if attempt.kind == "refund" and id == attempt.gateway_id:  # a gateway whose refunds have no number of their own
        return None
    return attempt.kind, attempt.payment_system_id, id


def _of_another(one: Answered, invoice_id: int) -> Answer:
    answer, kind = one.answer, one.attempt.kind
    id = answer.result.gateway_id if answer.result else None
    words = f"the gateway answers with {id}, which is the {kind} of invoice {invoice_id} already"
    return replace(answer, became="unknown", code="duplicate", message=words, result=None)


def _taken(connection: engine.Connection, answered: Sequence[Answered]) -> dict[Named, list[tuple[int | None, int]]]:
    """Return whose the payments and refunds that answers name are already: their owners and invoices.

    The owner of a payment is its invoice, that of a refund its attempt; None: a person or a statement told of it.
    """
    taken: dict[Named, list[tuple[int | None, int]]] = {}
    for kind, sql in _TAKEN.items():
        ids = [named[2] for one in answered if (named := _named(one)) and named[0] == kind]
        where = Where()
        where.add("gateway_id IN ({ids})", ids=ids)
        for row in connection.execute(sql.format(where=where), where.values) if ids else ():
            key = (kind, row["payment_system_id"], row["gateway_id"])
            taken.setdefault(key, []).append((row["owner"], row["invoice_id"]))
    return taken


_TAKEN = {
    "charge": "SELECT id AS owner, id AS invoice_id, payment_system_id, gateway_id FROM invoices WHERE {where}",
    "refund": "SELECT attempt_id AS owner, invoice_id, payment_system_id, gateway_id FROM refunds"
    " WHERE {where} AND kind = 'refund'",
}
