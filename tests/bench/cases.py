"""The cases of the sweep, generated from the commands themselves: every list and report, every option that narrows.

commands of the program -> of each: alone, each value, each sort, pairs of values, count, formats -> ``Case``s
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations, cycle
from pathlib import Path

import click

from salescli.cli.main import cli
from salescli.cli.pages import ListCommand
from tests.bench.values import MONTH, OUTPUT, YEAR, Drawn, Values

ELSEWHERE = {  # lists that the sweep does not run, and why
    "simulate": "`scripts/bench writes` measures it",
    "doctor": "`scripts/bench writes` measures it",
    "reconcile": "reads a file of somebody else",
    "config show": "opens no database",
}
SMALL = 20  # cases of a group, of which a sample leaves none out
_SPLITTING = ("--by", "--and")


@dataclass(frozen=True, slots=True)
class Case:
    """One command line of the sweep. ``group``: cases that have one goal."""

    group: str
    words: tuple[str, ...]

    def __str__(self) -> str:
        return " ".join(self.words)


def swept() -> Iterator[tuple[tuple[str, ...], ListCommand]]:
    """Yield every list, report and record page of the program, by the words that call it."""
    for words, command in _walk(cli, (), click.Context(cli)):
        if isinstance(command, ListCommand) and " ".join(words) not in ELSEWHERE:
            yield words, command


def _walk(
    command: click.Command, words: tuple[str, ...], ctx: click.Context
) -> Iterator[tuple[tuple[str, ...], click.Command]]:
    if not isinstance(command, click.Group):
        yield words, command
        return
    for name in command.list_commands(ctx):
        if found := command.get_command(ctx, name):
            yield from _walk(found, (*words, name), ctx)


def cases(path: Path) -> Iterator[Case]:
    """Yield the cases of a made file."""
    drawn = Drawn(path)
    for words, command in swept():
        needed = [param.name for param in command.params if isinstance(param, click.Argument) and param.required]
        given = [drawn.argument(str(name)) for name in needed]
        if all(given):
            yield from _cases((*words, *(word for one in given for word in one or ())), words, command, drawn)


def _cases(whole: tuple[str, ...], words: tuple[str, ...], command: ListCommand, drawn: Drawn) -> Iterator[Case]:
    """Yield the cases of one command: a record's page, a list or a report."""
    values = _values(words, command, drawn)
    if whole != words:
        yield Case("record pages", whole)
        return
    kind = "reports" if words[0] == "reports" else "lists"
    yield Case(_alone(words, kind), whole)
    for one in values.values():
        for given in one.values():
            yield Case(_group(kind, given), (*whole, *given))
    yield from _pairs(whole, kind, values)
    yield from _sorted(whole, kind, command, values)
    yield from (_reports if kind == "reports" else _lists)(whole, values)


def sample(wanted: Sequence[Case], most: int) -> list[Case]:
    """Return at most so many cases, or nearly: of each group evenly many, of small groups all; the same each time."""
    groups: dict[str, list[Case]] = {}
    for case in wanted:
        groups.setdefault(case.group, []).append(case)
    left, chosen = most, []
    for number, ones in enumerate(sorted(groups.values(), key=len)):
        room = max(SMALL, left // (len(groups) - number))
        taken = ones[:: -(-len(ones) // room)]
        left = max(0, left - len(taken))
        chosen += taken
    return chosen


def _values(words: tuple[str, ...], command: ListCommand, drawn: Drawn) -> dict[str, Values]:
    options = [param for param in command.params if isinstance(param, click.Option) and param.name not in OUTPUT]
    return {str(option.name): drawn.of(words, option, command.statuses) for option in options}


def _alone(words: Sequence[str], kind: str) -> str:
    return "todo" if words[0] == "todo" else f"{kind}, unfiltered"


def _group(kind: str, given: Sequence[str]) -> str:
    """Return the group of one option: a report by period or by another dimension has many rows, a year has its goal."""
    if kind == "reports" and given[0] in _SPLITTING:
        return "reports by period"
    return "reports of a year" if (kind, *given) == ("reports", "--on", YEAR) else kind


def _pairs(whole: tuple[str, ...], kind: str, values: dict[str, Values]) -> Iterator[Case]:
    """Yield two filters at a time: the most frequent values of both, and the least of one beside it."""
    narrowing = {name: list(found.values()) for name, found in values.items() if name not in ("after", "by", "also")}
    for one, other in combinations(narrowing.values(), 2):
        if not one or not other or _exclude(one[0], other[0]):
            continue
        yield Case(f"{kind}, two filters", (*whole, *one[0], *other[0]))
        if kind == "lists":
            yield Case(f"{kind}, two filters", (*whole, *one[min(1, len(one) - 1)], *other[0]))


def _exclude(one: Sequence[str], other: Sequence[str]) -> bool:
    """Return whether two options are two ways of saying one thing."""
    periods = {"--from", "--to", "--on", "--month", "--days"}
    return {one[0], other[0]} <= periods and {one[0], other[0]} != {"--from", "--to"}


def _sorted(whole: tuple[str, ...], kind: str, command: ListCommand, values: dict[str, Values]) -> Iterator[Case]:
    """Yield every sort, alone and beside a filter; the filters take turns, so that each meets several sorts."""
    filters = [given for name, one in values.items() if name not in ("by", "also") for given in one.values()]
    turns = cycle(filters or [()])
    for column in command.columns:
        if kind == "lists" and column.compute:
            continue
        for sort in (column.key, f"-{column.key}"):
            yield Case(f"{kind}, sorted", (*whole, "--sort", sort))
            if filters and kind == "lists":
                yield Case(f"{kind}, sorted", (*whole, *next(turns), "--sort", sort))


def _lists(whole: tuple[str, ...], values: dict[str, Values]) -> Iterator[Case]:
    yield Case("counts, unfiltered", (*whole, "--format", "count"))
    for name, one in values.items():
        for given in () if name == "after" else one.values():
            yield Case("counts, filtered", (*whole, *given, "--format", "count"))
    yield Case("lists, all columns", (*whole, "--columns", "all"))
    for word in ("table", "csv", "json"):
        yield Case("whole lists", (*whole, "--format", word, "--limit", "0"))


def _reports(whole: tuple[str, ...], values: dict[str, Values]) -> Iterator[Case]:
    periods = ((), ("--on", YEAR), ("--month", MONTH)) if "on" in values else ((),)
    for by in values.get("by", {}).values():
        for also in ((), *values.get("also", {}).values()):
            for period in periods[:1] if also else periods:
                yield Case("reports by period", (*whole, *by, *also, *period))
    for basis in values.get("basis", {}).values():
        for period in periods[1:]:
            yield Case("reports", (*whole, *basis, *period))
    for format in ("--html", "--xlsx"):
        for further in ((), *periods[1:], ("--by", "month")):
            yield Case("workbooks and pages", (*whole, *further, format, "-"))
