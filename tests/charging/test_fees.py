"""Fees that a payment system reports later: a program on PATH, with a book of its own, that reports them or not yet."""

from __future__ import annotations

from pathlib import Path

import pytest

from salescli.charging.gateway_calls import Limits
from salescli.rules import time
from salescli.sales import closed_months
from tests.story import Story

PROGRAM = """#!/bin/sh
echo "$1" >> "$CALLS"
case $1 in
check) echo '{"version": 1, "kind": "result",
  "capabilities": ["charge", "fee", "idempotent"], "key_ttl_seconds": null}';;
charge) echo '{"version": 1, "kind": "result", "result":
  {"status": "succeeded", "gateway_id": "g1", "amount_minor": 4900, "currency": "EUR"}}';;
fee) cat "$FEE";;
esac
"""
TOLD = (
    '{"version": 1, "kind": "result", "result": {"status": "succeeded", "amount_minor": 4900, "currency": "EUR",'
    ' "fee_minor": 123, "fee_currency": "EUR"}}'
)
NOT_YET = TOLD.replace(', "fee_minor": 123', "")


@pytest.fixture
def later(story: Story, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Story:
    """A story with a payment system that charges at once and reports its fee later, from the file ``fee``."""
    folder = tmp_path / "bin"
    folder.mkdir()
    program = folder / "salescli-gateway-later"
    program.write_text(PROGRAM, encoding="utf-8")
    program.chmod(0o700)
    monkeypatch.setenv("PATH", f"{folder}:/usr/bin:/bin")
    monkeypatch.setenv("CALLS", str(tmp_path / "calls"))
    monkeypatch.setenv("FEE", str(tmp_path / "fee"))
    story.house.payment_system("Later", gateway="command:later", env="CALLS FEE", fee="10")
    story.house.offer("49.00", number="7")
    order = story.order("7", through="Later")
    story.at("2026-03-01 10:00").pay(order)
    return story


def fee(story: Story) -> tuple[int | None, int, str | None]:
    row = story.house.connection.execute("SELECT fee_minor, fee_estimated, fee_due_at FROM invoices").fetchone()
    return row[0], row[1], None if row[2] is None else time.stored_text(row[2])


def lookups(tmp_path: Path) -> int:
    return (tmp_path / "calls").read_text(encoding="utf-8").split().count("fee")


def test_a_fee_is_estimated_until_it_is_told_an_hour_later(later: Story, tmp_path: Path) -> None:
    (tmp_path / "fee").write_text(TOLD, encoding="utf-8")
    later.at("2026-03-01 10:55").tick()
    assert fee(later) == (490, 1, "2026-03-01T09:00:00Z")
    later.at("2026-03-01 11:00").tick()
    assert fee(later) == (123, 0, None)
    later.at("2026-03-01 11:05").tick()
    assert lookups(tmp_path) == 1


def test_a_fee_that_is_never_told_is_asked_for_five_times_in_a_week(later: Story, tmp_path: Path) -> None:
    (tmp_path / "fee").write_text(NOT_YET, encoding="utf-8")
    for day in range(1, 11):
        for hour in (0, 6, 11, 17):
            later.at(f"2026-03-{day:02d} {hour:02d}:00").tick()
    assert fee(later) == (490, 1, None)
    assert lookups(tmp_path) == 5


def test_a_payment_system_that_does_not_answer_is_called_again_by_the_next_tick(later: Story, tmp_path: Path) -> None:
    later.at("2026-03-01 11:00").tick()
    assert fee(later) == (490, 1, "2026-03-01T09:00:00Z")
    (tmp_path / "fee").write_text(TOLD, encoding="utf-8")
    later.at("2026-03-01 11:05").tick()
    assert fee(later) == (123, 0, None)


@pytest.mark.parametrize(
    "reported",
    [
        pytest.param(TOLD.replace("123", "4901"), id="more than the payment"),
        pytest.param(TOLD.replace("123", "-1"), id="less than nothing"),
        pytest.param(TOLD.replace('"fee_currency": "EUR"', '"fee_currency": "XXX"'), id="in what is no currency"),
    ],
)
def test_a_fee_that_cannot_be_one_is_not_taken(later: Story, tmp_path: Path, reported: str) -> None:
    (tmp_path / "fee").write_text(reported, encoding="utf-8")
    later.at("2026-03-01 11:00").tick()
    assert fee(later) == (490, 1, "2026-03-01T14:00:00Z")


def test_a_gateway_that_tells_no_fees_is_not_asked(story: Story) -> None:
    story.house.offer("49.00", number="7")
    story.at("2026-03-01 10:00").pay(story.order("7"))
    story.at("2026-03-01 11:00").tick()
    assert fee(story)[2] is None


def test_a_tick_that_is_told_to_stop_asks_for_no_fee(later: Story, tmp_path: Path) -> None:
    (tmp_path / "fee").write_text(TOLD, encoding="utf-8")
    later.at("2026-03-01 11:00").tick(limits=Limits(stopping=lambda: True))
    assert lookups(tmp_path) == 0


def test_a_fee_that_is_told_when_the_month_is_closed_stays_an_estimate(later: Story, tmp_path: Path) -> None:
    (tmp_path / "fee").write_text(TOLD, encoding="utf-8")
    later.at("2026-04-01 11:00")
    closed_months.close(later.work, "2026-03")
    later.tick()
    assert fee(later) == (490, 1, None)
    assert later.house.history("invoice", 1)[-1]["what"] == "fee reported too late: 2026-03 is closed"


def test_a_fee_in_another_currency_is_kept_as_such(later: Story, tmp_path: Path) -> None:
    told = TOLD.replace('"fee_currency": "EUR"', '"fee_currency": "UAH"').replace("123", "6000")  # more than the amount
    (tmp_path / "fee").write_text(told, encoding="utf-8")
    later.at("2026-03-01 11:00").tick()
    row = later.house.connection.execute("SELECT foreign_fee_minor, foreign_fee_currency FROM invoices").fetchone()
    assert tuple(row) == (6000, "UAH")
    assert fee(later) == (490, 1, None)  # in the payment's currency it stays an estimate, and is asked for no more
    run = later.house.run
    shown = run("payments", "list", "--columns", "foreign_fee,foreign_fee_currency", "--csv", "--no-headers").out
    assert shown == "60.00,UAH\n"
    assert "foreign fee: — → 60.00 UAH" in run("history", "payment", "1").out
    later.at("2026-03-02 12:00").tick()
    assert lookups(tmp_path) == 1
