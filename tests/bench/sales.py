"""Five years of a seller, drawn from a seed as rows: orders, invoices, attempts, refunds, plans, customers, history.

the next order's moment -> plans that fall due before it -> the order -> its payments -> perhaps a plan, or a refund
"""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Iterator
from heapq import heappop, heappush
from zoneinfo import ZoneInfo

from salescli.catalogue.payment_systems import PaymentSystem
from salescli.rules import time
from tests.bench import tick_rows
from tests.bench.catalogue import Row, Zipf, drawn
from tests.bench.names import person
from tests.bench.years import DAY, DAYS, Years

CHUNK = 5_000  # orders whose rows are held at a time
SOURCE = "shop"
INSTALLATION = "bench"  # the beginning of every reference
_AT_ONCE = ("succeeded",)
_UP = "5d1a7c3e-0f52-4b8e-9a64-2c7f1e9b3d80/86400"  # the clock that nobody sets, as an attempt keeps it
ABROAD = ("EUR", "UAH", "0.025", 40)  # an order in euros paid in hryvnias, and how many of them a euro is
_LAST = DAYS * DAY - 1  # nothing happens later
_DECLINES = (("insufficient_funds", "not enough money"), ("card_declined", "the bank said no"))
_TRIES = Zipf((*[("succeeded",)] * 12, ("declined", "succeeded"), ("declined", "declined", "succeeded")))
_MACHINES = (1, 3)  # payment systems whose gateway charges
_OF_THE_OFFER = (
    "category_id", "category_number", "partial", "partial_min_ppm", "partial_success_ppm", "every_count", "every_unit",
    "payments_total", "retry_after",
)  # fmt: skip

_FRESH = {  # what a plan begins with
    "payment_system_id": 1, "token": "tok_ok", "status": "active", "payments_made": 1, "due_at": None,
    "next_payment_at": None, "declines": 0, "last_error_code": None, "last_error": None, "source": None,
    "source_number": None, "imported_as": None,
}  # fmt: skip
_NO_PLAN = dict.fromkeys(("every_count", "every_unit", "payments_total", "retry_after"))

Rows = dict[str, list[Row]]


def _texts(instants: Row) -> Row:
    return {name: None if at is None else time.stored_text(at) for name, at in instants.items()}


class Sales:
    """The rows of ``orders`` orders; the same seed draws the same."""

    def __init__(self, orders: int, seed: int, zone: ZoneInfo) -> None:
        self._chance = random.Random(seed)
        self._draw = self._chance.random
        self._years = Years(zone)
        self._wanted = orders
        self._last: defaultdict[str, int] = defaultdict(int)  # table -> the last id
        self._rows: defaultdict[str, list[Row]] = defaultdict(list)
        self._plans: list[tuple[int, int, Row]] = []  # (due, id, plan), the next due first
        self._ticks = tick_rows.learnt()
        self._blank = dict.fromkeys(self._ticks[False, False][0])  # the columns of a line of history
        self.catalogue = drawn(orders, self._chance, self._years.at(0))
        self._terms = {offer["id"]: {name: offer[name] for name in _OF_THE_OFFER} for offer in self.catalogue.offers}

    def __iter__(self) -> Iterator[Rows]:
        """Yield rows by table, some thousands of orders at a time."""
        while (sold := self._last["orders"]) < self._wanted:
            moment = self._years.moment((sold + self._draw()) / self._wanted)
            if self._plans and self._plans[0][0] <= moment:
                self._pay_plan(*heappop(self._plans))
            else:
                self._sell(moment)
            if len(self._rows["orders"]) >= CHUNK:
                yield self._taken()
        self._rows["recurring"].extend(plan for _, _, plan in self._plans)
        yield self._taken()

    def _taken(self) -> Rows:
        rows, self._rows = self._rows, defaultdict(list)
        return rows

    def _add(self, table: str, row: Row) -> Row:
        self._last[table] = row["id"] = self._last[table] + 1
        self._rows[table].append(row)
        return row

    # What is sold

    def _sell(self, moment: int) -> None:
        kind = self._draw()
        offers, become = self.catalogue.whole, self._settle_whole
        if kind < 0.012:
            offers, become = self.catalogue.recurring, self._settle_first
        elif kind < 0.12:
            offers, become = self.catalogue.partial, self._settle_in_parts
        offer = offers.draw(self._draw())
        order = self._add("orders", self._order(offer, moment))
        if order["source"] is None:
            self._note("order", order["id"], "opened", order["created_at"])
        become(order, moment)

    def _order(self, offer: Row, moment: int) -> Row:
        draw, number = self._draw, self._last["orders"] + 1
        quantity = 1 + int(draw() * 5) if offer["multiple"] and draw() < 0.4 else 1
        unit = offer["price_minor"]
        discount = unit // 10 if draw() < 0.05 else 0
        seller = self.catalogue.sellers.draw(draw()) if draw() < 0.7 else None
        imported = draw() < 0.6 and offer["every_unit"] is None
        at, day = self._years.at(moment), self._years.day(moment)
        return {
            **self._terms[offer["id"]],
            "uid": self._uid(),
            "source": SOURCE if imported else None,
            "source_number": f"S-{number:08}" if imported else None,
            "imported_as": number.to_bytes(16, "big") if imported else None,
            "customer_id": self._customer(at),
            "offer_id": offer["id"], "offer_name": offer["name"], "offer_number": offer["number"],
            "status": "open", "unit_price_minor": unit, "quantity": quantity, "discount_minor": discount,
            "price_minor": unit * quantity - discount, "currency": offer["currency"], "paid_minor": 0,
            "manager_id": seller, "manager_by": None if seller is None else "person", "confirmed": 0,
            "payment_system_id": None, "token": None, "recurring_id": None, "payment_number": None, "due_at": None,
            "created_at": at, "created_on": day, "completed_at": None, "completed_on": None,
        }  # fmt: skip

    def _uid(self) -> str:
        """Return a number as the program gives to orders and plans: no two are alike, and none follows another."""
        return f"{self._chance.getrandbits(64):016x}"

    def _customer(self, now: int) -> int:
        """Return a new customer, or one that came before, early ones more often."""
        known = self._last["customers"]
        if known and self._draw() < 0.6:
            return 1 + int(known * self._draw() ** 2)
        name, address = person(known)
        email = f"{address}.{known}@example.com" if self._draw() < 0.8 else None
        phone = f"+38067{known % 10_000_000:07}" if self._draw() < 0.5 else None
        elsewhere = self._draw() < 0.3
        row = {"name": name, "email": email, "phone": phone, "source": SOURCE if elsewhere else None,
               "source_id": f"C-{known:08}" if elsewhere else None, "created_at": now}  # fmt: skip
        return int(self._add("customers", row)["id"])

    # What is paid

    def _settle_whole(self, order: Row, moment: int) -> None:
        outcome = self._draw()
        if not order["price_minor"]:
            self._pay(order, 0, moment, None)
            self._complete(order, moment)
        elif outcome < 0.05:
            return
        elif outcome < 0.13:
            order["status"] = "declined"
            self._attempt(self._invoice(order, order["price_minor"], moment, self._merchant()), order, "declined")
        else:
            paid_at = self._later(moment, 3600)
            invoice = self._pay(order, order["price_minor"], paid_at, self._merchant())
            self._complete(order, paid_at)
            if outcome > 0.94:
                self._give_back(order, [invoice], paid_at, whole=outcome > 0.97)

    def _settle_in_parts(self, order: Row, moment: int) -> None:
        """Pay in up to four parts: to the end, or to where a person completes it, leaves it open or declines it."""
        outcome, parts = self._draw(), 1 + int(self._draw() * 4)
        price = order["price_minor"]
        enough = price if outcome < 0.7 else price * 95 // 100 if outcome < 0.76 else price * parts // 6
        invoices = []
        for part in range(parts):
            moment = self._later(moment, 20 * DAY)
            share = enough * (part + 1) // parts - enough * part // parts
            invoices.append(self._pay(order, share, moment, self._merchant()))
        if outcome < 0.76:
            self._complete(order, moment)
            if outcome > 0.73:
                self._give_back(order, invoices, moment, whole=outcome > 0.75)
        elif outcome > 0.92:
            order["status"] = "declined"

    def _merchant(self) -> PaymentSystem:
        return self.catalogue.merchants.draw(self._draw())

    def _later(self, moment: int, most: int) -> int:
        """Return a moment up to ``most`` seconds on, in the hours when people pay, and never past the end."""
        then = moment + int(self._draw() * most)
        hours = then % DAY
        return min(_LAST, then if hours >= 5 * 3600 else then + 5 * 3600)

    def _pay(self, order: Row, share: int, moment: int, merchant: PaymentSystem | None, *became: str) -> Row:
        """Add the paid invoice of a share of the price: as its attempts ``became``, else sometimes after declines."""
        invoice = self._invoice(order, share, moment, merchant)
        fee = merchant.commission(invoice["amount_minor"], invoice["currency"]) if merchant else None
        invoice.update(
            status="completed", paid_at=invoice["attempted_at"], paid_on=self._years.day(moment), fee_minor=fee,
            fee_estimated=int(fee is not None), gateway_id=f"ch_{invoice['id']:012}",
        )  # fmt: skip
        order["paid_minor"] += share
        self._attempt(invoice, order, *(became or _TRIES.draw(self._draw())))
        return invoice

    def _invoice(self, order: Row, share: int, moment: int, merchant: PaymentSystem | None) -> Row:
        home, abroad, rate, per_unit = ABROAD
        away = order["currency"] == home and self._draw() < 0.03
        row = {
            "order_id": order["id"], "ordinal": order.setdefault("parts", 0) + 1, "status": "declined",
            "amount_minor": share * per_unit if away else share, "currency": abroad if away else order["currency"],
            "rate": rate if away else None, "share_minor": share, "fee_minor": None, "fee_estimated": 0,
            "one_click": int(bool(merchant and merchant.one_click) and self._draw() < 0.2),
            "payment_system_id": merchant and merchant.id, "comment": None,
            "attempted_at": self._years.at(moment), "paid_at": None, "paid_on": None, "refunded_minor": 0,
            "gateway_id": None,
        }  # fmt: skip
        order["parts"] += 1
        return self._add("invoices", row)

    def _attempt(self, invoice: Row, order: Row, *became: str) -> None:
        """Add the attempts of a payment, if a machine took it, as they ended."""
        if order["source"] or invoice["payment_system_id"] not in _MACHINES:
            return
        at, plan = invoice["attempted_at"], order.get("plan_uid")  # tick names the plan's payment, a person the order's
        paid = f"{plan}:{order['payment_number']}" if plan else f"{order['uid']}:{invoice['ordinal']}"
        for number, status in enumerate(became, 1):
            code, message = (None, None) if status == "succeeded" else _DECLINES[number % 2]
            row = {
                "kind": "charge", "invoice_id": invoice["id"], "customer_id": order["customer_id"],
                "recurring_id": order["recurring_id"] if plan else None, "number": number,
                "reference": f"{INSTALLATION}:{paid}:{number}",
                "payment_system_id": invoice["payment_system_id"], "amount_minor": invoice["amount_minor"],
                "currency": invoice["currency"], "token": "tok_ok", "status": status, "owned_at": at,
                "started_at": at, "started_up": _UP, "settled_at": at, "code": code, "message": message,
                "gateway_id": invoice["gateway_id"] if status == "succeeded" else None,
            }  # fmt: skip
            self._add("attempts", row)

    def _complete(self, order: Row, moment: int) -> None:
        sold = 0.8 if order["manager_id"] else 0.5
        order.update(
            status="completed", completed_at=self._years.at(moment), completed_on=self._years.day(moment),
            confirmed=int(self._draw() < sold),
        )  # fmt: skip

    def _give_back(self, order: Row, invoices: list[Row], moment: int, *, whole: bool) -> None:
        """Refund all that was paid, or a third of the last payment, in the weeks after it."""
        moment = self._later(moment, 70 * DAY)
        for invoice in invoices if whole else invoices[-1:]:
            amount = invoice["amount_minor"] if whole else invoice["amount_minor"] // 3
            if not amount:
                continue
            row = {"invoice_id": invoice["id"], "amount_minor": amount, "currency": invoice["currency"],
                   "refunded_at": self._years.at(moment), "refunded_on": self._years.day(moment),
                   "reason": "the customer asked"}  # fmt: skip
            self._add("refunds", row)
            invoice["refunded_minor"] = amount
            invoice["status"] = "refund" if whole else invoice["status"]
        order["status"] = "refund" if whole else order["status"]

    def _note(self, subject: str, id: int, what: str, at: int) -> None:
        row = {
            **self._blank, "at": at, "user_id": 1, "by_system": 0, "subject": subject, "subject_id": id, "what": what,
            "changes": '{"status": [null, "open"]}',
        }  # fmt: skip
        self._add("history", row)

    # Recurring orders

    def _settle_first(self, order: Row, moment: int) -> None:
        """Pay the order that starts a plan."""
        order.update(price_minor=order["unit_price_minor"], quantity=1, discount_minor=0)
        self._last["recurring"] += 1
        plan = {**order, **_FRESH, "id": self._last["recurring"], "uid": self._uid(),
                "initial_order_id": order["id"], "anchor_at": order["created_at"], "anchor": moment}  # fmt: skip
        order.update(recurring_id=plan["id"], payment_number=1)
        self._pay_machine(order, moment)
        plan["confirmed"] = order["confirmed"]
        self._plan_next(plan)

    def _pay_machine(self, order: Row, moment: int, *became: str) -> Row:
        invoice = self._pay(order, order["price_minor"], moment, self.catalogue.merchants.draw(0), *became)
        self._complete(order, moment)
        return invoice

    def _plan_next(self, plan: Row) -> None:
        """Plan the next payment, unless all were made; now and then a person pauses the plan."""
        made = plan["payments_made"]
        if made == plan["payments_total"]:
            plan.update(status="completed", due_at=None, next_payment_at=None)
        else:
            due = self._years.months_after(plan["anchor"], made * plan["every_count"])
            plan["due_at"] = plan["next_payment_at"] = self._years.at(due)
            if self._draw() > 0.005:
                heappush(self._plans, (due, plan["id"], plan))
                return
            plan["status"] = "paused"
        self._rows["recurring"].append(plan)

    def _pay_plan(self, due: int, id: int, plan: Row) -> None:
        """Make a plan's payment that fell due, or fail it for good after three declines."""
        at, day = plan["due_at"], self._years.day(due)
        again = {"recurring_id": id, "payment_number": plan["payments_made"] + 1, "paid_minor": 0, "parts": 0,
                 "uid": self._uid(), "plan_uid": plan["uid"], "created_at": at, "created_on": day, "confirmed": 0,
                 "status": "open"}  # fmt: skip
        order = self._add("orders", {**plan, **_NO_PLAN, **again})
        if self._draw() > 0.004:
            invoice = self._pay_machine(order, due, *_AT_ONCE)
            order["confirmed"] = plan["confirmed"]
            plan["payments_made"] += 1
            self._plan_next(plan)
            self._tell_tick(plan, order, invoice, at)
            return
        order["status"] = "declined"
        invoice = self._invoice(order, order["price_minor"], due, self.catalogue.merchants.draw(0))
        self._attempt(invoice, order, *["declined"] * 3)
        code, message = _DECLINES[1]
        plan.update(status="failed", next_payment_at=None, declines=3, last_error_code=code, last_error=message)
        self._rows["recurring"].append(plan)

    def _tell_tick(self, plan: Row, order: Row, invoice: Row, due: int) -> None:
        """Add what tick writes into the history about a plan's payment."""
        lines = self._ticks[plan["status"] == "completed", bool(plan["confirmed"])]
        ids = {"order": order["id"], "invoice": invoice["id"], "recurring": plan["id"]}
        values = {
            **_texts({"at": invoice["paid_at"], "due": due, "next": plan["due_at"]}),
            "gateway_id": invoice["gateway_id"],
            "amount": invoice["amount_minor"], "number": plan["payments_made"], "made": plan["payments_made"] - 1,
            "currency": f'"{order["currency"]}"', "recurring_id": f"[null, {plan['id']}]",
            "initial": f"initial order {plan['initial_order_id']}",
        }  # fmt: skip
        for row in tick_rows.filled(lines, ids, values, invoice["paid_at"]):
            self._add("history", row)
