"""The page ``salescli help performance``, written from the JSON of a run and never by hand."""

from __future__ import annotations

import os
import platform
import sqlite3
import textwrap
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime, timezone
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import salescli
from tests.bench.figures import amount, short
from tests.bench.goals import FREE, GOALS, ON_SERVER, REPORT, Goal

PAGE = Path(salescli.__file__).with_name("docs") / "performance.md"
WIDTH = 80  # of every page
_PACKAGES = ("duckdb", "pandas", "sqlite-utils", "beanquery")
_GROWING = (
    ("start", "list of 50, against sqlite-utils"),
    ("start", "list of 50, peak memory"),
    ("lists", "orders, all time"),
    ("lists", "orders, one month, as a command"),
    ("lists", "orders, peak memory"),
    ("reports", "by-offer, all time"),
    ("reports", "by-offer, one month"),
    ("reports", "by-offer, manager"),
    ("reports", "details, all time"),
    ("reports", "details, one month"),
    ("tick", "page reads, nothing due"),
    ("tick", "fsyncs, nothing due"),
    ("tick", "nothing due"),
    ("tick", "many due, of each"),
    ("tick", "peak memory, many due"),
    ("import", "orders from CSV, per line of the file"),
    ("import", "peak memory"),
    ("export", "all orders as CSV, per order"),
    ("export", "peak memory"),
)
_MEMORY = (": the most memory", ": peak memory")
_OF_TOTALS = ("all time", "one month")  # questions that reports answer from totals
Told = Mapping[str, Any]  # a figure as JSON holds it


def setting(orders: int) -> dict[str, Any]:
    """Return when, on what and with which versions a run is made."""
    return {
        "orders": orders,
        "date": datetime.now(timezone.utc).date().isoformat(),
        "machine": f"{_processor()}, {os.cpu_count()} processors, {_memory()}, {platform.system()}",
        "versions": {
            "Python": platform.python_version(), "SQLite": sqlite3.sqlite_version,
            **{name: found for name in _PACKAGES if (found := _version(name))},
        },
    }  # fmt: skip


def _processor() -> str:
    for line in _lines("/proc/cpuinfo"):
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.machine()


def _memory() -> str:
    kib = next((int(line.split()[1]) for line in _lines("/proc/meminfo") if line.startswith("MemTotal")), 0)
    return f"{kib / 2**20:.0f} GiB"


def _lines(path: str) -> list[str]:
    try:
        return Path(path).read_text(encoding="utf-8").splitlines()
    except OSError:
        return []


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def write(runs: Sequence[Told], note: str = "") -> None:
    """Write the page of a run, or of the parts of one: what is measured twice is the last one's."""
    latest = {
        (figure["bench"], figure["metric"], figure["orders"]): figure for run in runs for figure in run["figures"]
    }
    PAGE.write_text(text({**runs[0], "note": note, "figures": list(latest.values())}), encoding="utf-8")


def text(run: Told) -> str:
    """Return the page of a run."""
    figures: Sequence[Told] = run["figures"]
    versions = ", ".join(f"{name} {number}" for name, number in run["versions"].items())
    measured: dict[tuple[str, str, int], Told] = {}
    for figure in filter(_is_shown(run), figures):
        measured.setdefault((figure["bench"], figure["metric"], figure["orders"]), figure)  # growth measures some again
    return "\n".join((
        "# How fast it is",
        "",
        _paragraph(
            f"Measured on {run['date']}: {run['machine']}; {versions}.",
            *([run["note"]] if run.get("note") else []),
            f"The database has {short(run['orders'])} orders, generated from a seed: offers by Zipf's law, several",
            "currencies, partial payments, declines, refunds, recurring orders. salescli (ours) and its peers ran in",
            "turns; figures are medians. Each answer was compared with the peers' answers first. A limit is a multiple",
            "of the named peer's figure (×), or an amount that holds at 1 M orders. Seconds of start, reports,",
            "imports, the sweep and writes are the processor's, and DuckDB's there are those of one thread.",
        ),
        "",
        "| metric | ours | peer | ratio | limit | | rerun |",
        "|---|---:|---:|---:|---:|---|---|",
        *(_row(figure, worst, run["orders"]) for figure, worst in _condensed(list(measured.values()))),
        "",
        _paragraph(
            "For reports and lists, a row shows the breakdown or filter with the worst ratio to the peer;",
            "`scripts/bench reports` prints all of them. Details means all breakdowns with their total and tie-out.",
        ),
        "",
        *_reasons(list(measured.values())),
        *_growth(figures),
        f"To measure again: `scripts/bench all --orders {run['orders']} --json bench.json`, then",
        "`scripts/bench page --json bench.json` writes this page.",
        "",
    ))  # fmt: skip


def _paragraph(*parts: str) -> str:
    """Return text wrapped to the width of a page."""
    return textwrap.fill(" ".join(parts), WIDTH, break_on_hyphens=False)


def _is_shown(run: Told) -> Callable[[Told], bool]:
    """Return what tells whether a figure stands in the table.

    It is of the run's size, of its largest file, or of none, or of a bench that was not run at that size.
    """
    largest = max(figure["orders"] for figure in run["figures"] if not _is_of_payments(figure))
    of_size = {figure["bench"] for figure in run["figures"] if figure["orders"] == run["orders"]}

    def is_shown(figure: Told) -> bool:
        bench, metric, orders = figure["bench"], figure["metric"], figure["orders"]
        if metric.endswith(_MEMORY) and not metric.startswith("any command"):
            return False  # of each command there is one: the page names the one that takes most
        of_reports = bench == "reports" and (orders == largest or metric.endswith("as a command"))
        return _is_of_payments(figure) or of_reports or orders == run["orders"] or bench not in of_size

    return is_shown


def _is_of_payments(figure: Told) -> bool:
    """Return whether a figure is of as many payments as its case takes, whatever the file holds."""
    metric = str(figure["metric"])
    return metric.startswith("one payment") or metric == "bytes of a payment"


def _condensed(figures: Sequence[Told]) -> Iterator[tuple[Told, str]]:
    """Yield the figures of the table, of reports and lists the worst of a kind with what it is the worst of."""
    kinds: dict[tuple[str, str, int], list[Told]] = {}
    for figure in figures:
        kinds.setdefault((*_kind(figure), figure["orders"]), []).append(figure)
    for (_, name, _), group in kinds.items():
        yield max(group, key=lambda figure: figure["ratio"] or 0), name


def _kind(figure: Told) -> tuple[str, str]:
    bench, metric = figure["bench"], figure["metric"]
    first, _, rest = metric.partition(", ")
    if bench == "reports" and rest:
        return bench, metric if first == "details" else rest if rest in _OF_TOTALS else "any other filter"
    if bench == "lists" and figure["unit"] == "s" and "command" not in metric:
        return bench, f"{first}, first page under any filter"
    return bench, metric


def _row(figure: Told, name: str, orders: int) -> str:
    size = figure["orders"]
    another_size = size != orders and not _is_of_payments(figure)
    metric = f"{figure['bench']}: {name}{f' @ {short(size)}' if another_size else ''}"
    if figure["bench"] == "sweep" and figure["note"]:
        metric += f" (`{figure['note'].partition(',')[0]}`)"
    elif name != figure["metric"]:
        metric += f" ({figure['metric']})"
    unit, peer, limit, ratio = figure["unit"], figure["peer"], figure["limit"], figure["ratio"]
    cells = (
        metric,
        amount(figure["ours"], unit) if figure["ours"] else "",
        f"{peer} {amount(figure['peers'][peer], unit)}" if peer else "",
        "" if ratio is None else f"{ratio:.2g}",
        figure.get("bound") or ("" if limit is None else f"{limit:.2g} ×"),
        figure["verdict"] or ("" if figure["bench"] == "sweep" else figure["note"]),
        f"`scripts/bench {figure['bench']} --orders {orders if _is_of_payments(figure) else size}`",
    )
    return f"| {' | '.join(cells)} |"


def _reasons(figures: Sequence[Told]) -> Iterator[str]:
    """Yield the section of the goals that are not met and have a reason."""
    whose: dict[str, list[str]] = {}
    for figure in figures:
        if figure["verdict"] == "not within" and (why := _goal(figure).why):
            names = whose.setdefault(why, [])
            names += [name for name in [f"{figure['bench']}: {_kind(figure)[1]}"] if name not in names]
    said = [_paragraph(f"**{'; '.join(names)}.** {why}") for why, names in whose.items()]
    if said:
        yield "## Why not"
        yield ""
        for paragraph in said:
            yield paragraph
            yield ""


def _goal(figure: Told) -> Goal:
    """Return the goal of a figure: its own row, or that of its kind of question."""
    of_kind = (goal for goal in _OF_KIND.get(figure["bench"], ()) if figure["limit"] == goal.limit)
    return GOALS.get((figure["bench"], figure["metric"])) or next(of_kind, Goal())


_OF_KIND = {"reports": (REPORT, FREE), "postgres": (ON_SERVER,)}


def _growth(figures: Sequence[Told]) -> Iterator[str]:
    """Yield the section of the main metrics at each size, if a run has several."""
    sizes = sorted({figure["orders"] for figure in figures if figure["bench"] == "start"})
    if len(sizes) < 2:
        return
    yield "## How it grows"
    yield ""
    yield f"| ours (the peer) | {' | '.join(short(size) for size in sizes)} |"
    yield f"|---{'|---:' * len(sizes)}|"
    for bench, metric in _GROWING:
        cells = [_cell(figures, bench, metric, size) for size in sizes]
        yield f"| {bench}: {metric} | {' | '.join(cells)} |"
    yield ""


def _cell(figures: Sequence[Told], bench: str, metric: str, size: int) -> str:
    for figure in figures:
        if (figure["bench"], figure["metric"], figure["orders"]) == (bench, metric, size):
            peer, unit = figure["peer"], figure["unit"]
            theirs = f" ({amount(figure['peers'][peer], unit)})" if peer and unit == "s" else ""
            return f"{amount(figure['ours'], unit)}{theirs}"
    return ""
