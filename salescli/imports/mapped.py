"""A file of another system, read by its mapping: its rows in, rows of our columns out.

``ForeignFile`` -> skipped | refund | ``_Group`` (one order) -> ``_Order`` -> a row for each item, and each refund
a file of subscriptions -> skipped | a row for each

With refunds as rows of their own the whole file is in memory, since a refund may stand before its payment.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from zoneinfo import ZoneInfo

from salescli.imports import mapped_recurring
from salescli.imports.csv_file import Problem, Row, trimmed
from salescli.imports.foreign import ForeignFile
from salescli.imports.mapped_cells import EQUAL, Given, Reading
from salescli.imports.mapped_order import LateRefund, Refund, drafted, late_refund
from salescli.imports.mapping import FOR, RECURRING, Cells, Refunds, Rule, key
from salescli.imports.reading import amounts
from salescli.imports.reading.workbooks import Typed
from salescli.imports.told import Told
from salescli.rules import money

# The columns of a refund whose payment is not in the file.
LATE_REFUND = ("refund_of", "refunded", "paid_currency", "refunded_at", EQUAL)
_SIGNS = {"negative": -1, "zero": 0, "positive": 1}


@dataclass(slots=True)
class _Group:
    """The rows of one order, the cells of each, and the rows that refund it."""

    rows: list[Row] = field(default_factory=list)
    cells: list[Cells] = field(default_factory=list)
    refunds: list[tuple[Refunds, Row, Cells]] = field(default_factory=list)


class MappedTable:
    """A file of another system as rows of our columns; iterating yields them, good and bad."""

    def __init__(self, file: ForeignFile, ours: Sequence[str], home: str, zone: ZoneInfo | None = None) -> None:
        """``home``: the currency of a file that names none; ``zone``: the account's."""
        mapping, self._file, self._forms, self._totals = file
        self._mapping = mapping
        self._given = Given(mapping, self._file.header, ours, home)
        self._held = {key(name): label for label, names in (mapping.not_held or {}).items() for name in names}
        self._keys = [key(name) for name in self._file.header]
        self.header = self._file.header
        self._zone = ZoneInfo(self._forms.zone) if self._forms.zone else zone or ZoneInfo("UTC")
        self._late_ones: Counter[LateRefund] = Counter()
        self.told = Told(FOR[mapping.kind].removesuffix("s"))

    @property
    def sha256(self) -> str:
        """The hash of the bytes read: of the whole file after the last row."""
        return self._file.sha256

    @property
    def bytes_read(self) -> int:
        """How many bytes of the file were read."""
        return self._file.bytes_read

    def named(self, problem: Problem) -> Problem:
        """Return a problem of our columns with the source columns that they were read from."""
        if problem.column == LATE_REFUND[0]:
            return problem._replace(column=" + ".join(self._mapping.refunds[0].of.columns))
        return problem._replace(column=self._given.labels.get(problem.column, problem.column))

    def __iter__(self) -> Iterator[Row]:
        for group in self._together() if self._mapping.refunds else self._one_by_one():
            if isinstance(group, Row):
                yield group
            else:
                yield from self._rows(group)

    def _one_by_one(self) -> Iterator[_Group | Row]:
        """Yield the orders of a file whose rows of one order follow each other."""
        name, group = None, _Group()
        for row, cells in self._kept():
            if row.problems:
                yield row
                continue
            its_name = self._key(cells)
            if group.rows and (its_name is None or its_name != name):
                yield group
                group = _Group()
            name = its_name
            group.rows.append(row)
            group.cells.append(cells)
        if group.rows:
            yield group

    def _together(self) -> Iterator[_Group | Row]:
        """Yield the orders of a whole file, with their refunds."""
        groups: defaultdict[str | None, _Group] = defaultdict(_Group)
        refunds: list[tuple[Refunds, Row, Cells]] = []
        order = self._mapping.columns["order"].text if "order" in self._mapping.columns else lambda cells: ""
        lines: dict[tuple[str, ...], int] = {}  # the refunds: a row that is there twice may be one refund
        for row, cells in self._kept():
            if row.problems:
                yield row
                continue
            kind = next((kind for kind in self._mapping.refunds if self._holds(kind.rule, cells)), None)
            if kind:
                if (first := lines.setdefault(tuple(row.cells), row.line)) != row.line:
                    yield self._twice(kind, row, cells, first)
                    continue
                refunds.append((kind, row, cells))
                continue
            group = groups[self._key(cells) or order(cells) or f"line {row.line}"]
            group.rows.append(row)
            group.cells.append(cells)
        by_number = {order(group.cells[0]): group for group in groups.values()}
        for kind, row, cells in refunds:
            paid = by_number.get(kind.of.text(cells))
            if paid:
                paid.refunds.append((kind, row, cells))
            elif kind.otherwise:
                self.told.skipped[kind.otherwise] += 1
            else:
                yield self._late(kind, row, cells)
        yield from groups.values()

    def _twice(self, kind: Refunds, row: Row, cells: Cells, first: int) -> Row:
        """Return a bad row: a refund that is the same as one above in every cell."""
        why = f"is line {first} again, in every cell; delete one of them, or change its time if they are two refunds"
        problem = Problem(row.line, " + ".join(kind.of.columns), cells.get(key(kind.of.columns[0]), ""), why)
        return Row(row.line, [], problems=[problem], origin=(row,))

    def _late(self, kind: Refunds, row: Row, cells: Cells) -> Row:
        """Return the row of a refund whose payment is not in the file; it may have been imported before."""
        reading = Reading(row.line, self._forms)
        late = late_refund(self._given, reading, kind, cells)
        if late is None:
            return Row(row.line, [], problems=reading.problems, origin=(row,))
        currency, minor = late.currency, late.minor
        self.told.refunds += not kind.chargeback
        self.told.chargebacks += kind.chargeback
        self.told.paid[currency] += 0
        self.told.refunded[currency] += minor
        self._late_ones[late] += 1
        values = [late.order, money.text(minor, currency), currency, late.at, str(self._late_ones[late])]
        return Row(row.line, values, LATE_REFUND, origin=(row,))

    def _key(self, cells: Cells) -> str | None:
        """Return what the rows of one order share; None if each row is an order."""
        items = self._mapping.items
        return cells.get(key(items.key), "") if items and items.key else None

    def _kept(self) -> Iterator[tuple[Row, Cells]]:
        """Yield the rows that are not skipped, with their cells by source column; bad ones without cells."""
        for row in self._file:
            self.told.rows += 1
            if row.problems:
                yield row, {}
                continue
            # Of two columns of the same name, the first counts.
            cells = dict(zip(reversed(self._keys), map(_text, reversed(row.cells)), strict=True))
            reason = next((rule.reason for rule in self._mapping.skip if self._holds(rule, cells)), None)
            if reason is None and row.line in self._totals:
                reason = "row of totals"
            if reason is not None:
                self.told.skipped[reason] += 1
                continue
            self._note_not_held(cells)
            yield row, cells

    def _note_not_held(self, cells: Cells) -> None:
        for name, label in self._held.items():
            if cells.get(name, "").strip("0.,$-"):
                self.told.not_held[label] = None

    def _holds(self, rule: Rule, cells: Cells) -> bool:
        def hold(conditions: Sequence[tuple[str, str | frozenset[str]]]) -> bool:
            return all(self._meets(cells.get(key(column), ""), wanted) for column, wanted in conditions)

        return hold(rule.when) and not (rule.unless and hold(rule.unless))

    def _meets(self, text: str, wanted: str | frozenset[str]) -> bool:
        """Return whether a text is one of several, or is of the kind that a word names."""
        if isinstance(wanted, frozenset):
            return key(text) in wanted
        if wanted in ("blank", "given"):
            return (wanted == "given") == bool(text)
        return (amounts.sign(text) if text else 0) == _SIGNS[wanted]

    def _rows(self, group: _Group) -> Iterator[Row]:
        """Yield the rows of an order or a subscription, or one bad row with all its problems."""
        if self._mapping.kind == RECURRING:
            yield self._subscription(group.rows[0], group.cells[0])
        else:
            yield from self._order(group)

    def _subscription(self, row: Row, cells: Cells) -> Row:
        """Return the row of a subscription, or a bad row with all its problems."""
        reading = Reading(row.line, self._forms)
        ended = any(self._holds(rule, cells) for rule in self._mapping.ended)
        found = mapped_recurring.drafted(self._given, reading, cells, self._zone, ended=ended)
        if found is None:
            return Row(row.line, [], problems=reading.problems, origin=(row,))
        self.told.orders += 1
        self.told.items += 1
        self.told.statuses[found.status] += 1
        if found.status == mapped_recurring.ACTIVE:
            self.told.planned[found.currency] += found.price_minor
        return Row(row.line, found.cells, self._given.names, origin=(row,))

    def _order(self, group: _Group) -> Iterator[Row]:
        """Yield the rows of an order, or one bad row with all its problems."""
        origin = (*group.rows, *(row for _, row, _ in group.refunds))
        grouped = bool(self._mapping.items and self._mapping.items.key)
        reading = Reading(group.rows[0].line, self._forms, grouped=grouped)
        lines, refunds = [row.line for row in group.rows], [_refund(*refund) for refund in group.refunds]
        order = drafted(self._given, reading, lines, group.cells, refunds)
        if order is None or reading.problems:
            yield Row(group.rows[0].line, [], problems=reading.problems, origin=origin)
            return
        self.told.orders += 1
        self.told.items += order.items
        self.told.paid[order.currency] += order.paid_minor
        self.told.refunded[order.currency] += order.refunded_minor
        self.told.unpaid[order.currency] += order.unpaid_minor
        chargebacks = sum(kind.chargeback for kind, _, _ in group.refunds)
        self.told.refunds += len(group.refunds) - chargebacks or bool(order.refunded_minor and not chargebacks)
        self.told.chargebacks += chargebacks
        for line, cells in order.rows:
            yield Row(line, cells, self._given.names, origin=origin)


def _refund(kind: Refunds, row: Row, cells: Cells) -> Refund:
    return Refund(row.line, kind, cells)


def _text(cell: str) -> str:
    """Return the text of a cell; one whose type says its value keeps it."""
    return cell if isinstance(cell, Typed) else trimmed(cell)
