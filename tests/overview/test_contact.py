"""Wherever a person is to act, the message names the customer and says how to reach them."""

from __future__ import annotations

import pytest

from salescli.charging import recover
from salescli.charging.due_payments import ChargingRun
from salescli.overview import doctor
from tests.story import Story

WHO = "Олена Коваленко, olena@example.com"


@pytest.fixture
def begun(story: Story) -> Story:
    story.house.offer("49.00", number="7", every="1 month")
    return story


def test_a_failed_payment_is_told_by_name(begun: Story) -> None:
    begun.subscribed("7", token="tok_card_declined")
    told: list[str] = []
    for moment in ("2026-02-28 10:05", "2026-02-28 18:10", "2026-03-01 18:15"):
        told += begun.at(moment).tick().for_a_person
    assert [line.partition(" failed: ")[0] for line in told] == [f"recurring order 1 ({WHO})"]
    found = [each.what for each in doctor.examine(begun.house.connection, begun.now, begun.house.zone)]
    assert any(line.startswith(f"recurring order 1 ({WHO}) failed: ") for line in found)
    assert f"The customer is {WHO}.\n" in begun.house.run("explain", "recurring", "1").out
    assert f"The customer is {WHO}.\n" in begun.house.run("explain", "order", "2").out
    assert f"The customer is {WHO}.\n" in begun.house.run("explain", "invoice", "2").out


def test_a_manual_payment_that_waits_is_told_by_name(begun: Story) -> None:
    begun.pay(begun.order("7", through="Bank transfer"))
    begun.answer(1)
    told = begun.at("2026-02-28 10:05").tick().for_a_person
    assert told == [
        f"recurring order 1 ({WHO}): payment 2 of 49.00 EUR waits for a person: salescli payments confirm 2"
    ]


def test_an_unknown_outcome_is_told_by_the_name_that_was_kept(begun: Story) -> None:
    assert begun.pay(begun.order("7"), token="tok_timeout_after_charge", payment_system="Sandbox") == "unknown"
    begun.house.customer("О. Коваленко")
    begun.house.connection.execute("UPDATE attempts SET customer_id = 2, started_at = 1767225600")
    begun.house.connection.execute("UPDATE customers SET merged_into = 1 WHERE id = 2")
    run = ChargingRun(begun.work.as_system(), begun.gateway, print)
    recover.report_unknown(run)
    assert run.counts.for_a_person[0].startswith(f"invoice 1 ({WHO}) has had an unknown outcome since")
