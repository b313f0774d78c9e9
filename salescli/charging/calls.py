"""The gateway calls of an attempt: charge, refund, look up.

attempt → ``request_of`` → ``carry_out`` (``call``, its prepared id committed in between) | ``look_up`` → Answer
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace

from salescli.catalogue.payment_systems import PaymentSystem
from salescli.errors import SalesError
from salescli.gateways import answers
from salescli.gateways.answers import Answer, ask, ask_to_prepare
from salescli.gateways.protocol import CHARGE_SECONDS, Charge, Gateway, Preparing
from salescli.rules import time
from salescli.sales import attempts
from salescli.sales.attempts import Attempt
from salescli.storage import database, engine
from salescli.storage.clauses import Where

Gateways = Callable[[PaymentSystem], Gateway]


def call(attempt: Attempt, request: Charge, gateway: Gateway) -> Answer:
    """Make the attempt's one call, outside any transaction. An amount of 0 needs no gateway.

    The answer ``prepared`` means: call again once the gateway's id is durable (``keep_prepared``).
    """
    if attempt.amount_minor == 0:
        return Answer("succeeded")
    if attempt.kind == "refund":
        return ask(lambda: gateway.refund(attempt.gateway_id or "", attempt.reference, attempt.amount_minor))
    if attempt.gateway_id is None and isinstance(gateway, Preparing):
        return ask_to_prepare(gateway, request)
    return ask(lambda: gateway.charge(request, CHARGE_SECONDS))


def carry_out(connection: engine.Connection, attempt: Attempt, request: Charge, gateway: Gateway) -> Answer:
    """Make the attempt's call; if the gateway prepares it first, commit its id in between."""
    answer = call(attempt, request, gateway)
    if answer.became != "prepared":
        return answer
    with database.transaction(connection):
        [kept] = attempts.keep_prepared(connection, [(attempt, prepared_id(answer))])
    if kept is None:
        return Answer("unknown", message="another process took this attempt over")
    return call(kept, replace(request, gateway_id=kept.gateway_id), gateway)


def prepared_id(answer: Answer) -> str:
    """Return the id that a gateway prepared."""
    assert answer.result is not None
    assert answer.result.gateway_id is not None
    return answer.result.gateway_id


@contextmanager
def warn_if_cut(attempt: Attempt) -> Iterator[None]:
    """Raise SalesError if a call is interrupted or its answer cannot be stored: the money may have moved."""
    try:
        yield
    except (KeyboardInterrupt, engine.OperationalError) as cut:
        raise SalesError(
            f"invoice {attempt.invoice_id}: the {attempt.kind} was cut short ({str(cut) or 'interrupted'}); the money"
            " may have moved. tick resolves it; do not repeat it by hand"
        ) from None


def look_up(attempt: Attempt, gateway: Gateway) -> Answer:
    """Look up the outcome of the attempt's reference, outside any transaction."""
    since = time.from_stored(attempt.started_at)
    return replace(ask(lambda: gateway.lookup(attempt.reference, attempt.gateway_id, since)), looked_up=True)


def known_already(attempt: Attempt, gateway: Gateway) -> Answer | None:
    """Return the gateway's answer about a reference that it may already know; None if it may be sent.

    A restored database does not know the payments made after its backup.
    """
    able = answers.able(gateway)
    if isinstance(able, Answer):
        return able
    if "lookup" not in able:
        return None
    answer = look_up(attempt, gateway)
    return None if answer.became == "not_found" else answer


def request_after(known: Answer, request: Charge) -> Charge:
    """Return the request with the id that a look-up found, even if nothing was charged under it."""
    found = known.result.gateway_id if known.result else None
    return replace(request, gateway_id=found) if found else request


def request_of(connection: engine.Connection, attempt: Attempt) -> Charge:
    """Return the request to the gateway, built only from committed rows, so that a repetition is identical."""
    return requests_of(connection, [attempt])[0]


def requests_of(connection: engine.Connection, several: Sequence[Attempt]) -> list[Charge]:
    """Return the requests of attempts, read by two queries."""
    where = Where()
    where.add("i.id IN ({ids})", ids=[one.invoice_id for one in several])
    rows = connection.execute(
        "SELECT i.id AS invoice, o.id AS order_id, o.offer_name FROM invoices i JOIN orders o ON o.id = i.order_id"
        f" WHERE {where}",
        where.values,
    )
    found = {row["invoice"]: row for row in rows}
    prepared = attempts.prepared_ids(connection, several)
    return [_request(one, found[one.invoice_id], prepared.get(one.id)) for one in several]


def _request(attempt: Attempt, row: engine.Row, gateway_id: str | None) -> Charge:
    return Charge(
        reference=attempt.reference,
        amount_minor=attempt.amount_minor,
        currency=attempt.currency,
        token=attempt.token,
        customer_ref=f"customer-{attempt.customer_id}",
        description=row["offer_name"],
        initiator="customer" if attempt.recurring_id is None else "merchant",
        metadata={"order": str(row["order_id"]), "invoice": str(attempt.invoice_id)},
        gateway_id=gateway_id,
    )
