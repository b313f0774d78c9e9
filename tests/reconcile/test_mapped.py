"""Statements as their systems write them: recognised by the header, all rows read, their kinds and signs right."""

from __future__ import annotations

import io
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from salescli.errors import BadData, NotFound
from salescli.imports import find_mapping, orders
from salescli.imports.reading.options import ReadingOptions
from salescli.imports.run import ImportRequest
from salescli.reconcile import statement
from salescli.reconcile.statement import Line
from salescli.rules import time
from tests.conftest import House

FILES = Path(__file__).with_name("files")
ZONE = ZoneInfo("Europe/Kyiv")
# name -> kind, gateway_id, payment_id, amount, currency, fee of each row
ROWS = {
    "stripe-statement": [
        ("payment", "ch_A1", "pi_A1", 4_900, "EUR", 99),
        ("payment", "py_A2", "pi_A2", 123_450, "USD", 3_610),
        ("refund", "re_A1", "pi_A1", 900, "EUR", 0),
        ("dispute", "dp_A2", "pi_A2", 123_450, "USD", 1_500),
        ("fee", None, None, 200, "EUR", 0),
        ("payout", "po_A1", None, 3_701, "EUR", 0),
    ],
    "paypal-statement": [
        ("payment", "0PAYMENT00000001A", None, 124_900, "EUR", 3_150),
        ("refund", "0REFUND000000001A", "0PAYMENT00000001A", 4_900, "EUR", 0),
        ("fee", "0FEE0000000000001", "0PAYMENT00000001A", 1_600, "EUR", 0),
        ("dispute", "0CHARGEBACK00001A", "0PAYMENT00000001A", 120_000, "EUR", 0),
        ("payout", "0PAYOUT0000000001", None, 500, "EUR", 0),
        ("sent", "0SENT000000000001", None, 1_200, "EUR", 0),
    ],
    "monobank-business": [
        ("payment", None, None, 30_000, "UAH", None),
        ("sent", None, None, 12_000, "UAH", None),
    ],
    "privatbank-business": [
        ("payment", None, None, 123_450, "UAH", None),
        ("sent", None, None, 12_000, "UAH", None),
    ],
}


def read(content: Path | bytes, **how: object) -> tuple[list[Line], list[str]]:
    told: list[str] = []
    file = io.BytesIO(content) if isinstance(content, bytes) else content
    return statement.read(file, zone=ZONE, on_told=told.append, **how), told  # type: ignore[arg-type]


@pytest.mark.parametrize("name", ROWS)
@pytest.mark.parametrize("piped", [False, True], ids=["a file", "a pipe"])
def test_a_statement_is_recognised_and_all_its_rows_are_read(name: str, piped: bool) -> None:
    path = FILES / f"{name}.csv"
    lines, told = read(path.read_bytes() if piped else path)
    found = [(one.kind, one.gateway_id, one.payment_id, one.amount_minor, one.currency, one.fee_minor) for one in lines]
    assert found == ROWS[name]
    assert told[0].endswith(f"by the mapping {name}")


def test_every_mapping_of_a_statement_has_a_file_in_its_vendors_form() -> None:
    shipped = {name for name in find_mapping.shipped() if find_mapping.kind_of(name) == "statement"}
    assert shipped == set(ROWS) == {path.stem for path in FILES.glob("*.csv")}


def at(line: Line) -> str:
    assert line.at is not None
    return time.stored_text(line.at)


def test_what_a_bank_says_and_when_is_read() -> None:
    [mono, _], told = read(FILES / "monobank-business.csv")
    assert (at(mono), mono.payer) == ("2026-03-03T10:30:05Z", "КОВАЛЬ ОЛЕНА ІВАНІВНА")
    assert mono.text == "Оплата за малюнок згідно рахунку № 1"
    assert told[1].startswith("the header is on line 2")  # each of its names goes over two lines
    [private, _], told = read(FILES / "privatbank-business.csv")
    assert (at(private), private.payer) == ("2026-03-02T22:00:00Z", "Мельник Iван")  # a day of the account
    assert told[1].startswith("read as cp1251; columns separated by semicolons")


def test_rows_that_are_left_out_are_counted_with_the_reason() -> None:
    assert read(FILES / "paypal-statement.csv")[1][-1] == "skipped 1 row: not completed"


def test_stripe_without_payment_intents_is_read_too() -> None:
    kept = [line.split(",")[:10] for line in (FILES / "stripe-statement.csv").read_text().splitlines()]
    lines, _ = read("\n".join(",".join(cells) for cells in kept).encode())
    assert [(one.kind, one.payment_id, one.amount_minor) for one in lines][:2] == [
        ("payment", None, 4_900),
        ("payment", None, 123_450),
    ]


MINE = """
for = "statement"
recognised_by = ["Tag", "Betrag"]
[columns]
at = "Tag"
amount = "Betrag"
currency = { constant = "EUR" }
text = "Zweck"
"""
BANK = "Kontoauszug\r\nTag;Betrag;Zweck\r\n31.03.2026;1.234,50;Rechnung 7\r\n01.04.2026;-5,00;Miete\r\n"


def test_any_bank_is_read_by_a_mapping_of_ones_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    own = tmp_path / "salescli" / "mappings"
    own.mkdir(parents=True)
    (own / "mine.toml").write_text(MINE, encoding="utf-8")
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    for how in ({}, {"mapping": "mine"}, {"mapping": str(own / "mine.toml")}):
        lines, told = read(BANK.encode("cp1252"), **how)
        assert [(one.kind, one.amount_minor, one.text) for one in lines] == [
            ("payment", 123_450, "Rechnung 7"),
            ("sent", 500, "Miete"),
        ]
        assert told[0] == "read as mine, by the mapping mine"


def test_what_cannot_be_read_is_refused_with_the_way_out(tmp_path: Path) -> None:
    way = r"'Tag', 'Betrag'.*rename them to at, amount, .*help mappings"
    with pytest.raises(BadData, match=way):
        read(b"Tag;Betrag\n1.4.2026;5\n", reading=ReadingOptions(delimiter=";"))
    with pytest.raises(NotFound, match="there is no mapping 'nowhere'"):
        read(BANK.encode(), mapping="nowhere")
    with pytest.raises(BadData, match="stripe-payments is for orders: salescli import orders FILE"):
        read(BANK.encode(), mapping="stripe-payments")
    (tmp_path / "mine.toml").write_text(MINE, encoding="utf-8")
    with pytest.raises(BadData, match="reads 1 column that this file does not have: 'Zweck'"):
        read(b"Tag;Betrag\n1.4.2026;5\n", mapping=str(tmp_path / "mine.toml"))


def test_an_import_of_orders_says_where_a_statement_goes(house: House) -> None:
    with pytest.raises(BadData, match="salescli reconcile FILE"):
        orders.import_orders(house.work, ImportRequest(FILES / "monobank-business.csv"))


def test_a_bad_cell_is_named_by_the_column_of_the_file() -> None:
    problems: list[object] = []
    bad = (FILES / "stripe-statement.csv").read_text().replace("2026-03-02 09:15:04", "soon").encode()
    with pytest.raises(BadData, match="1 row of 6 is bad"):
        read(bad, on_bad=problems.append)
    assert str(problems[0]).startswith("line 2, created_utc")
