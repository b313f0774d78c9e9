"""What is proposed for an unknown file, and what is asked about it."""

from __future__ import annotations

import io

import pytest

from salescli.errors import BadData
from salescli.imports import column_words, mapping_file, mapping_text, orders, propose, questions, sample
from salescli.imports.propose import Proposal
from salescli.imports.reading.options import AS_FOUND, ReadingOptions


def proposed(text: str, encoding: str = "utf-8", options: ReadingOptions = AS_FOUND) -> Proposal:
    """Propose how a file would be read."""
    return propose.proposed(
        sample.read(io.BytesIO(text.encode(encoding)), orders.COLUMNS, options), orders.COLUMNS, options
    )


def asked(proposal: Proposal, *answers: str) -> list[str]:
    """Answer the questions and return what each was about."""
    about = []
    given = iter(answers)
    while question := questions.following(proposal, "EUR"):
        about.append(question.about)
        proposal = questions.answered(proposal, question, next(given, question.usual or ""))
    mapping_file.parsed(mapping_text.toml(proposal, "shop", orders.REQUIRED), "shop", orders.COLUMNS)
    return about


@pytest.mark.parametrize(
    "header",
    [
        "Order No.;Order date;Status;Buyer;E-mail;Product;Qty;Total",
        "№ замовлення;Дата замовлення;Статус;Клієнт;Пошта;Товар;Кількість;Сума, грн",
        "Номер заказа;Дата создания;Статус;Покупатель;Почта;Название товара;Количество;Стоимость, RUB",
        "Bestellnummer;Bestelldatum;Bestellstatus;Kunde;E-Mail;Artikel;Menge;Gesamtbetrag (EUR)",
        "Número de pedido;Fecha de pedido;Estado del pedido;Cliente;Correo electrónico;Producto;Cantidad;Importe",
    ],
)
def test_columns_are_known_by_their_names_in_five_languages(header: str) -> None:
    proposal = proposed(f"{header}\nA-1;2026-03-31;paid;Ann;ann@example.com;Tea;2;10.00\n")
    names = ("order", "created_at", "status", "customer", "email", "offer", "quantity", "price")
    assert [proposal.source(ours) for ours in names] == header.split(";")


def test_a_value_is_stronger_evidence_than_a_name() -> None:
    proposal = proposed("id,date,name,email,contact,total,cur\n7,yesterday,Ann,none,ann@example.com,5.00,EUR\n")
    assert proposal.source("created_at") is None
    assert (proposal.source("email"), proposal.source("currency")) == ("contact", "cur")


def test_an_amount_names_its_currency_in_the_header_or_by_its_sign() -> None:
    for header, amount in (("Сума (грн)", "5,00"), ("Sum", "5.00 ₴"), ("Sum, UAH", "5.00")):
        assert proposed(f'no,date,"{header}"\n1,2026-01-05,"{amount}"\n').constants == {"currency": "UAH"}
    assert proposed("no,date,Sum\n1,2026-01-05,$5.00\n").constants == {}, "several currencies have that sign"


def test_only_what_cannot_be_known_is_asked() -> None:
    known = "No,Date,Status,Buyer,Product,Total,Currency\n1,2026-01-05,Paid,Ann,Tea,5.00,EUR\n"
    assert asked(proposed(known)) == []
    assert asked(proposed(known + "2,2026-01-05,Odd,Ann,Tea,5.00,EUR\n"), "open") == ["status:Odd"]
    assert asked(proposed(known.replace("2026-01-05", "01/05/2026")), "dmy") == ["dates"]
    assert asked(proposed(known.replace("2026-01-05", "01/25/2026"))) == []
    assert asked(proposed(known.replace("5.00", "1.234")), ".") == ["decimal"]
    assert asked(proposed(known.replace("Status,", "Mood,").replace("Paid", "good")), "completed") == ["status"]
    assert asked(proposed(known + "1,2026-01-07,Paid,Ann,Tea,-5.00,EUR\n"), "refunds") == ["refunds"]
    stated = ReadingOptions(dates="mdy")
    assert asked(proposed(known.replace("2026-01-05", "01/05/2026"), options=stated)) == []


def test_a_currency_that_is_none_is_not_taken() -> None:
    proposal = proposed("No,Date,Status,Buyer,Product,Total\n1,2026-01-05,Paid,Ann,Tea,5\n")
    question = questions.following(proposal, "EUR")
    assert question is not None
    with pytest.raises(BadData, match="not a currency"):
        questions.answered(proposal, question, "Thing")


def test_of_two_dates_or_amounts_one_is_chosen() -> None:
    file = "No,Begun,Ended,Status,Buyer,Product,Total,Amount,Currency\n1,2026-01-05,2026-01-06,Paid,Ann,Tea,5,6,EUR\n"
    proposal = proposed(file)
    assert asked(proposal, "Ended", "Amount") == ["created_at", "price"]


def test_a_blank_status_and_one_to_leave_out_make_a_valid_mapping() -> None:
    file = "No,Date,Status,Buyer,Product,Total,Currency\n1,2026-01-05,Test,Ann,Tea,5,EUR\n2,2026-01-05,,Ann,Tea,5,EUR\n"
    assert asked(proposed(file), "skip", "skip") == ["status:Test", "status:"]


def test_rows_of_one_number_are_items_if_they_differ() -> None:
    header = "No,Date,Status,Buyer,Product,Qty,Price each,Total,Currency\n"
    rows = "1,2026-01-05,Paid,Ann,Tea,2,5.00,16.00,EUR\n1,2026-01-05,Paid,Ann,Mug,1,6.00,16.00,EUR\n"
    items = proposed(header + rows)
    assert (items.has_items, items.total, items.source("unit_price")) == (True, "Total", "Price each")
    assert not proposed(header + rows.replace("1,2026-01-05,Paid,Ann,Mug", "2,2026-01-05,Paid,Ann,Mug")).has_items


def test_hostile_names_of_columns_stay_text() -> None:
    file = '"No","Date","Buyer","Product","Total","a{b}","x\n[columns]\nq","Total"\n1,2026-01-05,Ann,Tea,5,1,2,3\n'
    text = mapping_text.toml(proposed(file), "shop", orders.REQUIRED)
    read = mapping_file.parsed(text, "shop", orders.COLUMNS)
    assert read.columns["price"].columns == ["Total"]
    assert "# Not used: x [columns] q, a{b}, Total" in text


def test_a_file_of_another_encoding_is_sampled() -> None:
    proposal = proposed("Номер;Дата;Покупець;Сума\n1;31.01.2026;Їжак Ґалаґан, Київська область;5,00\n", "cp1251")
    assert proposal.sample.header == ["Номер", "Дата", "Покупець", "Сума"]
    assert (proposal.dates, proposal.decimal) == ("dmy", ",")


@pytest.mark.parametrize("text", ["", "\n\n", ",,,\n"])
def test_a_file_without_columns_is_refused(text: str) -> None:
    with pytest.raises(BadData, match=r"names no columns|must name the columns"):
        proposed(text)


def test_what_no_column_can_be_is_named() -> None:
    assert questions.missing(proposed("a,b\nx,y\n")) == ["the order's number", "a date", "an amount"]
    assert questions.missing(proposed("No,Date,Total\n")) == [], "a file without rows has only its names"


def test_no_word_for_a_status_means_two_things_in_one_language() -> None:
    for language, words in column_words.STATUSES.items():
        assert set(words.values()) == {"completed", "open", "declined", "refund"}, language
