"""Many due at once: a crew of workers, several ticks, a merchant that is down beside one that is not."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections import Counter

from salescli.charging.gateway_calls import Limits
from salescli.rules.time import from_text, stored
from tests import inside
from tests.faults.test_kills import payments_in_the_ledger
from tests.story import Story


def many_due(story: Story, number: int, token: str = "tok_ok", through: str = "Sandbox") -> None:
    """Give ``number`` copies of a paid plan, all due on 28 February: an import would, and so can the test."""
    first = story.subscribed("7", through=through)
    columns = [
        c for c in _columns(story) if c not in ("id", "uid", "source", "source_number", "initial_order_id", "token")
    ]
    names = ", ".join(columns)
    story.house.connection.execute("BEGIN IMMEDIATE")
    for copy in range(number - 1):
        story.house.connection.execute(
            f"INSERT INTO recurring (uid, source, source_number, token, {names})"
            f" SELECT uid || :copy, 'test', uid || :copy, :token, {names} FROM recurring WHERE id = :first",
            {"copy": f"-{copy}", "first": first, "token": token},
        )
    story.house.connection.execute(
        "UPDATE recurring SET token = :token WHERE id = :first", {"first": first, "token": token}
    )
    story.house.connection.execute("COMMIT")


def _columns(story: Story) -> list[str]:
    return [column[0] for column in story.house.connection.execute("SELECT * FROM recurring LIMIT 0").description]


def test_a_crew_charges_each_of_many_once(story: Story) -> None:
    story.house.offer("49.00", number="7", every="1 month", payments="12")
    many_due(story, 150)
    assert story.at("2026-02-28 10:30").tick().charged == 150
    charged = Counter(payments_in_the_ledger(story))
    assert (len(charged), set(charged.values())) == (151, {1})


def test_a_limit_ends_a_tick_and_the_next_goes_on(story: Story) -> None:
    story.house.offer("49.00", number="7", every="1 month", payments="12")
    many_due(story, 30)
    story.at("2026-02-28 10:30")
    assert story.tick(limits=Limits(charges=20)).charged == 20
    assert story.tick(limits=Limits(charges=20)).charged == 10


def test_manual_payments_before_the_others_hold_nobody_up(story: Story) -> None:
    story.house.offer("49.00", number="7", every="1 month", payments="12")
    order = story.order("7", through="Bank transfer")
    story.pay(order)
    story.answer(1)
    for _ in range(3):
        story.subscribed("7")
    counts = story.at("2026-02-28 10:30").tick(limits=Limits(workers=1))
    assert (counts.waiting, counts.charged) == (1, 3)


def test_a_merchant_that_is_down_holds_up_no_other_and_is_asked_little(story: Story) -> None:
    story.house.payment_system("Down", gateway="sandbox")
    story.house.offer("49.00", number="7", every="1 month", payments="12")
    many_due(story, 50, token="tok_unreachable", through="Down")
    many_due(story, 20)
    counts = story.at("2026-02-28 10:30").tick()
    assert (counts.charged, counts.not_sent) == (20, 1)
    for minute in range(0, 24 * 60, 5):
        day, hour = divmod(10 * 60 + 35 + minute, 24 * 60)
        story.at(f"2026-{'02-28' if not day else '03-01'} {hour // 60:02d}:{hour % 60:02d}").tick()
    # tok_unreachable notes no call, so the attempts taken up again are counted: one call each.
    calls = story.house.connection.execute("SELECT sum(fence) FROM attempts WHERE status = 'not_sent'").fetchone()[0]
    assert calls <= 200
    assert story.house.count("attempts", "status = 'declined'") == 0
    story.house.connection.execute("UPDATE recurring SET token = 'tok_ok' WHERE token = 'tok_unreachable'")
    for minute in (5, 10, 15, 20, 25, 30):
        story.at(f"2026-03-01 11:{minute:02d}").tick()
    assert story.house.count("recurring", "payments_made < 2") == 0


def test_a_merchant_whose_answers_are_cut_leaves_few_payments_in_doubt(story: Story) -> None:
    story.house.offer("49.00", number="7", every="1 month", payments="12")
    many_due(story, 50, token="tok_timeout_after_charge")
    counts = story.at("2026-02-28 10:30").tick()
    assert counts.unknown == 3
    until = stored(from_text("2026-02-28T08:32:00Z"))
    assert story.house.count("payment_systems", f"failures = 3 AND paused_until = {until}") == 1
    story.house.connection.execute("UPDATE recurring SET token = 'tok_ok' WHERE status = 'active'")
    for minute in (35, 40, 45):
        story.at(f"2026-02-28 10:{minute}").tick()
    charged = Counter(payments_in_the_ledger(story))
    assert (len(charged), set(charged.values())) == (51, {1})


def test_sixteen_ticks_at_once_charge_each_payment_once(story: Story) -> None:
    number = int(os.environ.get("SALESCLI_FAULTS_DUE", "60"))  # scripts/faults asks for many more
    story.house.offer("49.00", number="7", every="1 month", payments="12")
    many_due(story, number)
    # Past the lock, which is for comfort only: correctness is the database's.
    program = (
        "import sys; from salescli.cli.commands import tick; from contextlib import nullcontext;"
        " tick.lock.alone = lambda path: nullcontext(); from salescli.cli.main import run; sys.exit(run(sys.argv[1:]))"
    )
    line = [
        sys.executable,
        "-c",
        program,
        "--db",
        story.house.run.named,
        "tick",
        "--now",
        "2026-02-28 10:30",
        "--workers",
        "2",
    ]
    for _ in range(1 + number // 1000):  # a tick takes on nothing new after four minutes: the next five minutes' go on
        crowd = [subprocess.Popen(line, stdout=subprocess.PIPE, stderr=subprocess.PIPE) for _ in range(16)]
        said = [process.communicate(timeout=600) for process in crowd]
        assert [process.returncode for process in crowd] == [0] * 16, said
        assert [err for _, err in said if err] == []
        if not story.house.count("recurring", "payments_made < 2"):
            break
    charged = Counter(payments_in_the_ledger(story))
    assert (len(charged), set(charged.values())) == (number + 1, {1})
    assert story.house.count("recurring", "payments_made < 2") == 0


def test_sigterm_ends_a_tick_after_what_is_in_flight(story: Story) -> None:
    story.house.offer("49.00", number="7", every="1 month", payments="12")
    many_due(story, 300)
    line = [
        sys.executable,
        "-m",
        "salescli",
        "--db",
        story.house.run.named,
        "tick",
        "--now",
        "2026-02-28 10:30",
        "--workers",
        "1",
    ]
    process = subprocess.Popen(line, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    deadline = time.monotonic() + 30
    while story.house.count("recurring", "payments_made = 2") == 0 and time.monotonic() < deadline:
        os.sched_yield()
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=60)
    assert process.returncode == 0
    assert story.house.count("attempts", "status = 'live'") == 0
    assert 0 < story.house.count("recurring", "payments_made = 2") < 300


def test_one_answer_that_cannot_be_recorded_holds_up_no_other(story: Story) -> None:
    story.house.offer("49.00", number="7", every="1 month", payments="12")
    many_due(story, 5)
    # A broken row: its order was completed behind the program's back.
    where = "new.id = 3 AND new.payments_made <> old.payments_made"
    inside.refuse(story.house.connection, "UPDATE", "recurring", "broken on purpose", where)
    counts = story.at("2026-02-28 10:30").tick()
    assert (counts.charged, counts.broken) == (4, True)
    assert "could not be recorded: IntegrityError: broken on purpose" in counts.for_a_person[0]
    assert story.house.count("attempts", "status = 'live'") == 1
