"""doctor: silent about a sound file, and naming each thing that is broken on purpose."""

from __future__ import annotations

import itertools

import pytest

from salescli.charging import by_hand, tick_log
from salescli.errors import WrongStatus
from salescli.overview import doctor
from tests.story import Story


@pytest.fixture
def plan(story: Story) -> Story:
    """A database with a recurring order that has been paid twice, and a tick at the story's time."""
    story.house.offer("49.00", number="7", every="1 month", payments="12")
    story.subscribed("7")
    story.at("2026-02-28 10:00").tick()
    return story


def found(plan: Story) -> list[str]:
    return [finding.check for finding in doctor.examine(plan.house.connection, plan.now, plan.house.zone)]


def test_a_sound_file_has_no_findings(plan: Story) -> None:
    assert found(plan) == []


@pytest.mark.parametrize(
    ("damage", "check"),
    [
        pytest.param("UPDATE orders SET paid_minor = 1 WHERE id = 1", "orders' payments", id="a wrong sum of payments"),
        pytest.param("UPDATE invoices SET refunded_minor = 1 WHERE id = 1", "invoices' refunds", id="a wrong refund"),
        pytest.param(
            "INSERT INTO refunds (invoice_id, amount_minor, currency, refunded_at, refunded_on)"
            " VALUES (1, 100, 'USD', 1769940000, 20260201)",
            "refunds' currencies",
            id="money refunded in another currency",
        ),
        pytest.param("UPDATE recurring SET payments_made = 5", "payments made (I10)", id="a wrong count of payments"),
        pytest.param("UPDATE recurring SET status = 'processing'", "processing (I6)", id="processing without attempt"),
        pytest.param(
            "UPDATE invoices SET status = 'open', paid_at = NULL, paid_on = NULL WHERE id = 2",
            "attempts and invoices (I3)",
            id="money that moved and an open invoice",
        ),
        pytest.param(
            "UPDATE payment_systems SET failures = 3, paused_until = 1798761600",
            "payment system",
            id="a payment system that is paused",
        ),
        pytest.param(
            "UPDATE recurring SET status = 'failed', next_payment_at = NULL", "failed", id="a failed recurring order"
        ),
    ],
)
def test_what_is_broken_is_named(plan: Story, damage: str, check: str) -> None:
    plan.house.connection.execute(damage)
    assert check in found(plan)


@pytest.mark.of_files("a server lets in no such row")
def test_a_file_whose_rows_point_nowhere_is_named(plan: Story) -> None:
    plan.house.connection.execute("PRAGMA foreign_keys = OFF")
    plan.house.connection.execute("DELETE FROM invoices WHERE id = 1")
    assert "database" in found(plan)


def test_a_tick_that_stopped_is_noticed_after_a_quarter_of_an_hour(plan: Story) -> None:
    assert tick_log.is_late(plan.house.connection, plan.now) is None
    plan.at("2026-02-28 10:15")
    assert tick_log.is_late(plan.house.connection, plan.now) is None
    plan.at("2026-02-28 10:16")
    assert "16 minutes ago" in (tick_log.is_late(plan.house.connection, plan.now) or "")
    assert found(plan) == ["tick"]


def test_payments_that_were_not_made_are_overdue(plan: Story) -> None:
    plan.at("2026-03-31 11:00")
    assert found(plan) == ["tick", "overdue"]


def test_a_payment_of_unknown_outcome_is_named_and_a_person_can_resolve_it(plan: Story) -> None:
    plan.house.connection.execute("UPDATE recurring SET token = 'tok_pending'")
    plan.at("2026-03-31 10:00").tick()
    assert found(plan) == ["outcome unknown"]
    paid = by_hand.resolve(plan.work, 3, "succeeded", "seen in the statement")
    assert paid.status == "completed"
    assert plan.plan(1).payments_made == 3
    assert found(plan) == []
    with pytest.raises(WrongStatus, match="no unknown outcome"):
        by_hand.resolve(plan.work, 3, "succeeded", "again")


def test_a_payment_resolved_as_not_charged_is_sent_again_under_its_reference(plan: Story) -> None:
    plan.house.connection.execute("UPDATE recurring SET token = 'tok_pending'")
    plan.at("2026-03-31 10:00").tick()
    [before] = plan.house.connection.execute("SELECT reference FROM attempts WHERE status = 'live'").fetchall()
    by_hand.resolve(plan.work, 3, "not_sent", "their support says so")
    assert plan.plan(1).status == "active"
    plan.tick()
    [after] = plan.house.connection.execute("SELECT reference FROM attempts WHERE status = 'live'").fetchall()
    assert after["reference"] == before["reference"]
    assert plan.plan(1).declines == 0


def test_advice_is_given_as_the_program_was_called(plan: Story) -> None:
    assert plan.house.run("charging", "off", "--reason", "a look").code == 0

    ran = plan.house.run("doctor", "--columns", "advice", "--csv")

    assert ran.code == 1
    assert f"{plan.house.program} charging on" in ran.out.splitlines()


@pytest.fixture
def large(plan: Story, monkeypatch: pytest.MonkeyPatch) -> Story:
    """A file that counts as large, of which the two newest rows of a table are looked at every day."""
    monkeypatch.setattr(doctor, "_WHOLE_BYTES", 0)
    monkeypatch.setattr(doctor, "_NEWEST", 2)
    plan.house.offer("10.00", number="9")
    for _ in range(5):
        plan.pay(plan.order("9"))
    return plan


def _wrong(story: Story, deep: bool) -> list[str]:
    found = doctor.examine(story.house.connection, story.now, story.house.zone, deep=deep)
    return [each.check for each in found if each.check in ("orders' payments", "totals", "database")]


def test_of_a_large_file_the_newest_rows_are_checked_every_day_and_all_by_deep(large: Story) -> None:
    connection = large.house.connection
    last = connection.execute("SELECT max(id) FROM orders").fetchone()[0]
    assert (_wrong(large, deep=False), _wrong(large, deep=True)) == ([], [])
    connection.execute("UPDATE orders SET paid_minor = 1 WHERE id = ?", (last - 3,))
    assert (_wrong(large, deep=False), _wrong(large, deep=True)) == ([], ["orders' payments"])
    connection.execute("UPDATE orders SET paid_minor = 1 WHERE id = ?", (last,))
    assert _wrong(large, deep=False) == ["orders' payments"]
    connection.execute("UPDATE totals SET gross = gross + 1 WHERE grain = 0")
    assert "totals" in _wrong(large, deep=True)
    assert "totals" not in _wrong(large, deep=False)


@pytest.mark.of_files("SQLite's steps")
def test_an_everyday_look_at_a_large_file_takes_no_longer_the_larger_it_is(large: Story) -> None:
    def steps() -> int:
        counted = itertools.count()
        large.house.connection.set_progress_handler(lambda: next(counted) and None, 1)
        for check in doctor._SUMS:
            if sql := check.over(2):
                large.house.connection.execute(sql).fetchall()
        large.house.connection.set_progress_handler(None, 1)
        return next(counted)

    few = steps()
    for _ in range(25):
        large.pay(large.order("9"))
    assert steps() < 1.3 * few
