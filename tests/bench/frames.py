"""pandas with the same rows in memory, asked the same questions."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import Any

import pandas as pd

from salescli.reports import report as reports
from salescli.reports.report import Breakdown
from salescli.rules import time
from tests.bench.questions import WORD, Question

_COLUMNS = {
    "orders": "id, customer_id, offer_id, category_id, manager_id, confirmed, currency, quantity, completed_on",
    "invoices": "id, order_id, ordinal, amount_minor, currency, fee_minor, payment_system_id, paid_on",
    "refunds": "invoice_id, amount_minor, currency, refunded_on",
    "customers": "id, name",
    "offers": "id, name",
}
_KEYS = {
    "by-currency": None, "by-payment-system": "payment_system_id", "by-offer": "offer_id",
    "by-category": "category_id", "by-manager": "manager_id",
}  # fmt: skip
_NUMBERS = ["category_id", "manager_id", "payment_system_id", "fee_minor"]  # with gaps
Frames = dict[str, Any]


def loaded(path: Path) -> Frames:
    """Return the tables, joined once as an analyst would have them: payments with their orders, refunds with both."""
    connection = sqlite3.connect(path)
    tables = {
        name: pd.read_sql_query(f"SELECT {columns} FROM {name}", connection) for name, columns in _COLUMNS.items()
    }
    connection.close()
    orders, invoices = tables["orders"], tables["invoices"]
    paid = invoices[invoices.paid_on.notna()]
    first = paid.groupby("order_id").ordinal.transform("min") == paid.ordinal
    paid = paid.assign(first=first)
    events = orders.merge(paid, how="outer", left_on="id", right_on="order_id", suffixes=("_of_order", ""))
    events = events[events.completed_on.notna() | events.paid_on.notna()]
    events["currency"] = events.currency.fillna(events.currency_of_order)
    back = tables["refunds"].merge(events, left_on="invoice_id", right_on="id", suffixes=("_back", ""))
    for frame in (events, back):
        for name in _NUMBERS:
            frame[name] = frame[name].astype("Int64")
    return {"in": events, "back": back, "customers": tables["customers"], "offers": tables["offers"]}


def answer(frames: Frames, report: Breakdown, question: Question) -> dict[tuple[Any, str], tuple[Any, ...]]:
    """Return (key, currency) -> counts and sums."""
    of_orders = report.counts == "orders"
    day = "completed_on" if of_orders else "paid_on"
    came, back = (
        _left(frames, frames["in"], report, question, day),
        _left(frames, frames["back"], report, question, "refunded_on"),
    )
    key = _KEYS[report.name]
    if question.first_of_them:
        came = came.assign(first=came.groupby("order_id").ordinal.transform("min") == came.ordinal)
    first = came["first"].fillna(True).astype("int64") if of_orders else 1
    events = pd.DataFrame({
        "key": came[key] if key else 0, "currency": came.currency, "number": first,
        "quantity": came.quantity * first, "gross": came.amount_minor.fillna(0).astype("int64"),
        "fee": came.fee_minor.fillna(0), "unknown": (came.paid_on.notna() & came.fee_minor.isna()).astype("int64"),
    })  # fmt: skip
    sums = events.groupby(["key", "currency"], dropna=False).sum()
    returned = pd.DataFrame({"key": back[key] if key else 0, "currency": back.currency_back,
                             "refunded": back.amount_minor_back})  # fmt: skip
    sums = sums.join(returned.groupby(["key", "currency"], dropna=False).sum(), how="outer").fillna(0)
    return dict(_told(row, of_orders) for row in sums.reset_index().itertuples(index=False))


def _told(row: Any, of_orders: bool) -> tuple[tuple[Any, str], tuple[Any, ...]]:
    counts = (int(row.number), int(row.quantity)) if of_orders else (int(row.number),)
    fee = None if row.unknown else int(row.fee)
    key = None if pd.isna(row.key) else int(row.key)
    return (key, row.currency), (*counts, int(row.gross), fee, int(row.refunded))


def _left(frames: Frames, events: Any, report: Breakdown, question: Question, day: str) -> Any:
    """Return the events that a report and a question leave."""
    kept = events.completed_on.notna() if report.counts == "orders" else events.paid_on.notna()
    if report == reports.BY_MANAGER:
        kept &= events.manager_id.notna() & (events.confirmed == 1)
    if question.period:
        first, last = map(time.day_number, question.period)
        kept &= (events[day] >= first) & (events[day] <= last)
    column, _, value = question.clause.partition(" = ")
    if question.name == "search":
        named = {noun: _named(frames[f"{noun}s"]) for noun in ("customer", "offer")}
        kept &= events.customer_id.isin(named["customer"]) | events.offer_id.isin(named["offer"])
    elif question.name == "currency":
        kept &= events.currency == value.strip("'")
    elif column != "1":
        kept &= (events[column.partition(".")[2]] == int(value)).fillna(False)
    return events[kept]


def _named(frame: Any) -> Any:
    return frame.id[frame.name.str.lower().str.contains(rf"(?:^| ){WORD}")]
