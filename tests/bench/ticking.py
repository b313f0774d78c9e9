"""The rate of ``tick``, as a figure among the others: what one payment takes, beside latency ÷ workers."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from tests.bench import tick
from tests.bench.figures import Figure, tell


def run(folder: Path, orders: int, rounds: int) -> Iterator[Figure]:
    """Measure each case of ``scripts/bench tick``; it has a file of its own."""
    for latency, workers, payments in tick.CASES:
        rate = tick.measured(latency, workers, payments)["rate"]
        least = {"latency ÷ workers": latency / workers} if latency else {}
        metric = f"one payment, {round(latency * 1000)} ms gateway, {workers} workers"
        yield tell(Figure("tick", metric, payments, 1 / rate, least, note=f"{rate:.0f} payments/s"))
