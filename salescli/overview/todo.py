"""What a person must do, the most urgent first, each with its command (B10).

What has a deadline or costs a sale comes first: disputes, failed recurring orders, payments to confirm, instalments
that are due, partial orders, unconfirmed sales. Of one kind the oldest day comes first, and of one day the largest
amount within each currency, since amounts in different currencies cannot be compared.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import date
from heapq import merge
from itertools import islice
from typing import TYPE_CHECKING, Any

from salescli.lists import query
from salescli.lists.columns import Column, View, named
from salescli.lists.filters import Filters, clauses
from salescli.lists.instalments import NEXT_DUE
from salescli.rules import money, permissions, time
from salescli.rules.permissions import Actor
from salescli.storage import engine, totals
from salescli.storage.clauses import OF_A_CLOSED_MONTH, OF_FLAGS, UNDER_WAY, Where, compared, searched
from salescli.storage.work import Work

if TYPE_CHECKING:
    from zoneinfo import ZoneInfo

COLUMNS = (  # with the SQL that sorts the rows of one kind
    Column("what", rank=0),
    Column("number", "number", "t.number", rank=3),
    Column("customer", sql="k.name_key", rank=1),
    Column("amount", "money", "t.amount", rank=1),
    Column("currency", sql="t.currency", rank=1),
    Column("due", "time", "t.due", rank=2),  # by when; None: no matter when
    Column("contact", sql="name_key(coalesce(k.email, k.phone))", rank=4),
    Column("since", "time", "t.since", shown=False),
    Column("command", "command", "CAST(t.number AS TEXT)", rank=0),
)

# Each kind selects: what, number, amount, currency, due, since, the day that it is sorted by, payment system,
# and what the filters look at.
_OF_THE_ORDER = "o.customer_id, o.offer_id, o.category_id, o.manager_id, o.partial, o.recurring_id, o.source_number"
_PAID_THROUGH = "(SELECT max(p.payment_system_id) FROM invoices p WHERE p.order_id = o.id AND p.paid_at IS NOT NULL)"
# By an index in this order that has what filters look at, from the first month on that is not closed. Only where a
# closed one follows, the month of each is looked at.
_UNCONFIRMED = f"""
SELECT 'unconfirmed sale' AS what, o.id AS number, o.paid_minor AS amount, o.currency AS currency,
  NULL AS due, o.completed_at AS since, o.completed_on AS day, {_PAID_THROUGH} AS payment_system_id, {_OF_THE_ORDER}
FROM orders o WHERE o.status = 'completed' AND o.confirmed = 0 AND o.completed_on >= :open_since
"""
_OF_OPEN_MONTHS = f"AND NOT {OF_A_CLOSED_MONTH}"
# An order can be confirmed once its success share is paid, rounded half up as in money.share_of; by an index of those.
_SUCCESS = (
    f"o.price_minor / {money.PPM} * o.partial_success_ppm"
    f" + (o.price_minor % {money.PPM} * o.partial_success_ppm + {money.PPM // 2}) / {money.PPM}"
)
_CONFIRMABLE = f"""
SELECT 'partial order to confirm' AS what, o.id AS number, o.paid_minor AS amount, o.currency AS currency,
  NULL AS due, o.created_at AS since, o.created_at / 86400 AS day, {_PAID_THROUGH} AS payment_system_id,
  {_OF_THE_ORDER}
FROM orders o WHERE o.status = 'open' AND o.partial = 1 AND o.paid_minor >= {_SUCCESS}
  AND NOT EXISTS ({UNDER_WAY})
"""
# What is left of an order on the first day on which more is due than is paid; ``:today`` is the account's.
_OF_A_DAY = "instalment due"
_DUE = f"""
SELECT '{_OF_A_DAY}' AS what, o.id AS number,
  o.price_minor - o.paid_minor - (SELECT coalesce(sum(l.amount_minor), 0)
    FROM instalments l WHERE l.order_id = o.id AND l.due_on > :today) AS amount, o.currency AS currency,
  {NEXT_DUE} AS due, {NEXT_DUE} AS since, {NEXT_DUE} AS day, o.payment_system_id, {_OF_THE_ORDER}
FROM (SELECT DISTINCT order_id FROM instalments) d JOIN orders o ON o.id = d.order_id
WHERE o.status = 'open' AND {NEXT_DUE} <= :today AND NOT EXISTS ({UNDER_WAY})
"""
_WAITING = f"""
SELECT 'payment to confirm' AS what, i.id AS number, i.amount_minor AS amount, i.currency AS currency,
  NULL AS due, a.started_at AS since, a.started_at / 86400 AS day, a.payment_system_id, {_OF_THE_ORDER}
FROM attempts a JOIN payment_systems p ON p.id = a.payment_system_id JOIN invoices i ON i.id = a.invoice_id
  JOIN orders o ON o.id = i.order_id
WHERE a.status = 'live' AND p.gateway = 'manual'
"""
_FAILED = """
SELECT 'failed recurring order' AS what, r.id AS number, r.price_minor AS amount, r.currency AS currency,
  NULL AS due, coalesce(r.due_at, r.created_at) AS since, coalesce(r.due_at, r.created_at) / 86400 AS day,
  r.payment_system_id, r.customer_id, r.offer_id, f.category_id, o.manager_id, coalesce(o.partial, 0) AS partial,
  r.id AS recurring_id, r.source_number
FROM recurring r JOIN offers f ON f.id = r.offer_id LEFT JOIN orders o ON o.id = r.initial_order_id
WHERE r.status = 'failed'
"""
_DISPUTED = f"""
SELECT 'dispute to answer' AS what, d.invoice_id AS number, d.amount_minor AS amount,
  d.currency AS currency, d.due_at AS due, d.opened_at AS since, coalesce(d.due_at, d.opened_at) / 86400 AS day,
  i.payment_system_id, {_OF_THE_ORDER}
FROM disputes d JOIN invoices i ON i.id = d.invoice_id JOIN orders o ON o.id = i.order_id WHERE d.status = 'open'
"""
_KINDS = {  # the most urgent first
    "dispute to answer": _DISPUTED,
    "failed recurring order": _FAILED,
    "payment to confirm": _WAITING,
    _OF_A_DAY: _DUE,
    "partial order to confirm": _CONFIRMABLE,
    "unconfirmed sale": _UNCONFIRMED,
}
_VIEW = View(
    name="things to do",
    source="",  # one of the kinds, as t
    columns=COLUMNS,
    newest_first=(),
    id="t.number",
    filters={
        "from": "t.since",
        "before": "t.since",
        "customer": "t.customer_id",
        "customers": "+t.customer_id",  # of so many that all are looked at sooner than each of theirs
        # +: each kind is read by its own index, in the order of the list
        "offer": "+t.offer_id",
        "category": "+t.category_id",
        "manager": "+t.manager_id",
        "system": "+t.manager_id",
        "payment_system": "t.payment_system_id",
        "currency": "+t.currency",
        "payment_type": "t.partial",
        "kind": "t.recurring_id",
        **compared("+t.amount", "+t.currency"),
        "search": searched("t.customer_id", "t.offer_id", "t.number IN ({number})", "t.source_number IN ({words})"),
    },
)

# what -> its command, and the permission that the command needs (R40)
_COMMANDS = {
    "unconfirmed sale": ("orders check", permissions.MANAGE_SALES),
    "partial order to confirm": ("orders confirm", permissions.MANAGE_SALES),
    "instalment due": ("orders pay", permissions.ENTER_ORDERS),
    "payment to confirm": ("payments confirm", permissions.ENTER_ORDERS),
    "dispute to answer": ("payments show", permissions.VIEW),  # it is answered at the payment system
    "failed recurring order": ("recurring retry", permissions.MANAGE_RECURRING),
}


def narrowed(connection: engine.Connection, filters: Filters, zone: ZoneInfo) -> Where:
    """Return the WHERE of the filters (R6). Periods apply to the day since which a thing waits."""
    where = clauses(connection, _VIEW, filters._replace(first_day=None, last_day=None), zone=zone)
    if filters.first_day:
        where.add(_FROM, day=time.day_number(filters.first_day), at=_begins(filters.first_day, zone))
    if filters.last_day:
        after = filters.last_day + time.ONE_DAY
        where.add(_BEFORE, day=time.day_number(after), at=_begins(after, zone))
    return where


_BOUND = f"CASE t.what WHEN '{_OF_A_DAY}' THEN {{day}} ELSE {{at}} END"  # the same in all rows of a kind
_FROM, _BEFORE = f"t.since >= {_BOUND}", f"t.since < {_BOUND}"


def _begins(day: date, zone: ZoneInfo) -> int:
    return time.stored(time.start_of(day, zone))


def waiting(
    work: Work, limit: int | None, *, where: Where | None = None, sort: Sequence[str] = (), program: str = "salescli"
) -> Iterator[dict[str, object]]:
    """Yield rows with the keys of COLUMNS, the most urgent first; ``limit`` None yields all.

    What is due is due on the account's day: from its beginning. ``program`` is the name of the program in commands. A
    command without permission is None. By ``sort`` the kinds are merged, each in this order. Raise BadUsage for an
    unknown column.
    """
    where = where or Where()
    kinds, days = _kinds(work.connection, work.now.astimezone(work.zone).date())
    values = {**where.values, **days}

    def of_kind(what: str, most: int | None) -> Iterator[dict[str, object]]:
        sql = _sql(kinds[what], str(where), [*_terms(what, sort, work.actor), *_ORDER])
        for row in work.connection.execute(sql, {**values, "limit": -1 if most is None else most}):
            yield _row(dict(row), work.actor, program, work.zone)

    if sort:
        from salescli.lists import sorting  # the list as it is starts without it

        query.know_name_key(work.connection)
        yield from islice(merge(*(of_kind(what, limit) for what in _KINDS), key=sorting.key(sort, COLUMNS)), limit)
        return
    left = limit
    for what in _KINDS:  # a kind is read when those before it do not fill the page
        for row in of_kind(what, left):
            yield row
            left = left and left - 1
        if left == 0:
            return


_ORDER = ("t.day", "t.currency", "t.amount DESC", "t.number")


def _terms(what: str, sort: Sequence[str], actor: Actor) -> list[str]:
    """Return the terms of an ORDER BY of one kind: without those that are the same in all its rows."""
    terms = []
    for key in sort:
        column = named(COLUMNS, key.removeprefix("-"), "these rows")
        is_same = column.key == "what" or (column.key == "command" and not actor.may(_COMMANDS[what][1]))
        if not is_same:
            terms.append(f"{column.sql} {'DESC' if key.startswith('-') else 'ASC'} NULLS LAST")
    return terms


def _sql(kind: str, where: str, order: Sequence[str]) -> str:
    """Return the query of one kind, which ends at the limit, so that an index in its order is read no further.

    In another order numbers come first, then their rows: an index has all that most orders look at.
    """
    rows = f"FROM ({kind}) t CROSS JOIN customers k WHERE k.id = t.customer_id AND {where}"
    shown = ", ".join(f"t.{key}" for key in ("what", "number", "amount", "currency", "due", "since"))
    by = f"ORDER BY {', '.join(order)}"
    if len(order) > len(_ORDER):
        first = rows if "k." in f"{by} {where}" else f"FROM ({kind}) t WHERE {where}"
        rows += f" AND t.number IN (SELECT t.number {first} {by} LIMIT :limit)"
    return f"SELECT {shown}, k.name AS customer, coalesce(k.email, k.phone) AS contact {rows} {by} LIMIT :limit"


def count(connection: engine.Connection, where: Where | None = None, *, today: date) -> int:
    """Return the number of rows."""
    where = where or Where()
    kinds, days = _kinds(connection, today)
    numbers = {what: f"(SELECT count(*) FROM ({kind}) t WHERE {where})" for what, kind in kinds.items()}
    if not where.texts:
        numbers["unconfirmed sale"] = _UNCONFIRMED_BY_TOTALS
    return int(connection.execute(f"SELECT {' + '.join(numbers.values())}", {**where.values, **days}).fetchone()[0])


# All sales that nobody confirmed are far more than are shown: the totals of reports have their number.
_SALES_BY_TOTALS = (
    "SELECT coalesce(sum(t.orders), 0) FROM totals t WHERE t.dimension = 'manager'"
    f" AND {OF_FLAGS['status']} = 'completed' AND {OF_FLAGS['confirmed'].format(v=0)}"
)
_UNCONFIRMED_BY_TOTALS = (
    f"({_SALES_BY_TOTALS} AND t.grain = {totals.ALL_TIME})"
    f" - ({_SALES_BY_TOTALS} AND t.grain = {totals.MONTH} AND t.period IN (SELECT month FROM closed_months))"
)


def _kinds(connection: engine.Connection, today: date) -> tuple[dict[str, str], dict[str, int]]:
    """Return the query of each kind, and what they need: today, and the day since which sales may wait."""
    open_since = 0
    months = connection.execute("SELECT replace(month, '-', '') + 0 AS number FROM closed_months ORDER BY month")
    closed = [100 * row["number"] for row in months]
    for month in closed:
        first = connection.execute(_FIRST_UNCONFIRMED, (open_since,)).fetchone()[0]
        if first is None or first < month:
            break
        open_since = month + 99  # after its last day
    unconfirmed = _UNCONFIRMED if max(closed, default=0) <= open_since else f"{_UNCONFIRMED} {_OF_OPEN_MONTHS}"
    days = {"today": time.day_number(today), "open_since": open_since}
    return {**_KINDS, "unconfirmed sale": unconfirmed}, days


_FIRST_UNCONFIRMED = (
    "SELECT min(completed_on) FROM orders WHERE status = 'completed' AND confirmed = 0 AND completed_on >= ?"
)


def _row(row: dict[str, Any], actor: Actor, program: str, zone: ZoneInfo) -> dict[str, object]:
    return {**_with_times(row, zone), "command": _command(row, actor, program)}


def _with_times(row: dict[str, Any], zone: ZoneInfo) -> dict[str, Any]:
    """Return a row with the instant at which a day begins where a day is stored."""
    if row["what"] != _OF_A_DAY:
        return row
    return {**row, **{key: _begins(time.day_of(row[key]), zone) for key in ("due", "since")}}


def _command(row: dict[str, Any], actor: Actor, program: str) -> str | None:
    words, permission = _COMMANDS[row["what"]]
    return f"{program} {words} {row['number']}" if actor.may(permission) else None
