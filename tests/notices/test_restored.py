"""After a restore: no number of an event is given twice, so a receiver that keeps numbers misses none."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from salescli.notices import events, hooks
from salescli.notices.hooks import NewHook
from salescli.storage import database, history
from tests.notices import receivers
from tests.notices.test_deliver import happen, notify
from tests.story import Story


def accepted(kept: receivers.Webhook) -> list[int]:
    """The numbers that a receiver takes that drops what is not above the last one."""
    numbers = [0]
    for event in kept.events:
        if event["event"] > numbers[-1]:
            numbers.append(event["event"])
    return numbers[1:]


def restored(story: Story, backup: Path) -> None:
    """Restore and adopt as a person does, and open the database again."""
    story.house.connection.close()
    for line in (("restore", backup, "--yes"), ("adopt",)):
        ran = story.house.run(*line)
        assert ran.code == 0, ran.err
    story.house = replace(story.house, connection=database.connect(story.house.run.named))


@pytest.mark.of_files("a backup is put back")
def test_new_events_after_a_restore_are_taken_once_by_a_receiver_that_keeps_numbers(
    story: Story, tmp_path: Path
) -> None:
    with receivers.webhook() as kept:
        hooks.add(story.work, NewHook("h", "webhook", kept.url, events="order.opened file.restored"))
        happen(story, 2)
        notify(story)
        happen(story, 1)
        assert story.house.run("backup", tmp_path / "b.db").code == 0
        lost = happen(story, 4)
        notify(story)
        restored(story, tmp_path / "b.db")
        again = happen(story, 3)
        notify(story)
    assert not {*lost} & {*again}
    assert again[0] > max(lost)
    kinds = [event["kind"] for event in kept.events]
    assert kinds == ["order.opened"] * 7 + ["order.opened", "file.restored"] + ["order.opened"] * 3
    assert accepted(kept)[-3:] == again
    assert len(accepted(kept)) == 7 + 1 + 3, "what was told before is not taken again, and what is new is"


@pytest.mark.parametrize("last", [
    pytest.param(1, marks=pytest.mark.of_files("a server gives no number twice")), 9_999_999, 10_000_000, 123_456_789,
])  # fmt: skip
def test_the_gap_is_wider_than_what_a_lost_database_may_have_written(story: Story, last: int) -> None:
    story.house.connection.execute("UPDATE sqlite_sequence SET seq = ? WHERE name = 'history'", (last,))
    history.leave_gap(story.house.connection)
    history.record(story.work, "file", None, "x")
    assert events.last(story.house.connection) - last > 10_000_000
    assert events.last(story.house.connection) % 10_000_000 == 1
