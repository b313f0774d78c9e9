"""``scripts/bench scale``: how many payments a second are possible, and which limit binds first; a model, on paper.

named ``Inputs``, measured or assumed -> ``limits`` of a file or of a server and its hosts -> tables -> docs/scale.md

What it says is the most that is possible: each limit is taken alone, as if nothing else took any time.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from itertools import product
from pathlib import Path
from typing import Any

import salescli
from salescli.charging.gateway_calls import Limits
from salescli.charging.tick import BUDGET_SECONDS
from tests.bench.figures import short

PAGE = Path(salescli.__file__).with_name("docs") / "scale.md"
SIZES = (1_000_000, 10_000_000, 100_000_000)  # recurring orders
HOSTS = (1, 2, 4, 16)
TICK_SECONDS = 300  # from one tick to the next
CHANGES = (
    ("workers=128",),
    ("gateway_ms=50",),
    ("trip_ms=2",),
    ("server_held_ms=0.5",),
    ("server_held_ms=0.5", "client_held_ms=0.5"),
    ("shops=4",),
)  # what an owner or we could change
_PART = re.compile(r"(<!-- scripts/bench scale: [^\n]* -->\n).*?(<!-- end of it -->)", re.DOTALL)
_MEASURED, _ASSUMED, _OURS = "measured", "assumed", "ours"
_MS, _GB = 1e3, 1e9


def _input(value: float, unit: str, source: str, what: str) -> Any:
    return field(default=value, metadata={"unit": unit, "source": source, "what": what})


@dataclass(frozen=True, slots=True)
class Inputs:
    """What the model computes from. Raise ValueError for one that no machine can have."""

    payments_a_year: float = _input(12, "", _ASSUMED, "payments of a recurring order in a year")
    worst_share: float = _input(0.001, "", _ASSUMED, "of a month's payments, in its worst five minutes")
    gateway_ms: float = _input(200, "ms", _ASSUMED, "from a charge to its answer")
    workers: float = _input(Limits().workers, "", _OURS, "calls at a time of one tick: `--workers`, at most 128")
    budget_s: float = _input(BUDGET_SECONDS, "s", _OURS, "for which a tick takes on payments, of the 300 to the next")
    shops: float = _input(1, "", _OURS, "into which the orders are divided, each with its own lock and ticks")
    cpu_ms: float = _input(1.9, "ms", _MEASURED, "of one core for a payment; a tick uses one core")
    file_held_ms: float = _input(4.7, "ms", _MEASURED, "a payment holds the lock of a file, its syncs included")
    client_held_ms: float = _input(1.0, "ms", _MEASURED, "of it the tick computes with the server's lock held")
    server_held_ms: float = _input(2.4, "ms", _MEASURED, "of it PostgreSQL 18 works for the payment")
    trips_held: float = _input(0.6, "", _MEASURED, "trips of a payment with the lock held, in batches of 32")
    commits: float = _input(0.06, "", _MEASURED, "commits of a payment")
    trip_ms: float = _input(0.5, "ms", _ASSUMED, "to the server and back")
    commit_ms: float = _input(2.0, "ms", _ASSUMED, "until a commit is on two disks")
    reads: float = _input(7.3, "", _MEASURED, "pages that a payment reads and memory does not hold")
    reads_a_second: float = _input(10_000, "", _ASSUMED, "that the disk answers")
    file_bytes: float = _input(1_866, "B", _MEASURED, "of a payment in a file")
    server_bytes: float = _input(2_640, "B", _MEASURED, "of a payment in PostgreSQL")
    recurring_bytes: float = _input(560, "B", _MEASURED, "of a recurring order and its customer in a file")
    backup_us: float = _input(22, "µs", _MEASURED, "of an order in a backup of the file")
    upgrade_us: float = _input(66, "µs", _MEASURED, "of an order in an upgrade of the file")

    def __post_init__(self) -> None:
        for one in fields(self):
            value = getattr(self, one.name)
            if not (math.isfinite(value) and value >= 0):
                raise ValueError(f"{one.name} = {value}: it must be a number, and not below 0")


def changed(inputs: Inputs, settings: Sequence[str]) -> Inputs:
    """Return the inputs with some of them set by NAME=VALUE. Raise ValueError, which names them all."""
    names = {one.name for one in fields(inputs)}
    values = {}
    for setting in settings:
        name, _, value = setting.partition("=")
        if name not in names:
            raise ValueError(f"{name!r} is no input; there are {', '.join(sorted(names))}")
        values[name] = float(value)
    return replace(inputs, **values)


def held_ms(inputs: Inputs, *, server: bool) -> float:
    """Return for how long a payment holds the writer's lock, of which a shop has one."""
    if not server:
        return inputs.file_held_ms
    trips = inputs.trips_held * inputs.trip_ms
    return inputs.client_held_ms + inputs.server_held_ms + trips + inputs.commits * inputs.commit_ms


def limits(inputs: Inputs, hosts: int, *, server: bool) -> Mapping[str, float]:
    """Return the most payments a second by each limit; a file is charged by one host, however many there are."""
    ticks = inputs.shops * (hosts if server else 1)
    return {
        "gateway": _a_second(ticks * inputs.workers, inputs.gateway_ms / _MS),
        "processor": _a_second(ticks, inputs.cpu_ms / _MS),
        "lock": _a_second(inputs.shops, held_ms(inputs, server=server) / _MS),
        "disk": _a_second(inputs.reads_a_second, inputs.reads),
    }


def _a_second(units: float, each: float) -> float:
    return units / each if each else math.inf


def binding(inputs: Inputs, hosts: int, *, server: bool) -> tuple[str, float]:
    """Return the limit that binds first, and the payments a second that it leaves."""
    by_limit = limits(inputs, hosts, server=server)
    name = min(by_limit, key=lambda limit: by_limit[limit])
    return name, by_limit[name]


def hosts_enough(inputs: Inputs) -> int:
    """Return from how many hosts on another one adds nothing."""
    alone, together = limits(inputs, 1, server=True), ("lock", "disk")
    most = min(alone[name] for name in together)
    each = min(alone[name] for name in alone if name not in together)
    return max(1, math.ceil(most / each)) if each else 1


def seconds_for(inputs: Inputs, payments: float, rate: float) -> float:
    """Return how long it takes to charge so many payments: a tick ends in time for the next one."""
    if not (rate and inputs.budget_s):
        return math.inf if payments else 0.0
    ticks, rest = divmod(payments / rate, min(inputs.budget_s, TICK_SECONDS))
    return ticks * TICK_SECONDS + rest


def due_at_worst(inputs: Inputs, recurring: int) -> float:
    """Return how many payments fall due in the worst five minutes of a month."""
    return recurring * inputs.payments_a_year / 12 * inputs.worst_share


def due_in_a_day(inputs: Inputs, recurring: int) -> float:
    """Return how many payments a day has; with dates but no times of day, all of them fall due at midnight."""
    return recurring * inputs.payments_a_year / 365


def bytes_after(inputs: Inputs, recurring: int, years: float, *, server: bool) -> float:
    """Return the size of a database after some years; on a server all grows as payments do."""
    payment = inputs.server_bytes if server else inputs.file_bytes
    larger = inputs.server_bytes / inputs.file_bytes if server and inputs.file_bytes else 1
    return recurring * (inputs.recurring_bytes * larger + inputs.payments_a_year * years * payment)


def orders_after(inputs: Inputs, recurring: int, years: float) -> float:
    """Return how many orders there are after some years: each payment makes one."""
    return recurring * (1 + inputs.payments_a_year * years)


# The tables


def text(inputs: Inputs) -> str:
    """Return the tables that the page shows, as Markdown."""
    tables = (
        ("What it computes from:", _inputs(inputs)),
        ("The most payments a second by each limit, and the one that binds:", _by_host(inputs)),
        ("With a server, and another value of an input:", _changes(inputs)),
        ("How long the worst five minutes take to charge, and a day that is due at once:", _by_size(inputs)),
        ("Size, and what works through all of a file:", _sizes(inputs)),
    )
    return "\n\n".join(f"{heading}\n\n{chr(10).join(rows)}" for heading, rows in tables) + "\n"


def _inputs(inputs: Inputs) -> Iterator[str]:
    yield from _head("Input", "Value", "", "What", words=(0, 2, 3))
    for one in fields(inputs):
        value, told = getattr(inputs, one.name), one.metadata
        source = told["source"] if value == one.default else "given"
        yield _row(f"`{one.name}`", f"{value:,.10g} {told['unit']}".rstrip(), source, told["what"])


def _by_host(inputs: Inputs) -> Iterator[str]:
    yield from _head("Shop", "Hosts", "Gateway", "Processor", "Lock", "Disk", "Binds", words=(0, 6))
    for where, hosts, server in _places():
        rates = limits(inputs, hosts, server=server)
        name, _ = binding(inputs, hosts, server=server)
        yield _row(where, str(hosts), *map(_rate, rates.values()), name)


def _changes(inputs: Inputs) -> Iterator[str]:
    yield from _head("", "One host", "Four hosts", "Binds", "Hosts that count", words=(0, 3))
    for settings in ((), *CHANGES):
        other = changed(inputs, settings)
        (_, one), (name, four) = (binding(other, hosts, server=True) for hosts in (1, 4))
        told = " ".join(f"`{setting}`" for setting in settings) or "as above"
        yield _row(told, _rate(one), _rate(four), name, str(hosts_enough(other)))


def _by_size(inputs: Inputs) -> Iterator[str]:
    names = ("Recurring orders", "Shop", "Hosts", "Mean a second", "Possible", "Worst 5 min", "A day at once")
    yield from _head(*names, words=(1,))
    for recurring, (where, hosts, server) in product(SIZES, _places()):
        _, rate = binding(inputs, hosts, server=server)
        worst, day = (seconds_for(inputs, due(inputs, recurring), rate) for due in (due_at_worst, due_in_a_day))
        mean = due_in_a_day(inputs, recurring) / 86_400
        yield _row(short(recurring), where, str(hosts), _rate(mean), _rate(rate), _time(worst), _time(day))


def _sizes(inputs: Inputs) -> Iterator[str]:
    yield from _head("Recurring orders", "Orders after a year", "File", "Server", "Backup", "Upgrade")
    for recurring in SIZES:
        orders = orders_after(inputs, recurring, 1)
        sizes = (bytes_after(inputs, recurring, 1, server=server) / _GB for server in (False, True))
        times = (_time(orders * each / 1e6) for each in (inputs.backup_us, inputs.upgrade_us))
        yield _row(short(recurring), f"{orders / 1e6:,.0f} M", *(f"{size:,.0f} GB" for size in sizes), *times)


def _head(*names: str, words: Sequence[int] = ()) -> tuple[str, str]:
    """Return the head of a table whose columns are numbers, but for those at ``words``."""
    return _row(*names), _row(*("---" if place in words else "---:" for place in range(len(names))))


def _row(*cells: str) -> str:
    return f"| {' | '.join(cells)} |"


def _places() -> Iterator[tuple[str, int, bool]]:
    yield "file", 1, False
    yield from (("server", hosts, True) for hosts in HOSTS)


def _rate(value: float) -> str:
    return "any" if math.isinf(value) else _rounded(value)


def _time(seconds: float) -> str:
    if math.isinf(seconds):
        return "never"
    for size, name in ((86_400, "days"), (3_600, "h"), (60, "min")):
        if seconds >= 2 * size:
            return f"{_rounded(seconds / size)} {name}"
    return f"{_rounded(seconds)} s"


def _rounded(value: float) -> str:
    return f"{value:,.0f}" if value >= 10 else f"{value:.1f}"


def page(inputs: Inputs) -> str:
    """Return docs/scale.md with the tables of the model."""
    return _PART.sub(lambda found: f"{found[1]}\n{text(inputs)}\n{found[2]}", PAGE.read_text(encoding="utf-8"))


def write() -> None:
    """Write the tables into the page, from the inputs as they stand here."""
    PAGE.write_text(page(Inputs()), encoding="utf-8")
