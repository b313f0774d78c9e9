"""What happened, as events for programs and notices: each is a line of the history, and has its number.

A line of history is written in the transaction of its change, and numbers grow in the order of the commits. So who
knows the last number it has seen misses nothing and sees nothing twice. What an event shows beside the line (the name
of the customer, the offer) is looked up when it is read: who was erased has no name.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator, Mapping, Sequence
from itertools import islice
from typing import Any

from salescli.lists.columns import Column
from salescli.rules import money, time
from salescli.storage import database, engine
from salescli.storage.clauses import Where

COLUMNS = (
    Column("event", "number", rank=0),
    Column("at", "time", rank=0),
    Column("kind", rank=0),
    Column("what", "whole", rank=0),
    Column("order", "number", rank=2),
    Column("invoice", "number", rank=4),
    Column("recurring", "number", rank=3),
    Column("customer", "number", rank=4),
    Column("name", rank=1),
    Column("offer", rank=3),
    Column("amount", "money", rank=1),
    Column("currency", rank=1),
    Column("attempt", "number", rank=5),
    Column("next_attempt_at", "time", rank=2),
    Column("card_expires", rank=6),
    Column("reason", rank=2),
)

# (subject, status before, status after) -> kind; None: whatever it was.
_MOVES = {
    ("order", "open", "completed"): "order.paid",
    ("order", "open", "declined"): "order.declined",
    ("order", "completed", "refund"): "order.refunded",
    ("order", "completed", "open"): "order.reopened",
    ("order", "declined", "open"): "order.reopened",
    ("invoice", "open", "completed"): "payment.paid",
    ("invoice", "processing", "completed"): "payment.paid",
    ("invoice", "declined", "completed"): "payment.paid",
    ("invoice", "processing", "declined"): "payment.declined",
    ("invoice", "completed", "open"): "payment.undone",
    ("invoice", "completed", "declined"): "payment.undone",
    ("recurring", "processing", "failed"): "recurring.failed",
    ("recurring", "active", "paused"): "recurring.paused",
    ("recurring", "processing", "paused"): "recurring.paused",
    ("recurring", "paused", "active"): "recurring.resumed",
    ("recurring", "failed", "active"): "recurring.resumed",
}
# (subject, how its words begin) -> kind
_WORDS = {
    ("order", "opened"): "order.opened",
    ("recurring", "started by "): "recurring.started",
    ("recurring", "card expires"): "card.expires",
    ("invoice", "outcome of the "): "payment.unknown",
    ("invoice", "refund not made"): "refund.failed",
    ("file", "no tick since "): "tick.dead",
    ("file", "restored"): "file.restored",
    ("file", "charging off"): "charging.off",
    ("file", "charging on"): "charging.on",
}
_OTHERS = (
    "attempt.scheduled",
    "dispute.lost",
    "dispute.opened",
    "payment.refunded",
    "recurring.completed",
    "sale.confirmed",
)
KINDS = tuple(sorted({*_MOVES.values(), *_WORDS.values(), *_OTHERS}))
_IMPORTED = "updated by an import"  # it happened long ago, elsewhere

_ATTEMPT = ("attempt ", " declined")  # attempt 2 of payment 5 declined

# The kind of a line `h` of history in SQL, so that a million lines are looked at in a second; NULL: it is no event.
# JSON is parsed where it must be. A status is ["open","completed"] there.
_STATUS = "CASE WHEN instr(h.changes, '\"status\"') > 0 THEN json_extract(h.changes, '$.status') END"
_CONFIRMED = "instr(h.changes, '\"confirmed\"') > 0 AND CAST(json_extract(h.changes, '$.confirmed[1]') AS INTEGER) = 1"


def _begins(words: str) -> str:
    return f"substr(h.what, 1, {len(words)}) = '{words}'"


def _changed(subject: str, special: str = "") -> str:
    """Return the WHENs of a subject: what is special, what its words begin with, from which status to which."""
    words = " ".join(f"WHEN {_begins(words)} THEN '{kind}'" for (of, words), kind in _WORDS.items() if of == subject)
    moves = " ".join(
        f"WHEN '{json.dumps([before, after], separators=(',', ':'))}' THEN '{kind}'"
        for (of, before, after), kind in _MOVES.items()
        if of == subject
    )
    moved = f"CASE {_STATUS} {moves} END" if moves else "NULL"
    return f"WHEN '{subject}' THEN CASE {special} {words} ELSE {moved} END"


_COMPLETED = f"json_extract({_STATUS}, '$[1]') = 'completed'"
_SCHEDULED = (
    f"{_begins(_ATTEMPT[0])} AND h.what LIKE '%{_ATTEMPT[1]}' AND json_extract(h.changes, '$.status[1]') = 'active'"
)
_BRANCHES = (
    _changed("order", f"WHEN {_CONFIRMED} THEN 'sale.confirmed'"),
    _changed(
        "invoice",
        "WHEN h.what = 'refunded' THEN 'payment.refunded' WHEN h.what = 'dispute lost' THEN 'dispute.lost'"
        f" WHEN {_begins('dispute ')} AND h.what LIKE '% opened' THEN 'dispute.opened'",
    ),
    _changed(
        "recurring",
        f"WHEN {_COMPLETED} THEN 'recurring.completed' WHEN {_SCHEDULED} THEN 'attempt.scheduled'",
    ),
    _changed("file"),
)
_KIND = f"CASE WHEN h.what <> '{_IMPORTED}' THEN CASE h.subject {' '.join(_BRANCHES)} END END"
# +: in the order of the lines, not by the index of subjects
_EVENTS = (
    f"SELECT h.id AS event, {_KIND} AS kind FROM history h"
    " WHERE h.id > :after AND +h.subject IN ('order', 'invoice', 'recurring', 'file')"
)
_LINE = (
    "SELECT h.id AS event, coalesce(h.written_at, h.at) AS at, h.subject, h.subject_id AS id, h.what, h.changes,"
    " t.text AS reason FROM history h LEFT JOIN texts t ON t.id = h.reason_id"
)
_BATCH = 200  # events that are looked up together
_CUSTOMER = "c.id AS customer, c.name AS name, c.email AS email, c.language AS language"
_ABOUT = {
    "order": (
        'SELECT o.id AS about, o.id AS "order", NULL AS invoice, o.recurring_id AS recurring, o.offer_name AS offer,'
        f" o.price_minor AS amount, o.currency, {_CUSTOMER} FROM orders o JOIN customers c ON c.id = o.customer_id"
        " WHERE o.id IN ({ids})"
    ),
    "invoice": (
        'SELECT i.id AS about, o.id AS "order", i.id AS invoice, o.recurring_id AS recurring, o.offer_name AS offer,'
        f" i.amount_minor AS amount, i.currency, {_CUSTOMER} FROM invoices i JOIN orders o ON o.id = i.order_id"
        " JOIN customers c ON c.id = o.customer_id WHERE i.id IN ({ids})"
    ),
    "recurring": (
        'SELECT r.id AS about, NULL AS "order", NULL AS invoice, r.id AS recurring, r.offer_name AS offer,'
        f" r.price_minor AS amount, r.currency, {_CUSTOMER} FROM recurring r JOIN customers c ON c.id = r.customer_id"
        " WHERE r.id IN ({ids})"
    ),
}


def after(connection: engine.Connection, number: int, kinds: Collection[str] = ()) -> Iterator[dict[str, Any]]:
    """Yield the events after a number, oldest first, as COLUMNS, with the customer's ``email`` and ``language``.

    With ``kinds``, only those; of other lines no more is read than what they are.
    """
    found = _kinds(connection, "ORDER BY event", number, kinds)
    while some := list(islice(found, _BATCH)):
        yield from _events(connection, some)


def latest(connection: engine.Connection, limit: int, kinds: Collection[str] = ()) -> list[dict[str, Any]]:
    """Return the last events, oldest first; the history is read backwards as far as that takes."""
    found = list(islice(_kinds(connection, "ORDER BY event DESC", 0, kinds), limit))
    return list(_events(connection, found[::-1]))


def count(connection: engine.Connection, number: int = 0, kinds: Collection[str] = ()) -> int:
    """Return how many events there are after a number."""
    where = _wanted(number, kinds)
    return int(connection.execute(f"SELECT count(kind) FROM ({_EVENTS}) WHERE {where}", where.values).fetchone()[0])


def _kinds(connection: engine.Connection, order: str, number: int, kinds: Collection[str]) -> Iterator[tuple[int, str]]:
    """Yield the number and the kind of each line that is an event, of the wanted kinds if there are any."""
    where = _wanted(number, kinds)
    sql = f"SELECT * FROM ({_EVENTS}) WHERE {where} AND kind IS NOT NULL {order}"
    yield from database.tuples(connection, sql, where.values)


def _wanted(number: int, kinds: Collection[str]) -> Where:
    where = Where()
    where.values["after"] = number
    if kinds:
        where.add("kind IN ({v})", v=list(kinds))
    return where


def last(connection: engine.Connection) -> int:
    """Return the number of the last line of history, 0 in an empty one."""
    return int(connection.execute("SELECT coalesce(max(id), 0) FROM history").fetchone()[0])


def is_first_decline(event: Mapping[str, Any]) -> bool:
    """Return whether an event is the first decline of a payment of a recurring order."""
    return bool(event["kind"] == "attempt.scheduled" and event["attempt"] == 1)


def as_object(event: Mapping[str, Any]) -> dict[str, Any]:
    """Return an event for programs, in the shape that ``events --ndjson`` writes: salescli/docs/schema/events.json."""
    shown = {column.key: event[column.key] for column in COLUMNS}
    minor, currency = event["amount"], event["currency"]
    shown |= {
        name: None if event[name] is None else time.stored_text(event[name]) for name in ("at", "next_attempt_at")
    }
    both = {"amount": None if minor is None else money.text(minor, currency), "amount_minor": minor}
    return {name: shown[name] for name in shown if name != "amount"} | both


def _events(connection: engine.Connection, found: Sequence[tuple[int, str]]) -> Iterator[dict[str, Any]]:
    """Yield the events of lines and their kinds; what they show is read for all of them at once."""
    numbers = [number for number, _ in found]
    lines = {row["event"]: row for row in _read(connection, f"{_LINE} WHERE h.id IN ({{ids}})", numbers)}
    about: dict[tuple[str, int], dict[str, Any]] = {}
    for subject, sql in _ABOUT.items():
        if ids := {line["id"] for line in lines.values() if line["subject"] == subject}:
            about |= {(subject, row.pop("about")): row for row in _read(connection, sql, sorted(ids))}
    for number, kind in found:
        line = lines[number]
        yield _event(line, kind, about.get((line["subject"], line["id"]), {}))


def _read(connection: engine.Connection, sql: str, ids: Collection[int]) -> list[dict[str, Any]]:
    where = Where()
    found = database.tuples(connection, sql.format(ids=where.bind(*ids)), where.values)
    keys = [name for name, *_ in found.description]
    return [dict(zip(keys, values, strict=True)) for values in found]


_TOLD_BY_CHANGES = ("payment.refunded", "dispute.lost", "attempt.scheduled", "recurring.failed", "card.expires")
_EMPTY = dict.fromkeys((*(column.key for column in COLUMNS), "email", "language"))


def _event(line: Mapping[str, Any], kind: str, about: Mapping[str, Any]) -> dict[str, Any]:
    event = {**_EMPTY, **about, "kind": kind}
    event |= {name: line[name] for name in ("event", "at", "what", "reason")}
    changes: Mapping[str, list[Any]] = json.loads(line["changes"]) if kind in _TOLD_BY_CHANGES else {}
    if kind in ("payment.refunded", "dispute.lost") and "refunded_minor" in changes:
        before, back = changes["refunded_minor"]
        event["amount"] = back - before
    if kind in ("attempt.scheduled", "recurring.failed"):
        event["attempt"] = _attempt(line["what"])
    if kind in ("attempt.scheduled", "card.expires"):
        at = changes.get("next_payment_at", [None, None])[1]
        event["next_attempt_at"] = None if at is None else time.stored(time.from_text(at))
    event["card_expires"] = changes.get("card_expires", [None, None])[1]
    return event


def _attempt(what: str) -> int | None:
    """Return the number of the attempt in the words of its decline, ``attempt 2 of payment 5 declined``."""
    words = what.split()
    declined = words[:1] == ["attempt"] and words[-1] == "declined"
    return int(words[1]) if declined else None
