"""Reports: money by currency, payment system, offer, category and manager, never added across currencies (R67–R76a).

report + filters → ``Question`` → the totals, where they carry it, else the facts → named, in periods, sorted
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import islice
from typing import Any, Literal, NamedTuple
from zoneinfo import ZoneInfo

from salescli.lists.columns import Column
from salescli.lists.filters import Filters
from salescli.reports import by_rows, by_totals, comparison, earned, gathered, periods
from salescli.reports.comparison import Compared
from salescli.reports.dimensions import CONFIRMED, DIMENSIONS, MANAGER, SALE, SALES, SHARE, Counts, Dimension
from salescli.reports.periods import By
from salescli.reports.questions import Basis, Query, Question, Rows
from salescli.storage import database, engine
from salescli.storage.reread import Readable

# What an empty commission hides: the sum of those that are known, and how many payments have none.
COMMISSIONS = (Column("known_commission", "money", shown=False), Column("without_commission", "count", shown=False))
EARNED = Column("earned", "money", rank=0)  # of confirmed sales, with a share


SHOP = Column("shop", rank=0)  # of several databases


@dataclass(frozen=True, slots=True)
class Breakdown:
    """A report: its dimensions beside currency, whether it counts orders or payments, and its periods."""

    name: str
    dimensions: tuple[Dimension, ...]
    counts: Counts
    by: By | None = None
    share: int | Literal["own"] | None = None  # of net, which a manager earns: parts per million, or each their own
    shops: bool = False  # whether its rows are those of several, and say whose
    compared: bool = False  # beside the period before

    @property
    def labels(self) -> tuple[Column, ...]:
        """Return the columns that name a group beside its period and currency."""
        of_dimensions = (column for dimension in self.dimensions for column in dimension.labels)
        return (*((SHOP,) if self.shops else ()), *of_dimensions)

    @property
    def groups(self) -> tuple[Column, ...]:
        """Return the columns that name a group, its period first."""
        period = Column("period", "day" if self.by == "day" else "text", rank=0)
        return ((period,) if self.by else ()) + self.labels

    @property
    def columns(self) -> tuple[Column, ...]:
        """Return the report's columns: what names a group, currency, counts, money."""
        quantity = (Column("quantity", "count", rank=4),) if self.counts == "orders" else ()
        earned = () if self.share is None else (EARNED,)
        found = (
            *self.groups,
            Column("currency", rank=0),
            Column(self.counts, "count", rank=1),
            *quantity,
            Column("gross", "money", rank=1),
            Column("commission", "money", rank=3),
            Column("credited", "money", rank=3),
            Column("refunded", "money", rank=2),
            Column("net", "money", rank=0),
            *earned,
            *COMMISSIONS,
        )
        return tuple(comparison.columns(found)) if self.compared else found

    def split(self, by: By | None = None, also: Dimension | None = None) -> Breakdown:
        """Return the report split further, by periods and by a second dimension, counting as before.

        A second dimension "manager" separates confirmed from unconfirmed sales, so that no sale is left out (R75, B9).
        """
        more = () if also is None else (also, CONFIRMED) if also is MANAGER else (also,)
        return replace(self, by=by, dimensions=(*self.dimensions, *more))


def _by(dimension: Dimension) -> Breakdown:
    return Breakdown(f"by-{dimension.name.replace('_', '-')}", (dimension,), dimension.counts)


BREAKDOWNS = (Breakdown("by-currency", (), "payments"), *map(_by, DIMENSIONS))
BY_MANAGER = next(report for report in BREAKDOWNS if report.dimensions == (MANAGER,))
_TOTAL = Breakdown("total", (), "orders")
_BY_SELLER = Breakdown("by-seller", (SALE,), "orders")


def _question(report: Breakdown, filters: Filters, zone: ZoneInfo, basis: Basis, include_system: bool) -> Question:
    dimensions = tuple(dimension.name for dimension in _split(report))
    sales = _counted_sales(report, include_system)
    cut, weeks = periods.CUTS[report.by], report.by == "week"
    return Question(dimensions, report.counts, filters, zone, basis, cut, sales, weeks)


def _answered(connection: engine.Connection, report: Breakdown, query: Query) -> Iterator[dict[str, Any]]:
    """Yield the rows of a report as they are shown."""
    rows = periods.merged(_read(connection, report, query), report.by, _COUNTED)
    if report.share == "own":
        rows = earned.of_own_shares(rows, f"key_{len(report.dimensions)}", _COUNTED)
    for row in map(_with_amounts, rows):
        yield row if report.share is None else _with_earned(row, report.share)


def _read(connection: engine.Connection, report: Breakdown, query: Query) -> Iterator[dict[str, Any]]:
    sql, values = query
    found = connection.execute(_named(sql, report), values)
    names = [name for name, *_ in found.description]  # dict(row) would look each up in the row by its text
    rows = (dict(zip(names, row, strict=True)) for row in found)
    return _named_periods(rows, report.by) if report.by in ("day", "week") else rows


def _named_periods(rows: Iterable[dict[str, Any]], by: By) -> Iterator[dict[str, Any]]:
    for row in rows:
        row["period"] = periods.named(row["period"], by)
        yield row


def _split(report: Breakdown) -> tuple[Dimension, ...]:
    """Return by what a report is counted: beside its dimensions by share, where each manager has their own."""
    return (*report.dimensions, SHARE) if report.share == "own" else report.dimensions


def _bridge(connection: engine.Connection, filters: Filters, query: Query, *, zone: ZoneInfo) -> Rows:
    """Return per currency how payments and completed orders of the period lead to one another (R76a).

    payments = completed + open + declined + shifted_out − shifted_in, all gross, in minor units of ``currency``:
    shifted_out was paid in the period on orders completed outside it, shifted_in the other way round. Beside it,
    above and below: what payments brought more and less than they paid for, as credit and written off.
    """
    found = [dict(row) for row in connection.execute(*query)]
    sql, values = by_rows.unequal(connection, filters, zone)
    unequal = {row["currency"]: (row["above"], row["below"]) for row in connection.execute(sql, values)}
    for row in found:
        row["above"], row["below"] = unequal.get(row["currency"], (0, 0))
    return [row for row in found if any(value for name, value in row.items() if name != "currency")]


# Statements: reports that are checked to agree


@dataclass(frozen=True, slots=True)
class Statement:
    """Reports of one moment and what they tie to: the total (R76), what it is made of (B9), the payments behind it.

    ``rows``: of each report one per period, group and currency, by period, then largest gross first within a currency.
    Amounts in minor units of ``currency``; commission and credited are None where a payment's commission is unknown,
    known_commission is the sum of the others and without_commission the number of those. ``sales``: rows of (sale,
    currency, orders, gross, …), which per currency add up to ``total``. ``bridge``: how payments lead to completed
    orders (R76a); empty where none of the reports counts payments. ``left_out``: how many rows more each report has.
    """

    rows: Mapping[Breakdown, Rows]
    total: Rows
    sales: Rows
    bridge: Rows
    left_out: Mapping[Breakdown, int] = field(default_factory=dict)


def statement(  # noqa: PLR0913 - each is an option of the reports
    connection: engine.Connection,
    reports: Sequence[Breakdown],
    filters: Filters,
    *,
    zone: ZoneInfo,
    basis: Basis = "completed",
    include_system: bool = False,
    most: int | None = None,
    stored: bool = False,
) -> Statement:
    """Return reports with their total and tie-out, all of one moment; that they agree is asserted (B9).

    By manager only confirmed sales of managers count, with ``include_system`` the system's as well (R75). ``most``: of
    each report return so many rows; those that are left out are counted and checked, and take no memory. ``stored``:
    return rows by period as ``Stored`` ones, which can be read until the end of the caller's transaction.
    """
    wanted = (*reports, _TOTAL, _BY_SELLER)
    questions = {report: _question(report, filters, zone, basis, include_system) for report in wanted}
    with database.snapshot(connection), database.sorting(connection):
        apart = engine.only_reads(connection)
        if any(report.share == "own" for report in reports):
            earned.prepare(connection)
        found = {report: by_totals.query(connection, question) for report, question in questions.items()}
        of_payments = any(report.counts == "payments" for report in reports)
        between = by_totals.bridge(connection, filters, zone) if of_payments else None
        others = gathered.gather(
            connection,
            [questions[report] for report in wanted if found[report] is None],
            bridged=of_payments and between is None,
            apart=apart,
        )
        queries = {report: found[report] or others.queries[questions[report]] for report in wanted}
        shortened = [] if apart else [report for report in reports if most is not None or (stored and report.by)]
        first = {report: _first(connection, report, queries[report], most) for report in shortened}
        rows = {
            report: first[report].rows if report in first else list(_answered(connection, report, queries[report]))
            for report in wanted
        }
        between = between or gathered.bridge(connection, questions[_TOTAL], others.paid)
        leading = _bridge(connection, filters, between, zone=zone) if of_payments else []
    left_out = {report: one.left_out for report, one in first.items()}
    result = Statement({report: rows[report] for report in reports}, rows[_TOTAL], rows[_BY_SELLER], leading, left_out)
    _check(result, {report: one.sums for report, one in first.items()}, basis, include_system)
    return result


def beside(found: Statement, before: Statement, compared: Compared) -> dict[Breakdown, Rows]:
    """Return the reports of a statement beside those of the days before, each as a report that is ``compared``."""
    result: dict[Breakdown, Rows] = {}
    for report, rows in found.rows.items():
        keys = [f"key_{place}" for place in range(len(report.dimensions))] + ([SHOP.key] if report.shops else [])
        shown = comparison.beside(rows, before.rows[report], report.columns, keys, compared)
        result[replace(report, compared=True)] = shown
    return result


class Stored(Readable[dict[str, Any]]):
    """The rows of a report in a temporary table: read one by one, as often as they are asked for, and kept nowhere.

    There are fewer than in the table by quarter, or where each manager has their own share.
    """

    def __init__(self, connection: engine.Connection, report: Breakdown, table: str) -> None:
        self._connection, self._report, self._table = connection, report, table

    def __iter__(self) -> Iterator[dict[str, Any]]:
        with database.sorting(self._connection, at_once=3):  # the temporary tables and their sort have caches, too
            yield from _answered(self._connection, self._report, (f"SELECT * FROM {self._table}", {}))


class _First(NamedTuple):
    """The first rows of a report, or all, how many more there are, and the sums of all by currency."""

    rows: Rows
    left_out: int
    sums: Rows


def _first(connection: engine.Connection, report: Breakdown, query: Query, most: int | None) -> _First:
    """Return the first rows of a report, or all, from a table that the end of the caller's transaction removes."""
    sql, values = query
    table = "temp.grouped" if most is not None else f"temp.{report.name.replace('-', '_')}"
    connection.execute(f"DROP TABLE IF EXISTS {table}")
    connection.execute(f"CREATE TEMP TABLE {table.removeprefix('temp.')} AS {sql}", values)
    added = ", ".join(f"sum({name}) AS {name}" for name in _ORDERS)
    sums = connection.execute(f"SELECT currency, count(*) AS lines, {added} FROM {table} GROUP BY currency")
    by_currency = [dict(row) for row in sums]
    stored = Stored(connection, report, table)
    if most is None:
        return _First(stored, 0, by_currency)
    if report.by == "quarter" or report.share == "own":
        rows = iter(stored)
        return _First(list(islice(rows, most)), sum(1 for _ in rows), by_currency)
    soon = (
        f"t.period <= (SELECT max(period) FROM (SELECT period FROM {table} LIMIT :most))"  # of no other are the first
    )
    first = f"SELECT * FROM {table} t WHERE {soon} ORDER BY {_order(report)} LIMIT :most"
    shown = list(_answered(connection, report, (first, {"most": most})))
    return _First(shown, sum(row["lines"] for row in by_currency) - len(shown), by_currency)


def _check(result: Statement, sums: Mapping[Breakdown, Rows], basis: Basis, include_system: bool) -> None:
    assert _sums(result.sales) == _sums(result.total), f"the sales do not make the total; {_ADVICE}"
    for report, first in result.rows.items():
        rows = sums.get(report, first)
        if report.counts == "payments":
            wanted, found = _sums(result.bridge, "payments"), _sums(rows, "gross")
        else:
            counted = _counted_sales(report, include_system)
            wanted, found = _sums([row for row in result.sales if row["sale"] in counted]), _sums(rows)
        assert found == wanted, f"{report.name} does not tie to the total; {_ADVICE}"
    for row in result.bridge:
        parts = row["completed"] + row["open"] + row["declined"] + row["shifted_out"] - row["shifted_in"]
        assert row["payments"] == parts, f"payments do not lead to completed orders; {_ADVICE}"
    if result.bridge and basis == "completed":
        completed, gross = _sums(result.bridge, "completed"), _sums(result.total, "gross")
        assert completed == gross, f"the bridge does not lead to the total; {_ADVICE}"


_ADVICE = "run salescli doctor, then salescli rebuild-totals, and please report it"


def _sums(rows: Rows, *names: str) -> list[Counter[str]]:
    """Return the sums of columns, by default those of orders, per currency."""
    sums = [Counter[str]() for _ in names or _ORDERS]
    for row in rows:
        for added, name in zip(sums, names or _ORDERS, strict=True):
            added[row["currency"]] += row[name]
    return sums  # a Counter equals another that lacks its zeros


_ORDERS = ("orders", "quantity", "gross", "refunded")


def _counted_sales(report: Breakdown, include_system: bool) -> tuple[str, ...]:
    if report.name != BY_MANAGER.name:  # not by its dimensions: others are split by manager too
        return SALES
    confirmed, _, system = SALES
    return (confirmed, system) if include_system else (confirmed,)


# Rows


def _named(sql: str, report: Breakdown) -> str:
    """Return the query with names for its groups, sorted."""
    keys = [f"t.{dimension.name}" for dimension in _split(report)]
    shown = ["t.period", "t.currency", *(f"t.{name}" for name in _COUNTED)]
    shown += [f"{key} AS key_{place}" for place, key in enumerate(keys)]
    shown += [f'{column.sql} AS "{column.key}"' for column in report.labels]
    joins = " ".join(dimension.named for dimension in report.dimensions)
    return f"SELECT {', '.join(shown)} FROM ({sql}) t {joins} ORDER BY {_order(report)}"


def _order(report: Breakdown) -> str:
    return ", ".join(
        ("t.period", "t.currency", "t.gross DESC", *(f"t.{one.name} NULLS FIRST" for one in _split(report)))
    )


_COUNTED = ("orders", "payments", "quantity", "gross", "fee", "unknown", "refunded")


def _with_amounts(row: dict[str, Any]) -> dict[str, Any]:
    row["known_commission"], row["without_commission"] = row.pop("fee"), row.pop("unknown")
    row["commission"] = None if row["without_commission"] else row["known_commission"]
    row["credited"] = None if row["commission"] is None else row["gross"] - row["commission"]
    row["net"] = row["gross"] - row["refunded"]
    return row


def _with_earned(row: dict[str, Any], share: int | Literal["own"]) -> dict[str, Any]:
    """Add what a manager earns of net. Nobody earns the system's sales."""
    if share != "own":
        row["earned"] = earned.of_net(row["net"], share)
    if row["key_0"] is None:
        row["earned"] = None
    return row
