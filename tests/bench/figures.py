"""Figures: what a bench found, as one line for a person and as JSON for the page."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from tests.bench.goals import GOALS
from tests.bench.measuring import Taken

OURS = "salescli"
_UNITS = (("s", 1.0, 1.0), ("ms", 1e-3, 1e3), ("µs", 0.0, 1e6))  # unit, from how many seconds on, how many in one


@dataclass(frozen=True, slots=True)
class Figure:
    """One metric: ours beside its peers, in seconds or in the ``unit``.

    ``limit``: the most that ours may be as a multiple of the peer ``against``, the best one unless it is named.
    ``most``: the most that ours may be in itself. ``by``: the clock of seconds, the wall's or the processor's; the
    same by the other clock is in ``cpu`` or ``wall``.
    """

    bench: str
    metric: str
    orders: int
    ours: float
    peers: Mapping[str, float] = field(default_factory=dict)
    limit: float | None = None
    against: str = ""
    unit: str = "s"
    agree: bool | None = None  # all gave the same answer; None: there is nothing to compare
    cpu: Mapping[str, float] = field(default_factory=dict)
    wall: Mapping[str, float] = field(default_factory=dict)
    note: str = ""
    most: float | None = None

    @property
    def peer(self) -> str:
        """The peer that it is held against: the one that the limit names, else the best."""
        if self.against:
            return self.against if self.against in self.peers else ""
        return min(self.peers, key=lambda name: self.peers[name], default="")

    @property
    def ratio(self) -> float | None:
        """Ours as a multiple of the peer's."""
        return self.ours / self.peers[self.peer] if self.peer and self.peers[self.peer] else None

    @property
    def verdict(self) -> str:
        """within, not within, or nothing where there is no limit; WRONG where the answers differ."""
        if self.agree is False:
            return "WRONG"
        if self.limit is None and self.most is None:
            return ""
        if self.ours == 0 or (self.limit is not None and self.ratio is None):
            return "not measured"
        above = self.limit is not None and self.ratio is not None and self.ratio > self.limit
        return "not within" if above or (self.most is not None and self.ours > self.most) else "within"

    def told(self) -> dict[str, Any]:
        """Return it for JSON, with what follows from it."""
        return {**asdict(self), "peer": self.peer, "ratio": self.ratio, "verdict": self.verdict, "bound": self.bound()}

    def line(self) -> str:
        """Return it as a line: metric, ours, best peer, ratio, limit, ok or over."""
        cells = [f"{self.bench}: {self.metric} @ {short(self.orders)}", f"ours {amount(self.ours, self.unit)}"]
        if self.peer:
            cells.append(f"{self.peer} {amount(self.peers[self.peer], self.unit)}")
        others = [f"{name} {amount(value, self.unit)}" for name, value in self.peers.items() if name != self.peer]
        cells += [f"ratio {self.ratio:.3g}"] if self.ratio is not None else []
        cells += [f"limit {self.bound()}"] if self.bound() else []
        others_of_it = (self._other("cpu", self.cpu), self._other("by the clock", self.wall))
        cells += [word for word in (self.verdict, *others_of_it, ", ".join(others), self.note) if word]
        return " | ".join(cells)

    def bound(self) -> str:
        """Return the limit as people read it: a multiple of the peer's, or an amount; empty where there is none."""
        multiple = [] if self.limit is None else [f"{self.limit:.3g} ×"]
        return ", ".join(multiple + ([] if self.most is None else [amount(self.most, self.unit)]))

    def _other(self, name: str, taken: Mapping[str, float]) -> str:
        """Return what ours took by the other clock, and its multiple of the best peer's."""
        if OURS not in taken:
            return ""
        best = min((value for peer, value in taken.items() if peer != OURS), default=0.0)
        return f"{name} {amount(taken[OURS])}{f' ({taken[OURS] / best:.3g} ×)' if best else ''}"


def timed(bench: str, metric: str, orders: int, taken: Mapping[str, Taken], **more: Any) -> Figure:
    """Return the figure of what was measured, ours under its own name.

    ``per``: rows by name, to divide by. ``by``: "cpu" holds the processor's seconds against each other, and names
    those by the clock beside them; peers in ``clocked`` are there by the clock alone.
    """
    per, by, clocked = more.pop("per", {}), more.pop("by", "wall"), more.pop("clocked", ())
    wall = {name: took.wall / per.get(name, 1) for name, took in taken.items()}
    cpu = {name: took.cpu / per.get(name, 1) for name, took in taken.items() if name not in clocked}
    held, other = (cpu, {"wall": wall}) if by == "cpu" else (wall, {"cpu": cpu})
    peers = {name: seconds for name, seconds in held.items() if name != OURS}
    return Figure(bench, metric, orders, held[OURS], peers, **other, **more)  # type: ignore[arg-type]


def held(figure: Figure) -> Figure:
    """Return a figure with its goal, where it has one."""
    goal = GOALS.get((figure.bench, figure.metric))
    if goal is None:
        return figure
    return replace(figure, limit=goal.limit, against=goal.against or figure.against, most=goal.most)


def tell(figure: Figure) -> Figure:
    """Write the figure's line at once, held against its goal, and return it."""
    figure = held(figure)
    sys.stdout.write(f"{figure.line()}\n")
    sys.stdout.flush()
    return figure


def amount(value: float, unit: str = "s") -> str:
    """Return seconds as people read them, or a number with its unit."""
    if unit != "s":
        return f"{value:.3g} {unit}".rstrip() if value < 100 else f"{value:.0f} {unit}".rstrip()
    name, _, times = next(scale for scale in _UNITS if abs(value) >= scale[1])
    return f"{value * times:.3g} {name}"


def short(number: int) -> str:
    """Return a number as 10 k or 1 M."""
    for size, name in ((1_000_000, "M"), (1_000, "k")):
        if number >= size:
            return f"{number / size:g} {name}"
    return str(number)
