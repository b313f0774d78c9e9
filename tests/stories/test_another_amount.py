"""Money that is not the amount asked for: less leaves a rest or is written off, more becomes credit."""

from __future__ import annotations

import pytest

from salescli.overview import doctor
from tests.importing import as_csv
from tests.story import Story
from tests.terminal import Ran


@pytest.fixture
def shop(story: Story) -> Story:
    """Order 1 of 100.00 whose invoice 1 waits for the bank, and a course for 20.00."""
    story.house.offer("100.00", number="5", name="Drawing")
    story.house.offer("20.00", number="6", name="Sketching")
    story.house.offer("49.00", number="7", name="Club", every="1 month")
    story.at("2026-03-01 12:00")
    story.pay(story.order("5", through="Bank transfer"))
    return story


def done(ran: Ran) -> str:
    assert ran.code == 0, ran.err
    return ran.out


def sound(story: Story) -> bool:
    return doctor.damage(story.house.connection) == "" and "totals" not in story.house.run("doctor").out


def confirm(story: Story, *words: str) -> Ran:
    return story.house.run("payments", "confirm", *words, "--at", "2026-03-02")


def card(story: Story) -> str:
    return done(story.house.run("customers", "show", "1", "--json"))


def test_a_short_payment_leaves_the_rest_due(shop: Story) -> None:
    said = done(confirm(shop, "1", "--amount", "95.00"))
    assert "95.00 EUR paid; order 1 is Open, 5.00 EUR is left" in said

    for invoice in ("2", "3"):  # it is paid in parts now
        done(shop.house.run("orders", "pay", "1", *(("--amount", "1.00") if invoice == "2" else ())))
        done(confirm(shop, invoice))

    assert shop.invoices(1) == [("completed", 9_500), ("completed", 100), ("completed", 400)]
    assert shop.house.count("orders", "status = 'completed'") == 1
    assert sound(shop)


def test_an_order_with_a_short_payment_can_be_declined_and_its_money_returned(shop: Story) -> None:
    done(confirm(shop, "1", "--amount", "95.00"))
    done(shop.house.run("orders", "decline", "1", "--reason", "she gave up"))
    said = done(shop.house.run("orders", "refund", "1", "--reason", "sent back", "--yes"))
    assert "all of 95.00 EUR went back" in said


def test_a_small_rest_is_written_off(shop: Story) -> None:
    said = done(confirm(shop, "1", "--amount", "95.00", "--write-off", "fee of her bank"))
    assert "order 1 is Completed" in said
    tied = shop.house.run("reports", "by-payment-system", "--on", "2026-03-02")
    assert "written off below the price 5.00" in " ".join(tied.err.split())
    assert "above the price" not in tied.err
    assert "95.00" in tied.out
    assert "fee of her bank" in done(shop.house.run("history", "invoice", "1"))
    assert sound(shop)


def test_more_is_credit_that_another_order_takes(shop: Story) -> None:
    said = done(confirm(shop, "1", "--amount", "105.00"))
    assert "order 1 is Completed; 5.00 EUR is credit of the customer" in said
    assert '"credit": 5.00' in card(shop) or '"credit": "5.00"' in card(shop)
    other = str(shop.order("6", through="Bank transfer").id)

    rehearsed = done(shop.house.run("orders", "pay", other, "--credit", "-n"))
    assert "15.00" not in rehearsed
    paid = done(shop.house.run("orders", "pay", other, "--credit", "--at", "2026-03-03"))

    assert "invoice 2: 5.00 EUR, credit of invoice 1" in paid
    assert f"order {other} is Open, 5.00 EUR of 20.00 EUR paid" in paid
    assert shop.invoices(1) == [("completed", 10_500)]
    again = shop.house.run("orders", "pay", other, "--credit")
    assert (again.code, "has no credit in EUR" in again.err) == (5, True)
    for day, sums in (("2026-03-02", ("105.00", "0.00", "105.00")), ("2026-03-03", ("5.00", "5.00", "0.00"))):
        columns = "gross,refunded,net"
        found = shop.house.run(
            "reports", "by-payment-system", "--on", day, "--csv", "--no-headers", "--columns", columns
        )
        assert found.out.split() == [",".join(sums)]
    assert sound(shop)


def test_credit_goes_back_as_a_refund(shop: Story) -> None:
    done(confirm(shop, "1", "--amount", "105.00"))
    done(shop.house.run("orders", "refund", "1", "--amount", "5.00", "--reason", "sent back", "--yes"))
    other = str(shop.order("6").id)
    assert "has no credit" in shop.house.run("orders", "pay", other, "--credit").err
    assert shop.house.count("orders", "id = 1 AND status = 'completed'") == 1


def test_the_bank_statement_agrees_with_what_came_and_knows_nothing_of_credit(shop: Story) -> None:
    done(confirm(shop, "1", "--amount", "105.00"))
    other = str(shop.order("6", through="Bank transfer").id)
    done(shop.house.run("orders", "pay", other, "--credit", "--at", "2026-03-02"))
    columns = ("invoice", "amount", "currency", "at")
    statement = as_csv(columns, {"invoice": "1", "amount": "105.00", "currency": "EUR", "at": "2026-03-02"}, [{}])
    (shop.house.path.parent / "bank.csv").write_bytes(statement)
    compared = shop.house.run(
        "reconcile", str(shop.house.path.parent / "bank.csv"), "--payment-system", "Bank transfer",
        "--from", "2026-03-01", "--to", "2026-03-31",
    )  # fmt: skip
    assert compared.code == 0, compared.out + compared.err


def test_an_instalment_of_more_pays_more_of_the_order(shop: Story) -> None:
    shop.house.offer("100.00", number="8", partial_min="10", partial_success="50")
    order = shop.order("8", through="Bank transfer")
    shop.pay(order, amount="30.00")
    done(confirm(shop, "2", "--amount", "40.00"))
    assert shop.see(order).paid_minor == 4_000
    assert '"credit": "0.00"' in card(shop) or '"credit": 0' in card(shop)


def test_a_payment_of_a_plan_is_whole(shop: Story) -> None:
    shop.pay(shop.order("7", through="Bank transfer"))
    done(confirm(shop, "2"))
    shop.at("2026-04-02 13:00").tick()
    short = shop.house.run("payments", "confirm", "3", "--amount", "40.00", "--at", "2026-04-03")
    assert (short.code, "which is made whole" in short.err) == (6, True), short.err
    written_off = shop.house.run(
        "payments", "confirm", "3", "--amount", "48.00", "--write-off", "fee", "--at", "2026-04-03"
    )
    done(written_off)
    assert shop.plan(1).payments_made == 2
    assert sound(shop)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        pytest.param(("1", "--amount", "0"), "payments decline", id="nothing"),
        pytest.param(("1", "--amount", "94.99", "--write-off", "x"), "at most 5 %", id="too much to write off"),
        pytest.param(("1", "--amount", "100.00", "--write-off", "x"), "nothing is missing", id="nothing to write off"),
        pytest.param(("1", "--write-off", "x"), "needs --amount", id="no amount"),
        pytest.param(("1", "1", "--amount", "5.00"), "of one invoice", id="of several"),
        pytest.param(("1", "--amount", "-5.00"), "", id="negative"),
    ],
)
def test_what_cannot_be_recorded_is_refused(shop: Story, words: tuple[str, ...], said: str) -> None:
    refused = confirm(shop, *words)
    assert (refused.code in (2, 6), said in refused.err) == (True, True), refused.err
    assert shop.invoices(1) == [("open", 10_000)]


def test_reconcile_says_how_to_record_another_amount(shop: Story) -> None:
    columns = ("invoice", "amount", "currency", "at")
    statement = as_csv(columns, {"invoice": "1", "amount": "95.00", "currency": "EUR", "at": "2026-03-02"}, [{}])
    (shop.house.path.parent / "bank.csv").write_bytes(statement)
    compared = shop.house.run(
        "reconcile", str(shop.house.path.parent / "bank.csv"), "--payment-system", "Bank transfer", "--json"
    )
    assert "payments confirm 1 --amount 95.00 --at 2026-03-0" in compared.out
