"""Reports by the facts that triggers keep: any filter and any period, from one narrow table.

Question → the facts of its days: by their numbers, and by an index those that count on another day → one query
questions of one statement → ``together``: one query of groups so fine that all answers, and the bridge, add them up
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from typing import NamedTuple
from zoneinfo import ZoneInfo

from salescli.catalogue import payment_systems
from salescli.lists.filters import Filters, clauses
from salescli.reports import packing
from salescli.reports.dimensions import ALL, SALE, SALES
from salescli.reports.questions import Query, Question, view
from salescli.rules import time
from salescli.storage import engine
from salescli.storage.clauses import OF_AN_ORDER, OF_FLAGS, Where, searched
from salescli.storage.totals import SUMS

_FILTERS: Mapping[str, str] = {
    **OF_FLAGS,
    "customer": "t.customer_id",
    "offer": "t.offer_id",
    "category": "t.category_id",
    "manager": "t.manager_id",
    "system": "t.manager_id",
    "payment_system": "t.payment_system_id",
    "min": "t.price_e4",
    "max": "t.price_e4",
    "search": searched(
        "t.customer_id",
        "t.offer_id",
        "t.order_id IN ({number})",
        "t.order_id IN (SELECT id FROM orders WHERE source_number IN ({words}))",
    ),
}
_PAID_ON = "t.id >> 34"

_IDS = {dimension.name: dimension.facts for dimension in ALL}
_PERIODS = ("period", "of_orders", "of_payments")
_MOST = {dimension.name: dimension.most for dimension in ALL if dimension.most} | dict.fromkeys(_PERIODS, "99991231")
_MOST |= {"marks": "15"}
# Of the number of a day what a period of so many characters keeps, and its name; days and weeks stay numbers, since
# there may be as many groups as facts, of which few are shown.
_CUT = {10: "{day}", 7: "{day} / 100", 4: "{day} / 10000"}
_NAME = {10: "{n}", 7: "printf('%04d-%02d', {n} / 100, {n} % 100)", 4: "printf('%04d', {n})"}


# The number of a day's week, from that of the first Monday on: by the months and the days since 1 March of the year 0,
# as years that begin in March end with the day that some of them lack.
_MONTHS = "({day} / 10000 * 12 + {day} / 100 % 100 - 3)"
WEEK = (
    f"(({{day}} % 100 + (153 * ({_MONTHS} % 12) + 2) / 5 + {_MONTHS} / 12 * 1461 / 4"
    f" - {_MONTHS} / 1200 + {_MONTHS} / 4800 + 1) / 7 - 44)"
)


def query(connection: engine.Connection, question: Question) -> Query:
    """Return the query of (period, dimensions, currency, sums) and its values; money in minor units."""
    where = _where(connection, question.filters, question.zone)
    source = _source(connection, question.filters, question.zone, where)
    if question.sales != SALES:
        where.add(f"{SALE.facts} IN ({{sales}})", sales=list(question.sales))
    if question.counts == "orders":
        where.add("t.completed IS NOT NULL")
        day = f"t.{question.basis}"
        counted = f"{_orders(connection, question.filters, where)}, 0 AS payments"
    else:
        where.add("t.id & 3 <> 2")
        day = _PAID_ON
        counted = f"0 AS orders, {_IS_PAYMENT} AS payments, 0 AS quantity"
    number = WEEK if question.weeks else _CUT.get(question.cut)
    period = {"period": number.format(day=f"({day})")} if number else {}
    keys = {**period, **{name: _IDS[name] for name in question.dimensions}}
    groups = _groups(connection, keys, question.cut)
    columns = f"SELECT {groups.listed}t.currency AS currency, {counted}, {_MONEY} FROM {source} t"
    found = " UNION ALL ".join(f"{columns} WHERE {where} AND {days}" for days in _days(question.filters, (day,)))
    sums = ", ".join(_sum(name, (question.counts,)) for name in SUMS[1:])
    shown = groups.shown if question.cut else f"'' AS period, {groups.shown}"
    return f"SELECT {shown}currency, {sums} FROM ({found}) GROUP BY {groups.by}currency", where.values


class _Groups(NamedTuple):
    """The keys of groups beside the currency, each list with a comma behind it: of rows, to group by, and as shown."""

    listed: str
    by: str
    shown: str


def _groups(connection: engine.Connection, keys: Mapping[str, str], cut: int) -> _Groups:
    packed = packing.packed(connection, keys, _MOST)
    shown = {name: _NAME[cut].format(n=sql) if name in _PERIODS else sql for name, sql in packed.shown.items()}
    return _Groups(
        "".join(f"{sql} AS {name}, " for name, sql in packed.columns.items()),
        "".join(f"{name}, " for name in packed.columns),
        "".join(f"{sql} AS {name}, " for name, sql in shown.items()),
    )


def _sum(name: str, counted: Sequence[str]) -> str:
    counts = {"orders": "orders", "quantity": "orders", "payments": "payments"}.get(name)
    of_all = {"fee": "coalesce(sum(fee), 0)"}.get(name, f"sum({name})")
    return f"{0 if counts and counts not in counted else of_all} AS {name}"  # a sum takes its time


# What a group of several questions counts as, added up: with its orders, as payments, and of orders that were never
# completed one of the others.
ORDERED, PAID, OPEN, DECLINED = 1, 2, 4, 8
_OTHERS = f"CASE WHEN t.completed IS NOT NULL THEN 0 WHEN t.flags >> 4 = 0 THEN {OPEN} ELSE {DECLINED} END"
_IS_PAYMENT = "CASE WHEN t.id & 3 = 0 THEN 1 ELSE 0 END"
_MONEY = "t.gross AS gross, t.fee AS fee, CASE WHEN t.fee IS NULL THEN 1 ELSE 0 END AS unknown, t.refunded AS refunded"


def together(connection: engine.Connection, questions: Sequence[Question], *, bridged: bool) -> Query:
    """Return one query for questions that differ in what they count, in dimensions, periods and sales alone.

    Its rows: ``marks``, the periods ``of_orders`` and ``of_payments`` as the finest question has them, all dimensions,
    currency and sums. A sale is a manager and confirmed. ``bridged``: as the bridge between payments and orders needs.
    """
    one, where = questions[0], _where(connection, questions[0].filters, questions[0].zone)
    source = _source(connection, one.filters, one.zone, where)
    asked = {question.counts for question in questions} | ({"payments"} if bridged else set())
    days = {counts: day for counts, day in (("orders", f"t.{one.basis}"), ("payments", _PAID_ON)) if counts in asked}
    if len(days) == 1:
        where.add(_COUNTS[next(iter(days))])
    marks = [f"CASE WHEN {_counts(name, days, one.filters)} THEN {_MARKS[name]} ELSE 0 END" for name in days]
    marks += [_OTHERS] if bridged else []
    cut = max(question.cut for question in questions)
    periods = {f"of_{counts}": _CUT[cut].format(day=f"({day})") for counts, day in days.items() if cut}
    keys = {"marks": f"({' + '.join(marks)})", **periods, **{name: _IDS[name] for name in _dimensions(questions)}}
    groups = _groups(connection, keys, cut)
    of_orders = _orders(connection, one.filters, where) if "orders" in days else "0 AS orders, 0 AS quantity"
    columns = (
        f"SELECT {groups.listed}t.currency AS currency, {of_orders}, {_IS_PAYMENT} AS payments, {_MONEY}"
        f" FROM {source} t WHERE {where}"
    )
    found = " UNION ALL ".join(f"{columns} AND {within}" for within in _days(one.filters, tuple(days.values())))
    sums = ", ".join(_sum(name, tuple(days)) for name in SUMS[1:])
    return f"SELECT {groups.shown}currency, {sums} FROM ({found}) GROUP BY {groups.by}currency", where.values


_MARKS = {"orders": ORDERED, "payments": PAID}
_COUNTS = {"orders": "t.completed IS NOT NULL", "payments": "t.id & 3 <> 2"}


def _counts(name: str, days: Mapping[str, str], filters: Filters) -> str:
    """Return SQL for whether a fact counts as ``name``, in the period."""
    if filters.first_day is None and filters.last_day is None:
        return _COUNTS[name]
    first, last = _numbers(filters)
    return f"{_COUNTS[name]} AND {days[name]} BETWEEN {first} AND {last}"


def _dimensions(questions: Sequence[Question]) -> Sequence[str]:
    """Return the dimensions of all questions, of a sale what it is made of."""
    names = [name for question in questions for name in question.dimensions if name != "sale"]
    if any("sale" in question.dimensions or question.sales != SALES for question in questions):
        names += ["manager", "confirmed"]
    return tuple(dict.fromkeys(names))


def _orders(connection: engine.Connection, filters: Filters, where: Where) -> str:
    """Return SQL for what orders count as: once, at the first payment that the report counts.

    So a report of one payment system counts every order that it received money for.
    """
    if not filters.payment_system:
        return "t.flags & 1 AS orders, t.quantity AS quantity"
    through = where.bind(*(payment_systems.find(connection, words).id for words in filters.payment_system))
    earlier = (
        "SELECT 1 FROM invoices i JOIN invoices q ON q.order_id = i.order_id AND q.ordinal < i.ordinal"
        f" WHERE i.id = t.id >> 2 & 4294967295 AND q.paid_at IS NOT NULL AND q.payment_system_id IN ({through})"
    )
    first = f"CASE WHEN t.flags & 1 = 1 THEN 1 WHEN t.id & 3 <> 0 OR EXISTS ({earlier}) THEN 0 ELSE 1 END"
    of_order = "(SELECT quantity FROM orders WHERE id = t.order_id)"
    quantity = f"CASE WHEN t.flags & 1 = 1 THEN t.quantity WHEN {first} = 1 THEN {of_order} ELSE 0 END"
    return f"{first} AS orders, {quantity} AS quantity"


def _days(filters: Filters, days: Sequence[str]) -> tuple[str, ...]:
    """Return the conditions that together leave the facts of which any of ``days`` is in the period, each once."""
    if filters.first_day is None and filters.last_day is None:
        return ("1",)
    first, last = _numbers(filters)
    within = f"t.id BETWEEN {first << 34} AND {(last + 1 << 34) - 1}"
    moved = f"{days[0]} BETWEEN {first} AND {last}"
    if days[0] == "t.created":  # of which there is no index
        return (moved if len(days) == 1 else f"({within} OR {moved})",)
    if days[0] == "t.completed":
        paid = within if len(days) > 1 else f"{within} AND {moved}"
        return paid, f"{moved} AND t.completed <> t.id >> 34 AND NOT {within}"
    return (within,)


def bridge(connection: engine.Connection, filters: Filters, zone: ZoneInfo) -> Query:
    """Return the query of a row per currency: payments, completed orders of the period, and the amounts between."""
    where = _where(connection, filters, zone)
    source = _source(connection, filters, zone, where)
    [paid] = _days(filters, (_PAID_ON,))
    here = (
        "SELECT t.currency AS currency, sum(t.gross) AS payments, sum(iif(t.completed IS NULL, 0, t.gross)) AS begun,"
        " sum(iif(t.flags >> 4 = 0, t.gross, 0)) AS open, sum(iif(t.flags >> 4 = 2, t.gross, 0)) AS declined"
        f" FROM {source} t WHERE {where} AND {paid} GROUP BY t.currency"
    )
    return bridged(connection, filters, zone, (here, where.values))


def bridged(connection: engine.Connection, filters: Filters, zone: ZoneInfo, paid: Query) -> Query:
    """Return the query of the bridge by that of the payments of its period: of completed, open and declined orders."""
    here, of_paid = paid
    elsewhere, values = shifts(connection, filters, zone)
    found = (
        f"SELECT currency, payments, begun, open, declined, 0 AS shifted_out, 0 AS shifted_in FROM ({here})"
        f" UNION ALL SELECT currency, 0, 0, 0, 0, shifted_out, shifted_in FROM ({elsewhere})"
    )
    columns = ("payments", "open", "declined", "shifted_out", "shifted_in")
    sums = ", ".join(f"sum({name}) AS {name}" for name in columns)
    sql = (
        f"SELECT currency, {sums}, sum(begun) - sum(shifted_out) + sum(shifted_in) AS completed FROM ({found})"
        " GROUP BY currency ORDER BY currency"
    )
    return sql, {**of_paid, **values}


def shifts(connection: engine.Connection, filters: Filters, zone: ZoneInfo) -> Query:
    """Return the query of what was paid in the period and completed outside it, and the other way round, by currency.

    It looks only at payments whose order was completed on another day.
    """
    where = _where(connection, filters, zone)
    first, last = _numbers(filters)
    paid, completed = (
        f"t.id BETWEEN {first << 34} AND {(last + 1 << 34) - 1}",
        f"t.completed BETWEEN {first} AND {last}",
    )
    if filters.first_day is None and filters.last_day is None:
        return "SELECT '' AS currency, 0 AS shifted_out, 0 AS shifted_in WHERE 0", {}
    sql = (
        f"SELECT t.currency AS currency, sum(iif({paid}, t.gross, 0)) AS shifted_out,"
        f" sum(iif({paid}, 0, t.gross)) AS shifted_in FROM facts t INDEXED BY facts_elsewhere"
        f" WHERE t.completed <> t.id >> 34 AND ({paid}) <> ({completed}) AND {where}"
        " GROUP BY t.currency"
    )
    return sql, where.values


def _numbers(filters: Filters) -> tuple[int, int]:
    """Return the numbers of the period's first and last day, also if a side is open."""
    return time.day_number(filters.first_day or date.min), time.day_number(filters.last_day or date.max)


def _where(connection: engine.Connection, filters: Filters, zone: ZoneInfo) -> Where:
    others = filters._replace(first_day=None, last_day=None)
    return clauses(connection, view(_FILTERS), others, zone=zone)


def _source(connection: engine.Connection, filters: Filters, zone: ZoneInfo, where: Where) -> str:
    """Return the table of facts, or if a filter leaves few orders the view that counts them, and add these.

    Counting one from the rows takes as long as reading some fifty facts.
    """
    for name in _FOUND:
        words = Filters(**{name: getattr(filters, name)})
        if words != Filters():
            found = clauses(connection, view(_ORDERS), words, zone=zone)
            sql = f"SELECT o.id FROM orders o WHERE {found} LIMIT {_FEW + 1}"
            ids = [row[0] for row in connection.execute(sql, found.values)]
            if len(ids) <= _FEW:
                where.add(f"t.order_id IN ({', '.join(map(str, ids)) or 'NULL'})")
                return "counted"
    return "facts"


_FEW = 1000
_FOUND = ("customer", "offer", "search")  # by an index of orders
_ORDERS = {
    **OF_AN_ORDER,
    "search": searched("o.customer_id", "o.offer_id", "o.id IN ({number})", "o.source_number IN ({words})"),
}
