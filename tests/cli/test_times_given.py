"""Times that people give with --at: when something happened, which is past and not before what it follows."""

from __future__ import annotations

import shlex
from datetime import datetime, timezone

import pytest

from tests.story import Story


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
    "orders refund": "orders refund 1 --record-only --reason there --at {}",
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
    assert shop.house.count("history", "at > '2027'") == 0


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
    assert shop.house.count("invoices", "paid_at < '2026-01-10T10' OR attempted_at < '2026-01-10T10'") == 0


def test_a_record_whose_time_cannot_be_keeps_no_other_from_it(shop: Story) -> None:
    shop.at("2026-01-20 12:00")
    shop.pay(shop.order("7", through="Bank transfer"), amount="30.00")
    ran = shop.house.run("payments", "confirm", "1", "2", "--at", "2026-01-15", "--keep-going", "--yes")
    assert (ran.code, shop.house.count("invoices", "paid_on = '2026-01-15'")) == (5, 1), ran.err
    assert "invoice 2: order 2 was made at 2026-01-20 12:00:00" in ran.err


def test_a_payment_without_a_time_is_of_now(shop: Story) -> None:
    assert shop.house.run("payments", "confirm", "1").code == 0
    today = datetime.now(timezone.utc).isoformat()[:10]
    assert shop.house.count("invoices", f"paid_at LIKE '{today}%'") == 1
