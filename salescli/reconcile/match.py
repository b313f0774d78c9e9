"""Match the lines of a statement with our movements, and find what does not agree; pure (B7).

lines, movements -> ``pairs``, the surest first -> ``_by_words`` -> findings for pairs and leftovers -> ``Comparison``
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import date, tzinfo
from typing import NamedTuple

from salescli.reconcile import pairs, propose
from salescli.reconcile.evidence import Whose
from salescli.reconcile.pairs import Movement, NamedLine, Pair, same_amount
from salescli.reconcile.propose import Due, Match, Proposals, Words
from salescli.reconcile.statement import PAYMENT, UNCOMPARED, Line
from salescli.rules import time

AGREES = "agrees"
NOT_COMPARED = "not compared"  # a payout, a fee of the payment system's own, money that was sent
ONLY_THERE = "only there"  # our database does not have this movement
TWICE_THERE = "twice there"
AMOUNT_DIFFERS = "amount differs"
UNKNOWN_OUTCOME = "outcome unknown"
WAITS = "waits"
PROPOSED = "proposed"  # no number names the payment that waits; its amount and the words do
DISPUTE_OPEN = "dispute open"  # its money may have been taken already; it is lost, or comes back
ONLY_HERE = "only here"
FEE_DIFFERS = "fee differs"
FEE_REPORTED = "fee reported"  # ours is unknown or estimated
FINDINGS = (
    ONLY_THERE,
    TWICE_THERE,
    AMOUNT_DIFFERS,
    UNKNOWN_OUTCOME,
    WAITS,
    PROPOSED,
    DISPUTE_OPEN,
    ONLY_HERE,
    FEE_DIFFERS,
    FEE_REPORTED,
    AGREES,
    NOT_COMPARED,
)
BEFORE_ALL = float("-inf")  # the moment of what has no date, where findings are sorted
_SUMMED_AS = {FEE_DIFFERS: AGREES, FEE_REPORTED: AGREES}  # their amounts agree


class Period(NamedTuple):
    """The compared local days, both included; None: open on that side."""

    first: date | None
    last: date | None

    def covers(self, day: date) -> bool:
        """Return whether a local day is in the period."""
        return (self.first is None or self.first <= day) and (self.last is None or day <= self.last)


class MatchFinding(NamedTuple):
    """The finding for a line, a movement or both. ``sure``: matched by more than the invoice's number.

    ``same_as``: the earlier line of the same movement; ``invoice``: the invoice named by a line without movement.
    ``reason``: why a line is taken for a movement that it does not name, or may be of ``candidates``, which wait.
    """

    finding: str
    line: Line | None = None
    movement: Movement | None = None
    sure: bool = True
    same_as: int | None = None
    invoice: int | None = None
    reason: str = ""
    candidates: tuple[int, ...] = ()


class Sums(NamedTuple):
    """Sums of one currency, there and here: finding → count and minor units; refunds are negative."""

    currency: str
    there: Mapping[str, tuple[int, int]]
    here: Mapping[str, tuple[int, int]]


class Comparison(NamedTuple):
    """The result of a comparison, worst first; ``left_out`` counts lines outside the period.

    ``period`` None: the statement has no dates, so movements missing from it cannot be found.
    """

    found: list[MatchFinding]
    sums: list[Sums]
    period: Period | None
    left_out: int

    @property
    def findings(self) -> list[MatchFinding]:
        """The findings that do not agree."""
        return [finding for finding in self.found if finding.finding not in (AGREES, NOT_COMPARED)]

    @property
    def uncompared(self) -> list[Line]:
        """The lines that are shown and not compared."""
        return [finding.line for finding in self.found if finding.finding == NOT_COMPARED and finding.line]


def compare(
    lines: Sequence[NamedLine],
    movements: Sequence[Movement],
    period: Period | None,
    zone: tzinfo,
    whose: Mapping[int, Whose] | None = None,
) -> Comparison:
    """Compare a statement with the movements of its payment system.

    ``movements``: those of the period, all movements of every invoice that a line names, and what waits. ``whose``: by
    what those may be named in words, by invoice.
    """
    paired = pairs.paired(lines, movements)
    found = [_judged(lines[at].line, movements[paired[at].place], paired[at]) for at in sorted(paired)]
    by_words = _by_words(lines, movements, paired, Words(whose or {}, zone))
    found += _worded(lines, movements, by_words)
    found += _unpaired(lines, movements, paired, by_words)
    claimed = {pair.place for pair in paired.values()} | {match.place for match in by_words.matched.values()}
    left = [movement for place, movement in enumerate(movements) if place not in claimed]
    found += [MatchFinding(ONLY_HERE, None, movement) for movement in left if movement.state == "moved"]
    days = _Days(period, zone)
    kept = [finding for finding in found if days.of(finding)]
    kept.sort(key=lambda finding: (FINDINGS.index(finding.finding), _moment(finding), _number(finding)))
    left_out = sum(1 for finding in found if finding.line and not days.has(finding.line))
    return Comparison(kept, list(_sums(kept, days)), period, left_out)


def _moment(finding: MatchFinding) -> float:
    dated = finding.line or finding.movement
    return BEFORE_ALL if dated is None or dated.at is None else dated.at


def _number(finding: MatchFinding) -> int:
    return finding.line.number if finding.line else 0


class _Days:
    """The lines, movements and findings of the compared days."""

    def __init__(self, period: Period | None, zone: tzinfo) -> None:
        self._period = period
        self._zone = zone

    def has(self, line: Line) -> bool:
        """Return whether a line counts; one without a date always does."""
        if self._period is None or line.at is None:
            return True
        return self._period.covers(time.local_day(time.from_stored(line.at), self._zone))

    def counts(self, movement: Movement) -> bool:
        """Return whether a movement counts."""
        return movement.day is not None and (self._period is None or self._period.covers(movement.day))

    def of(self, finding: MatchFinding) -> bool:
        """Return whether either side of a finding counts."""
        if finding.line is None:
            return self._period is not None and finding.movement is not None and self.counts(finding.movement)
        both = finding.finding != TWICE_THERE and finding.movement is not None and self.counts(finding.movement)
        return both or self.has(finding.line)


# Lines that name nothing


class _ByWords(NamedTuple):
    """Lines by their index: those that are movements which happened, and those of payments that may wait."""

    matched: Mapping[int, Match]
    proposals: Proposals


def _by_words(
    lines: Sequence[NamedLine], movements: Sequence[Movement], paired: Mapping[int, Pair], words: Words
) -> _ByWords:
    """Return what lines are, by their amounts and words, that name no invoice here."""
    taken = {pair.place for pair in paired.values()}
    free = {
        at: named.line
        for at, named in enumerate(lines)
        if at not in paired and not named.invoices and (named.line.text or named.line.payer)
    }
    dues = [
        (one.state, Due(place, one.invoice, one.kind, one.amount_minor, one.currency, one.at, one.gateway_id))
        for place, one in enumerate(movements)
        if place not in taken
    ]
    matched = propose.matched(free, [due for state, due in dues if state == "moved"], words)
    rest = {at: line for at, line in free.items() if at not in matched}
    return _ByWords(matched, propose.proposed(rest, [due for state, due in dues if state == "waits"], words))


def _worded(lines: Sequence[NamedLine], movements: Sequence[Movement], by_words: _ByWords) -> Iterator[MatchFinding]:
    """Yield a finding for each line that is taken for a movement by its words."""
    for at, (place, reason) in by_words.matched.items():
        line, movement = lines[at].line, movements[place]
        yield MatchFinding(_fee(line, movement), line, movement, reason=reason)
    for at, (place, reason) in by_words.proposals.matches.items():
        yield MatchFinding(PROPOSED, lines[at].line, movements[place], sure=False, reason=reason)


# Findings


def _judged(line: Line, movement: Movement, pair: Pair) -> MatchFinding:
    sure = pair.known_by != pairs.BY_INVOICE
    if pair.differs:
        return MatchFinding(AMOUNT_DIFFERS, line, movement, sure)
    if movement.state != "moved":
        return MatchFinding(_UNSETTLED[movement.state], line, movement, sure)
    return MatchFinding(_fee(line, movement), line, movement, sure)


_UNSETTLED = {"outcome unknown": UNKNOWN_OUTCOME, "waits": WAITS, "dispute open": DISPUTE_OPEN}


def _fee(line: Line, movement: Movement) -> str:
    """Return the finding for the fees of a matched line; refunds have no fee here."""
    if line.fee_minor is None or line.kind != PAYMENT:
        return AGREES
    if line.fee_currency is not None:
        if movement.foreign_fee_minor is None:
            return FEE_REPORTED
        here = (movement.foreign_fee_minor, movement.foreign_fee_currency)
        return AGREES if here == (line.fee_minor, line.fee_currency) else FEE_DIFFERS
    if (movement.fee_minor is None or movement.estimated) and line.fee_minor <= movement.amount_minor:
        return FEE_REPORTED
    return AGREES if line.fee_minor == movement.fee_minor and not movement.estimated else FEE_DIFFERS


def _unpaired(
    lines: Sequence[NamedLine], movements: Sequence[Movement], paired: Mapping[int, Pair], by_words: _ByWords
) -> Iterator[MatchFinding]:
    """Yield a finding for each line without a movement: a duplicate of another, unknown here, or not compared."""
    matched: defaultdict[tuple[str, int], list[Pair]] = defaultdict(list)
    for pair in paired.values():
        movement = movements[pair.place]
        matched[movement.kind, movement.invoice].append(pair)
    unmatched: dict[tuple[str | int | None, ...], int] = {}
    for at, named in enumerate(lines):
        if at in by_words.matched or at in by_words.proposals.matches:
            unmatched.setdefault(_duplicate_key(named.line), named.line.number)
            continue
        if at in paired:
            continue
        if named.line.kind in UNCOMPARED:
            yield MatchFinding(NOT_COMPARED, named.line)
            continue
        line, invoice = named.line, min(named.invoices, default=None)
        before = [pair for of in named.invoices for pair in matched[line.kind, of]]
        again = next((pair for pair in before if _duplicates(named, movements[pair.place])), None)
        if again is not None:
            first = lines[again.line].line.number
            yield MatchFinding(TWICE_THERE, line, movements[again.place], same_as=first, invoice=invoice)
        else:
            first = unmatched.setdefault(_duplicate_key(line), line.number)
            again_there = first != line.number
            finding = TWICE_THERE if again_there else ONLY_THERE
            sure = named.known and len(named.invoices) == 1
            places, reason = by_words.proposals.hints.get(at, ((), ""))
            candidates = tuple(sorted(movements[place].invoice for place in places))
            same_as = first if again_there else None
            yield MatchFinding(finding, line, None, sure, same_as, invoice, reason, candidates)


def _duplicate_key(line: Line) -> tuple[str | int | None, ...]:
    """Return the key that duplicate lines share; a payment can have several refunds."""
    return (*line.keys, line.amount_minor if line.kind != PAYMENT else None)


def _duplicates(named: NamedLine, movement: Movement) -> bool:
    """Return whether a line duplicates the line of a movement; an invoice has only one payment."""
    if named.line.kind == PAYMENT:
        return True
    return pairs.known_by(named, movement) in (pairs.BY_BOTH, pairs.BY_REFERENCE) or same_amount(named.line, movement)


def _sums(found: Iterable[MatchFinding], days: _Days) -> Iterator[Sums]:
    """Yield the sums of each currency: ``there`` adds up to the statement, ``here`` to our ledger."""
    there: defaultdict[str, Counter[tuple[str, str]]] = defaultdict(Counter)
    here: defaultdict[str, Counter[tuple[str, str]]] = defaultdict(Counter)
    for finding in found:
        line, movement = finding.line, finding.movement
        if finding.finding == NOT_COMPARED:
            continue
        name = _SUMMED_AS.get(finding.finding, finding.finding)
        if line is not None and days.has(line):
            there[line.currency].update(_counted(name, line))
        if movement is not None and name != TWICE_THERE and days.counts(movement):
            here[movement.currency].update(_counted(name, movement))
    for currency in sorted({*there, *here}):
        yield Sums(currency, _by_finding(there[currency]), _by_finding(here[currency]))


def _counted(name: str, moved: Line | Movement) -> dict[tuple[str, str], int]:
    minor = moved.amount_minor if moved.kind == PAYMENT else -moved.amount_minor
    return {(name, "number"): 1, (name, "minor"): minor}


def _by_finding(counted: Mapping[tuple[str, str], int]) -> dict[str, tuple[int, int]]:
    names = [name for name in FINDINGS if (name, "number") in counted]
    return {name: (counted[name, "number"], counted[name, "minor"]) for name in names}
