"""Figures: what a bench found, as one line for a person and as JSON for the page."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from tests.bench.measuring import Taken

OURS = "salescli"
FLAT = 1.1  # "the same" memory for ten times the rows
FLAT_FROM = 1_000_000  # rows; of fewer the caches, which have an end, are still filling
_UNITS = (("s", 1.0, 1.0), ("ms", 1e-3, 1e3), ("µs", 0.0, 1e6))  # unit, from how many seconds on, how many in one


@dataclass(frozen=True, slots=True)
class Figure:
    """One metric: ours beside its peers, in seconds or in the ``unit``.

    ``limit``: the most that ours may be as a multiple of the peer ``against``, the best one unless it is named.
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
    note: str = ""

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
        """ok, over, or nothing where there is no limit; WRONG where the answers differ."""
        if self.agree is False:
            return "WRONG"
        if self.limit is None:
            return ""
        return "not measured" if self.ratio is None else "ok" if self.ratio <= self.limit else "over"

    def told(self) -> dict[str, Any]:
        """Return it for JSON, with what follows from it."""
        return {**asdict(self), "peer": self.peer, "ratio": self.ratio, "verdict": self.verdict}

    def line(self) -> str:
        """Return it as a line: metric, ours, best peer, ratio, limit, ok or over."""
        cells = [f"{self.bench}: {self.metric} @ {short(self.orders)}", f"ours {amount(self.ours, self.unit)}"]
        if self.peer:
            cells.append(f"{self.peer} {amount(self.peers[self.peer], self.unit)}")
        others = [f"{name} {amount(value, self.unit)}" for name, value in self.peers.items() if name != self.peer]
        cells += [f"ratio {self.ratio:.3g}"] if self.ratio is not None else []
        cells += [f"limit {self.limit:.3g}"] if self.limit is not None else []
        cells += [word for word in (self.verdict, self._cpu(), ", ".join(others), self.note) if word]
        return " | ".join(cells)

    def _cpu(self) -> str:
        if OURS not in self.cpu:
            return ""
        ratio = f" ({self.cpu[OURS] / self.cpu[self.peer]:.3g}×)" if self.cpu.get(self.peer) else ""
        return f"cpu {amount(self.cpu[OURS])}{ratio}"


def timed(bench: str, metric: str, orders: int, taken: Mapping[str, Taken], **more: Any) -> Figure:
    """Return the figure of what was measured, ours under its own name; ``per``: rows by name, to divide by."""
    per = more.pop("per", {})
    wall = {name: took.wall / per.get(name, 1) for name, took in taken.items()}
    cpu = {name: took.cpu / per.get(name, 1) for name, took in taken.items()}
    ours = wall.pop(OURS)
    return Figure(bench, metric, orders, ours, wall, cpu=cpu, **more)


def tell(figure: Figure) -> Figure:
    """Write the figure's line at once, and return it."""
    sys.stdout.write(f"{figure.line()}\n")
    sys.stdout.flush()
    return figure


def amount(value: float, unit: str = "s") -> str:
    """Return seconds as people read them, or a number with its unit."""
    if unit != "s":
        return f"{value:.1f} {unit}"
    name, _, times = next(scale for scale in _UNITS if value >= scale[1])
    return f"{value * times:.3g} {name}"


def short(number: int) -> str:
    """Return a number as 10 k or 1 M."""
    for size, name in ((1_000_000, "M"), (1_000, "k")):
        if number >= size:
            return f"{number / size:g} {name}"
    return str(number)
