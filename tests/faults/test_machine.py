"""A state machine against the bank: whatever happens in whatever order, the file and the ledger agree (I1–I12).

rule (time, cards, people, ticks, deaths) -> ``violations`` -> … -> a week of calm -> nothing is left over
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from salescli.errors import SalesError
from salescli.rules import time
from salescli.sales import recurring_actions
from salescli.sales.recurring import Recurring
from tests.faults.bank import CHARGE_MOODS, LOOKUP_MOODS, REFUND_MOODS
from tests.faults.world import World, left_over, violations

EXAMPLES = int(os.environ.get("SALESCLI_FAULTS_EXAMPLES", "10"))
PLANS = {"card-1": ("month", "One"), "card-2": ("day", "Two"), "card-3": ("day", "One"), None: ("month", "By hand")}
AUTUMN = datetime(2026, 10, 24, 0, 30, tzinfo=timezone.utc)  # 03:30 in Kyiv, an hour that 25 October has twice

numbers = st.integers(min_value=0, max_value=7)
cards = st.sampled_from([card for card in PLANS if card])
moods = st.lists(st.sampled_from(CHARGE_MOODS), max_size=4) | st.just(["declined"] * 3)
deaths = st.none() | st.integers(min_value=0, max_value=90)  # a tick of one payment has about 60 moments


class Selling(RuleBasedStateMachine):
    """A year of a small business in any order, compared with its bank after every step."""

    def __init__(self) -> None:
        super().__init__()
        self.directory = tempfile.TemporaryDirectory()
        self.world = World(Path(self.directory.name))
        self.set_back = 0

    @initialize()
    def plans(self) -> None:
        """Start a plan of each kind."""
        for card, (offer, through) in PLANS.items():
            self.world.subscribed(offer, card, through)

    # Time

    @rule(step=st.sampled_from([{"minutes": 5}, {"hours": 1}, {"hours": 8}, {"days": 1}, {"days": 2}, {"days": 31}]))
    def time_passes(self, step: dict[str, float]) -> None:
        self.world.later(**step)

    @rule(number=numbers)
    def the_next_date_comes(self, number: int) -> None:
        plan = self._plan(number)
        if plan.next_payment_at is not None:
            self.world.at(max(self.world.time, time.from_stored(plan.next_payment_at) - self.world.skew))

    @precondition(lambda self: self.world.time < AUTUMN)
    @rule()
    def autumn_comes(self) -> None:
        self.world.at(AUTUMN)

    @precondition(lambda self: self.set_back < 2)
    @rule()
    def the_clock_is_set_back_a_day(self) -> None:
        self.set_back += 1
        self.world.skew -= timedelta(days=1)

    # The bank

    @rule(card=cards, moods=moods)
    def a_card_changes(self, card: str, moods: list[str]) -> None:
        self.world.bank.moods[card].extend(moods)

    @rule(moods=st.lists(st.sampled_from(LOOKUP_MOODS), max_size=3))
    def look_ups_change(self, moods: list[str]) -> None:
        self.world.bank.moods["lookup"].extend(moods)

    # Ticks

    @rule(workers=st.sampled_from([1, 2, 16]), accept_clock=st.booleans())
    def tick(self, workers: int, accept_clock: bool) -> None:
        world = self.world
        before = {plan.id: plan for plan in self._plans()}
        calls, refusals = len(world.bank.calls), world.bank.refusals
        counts = world.tick(workers=workers, accept_clock=accept_clock)
        after = {plan.id: plan for plan in self._plans()}
        for id in before:
            plan = after[id]
            if plan.payments_made > before[id].payments_made and plan.due_at is not None:
                # One that only now is found out about was made before: then the next one is late, and looked up first.
                made_at = max(entry.booked_at for entry in world.bank.charged() if plan.uid in entry.reference)
                assert time.from_stored(plan.due_at) > min(world.now, made_at), "I9: a missed window would be billed"
            if before[id].wish and plan.status != "processing" and plan.status not in ("completed", "failed"):
                assert plan.status == before[id].wish, "I11: a wish was forgotten"
        sent = {reference.split(":")[1] for op, reference in world.bank.calls[calls:] if op == "charge"}
        resting = {plan.uid for plan in before.values() if plan.status in ("paused", "completed", "failed")}
        assert not sent & resting, "R54: charged while it rests"
        if counts and world.bank.refusals == refusals and not counts.broken and not self._merchants_rest():
            assert not [line for line in left_over(world) if line.startswith("I8")]

    @rule(dies_at=st.integers(min_value=0, max_value=150), workers=st.sampled_from([1, 16]))
    def a_tick_is_killed(self, dies_at: int, workers: int) -> None:
        self.world.tick(workers=workers, dies_at=dies_at)

    # People

    @rule(
        number=numbers,
        operation=st.sampled_from([recurring_actions.pause, recurring_actions.activate, recurring_actions.retry]),
    )
    def a_plan_is_managed(self, number: int, operation: Callable[..., Recurring]) -> None:
        before = self._plan(number)
        after = self._tried(self.world.manage, operation, before.id)
        if after and operation is recurring_actions.pause:
            assert (after.wish if before.status == "processing" else after.status) == "paused", "I11"
        if after and operation is recurring_actions.activate and before.status == "paused":
            assert after.next_payment_at is not None
            assert time.from_stored(after.next_payment_at) <= max(
                self.world.now, time.from_stored(before.next_payment_at or 0)
            ), "R58: due at once when its moment has passed"

    @precondition(lambda self: len(self._plans()) < 7)
    @rule(number=numbers, card=cards)
    def a_plan_is_completed_early_and_another_begins(self, number: int, card: str) -> None:
        before = self._plan(number)
        after = self._tried(self.world.manage, recurring_actions.complete, before.id)
        if after:
            assert "completed" in (after.status, after.wish)
            self._tried(self.world.pay, self.world.order(PLANS[card][0], card, PLANS[card][1]))

    @rule(number=numbers)
    def a_payment_came_another_way(self, number: int) -> None:
        before = self._plan(number)
        self._tried(self.world.record_payment, before.id)
        after = self._plan(number)
        if after.payments_made > before.payments_made:
            kept = before.status if before.status in ("paused", "completed") else "active"
            assert after.status in (kept, "completed")
            assert before.status != "processing", "I6: a charge is under way"

    @rule(number=numbers)
    def a_mistake_is_taken_back(self, number: int) -> None:
        invoices = self.world.rows("SELECT id FROM invoices ORDER BY id DESC")
        charged = len(self.world.bank.charged())
        self._tried(self.world.undo, invoices[number % len(invoices)]["id"])
        assert len(self.world.bank.charged()) == charged

    @rule(number=numbers, price=st.sampled_from(["3.00", "49.00", "60.00"]), days=st.none() | st.integers(1, 40))
    def payments_to_come_change(self, number: int, price: str, days: int | None) -> None:
        at = self.world.now + timedelta(days=days) if days else None
        self._tried(self.world.edit, self._plan(number).id, price=price, next_payment_at=at, anchor=at is not None)

    @rule(number=numbers, dies_at=deaths)
    def a_plan_is_charged_by_hand(self, number: int, dies_at: int | None) -> None:
        self._tried(self.world.charge_now, self._plan(number).id, dies_at)

    @rule(card=cards, dies_at=deaths)
    def a_person_takes_a_payment(self, card: str, dies_at: int | None) -> None:
        self.world.pay(self.world.order("once", card), dies_at)

    @rule(number=numbers, dies_at=deaths)
    def a_payment_is_tried_again(self, number: int, dies_at: int | None) -> None:
        unpaid = self.world.rows("SELECT id FROM orders WHERE status IN ('open', 'declined') ORDER BY id")
        if unpaid:
            self._tried(self.world.pay, unpaid[number % len(unpaid)]["id"], dies_at)

    @rule(
        number=numbers,
        amount=st.sampled_from([None, "1.00", "2.00"]),
        moods=st.lists(st.sampled_from(REFUND_MOODS), max_size=2),
        dies_at=deaths,
    )
    def money_is_given_back(self, number: int, amount: str | None, moods: list[str], dies_at: int | None) -> None:
        self.world.bank.moods["refund"].extend(moods)
        paid = self.world.rows("SELECT id FROM orders WHERE status = 'completed' ORDER BY id")
        self._tried(self.world.refund, paid[number % len(paid)]["id"] if paid else 1, amount, dies_at)

    @rule(confirmed=st.booleans())
    def a_manual_payment_is_answered(self, confirmed: bool) -> None:
        waiting = self.world.rows("SELECT invoice_id FROM attempts WHERE status = 'live' ORDER BY id")
        for row in waiting:
            self._tried(self.world.answer, row["invoice_id"], confirmed=confirmed)

    # What is true at every instant, and in the end

    @invariant()
    def the_file_and_the_ledger_agree(self) -> None:
        assert violations(self.world) == []

    def teardown(self) -> None:
        try:
            self._a_week_of_calm()
        finally:
            self.world.close()
            self.directory.cleanup()

    def _a_week_of_calm(self) -> None:
        """Let every card and line be well and tick run as cron runs it: then nothing is in flight or due (I7, I8)."""
        self.world.bank.moods.clear()
        for _ in range(4):
            self.world.later(days=2)
            for _ in range(3):
                self.world.tick()
                self.world.later(minutes=35)  # a merchant rests half an hour at most
        self.world.tick()
        assert violations(self.world) == []
        assert left_over(self.world) == []

    def _tried(self, work: Callable[..., Any], *values: Any, **named: Any) -> Any:
        """Do what a person asks for; a refusal that names its reason is an answer too."""
        try:
            return work(*values, **named)
        except SalesError:
            return None

    def _plans(self) -> list[Recurring]:
        return [Recurring.from_row(row) for row in self.world.rows("SELECT * FROM recurring ORDER BY id")]

    def _plan(self, number: int) -> Recurring:
        plans = self._plans()
        return plans[number % len(plans)]

    def _merchants_rest(self) -> bool:
        now = time.stored(self.world.now)
        return bool(self.world.value("SELECT count(*) FROM payment_systems WHERE paused_until > ?", now))


class TestSelling(Selling.TestCase):  # type: ignore[valid-type, misc]
    """Run the machine; SALESCLI_FAULTS_EXAMPLES says how often (`scripts/faults` far oftener)."""

    settings = settings(
        max_examples=EXAMPLES,
        stateful_step_count=30,
        deadline=None,
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
    )


def test_a_payment_that_is_taken_back_after_its_plan_moved_is_due_as_it_was(tmp_path: Path) -> None:
    world = World(tmp_path)
    try:
        plan = world.subscribed("day", "card-3")
        was = world.plan(plan).due_at
        world.record_payment(plan)
        world.edit(plan, next_payment_at=world.now + timedelta(days=7), anchor=True)
        moved = world.plan(plan).due_at
        world.undo(world.value("SELECT max(id) FROM invoices"))
        assert (world.plan(plan).due_at, violations(world)) == (was, [])
        world.record_payment(plan)
        assert (world.plan(plan).due_at, violations(world)) == (moved, [])
    finally:
        world.close()
