"""Stories of refunds and disputes that were made in the payment system itself: each is recorded once."""

from __future__ import annotations

from datetime import timedelta

import pytest

from salescli.charging import refund
from salescli.charging.refund import MadeOutside, NewRefund
from salescli.errors import BadData, BadUsage, NotPermitted, WrongStatus
from salescli.overview import doctor
from salescli.rules import time
from salescli.sales.orders import Order
from tests.story import Story


def sold(story: Story, **more: str) -> Order:
    """Sell a course of 49.00."""
    if not story.house.count("offers"):
        story.house.offer("49.00", number="7")
    order = story.order("7", **more)
    story.pay(order)
    return order


def well(story: Story) -> None:
    """Hold that doctor's sums agree."""
    assert [
        f for f in doctor.examine(story.house.connection, story.now, story.house.zone) if "do not" in f.advice
    ] == []


def recorded(story: Story) -> list[tuple[int, str, str]]:
    """Return amount, day and kind of every refund."""
    rows = story.house.connection.execute("SELECT amount_minor, refunded_on, kind FROM refunds ORDER BY id")
    return [tuple(row) for row in rows]


def record(story: Story, order: Order, at: str, reason: str | None = "seen there", **more: str) -> None:
    """Record a refund that was made outside."""
    wanted = {name: more.pop(name) for name in ("amount",) if name in more}
    made = MadeOutside(time.parse_time(at, story.house.zone), **more)  # type: ignore[arg-type]
    refund.record(story.work, order.id, NewRefund(**wanted, reason=reason), made)


def test_a_refund_made_elsewhere_is_recorded_on_its_day_and_asks_no_gateway(story: Story) -> None:
    order = sold(story)
    story.at("2026-02-20 10:00")
    record(story, order, "2026-02-03 09:00", amount="20.00")
    assert recorded(story) == [(2000, "2026-02-03", "refund")]
    assert story.see(order).status == "completed"
    record(story, order, "2026-02-05", amount="29.00")
    assert story.see(order).status == "refund"
    with story.ledger._opened() as ledger:
        assert ledger.execute("SELECT count(*) FROM calls WHERE op = 'refund'").fetchone()[0] == 0
    line = story.house.history("invoice", 1)[-2]
    assert (line["what"], line["reason"], line["changes"]["refunded_minor"]) == ("refunded", "seen there", [0, 2000])
    well(story)


def test_a_manual_payments_refund_is_recorded_too(story: Story) -> None:
    order = sold(story, through="Bank transfer")
    story.answer(1)
    story.at("2026-02-20 10:00")
    record(story, order, "2026-02-03 09:00")
    assert (recorded(story), story.see(order).status) == ([(4900, "2026-02-03", "refund")], "refund")


def test_what_cannot_be_is_refused(story: Story) -> None:
    order = sold(story)
    story.at("2026-02-20 10:00")
    with pytest.raises(BadUsage, match="--reason"):
        record(story, order, "2026-02-03 09:00", reason=None)
    with pytest.raises(BadUsage, match="in the future"):
        record(story, order, "2026-02-21")
    with pytest.raises(BadData, match="was paid at 2026-01-31 10:00:00"):
        record(story, order, "2026-01-31 09:59")
    with pytest.raises(BadData, match="more than the 49.00 EUR"):
        record(story, order, "2026-02-03", amount="49.01")
    assert recorded(story) == []
    record(story, order, "2026-01-31", amount="1.00")  # the day alone: after the payment
    assert story.house.connection.execute("SELECT refunded_at FROM refunds").fetchone()[0] == "2026-01-31T08:00:00Z"


def test_the_same_refund_is_recorded_once_unless_its_number_is_another(story: Story) -> None:
    order = sold(story)
    story.at("2026-02-20 10:00")
    record(story, order, "2026-02-03 09:00", amount="10.00")
    with pytest.raises(WrongStatus, match="is recorded already, as of 2026-02-03 09:00:00"):
        record(story, order, "2026-02-03 18:00", amount="10.00")
    record(story, order, "2026-02-03 18:00", amount="10.00", gateway_id="re_2")
    with pytest.raises(WrongStatus, match="is recorded already"):
        record(story, order, "2026-02-09 18:00", amount="10.00", gateway_id="re_2")
    record(story, order, "2026-02-05 09:00", amount="10.00")
    assert len(recorded(story)) == 3


def test_recording_needs_the_permission_to_refund(story: Story) -> None:
    order = sold(story)
    maria = story.house.user("maria", name="Марія", role="manager")
    made = MadeOutside(story.now)
    with pytest.raises(NotPermitted):
        refund.record(story.work.__class__(story.house.connection, maria, story.now, story.house.zone), order.id,
                      NewRefund(reason="seen"), made)  # fmt: skip
    assert recorded(story) == []


def test_no_refund_is_recorded_while_ours_is_under_way(story: Story) -> None:
    order = sold(story)
    story.house.connection.execute(
        "INSERT INTO attempts (kind, invoice_id, customer_id, number, reference, payment_system_id, amount_minor,"
        " currency, status, owned_at, started_at) SELECT 'refund', 1, 1, 1, 'ours', 1, 4900, 'EUR', 'live', started_at,"
        " started_at FROM attempts"
    )
    story.now += timedelta(days=1)
    with pytest.raises(WrongStatus, match="under way|unknown"):
        record(story, order, "2026-02-01 09:00")


def test_the_command_records_rehearses_and_refuses(story: Story) -> None:
    sold(story)
    line = ("orders", "refund", "1", "--record-only", "--at", "2026-02-03", "--amount", "20.00")
    assert story.house.run(*line, "--yes").code == 2
    tried = story.house.run(*line, "--reason", "there", "--dry-run")
    assert (tried.code, recorded(story)) == (0, [])
    assert "20.00 EUR of invoice 1: recorded" in tried.out
    done = story.house.run(*line, "--reason", "there", "--yes")
    assert (done.code, recorded(story)) == (0, [(2000, "2026-02-03", "refund")])
    assert "order 1 is Completed" in done.out
    assert story.house.run("orders", "refund", "1", "--at", "2026-02-03", "--yes").code == 2


def test_a_dispute_that_was_lost_can_be_recorded_by_hand(story: Story) -> None:
    order = sold(story)
    story.at("2026-02-20 10:00")
    made = MadeOutside(story.now, dispute=True)
    refund.record(story.work, order.id, NewRefund(reason="letter of the bank"), made)
    assert (recorded(story), story.see(order).status) == ([(4900, "2026-02-20", "dispute")], "refund")
    assert story.house.history("invoice", 1)[-1]["what"] == "dispute lost"
    well(story)
