"""Payments that name no invoice: proposed by amount and words, never where two fit, never written without a yes."""

from __future__ import annotations

import io

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from salescli.catalogue import payment_systems
from salescli.reconcile import compare, evidence, match, statement
from salescli.reconcile.compare import Applied, ReconcileRequest
from salescli.reconcile.evidence import Whose
from salescli.reconcile.match import Comparison
from salescli.rules import time
from salescli.sales import closed_months, invoices, orders
from tests.importing import as_csv, contents
from tests.story import Story

Row = dict[str, str]


@pytest.fixture
def shop(story: Story) -> Story:
    """Olena and Ivan, each with an order that waits for 49.00 by bank transfer, invoices 1 and 2."""
    story.house.offer("49.00", number="7")
    story.house.connection.execute(
        "UPDATE customers SET name = 'Olena Koval', email = 'olena@example.net' WHERE id = 1"
    )
    story.at("2026-03-01 10:00")
    assert story.pay(story.order("7", through="Bank transfer")) == "waits"
    order = story.order_of(str(story.house.customer("Іван Мельник")["id"]), "7")
    assert story.pay(order, payment_system="Bank transfer") == "waits"
    return story.at("2026-03-20 12:00")


def request(story: Story, rows: list[Row]) -> ReconcileRequest:
    base = {"currency": "EUR", "amount": "49.00", "at": "2026-03-03"}
    content = io.BytesIO(as_csv(statement.COLUMNS, base, rows))
    lines = statement.read(content, zone=story.house.zone)
    return ReconcileRequest(
        payment_systems.find(story.house.connection, "Bank transfer"), lines, "bank.csv", story.house.zone
    )


def compared(story: Story, *rows: Row) -> Comparison:
    return compare.compare(story.house.connection, request(story, list(rows)), actor=story.house.actor)


def proposals(comparison: Comparison) -> dict[int, int]:
    """Return line → invoice."""
    return dict(filter(None, map(compare.proposal, comparison.found)))


def applied(story: Story, *rows: Row, agreed: bool = True) -> tuple[Applied, Comparison]:
    accepted = frozenset(proposals(compared(story, *rows)).items()) if agreed else frozenset()
    return compare.apply(story.work, request(story, list(rows)), accepted)


# Words


@pytest.mark.parametrize(
    ("cyrillic", "latin"),
    [
        ("Шевченко Ольга", "Olha Shevchenko"), ("Ковальчук Юлія", "Yuliia Kovalchuk"),
        ("Мар’яна Хоменко", "Mariana Khomenko"), ("Наталія Цимбал", "Nataliia Tsymbal"),
        ("Щербань Сергій", "Serhii Shcherban"), ("Григорій Жук", "Hryhorii Zhuk"),
        ("Наталья Галаган", "Natalya Galagan"), ("ФОП Євген Їжак", "Yevhen Yizhak"),
    ],
)  # fmt: skip
def test_a_name_is_known_in_either_alphabet_and_any_order(cyrillic: str, latin: str) -> None:
    assert evidence.found(evidence.said("", cyrillic.upper()), 1, Whose(1, latin)).reasons == ("the name",)
    assert evidence.found(evidence.said(f"payment from {latin}", ""), 1, Whose(1, cyrillic)).reasons == ("the name",)


@pytest.mark.parametrize(
    ("text", "payer", "reasons"),
    [
        ("Оплата згідно рахунку № 15 від 01.03.2026", "", ("its number",)),
        ("invoice #15", "", ("its number",)),
        ("замовлення 8", "", ("its number",)),
        ("№8", "", ("its number",)),
        ("за 15 днів, 8 шт.", "", ()),
        ("рахунок 151, 2026-15-08", "", ()),
        ("invoice 8", "", ()),  # the number of its order
        ("order WEB-1042", "", ("the order's number",)),
        ("order WEB-10421", "", ()),
        ("from olena@example.net", "", ("the email",)),
        ("тел. 067 123-45-67", "", ("the phone",)),
        ("", "КОВАЛЬ ОЛЕНА ІВАНІВНА", ("the name",)),
        ("", "Коваль О. І.", ("the surname and an initial",)),
        ("", "Коваль", ("a part of the name",)),
        ("", "Коваль Петро", ()),
        ("", "Олена Петренко", ()),
        ("drawing", "", ()),
    ],
)
def test_what_a_line_says_of_an_invoice(text: str, payer: str, reasons: tuple[str, ...]) -> None:
    whose = Whose(8, "Olena Koval", "olena@example.net", "+380 67 123 45 67", "WEB-1042")
    assert evidence.found(evidence.said(text, payer), 15, whose).reasons == reasons


# Proposals


def test_a_payment_of_the_amount_with_the_customers_name_is_proposed_with_the_reason(shop: Story) -> None:
    comparison = compared(shop, {"payer": "КОВАЛЬ ОЛЕНА ІВАНІВНА"}, {"payer": "Melnyk Ivan"})
    assert proposals(comparison) == {2: 1, 3: 2}
    reasons = {finding.reason for finding in comparison.findings}
    assert reasons == {"by the amount and the name, 2 days after it was asked for"}


def test_the_amount_alone_proposes_nothing_and_names_what_waits(shop: Story) -> None:
    [finding] = compared(shop, {"payer": "Хтось Інший"}).findings
    assert (finding.finding, finding.candidates, finding.reason) == (match.ONLY_THERE, (1, 2), "by the amount alone")


def test_a_name_with_another_amount_proposes_nothing(shop: Story) -> None:
    [finding] = compared(shop, {"payer": "Коваль Олена", "amount": "48.00"}).findings
    assert (finding.finding, finding.candidates) == (match.ONLY_THERE, ())
    [finding] = compared(shop, {"payer": "Коваль Олена", "text": "рахунок 1", "amount": "48.00"}).findings
    assert finding.candidates == (1,)
    assert finding.reason == "which it names; the amount or the day does not fit"


def test_a_line_that_names_another_invoice_is_not_taken_by_the_name(shop: Story) -> None:
    assert proposals(compared(shop, {"payer": "Коваль Олена", "text": "рахунок 2"})) == {2: 2}


def test_nothing_is_proposed_for_what_was_asked_for_later(shop: Story) -> None:
    [finding] = compared(shop, {"payer": "Коваль Олена", "at": "2026-02-28"}).findings
    assert finding.finding == match.ONLY_THERE


def test_two_that_fit_equally_are_both_named_and_none_is_applied(shop: Story) -> None:
    shop.at("2026-03-02 10:00").pay(shop.order("7", through="Bank transfer"))
    shop.at("2026-03-20 12:00")
    rows = {"payer": "Коваль Олена"}
    [finding] = compared(shop, rows).findings
    assert (finding.candidates, finding.reason) == ((1, 3), "by the amount and the name, equally")
    before = contents(shop.house)
    assert applied(shop, rows)[0] == Applied()
    assert contents(shop.house) == before


def test_two_lines_for_one_invoice_are_not_applied(shop: Story) -> None:
    comparison = compared(shop, {"payer": "Коваль Олена"}, {"payer": "Koval Olena"})
    assert proposals(comparison) == {}
    assert {finding.reason for finding in comparison.findings} == {"by the amount and the name; so may be another line"}


def test_one_payment_there_pays_one_invoice(shop: Story) -> None:
    shop.house.connection.execute("UPDATE customers SET email = 'ivan@example.net' WHERE id = 2")
    rows = [
        {"gateway_id": "T1", "payer": "Коваль Олена"},
        {"gateway_id": "T1", "payer": "Мельник Іван"},
    ]
    comparison = compared(shop, *rows)
    assert proposals(comparison) == {2: 1}
    assert [finding.finding for finding in comparison.findings] == [match.TWICE_THERE, match.PROPOSED]
    written, _ = applied(shop, *rows)
    assert len(written.done) == 1
    assert invoices.get(shop.house.connection, 1).gateway_id == "T1"
    assert proposals(compared(shop, rows[1])) == {}


# Applying


def test_nothing_is_applied_without_a_yes(shop: Story) -> None:
    before = contents(shop.house)
    written, after = applied(shop, {"payer": "Коваль Олена"}, agreed=False)
    assert (written, proposals(after)) == (Applied(), {2: 1})
    assert contents(shop.house) == before


def test_a_proposal_is_confirmed_at_its_time_and_agrees_from_then_on(shop: Story) -> None:
    row = {"payer": "Коваль Олена", "at": "2026-03-03 14:05:06"}
    written, after = applied(shop, row)
    assert written.done == [
        "invoice 1: payment of 49.00 EUR made (statement bank.csv, line 2: by the amount and the name, 2 days after it"
        " was asked for)"
    ]
    assert after.findings == []
    assert time.utc_text(invoices.get(shop.house.connection, 1).came_at) == "2026-03-03T12:05:06Z"
    [agrees] = compared(shop, row).found
    assert (agrees.finding, agrees.reason) == (match.AGREES, "by the amount, the name and the time")


def test_a_closed_month_is_not_applied_to(shop: Story) -> None:
    closed_months.close(shop.at("2026-04-02 10:00").work, "2026-03")
    before = contents(shop.house)
    written, after = applied(shop, {"payer": "Коваль Олена"})
    assert (written.done, len(written.refused), proposals(after)) == ([], 1, {2: 1})
    assert contents(shop.house) == before


def test_money_sent_is_a_refund_here_or_not_compared(shop: Story) -> None:
    shop.at("2026-03-03 12:00").answer(1)
    paid = {"payer": "Коваль Олена"}
    sent = {"kind": "sent", "payer": "ТОВ Будинок", "text": "оренда"}
    comparison = compared(shop, paid, sent)
    assert comparison.findings == []
    assert [line.number for line in comparison.uncompared] == [3]
    order = invoices.get(shop.house.connection, 1).order_id
    assert shop.at("2026-03-05 12:00").refund(orders.get(shop.house.connection, order), reason="late") == ["succeeded"]
    back = {"kind": "sent", "payer": "Koval Olena", "at": "2026-03-06"}
    assert compared(shop, paid, back).findings == []
    assert [finding.finding for finding in compared(shop, paid, {**sent, "at": "2026-03-06"}).findings] == ["only here"]


def test_payouts_and_fees_are_shown_and_not_compared(shop: Story) -> None:
    comparison = compared(shop, {"kind": "payout", "gateway_id": "po_1"}, {"kind": "fee", "amount": "1.00"})
    assert (comparison.findings, comparison.sums) == ([], [])
    assert [line.kind for line in comparison.uncompared] == ["payout", "fee"]


_PAYERS = st.sampled_from(["Коваль Олена", "Koval O.", "Мельник Іван", "Ivan Melnyk, Olena Koval", "Хтось"])
_LINES = st.fixed_dictionaries(
    {
        "payer": _PAYERS,
        "text": st.sampled_from(["", "рахунок 1", "order 2", "invoice 3", "за березень"]),
        "amount": st.sampled_from(["49.00", "48.00"]),
        "at": st.sampled_from(["2026-03-01", "2026-03-03", "2026-03-03 14:00:01", "2026-02-20", ""]),
        "gateway_id": st.sampled_from(["", "", "T1", "T2"]),
    }
)


@settings(max_examples=12, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(rows=st.lists(_LINES, min_size=1, max_size=5), extra=st.integers(0, 2))
def test_applying_twice_changes_nothing_the_second_time(shop: Story, rows: list[Row], extra: int) -> None:
    shop.house.connection.execute("BEGIN IMMEDIATE")
    try:
        for _ in range(extra):
            shop.at("2026-03-02 10:00").pay(shop.order("7", through="Bank transfer"))
        shop.at("2026-03-20 12:00")
        written, _ = applied(shop, *rows)
        paid = [line.partition(":")[0] for line in written.done]
        assert len(set(paid)) == len(paid) <= len(rows)
        once = contents(shop.house)
        again, _ = applied(shop, *rows)
        assert (again.done, again.fees) == ([], 0)
        assert contents(shop.house) == once
    finally:
        shop.house.connection.execute("ROLLBACK")


def test_an_id_of_another_form_is_no_other_payment(story: Story) -> None:
    """Stripe's balance has ch_ where a payment here has pi_; the amount and the time tell."""
    story.house.offer("49.00", number="7")
    assert story.pay(story.order("7")) == "succeeded"
    paid = invoices.get(story.house.connection, 1)
    story.house.connection.execute("UPDATE invoices SET gateway_id = 'pi_1' WHERE id = 1")
    for id, findings in (("ch_1", []), ("pi_2", ["only there", "only here"])):
        row = {
            "currency": "EUR",
            "gateway_id": id,
            "amount": "49.00",
            "at": time.utc_text(paid.came_at),
            "text": "Course",
        }
        lines = statement.read(io.BytesIO(as_csv(statement.COLUMNS, {}, [row])), zone=story.house.zone)
        asked = ReconcileRequest(
            payment_systems.find(story.house.connection, "Sandbox"), lines, "balance.csv", story.house.zone
        )
        found = compare.compare(story.house.connection, asked, actor=story.house.actor).findings
        assert [finding.finding for finding in found] == findings
