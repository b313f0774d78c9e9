"""One action on several records (B11): all or none in one transaction, or each on its own with --keep-going.

numbers → on a terminal a preview and one question → find, act → the new state of each; refusals on stderr
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field
from typing import Any, Generic, Protocol, TypeVar

from salescli.cli import options
from salescli.cli.output.contract import TABLE_LIMIT, Output
from salescli.cli.output.table import say_left_out, write_table
from salescli.cli.output.terminal import print_line, say
from salescli.cli.prompts import ask_first, check_terminal, on_a_terminal
from salescli.cli.session import Session
from salescli.errors import BadData, NotFound, SalesError, WrongStatus
from salescli.lists.columns import Column
from salescli.storage import database, engine


class Numbered(Protocol):
    """A record with its number."""

    @property
    def id(self) -> int:
        """Its number."""


Record = TypeVar("Record", bound=Numbered)


@dataclass(frozen=True, slots=True)
class RecordType(Generic[Record]):
    """How records of one noun are named, found, previewed and described.

    ``row`` and ``describe`` take the record before and after.
    """

    noun: str
    find: Callable[[engine.Connection, str], Record]
    columns: tuple[Column, ...]
    row: Callable[[Session, Record, Record], Mapping[str, Any]]
    describe: Callable[[Session, Record, Record], str]


@dataclass(frozen=True, slots=True)
class Mode:
    """The options of a bulk action, and the question to confirm it.

    ``final``: what is done cannot be undone, so on a terminal even one record is asked about. ``must_ask``: even a
    script must confirm, by ``yes``, since the call leaves something open.
    """

    question: str
    dry_run: bool
    keep_going: bool
    yes: bool = False
    final: bool = False
    must_ask: bool = False


@dataclass(slots=True)
class Outcome(Generic[Record]):
    """The records before and after, and a line for each refused one."""

    done: list[tuple[Record, Record]] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)

    @property
    def exit_code(self) -> int:
        """0, or 5 when any was refused."""
        return WrongStatus.exit_code if self.refused else 0


def each(
    session: Session,
    record_type: RecordType[Record],
    words: Sequence[str],
    act: Callable[[Record], Record],
    mode: Mode,
    *,
    seen: Mapping[int, Record] | None = None,
) -> Outcome[Record]:
    """Apply ``act`` to the records that ``words`` name, and print the new state of each.

    On a terminal, several records, or one where it is final, are previewed and confirmed by one question. A script need
    not confirm, unless the mode says so. ``seen``: the records that a person saw; a changed one is refused.
    """
    if not words:
        say("nothing to do: no numbers on stdin")
        return Outcome()
    to_ask = mode.must_ask or ((len(words) > 1 or mode.final) and on_a_terminal())
    asks = to_ask and not mode.yes and seen is None
    would: Outcome[Record] = Outcome()
    if mode.dry_run or asks:
        if not mode.dry_run:
            check_terminal(mode.question)
        with options.taken_back(session):
            would = _tried(session, record_type, words, act, mode, seen=None)
        _show(session, record_type, would, mode)
        if mode.dry_run or not would.done:
            return would
        ask_first(mode.question, yes=False)
        seen = {before.id: before for before, _ in would.done}
    with database.transaction(session.connection):
        outcome = _tried(session, record_type, words, act, mode, seen=seen)
        lines = [record_type.describe(session, before, after) for before, after in outcome.done]
    for line in lines:
        print_line(line)
    _say_refused([line for line in outcome.refused if line not in would.refused])
    if outcome.refused:
        say(f"{len(outcome.refused)} refused, {len(outcome.done)} done")
    return outcome


def _tried(
    session: Session,
    record_type: RecordType[Record],
    words: Sequence[str],
    act: Callable[[Record], Record],
    mode: Mode,
    *,
    seen: Mapping[int, Record] | None,
) -> Outcome[Record]:
    """Act once on each record; a refused one changes nothing. The caller holds the transaction."""
    outcome: Outcome[Record] = Outcome()
    met: set[int] = set()
    for word in words:
        try:
            with database.savepoint(session.connection) if mode.keep_going else nullcontext():
                before = record_type.find(session.connection, word)
                if before.id in met:
                    continue
                met.add(before.id)
                if seen is not None and seen.get(before.id) != before:
                    raise WrongStatus(f"{record_type.noun} {word} changed in the meantime; look again")
                outcome.done.append((before, act(before)))
        except (BadData, NotFound, WrongStatus) as error:
            if not mode.keep_going:
                raise _of_all(error, len(words)) from None
            outcome.refused.append(
                f"{record_type.noun} {word}: {str(error).removeprefix(f'{record_type.noun} {word} ')}"
            )
    return outcome


def _of_all(error: SalesError, number: int) -> SalesError:
    if number == 1:
        return error
    return type(error)(f"{error}; none of the {number} was changed; --keep-going changes the others")


def _show(session: Session, record_type: RecordType[Record], would: Outcome[Record], mode: Mode) -> None:
    """Write what would be done: all rows on stdout for a dry run, else the first ones above the question."""
    shown = would.done if mode.dry_run else would.done[:TABLE_LIMIT]
    rows = [record_type.row(session, before, after) for before, after in shown]
    if rows:
        stream = sys.stdout if mode.dry_run else sys.stderr
        say_left_out(write_table(rows, record_type.columns, Output(), session.zone, stream), advice="")
    if len(shown) < len(would.done):
        say(f"… {len(would.done) - len(shown)} more of {len(would.done)}; --dry-run shows all")
    _say_refused(would.refused)
    if mode.dry_run:
        say("dry run: nothing was written")


def _say_refused(lines: Sequence[str]) -> None:
    for line in lines:
        say(line)


def changes(*pairs: tuple[str, str]) -> str:
    """Return the changes in words, such as ``Open → Completed``."""
    return ", ".join(f"{before} → {after}" for before, after in pairs if before != after) or "nothing"
