"""A report as a command asks for it: of one shop or several, beside the period before, sorted, cut to what is shown.

options -> ``Asked`` -> ``found``: a statement of each shop, added up and compared -> the rows of each report
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from typing import Any

from salescli.cli.output.contract import Output, sorted_rows
from salescli.cli.output.report_rows import Found
from salescli.cli.session import Session
from salescli.errors import NotFound
from salescli.lists.filters import Filters
from salescli.reports import comparison, report, shops
from salescli.reports.questions import Basis, Rows
from salescli.reports.report import SHOP, Breakdown, Statement
from salescli.rules import permissions
from salescli.storage import database
from salescli.storage.scratch import Scratch


@dataclass(frozen=True, slots=True)
class Asked:
    """What a command is asked for: its reports, of what, and whether beside the period before."""

    reports: Sequence[Breakdown]
    filters: Filters
    basis: Basis
    include_system: bool
    compared: bool

    def of(self, session: Session, filters: Filters, most: int | None = None, *, stored: bool = False) -> Statement:
        """Return the statement of the reports, of one shop or of several together, of each at most so many rows."""
        if not session.others:
            return self._of_one(session, filters, most, "", stored=stored)
        return shops.together(
            {name: self._of_one(shop, filters, most, f"{name}: ") for name, shop in session.shops.items()}
        )

    def _of_one(
        self, shop: Session, filters: Filters, most: int | None, named: str, *, stored: bool = False
    ) -> Statement:
        """Return the statement of one shop. Raise NotFound with its name for a filter by what it has not."""
        try:
            return report.statement(
                shop.connection,
                self.reports,
                filters,
                zone=shop.zone,
                basis=self.basis,
                include_system=self.include_system,
                most=most,
                stored=stored,
            )
        except NotFound as error:
            raise NotFound(f"{named}{error}") from None


@contextmanager
def found(session: Session, asked: Asked, output: Output) -> Iterator[Found]:
    """Run a block with the reports, sorted and cut, beside those of the period before if they are compared.

    Rows that the block reads one by one are all of one moment; nobody waits for it otherwise.
    """
    with ExitStack() as stack:
        stack.enter_context(snapshot(session))
        result = _found(session, asked, output)
        if _is_read_later(asked, output):
            result = replace(result, let_go=stack.close)
        else:
            stack.close()
        yield result


def _is_read_later(asked: Asked, output: Output) -> bool:
    """Return whether the rows are written as they are read, so that they need not be in memory."""
    return _most(output) is None and not asked.compared


def _found(session: Session, asked: Asked, output: Output) -> Found:
    limit = output.row_limit()
    filters, before, compared = asked.filters, None, None
    if asked.compared:
        today = session.now.astimezone(session.zone).date()
        compared = comparison.days_before(filters.first_day, filters.last_day, asked.reports[0].by, today)
        before = asked.of(session, filters._replace(first_day=compared.first, last_day=compared.last), stored=True)
        before = replace(before, rows={report: Scratch(rows) for report, rows in before.rows.items()})
    statement = asked.of(session, filters, None if compared else _most(output), stored=True)
    rows = statement.rows
    if before and compared:
        rows = report.beside(statement, before, compared)
    listed = len(asked.reports) > 1
    shown = {report: _sorted(rows, report, output, listed=listed)[: limit or None] for report, rows in rows.items()}
    more = 0
    if limit is not None and output.limit is None:
        more = sum(map(len, rows.values())) - sum(map(len, shown.values())) + sum(statement.left_out.values())
    return Found(shown, statement, before, compared, more)


def _most(output: Output) -> int | None:
    """Return how many rows of each report a table shows, if no other order or chart needs all of them."""
    is_first = output.format == "table" and not output.sort and not output.chart
    return output.row_limit() if is_first else None


@contextmanager
def snapshot(session: Session) -> Iterator[None]:
    """Run a block whose reads of each shop all see one state of it, for a user who may view every one."""
    with ExitStack() as stack:
        for shop in session.shops.values():
            shop.actor.require(permissions.VIEW)
            stack.enter_context(database.snapshot(shop.connection))
        session.check_no_copies()
        yield


def flat(report: Breakdown, row: dict[str, Any]) -> dict[str, Any]:
    """Return a row of one breakdown as a row of the list of all of them."""
    number, name = (key and row[key] for key in _labels(report))
    shown = {column.key for column in report.columns}
    counts = {key: row[key] if key in shown else None for key in row if key.startswith(("orders", "payments", "quant"))}
    beside = {f"{name}{of}": None for name in ("orders", "payments", "quantity") for of in comparison.BESIDE}
    return {**beside, **row, **counts, "breakdown": report.name, "number": number, "name": name}


def _labels(report: Breakdown) -> tuple[str | None, str | None]:
    """Return the keys of the number and of the name of what a breakdown is by, as far as it has them."""
    keys = [column.key for column in report.labels if column is not SHOP]
    number, name = keys if len(keys) == 2 else (None, *keys) if keys else (None, None)
    return number, name


def _sorted(rows: Rows, report: Breakdown, output: Output, *, listed: bool) -> Rows:
    """Return the rows of a breakdown in the wanted order; ``listed``: beside others, under the columns of _DETAILS.

    A number or a name is then its own one, and what only other breakdowns have orders nothing.
    """
    keys: dict[str, str | None] = {column.key: column.key for column in report.columns}
    if listed:
        number, name = _labels(report)
        keys = {"breakdown": None, "number": number, "name": name, **keys}
    given = [(key[: -len(name)], name) for key in output.sort for name in (key.removeprefix("-"),)]
    wanted = tuple(f"{sign}{keys[name]}" for sign, name in given if keys.get(name))
    if not any(name in keys for _, name in given):
        wanted = output.sort  # names none of its columns, so sorted_rows raises BadUsage
    return sorted_rows(rows, wanted, report.columns, output.row_limit()) if wanted else rows
