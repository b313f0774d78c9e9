"""Money back, learnt from every side in any order, with crashes between: the sums are those of the bank's ledger."""

from __future__ import annotations

import tempfile
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from salescli.errors import SalesError
from salescli.reconcile.statement import Line
from salescli.rules import time
from tests.faults.bank import REFUND_MOODS
from tests.faults.world import World, left_over, money_back, violations

AMOUNTS = ("1.00", "3.00", "5.00")
DIES = st.one_of(st.none(), st.integers(0, 40))
STEPS = st.one_of(
    st.tuples(st.just("there"), st.sampled_from(AMOUNTS)),
    st.tuples(st.just("ours"), st.sampled_from(AMOUNTS), st.sampled_from(REFUND_MOODS), DIES),
    st.tuples(st.just("sync"), DIES),
    st.tuples(st.just("tick"), DIES),
    st.tuples(st.just("seen"), st.integers(0, 9)),
    st.tuples(st.just("statement")),
    st.tuples(st.just("later"), st.sampled_from((1, 30, 90, 3000))),
    st.tuples(st.just("silent")),
)


class Shop:
    """One payment of 20.00, and what happens to it."""

    def __init__(self, world: World, *, references: bool) -> None:
        self.world, self.bank = world, world.bank
        self.bank.capabilities |= {"changes"}
        self.bank.tells_references = references
        self.order = world.order("once", "card")
        world.pay(self.order)

    def there(self, amount: str) -> None:
        minor = int(amount.replace(".", ""))
        if self.bank.back(0) + minor <= 2000:
            self.bank.refund_there(0, minor)

    def ours(self, amount: str, mood: str, dies_at: int | None) -> None:
        self.bank.moods["refund"].append(mood)
        with suppress(SalesError):
            self.world.refund(self.order, amount, dies_at)
        self.bank.moods["refund"].clear()

    def sync(self, dies_at: int | None) -> None:
        self.world.sync(dies_at)

    def tick(self, dies_at: int | None) -> None:
        self.world.tick(dies_at=dies_at)

    def seen(self, which: int) -> None:
        """A person sees one of the refunds there and records it as of its time."""
        made = [entry for entry in self.bank.moved if entry.reference.startswith("there:")]
        if made:
            entry, now = made[which % len(made)], self.world.time
            self.world.time = entry.booked_at
            with suppress(SalesError):
                self.world.record_refund(self.order, f"{entry.amount_minor // 100}.00")
            self.world.time = now

    def statement(self) -> None:
        lines = [
            Line(2 + place, "refund", None, "b_0", None, entry.amount_minor, "EUR", None, time.stored(entry.booked_at))
            for place, entry in enumerate(self.bank.moved)
            if entry.kind == "refund"
        ]
        if lines:
            self.world.reconcile(*lines)

    def later(self, minutes: int) -> None:
        self.world.later(minutes=minutes)

    def silent(self) -> None:
        self.bank.moods["changes"].append("unreachable")


@pytest.mark.parametrize("references", [True, False])
@given(steps=st.lists(STEPS, max_size=14))
def test_every_refund_is_recorded_once(references: bool, steps: list[tuple[object, ...]]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        world = World(Path(folder))
        try:
            shop = Shop(world, references=references)
            for name, *values in steps:
                getattr(shop, str(name))(*values)
                back = world.value("SELECT refunded_minor FROM invoices")
                assert back <= world.bank.back(0), f"more went back here than there after {name}"
            world.bank.moods.clear()
            for _ in range(5):
                world.later(days=1).tick()
                world.sync()
            assert violations(world) == []
            assert left_over(world) == []
            assert money_back(world) == []
        finally:
            world.close()
