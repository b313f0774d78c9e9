"""A newer export of the same shop: only what is new is added, and what changed is told."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import pytest

from salescli.imports import orders
from salescli.imports.run import ImportCounts, ImportRequest
from tests import importing
from tests.conftest import House
from tests.importing import contents

FILES = Path(__file__).with_name("files")


@pytest.fixture(autouse=True)
def config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))


def load(house: House, text: str, **options: Any) -> ImportCounts:
    return orders.import_orders(house.work, ImportRequest(io.BytesIO(text.encode()), **options))


def test_a_newer_export_of_payments_adds_one_and_tells_the_refund_of_another(house: House) -> None:
    header, first, *rest = (FILES / "stripe-payments.csv").read_text(encoding="utf-8").splitlines()
    load(house, "\n".join([header, first, rest[0]]))
    refunded = first.replace(",49.00,0.00,eur,", ",49.00,49.00,eur,", 1)
    refunded = refunded.replace(",1.67,,,Paid,", ",1.67,2026-02-03 10:00:00,,Refunded,")
    newer = "\n".join([header, refunded, rest[0], rest[1]])

    said = importing.refused(house, orders.import_orders, newer.encode())
    assert any("here, 49.00 in the file; --update takes the file's" in words for words in said), said

    counts = load(house, newer, update=True)
    assert (counts.added, counts.updated, counts.unchanged) == (1, 1, 1)
    (told,) = counts.changed
    assert told.startswith("line 2, order 1: changed ")
    assert "status: completed → refund" in told
    assert "refunded: 0.00 → 49.00" in told
    before = contents(house)
    assert load(house, newer).unchanged == 3
    assert contents(house) == before


def test_of_many_changes_the_first_are_told(house: House) -> None:
    def file(price: str) -> str:
        rows = (f"{number},2026-01-05,open,Ann,Course,{price},EUR" for number in range(1, 31))
        return "\n".join(["order,created_at,status,customer,offer,price,currency", *rows])

    load(house, file("5.00"))
    changed = load(house, file("6.00"), update=True).changed
    assert len(changed) == 21
    assert changed[0] == "line 2, order 1: changed unit_price: 5.00 → 6.00, price: 5.00 → 6.00"
    assert changed[-1] == "more are changed; salescli history orders names them"


def test_what_is_personal_is_not_repeated(house: House) -> None:
    def file(customer: str, comment: str) -> str:
        header = "order,created_at,status,customer,offer,price,currency,comment"
        return f"{header}\n1,2026-01-05,open,{customer},Course,5.00,EUR,{comment}"

    load(house, file("Ann", ""))
    (told,) = load(house, file("Bo", "call her"), update=True).changed
    assert told.endswith(", comment, customer")
    assert "Bo" not in told
