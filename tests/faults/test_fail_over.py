"""A PostgreSQL server that dies, and its stand-by in its place: nobody is charged twice (I1, I12).

primary <- stand-by, cut off -> a tick that it does not see -> the primary is killed -> promoted -> the next ticks
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest

from salescli.storage import database, home
from tests import postgres_server, terminal
from tests.faults import host_kills
from tests.faults.host_kills import host
from tests.faults.hosts import PLANS, Pair, shop_of


@pytest.fixture
def pair(tmp_path: Path) -> Iterator[Pair]:
    """Run a primary with plans that are due, and have a place for its stand-by."""
    with shop_of(tmp_path) as made:
        yield made


def home_of(pair: Pair) -> str:
    """Return where the shop says that it is at home."""
    return database.setting(pair.connection(), "home") or ""


def charged_after_a_fail_over(pair: Pair, days: int = 1) -> set[int]:
    """Let a stand-by take over that did not see the last days; return how often payments were charged then.

    It ticks at the very time of each payment: one that is late is looked up whatever it knows of a fail-over.
    """
    pair.second.follow(pair.first)  # from here on it is cut off
    for day in range(days):
        pair.now += timedelta(days=min(day, 1))
        assert ended(host(pair, 0)) == 0
    assert len(pair.charges()) == days * PLANS
    pair.first.kill()
    pair.second.start()
    pair.second.promote()
    for _ in range(4):  # the first looks up what was charged
        pair.now = max(pair.now, host_kills.next_due(pair))
        ended(host(pair, 0))
    return {*pair.charges().values()}


def ended(child: int) -> int:
    """Wait for a process and return its exit code."""
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


@pytest.mark.parametrize("days", [1, 3])
def test_what_a_cut_off_stand_by_did_not_see_is_not_charged_again(days: int, pair: Pair) -> None:
    before = home_of(pair)
    assert charged_after_a_fail_over(pair, days) == {1}
    assert len(pair.charges()) == (days + 3) * PLANS
    assert home_of(pair) != before
    assert "adopted" in pair.ran("history", "--limit", "0").out
    assert {row["check"] for row in pair.ran("doctor", "--json").json} <= {"overdue", "tick"}  # by another clock


@pytest.mark.parametrize(
    ("claim", "broken"),
    [
        pytest.param("salescli.storage.home.note_resumed", lambda work: None, id="what is unknown is not noted"),
        pytest.param(
            "salescli.storage.postgres.connection.Connection.home", lambda there: "postgresql:1:1:1", id="no time line"
        ),
    ],
)
def test_without_the_rule_each_of_them_is(claim: str, broken: Callable[..., Any], pair: Pair) -> None:
    with patch(claim, broken):
        database.set_setting(pair.connection(), "home", home.here(pair.connection()))
        assert 2 in charged_after_a_fail_over(pair)


def test_only_tick_notes_it(pair: Pair) -> None:
    pair.second.follow(pair.first)
    pair.first.kill()
    pair.second.start()
    pair.second.promote()
    refused = pair.ran("orders", "pay", pair.open_order)
    assert (refused.code, "a stand-by has taken the place of the server" in refused.err) == (1, True)
    assert ended(host(pair, 0)) == 0
    assert pair.ran("orders", "pay", pair.open_order).code == 0


def test_a_stand_by_can_be_read_and_says_why_nothing_else(pair: Pair) -> None:
    pair.second.follow(pair.first)
    pair.second.start()
    there = terminal.Run(Path(), f"postgresql://{postgres_server.OWNER}@/postgres?host={pair.second.folder}")
    for words in ("orders list", "history", "reports by-offer", "reports details", "reports by-manager --by month"):
        assert there(*words.split()) == terminal.Run(Path(), pair.url)(*words.split()), words
    refused = there("customers", "add", "Nobody")
    assert (refused.code, "this server only follows another one" in refused.err) == (7, True)
    for line in ("tick", "charging status"):
        ran = there(*line.split())
        assert "this server follows another one, from which payments are charged" in ran.out + ran.err
        assert "adopt" not in ran.out + ran.err
    pair.first.kill()
    pair.second.promote()
    assert "a stand-by has taken the place of the server" in there("charging", "status").out


def test_an_old_primary_that_is_rewound_follows_and_takes_over_again(pair: Pair) -> None:
    pair.first.set("wal_keep_size", "1GB")  # pg_rewind reads back to where the two parted
    pair.second.follow(pair.first)
    assert ended(host(pair, 0)) == 0  # which the second does not see
    pair.first.kill()
    pair.second.start()
    pair.second.promote()
    for _ in range(3):
        pair.now = max(pair.now, host_kills.next_due(pair))
        assert ended(host(pair, 0)) == 0
    pair.first.rewind(pair.second)
    pair.first.start()
    pair.second.kill()
    pair.first.promote()
    for _ in range(3):
        pair.now = max(pair.now, host_kills.next_due(pair))
        assert ended(host(pair, 0)) == 0
    assert {*pair.charges().values()} == {1}
    assert pair.ran("history", "--limit", "0").out.count("adopted") == 2


def test_hosts_and_servers_are_killed_and_nobody_is_charged_twice_or_forgotten() -> None:
    counts = host_kills.run(int(os.environ.get("SALESCLI_FAULTS_HOST_KILLS", "4")), seed=3)
    assert (counts.double, counts.forgotten, counts.violations) == ([], [], [])


def test_doctor_says_what_a_fail_over_may_lose(pair: Pair) -> None:
    def said() -> str:
        return "\n".join(row["what"] for row in pair.ran("doctor", "--json").json if row["check"] == "server")

    assert said() == ""
    pair.second.follow(pair.first)
    pair.second.start()
    assert "waits for no stand-by" in said()
    pair.first.set("synchronous_standby_names", "*")
    assert said() == ""
    pair.first.set("synchronous_commit", "off")
    assert "before it is on its disk" in said()
