"""Three real sets of orders, converted, imported and reported: every total is the true one, to the cent.

The sets are not part of the project: SALESCLI_TRUE_DATA names their folder, by default ``../shared/data``.
"""

from __future__ import annotations

import csv
import io
import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from salescli.imports.order_row import COLUMNS
from tests import PROJECT
from tests.cli.test_page import Read, plain

DATA = Path(os.environ.get("SALESCLI_TRUE_DATA") or PROJECT.parent / "shared" / "data")

Row = dict[str, str]


@dataclass(frozen=True)
class Sales:
    """One set, in a file of its own."""

    truth: dict[str, Any]
    path: Path

    def run(self, *arguments: str) -> str:
        """Run a command on the file and return its data."""
        command = [sys.executable, "-m", "salescli", "--db", str(self.path), *arguments]
        done = subprocess.run(command, cwd=PROJECT, capture_output=True, encoding="utf-8")
        assert done.returncode == 0, done.stderr
        return done.stdout

    def report(self, name: str, *options: str) -> list[Row]:
        """Return the rows of a report."""
        return list(csv.DictReader(io.StringIO(self.run("reports", name, "--csv", *options))))


@pytest.fixture
def imported(tmp_path: Path) -> Callable[..., Sales]:
    def build(name: str, convert: Callable[[Row], Row]) -> Sales:
        folder = DATA / name
        if not (folder / "orders.csv").is_file():
            pytest.skip(f"the data set {name} is not here; SALESCLI_TRUE_DATA names the folder that has it")
        sales = Sales(json.loads((folder / "truth.json").read_text(encoding="utf-8")), tmp_path / f"{name}.db")
        sales.run("init", "--time-zone", "America/New_York", "--currency", "USD")
        converted = tmp_path / f"{name}.csv"
        with (folder / "orders.csv").open(encoding="utf-8", newline="") as stream:
            write(converted, map(convert, csv.DictReader(stream)))
        sales.run("import", "orders", str(converted))
        return sales

    return build


def write(path: Path, rows: Iterable[Row]) -> None:
    with path.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.DictWriter(stream, COLUMNS)
        writer.writeheader()
        writer.writerows(rows)


def common(row: Row) -> Row:
    same = ("created_at", "status", "customer_id", "quantity", "currency")
    return {"order": row["order_no"], "price": row["amount"], **{name: row[name] for name in same}}


def of_superstore(row: Row, category: str = "category") -> Row:
    return {**common(row), "customer": row["customer_name"], "offer": row["offer"], "category": row[category]}


def of_northwind(row: Row) -> Row:
    whole = Decimal(row["unit_price"]) * int(row["quantity"])
    return {
        **common(row),
        "customer": row["customer_name"],
        "offer": row["offer"],
        "offer_number": row["offer_id"],
        "category": row["category"],
        "unit_price": row["unit_price"],
        "discount": str(whole - Decimal(row["amount"])),
        "manager": row["manager"],
        "confirmed": "yes",
    }


def of_cdnow(row: Row) -> Row:
    return {**common(row), "customer": f"Customer {row['customer_id']}", "offer": "CDs"}


def check(sales: Sales, dimension: str, true: list[dict[str, Any]], key: str | None = None) -> None:
    """Compare a report with its true rows: orders, quantity and total of every value of the dimension."""
    found = {
        (row[dimension], row["currency"]): (int(row["orders"]), int(row["quantity"]), row["gross"], row["net"])
        for row in sales.report(f"by-{dimension}")
    }
    expected = {
        (row[key or dimension], row["currency"]): (
            row["completed_orders"],
            row["quantity"],
            row["completed_total"],
            row["completed_total"],
        )
        for row in true
    }
    assert found == expected


def check_currencies(sales: Sales) -> None:
    found = {row["currency"]: (int(row["payments"]), row["gross"]) for row in sales.report("by-currency")}
    true = sales.truth["by_currency"]
    assert found == {code: (row["completed_orders"], row["completed_total"]) for code, row in true.items()}
    assert len(sales.run("customers", "list", "-q", "--limit", "0").splitlines()) == sales.truth["customers"]


def test_superstore_by_currency_and_category(imported: Callable[..., Sales]) -> None:
    sales = imported("superstore", of_superstore)
    check_currencies(sales)
    check(sales, "category", sales.truth["by_category"])


def test_superstore_by_sub_category(imported: Callable[..., Sales]) -> None:
    sales = imported("superstore", lambda row: of_superstore(row, "sub_category"))
    check(sales, "category", sales.truth["by_sub_category"], "sub_category")


def test_northwind_by_currency_category_offer_and_manager(imported: Callable[..., Sales]) -> None:
    sales = imported("northwind", of_northwind)
    check_currencies(sales)
    for dimension in ("category", "offer", "manager"):
        check(sales, dimension, sales.truth[f"by_{dimension}"])


def test_cdnow_by_currency_and_month(imported: Callable[..., Sales]) -> None:
    sales = imported("cdnow", of_cdnow)
    check_currencies(sales)
    for month, (payments, total) in sales.truth["by_month"].items():
        (row,) = sales.report("by-currency", "--month", month)
        assert (month, int(row["payments"]), row["gross"]) == (month, payments, total)


def test_the_page_of_superstore_has_the_true_totals_and_the_rows_of_the_reports(
    imported: Callable[..., Sales],
) -> None:
    sales = imported("superstore", of_superstore)
    page = sales.path.with_suffix(".html")
    sales.run("reports", "--html", str(page))
    read = Read(page.read_text("utf-8"))
    for dimension in ("currency", "payment-system", "offer", "category", "manager"):
        shown, told = read.rows(f"By {dimension.replace('-', ' ')}"), sales.report(f"by-{dimension}")
        keys = [key for key in shown[0] if key] if shown else []
        assert [[row[key] for key in keys] for row in shown] == [[plain(row[key]) for key in keys] for row in told]
    true = sales.truth["by_currency"]["USD"]
    tiles = {words[0]: plain(words[1]) for above, words in read.tiles if above == "USD"}
    assert (tiles["net"], tiles["payments"]) == (true["completed_total"], str(true["completed_orders"]))
    found = {row["category"]: (int(row["orders"]), row["net"]) for row in read.rows("By category")}
    assert found == {
        row["category"]: (row["completed_orders"], row["completed_total"]) for row in sales.truth["by_category"]
    }
    [over_time] = [rows for _, (_, *rows) in [read.tables[0]]]
    assert sum(Decimal(plain(row[1])) for row in over_time) == Decimal(true["completed_total"])
    total = next(row for row in read.rows("How it adds up") if row["totals"] == "total, refunds excluded")
    assert total["USD"] == true["completed_total"]


def test_the_slice_that_the_project_ships_is_part_of_the_set(tmp_path: Path) -> None:
    shipped = PROJECT / "salescli" / "docs" / "data" / "superstore.csv"
    rows = list(lines(shipped))
    assert 300 < len(rows) < 500
    assert "MIT" in (shipped.parent / "LICENSE-superstore.txt").read_text(encoding="utf-8")
    sales = Sales({}, tmp_path / "slice.db")
    sales.run("init", "--time-zone", "America/New_York", "--currency", "USD")
    sales.run("import", "orders", str(shipped), "--source", "superstore")
    (total,) = sales.report("by-currency")
    assert Decimal(total["gross"]) == sum(Decimal(row["price"]) for row in rows)
    if not (DATA / "superstore" / "orders.csv").is_file():
        pytest.skip("the whole set is not here")
    whole = {row["order_no"]: row for row in lines(DATA / "superstore" / "orders.csv")}
    assert all(whole[row["order"]]["amount"] == row["price"] for row in rows)


def lines(path: Path) -> Iterator[Row]:
    with path.open(encoding="utf-8", newline="") as stream:
        yield from csv.DictReader(stream)
