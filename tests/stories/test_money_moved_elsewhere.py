"""Stories of refunds and disputes that were made in the payment system itself: each is recorded once."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from salescli.charging import by_hand, gateway_sync, refund
from salescli.charging.refund import MadeOutside, NewRefund
from salescli.errors import BadData, BadUsage, NotPermitted, WrongStatus
from salescli.gateways.protocol import Changes, Disputed, OutcomeUnknown, Refunded, Result, Unavailable
from salescli.gateways.sandbox import Sandbox
from salescli.overview import doctor
from salescli.rules import time
from salescli.sales.orders import Order
from tests.story import Story
from tests.terminal import Ran


def sold(story: Story, **more: str) -> Order:
    """Sell a course of 49.00."""
    if not story.house.count("offers"):
        story.house.offer("49.00", number="7")
    order = story.order("7", **more)
    story.pay(order)
    return order


def well(story: Story) -> None:
    """Hold that doctor's sums agree."""
    assert [
        f for f in doctor.examine(story.house.connection, story.now, story.house.zone) if "do not" in f.advice
    ] == []


def recorded(story: Story) -> list[tuple[int, str, str]]:
    """Return amount, day and kind of every refund."""
    rows = story.house.connection.execute("SELECT amount_minor, refunded_on, kind FROM refunds ORDER BY id")
    return [(minor, time.day_text(day), kind) for minor, day, kind in rows]


OF_OLENA = "invoice 1 (Олена Коваленко, olena@example.com)"


def record(story: Story, order: Order, at: str, reason: str | None = "seen there", **more: str) -> None:
    """Record a refund that was made outside."""
    made = MadeOutside(time.parse_time(at, story.house.zone), gateway_id=more.get("gateway_id"))
    refund.record(story.work, order.id, NewRefund(more.get("amount"), reason=reason), made)


def test_a_refund_made_elsewhere_is_recorded_on_its_day_and_asks_no_gateway(story: Story) -> None:
    order = sold(story)
    story.at("2026-02-20 10:00")
    record(story, order, "2026-02-03 09:00", amount="20.00")
    assert recorded(story) == [(2000, "2026-02-03", "refund")]
    assert story.see(order).status == "completed"
    record(story, order, "2026-02-05", amount="29.00")
    assert story.see(order).status == "refund"
    with story.ledger._opened() as ledger:
        assert ledger.execute("SELECT count(*) FROM calls WHERE op = 'refund'").fetchone()[0] == 0
    line = story.house.history("invoice", 1)[-2]
    assert (line["what"], line["reason"], line["changes"]["refunded_minor"]) == ("refunded", "seen there", [0, 2000])
    well(story)


def test_a_manual_payments_refund_is_recorded_too(story: Story) -> None:
    order = sold(story, through="Bank transfer")
    story.answer(1)
    story.at("2026-02-20 10:00")
    record(story, order, "2026-02-03 09:00")
    assert (recorded(story), story.see(order).status) == ([(4900, "2026-02-03", "refund")], "refund")


def test_what_cannot_be_is_refused(story: Story) -> None:
    order = sold(story)
    story.at("2026-02-20 10:00")
    with pytest.raises(BadUsage, match="--reason"):
        record(story, order, "2026-02-03 09:00", reason=None)
    with pytest.raises(BadUsage, match="in the future"):
        record(story, order, "2026-02-21")
    with pytest.raises(BadData, match="was paid at 2026-01-31 10:00:00"):
        record(story, order, "2026-01-31 09:59")
    with pytest.raises(BadData, match="more than the 49"):
        record(story, order, "2026-02-03", amount="49.01")
    assert recorded(story) == []
    record(story, order, "2026-01-31", amount="1.00")  # the day alone: after the payment
    assert story.house.connection.execute("SELECT refunded_at FROM refunds").fetchone()[0] == time.stored(
        time.from_text("2026-01-31T08:00:00Z")
    )


def test_the_same_refund_is_recorded_once_unless_its_number_is_another(story: Story) -> None:
    order = sold(story)
    story.at("2026-02-20 10:00")
    record(story, order, "2026-02-03 09:00", amount="10.00")
    with pytest.raises(WrongStatus, match="is recorded already, as of 2026-02-03 09:00:00"):
        record(story, order, "2026-02-03 18:00", amount="10.00")
    record(story, order, "2026-02-03 18:00", amount="10.00", gateway_id="re_2")
    with pytest.raises(WrongStatus, match="is recorded already"):
        record(story, order, "2026-02-09 18:00", amount="10.00", gateway_id="re_2")
    record(story, order, "2026-02-05 09:00", amount="10.00")
    assert len(recorded(story)) == 3


def test_recording_needs_the_permission_to_refund(story: Story) -> None:
    order = sold(story)
    maria = story.house.user("maria", name="Марія", role="manager")
    made = MadeOutside(story.now)
    with pytest.raises(NotPermitted):
        refund.record(story.work.__class__(story.house.connection, maria, story.now, story.house.zone), order.id,
                      NewRefund(reason="seen"), made)  # fmt: skip
    assert recorded(story) == []


def test_no_refund_is_recorded_while_ours_is_under_way(story: Story) -> None:
    order = sold(story)
    story.house.connection.execute(
        "INSERT INTO attempts (kind, invoice_id, customer_id, number, reference, payment_system_id, amount_minor,"
        " currency, status, owned_at, started_at) SELECT 'refund', 1, 1, 1, 'ours', 1, 4900, 'EUR', 'live', started_at,"
        " started_at FROM attempts"
    )
    story.now += timedelta(days=1)
    with pytest.raises(WrongStatus, match=r"under way|unknown"):
        record(story, order, "2026-02-01 09:00")


def test_the_command_records_rehearses_and_refuses(story: Story) -> None:
    sold(story)
    line = ("orders", "refund", "1", "--record-only", "--at", "2026-02-03", "--amount", "20.00")
    assert story.house.run(*line, "--yes").code == 2
    tried = story.house.run(*line, "--reason", "there", "--dry-run")
    assert (tried.code, recorded(story)) == (0, [])
    assert "20.00 EUR of invoice 1: recorded" in tried.out
    done = story.house.run(*line, "--reason", "there", "--yes")
    assert (done.code, recorded(story)) == (0, [(2000, "2026-02-03", "refund")])
    assert "order 1 is Completed" in done.out
    assert story.house.run("orders", "refund", "1", "--gateway-id", "re_1", "--yes").code == 2


def test_a_dispute_that_was_lost_can_be_recorded_by_hand(story: Story) -> None:
    order = sold(story)
    story.at("2026-02-20 10:00")
    made = MadeOutside(story.now, dispute=True)
    refund.record(story.work, order.id, NewRefund(reason="letter of the bank"), made)
    assert (recorded(story), story.see(order).status) == ([(4900, "2026-02-20", "dispute")], "refund")
    assert story.house.history("invoice", 1)[-1]["what"] == "dispute lost"
    well(story)


def refunded_there(story: Story, charge: int, amount: int, at: str, reference: str | None = None) -> str:
    """Refund a charge in the sandbox's own pages and return the refund's number."""
    with story.ledger._opened() as ledger:
        number = ledger.execute("SELECT coalesce(max(id), 0) + 1 FROM entries").fetchone()[0]
        ledger.execute(
            "INSERT INTO entries (reference, kind, status, amount_minor, currency, charge_id, created_at)"
            " VALUES (?, 'refund', 'succeeded', ?, 'EUR', ?, ?)",
            (reference or f"dashboard-{number}", amount, charge, at),
        )
    return f"sb_{number}"


def back_there(story: Story) -> int:
    """Return how much went back by the sandbox's own ledger."""
    with story.ledger._opened() as ledger:
        sql = "SELECT coalesce(sum(amount_minor), 0) FROM entries WHERE kind = 'refund'"
        return int(ledger.execute(sql).fetchone()[0])


def synced(story: Story, *words: str) -> list[str]:
    """Ask the sandbox and return the lines."""
    work, found = story.work, []
    for system in gateway_sync.systems(story.house.connection, words):
        got = gateway_sync.record(work, gateway_sync.fetch(work, system, story.gateway))
        found += [*got.recorded, *got.for_a_person, *got.silent]
    return found


def test_a_refund_that_was_made_there_is_recorded_and_not_repeated(story: Story) -> None:
    order = sold(story)
    refunded_there(story, 1, 2000, "2026-02-03T09:00:00Z")
    story.at("2026-02-20 10:00")
    [(_, answer)] = refund.refund(story.work, order.id, NewRefund("20.00"), gateways=story.gateway)
    assert (answer.became, answer.code) == ("succeeded", refund.FOUND_THERE)
    assert (recorded(story), back_there(story)) == ([(2000, "2026-02-03", "refund")], 2000)
    assert story.refund(order, amount="29.00") == ["succeeded"]
    assert (back_there(story), story.see(order).status) == (4900, "refund")
    well(story)


def test_a_full_refund_there_makes_the_order_refund(story: Story) -> None:
    order = sold(story)
    refunded_there(story, 1, 4900, "2026-02-03T09:00:00Z")
    assert story.refund(order) == ["succeeded"]
    assert (back_there(story), story.see(order).status) == (4900, "refund")


def test_another_amount_there_is_recorded_and_ours_is_refused(story: Story) -> None:
    order = sold(story)
    refunded_there(story, 1, 3000, "2026-02-03T09:00:00Z")
    done = story.house.run("orders", "refund", "1", "--amount", "20.00", "--yes")
    assert done.code == 1
    assert "30.00 EUR went back through Sandbox already, and is recorded now; 19.00 EUR is left" in done.out
    assert (back_there(story), len(recorded(story))) == (3000, 1)
    assert story.refund(order, amount="19.00") == ["succeeded"]
    assert back_there(story) == 4900


def test_a_look_up_that_fails_sends_no_refund(story: Story, monkeypatch: pytest.MonkeyPatch) -> None:
    order = sold(story)
    monkeypatch.setattr(Sandbox, "refunds", away)
    assert story.refund(order) == ["not_sent"]
    assert (back_there(story), story.house.count("attempts", "kind = 'refund'")) == (0, 0)


def away(*_: object) -> None:
    raise Unavailable("away")


def test_a_refund_is_recorded_once_by_sync_however_often_it_is_told(story: Story) -> None:
    order = sold(story)
    refunded_there(story, 1, 2000, "2026-02-03T09:00:00Z")
    story.at("2026-02-03 12:00")
    assert synced(story) == [f"{OF_OLENA}: 20.00 EUR went back through Sandbox on 2026-02-03"]
    for moment in ("2026-02-03 12:00", "2026-02-03 18:00", "2026-03-30 10:00"):
        assert synced(story.at(moment)) == []
    assert recorded(story) == [(2000, "2026-02-03", "refund")]
    assert story.house.run("orders", "refund", "1", "--record-only", "--at", "2026-02-03 11:00", "--amount",
                           "20.00", "--reason", "x", "--yes").code == 5  # fmt: skip
    assert story.see(order).status == "completed"
    well(story)


def test_a_recorded_refund_gets_its_number_and_is_no_second_one(story: Story) -> None:
    order = sold(story)
    story.at("2026-02-20 10:00")
    record(story, order, "2026-02-03", amount="20.00")
    number = refunded_there(story, 1, 2000, "2026-02-03T09:00:00Z")
    assert synced(story) == []
    assert story.house.connection.execute("SELECT gateway_id FROM refunds").fetchone()[0] == number
    refunded_there(story, 1, 2000, "2026-02-20T07:00:00Z")
    assert len(synced(story)) == 1
    assert len(recorded(story)) == 2


def test_our_refund_of_unknown_outcome_is_settled_by_sync_and_nothing_else_of_it_is_recorded(story: Story) -> None:
    order = sold(story)
    cut(story, order, "20.00")
    refunded_there(story, 1, 500, "2026-02-03T09:00:00Z")
    assert story.house.count("refunds") == 0
    story.at("2026-02-03 12:00")
    assert len(synced(story)) == 2
    assert sorted(amount for amount, _, _ in recorded(story)) == [500, 2000]
    assert story.house.count("attempts", "status = 'live'") == 0
    story.now += timedelta(days=1)
    story.tick()
    assert (synced(story), len(recorded(story)), back_there(story)) == ([], 2, 2500)
    well(story)


def cut(story: Story, order: Order, amount: str) -> None:
    """Refund, and lose the answer."""
    real = Sandbox.refund

    def lost(self: Sandbox, gateway_id: str, reference: str, amount_minor: int) -> None:
        real(self, gateway_id, reference, amount_minor)
        raise OutcomeUnknown("the line was cut")

    Sandbox.refund = lost  # type: ignore[assignment, method-assign]
    try:
        assert story.refund(order, amount=amount) == ["unknown"]
    finally:
        Sandbox.refund = real  # type: ignore[method-assign]


def test_a_refund_of_ours_that_the_database_lacks_keeps_its_number(story: Story) -> None:
    order = sold(story)
    reference = f"test:{order.uid}:1:refund:1"
    refunded_there(story, 1, 2000, "2026-02-03T09:00:00Z", reference)
    story.at("2026-02-20 10:00")
    assert len(synced(story)) == 1
    assert story.refund(order, amount="20.00") == ["succeeded"]
    assert (back_there(story), len(recorded(story))) == (4000, 2)


def test_a_refund_that_a_person_called_not_made_is_recorded_once_it_was(story: Story) -> None:
    order = sold(story)
    cut(story, order, "20.00")
    by_hand.resolve(story.work, 1, "not_sent", "they say so")
    assert len(synced(story)) == 1
    assert story.refund(order, amount="20.00") == ["succeeded"]
    assert (back_there(story), [amount for amount, _, _ in recorded(story)]) == (4000, [2000, 2000])


def test_tick_asks_once_an_hour_and_a_failure_is_a_line(story: Story, monkeypatch: pytest.MonkeyPatch) -> None:
    sold(story)
    story.tick()
    refunded_there(story, 1, 2000, "2026-02-03T09:00:00Z")
    story.now += timedelta(minutes=50)
    story.tick()
    assert recorded(story) == []
    story.now += timedelta(minutes=10)
    counts = story.tick()
    assert (len(recorded(story)), counts.broken, counts.for_a_person) == (1, False, [])
    monkeypatch.setattr(Sandbox, "changes", away)
    story.now += timedelta(hours=1)
    counts = story.tick()
    assert (counts.broken, counts.for_a_person) == (
        False,
        ["Sandbox could not be asked for refunds and disputes: away"],
    )
    assert story.tick().for_a_person == []


def test_a_clock_that_ran_ahead_hides_nothing(story: Story) -> None:
    sold(story)
    synced(story.at("2027-02-03 12:00"))
    refunded_there(story, 1, 2000, "2026-02-03T09:00:00Z")
    assert len(synced(story.at("2026-02-04 12:00"))) == 1


def test_a_refund_there_of_more_than_is_left_here_is_for_a_person(story: Story) -> None:
    order = sold(story)
    story.at("2026-02-02 10:00")
    record(story, order, "2026-02-01", amount="40.00")
    refunded_there(story, 1, 2000, "2026-02-03T09:00:00Z")
    said = story.house.run("gateway-sync", "--since", "2026-01-01")
    assert said.code == 1
    assert "20.00 EUR went back through Sandbox on 2026-02-03 (sb_2), but only 9.00 EUR is left here" in said.err
    assert len(recorded(story)) == 1


def test_the_command_rehearses_and_records(story: Story) -> None:
    sold(story)
    refunded_there(story, 1, 2000, "2026-02-03T09:00:00Z")
    tried = story.house.run("gateway-sync", "Sandbox", "--since", "2026-01-01", "--dry-run")
    assert (tried.code, recorded(story)) == (0, [])
    assert f"{OF_OLENA}: 20.00 EUR went back" in tried.out
    assert f"{OF_OLENA}: 20.00 EUR went back" in story.house.run("gateway-sync", "--since", "2026-01-01").out
    assert story.house.run("gateway-sync", "--since", "2026-01-01").out == "nothing new\n"
    assert "Bank transfer cannot tell" in story.house.run("gateway-sync", "Bank transfer").err
    assert len(recorded(story)) == 1


def test_a_dispute_is_opened_and_lost_once(story: Story) -> None:
    order = sold(story)
    number = story.ledger.dispute("sb_1", story.at("2026-02-10 10:00").now, fee_minor=1500)
    assert synced(story) == [
        f"{OF_OLENA}: dispute sb_dp_1 of 49.00 EUR at Sandbox is open; answer it by 2026-02-17 10:00:00"
    ]
    assert (synced(story), recorded(story)) == ([], [])
    with pytest.raises(WrongStatus, match="is disputed"):
        story.refund(order)
    story.ledger.settle_dispute(number, "lost", story.at("2026-03-20 10:00").now)
    assert synced(story) == [f"{OF_OLENA}: dispute sb_dp_1 of 49.00 EUR at Sandbox is lost"]
    assert synced(story) == []
    assert recorded(story) == [(4900, "2026-03-20", "dispute")]
    assert story.see(order).status == "refund"
    row = story.house.connection.execute("SELECT status, fee_minor, fee_currency FROM disputes").fetchone()
    assert tuple(row) == ("lost", 1500, "EUR")
    well(story)


def test_a_dispute_that_is_won_moves_nothing(story: Story) -> None:
    order = sold(story)
    number = story.ledger.dispute("sb_1", story.at("2026-02-10 10:00").now)
    story.ledger.settle_dispute(number, "won", story.at("2026-03-20 10:00").now)
    assert len(synced(story)) == 1
    assert (recorded(story), story.see(order).status) == ([], "completed")
    assert story.refund(order) == ["succeeded"]


def test_a_lost_dispute_that_a_person_recorded_is_no_second_one(story: Story) -> None:
    order = sold(story)
    number = story.ledger.dispute("sb_1", story.at("2026-02-10 10:00").now)
    story.at("2026-03-20 10:00")
    refund.record(story.work, order.id, NewRefund(reason="letter"), MadeOutside(story.now, dispute=True))
    story.ledger.settle_dispute(number, "lost", story.now)
    assert len(synced(story)) == 1
    assert recorded(story) == [(4900, "2026-03-20", "dispute")]
    well(story)


def test_a_payment_that_was_made_after_all_is_settled_by_sync(story: Story) -> None:
    story.house.offer("49.00", number="7")
    order = story.order("7", token="tok_timeout_after_charge")
    assert story.pay(order) == "unknown"
    refunded_there(story, 1, 2000, "2026-02-03T09:00:00Z")
    assert len(synced(story.at("2026-02-03 12:00"))) == 2
    assert (story.see(order).status, len(recorded(story))) == ("completed", 1)
    assert synced(story) == []


def test_a_payment_that_a_person_called_not_charged_is_told_of(story: Story) -> None:
    story.house.offer("49.00", number="7")
    order = story.order("7", token="tok_timeout_after_charge")
    story.pay(order)
    by_hand.resolve(story.work, 1, "not_sent", "they say so")
    assert synced(story)[0].startswith(f"{OF_OLENA}: payment sb_1 was made at Sandbox, and is not sent here")
    synced(story)
    assert sum(line["what"].startswith("payment sb_1 made there") for line in story.house.history("invoice", 1)) == 1


STATEMENT = """gateway_id,kind,amount,currency,at
sb_1,payment,49.00,EUR,2026-01-31 10:00
sb_1,refund,20.00,EUR,2026-02-03 11:00
"""


def reconciled(story: Story, statement: str, *more: str) -> Ran:
    """Compare a statement of the sandbox."""
    line = ("reconcile", "-", "--payment-system", "Sandbox", *more)
    return story.house.run(*line, stdin=statement)


def test_reconcile_records_a_refund_that_both_sides_agree_on_once(story: Story) -> None:
    sold(story)
    before = reconciled(story, STATEMENT, "--csv")
    assert (before.code, before.rows[0]["advice"]) == (1, "recorded by --apply")
    assert "would be written" in reconciled(story, STATEMENT, "--apply", "--dry-run").err
    assert recorded(story) == []
    assert reconciled(story, STATEMENT, "--apply").code == 0
    assert recorded(story) == [(2000, "2026-02-03", "refund")]
    assert "nothing to apply" in reconciled(story, STATEMENT, "--apply").err
    refunded_there(story, 1, 2000, "2026-02-03T09:00:00Z")
    assert synced(story.at("2026-02-03 12:00")) == []
    assert (reconciled(story, STATEMENT, "--apply").code, len(recorded(story))) == (0, 1)
    well(story)


def test_reconcile_agrees_with_what_sync_recorded(story: Story) -> None:
    sold(story)
    number = refunded_there(story, 1, 2000, "2026-02-03T09:00:00Z")
    synced(story.at("2026-02-03 12:00"))
    for id in ("sb_1", number):
        statement = STATEMENT.replace("sb_1,refund", f"{id},refund")
        assert (reconciled(story, statement, "--apply").code, len(recorded(story))) == (0, 1)


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("sb_1,refund,50.00,EUR,2026-02-03 11:00", "only 49.00 EUR is left here"),
        ("sb_1,refund,20.00,USD,2026-02-03 11:00", "only 49.00 EUR is left here"),
        ("sb_1,refund,20.00,EUR,2026-01-30 11:00", "dated before its payment"),
        ("sb_9,refund,20.00,EUR,2026-02-03 11:00", "no invoice here matches"),
        ("sb_1,dispute,49.00,EUR,2026-02-03 11:00", "orders refund 1 --invoice 1 --record-only"),
        ("sb_1,refund,20.00,EUR,", "orders refund 1 --invoice 1 --record-only"),
    ],
)
def test_what_is_not_sure_stays_a_finding(story: Story, line: str, told: str) -> None:
    sold(story)
    after = reconciled(story, STATEMENT[: STATEMENT.rindex("sb_1,refund")] + line + "\n", "--apply", "--csv")
    assert after.code == 1
    assert told in after.out + after.err
    assert recorded(story) == []


def test_the_same_amount_twice_on_one_statement_is_recorded_once(story: Story) -> None:
    sold(story)
    twice = f"{STATEMENT}sb_1,refund,20.00,EUR,2026-02-20 11:00\n"
    assert reconciled(story, twice, "--apply").code == 1
    assert len(recorded(story)) == 1


def test_a_user_who_may_not_refund_records_none(story: Story) -> None:
    sold(story)
    story.house.connection.execute("UPDATE roles SET permissions = 'view enter-orders' WHERE name = 'owner'")
    after = reconciled(story, STATEMENT, "--apply")
    assert (after.code, recorded(story)) == (1, [])
    assert "with the permission refund" in after.err


def test_reconcile_matches_disputes(story: Story) -> None:
    sold(story)
    number = story.ledger.dispute("sb_1", story.at("2026-02-10 10:00").now, fee_minor=1500)
    synced(story)
    statement = "gateway_id,kind,amount,currency,fee,at\nsb_1,dispute,49.00,EUR,15.00,2026-02-10 10:00\n"
    assert reconciled(story, statement, "--csv").rows[0]["finding"] == "dispute open"
    story.ledger.settle_dispute(number, "lost", story.now)
    synced(story)
    assert reconciled(story, statement).code == 0
    assert reconciled(story, statement.replace("sb_1,dispute", "sb_dp_1,dispute")).code == 0


def test_a_dispute_is_seen_in_todo_orders_payments_ledger_reports_and_history(story: Story) -> None:
    sold(story)
    number = story.ledger.dispute("sb_1", story.at("2026-02-10 10:00").now, fee_minor=1500)
    synced(story)
    run = story.house.run
    [todo] = [row for row in run("todo", "--csv").rows if row["what"] == "dispute to answer"]
    assert (todo["number"], todo["due"]) == ("1", "2026-02-17 10:00:00")
    assert todo["command"].endswith("payments show 1")
    assert run("orders", "list", "--csv", "--columns", "order,dispute").rows == [{"order": "1", "dispute": "open"}]
    story.ledger.settle_dispute(number, "lost", story.at("2026-03-20 10:00").now)
    synced(story)
    assert not [row for row in run("todo", "--csv").rows if row["what"] == "dispute to answer"]
    [dispute] = run("orders", "show", "1", "--format", "json").json["disputes"]
    assert (dispute["status"], dispute["fee"], dispute["money_back"]) == ("lost", "15.00", "49.00")
    assert len(run("payments", "show", "1", "--format", "json").json["disputes"]) == 1
    ledger = run("payments", "ledger", "--csv", "--columns", "at,amount,kind,dispute_fee,gateway_id").rows
    assert ledger[0] == {
        "at": "2026-03-20 10:00:00", "amount": "-49.00", "kind": "dispute", "dispute_fee": "15.00",
        "gateway_id": "sb_dp_1",
    }  # fmt: skip
    for report in ("by-payment-system", "by-offer", "by-currency"):
        rows = run("reports", report, "--csv", "--month", "2026-03").rows
        assert [row["refunded"] for row in rows] == ["49.00"], report
    whats = [line["what"] for line in story.house.history("invoice", 1)]
    assert whats[-3:] == ["dispute sb_dp_1 opened", "dispute lost", "dispute sb_dp_1 lost"]


REFUNDED = Refunded("sb_1", "re_1", 2000, "EUR", "2026-02-03T09:00:00Z")
DISPUTED = Disputed("sb_1", "dp_1", "lost", 2000, "EUR", "2026-02-03T09:00:00Z")


@pytest.mark.parametrize(
    "odd",
    [
        Changes((replace(REFUNDED, amount_minor=0),)),
        Changes((replace(REFUNDED, amount_minor=-2000),)),
        Changes((replace(REFUNDED, amount_minor=10**25),)),
        Changes((replace(REFUNDED, currency="eur"),)),
        Changes((replace(REFUNDED, refunded_at="yesterday"),)),
        Changes((replace(REFUNDED, refunded_at="2026-99-03T09:00:00Z"),)),
        Changes((replace(REFUNDED, gateway_id=""),)),
        Changes((replace(REFUNDED, gateway_id="re\ud83d"),)),
        Changes((replace(REFUNDED, payment_id="sb_\ud83d"),)),
        Changes(until="never"),
        Changes((), (replace(DISPUTED, settled_at=""),)),
        Changes((), (), (Result("succeeded", "who", "x", 1, "EUR", created_at="never"),)),
        None,
    ],
)
def test_odd_changes_are_a_line_and_record_nothing(story: Story, odd: Changes, monkeypatch: pytest.MonkeyPatch) -> None:
    sold(story)
    monkeypatch.setattr(Sandbox, "changes", lambda *_: odd)
    counts = story.tick()
    assert (recorded(story), counts.broken, story.house.count("disputes")) == ([], False, 0)
    story.now += timedelta(hours=2)
    story.tick()


def test_a_fee_that_cannot_be_one_is_left_out(story: Story, monkeypatch: pytest.MonkeyPatch) -> None:
    sold(story)
    told = replace(DISPUTED, fee_minor=-1, fee_currency="EUR", reason="\ud83d")
    monkeypatch.setattr(Sandbox, "changes", lambda *_: Changes((), (told,)))
    story.tick()
    assert tuple(story.house.connection.execute("SELECT status, fee_minor FROM disputes").fetchone()) == ("lost", None)
    well(story)
