"""``scripts/bench`` from end to end on a small file: it runs, and all answer alike; no timing is judged."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests import PROJECT
from tests.bench import exporting, page
from tests.bench.figures import Figure, amount, short

METRICS = {
    "start": {"list of 50, against sqlite-utils", "help", "completion", "a deep page, by keyset"},
    "lists": {"orders, all time", "payments, one month", "recurring, search", "orders, one month, as a command"},
    "reports": {
        "by-offer, all time",
        "by-manager, one month",
        "by-currency, search",
        "by-payment-system, currency",
        "by-offer, amount",
        "by-currency, manager, one month",
    },
    "import": {"orders from CSV, per row written", "peak memory"},
    "export": {"all orders as CSV, per order", "peak memory"},
    "refund": {"one refund", "one refund, as a command"},
}


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("kept")


@pytest.mark.parametrize("bench", METRICS)
def test_each_bench_runs_and_all_answers_agree(bench: str, kept: Path, tmp_path: Path) -> None:
    told = _run(bench, kept, tmp_path)
    figures = {figure["metric"]: figure for figure in told["figures"]}
    assert figures.keys() >= METRICS[bench]
    assert [metric for metric, figure in figures.items() if figure["agree"] is False] == []
    assert any(figure["agree"] for figure in figures.values()) or bench == "lists"  # whose only judge is DuckDB
    assert all(figure["ours"] > 0 for figure in figures.values() if figure["verdict"] != "not measured")
    left = [file.name for file in kept.iterdir()]
    assert not [name for name in left if name.startswith(("into-", "from-")) or "draft" in name]


def _run(bench: str, kept: Path, tmp_path: Path) -> Any:
    target = tmp_path / "figures.json"
    words = [bench, "--orders", "2k", "--rounds", "1", "--keep", str(kept), "--json", str(target)]
    done = subprocess.run([sys.executable, "-m", "tests.bench", *words], cwd=PROJECT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert all(line.startswith(f"{bench}: ") for line in done.stdout.splitlines())
    return json.loads(target.read_text(encoding="utf-8"))


@pytest.mark.parametrize(
    ("figure", "verdict"),
    [
        (Figure("b", "m", 1, 2.0, {"a": 1.0}, limit=2), "ok"),
        (Figure("b", "m", 1, 2.1, {"a": 1.0}, limit=2), "over"),
        (Figure("b", "m", 1, 2.1, {"a": 1.0, "best": 0.5}, limit=3), "over"),
        (Figure("b", "m", 1, 2.1, {"a": 1.0, "best": 0.5}, limit=3, against="a"), "ok"),
        (Figure("b", "m", 1, 2.1, {"a": 1.0}), ""),
        (Figure("b", "m", 1, 2.1, {}, limit=3), "not measured"),
        (Figure("b", "m", 1, 2.1, {"a": 1.0}, limit=3, against="not here"), "not measured"),
        (Figure("b", "m", 1, 1.0, {"a": 1.0}, limit=2, agree=False), "WRONG"),
    ],
    ids=["within", "beyond", "the best peer", "the peer that the limit names", "no limit", "no peer", "not that peer",
         "a wrong answer is no good figure"],
)  # fmt: skip
def test_a_figure_is_held_against_its_limit(figure: Figure, verdict: str) -> None:
    assert figure.verdict == verdict


def test_an_export_that_differs_in_one_cell_is_noticed(tmp_path: Path) -> None:
    header = "order,customer,status,currency,quantity\n"
    rows = {"a": "1,Олена,open,EUR,1\n", "b": "1,Олена,open,EUR,1\n", "c": "1,Олена,open,EUR,2\n"}
    files = {name: tmp_path / name for name in rows}
    for name, file in files.items():
        file.write_text(header + rows[name], encoding="utf-8")
    assert exporting._same_orders([files["a"], files["b"]])
    assert not exporting._same_orders([files["a"], files["c"]])


def test_amounts_read_as_people_say_them() -> None:
    assert [amount(0.0000012), amount(0.0034), amount(12.3), amount(31.25, "MiB")] == [
        "1.2 µs", "3.4 ms", "12.3 s", "31.2 MiB"
    ]  # fmt: skip
    assert [short(10_000), short(2_500_000), short(7)] == ["10 k", "2.5 M", "7"]


def test_the_page_shows_the_worst_of_a_kind_and_the_growth() -> None:
    figures = [
        Figure("reports", "by-offer, all time", 1000, 0.002, {"duckdb": 0.1}, limit=0.2, agree=True),
        Figure("reports", "by-manager, all time", 1000, 0.03, {"duckdb": 0.1}, limit=0.2, agree=True),
        Figure("reports", "by-offer, all time", 10, 0.001, {"duckdb": 0.05}, limit=0.2, agree=True),
        Figure("start", "list of 50, against sqlite-utils", 10, 0.05, {"sqlite-utils": 0.2}),
        Figure("start", "list of 50, against sqlite-utils", 1000, 0.06, {"sqlite-utils": 0.2}),
        Figure("reports", "by-offer, all time", 20_000, 0.004, {"duckdb": 0.5}, limit=0.2, agree=True),
    ]
    told = page.text({**page.setting(1000), "figures": [figure.told() for figure in figures]})
    assert "| reports: all time (by-manager, all time) | 30 ms | duckdb 100 ms | 0.3 | 0.2 | over |" in told
    assert "| reports: all time @ 20 k (by-offer, all time) | 4 ms | duckdb 500 ms | 0.008 | 0.2 | ok |" in told
    assert "| reports: by-offer, all time | 1 ms (50 ms) | 2 ms (100 ms) |" in told
