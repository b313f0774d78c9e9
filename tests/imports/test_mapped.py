"""Files of other systems: what a mapping may say, what its rows come to, and what is named when they do not."""

from __future__ import annotations

import csv
import io
import re
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import openpyxl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from salescli.errors import BadData, NotFound
from salescli.imports import find_mapping, foreign, mapping_file, mapping_text, orders, recurring
from salescli.imports.mapped import MappedTable
from salescli.imports.reading.options import ReadingOptions
from salescli.imports.run import ImportCounts, ImportRequest, Reporting
from salescli.imports.shares import share
from salescli.imports.told import lines
from salescli.rules import money
from tests.conftest import House
from tests.importing import contents, shown

SHOP = """
title = "the shop"
source = "shop"
recognised_by = ["No", "When", "What", "Sum"]
optional = ["Mode", "Tax", "State", "Of", "First", "Last", "Mail"]

[file]
delimiter = ";"
decimal = ","
dates = "dmy"
zone = "Europe/Berlin"

[columns]
order = "No"
created_at = "When"
customer = ["{First} {Last}", "Mail", { constant = "somebody" }]
email = "Mail"
offer = "What"
price = "Sum"
currency = { constant = "EUR" }
status = { from = "State", values = { bezahlt = "completed", "" = "completed", offen = "open" } }

[[skip]]
when = { Mode = ["test"] }
reason = "test mode"

[[refunds]]
when = { Sum = "negative" }
of = { from = "No", without = "-R" }
amount = "Sum"

[not_held]
tax = ["Tax"]
"""


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the folder of the user's own mappings, with one."""
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    folder = tmp_path / "config" / "salescli" / "mappings"
    folder.mkdir(parents=True)
    (folder / "shop.toml").write_text(SHOP, encoding="utf-8")
    return folder


def load(house: House, text: str, **options: Any) -> ImportCounts:
    return orders.import_orders(house.work, ImportRequest(io.BytesIO(text.encode()), **options))


def refused(house: House, text: str, **options: Any) -> list[str]:
    said: list[str] = []
    before = contents(house)
    with pytest.raises(BadData, match="nothing was imported"):
        load(house, text, reporting=Reporting(on_bad=lambda problem: said.append(str(problem))), **options)
    assert contents(house) == before
    return said


def rows(house: House) -> list[tuple[Any, ...]]:
    found = house.connection.execute(
        "SELECT o.source_number, c.name, o.offer_name, o.status, o.price_minor, o.created_at,"
        " (SELECT coalesce(sum(r.amount_minor), 0) FROM refunds r JOIN invoices i ON i.id = r.invoice_id"
        " WHERE i.order_id = o.id) AS back FROM orders o JOIN customers c ON c.id = o.customer_id"
        " ORDER BY o.source_number"
    )
    return [tuple(shown(row).values()) for row in found]


FILE = (
    "No;When;What;Sum;Mode;Tax;State;First;Last;Mail\n"
    "1;31.01.2026 10:00;Ink;1.234,50;live;0,00;Bezahlt;Mira;Test;mira@example.net\n"
    "1-R;01.02.2026;Ink;-34,50 €;live;;;;;\n"
    "2;01.02.2026;Pen;5;test;;;;;\n"
    "3;02.02.2026;Pen;5;live;0,95;offen;;Jan;\n"
)


def test_a_file_is_read_by_its_own_conventions_and_a_refund_goes_to_its_payment(house: House) -> None:
    counts = load(house, FILE)
    assert rows(house) == [
        ("1", "Mira Test", "Ink", "completed", 123450, "2026-01-31T09:00:00Z", 3450),
        ("3", "Jan", "Pen", "open", 500, "2026-02-01T23:00:00Z", 0),
    ]
    assert counts.told is not None
    assert lines(counts.told) == [
        "the file has 4 rows, 2 orders, 1 refund",
        "skipped 1 row: test mode",
        "paid 1234.50 EUR, refunded 34.50 EUR",
        "not kept, as there is no place for it here: tax",
    ]


def test_columns_in_another_order_in_capitals_and_unknown_ones_do_not_matter(house: House) -> None:
    load(house, "extra;SUM;what;when;no\nx;5,00;Ink;02.02.2026;7\n")
    assert rows(house) == [("7", "somebody", "Ink", "completed", 500, "2026-02-01T23:00:00Z", 0)]


def test_the_numbers_are_of_the_mappings_source_unless_another_is_given(house: House) -> None:
    load(house, FILE)
    load(house, FILE, source="second shop")
    sources = house.connection.execute("SELECT DISTINCT source FROM orders ORDER BY source").fetchall()
    assert [row["source"] for row in sources] == ["second shop", "shop"]


def test_a_refund_of_a_payment_imported_before_is_added_to_it(house: House) -> None:
    header, sale, back, *_ = FILE.splitlines(keepends=True)
    load(house, header + sale)
    assert refused(house, header + back) == ["line 2, No: has a further refund in the file; --update takes it"]
    assert load(house, header + back, update=True).updated == 1
    assert rows(house)[0][-1] == 3450
    assert load(house, header + back, update=True).unchanged == 1
    more = "1-R;03.02.2026;Ink;-1200,01;live;;;;;\n"
    assert refused(house, header + more, update=True)[0].endswith("more than what was paid")
    load(house, header + more.replace("200,01", "200,00"), update=True)
    assert rows(house)[0][3] == "refund"


def test_a_refund_of_an_unknown_payment_is_named(house: House) -> None:
    header, _, back, *_ = FILE.splitlines(keepends=True)
    assert refused(house, header + back, update=True) == [
        "line 2, No: '1': is a payment that is neither in the file nor here; export from its day on"
    ]


def test_a_refund_that_names_no_payment_of_the_file_is_counted_where_the_mapping_says_so(
    house: House, folder: Path
) -> None:
    (folder / "till.toml").write_text(
        SHOP.replace('amount = "Sum"', 'amount = "Sum"\nelse = "refunds without a sale"').replace(
            'from = "No", without = "-R"', 'from = "No"'
        ),
        encoding="utf-8",
    )
    counts = load(house, FILE, map="till")
    assert counts.told is not None
    assert lines(counts.told)[1] == "skipped 2 rows: test mode (1), refunds without a sale (1)"
    assert rows(house)[0][-1] == 0


def test_a_fee_is_read_as_the_file_writes_it_in_its_own_currency(house: House, folder: Path) -> None:
    (folder / "fees.toml").write_text(
        SHOP.replace('price = "Sum"', 'price = "Sum"\nfee = "Tax"\nfee_currency = "Mode"').replace(
            'when = { Mode = ["test"] }', 'when = { Mode = ["never"] }'
        ),
        encoding="utf-8",
    )
    load(
        house,
        "No;When;What;Sum;Mode;Tax\n1;31.01.2026;Ink;1.234,50;EUR;34,50\n2;31.01.2026;Pen;5;usd;1,10 $\n",
        map="fees",
    )
    found = house.connection.execute(
        "SELECT fee_minor, foreign_fee_minor, foreign_fee_currency FROM invoices ORDER BY id"
    ).fetchall()
    assert [tuple(row) for row in found] == [(3450, None, None), (None, 110, "USD")]


def test_a_value_with_a_condition_is_blank_unless_it_holds(house: House, folder: Path) -> None:
    (folder / "parts.toml").write_text(
        SHOP.replace('price = "Sum"', 'price = "Sum"\npaid = { sum = ["Tax"], when = { State = ["offen"] } }'),
        encoding="utf-8",
    )
    load(house, "No;When;What;Sum;Tax;State\n1;31.01.2026;Ink;5;2;Offen\n2;31.01.2026;Ink;5;2;bezahlt\n", map="parts")
    found = house.connection.execute("SELECT status, paid_minor FROM orders ORDER BY source_number").fetchall()
    assert [tuple(row) for row in found] == [("open", 200), ("completed", 500)]


def test_each_line_of_a_cell_is_an_item_and_one_that_is_written_otherwise_its_name(house: House, folder: Path) -> None:
    (folder / "cart.toml").write_text(
        SHOP.replace('offer = "What"\nprice = "Sum"', 'offer = "Item"\nquantity = "Qty"\nunit_price = "Each"')
        + '\n[items]\ncell = "What"\nline = "{Item} x {Qty} = {Each}"\ntotal = "Sum"\n',
        encoding="utf-8",
    )
    load(
        house,
        'No;When;What;Sum\n1;31.01.2026;"Ink x 2 x 3 = 1,50\n\n gift \n";5,00\n',
        map="cart",
    )
    found = house.connection.execute(
        "SELECT source_number, offer_name, quantity, price_minor FROM orders ORDER BY source_number"
    ).fetchall()
    assert [tuple(row) for row in found] == [("1-1", "Ink x 2", 3, 500), ("1-2", "gift", 1, 0)]


def test_what_is_sold_by_weight_is_one_if_the_file_names_the_price_of_all(house: House, folder: Path) -> None:
    (folder / "scales.toml").write_text(
        SHOP.replace('price = "Sum"', 'price = "Sum"\nquantity = "Tax"'), encoding="utf-8"
    )
    load(house, "No;When;What;Sum;Tax\n1;31.01.2026;Tea;9,38;0.75\n2;31.01.2026;Tea;18,76;2.00\n", map="scales")
    found = house.connection.execute("SELECT quantity, price_minor FROM orders ORDER BY source_number").fetchall()
    assert [tuple(row) for row in found] == [(1, 938), (2, 1876)]


def test_a_refund_of_what_was_not_paid_is_named(house: House) -> None:
    unpaid = FILE.replace("Bezahlt", "offen").replace("1-R;01.02.2026;Ink;-34,50 €", "1-R;01.02.2026;Ink;-1,00")
    twice = unpaid.replace("2;01.02.2026;Pen;5;test", "1-R;02.02.2026;Ink;-2,00;live")
    assert refused(house, twice) == ["line 2, State: 'open': was not paid, but a row gives money back"]


def test_a_named_mapping_is_held_against_the_file_however_it_is_separated(house: House) -> None:
    with pytest.raises(
        BadData, match="reads 2 columns that this file does not have: 'What', 'Sum'; the file has 'No', "
    ):
        load(house, "No|When\n1|31.01.2026\n", map="shop")


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ("1;31.01.2026;Ink;1,234.50;;;;;;", "line 2, Sum: '1,234.50' is not an amount with a decimal comma, as the"),
        ("1;31.01.2026;Ink;$5;;;;;;", "line 2, Sum: '$5' names another currency, and the row's currency is EUR"),
        ("1;01/31/2026;Ink;5;;;;;;", "line 2, When: '01/31/2026' is not a date with the day first, as the column has"),
        ("1;31-01-26x;Ink;5;;;;;;", "line 2, When: '31-01-26x': is not a date or time"),
        ("1;soon;Ink;5;;;;;;", "line 2, When: 'soon': is not a date or time"),
        ("1;31.01.2026;Ink;5;;;weg;;;", "line 2, State: 'weg': is not in the mapping, which knows bezahlt, offen"),
        ("1;31.01.2026;Ink;0,005;;;;;;", "line 2, Sum: '0,005': 0.005 EUR has 3 decimals"),
        ("1;31.01.2026;;5;;;;;;", "line 2, What: is blank"),
        ("1;31.12.2039;Ink;5;;;;;;", "line 2, When: '2039-12-31 00:00 Europe/Berlin' is in the future"),
        ("1;31.01.2026;Ink;5", "line 2, Mode: the row has 4 values, the header names 10 columns"),
    ],
)
def test_a_bad_value_is_named_with_its_line_and_source_column(house: House, row: str, said: str) -> None:
    header = FILE.splitlines(keepends=True)[0]
    assert [problem[: len(said)] for problem in refused(house, header + row + "\n")] == [said]


def test_rejects_are_the_rows_as_they_were_and_come_in_when_repaired(house: House, tmp_path: Path) -> None:
    bad = FILE.replace("1.234,50", "many")
    rejects = tmp_path / "rejects.csv"
    load(house, bad, skip_bad=True, rejects_file=rejects)
    assert [row[0] for row in rows(house)] == ["3"]
    header, sale, back = csv.reader(rejects.read_text(encoding="utf-8").splitlines())
    assert header == ["line", "reason", *FILE.splitlines()[0].split(";")]
    assert sale[:2] == ["2", "Sum: 'many' is not an amount; write digits and a period, as in 1234.50"]
    assert [sale[3], back[2]] == ["31.01.2026 10:00", "1-R"]
    repaired = rejects.read_text(encoding="utf-8").replace(",many,", ',"1.234,50",')
    load(house, repaired, map="shop")
    assert [(row[0], row[-1]) for row in rows(house)] == [("1", 3450), ("3", 0)]


def test_a_header_that_nothing_knows_is_named(house: House) -> None:
    with pytest.raises(
        BadData, match=r"no mapping knows a file with the columns 'Nr', 'Betrag'; import it on a terminal, .* --propose"
    ):
        load(house, "Nr,Betrag\n1,2\n")


def test_a_named_mapping_that_reads_a_column_too_many_names_it(house: House) -> None:
    with pytest.raises(BadData, match="the mapping shop reads 2 columns that this file does not have: 'What', 'Sum'"):
        load(house, "No;When;Betrag\n1;31.01.2026;2\n", map="shop")


def test_a_mapping_is_found_by_name_or_file_and_the_users_own_come_first(folder: Path) -> None:
    own = SHOP.replace("the shop", "my Stripe")
    (folder / "stripe-payments.toml").write_text(own, encoding="utf-8")
    assert find_mapping.found("stripe-payments", orders.COLUMNS).title == "my Stripe"
    assert find_mapping.found(str(folder / "shop.toml"), orders.COLUMNS).title == "the shop"
    for name in ("nothing", "nothing.toml"):
        with pytest.raises(NotFound, match="nothing"):
            find_mapping.found(name, orders.COLUMNS)


def test_two_mappings_of_one_header_are_both_named(house: House, folder: Path) -> None:
    (folder / "shop2.toml").write_text(SHOP, encoding="utf-8")
    with pytest.raises(BadData, match="the mappings shop and shop2 both fit this header; choose one with --map NAME"):
        load(house, FILE)
    load(house, FILE, map="shop2")


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (("[columns]", "[columns"), "the mapping x is not TOML"),
        (("[columns]", f"a = {'[' * 5000}{']' * 5000}"), "the mapping x has lists in lists too deep to read"),
        (('order = "No"', 'ordre = "No"'), "columns has an unknown key, ordre; the keys are order,"),
        (('order = "No"', "order = 5"), "columns.order is not a text"),
        (('decimal = ","', 'decimal = ";"'), "file.decimal is not one of '.', ','"),
        (('dates = "dmy"', 'dates = "ydm"'), "file.dates is not one of 'ymd', 'dmy', 'mdy'"),
        (('zone = "Europe/Berlin"', 'zone = "Berlin"'), "'Berlin' is not a time zone"),
        (('zone = "Europe/Berlin"', 'zone = "UTC"\nencoding = "x"'), "file has an unknown key, encoding"),
        (('reason = "test mode"', ""), "skip 1.reason is not a text"),
        (('{ Mode = ["test"] }', '{ Mode = "test" }'), "skip 1.when.Mode is neither a list of values nor one of blank"),
        (('"-R"', '"-R", constant = "1"'), "needs one of from, constant and sum"),
        (('amount = "Sum"', 'amount = "Sum"\nelse = 1'), "refunds 1.else is not a text"),
        (
            ('price = "Sum"', 'price = { sum = ["Sum"], when = { State = "x" } }'),
            "price.when.State is not a list of texts",
        ),
        (("[not_held]", '[items]\ncell = "What"\n[not_held]'), "items needs both cell and line, or neither"),
        (('offen = "open"', "offen = 1"), "turns a value into 1, which is no text"),
    ],
)
def test_a_bad_mapping_names_its_place(change: tuple[str, str], said: str) -> None:
    with pytest.raises(BadData) as error:
        mapping_file.parsed(SHOP.replace(*change), "x", orders.COLUMNS)
    assert said in str(error.value)


def test_a_proposal_is_a_mapping_of_the_file(house: House, folder: Path) -> None:
    file = "Order Number,Order Date,Buyer Name,Product,Total,Currency,Payment Status,Shoe Size\n"
    text = mapping_text.proposal(io.BytesIO(file.encode()), orders.COLUMNS, orders.REQUIRED)
    assert "# Not used: Shoe Size" in text
    (folder / "proposed.toml").write_text(text, encoding="utf-8")
    load(house, file + "9,2026-02-02,Mira,Ink,5.00,EUR,Paid,42\n")
    assert rows(house) == [("9", "Mira", "Ink", "completed", 500, "2026-02-01T22:00:00Z", 0)]


def test_a_proposal_says_what_no_column_sounds_like_and_may_be_a_shipped_mapping() -> None:
    text = mapping_text.proposal(io.BytesIO(b"Nr;Betrag\n"), orders.COLUMNS, orders.REQUIRED)
    assert 'delimiter = ";"' in text
    below = mapping_text.proposal(io.BytesIO(b"Our shop\n\nOrder Number;Total;Shoe\n"), orders.COLUMNS, orders.REQUIRED)
    assert 'order = "Order Number"' in below
    assert 'customer = { constant = "" }  # no column sounds like it; to fill in' in text
    known = ",".join(find_mapping.found("gumroad-sales", orders.COLUMNS).recognised_by)
    text = mapping_text.proposal(io.BytesIO(f"{known}\n".encode()), orders.COLUMNS, orders.REQUIRED)
    assert text == find_mapping.path_of("gumroad-sales").read_text(encoding="utf-8")


def test_a_refund_row_of_our_own_columns_goes_to_its_order_by_a_mapping(house: House, folder: Path) -> None:
    (folder / "own.toml").write_text(
        "[columns]\n"
        + "".join(f'{name} = "{name}"\n' for name in (*orders.REQUIRED, "email", "quantity", "price"))
        + '[[refunds]]\nwhen = { status = ["refund"], price = "negative" }\nof = { from = "order", without = "-R" }\n'
        'amount = "price"\n',
        encoding="utf-8",
    )
    file = (
        "order,created_at,status,customer,email,offer,quantity,price,currency\n"
        "10,2026-01-01,completed,A,a@example.net,Ink,1,20.00,EUR\n"
        "10-R,2026-01-09,refund,A,a@example.net,Ink,-1,-20.00,EUR\n"
    )
    load(house, file, map="own")
    assert rows(house) == [("10", "A", "Ink", "refund", 2000, "2025-12-31T22:00:00Z", 2000)]


@given(
    st.lists(st.integers(0, 10**9), min_size=1, max_size=8),
    st.integers(0, 10**9),
    st.integers(0, 100),
)
def test_shares_add_up_and_none_is_above_its_item(weights: list[int], amount: int, percent: int) -> None:
    assert sum(share(amount, weights)) == amount
    part = sum(weights) * percent // 100
    shares = share(part, weights, weights)
    assert sum(shares) == part
    assert all(0 <= own <= weight for own, weight in zip(shares, weights, strict=True))


@pytest.fixture(scope="module")
def shop_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the mapping of the shop."""
    path = tmp_path_factory.mktemp("mapping") / "shop.toml"
    path.write_text(SHOP, encoding="utf-8")
    return path


_CELL = st.text(st.sampled_from("0123456789.,-/: $€()'+\u202f=#abZпаé\x1c\u0663"), max_size=12)


@given(
    st.sampled_from([*(name for name in find_mapping.shipped() if find_mapping.kind_of(name) != "statement"), "shop"]),
    st.lists(st.lists(st.one_of(_CELL, st.sampled_from(["1", "5.00", "2026-01-02", "EUR", "paid"])), max_size=12)),
    st.randoms(use_true_random=False),
)
def test_no_cell_whatsoever_gives_anything_but_rows_good_and_bad(
    shop_file: Path, name: str, given: list[list[str]], chance: Any
) -> None:
    path = shop_file if name == "shop" else find_mapping.SHIPPED / f"{name}.toml"
    kind = "orders" if name == "shop" else find_mapping.kind_of(name)
    ours = recurring.COLUMNS if kind == "recurring" else orders.COLUMNS
    one = find_mapping.found(str(path), ours, kind)
    names = list(dict.fromkeys([*one.recognised_by, *one.missing([]), *one.optional]))
    names = [column.replace("#", str(number)) for column in names for number in ((1, 2) if "#" in column else (1,))]
    chance.shuffle(names)
    out = io.StringIO(newline="")
    csv.writer(out).writerows([names, *((cells * len(names))[: len(names)] for cells in given if cells)])
    stated = ReadingOptions(decimal="point", dates="dmy")
    with foreign.opened(io.BytesIO(out.getvalue().encode()), ours, str(path), stated, print, kind=kind) as file:
        assert file is not None
        for row in MappedTable(file, ours, "EUR"):
            assert row.problems or len(row.cells) == len(row.names)


# A mapping that states no convention: the file shows it.
OPEN = """
recognised_by = ["No", "When", "What", "Sum", "Money"]

[columns]
order = "No"
created_at = "When"
customer = { constant = "somebody" }
offer = "What"
price = "Sum"
currency = "Money"
status = { constant = "completed" }
"""
HEADER = ["No", "When", "What", "Sum", "Money"]
KYIV = ["7", "31.01.2026 10:00", "Чай", "1 234,50", "UAH"]


@pytest.fixture
def open_mapping(folder: Path) -> None:
    (folder / "open.toml").write_text(OPEN, encoding="utf-8")


def written(*lines: list[str], delimiter: str = ",") -> str:
    out = io.StringIO(newline="")
    csv.writer(out, delimiter=delimiter).writerows(lines)
    return out.getvalue()


def read(house: House, content: bytes, **options: Any) -> list[tuple[Any, ...]]:
    orders.import_orders(house.work, ImportRequest(io.BytesIO(content), **options))
    return [(row[0], row[2], row[4], row[5]) for row in rows(house)]


TEA = ("7", "Чай", 123450, "2026-01-31T08:00:00Z")


@pytest.mark.usefixtures("open_mapping")
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "cp1251"])
@pytest.mark.parametrize("delimiter", list(",;\t|"))
def test_a_mapped_file_is_read_in_any_encoding_and_separation(house: House, encoding: str, delimiter: str) -> None:
    stated = ReadingOptions(encoding="cp1251" if encoding == "cp1251" else None)
    content = written(HEADER, KYIV, delimiter=delimiter).encode(encoding)
    assert read(house, content, reading=stated) == [TEA]


@pytest.mark.usefixtures("open_mapping")
def test_the_header_of_a_mapped_file_is_found_below_other_lines_and_above_a_total(house: House) -> None:
    told: list[str] = []
    text = "Orders of the shop\n\nfrom 1 January;to 31 January\n"
    text += written(HEADER, KYIV, [], ["Total", "", "", "1 234,50", "UAH"], [], delimiter=";")
    request = ImportRequest(io.BytesIO(text.encode()), reporting=Reporting(on_told=told.append))
    counts = orders.import_orders(house.work, request)
    assert counts.told is not None
    assert counts.told.skipped == {"row of totals": 1}
    assert rows(house)[0][4] == 123450
    assert told == [
        "columns separated by semicolons; the header is on line 4, below 3 other lines; the day first in When;"
        " a decimal comma in Sum"
    ]


@pytest.mark.usefixtures("open_mapping")
def test_a_mapped_sheet_is_read_by_the_types_of_its_cells(house: House) -> None:
    book = openpyxl.Workbook()
    book.active.append(["of another matter"])
    sheet = book.create_sheet("Orders")
    sheet.append(HEADER)
    sheet.append([7, datetime(2026, 1, 31, 10), "Чай", 1234.5, "UAH"])
    sheet.append([8, 46053.5, "Чай", 0.1 + 0.2, "UAH"])
    sheet["D3"].number_format = "0.00"
    content = io.BytesIO()
    book.save(content)
    assert read(house, content.getvalue(), reading=ReadingOptions(sheet="Orders")) == [
        TEA,
        ("8", "Чай", 30, "2026-01-31T10:00:00Z"),
    ]


@pytest.mark.usefixtures("open_mapping")
@pytest.mark.parametrize(
    ("dates", "read_as"),
    [
        (["31.01.26", "01.02.26"], ["2026-01-30T22:00:00Z", "2026-01-31T22:00:00Z"]),
        (["1/31/26 2:30 PM PST", "2/1/26 2:30 PM PST"], ["2026-01-31T22:30:00Z", "2026-02-01T22:30:00Z"]),
        (["46053", "46054.25"], ["2026-01-30T22:00:00Z", "2026-02-01T04:00:00Z"]),
        (["46053,5", "46054"], ["2026-01-31T10:00:00Z", "2026-01-31T22:00:00Z"]),
        (
            ["2026-01-31 10:00:00 Eastern Time (US & Canada)", "2026-02-01"],
            ["2026-01-31T15:00:00Z", "2026-01-31T22:00:00Z"],
        ),
    ],
)
def test_dates_are_read_by_what_fits_all_rows(house: House, dates: list[str], read_as: list[str]) -> None:
    lines = [[str(number), date, "Ink", "5", "UAH"] for number, date in enumerate(dates)]
    assert [row[3] for row in read(house, written(HEADER, *lines).encode())] == read_as


@pytest.mark.usefixtures("open_mapping")
@pytest.mark.parametrize(
    ("row", "said"),
    [
        (["1", "2026-01-31", "Ink", "1,234", "UAH"], "line 2, Sum: '1,234' may be 1234 or 1.234, and no other row"),
        (["1", "02/01/26", "Ink", "5", "UAH"], "line 2, When: '02/01/26' may be 2026-01-02 or 2026-02-01, and no"),
    ],
)
def test_a_column_that_no_row_tells_of_is_refused(house: House, row: list[str], said: str) -> None:
    before = contents(house)
    with pytest.raises(BadData, match=f"^{re.escape(said)}"):
        read(house, written(HEADER, row).encode())
    assert contents(house) == before


@pytest.mark.usefixtures("open_mapping")
@pytest.mark.parametrize("column", ["Sum", "price"])
def test_a_negative_amount_is_called_negative(house: House, column: str) -> None:
    if column == "price":
        names = ["order", "created_at", "offer", "price", "currency", "status", "customer"]
        text = written(names, ["1", "2026-01-31", "Ink", "-20.00", "UAH", "completed", "Ann"])
    else:
        text = written(HEADER, ["1", "2026-01-31", "Ink", "-20.00", "UAH"])
    (said,) = refused(house, text)
    assert said.startswith(f"line 2, {column}: '-20.00'")
    assert "is negative" in said


@pytest.mark.usefixtures("open_mapping")
def test_amounts_in_minor_units_are_of_each_rows_currency(house: House) -> None:
    lines = [["1", "2026-01-31", "Ink", "1234", "EUR"], ["2", "2026-01-31", "Ink", "1234", "JPY"]]
    found = read(house, written(HEADER, *lines).encode(), reading=ReadingOptions(minor=True))
    assert [row[2] for row in found] == [1234, 1234]


@pytest.mark.usefixtures("open_mapping")
def test_cells_that_a_mapping_does_not_use_are_of_no_matter(house: House) -> None:
    lines = [[*KYIV, "€ 1.2.3"], [*["8", *KYIV[1:]], "\x1b"]]
    assert len(read(house, written([*HEADER, "Note"], *lines).encode())) == 2


AMOUNTS = {
    "1,234.50": lambda minor: f"{minor / 100:,.2f}",
    "1.234,50": lambda minor: f"{minor / 100:,.2f}".translate(str.maketrans(",.", ".,")),
    "1 234,50": lambda minor: f"{minor / 100:,.2f}".translate(str.maketrans(",.", "\u00a0,")),
    "1'234.50": lambda minor: f"{minor / 100:,.2f}".replace(",", "'"),
    "€ 1234,50": lambda minor: f"€ {minor // 100},{minor % 100:02}",
    "1234.50 EUR": lambda minor: f"{minor // 100}.{minor % 100:02} EUR",
}
TIMES = ("%Y-%m-%d %H:%M:%S", "%d.%m.%Y %H:%M", "%d/%m/%y %H:%M:%S", "%m/%d/%Y %I:%M %p", "%b %d, %Y %H:%M:%S")


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(st.tuples(st.integers(0, 10**11), st.integers(0, 700_000)), min_size=1, max_size=6),
    st.sampled_from(sorted(AMOUNTS)),
    st.sampled_from(TIMES),
    st.sampled_from(",;\t|"),
    st.permutations([*HEADER, "Colour", ""]),
)
def test_orders_of_any_convention_come_back_the_same(
    shop_file: Path, sales: list[tuple[int, int]], form: str, times: str, delimiter: str, names: list[str]
) -> None:
    """A further row shows the convention, since a file of a single 1,234 or 01/02/2026 tells none."""
    path = shop_file.with_name("open.toml")
    path.write_text(OPEN, encoding="utf-8")
    sales = [*sales, (123450, 30 * 1440)]
    lines = []
    for number, (minor, minutes) in enumerate(sales):
        at = datetime(2025, 1, 1) + timedelta(minutes=minutes)
        given = {"No": str(number), "When": at.strftime(times), "What": "Ink", "Money": "EUR", "Colour": "red"}
        lines += [[{**given, "Sum": AMOUNTS[form](minor)}.get(name, "") for name in names], [""] * len(names)]
    content = written(names, *lines, delimiter=delimiter).encode()
    with foreign.opened(io.BytesIO(content), orders.COLUMNS, str(path), ReadingOptions(), lambda said: None) as file:
        assert file is not None
        found = [row.values for row in MappedTable(file, orders.COLUMNS, "EUR")]
    assert [(row["order"], money.parse(row["price"], "EUR"), row["created_at"][:16]) for row in found] == [
        (str(number), minor, f"{datetime(2025, 1, 1) + timedelta(minutes=minutes):%Y-%m-%d %H:%M}")
        for number, (minor, minutes) in enumerate(sales)
    ]


# What one number hides

BALANCE = "balance_transaction_id,created_utc,currency,gross,fee,net,reporting_category,source_id,charge_id\n"
CHARGE = "txn_1,2026-01-05 10:00:00,eur,100.00,3.00,97.00,charge,ch_1,ch_1\n"
BACK = "txn_2,2026-01-07 10:00:00,eur,-5.00,0.00,-5.00,refund,re_1,ch_1\n"
EQUAL_BACK = "txn_3,2026-01-07 10:00:00,eur,-5.00,0.00,-5.00,refund,re_2,ch_1\n"


def given_back(house: House) -> int:
    return int(house.connection.execute("SELECT coalesce(sum(amount_minor), 0) FROM refunds").fetchone()[0])


def test_two_equal_refunds_of_one_payment_at_one_time_are_two(house: House) -> None:
    file = BALANCE + CHARGE + BACK + EQUAL_BACK
    counts = load(house, file)
    assert counts.told is not None
    assert given_back(house) == counts.told.refunded["EUR"] == 1000
    before = contents(house)
    assert load(house, file).unchanged == 2
    assert contents(house) == before


def test_two_equal_refunds_of_a_payment_imported_before_are_two(house: House) -> None:
    load(house, BALANCE + CHARGE)
    assert load(house, BALANCE + BACK + EQUAL_BACK, update=True).updated == 2
    assert given_back(house) == 1000
    before = contents(house)
    assert load(house, BALANCE + BACK + EQUAL_BACK).unchanged == 2
    assert load(house, BALANCE + CHARGE + BACK + EQUAL_BACK).unchanged == 2  # and with the payment itself
    assert contents(house) == before


def test_a_refund_that_is_in_the_file_twice_is_refused(house: House) -> None:
    assert refused(house, BALANCE + CHARGE + BACK + BACK) == [
        "line 4, charge_id: 'ch_1': is line 3 again, in every cell; delete one of them, or change its time if they are"
        " two refunds"
    ]


def test_a_refund_in_another_currency_than_its_payment_is_refused(house: House) -> None:
    (said,) = refused(house, BALANCE + CHARGE + BACK.replace("eur", "usd"))
    assert said.endswith("is in USD, and its payment in EUR; record it by hand, with orders refund")


SHOPIFY = "Name,Financial Status,Created at,Currency,Lineitem name,Lineitem quantity,Lineitem price,Total\n"


def test_two_orders_of_one_number_are_refused(house: House) -> None:
    first, second = "#1,paid,2026-01-05,EUR,Tea,1,5.00,5.00\n", "#1,paid,2026-01-06,EUR,Mug,1,7.00,7.00\n"
    assert refused(house, SHOPIFY + first + second) == [
        "line 3, Total: '7.00': is '5.00' on line 2, of the same order; correct one, or give two orders two numbers"
    ]


def test_a_row_of_an_order_that_stands_apart_is_refused_with_what_to_do(house: House) -> None:
    first, second = "#1,paid,2026-01-05,EUR,Tea,1,5.00,12.00\n", "#2,paid,2026-01-06,EUR,Mug,1,7.00,7.00\n"
    said = refused(house, SHOPIFY + first + second + "#1,,2026-01-05,,Mug,1,7.00,\n")
    assert said == [
        "line 4, Currency: is blank; if it is a further row of an order above, put the rows of each order together"
    ]


def test_several_unclear_columns_are_told_in_one_line(house: House) -> None:
    with pytest.raises(BadData, match="say --decimal point for 1234") as error:
        load(house, SHOPIFY + '#1,paid,2026-01-05,EUR,Tea,1,"1,234","1,234"\n')
    assert "\n" not in str(error.value)


def test_what_is_given_back_of_an_order_that_was_not_paid_is_told(house: House) -> None:
    header = SHOPIFY.replace("\n", ",Refunded Amount\n")
    pending, voided = (
        "#1,pending,2026-01-05,EUR,Tea,1,5.00,5.00,4.00\n",
        "#2,voided,2026-01-05,EUR,Tea,1,5.00,5.00,0.50\n",
    )
    counts = load(house, header + pending + voided)
    assert counts.told is not None
    assert "left out refunds of 4.50 EUR: their orders were not paid; see their status in the file" in lines(
        counts.told
    )
