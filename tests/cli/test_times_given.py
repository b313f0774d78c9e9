"""Times that people give with --at: when something happened, which is past and not before what it follows."""

from __future__ import annotations

import shlex
from datetime import datetime, timedelta, timezone

import pytest

from salescli.charging import refund
from salescli.charging.refund import NewRefund
from salescli.errors import BadUsage
from salescli.gateways.protocol import OutcomeUnknown, Result
from salescli.gateways.sandbox import Sandbox
from salescli.rules import time
from tests.story import Story


class _Silent(Sandbox):
    """A payment system that does not answer to a refund."""

    def refund(self, gateway_id: str, reference: str, amount_minor: int) -> Result:
        raise OutcomeUnknown("no answer")


@pytest.fixture
def shop(story: Story) -> Story:
    """An order of 10 January that waits for its bank transfer, of an offer with partial payments."""
    story.house.offer("49.00", number="7", partial_min="1", partial_success="50")
    story.at("2026-01-10 12:00")
    order = story.order("7", through="Bank transfer")
    story.pay(order, amount="30.00")
    return story


HAPPENED = {
    "orders new": "orders new 1 7 --at {}",
    "orders pay": 'orders pay 2 --amount 10.00 --payment-system "Bank transfer" --at {}',
    "orders confirm": "orders confirm 1 --at {}",
    "orders refund": "orders refund 1 --reason cash --at {}",
    "orders refund --record-only": "orders refund 1 --record-only --reason there --at {}",
    "payments confirm": "payments confirm 1 --at {}",
    "payments decline": "payments decline 1 --at {}",
    "customers plan": "customers plan 1 7 --manager ivan --at {}",
}


@pytest.mark.parametrize("line", HAPPENED.values(), ids=HAPPENED)
def test_what_happened_is_never_in_the_future(shop: Story, line: str) -> None:
    shop.house.user("ivan", name="Іван")
    shop.order("7", through="Bank transfer")
    ran = shop.house.run(*shlex.split(line.format("2062-12-31")))
    assert (ran.code, "--at 2062-12-31 is in the future" in ran.err) == (2, True), ran.err
    assert shop.house.count("history", "at > 1798761600") == 0


def test_a_refund_by_hand_counts_on_its_day(shop: Story) -> None:
    shop.answer(1)
    shop.house.run("orders", "decline", "1", "--yes")
    shop.at("2026-02-03 12:00")
    words = ("orders", "refund", "1", "--reason", "by bank", "--yes", "--at")
    early = shop.house.run(*words, "2026-01-09")
    assert (early.code, "invoice 1 was paid at 2026-01-10 12:00:00" in early.err) == (6, True)

    ran = shop.house.run(*words, "2026-01-31")
    assert ran.code == 0, ran.err
    assert shop.house.count("refunds", "refunded_on = 20260131") == 1


def test_a_refund_that_a_gateway_makes_now_has_no_other_date(shop: Story) -> None:
    order = shop.order("7")
    shop.pay(order)
    shop.house.connection.execute("UPDATE payment_systems SET gateway = 'command:bank' WHERE name = 'Sandbox'")
    yesterday = shop.work.at(shop.now - timedelta(days=1))
    with pytest.raises(BadUsage, match="Sandbox returns the money now, so the refund cannot have another date"):
        refund.refund(yesterday, order.id, NewRefund(), gateways=lambda system: shop.ledger)
    assert shop.house.count("attempts", "kind = 'refund'") == 0


def test_a_refund_resolved_later_was_made_when_it_was_sent(shop: Story) -> None:
    order = shop.order("7")
    shop.pay(order)
    silent = _Silent(shop.house.path.with_name(f"{shop.house.path.name}.sandbox"))
    refund.refund(shop.work, order.id, NewRefund(), gateways=lambda system: silent)
    shop.at("2026-02-03 12:00")
    ran = shop.house.run("payments", "resolve", "2", "--succeeded", "--reason", "in the statement")
    assert (ran.code, shop.house.count("refunds", "refunded_on = 20260110")) == (0, 1), ran.err


def test_an_order_is_confirmed_on_the_day_that_a_person_gives(shop: Story) -> None:
    shop.answer(1)
    early = shop.house.run("orders", "confirm", "1", "--at", "2026-01-09")
    assert (early.code, "was made at 2026-01-10 12:00:00" in early.err) == (6, True)
    ran = shop.house.run("orders", "confirm", "1", "--at", "2026-01-31")
    assert ran.code == 0, ran.err
    assert shop.house.count("orders", "completed_on = 20260131") == 1


def test_yes_confirms_a_payment_that_was_made_in_parts(shop: Story) -> None:
    shop.answer(1)
    assert shop.house.run.typed("orders", "confirm", "1", "--yes").endswith("not confirmed\n")
    assert shop.house.count("orders", "status = 'completed'") == 1


def test_an_order_is_not_confirmed_before_its_last_payment(shop: Story) -> None:
    shop.at("2026-01-12 12:00").answer(1)
    early = shop.house.run("orders", "confirm", "1", "--at", "2026-01-11")
    assert (early.code, "was last paid at 2026-01-12 12:00:00" in early.err) == (6, True)


def test_whose_sale_it_was_has_no_time(shop: Story) -> None:
    ran = shop.house.run("orders", "confirm", "1", "--system", "--at", "2026-01-11")
    assert (ran.code, "a sale is confirmed now" in ran.err) == (2, True)


@pytest.mark.parametrize(
    "line",
    [
        'orders pay 2 --amount 10.00 --payment-system "Bank transfer" --at {}',
        "payments confirm 1 --at {}",
        "payments decline 1 --at {}",
    ],
)
def test_nothing_happened_to_an_order_before_it_was_made(shop: Story, line: str) -> None:
    shop.order("7", through="Bank transfer")
    ran = shop.house.run(*shlex.split(line.format('"2026-01-10 11:59"')))
    assert (ran.code, ran.out) == (6, ""), ran.err
    assert "was made at 2026-01-10 12:00:00; the time given is before that" in ran.err
    ran = shop.house.run(*shlex.split(line.format("2026-01-10")))  # the day alone means after it
    assert ran.code == 0, ran.err
    first = time.stored(datetime(2026, 1, 10, 10, tzinfo=timezone.utc))  # noon in Kyiv
    assert shop.house.count("invoices", f"paid_at < {first} OR attempted_at < {first}") == 0


def test_a_record_whose_time_cannot_be_keeps_no_other_from_it(shop: Story) -> None:
    shop.at("2026-01-20 12:00")
    shop.pay(shop.order("7", through="Bank transfer"), amount="30.00")
    ran = shop.house.run("payments", "confirm", "1", "2", "--at", "2026-01-15", "--keep-going", "--yes")
    assert (ran.code, shop.house.count("invoices", "paid_on = 20260115")) == (5, 1), ran.err
    assert "invoice 2: order 2 was made at 2026-01-20 12:00:00" in ran.err


def test_a_payment_without_a_time_is_of_now(shop: Story) -> None:
    assert shop.house.run("payments", "confirm", "1").code == 0
    today = time.stored(time.now()) // 86_400
    assert shop.house.count("invoices", f"paid_at / 86400 = {today}") == 1
