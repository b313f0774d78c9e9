"""A payment system's statement beside the file: what agrees, each thing that does not, and what --apply may write."""

from __future__ import annotations

import io
import itertools
from collections.abc import Callable
from dataclasses import replace
from datetime import date
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from salescli.catalogue import payment_systems
from salescli.charging import by_hand
from salescli.errors import BadData, NotPermitted, SalesError
from salescli.imports import orders as order_import
from salescli.imports.csv_file import Problem
from salescli.imports.run import ImportRequest
from salescli.lists import ledger, query
from salescli.lists.filters import Filters
from salescli.lists.query import Page
from salescli.reconcile import compare, match, movements, statement
from salescli.reconcile.compare import Applied, ReconcileRequest
from salescli.reconcile.match import Comparison
from salescli.rules import time
from salescli.sales import attempts, invoices, new_attempts
from salescli.storage import process
from tests.conftest import House
from tests.importing import as_csv, contents
from tests.shop import Shop
from tests.storage.test_totals import acts, several_houses
from tests.story import Story

Rows = list[dict[str, str]]
ALWAYS = (date(2020, 1, 1), date(2030, 12, 31))
KEYS = ("reference", "gateway_id", "invoice")  # of payments
SYSTEMS = ("Sandbox", "Second", "Bank transfer")
_numbers = itertools.count()


def request(
    story: Story,
    rows: Rows,
    *,
    system: str = "Sandbox",
    days: Any = (None, None),
    problems: list[Problem] | None = None,
) -> ReconcileRequest:
    """Return the request to compare rows, read as CSV as from a person's file."""
    house = story.house
    content = io.BytesIO(as_csv(statement.COLUMNS, {"currency": "EUR"}, rows))
    lines = statement.read(content, zone=house.zone, on_bad=(problems or []).append)
    on_bad = (lambda problem: None) if problems is None else problems.append
    return ReconcileRequest(
        payment_systems.find(house.connection, system), lines, "march.csv", house.zone, days, on_bad
    )


def compared(story: Story, rows: Rows, **how: Any) -> Comparison:
    return compare.compare(story.house.connection, request(story, rows, **how), actor=story.house.actor)


def found(story: Story, rows: Rows, **how: Any) -> list[str]:
    return [finding.finding for finding in compared(story, rows, **how).findings]


def applied(story: Story, rows: Rows, **how: Any) -> tuple[Applied, list[str]]:
    """Apply a statement; return what was written and the findings that remain."""
    written, after = compare.apply(story.work, request(story, rows, **how))
    return written, [finding.finding for finding in after.findings]


def of_gateway(story: Story) -> Rows:
    """Return the sandbox's own ledger, another party's file, as the statement that it would write."""
    with story.ledger._opened() as entries:
        rows = entries.execute("SELECT * FROM entries WHERE status = 'succeeded' ORDER BY id").fetchall()
    return [
        {
            "reference": row["reference"],
            "gateway_id": f"sb_{row['id']}",
            "kind": "payment" if row["kind"] == "charge" else "refund",
            "amount": f"{row['amount_minor'] / 100:.2f}",
            "currency": row["currency"],
            "fee": "" if row["fee_minor"] is None else f"{row['fee_minor'] / 100:.2f}",
        }
        for row in rows
    ]


def of_ledger(shop: Story, system: str, key: str = "all") -> Rows:
    """Return the statement that the payment system would write of what the ledger here has, dated."""
    listed = query.select(
        shop.house.connection, ledger.VIEW, Filters(payment_system=(system,)), Page(ledger.VIEW.columns),
        zone=shop.house.zone, actor=shop.house.actor,
    )  # fmt: skip
    rows = []
    for entry in (dict(one) for one in listed if one["amount"]):
        row = {"invoice": str(entry["invoice"]), "kind": "payment" if entry["amount"] > 0 else "refund"}
        row |= {"amount": f"{abs(entry['amount']) / 100:.2f}", "currency": entry["currency"]}
        row["at"] = time.stored_text(entry["at"])
        if entry["commission"] is not None and not entry["estimated"]:
            row["fee"] = f"{entry['commission'] / 100:.2f}"
        row |= {"gateway_id": entry["gateway_id"] or "", "reference": _reference(shop, entry)}
        if key != "all" and row[key]:
            row |= {other: "" for other in statement.KEYS if other != key}
        rows.append(row)
    return rows


def _reference(shop: Story, entry: dict[str, Any]) -> str:
    sql = "SELECT a.reference FROM refunds x JOIN attempts a ON a.id = x.attempt_id WHERE x.id = -:entry"
    if entry["entry"] > 0:
        sql = "SELECT reference FROM attempts WHERE invoice_id = :entry AND kind = 'charge' AND status = 'succeeded'"
    row = shop.house.connection.execute(sql, {"entry": entry["entry"]}).fetchone()
    return row["reference"] if row else ""


@pytest.fixture
def paid(story: Story) -> Story:
    """Three orders of 49.00: paid, paid and refunded in part, and paid with a fee that was reported."""
    story.house.offer("49.00", number="7")
    orders = [story.order("7"), story.order("7"), story.order("7", token="tok_fee")]
    assert [story.pay(order) for order in orders] == ["succeeded"] * 3
    assert story.refund(orders[1], amount="9.00") == ["succeeded"]
    return story


@pytest.fixture
def waiting(story: Story) -> Story:
    """An order of 49.00 that waits for a bank transfer, on invoice 1."""
    story.house.offer("49.00", number="7")
    assert story.pay(story.order("7", through="Bank transfer")) == "waits"
    return story


@pytest.fixture
def doubtful(story: Story) -> Story:
    """A payment of 49.00 that the sandbox took before the connection was cut, on invoice 1."""
    story.house.offer("49.00", number="7")
    assert story.pay(story.order("7", token="tok_timeout_after_charge")) == "unknown"
    return story


# Each finding


def test_the_gateway_s_own_ledger_agrees_but_for_fees_that_are_estimated_here(paid: Story) -> None:
    assert found(paid, of_gateway(paid), days=ALWAYS) == []
    assert compared(paid, of_gateway(paid), days=ALWAYS).sums == [
        match.Sums("EUR", {"agrees": (4, 13_800)}, {"agrees": (4, 13_800)})
    ]


def test_money_there_that_nothing_here_names_is_only_there(paid: Story) -> None:
    rows = [*of_gateway(paid), {"gateway_id": "sb_99", "amount": "10.00"}]
    comparison = compared(paid, rows, days=ALWAYS)
    [finding] = comparison.findings
    assert (finding.finding, finding.line and finding.line.gateway_id) == ("only there", "sb_99")
    assert comparison.sums[0].there == {"only there": (1, 1_000), "agrees": (4, 13_800)}


def test_money_here_that_the_statement_lacks_is_only_here(paid: Story) -> None:
    first, *rest = of_gateway(paid)
    comparison = compared(paid, rest, days=ALWAYS)
    [finding] = comparison.findings
    assert (finding.finding, finding.movement and finding.movement.reference) == ("only here", first["reference"])
    assert comparison.sums[0].here == {"only here": (1, 4_900), "agrees": (3, 8_900)}


@pytest.mark.parametrize("change", [{"amount": "49.01"}, {"currency": "USD"}])
def test_another_amount_or_currency_differs_and_is_never_applied(paid: Story, change: dict[str, str]) -> None:
    first, *rest = of_gateway(paid)
    rows = [{**first, **change, "fee": "1.00"}, *rest]
    assert found(paid, rows, days=ALWAYS) == ["amount differs"]
    before = contents(paid.house)
    assert applied(paid, rows, days=ALWAYS)[1] == ["amount differs"]
    assert contents(paid.house) == before


def test_a_fee_that_is_estimated_here_is_told_and_one_that_is_known_differs(paid: Story) -> None:
    estimated, _, known, back = of_gateway(paid)
    rows = [{**estimated, "fee": "1.42"}, {**known, "fee": "0.75"}, {**back, "fee": "0.30"}]
    assert found(paid, rows) == ["fee differs", "fee reported"]


def test_a_payment_in_doubt_here_that_the_statement_shows(doubtful: Story) -> None:
    assert found(doubtful, of_gateway(doubtful), days=ALWAYS) == ["outcome unknown"]


def test_a_manual_payment_waits_that_the_statement_shows(waiting: Story) -> None:
    assert found(waiting, [{"invoice": "1", "amount": "49.00"}], system="Bank transfer") == ["waits"]
    assert found(waiting, [{"invoice": "1", "amount": "48.00"}], system="Bank transfer") == ["amount differs"]


def test_a_line_that_repeats_another_is_money_that_moved_twice_there(paid: Story) -> None:
    first, *rest = of_gateway(paid)
    again = {**first, "gateway_id": "sb_77"}  # charged twice under one reference
    comparison = compared(paid, [again, first, *rest], days=ALWAYS)
    [finding] = comparison.findings
    assert (finding.finding, finding.line and finding.line.gateway_id) == ("twice there", "sb_77")
    assert finding.same_as == 3
    assert comparison.sums[0].there == {"twice there": (1, 4_900), "agrees": (4, 13_800)}
    assert comparison.sums[0].here == {"agrees": (4, 13_800)}


def test_two_attempts_of_one_invoice_that_both_took_money_are_twice_there(story: Story) -> None:
    story.house.offer("49.00", number="7")
    order = story.order("7", token="tok_card_declined")
    assert [story.pay(order), story.pay(order, token="tok_ok")] == ["declined", "succeeded"]
    declined = attempts.of_invoice(story.house.connection, 1)[0]
    rows = [{"reference": declined.reference, "amount": "49.00"}, *of_gateway(story)]
    [finding] = compared(story, rows, days=ALWAYS).findings
    assert (finding.finding, finding.line and finding.line.reference) == ("twice there", declined.reference)


def test_a_stranger_that_stands_there_twice_is_named_twice(paid: Story) -> None:
    assert found(paid, [{"gateway_id": "x", "amount": "1.00"}] * 2) == ["only there", "twice there"]
    refunds = [{"gateway_id": "x", "kind": "refund", "amount": amount} for amount in ("1.00", "2.00")]
    assert found(paid, refunds) == ["only there", "only there"]  # two portions of one payment


def test_another_payment_system_s_payment_does_not_match(paid: Story) -> None:
    paid.house.payment_system("Other")
    comparison = compared(paid, of_gateway(paid)[:1], system="Other")
    assert [finding.finding for finding in comparison.findings] == ["only there"]
    other = payment_systems.find(paid.house.connection, "Other")
    found = movements.elsewhere(paid.house.connection, comparison, other)
    assert found[1].state == "invoice 1 is Completed here and goes through Sandbox"


# Days


def test_the_days_compared_are_those_the_statement_is_dated_on(paid: Story) -> None:
    paid.at("2026-02-03 23:30").pay(paid.order("7"))
    first = {**of_gateway(paid)[0], "at": "2026-01-31 10:00"}
    assert found(paid, [first]) == ["only here"] * 3  # those of that day, and not the one of February
    late = {**first, "at": "2026-02-03 22:00:00Z"}  # the 4th in Kyiv
    assert compared(paid, [late]).period == match.Period(date(2026, 2, 4), date(2026, 2, 4))
    assert found(paid, [late]) == []  # agrees, though it is of another day here


def test_without_dates_nothing_is_missing_here(paid: Story) -> None:
    comparison = compared(paid, of_gateway(paid)[:1])
    assert (comparison.findings, comparison.period) == ([], None)


def test_lines_of_other_days_are_left_out_and_counted(paid: Story) -> None:
    first = {**of_gateway(paid)[0], "at": "2026-01-31 10:00"}
    stranger = {"gateway_id": "x", "amount": "1.00", "at": "2026-02-01 10:00"}
    comparison = compared(paid, [first, stranger], days=(date(2026, 1, 30), date(2026, 1, 30)))
    assert (comparison.findings, comparison.sums, comparison.left_out) == ([], [], 2)


def test_an_empty_statement_needs_days(paid: Story) -> None:
    with pytest.raises(BadData, match="has no rows"):
        compared(paid, [])
    assert found(paid, [], days=ALWAYS) == ["only here"] * 4


def test_a_payment_of_nothing_is_not_missing(story: Story) -> None:
    story.house.offer("0", number="8")
    story.order("8")
    story.house.connection.execute("UPDATE invoices SET payment_system_id = 1")  # as a plan's payment of nothing has
    assert found(story, [], days=ALWAYS) == []


def test_of_equal_refunds_a_line_means_the_one_nearest_in_time(paid: Story) -> None:
    order = paid.order("7")
    paid.pay(order)
    paid.at("2026-02-10 10:00").refund(order, amount="5.00")
    paid.at("2026-03-10 10:00").refund(order, amount="5.00")
    back = {"invoice": "4", "kind": "refund", "amount": "5.00", "at": "2026-03-10 12:00"}
    comparison = compared(paid, [back], days=(date(2026, 2, 1), date(2026, 3, 31)))
    [missing] = comparison.findings
    assert (missing.finding, missing.movement and missing.movement.day) == ("only here", date(2026, 2, 10))


# Keys that contradict each other, and bad rows


@pytest.mark.parametrize(
    ("row", "message"),
    [
        pytest.param({"amount": "1"}, "line 2, reference: is blank; a row needs one of", id="no key"),
        pytest.param({"invoice": "1"}, "line 2, amount: is blank; every row needs it", id="no amount"),
        pytest.param({"invoice": "1", "amount": "0.00"}, "line 2, amount: '0.00': is zero", id="nothing"),
        pytest.param(
            {"invoice": "1", "amount": "-5.00", "kind": "payment"},
            "is negative beside its kind; leave out the sign",
            id="below zero",
        ),
        pytest.param({"invoice": "1", "amount": "1" * 40}, "is not an amount", id="a huge amount"),
        pytest.param({"invoice": "1", "amount": "9" * 15}, "is more than the largest amount", id="too much"),
        pytest.param({"invoice": "1", "amount": "NaN"}, "is not an amount", id="no number"),
        pytest.param({"invoice": "0", "amount": "1"}, "is not a number of an invoice", id="invoice 0"),
        pytest.param({"invoice": "9" * 30, "amount": "1"}, "is not a number of an invoice", id="a huge invoice"),
        pytest.param({"invoice": "1", "amount": "1", "kind": "gift"}, "is not a kind", id="another kind"),
        pytest.param({"invoice": "1", "amount": "1", "at": "soon"}, "is not a time", id="no time"),
        pytest.param({"invoice": "1", "amount": "1", "currency": "XXX"}, "is not a currency", id="no currency"),
        pytest.param({"gateway_id": "x" * 501, "amount": "1"}, "has 501 characters", id="a long number"),
        pytest.param({"gateway_id": "a\u202eb", "amount": "1"}, "an invisible character", id="turned text"),
        pytest.param({"gateway_id": "a\0b", "amount": "1"}, "holds a NUL character", id="a NUL"),
    ],
)
def test_a_bad_row_is_named_and_nothing_is_compared(story: Story, row: dict[str, str], message: str) -> None:
    problems: list[Problem] = []
    content = io.BytesIO(as_csv(statement.COLUMNS, {"currency": "EUR"}, [row, {"invoice": "1", "amount": "1"}]))
    with pytest.raises(BadData, match="1 row of 2 is bad and nothing was compared"):
        statement.read(content, zone=story.house.zone, on_bad=problems.append)
    assert message in str(problems[0])


@pytest.mark.parametrize(
    ("content", "message"),
    [
        pytest.param(b"", "the file is empty", id="empty"),
        pytest.param(
            b"amount,currency\n1,EUR\n",
            "one of the columns reference, gateway_id, payment_id, invoice is needed",
            id="no key",
        ),
        pytest.param(b"sum;day\n", "no mapping knows a statement with the columns .sum., .day.", id="other names"),
        pytest.param(b"invoice,amount\n", "missing column currency", id="no currency"),
        pytest.param(b"\x81\x8d\x8f", "not UTF-8", id="another encoding"),
    ],
)
def test_a_file_that_is_no_statement_is_refused(story: Story, content: bytes, message: str) -> None:
    with pytest.raises(BadData, match=message):
        statement.read(io.BytesIO(content), zone=story.house.zone)


def test_a_byte_order_mark_and_a_formula_as_number_are_read(story: Story) -> None:
    content = "\ufeffgateway_id,amount,currency\n'=1+1,1,EUR\n".encode()
    [line] = statement.read(io.BytesIO(content), zone=story.house.zone)
    assert (line.gateway_id, line.amount_minor) == ("=1+1", 100)


def test_keys_of_different_invoices_make_a_bad_row(paid: Story) -> None:
    first, second, *_ = of_gateway(paid)
    problems: list[Problem] = []
    rows = [{**first, "gateway_id": second["gateway_id"]}, {**first, "invoice": "2"}, {**first, "invoice": "99"}]
    with pytest.raises(BadData, match="3 rows of 3 are bad"):
        compared(paid, rows, days=ALWAYS, problems=problems)
    assert [problem.reason for problem in problems] == [
        f"belongs to invoice {other}, but the reference belongs to invoice 1" for other in (2, 2, 99)
    ]


def test_a_refund_listed_as_a_payment_makes_a_bad_row(paid: Story) -> None:
    back = of_gateway(paid)[3]
    for key in ("reference", "gateway_id"):
        problems: list[Problem] = []
        with pytest.raises(BadData, match="1 row of 1 is bad"):
            compared(paid, [{key: back[key], "amount": "9.00"}], problems=problems)
        assert problems[0].reason == "is a refund of invoice 2 here; set its kind to refund"


def test_a_payment_is_known_by_its_number_though_a_refund_without_one_has_it_too(paid: Story) -> None:
    charge = attempts.of_invoice(paid.house.connection, 1)[0]
    new = new_attempts.NewAttempt("refund", "r", charge.payment_system_id, 900, "EUR", gateway_id=charge.gateway_id)
    paid.at("2026-02-10 10:00")
    new_attempts.open_attempt(paid.work, invoices.get(paid.house.connection, 1), new)
    assert applied(paid, [{"reference": "r:1", "kind": "refund", "amount": "9.00"}])[1] == []  # without a gateway id
    gateway_id = str(charge.gateway_id)
    rows = [
        {"gateway_id": gateway_id, "amount": "49.00", "at": "2026-01-31 10:00"},
        {"gateway_id": gateway_id, "amount": "9.00", "kind": "refund", "at": "2026-02-10 10:00"},
    ]
    assert found(paid, rows, days=(date(2026, 2, 1), date(2026, 2, 28))) == []


# Applying


def test_a_fee_is_taken_over_with_its_reason(paid: Story) -> None:
    paid.house.connection.execute("UPDATE invoices SET fee_due_at = ?", (time.stored(paid.now),))
    rows = [{**of_gateway(paid)[0], "fee": "1.42"}]
    written, remain = applied(paid, rows)
    assert (written.fees, written.done, remain) == (1, [], [])
    invoice = invoices.get(paid.house.connection, 1)
    assert (invoice.fee_minor, invoice.fee_estimated) == (142, False)
    due = paid.house.connection.execute("SELECT fee_due_at FROM invoices WHERE id = 1").fetchone()[0]
    assert due is None  # it is not looked up any more
    line = paid.house.history("invoice", 1)[-1]
    assert (line["what"], line["reason"]) == ("fee recorded", "statement march.csv, line 2")


def test_a_fee_in_another_currency_is_kept_as_such(paid: Story) -> None:
    rows = [{**of_gateway(paid)[0], "fee": "1.55", "fee_currency": "USD"}]
    assert found(paid, rows) == ["fee reported"]
    before = invoices.get(paid.house.connection, 1)
    written, remain = applied(paid, rows)
    assert (written.fees, remain) == (1, [])
    after = invoices.get(paid.house.connection, 1)
    assert (after.foreign_fee_minor, after.foreign_fee_currency) == (155, "USD")
    assert (after.fee_minor, after.fee_estimated) == (before.fee_minor, before.fee_estimated)
    assert found(paid, [{**rows[0], "fee": "1.56"}]) == ["fee differs"]
    assert found(paid, [{**rows[0], "fee": "9999", "fee_currency": "JPY"}]) == ["fee differs"]


def test_a_fee_whose_currency_is_the_payments_is_its_commission(paid: Story) -> None:
    written, remain = applied(paid, [{**of_gateway(paid)[0], "fee": "1.42", "fee_currency": "eur"}])
    assert (written.fees, remain, invoices.get(paid.house.connection, 1).fee_minor) == (1, [], 142)


def test_a_known_fee_stays(paid: Story) -> None:
    before = contents(paid.house)
    assert applied(paid, [{**of_gateway(paid)[2], "fee": "0.75"}])[1] == ["fee differs"]
    assert contents(paid.house) == before


def test_a_fee_of_more_than_the_payment_is_not_taken_over(paid: Story) -> None:
    assert applied(paid, [{**of_gateway(paid)[0], "fee": "49.01"}])[1] == ["fee differs"]


def test_a_fee_of_more_than_the_payment_is_not_taken_over_with_it_either(waiting: Story) -> None:
    rows = [{"invoice": "1", "amount": "49.00", "fee": "49.01"}]
    written, remain = applied(waiting, rows, system="Bank transfer")
    assert (written.fees, remain, waiting.invoices(1)) == (0, ["fee differs"], [("completed", 4_900)])


def test_a_payment_in_doubt_is_settled_by_resolve_and_never_charged_again(doubtful: Story) -> None:
    rows = [{**of_gateway(doubtful)[0], "fee": "1.42"}]
    doubtful.house.connection.execute("UPDATE attempts SET owner = NULL")
    written, remain = applied(doubtful, rows)
    assert written.done == ["invoice 1: payment of 49.00 EUR made (statement march.csv, line 2)"]
    assert (written.fees, remain) == (1, [])
    resolved = next(line for line in doubtful.house.history("invoice", 1) if line["what"] == "resolved: succeeded")
    assert resolved["reason"] == "statement march.csv, line 2"
    doubtful.tick()
    assert (doubtful.charges(), doubtful.invoices(1)) == (1, [("completed", 4_900)])


def test_a_payment_that_is_being_made_right_now_is_left_alone(doubtful: Story) -> None:
    owner = process.this_process()
    doubtful.house.connection.execute("UPDATE attempts SET owner = ?", (owner,))
    written, remain = applied(doubtful, of_gateway(doubtful))
    assert written.refused == ["invoice 1 is being worked on right now; wait for that to end"]
    assert (written.done, remain) == ([], ["outcome unknown"])


def test_a_payment_in_doubt_is_not_settled_by_another_payment_system_s_statement(doubtful: Story) -> None:
    doubtful.house.payment_system("Other")
    assert applied(doubtful, of_gateway(doubtful), system="Other")[1] == ["only there"]
    assert doubtful.invoices(1) == [("processing", 4_900)]


@pytest.mark.parametrize("change", [{"amount": "48.00"}, {"currency": "USD"}])
def test_a_payment_in_doubt_of_another_amount_stays_in_doubt(doubtful: Story, change: dict[str, str]) -> None:
    rows = [{**of_gateway(doubtful)[0], **change}]
    assert applied(doubtful, rows)[1] == ["amount differs"]
    assert doubtful.invoices(1) == [("processing", 4_900)]


def test_a_payment_in_doubt_that_only_its_invoice_names_is_left_to_a_person(doubtful: Story) -> None:
    assert applied(doubtful, [{"invoice": "1", "amount": "49.00"}])[1] == ["outcome unknown"]
    assert doubtful.invoices(1) == [("processing", 4_900)]


def test_an_earlier_attempt_that_took_money_does_not_settle_the_one_in_doubt(story: Story) -> None:
    story.house.offer("49.00", number="7")
    order = story.order("7", token="tok_card_declined")
    assert [story.pay(order), story.pay(order, token="tok_timeout_after_charge")] == ["declined", "unknown"]
    first = attempts.of_invoice(story.house.connection, 1)[0]
    rows = [{"reference": first.reference, "invoice": "1", "amount": "49.00"}]
    assert applied(story, rows)[1] == ["only there"]  # the one in doubt may have taken it again
    assert story.invoices(1) == [("processing", 4_900)]


def test_a_refund_in_doubt_is_not_settled_by_the_payment_s_line(paid: Story) -> None:
    charge = attempts.of_invoice(paid.house.connection, 1)[0]
    new = new_attempts.NewAttempt("refund", "r", charge.payment_system_id, 900, "EUR", gateway_id=charge.gateway_id)
    new_attempts.open_attempt(paid.work, invoices.get(paid.house.connection, 1), new)
    back = {"reference": "r:1", "kind": "refund", "amount": "9.00"}
    assert applied(paid, of_gateway(paid), days=ALWAYS)[1] == []
    assert paid.house.count("refunds") == 1
    by_its_charge = {"gateway_id": charge.gateway_id or "", "kind": "refund", "amount": "9.00"}
    assert applied(paid, [by_its_charge])[1] == ["outcome unknown"]
    assert applied(paid, [back])[1] == []
    assert invoices.get(paid.house.connection, 1).refunded_minor == 900


def test_a_waiting_payment_is_confirmed_at_the_statement_s_time(waiting: Story) -> None:
    waiting.at("2026-02-20 10:00")
    rows = [{"invoice": "1", "amount": "49.00", "fee": "0.10", "at": "2026-02-02 09:00"}]
    written, remain = applied(waiting, rows, system="Bank transfer")
    assert (written.fees, remain) == (1, [])
    invoice = invoices.get(waiting.house.connection, 1)
    assert (invoice.status, invoice.fee_minor) == ("completed", 10)
    assert time.utc_text(invoice.came_at) == "2026-02-02T07:00:00Z"
    [seen] = [line for line in waiting.house.history("invoice", 1) if line["what"] == "seen in a statement"]
    assert seen["reason"] == "statement march.csv, line 2"


def test_a_payment_dated_in_the_future_is_not_confirmed(waiting: Story) -> None:
    rows = [{"invoice": "1", "amount": "49.00", "at": "2026-02-02 09:00"}]
    written, remain = applied(waiting, rows, system="Bank transfer")
    assert "is dated in the future" in written.refused[0]
    assert (remain, waiting.invoices(1)) == (["waits"], [("open", 4_900)])


def test_a_waiting_payment_that_stands_there_twice_is_confirmed_once(waiting: Story) -> None:
    rows = [{"invoice": "1", "amount": "49.00"}] * 2
    assert applied(waiting, rows, system="Bank transfer")[1] == ["twice there"]
    assert waiting.invoices(1) == [("completed", 4_900)]


def test_what_one_side_alone_knows_is_never_applied(paid: Story) -> None:
    first, *rest = of_gateway(paid)
    before = contents(paid.house)
    stranger = {"gateway_id": "x", "amount": "1.00"}
    assert applied(paid, [*rest, stranger, stranger], days=ALWAYS)[1] == ["only there", "twice there", "only here"]
    assert contents(paid.house) == before
    assert len(of_gateway(paid)) == len([first, *rest])  # nobody was charged, nothing given back


def test_without_the_permission_nothing_is_written(doubtful: Story) -> None:
    reader = doubtful.house.user("halyna", name="Галина", role="accountant")
    before = contents(doubtful.house)
    what = request(doubtful, of_gateway(doubtful))
    assert compare.compare(doubtful.house.connection, what, actor=reader).findings
    with pytest.raises(NotPermitted, match="enter-orders"):
        compare.apply(replace(doubtful.work, actor=reader), what)
    assert contents(doubtful.house) == before


def test_without_the_permission_not_even_a_fee_is_written(paid: Story) -> None:
    reader = paid.house.user("halyna", name="Галина", role="accountant")
    before = contents(paid.house)
    what = request(paid, [{**of_gateway(paid)[0], "fee": "1.42"}])
    with pytest.raises(NotPermitted, match="enter-orders"):
        compare.apply(replace(paid.work, actor=reader), what)
    assert contents(paid.house) == before


def test_what_fails_in_the_middle_leaves_nothing(waiting: Story, monkeypatch: pytest.MonkeyPatch) -> None:
    waiting.pay(waiting.order("7", through="Bank transfer"))
    before = contents(waiting.house)
    confirm = by_hand.answer_by_hand

    def fail_on_the_second(connection: Any, invoice: int, **how: Any) -> Any:
        if invoice == 2:
            raise SalesError("the disk is full")
        return confirm(connection, invoice, **how)

    monkeypatch.setattr(by_hand, "answer_by_hand", fail_on_the_second)
    with pytest.raises(SalesError, match="disk"):
        applied(waiting, [{"invoice": n, "amount": "49.00"} for n in ("1", "2")], system="Bank transfer")
    assert contents(waiting.house) == before


# Whatever happened in a shop


def whole(shop: Story, system: str) -> dict[str, int]:
    """Return what the ledger here comes to, by currency."""
    sums: dict[str, int] = {}
    for row in of_ledger(shop, system):
        sign = 1 if row["kind"] == "payment" else -1
        sums[row["currency"]] = sums.get(row["currency"], 0) + sign * round(float(row["amount"]) * 100)
    return sums


def check_sums(shop: Story, rows: Rows, system: str, comparison: Comparison) -> None:
    """Hold the two sides to the ledger's and to the statement's own sum."""
    here = {sums.currency: sum(minor for _, minor in sums.here.values()) for sums in comparison.sums if sums.here}
    there = {sums.currency: sum(minor for _, minor in sums.there.values()) for sums in comparison.sums if sums.there}
    stated: dict[str, int] = {}
    for row in rows:
        sign = -1 if row.get("kind") == "refund" else 1
        currency = row.get("currency", "EUR")
        stated[currency] = stated.get(currency, 0) + sign * round(float(row["amount"]) * 100)
    assert (here, there) == (whole(shop, system), stated)


@several_houses
@given(acts=acts, system=st.sampled_from(SYSTEMS), key=st.sampled_from(("all", *KEYS)))
def test_a_statement_of_the_shop_s_own_movements_agrees_whatever_happened(
    acts: list[tuple[str, int]], system: str, key: str, new_house: Callable[..., House]
) -> None:
    shop = Shop(new_house(f"reconciled-{next(_numbers)}.db"))
    for act, which in acts:
        shop.do(act, which)
    rows = of_ledger(shop, system, key)
    comparison = compared(shop, rows, system=system, days=ALWAYS)
    assert comparison.findings == []
    assert len(comparison.found) == len(rows)
    check_sums(shop, rows, system, comparison)


def _dropped(rows: Rows, at: int) -> Rows:
    return rows[:at] + rows[at + 1 :]


def _put(rows: Rows, at: int, **change: str) -> Rows:
    return [*rows[:at], {**rows[at], **change}, *rows[at + 1 :]]


PERTURBATIONS: dict[str, Callable[[Rows, int], Rows]] = {
    "only here": _dropped,
    "amount differs": lambda rows, at: _put(rows, at, amount=f"{float(rows[at]['amount']) + 0.01:.2f}"),
    "twice there": lambda rows, at: [*rows, rows[at]],
    "only there": lambda rows, at: [*rows, {"gateway_id": "stranger", "amount": "7.77"}],
}


@pytest.fixture
def transferred(shop: Shop) -> Shop:
    """Let three bank transfers come in the shop in which everything happened, and one of them go back in part."""
    for _ in range(3):
        shop.pay(order := shop.order("30", through="Bank transfer"))
        shop.answer(invoices.of_order(shop.house.connection, order.id)[0].id)
    assert shop.refund(order, amount="9.00", reason="too late") == ["succeeded"]
    return shop


@settings(max_examples=80, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    data=st.data(),
    finding=st.sampled_from(sorted(PERTURBATIONS)),
    system=st.sampled_from(SYSTEMS),
    key=st.sampled_from(("all", *KEYS)),
)
def test_any_one_change_of_a_statement_that_agrees_is_found_as_what_it_is(
    data: st.DataObject, finding: str, system: str, key: str, transferred: Shop
) -> None:
    rows = of_ledger(transferred, system, key)
    at = data.draw(st.integers(0, len(rows) - 1))
    changed = PERTURBATIONS[finding](rows, at)
    shuffled = data.draw(st.permutations(changed))
    comparison = compared(transferred, shuffled, system=system, days=ALWAYS)
    assert [one.finding for one in comparison.findings] == [finding]
    check_sums(transferred, changed, system, comparison)


def test_applying_twice_is_applying_once(transferred: Shop) -> None:
    transferred.pay(transferred.order("30", through="Bank transfer"))
    transferred.pay(transferred.order("30", token="tok_timeout_after_charge"))
    transferred.house.connection.execute("UPDATE attempts SET owner = NULL")
    done = fees = 0
    for system in SYSTEMS:
        live = transferred.house.connection.execute(
            "SELECT a.reference, a.amount_minor, a.currency FROM attempts a JOIN payment_systems p"
            " ON p.id = a.payment_system_id WHERE a.status = 'live' AND a.kind = 'charge' AND p.name = ?",
            (system,),
        )
        rows = [{**row, "fee": "0.01"} for row in of_ledger(transferred, system)]
        rows += [
            {"reference": row[0], "amount": f"{row[1] / 100:.2f}", "currency": row[2], "fee": "0.01"} for row in live
        ]
        written, remain = applied(transferred, rows, system=system, days=ALWAYS)
        done, fees = done + len(written.done), fees + written.fees
        assert set(remain) <= {"fee differs"}
        once = contents(transferred.house)
        again, after = applied(transferred, rows, system=system, days=ALWAYS)
        assert (again, after) == (Applied(), remain)
        assert contents(transferred.house) == once
    assert done >= 2
    assert fees > 2


@pytest.mark.parametrize(
    "line",
    [{"reference": "SHOP-17"}, {"reference": "REF 7"}, {"gateway_id": "pi_1"}],
    ids=["the number of its order", "its reference in the shop", "its number there"],
)
def test_an_imported_payment_is_known_by_what_the_shop_called_it(story: Story, line: dict[str, str]) -> None:
    header = "order,created_at,status,customer,offer,price,currency,payment_system,gateway_id,payment_reference\n"
    row = "SHOP-17,2026-01-05,completed,A,Ink,10.00,EUR,Sandbox,pi_1,REF 7\n"
    order_import.import_orders(story.work, ImportRequest(io.BytesIO((header + row).encode())))
    dated = {**line, "amount": "10.00", "at": "2026-01-05 12:00"}
    assert found(story, [dated]) == []
    assert found(story, [dated], system="Bank transfer") == [match.ONLY_THERE]
    back = {**dated, "kind": "refund", "at": "2026-01-20 12:00"}
    written, _ = applied(story, [dated, back])
    assert len(written.done) == 1
    assert story.house.count("refunds", "amount_minor = 1000") == 1
