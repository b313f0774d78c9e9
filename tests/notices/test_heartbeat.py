"""The dead scheduler: a sign of life after each good tick, by a URL or in a file that another machine reads."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from salescli.charging import limits
from salescli.notices import heartbeat
from salescli.rules import time
from tests.notices import receivers
from tests.notices.receivers import Webhook
from tests.story import Story
from tests.terminal import Run


@pytest.fixture
def switch() -> Iterator[Webhook]:
    with receivers.webhook() as kept:
        yield kept


def test_a_good_tick_pings_and_writes_and_a_monitor_without_a_database_reads(
    story: Story, switch: Webhook, tmp_path: Path
) -> None:
    beat = tmp_path / "beat"
    assert story.house.run("tick", "--ping", switch.url, "--heartbeat", beat).err == ""
    assert switch.pings == 1
    elsewhere = Run(tmp_path / "no.db")
    assert elsewhere("doctor", "--watch", beat).code == 0
    assert elsewhere("doctor", "--watch", "-", stdin=beat.read_text()).code == 0
    assert not (tmp_path / "no.db").exists()


@pytest.mark.parametrize(
    ("ago", "said"),
    [
        (timedelta(minutes=16), "(16 minutes ago); is cron running?"),
        (timedelta(days=3), "(3 days ago)"),
        (-timedelta(hours=1), "is a clock wrong?"),
    ],
)
def test_an_old_sign_of_life_is_an_alarm(run: Run, tmp_path: Path, ago: timedelta, said: str) -> None:
    heartbeat.write(tmp_path / "beat", "x", time.now() - ago)
    ran = run("doctor", "--watch", tmp_path / "beat")
    assert (ran.code, said in ran.err) == (1, True), ran.err


@pytest.mark.parametrize("content", ["", "{}", "[]", '{"last_good_tick": "today"}', '{"last_good_tick": 5}'])
def test_another_file_is_no_sign_of_life(run: Run, tmp_path: Path, content: str) -> None:
    (tmp_path / "beat").write_text(content)
    assert run("doctor", "--watch", tmp_path / "beat").code == 6
    assert run("doctor", "--watch", tmp_path / "none").code == 6


def test_a_tick_that_is_not_good_gives_no_sign(story: Story, switch: Webhook, tmp_path: Path) -> None:
    beat = tmp_path / "beat"
    story.house.offer("49.00", number="7", every="1 month")
    story.subscribed("7")
    story.house.connection.execute("UPDATE settings SET value = 'elsewhere' WHERE name = 'home'")
    assert story.house.run("tick", "--ping", switch.url, "--heartbeat", beat).code != 0
    assert (switch.pings, beat.exists()) == (0, False)


def test_a_switch_that_does_not_answer_is_said_without_its_secret_path_and_is_no_failure(
    story: Story, switch: Webhook
) -> None:
    switch.status = 500
    ran = story.house.run("tick", "--ping", switch.url)
    assert (ran.code, ran.err) == (0, "ping of 127.0.0.1: it answered 500\n")
    assert story.house.run("tick", "--ping", "hc.example.com").code == 2


def test_charging_that_is_off_still_gives_a_sign(story: Story, tmp_path: Path) -> None:
    """The scheduler lives; that charging is off is what doctor says."""
    limits.turn_off(story.work, "a pause")
    assert story.house.run("tick", "--heartbeat", tmp_path / "beat").code == 0
    assert json.loads((tmp_path / "beat").read_text())["last_good_tick"]
