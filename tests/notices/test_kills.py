"""Real processes of tick and notify killed with SIGKILL at any moment; the receiver's own notes are the judge.

More kills: SALESCLI_NOTICE_KILLS=1000 python -m pytest tests/notices/test_kills.py
"""

from __future__ import annotations

import os
import random
import subprocess
import sys
import time
from datetime import timedelta

from salescli.notices import events, hooks
from salescli.notices.hooks import NewHook
from salescli.rules import time as times
from tests.notices import receivers
from tests.story import Story

KILLS = int(os.environ.get("SALESCLI_NOTICE_KILLS", "6"))
PLANS = 6


def test_a_receiver_that_keeps_numbers_has_each_event_once_and_misses_none(story: Story) -> None:
    story.house.offer("1.00", number="7", name="Club", every="1 day")
    for _ in range(PLANS):
        story.subscribed("7")
    begun = events.last(story.house.connection)
    chance = random.Random(5)
    kills = 0
    with receivers.webhook() as kept:
        hooks.add(story.work, NewHook("h", "webhook", kept.url))
        while kills < KILLS:
            story.now += timedelta(days=1, minutes=1)
            tick = _start(story, "tick", "--now", times.utc_text(story.now), "--workers", "4")
            other = _start(story, "notify") if chance.random() < 0.3 else None
            kills += _killed(tick, kept, chance)
            if other is not None:
                kills += _killed(other, kept, chance)
        for _ in range(3):  # what is left, beside the pause of a hook whose delivery was cut
            story.house.connection.execute("UPDATE hooks SET next_try_at = NULL")
            assert _start(story, "notify").wait(timeout=120) in (0, 75)
    numbers: list[int] = []
    for event in kept.events:
        if not numbers or event["event"] > numbers[-1]:  # as a receiver does that keeps the last number
            numbers.append(event["event"])
        else:
            assert event["event"] == numbers[-1], "an event came again after a later one"
    assert numbers == [event["event"] for event in events.after(story.house.connection, begun)]
    assert len(kept.events) - len(numbers) <= kills


def _start(story: Story, *words: str) -> subprocess.Popen[bytes]:
    line = [sys.executable, "-m", "salescli", "--db", str(story.house.path), *words]
    return subprocess.Popen(line, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def _killed(process: subprocess.Popen[bytes], kept: receivers.Webhook, chance: random.Random) -> int:
    """Kill a process at random: early, or soon after some deliveries. Return 1 if it was still at work."""
    before, deliveries = len(kept.requests), chance.randrange(8)
    while deliveries and process.poll() is None and len(kept.requests) < before + deliveries:
        time.sleep(0.001)
    time.sleep(chance.random() * (0.01 if deliveries else 0.6))
    at_work = process.poll() is None
    process.kill()
    process.wait()
    return int(at_work)
