"""A shop in which anything may happen: offers of every kind, and what people, tick and imports do, by name.

``Shop.do("pay a part", 3)`` does it to the third thing that it can be done to; what the rules refuse changes nothing.
"""

from __future__ import annotations

import io
from collections.abc import Callable
from contextlib import suppress
from copy import copy
from dataclasses import replace
from datetime import datetime, timedelta, timezone

from salescli.catalogue import categories, offers, records
from salescli.charging import by_hand
from salescli.errors import SalesError
from salescli.imports import orders as order_import
from salescli.imports.order_row import COLUMNS
from salescli.imports.run import ImportRequest
from salescli.sales import attribution, orders, recurring_actions
from salescli.sales.attribution import Seller
from tests.conftest import House
from tests.importing import as_csv
from tests.story import Story

_IMPORTED = {"created_at": "2026-02-03 12:00", "customer": "Марія", "offer": "Poster", "price": "20.00"}
_AFTER_THE_FILE = datetime(2026, 4, 3, tzinfo=timezone.utc)  # of the import, by the clock
_OPEN, _COMPLETED = "status = 'open'", "status = 'completed'"
_IN_PARTS = (
    f"{_OPEN} AND partial = 1 AND NOT EXISTS (SELECT 1 FROM attempts a JOIN invoices i ON i.id = a.invoice_id"
    " WHERE i.order_id = orders.id AND a.status = 'live')"
)
_STATUSES = ("Completed", "Open", "Declined", "Refund")


class Shop(Story):
    """A story whose steps have names and numbers."""

    def __init__(self, house: House) -> None:
        """Furnish a house: two categories, five offers, three payment systems, two managers, two customers."""
        super().__init__(house)
        self.at("2026-02-18 10:00")
        house.customer("Олена Коваленко")
        house.payment_system("Sandbox", fee="2.9%")
        house.payment_system("Second")
        house.payment_system("Bank transfer", gateway="manual")
        house.category("Art", number="1")
        house.category("Music", number="2")
        parts = {"partial_min": "1", "partial_success": "50"}
        house.offer("100.00", name="Drawing", number="10", category="1", multiple="yes", **parts)
        house.offer("30.00", name="Violin", number="20", category="2", currency="USD")
        house.offer("49.00", name="Course", number="30", every="1 month", payments="4")
        house.offer("0", name="Sample", number="40", category="1")
        house.user("ivan", name="Іван Петренко")
        house.user("maria", name="Марія Бондар")

    def again(self, house: House) -> Shop:
        """Return the same shop at the same moment in a house that is a copy of its own."""
        shop = copy(self)
        shop.house = house
        return shop

    def do(self, act: str, which: int) -> None:
        """Let a day and a half go by and do something, if the rules allow it."""
        self.now += timedelta(hours=37)
        with suppress(SalesError):
            ACTS[act](self, which)

    def some_order(self, which: int, wanted: str = "1 = 1") -> orders.Order:
        """Return an order by a number, counted round, of those that are as wanted."""
        ids = [row["id"] for row in self.house.connection.execute(f"SELECT id FROM orders WHERE {wanted} ORDER BY id")]
        if not ids:
            raise SalesError("there is no such order yet")
        return orders.get(self.house.connection, ids[which % len(ids)])

    def bring(self, which: int) -> None:
        """Import three orders, some of which may be there already in another state."""
        rows = []
        for number in (which, which + 1, which + 3):
            status = _STATUSES[(which + number) % 4]
            paid = {"paid": f"{number + 1}.00", "paid_at": f"2026-03-{number + 1:02} 23:30"} if number % 2 else {}
            back = (
                {"refunded": f"{number + 1}.00", "refunded_at": "2026-04-02 01:00"}
                if status == "Refund" and paid
                else {}
            )
            rows.append({"order": f"A{number % 5}", "status": status, "currency": "EUR", **paid, **back})
        content = as_csv(COLUMNS, {**_IMPORTED, "manager": "Іван Петренко"}, rows)
        work = replace(self.work, clock=max(self.now, _AFTER_THE_FILE))
        order_import.import_orders(work, ImportRequest(io.BytesIO(content), update=True))


def _sale(shop: Shop, which: int) -> None:
    shop.order(
        ("10", "20", "30", "40")[which % 4],
        token=("tok_ok", "tok_fee", "tok_insufficient_funds")[which // 4 % 3],
        through=("Sandbox", "Second", "Bank transfer")[which // 2 % 3],
        manager=(None, "ivan", "maria")[which // 3 % 3],
        quantity=2 if which % 8 == 4 else 1,
    )


def _sold(shop: Shop, which: int) -> None:
    _sale(shop, which)
    shop.pay(shop.some_order(-1))


def _pay(shop: Shop, which: int) -> None:
    shop.pay(shop.some_order(which, _OPEN), token="tok_ok", payment_system="Sandbox")


def _pay_a_part(shop: Shop, which: int) -> None:
    shop.pay(shop.some_order(which // 8, _IN_PARTS), amount="15.00", token="tok_fee", payment_system="Second")


def _pay_in_dollars(shop: Shop, which: int) -> None:
    more = {"token": "tok_ok", "payment_system": "Sandbox"}
    shop.pay(shop.some_order(which // 8, _IN_PARTS), amount="5.00", currency="USD", rate="0.80", **more)


def _answer(shop: Shop, which: int) -> None:
    sql = (
        "SELECT a.invoice_id FROM attempts a JOIN payment_systems p ON p.id = a.payment_system_id"
        " WHERE a.status = 'live' AND p.gateway = 'manual' ORDER BY a.id"
    )
    for row in shop.house.connection.execute(sql).fetchall():
        shop.answer(row["invoice_id"], confirmed=which % 4 > 0)


def _tick_a_month_later(shop: Shop) -> None:
    shop.now += timedelta(days=31)
    shop.tick()


def _retry(shop: Shop, which: int) -> None:
    for row in shop.house.connection.execute("SELECT id FROM recurring WHERE status = 'failed'").fetchall():
        recurring_actions.retry(shop.work, row["id"])


def _check(seller: Seller, reconfirm: str | None = None) -> Callable[[Shop, int], None]:
    def act(shop: Shop, which: int) -> None:
        attribution.confirm_sale(
            shop.work,
            shop.some_order(which, _COMPLETED).id,
            seller,
            reconfirm=reconfirm,
        )

    return act


def _change_offer(shop: Shop, which: int) -> None:
    words = {"category": str(1 + which % 2), "name": f"Renamed {which}"}
    offer = offers.find(shop.house.connection, ("10", "20", "30", "40")[which % 4], whole=True)
    records.edit(shop.work, offers.NOUN, offer.id, words)


ACTS: dict[str, Callable[[Shop, int], object]] = {
    "sell": _sold,
    "sell again": _sold,  # so that there is something to do the others to
    "open an order": _sale,
    "pay what is left": _pay,
    "pay a part": _pay_a_part,
    "pay a part in dollars": _pay_in_dollars,
    "answer for manual payments": _answer,
    "decline": lambda shop, n: by_hand.decline(shop.work, shop.some_order(n, _IN_PARTS).id),
    "confirm the payment": lambda shop, n: by_hand.confirm_payment(
        shop.work,
        shop.some_order(n, _IN_PARTS).id,
        force="enough",
    ),
    "assign": lambda shop, n: attribution.assign(shop.work, shop.some_order(n).id, ("ivan", "maria")[n % 2]),
    "check": _check(Seller()),
    "check as another's": _check(Seller("maria"), "she says so"),
    "check as the system's": _check(Seller(system=True), "nobody sold it"),
    "refund": lambda shop, n: shop.refund(shop.some_order(n, _COMPLETED), reason="sent back"),
    "refund a part": lambda shop, n: shop.refund(shop.some_order(n, _COMPLETED), amount="1.50", reason="a part"),
    "tick": lambda shop, n: shop.tick(),
    "tick a month later": lambda shop, n: _tick_a_month_later(shop),
    "break a card": lambda shop, n: shop.house.connection.execute("UPDATE recurring SET token = 'tok_card_declined'"),
    "retry": _retry,
    "import": Shop.bring,
    "move and rename the offer": _change_offer,
    "rename the category": lambda shop, n: records.edit(
        shop.work, categories.NOUN, 1 + n % 2, {"name": f"Category {n}"}
    ),
    "learn a fee": lambda shop, n: shop.house.connection.execute(
        "UPDATE invoices SET fee_minor = 1 WHERE fee_minor IS NULL AND paid_at IS NOT NULL AND amount_minor > 0"
    ),
}


def after_every_act(house: House) -> Shop:
    """Return a shop of a few days, with sales of every kind, after every act there is, forth and back."""
    shop = Shop(house)
    acts = ["sell"] * 12 + ["open an order"] * 9 + sorted(ACTS) + ["refund", "refund a part"] * 3
    for which, act in enumerate((*acts, *sorted(ACTS, reverse=True))):
        shop.do(act, which)
    return shop
