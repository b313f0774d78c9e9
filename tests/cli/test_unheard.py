"""Commands that move money go on when nobody hears them: a pipe that closed, a full disk. They settle, and exit 1."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable

import pytest

from tests.conftest import House
from tests.story import Story

Opened = Callable[[], int]


def _closed_pipe() -> int:
    reading, writing = os.pipe()
    os.close(reading)
    return writing


def _full_disk() -> int:
    return os.open("/dev/full", os.O_WRONLY)


unheard = pytest.mark.parametrize(
    "opened", [pytest.param(_closed_pipe, id="a closed pipe"), pytest.param(_full_disk, id="a full disk")]
)


def _run(house: House, opened: Opened, *words: str) -> subprocess.CompletedProcess[str]:
    """Run a command whose stdout cannot be written."""
    out = opened()
    try:
        line = [sys.executable, "-m", "salescli", "--db", house.run.named, *words]
        return subprocess.run(line, stdout=out, stderr=subprocess.PIPE, text=True, timeout=60)
    finally:
        os.close(out)


@unheard
def test_a_tick_that_cannot_talk_charges_and_settles_all(story: Story, opened: Opened) -> None:
    story.house.offer("49.00", number="7", every="1 month", payments="12")
    for _ in range(60):
        story.subscribed("7")

    ran = _run(story.house, opened, "tick", "-v", "--now", "2026-06-28 10:30")

    assert ran.returncode == 1
    assert "output could not be written" in ran.stderr
    assert story.house.count("attempts", "status = 'live'") == 0
    assert story.house.count("attempts", "recurring_id IS NOT NULL AND status = 'succeeded'") == 60


@unheard
def test_a_tick_that_cannot_even_complain_charges_and_settles_all(story: Story, opened: Opened) -> None:
    story.house.offer("49.00", number="7", every="1 month", payments="12")
    story.subscribed("7")
    out = opened()

    line = [sys.executable, "-m", "salescli", "--db", story.house.run.named, "tick", "-v", "--now", "2026-06-28 10:30"]
    ran = subprocess.run(line, stdout=out, stderr=out, timeout=60)

    os.close(out)
    assert ran.returncode == 1
    assert story.house.count("attempts", "status = 'live'") == 0
    assert story.house.count("attempts", "recurring_id IS NOT NULL AND status = 'succeeded'") == 1


@unheard
def test_a_payment_and_a_refund_are_made_and_the_exit_code_says_that_nobody_heard(house: House, opened: Opened) -> None:
    house.offer("49.00", number="7")
    house.customer(email="olena@example.com")
    house.payment_system("Sandbox", gateway="sandbox")
    order = ["orders", "new", "olena@example.com", "7", "--payment-system", "Sandbox", "--token", "tok_ok"]
    assert house.run(*order).code == 0

    assert _run(house, opened, "orders", "pay", "1").returncode == 1
    assert house.count("invoices", "status = 'completed'") == 1
    assert _run(house, opened, "orders", "refund", "1", "--yes").returncode == 1
    assert house.count("invoices", "status = 'refund'") == 1


def test_a_list_that_was_read_enough_of_is_no_failure(house: House) -> None:
    assert _run(house, _closed_pipe, "orders", "list").returncode == 0
