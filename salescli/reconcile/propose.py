"""Which payment a line is of that no number names: by amount, words and time, and only where one fits best; pure.

lines, movements → ``matched``: movements that happened;  the rest, what waits → ``proposed``: one invoice for one line
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from datetime import date, tzinfo
from typing import NamedTuple

from salescli.reconcile import evidence
from salescli.reconcile.evidence import ENOUGH, Evidence, Said, Whose
from salescli.reconcile.statement import PAYMENT, REFUND, SENT, Line
from salescli.rules import numbers, time

_SAME_MOMENT = 120  # seconds between two clocks' times of one payment
_DAYS_APART = 5  # of a movement that happened: banks book later than people do
_KINDS = {SENT: REFUND}  # what may be a refund


class Due(NamedTuple):
    """A movement here that a line may be of: what happened, or a payment that waits. ``place``: where it stands."""

    place: int
    invoice: int
    kind: str
    amount_minor: int
    currency: str
    at: int  # an instant as it is stored
    gateway_id: str | None = None


class Match(NamedTuple):
    """A line and the place of what it is taken for, and why."""

    place: int
    reason: str


class Proposals(NamedTuple):
    """Lines by their index: what each is proposed for, or several that it may be of, and why none is proposed."""

    matches: Mapping[int, Match]
    hints: Mapping[int, tuple[tuple[int, ...], str]]  # places, the reason


class Words:
    """What lines say, and by what invoices may be named."""

    def __init__(self, whose: Mapping[int, Whose], zone: tzinfo) -> None:
        self._whose = whose
        self.zone = zone
        self._said: dict[int, Said] = {}

    def said(self, line: Line) -> Said:
        """Return what a line says."""
        if line.number not in self._said:
            self._said[line.number] = evidence.said(line.text, line.payer)
        return self._said[line.number]

    def of(self, line: Line, due: Due) -> Evidence:
        """Return what in a line points at a movement; nothing if the line names another invoice that is known."""
        said = self.said(line)
        if not said.names(due.invoice, self._whose.get(due.invoice)) and self.named(line):
            return Evidence()
        return evidence.found(said, due.invoice, self._whose.get(due.invoice))

    def named(self, line: Line) -> list[int]:
        """Return the known invoices whose numbers a line names."""
        said = self.said(line)
        if not (said.invoices or said.orders or said.either):
            return []
        return sorted(invoice for invoice, whose in self._whose.items() if said.names(invoice, whose))


def matched(lines: Mapping[int, Line], happened: Sequence[Due], words: Words) -> dict[int, Match]:
    """Return the lines that are movements which happened here: of the same amount, by name or by their moment.

    ``lines``: by their index, those that say something and name nothing. The closest are matched first.
    """
    pairs = []
    for at, line in lines.items():
        for due in happened:
            if not _same(line, due) or _other_id(line, due) or _days(line, due, words.zone) > _DAYS_APART:
                continue
            found, apart = words.of(line, due), _apart(line, due)
            at_once = apart <= _SAME_MOMENT and not _is_day(line, words.zone)
            if found.strength >= ENOUGH or at_once:
                reasons = (*found.reasons, "the time") if at_once else found.reasons
                pairs.append((-found.strength, apart, at, due.place, evidence.together(("the amount", *reasons))))
    taken: dict[int, Match] = {}
    places: set[int] = set()
    for _, _, at, place, reason in sorted(pairs):
        if at not in taken and place not in places:
            taken[at] = Match(place, f"by {reason}")
            places.add(place)
    return taken


def proposed(lines: Mapping[int, Line], waiting: Sequence[Due], words: Words) -> Proposals:
    """Return which payment that waits a line is of, if one fits the line best and the line fits it best.

    Pairs are settled one after the other, the strongest first, and what is settled is no rival any more.
    """
    fits = {at: _fitting(line, waiting, words) for at, line in _once(lines)}
    matches: dict[int, Match] = {}
    while pair := _next(fits, matches):
        at, place = pair
        due = next(due for due in waiting if due.place == place)
        matches[at] = Match(place, _reason(lines[at], due, fits[at][place], words.zone))
    return Proposals(matches, dict(_hints(lines, waiting, fits, matches, words)))


def _once(lines: Mapping[int, Line]) -> Iterator[tuple[int, Line]]:
    """Yield the payments among lines that are known again once they are recorded, by their time or number.

    Of those with the same number there, which is one payment, the first.
    """
    seen: set[str] = set()
    for at, line in lines.items():
        known_again = line.at is not None or line.gateway_id is not None
        if line.kind == PAYMENT and known_again and line.gateway_id not in seen:
            seen.update(filter(None, (line.gateway_id,)))
            yield at, line


def _fitting(line: Line, waiting: Sequence[Due], words: Words) -> dict[int, Evidence]:
    """Return the payments of the same amount that a line points at, none of which was asked for after it."""
    may_be = [due for due in waiting if _same(line, due) and not _before(line, due, words.zone)]
    found = {due.place: words.of(line, due) for due in may_be}
    return {place: one for place, one in found.items() if one.strength >= ENOUGH}


def _next(fits: Mapping[int, Mapping[int, Evidence]], matches: Mapping[int, Match]) -> tuple[int, int] | None:
    """Return the strongest pair of which each is the other's only best one."""
    taken = {match.place for match in matches.values()}
    pairs = [
        (found.strength, at, place)
        for at, places in fits.items()
        for place, found in places.items()
        if at not in matches and place not in taken
    ]
    best_of_line: defaultdict[int, int] = defaultdict(int)
    best_of_place: defaultdict[int, int] = defaultdict(int)
    equal: Counter[tuple[str, int, int]] = Counter()
    for strength, at, place in pairs:
        best_of_line[at] = max(best_of_line[at], strength)
        best_of_place[place] = max(best_of_place[place], strength)
        equal["line", at, strength] += 1
        equal["place", place, strength] += 1
    for strength, at, place in sorted(pairs, reverse=True):
        best = strength == best_of_line[at] == best_of_place[place]
        if best and equal["line", at, strength] == 1 and equal["place", place, strength] == 1:
            return at, place
    return None


def _hints(
    lines: Mapping[int, Line],
    waiting: Sequence[Due],
    fits: Mapping[int, Mapping[int, Evidence]],
    matches: Mapping[int, Match],
    words: Words,
) -> Iterator[tuple[int, tuple[tuple[int, ...], str]]]:
    """Yield, for lines for which nothing is proposed, what they may be of."""
    taken = {match.place for match in matches.values()}
    for at, line in lines.items():
        if line.kind != PAYMENT or at in matches:
            continue
        left = {place: found for place, found in fits.get(at, {}).items() if place not in taken}
        named = [due for due in waiting if due.invoice in words.named(line) and due.place not in taken]
        if left:
            best = max(found.strength for found in left.values())
            places = tuple(place for place, found in left.items() if found.strength == best)
            why = evidence.together(("the amount", *left[places[0]].reasons))
            yield at, (places, f"by {why}, equally" if len(places) > 1 else f"by {why}; so may be another line")
        elif named:
            yield at, (tuple(due.place for due in named), "which it names; the amount or the day does not fit")
        elif places := tuple(due.place for due in waiting if _same(line, due) and due.place not in taken):
            yield at, (places, "by the amount alone")


def _same(line: Line, due: Due) -> bool:
    kind = _KINDS.get(line.kind, line.kind)
    return (kind, line.amount_minor, line.currency) == (due.kind, due.amount_minor, due.currency)


def _other_id(line: Line, due: Due) -> bool:
    """Return whether both have numbers that can be compared: ch_1 is none of the kind of pi_1."""
    ours = due.gateway_id
    return ours is not None and any(id.partition("_")[0] == ours.partition("_")[0] or "_" not in id for id in line.ids)


def _apart(line: Line, due: Due) -> float:
    return float("inf") if line.at is None else abs(line.at - due.at)


def _day(at: int, zone: tzinfo) -> date:
    return time.local_day(time.from_stored(at), zone)


def _is_day(line: Line, zone: tzinfo) -> bool:
    """Return whether a line has only a day: it begins at that moment."""
    return line.at is not None and time.from_stored(line.at).astimezone(zone).strftime("%H%M%S") == "000000"


def _days(line: Line, due: Due, zone: tzinfo) -> float:
    """Return how many days are between a line and a movement."""
    return 0 if line.at is None else abs(_after(line.at, due, zone))


def _after(at: int, due: Due, zone: tzinfo) -> int:
    """Return how many days a time is after a movement."""
    return (_day(at, zone) - _day(due.at, zone)).days


def _before(line: Line, due: Due, zone: tzinfo) -> bool:
    """Return whether a line is of an earlier day than that on which a payment was asked for."""
    return line.at is not None and _day(line.at, zone) < _day(due.at, zone)


def _reason(line: Line, due: Due, found: Evidence, zone: tzinfo) -> str:
    after = ""
    if line.at is not None:
        days = _after(line.at, due, zone)
        after = f", {numbers.count(days, 'day')} after it was asked for" if days else ", on the day it was asked for"
    return f"by {evidence.together(('the amount', *found.reasons))}{after}"
