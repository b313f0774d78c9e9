"""Real processes, killed with SIGKILL at any moment; the gateway's own ledger is the judge (B1)."""

from __future__ import annotations

import random
import sqlite3
import subprocess
import sys
import time
from collections import Counter
from contextlib import closing

import pytest

from tests.story import Story

DUE = 30


@pytest.mark.of_files("on a server, as in test_hosts.py, a killed tick's payments wait for the end of its lease")
def test_ticks_killed_at_any_moment_charge_each_payment_once_and_forget_none(story: Story) -> None:
    story.house.offer("49.00", number="7", every="1 month", payments="12")
    for _ in range(DUE):
        story.subscribed("7")
    chance = random.Random(7)
    kills = 0
    for run in range(60):
        calls = chance.randrange(6)  # however quick the machine is, a run is killed soon after so many
        before = _calls(story)
        process = _tick(story, run)
        while calls and process.poll() is None and _calls(story) < before + calls:
            time.sleep(0.001)
        time.sleep(chance.random() * (0.02 if calls else 0.25))
        if process.poll() is None:
            process.kill()
            kills += 1
        process.wait()
        if _left(story) == 0:
            break
    assert _tick(story, 60).wait(timeout=60) == 0
    assert kills >= 3, "no run was killed in the middle; nothing was shown"
    assert _left(story) == 0
    charged = Counter(payments_in_the_ledger(story))
    assert len(charged) == 2 * DUE  # the first payment and the second of each
    assert set(charged.values()) == {1}
    assert story.house.connection.execute("PRAGMA integrity_check").fetchone()[0] == "ok"
    assert story.house.connection.execute("PRAGMA foreign_key_check").fetchall() == []


def _tick(story: Story, run: int) -> subprocess.Popen[bytes]:
    """Start the ``run``-th tick, each ten minutes after the one before it."""
    now = f"2026-02-28 {10 + run // 6}:{run % 6}0"
    line = [sys.executable, "-m", "salescli", "--db", str(story.house.path), "tick", "--now", now]
    return subprocess.Popen(line, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def _left(story: Story) -> int:
    return story.house.count("recurring", "payments_made < 2")


def _calls(story: Story) -> int:
    """Return how many calls the gateway has had."""
    with closing(sqlite3.connect(f"{story.house.path}.sandbox")) as ledger:
        return int(ledger.execute("SELECT count(*) FROM calls").fetchone()[0])


def payments_in_the_ledger(story: Story) -> list[str]:
    """Return the payment of each success at the gateway: its reference without the attempt."""
    with sqlite3.connect(f"{story.house.path}.sandbox") as ledger:
        rows = ledger.execute("SELECT reference FROM entries WHERE kind = 'charge' AND status = 'succeeded'")
        return [reference.rpartition(":")[0] for (reference,) in rows]
