"""A simulation is what tick really does, and neither the file nor any gateway of it ever knows of it."""

from __future__ import annotations

import hashlib
import itertools
import os
import shutil
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from salescli.charging import limits, simulate
from salescli.charging.simulate import Simulation
from salescli.rules import time
from salescli.sales import recurring_actions
from salescli.storage import database
from tests.conftest import House
from tests.story import Story
from tests.terminal import Run

pytestmark = pytest.mark.of_files("it is done to a copy of the file")

_numbers = itertools.count()
CHANGED = {
    "recurring": "id, status, payments_made, declines, due_at, next_payment_at, last_error_code, wish",
    "orders": "id, recurring_id, payment_number, due_at, status, created_at, completed_at, price_minor",
    "invoices": "id, order_id, status, attempted_at, paid_at, paid_on, fee_minor",
    "attempts": "id, invoice_id, number, reference, status, started_at, settled_at, code",
}


def contents(connection: sqlite3.Connection) -> dict[str, list[tuple[Any, ...]]]:
    """Return all that tick changes of plans, orders and payments."""
    return {
        table: [tuple(row) for row in connection.execute(f"SELECT {columns} FROM {table} ORDER BY id")]
        for table, columns in CHANGED.items()
    }


@contextmanager
def simulated(story: Story, until: datetime, **how: Any) -> Iterator[tuple[Simulation, sqlite3.Connection]]:
    target = story.house.path.with_name(f"copy-{next(_numbers)}.db")
    with simulate.copied(story.house.connection, target) as copy:
        yield (
            simulate.run(copy, story.work, until, **how),
            copy.connection,
        )


def brief(simulation: Simulation, zone: Any) -> list[tuple[str, int, str, str]]:
    """Return (local time, recurring order, the outcome, the order's status) of a simulation's rows."""
    return [
        (time.local_text(row["at"], zone)[5:16], row["recurring"], row["became"], row["status"])
        for row in simulation.rows
    ]


def test_plans_are_charged_retried_failed_and_completed_as_they_will_be(story: Story) -> None:
    story.house.offer("49.00", number="7", every="1 month", payments="3")
    for token in ("tok_ok", "tok_fail_twice", "tok_card_declined"):
        story.subscribed("7", token=token)
    with simulated(story, time.parse_time("2026-04-01", story.house.zone)) as (simulation, _):
        assert brief(simulation, story.house.zone) == [
            ("02-28 10:00", 1, "charged", "active"),
            ("02-28 10:00", 2, "declined", "active"),
            ("02-28 10:00", 3, "declined", "active"),
            ("02-28 18:00", 2, "declined", "active"),
            ("02-28 18:00", 3, "declined", "active"),
            ("03-01 18:00", 2, "charged", "active"),
            ("03-01 18:00", 3, "declined", "failed"),
            ("03-31 10:00", 1, "charged", "completed"),
            ("03-31 10:00", 2, "declined", "active"),
            ("03-31 18:00", 2, "declined", "active"),
        ]
        assert simulation.sums() == {"EUR": (3, 14700)}
    assert story.charges() == 3, "the first payments alone were really made"


def test_a_cut_charge_is_looked_up_five_minutes_later(story: Story) -> None:
    story.house.offer("49.00", number="7", every="1 month")
    story.subscribed("7", token="tok_timeout_after_charge")
    with simulated(story, time.parse_time("2026-03-02", story.house.zone)) as (simulation, _):
        assert brief(simulation, story.house.zone) == [
            ("02-28 10:00", 1, "outcome unknown", "processing"), ("02-28 10:05", 1, "charged", "active"),
        ]  # fmt: skip


plans = st.lists(
    st.tuples(
        st.sampled_from(["1 day", "1 day", "2 days"]),
        st.sampled_from(["", "2", "3"]),
        st.sampled_from(["30m,90m", "1h,5h"]),
        st.sampled_from(
            [
                "tok_ok",
                "tok_fail_once",
                "tok_fail_twice",
                "tok_card_declined",
                "tok_timeout_after_charge",
                "tok_pending",
            ]
        ),
        st.sampled_from(["runs", "runs", "paused", "late"]),
    ),
    min_size=1,
    max_size=4,
)


@settings(max_examples=8, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(plans=plans, minutes=st.integers(0, 600))
def test_it_is_what_tick_does_every_five_minutes(
    plans: list[tuple[str, str, str, str, str]], minutes: int, new_house: Callable[..., House]
) -> None:
    story = Story(new_house(f"simulated-{next(_numbers)}.db")).at("2026-03-28 10:00")
    story.house.customer()
    story.house.payment_system("Sandbox")
    for number, (every, payments, retry_after, token, how) in enumerate(plans):
        story.house.offer(number=str(number), every=every, payments=payments, retry_after=retry_after)
        plan = story.subscribed(str(number), token=token)
        if how == "paused" and story.plan(plan).status == "active":
            recurring_actions.pause(story.work, plan)
        if how == "late":
            story.house.connection.execute(
                "UPDATE recurring SET due_at = :at, next_payment_at = :at WHERE id = :id AND status = 'active'",
                {"id": plan, "at": time.stored(story.now - timedelta(minutes=minutes))},
            )
    story.tick()
    story.house.connection.execute("PRAGMA synchronous = OFF")  # of hundreds of ticks, which else wait for the disk
    until = story.now + timedelta(days=1, hours=10)  # over the night when Kyiv's clocks go forward
    story.now += timedelta(minutes=minutes % 7)
    with simulated(story, until) as (_, copy):
        expected = contents(copy)
    begun = story.now.replace(minute=0)
    for moment in (begun + n * timedelta(minutes=5) for n in range(12 * 35)):
        if story.now <= moment < until:
            story.now = moment
            story.tick()
    assert contents(story.house.connection) == expected


def test_charges_of_those_who_are_to_be_declined_are(story: Story) -> None:
    story.house.offer("49.00", number="7", every="1 month")
    plans = [story.subscribed("7"), story.subscribed("7")]
    with simulated(story, time.parse_time("2026-03-02", story.house.zone), declined=plans[1:]) as (simulation, _):
        assert [(plan, status) for _, plan, _, status in brief(simulation, story.house.zone)][-1] == (
            plans[1],
            "failed",
        )
        assert [row["became"] for row in simulation.rows if row["recurring"] == plans[0]] == ["charged"]


def test_what_holds_charging_back_is_told_once_and_ends_it(story: Story) -> None:
    story.house.offer("49.00", number="7", every="1 month")
    story.subscribed("7")
    limits.turn_off(story.work, "a wrong price")
    with simulated(story, time.parse_time("2026-12-31", story.house.zone)) as (simulation, _):
        assert not simulation.rows
        assert len(simulation.held) == 1
        assert "a wrong price" in simulation.held[0]


def test_a_limit_of_each_day_lets_the_others_through_on_the_days_after(story: Story) -> None:
    story.house.offer("49.00", number="7", every="1 month")
    for _ in range(3):
        story.subscribed("7")
    limits.limit(story.work, "day", "1", None)
    with simulated(story, time.parse_time("2026-03-04", story.house.zone)) as (simulation, _):
        assert [when[:5] for when, *_ in brief(simulation, story.house.zone)] == ["02-28", "03-01", "03-02"]


# What must never happen


@pytest.fixture
def guarded(story: Story, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Story:
    """A recurring order due now through a program that would show that it was called, and one through the sandbox."""
    program = tmp_path / "salescli-gateway-alarm"
    program.write_text(f"#!/bin/sh\ntouch {tmp_path / 'called'}\ncat >/dev/null\necho '{{}}'\n", encoding="utf-8")
    program.chmod(0o700)
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    story.house.offer("49.00", number="7", every="1 month")
    story.subscribed("7")
    other = story.house.payment_system("Alarm", gateway="command:alarm")
    story.house.connection.execute("UPDATE recurring SET payment_system_id = ?, token = 'card'", (other.id,))
    story.subscribed("7")
    return story


def digest(folder: Path) -> dict[str, str]:
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in folder.iterdir() if path.is_file()}


def test_the_file_its_ledger_and_its_gateways_know_nothing_of_it(guarded: Story, tmp_path: Path) -> None:
    guarded.house.connection.close()
    before = digest(tmp_path)
    ran = guarded.house.run("simulate", "--until", "+60d", "--json")
    assert ran.code == 0
    assert {row["recurring"] for row in ran.json if row["became"] == "charged"} == {1, 2}
    assert digest(tmp_path) == before
    assert not (tmp_path / "called").exists()


def test_a_kept_copy_charges_nobody(guarded: Story, tmp_path: Path) -> None:
    kept = tmp_path / "kept.db"
    guarded.house.run("simulate", "--until", "today", "--keep", kept)
    assert kept.stat().st_mode & 0o777 == 0o600
    refused = Run(kept)("tick", "--accept-clock")
    assert refused.code == 1
    assert "nobody is charged from a copy" in refused.err
    connection = database.connect(kept)
    gateways = {row[0] for row in connection.execute("SELECT gateway FROM payment_systems")}
    connection.close()
    assert gateways == {"sandbox", "manual"}
    assert Run(kept)("adopt").code == 0
    Run(kept)("tick", "--accept-clock")
    assert not (tmp_path / "called").exists(), "also when somebody adopts it"


def test_an_interrupted_one_leaves_nothing(guarded: Story, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    temporary = tmp_path / "tmp"
    temporary.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(temporary))

    def interrupted(*given: Any, **more: Any) -> Any:
        raise KeyboardInterrupt

    monkeypatch.setattr(simulate, "run", interrupted)
    before = digest(tmp_path)
    for keep in ((), ("--keep", tmp_path / "kept.db")):
        assert guarded.house.run("simulate", "--until", "+60d", *keep).code == 130
    assert digest(tmp_path) == before
    assert list(temporary.iterdir()) == []


def test_a_link_that_leads_nowhere_is_left_as_it_is(story: Story, tmp_path: Path) -> None:
    link = tmp_path / "kept.db"
    link.symlink_to(tmp_path / "nothing")
    assert story.house.run("simulate", "--until", "+9d", "--keep", link).code == 7
    assert link.is_symlink()


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        pytest.param("--until 2020-01-01", 2, "is past", id="a day that is past"),
        pytest.param("--until 8000-01-01", 2, "more than ten years", id="no end of it"),
        pytest.param("--until +9d --decline 99", 3, "there is no recurring order 99", id="a plan that is none"),
        pytest.param("--until +9d --keep sales.db", 7, "exists already", id="a file that is there"),
        pytest.param("--until +9d --keep no/where.db", 7, "cannot write", id="no place to keep it"),
    ],
)
def test_a_mistake_is_told_and_costs_nothing(
    story: Story, monkeypatch: pytest.MonkeyPatch, words: str, code: int, message: str
) -> None:
    monkeypatch.chdir(story.house.path.parent)
    before = digest(story.house.path.parent)
    ran = story.house.run("simulate", *words.split())
    assert (ran.code, ran.out) == (code, "")
    assert message in ran.err
    assert digest(story.house.path.parent) == before


def test_a_disk_without_room_is_reported_before_anything_is_written(
    story: Story, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda path: type("Usage", (), {"free": 10})())
    ran = story.house.run("simulate", "--until", "+9d")
    assert ran.code == 7
    assert "name another place with --keep" in ran.err


def test_the_summary_stands_beside_the_rows(story: Story) -> None:
    story.now = time.now()
    story.house.offer("49.00", number="7", every="1 day", payments="3")
    story.subscribed("7")
    story.subscribed("7", token="tok_card_declined")
    ran = story.house.run("simulate", "--until", "+4d", "--csv")
    assert len(ran.out.splitlines()) == 6
    _, _, charged, others = ran.err.splitlines()
    assert charged.split()[-3:] == ["2", "98.00", "EUR"]
    assert others == "declined: 3, recurring orders failed: 1, recurring orders completed: 1"
