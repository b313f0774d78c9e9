"""``scripts/bench``: how fast salescli is beside its peers, each metric with its limit; figures as lines and JSON.

a seeded file of --orders -> each bench, in turns with the peers that are installed -> lines, --json FILE -> the page
``scale`` measures nothing: it computes from what was measured.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.bench import (
    exporting,
    importing,
    lists,
    on_server,
    page,
    peers,
    refunding,
    reporting,
    scale,
    start,
    sweep,
    ticking,
    writing,
)
from tests.bench.figures import Figure, short

Bench = Callable[..., Iterator[Figure]]
BENCHES: dict[str, tuple[Bench, int]] = {  # and how often each is run: what is short is disturbed more
    "start": (start.run, 15),
    "lists": (lists.run, 15),
    "reports": (reporting.run, 15),
    "import": (importing.run, 3),
    "export": (exporting.run, 3),
    "refund": (refunding.run, 15),
    "writes": (writing.run, 1),
    "sweep": (sweep.run, 1),
    "tick": (ticking.run, 1),
    "postgres": (on_server.run, 5),
}
GROWTH = "10k,100k,1M,10M"
GROWN_CASES = 300  # of the sweep over the largest file
FILES_MOST = 1_000_000  # lines of the files whose growth is measured: ten times as many take an hour


def main() -> None:
    """Run what was asked for; the exit code is 1 when an answer differed from a peer's, never for a limit."""
    wanted = _parser().parse_args()
    if wanted.bench == "page":
        page.write([json.loads(file.read_text(encoding="utf-8")) for file in wanted.json], wanted.note)
        return
    if wanted.bench == "scale":
        _scale(wanted)
        return
    _say(f"not installed, and left out: {', '.join(peers.missing()) or 'none'}")
    with _kept(wanted.keep) as folder:
        figures = list(_figures(wanted, folder))
    for file in wanted.json:
        told = {**page.setting(wanted.orders), "figures": [figure.told() for figure in figures]}
        file.write_text(json.dumps(told, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    for figure in figures:
        if figure.verdict in ("not within", "WRONG"):
            _say(f"{figure.verdict}: {figure.bench}, {figure.metric} @ {short(figure.orders)}")
    sys.exit(any(figure.agree is False for figure in figures))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="scripts/bench", description=__doc__)
    parser.add_argument(
        "bench", choices=[*BENCHES, "growth", "all", "page", "scale"],
        help="page: from the JSON of `all`; scale: a model, see salescli/docs/scale.md",
    )  # fmt: skip
    parser.add_argument("--orders", type=number, default=number("100k"), metavar="N", help="100k, 1M … of the file")
    parser.add_argument("--sizes", type=_numbers, default=_numbers(GROWTH), help=f"of growth; {GROWTH}")
    parser.add_argument("--rounds", type=int, metavar="N", help="how often each is run, at most")
    parser.add_argument("--cases", type=number, metavar="N", help=f"of the sweep, at most; {sweep.SOME} of thousands")
    parser.add_argument(
        "--json", type=Path, metavar="FILE", action="append", default=[],
        help="write the figures here, too; page reads them, of several benches when it is repeated",
    )  # fmt: skip
    parser.add_argument("--note", default="", metavar="TEXT", help="of page: what is to be known about the run")
    parser.add_argument(
        "--set", metavar="NAME=VALUE", action="append", default=[], help="of scale: another value of an input"
    )
    parser.add_argument("--write", action="store_true", help="of scale: put the tables on its page")
    parser.add_argument("--keep", type=Path, metavar="DIR", help="keep what is made for the next time; else it goes")
    return parser


def _scale(wanted: argparse.Namespace) -> None:
    """Print the tables of the model, or put them on the page as they are without --set."""
    if wanted.write:
        scale.write()
        return
    try:
        sys.stdout.write(scale.text(scale.changed(scale.Inputs(), wanted.set)))
    except ValueError as error:
        sys.exit(f"--set: {error}")


def number(given: str) -> int:
    """Return 10k, 1M or 2000 as a number."""
    size = {"k": 1_000, "M": 1_000_000}.get(given[-1:], 1)
    return int(given.rstrip("kM")) * size


def _numbers(given: str) -> list[int]:
    return [number(one) for one in given.split(",")]


@contextmanager
def _kept(folder: Path | None) -> Iterator[Path]:
    """Yield the folder for all that is made: --keep, else one below the cache directory, else one that goes again."""
    cache = os.environ.get("XDG_CACHE_HOME")
    if folder or cache:
        kept = folder or Path(str(cache)) / "salescli-bench"
        kept.mkdir(parents=True, exist_ok=True)
        yield kept.resolve()
        return
    with tempfile.TemporaryDirectory(prefix="salescli-bench-") as made:
        yield Path(made).resolve()


def _figures(wanted: argparse.Namespace, folder: Path) -> Iterator[Figure]:
    for name, (bench, rounds) in BENCHES.items():
        if wanted.bench in (name, "all"):
            further = {"most": wanted.cases} if name == "sweep" and wanted.cases else {}
            yield from bench(folder, wanted.orders, wanted.rounds or rounds, **further)
    if wanted.bench in ("growth", "all"):
        for size in wanted.sizes:
            yield from _growth(folder, size, wanted.rounds or 5, largest=size == max(wanted.sizes))


def _growth(folder: Path, orders: int, rounds: int, *, largest: bool) -> Iterator[Figure]:
    """Measure the main metrics at a size, at the largest all reports, a sweep and a tick as well."""
    yield from start.run(folder, orders, rounds)
    yield from lists.run(folder, orders, rounds, brief=True)
    yield from reporting.run(folder, orders, rounds, brief=not largest)
    if largest:
        yield from sweep.run(folder, orders, rounds, most=GROWN_CASES)
        yield from ticking.small_steps(folder, orders)
    if orders <= FILES_MOST:
        yield from importing.run(folder, orders, 1)
        yield from exporting.run(folder, orders, 1)


def _say(message: str) -> None:
    sys.stderr.write(f"{message}\n")


if __name__ == "__main__":
    main()
