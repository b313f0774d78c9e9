"""A story: a house, a clock that the test sets, and the operations in a seller's words."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import TYPE_CHECKING, Any

from salescli.charging import by_hand, pay, refund, tick
from salescli.charging.due_payments import TickCounts
from salescli.charging.pay import NewPayment
from salescli.charging.refund import NewRefund
from salescli.gateways import registry
from salescli.gateways.protocol import Gateway
from salescli.gateways.sandbox import Sandbox
from salescli.rules import time
from salescli.sales import invoices, orders, recurring
from salescli.sales.orders import NewOrder, Order
from salescli.sales.recurring import Recurring
from salescli.storage.work import Work

if TYPE_CHECKING:
    from tests.conftest import House


def stored(instant: str) -> int:
    """Return an instant, written in UTC, as the database keeps it."""
    return time.stored(time.from_text(instant))


@dataclass
class Story:
    """What happens in a file from moment to moment. Times are the account's local times, ``2026-03-01 10:00``."""

    house: House
    now: datetime = field(default_factory=time.now)

    def at(self, moment: str) -> Story:
        """Set the clock."""
        self.now = time.parse_time(moment, self.house.zone)
        return self

    @property
    def work(self) -> Work:
        """The owner at work, at this moment of the story."""
        return replace(self.house.work, now=self.now)

    def gateway(self, system: Any) -> Gateway:
        """Return the real gateway of a merchant, its ledger beside the file."""
        return registry.open_gateway(system.gateway, self.house.path, tuple(system.environment.split()))

    @property
    def ledger(self) -> Sandbox:
        return Sandbox(self.house.path.with_name(f"{self.house.path.name}.sandbox"))

    def number_payments_from_1(self) -> None:
        """Let the sandbox call its first payment sb_1, as beside a file; of a server it begins anywhere."""
        with self.ledger._opened() as ledger:
            ledger.execute("INSERT INTO sqlite_sequence (name, seq) VALUES ('entries', 0)")

    def order(self, offer: str, *, token: str = "tok_ok", through: str = "Sandbox", **more: Any) -> Order:
        """Open an order of the first customer."""
        manual = (
            self.house.connection.execute("SELECT gateway FROM payment_systems WHERE name = ?", (through,)).fetchone()[
                "gateway"
            ]
            == "manual"
        )
        new = NewOrder("1", offer, payment_system=through, token=None if manual else token, **more)
        return pay.open_and_settle_free(self.work, new)

    def order_of(self, customer: str, offer: str) -> Order:
        """Open an order by the words that a person says."""
        new = NewOrder(customer, offer)
        return pay.open_and_settle_free(self.work, new)

    def pay(self, order: Order, **payment: Any) -> str:
        """Take a payment and return what became of it, ``waits`` where a person must say."""
        _, answer = pay.pay(
            self.work,
            order.id,
            NewPayment(**payment),
            gateways=self.gateway,
        )
        return answer.became if answer else "waits"

    def answer(self, invoice: int, *, confirmed: bool = True) -> str:
        """Confirm or decline a manual payment and return the invoice's status."""
        return by_hand.answer_by_hand(self.work, invoice, confirmed=confirmed).status

    def subscribed(self, offer: str, token: str = "tok_ok", through: str = "Sandbox") -> int:
        """Pay a first order and return the recurring order that it started."""
        order = self.order(offer, through=through)
        assert self.pay(order) == "succeeded"
        started = orders.get(self.house.connection, order.id).recurring_id
        assert started is not None
        self.house.connection.execute("UPDATE recurring SET token = ? WHERE id = ?", (token, started))
        return started

    def tick(self, **more: Any) -> TickCounts:
        """Run a tick at the story's time, with the clock showing it."""
        return tick.run(
            self.work,
            gateways=self.gateway,
            clock_now=self.now,
            accept_clock=True,
            **more,
        )

    def tick_by_the_clock(self) -> TickCounts:
        """Run a tick as cron does, with nobody to accept a gap."""
        return tick.run(
            self.work,
            gateways=self.gateway,
            clock_now=self.now,
        )

    def refund(self, order: Order, **wanted: Any) -> list[str]:
        """Give money back and return what became of each portion."""
        done = refund.refund(
            self.work,
            order.id,
            NewRefund(**{"completes_recurring": False, **wanted}),
            gateways=self.gateway,
        )
        return [answer.became for _, answer in done]

    def plan(self, id: int) -> Recurring:
        return recurring.get(self.house.connection, id)

    def see(self, order: Order) -> Order:
        return orders.get(self.house.connection, order.id)

    def next_date(self, id: int) -> str | None:
        """Return a recurring order's next payment date as local text."""
        stored = self.plan(id).next_payment_at
        return None if stored is None else time.local_text(stored, self.house.zone)[:16]

    def invoices(self, order_id: int) -> list[tuple[str, int]]:
        """Return (status, amount) of an order's invoices."""
        return [(i.status, i.amount_minor) for i in invoices.of_order(self.house.connection, order_id)]

    def charges(self) -> int:
        """Return how many charges the gateway's own ledger has as succeeded: the judge of every story."""
        with self.ledger._opened() as ledger:
            sql = "SELECT count(*) FROM entries WHERE kind = 'charge' AND status = 'succeeded'"
            return int(ledger.execute(sql).fetchone()[0])
