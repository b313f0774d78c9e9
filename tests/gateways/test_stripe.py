"""The stripe gateway: the real library against a fake Stripe on the loopback, whose ledger is the judge."""

from __future__ import annotations

import os
import random
import shutil
import socket
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from time import sleep
from types import SimpleNamespace

import pytest

from salescli.charging import gateway_sync
from salescli.gateways.answers import Answer, ask
from salescli.gateways.protocol import Charge, Declined, GatewayError, Misconfigured, OutcomeUnknown, Unavailable
from salescli.gateways.registry import open_gateway
from salescli.gateways.stripe import client as gateway_module
from salescli.gateways.stripe.client import Stripe
from salescli.gateways.stripe.codes import booked, decline, sent
from salescli.overview import doctor
from salescli.rules import time
from salescli.sales import orders, recurring_actions
from salescli.storage import database, process
from tests.gateways.fake_stripe import KEY, READS_ONLY, Fake
from tests.story import Story

pytest.importorskip("stripe", reason='the extra is not installed: pip install "salescli[stripe]"')

SINCE = time.from_text("2026-01-01T00:00:00Z")
CARD = "cus_1/pm_card_visa"
POOR = "pm_card_chargeDeclinedInsufficientFunds"


@pytest.fixture
def fake(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Fake]:
    """A fake Stripe, with its key and address in the environment."""
    server = Fake(tmp_path / "stripe.ledger")
    monkeypatch.setenv("STRIPE_API_KEY", KEY)
    monkeypatch.setenv("STRIPE_API_BASE", server.address)
    yield server
    server.stop()


def charge(reference: str = "i:u:1:1", token: str = CARD, amount: int = 4900, currency: str = "EUR") -> Charge:
    return Charge(reference, amount, currency, token, "customer-1", "Drawing", "merchant", {"order": "1"})


def charge_it(wanted: Charge) -> Answer:
    """Prepare and charge as the protocol does."""
    gateway = Stripe()
    return ask(lambda: gateway.charge(replace(wanted, gateway_id=gateway.prepare(wanted)), 30))


class TestTheContract:
    def test_a_charge_succeeds_with_its_amount_fee_and_reference(self, fake: Fake) -> None:
        answer = charge_it(charge())

        assert answer.became == "succeeded"
        assert answer.result is not None
        assert (answer.result.amount_minor, answer.result.currency) == (4900, "EUR")
        assert (answer.result.fee_minor, answer.result.fee_currency) == (172, "EUR")
        (intent,) = fake.all("payment_intent")
        assert intent["id"] == answer.result.gateway_id
        assert intent["customer"] == "cus_1"
        assert intent["metadata"] == {
            "order": "1",
            "payment": "i:u:1",
            "reference": "i:u:1:1",
            "customer": "customer-1",
        }
        assert fake.calls() == ["create", "confirm"]

    def test_preparing_moves_no_money(self, fake: Fake) -> None:
        id = Stripe().prepare(charge())

        assert [(i["id"], i["status"]) for i in fake.all("payment_intent")] == [(id, "requires_payment_method")]
        assert Stripe().lookup("i:u:1:1", id, SINCE).status == "not_found"

    def test_the_same_reference_twice_is_one_charge(self, fake: Fake) -> None:
        assert [charge_it(charge()).became for _ in range(3)] == ["succeeded"] * 3
        assert fake.charged() == ["i:u:1"]

    def test_the_same_reference_with_another_amount_is_refused(self, fake: Fake) -> None:
        first = charge_it(charge()).result
        assert first is not None

        more = charge(amount=5000)
        assert charge_it(more).became == "misconfigured"
        assert ask(lambda: Stripe().charge(replace(more, gateway_id=first.gateway_id), 30)).became == ("misconfigured")
        assert fake.charged() == ["i:u:1"]

    def test_a_payment_that_succeeded_is_a_success_for_every_later_attempt(self, fake: Fake) -> None:
        first = charge_it(charge()).result
        assert first is not None
        second = replace(charge("i:u:1:2"), gateway_id=first.gateway_id)

        assert charge_it(second).became == "succeeded"
        assert fake.charged() == ["i:u:1"]

    def test_it_stays_one_charge_when_the_keys_are_forgotten(self, fake: Fake) -> None:
        first = charge_it(charge()).result
        assert first is not None
        fake.forget_keys()

        again = ask(lambda: Stripe().charge(replace(charge(), gateway_id=first.gateway_id), 30))

        assert again.became == "succeeded"
        assert fake.charged() == ["i:u:1"]

    def test_an_unknown_reference_is_not_found(self, fake: Fake) -> None:
        assert Stripe().lookup("i:nobody:1:1", None, SINCE).status == "not_found"

    def test_a_payment_is_found_without_its_id(self, fake: Fake) -> None:
        charge_it(charge("i:o'brien\\:1:1"))

        result = Stripe().lookup("i:o'brien\\:1:2", None, SINCE)

        assert (result.status, result.amount_minor, result.fee_minor) == ("succeeded", 4900, 172)

    def test_an_id_that_stripe_does_not_know_is_a_wrong_key_and_never_not_found(self, fake: Fake) -> None:
        with pytest.raises(Misconfigured, match="the key of another account"):
            Stripe().lookup("i:u:1:1", "pi_of_another_account", SINCE)

    def test_check_asks_with_the_key(self, fake: Fake) -> None:
        Stripe().check()
        assert fake.calls() == ["list"]


@pytest.mark.parametrize(
    ("card", "code", "raw_code", "retryable"),
    [
        (POOR, "insufficient_funds", "insufficient_funds", True),
        ("pm_card_chargeDeclined", "card_declined", "generic_decline", True),
        ("pm_card_chargeDeclinedLostCard", "pick_up_card", "lost_card", False),
        ("pm_card_chargeDeclinedStolenCard", "pick_up_card", "stolen_card", False),
        ("pm_card_chargeDeclinedFraudulent", "fraud_suspected", "fraudulent", False),
        ("pm_card_chargeDeclinedExpiredCard", "expired_card", "expired_card", False),
        ("pm_card_chargeDeclinedIncorrectCvc", "incorrect_cvc", "incorrect_cvc", True),
        ("pm_card_chargeDeclinedProcessingError", "processing_error", "processing_error", True),
        ("pm_card_visa_chargeDeclinedVelocityLimitExceeded", "limit_exceeded", "card_velocity_exceeded", True),
        ("pm_card_authenticationRequired", "authentication_required", "authentication_required", False),
        ("pm_nobody_knows", "token_invalid", "resource_missing", False),
        ("cus_gone/pm_card_visa", "token_invalid", "resource_missing", False),
    ],
)
def test_a_decline_keeps_stripes_word_beside_the_standard_one(
    fake: Fake, card: str, code: str, raw_code: str, retryable: bool
) -> None:
    wanted = charge(token=card)
    gateway = Stripe()
    with pytest.raises(Declined) as no:
        gateway.charge(replace(wanted, gateway_id=gateway.prepare(wanted)), 30)
    assert (no.value.code, no.value.raw_code, no.value.retryable) == (code, raw_code, retryable)
    assert fake.charged() == []


def test_a_customers_own_payment_that_needs_authentication_is_declined_too(fake: Fake) -> None:
    answer = charge_it(replace(charge(token="pm_card_authenticationRequired"), initiator="customer"))
    assert (answer.became, answer.code) == ("declined", "authentication_required")


def test_a_key_of_the_other_mode_stops_the_payment_system_and_declines_nobody(fake: Fake) -> None:
    with pytest.raises(Misconfigured, match="similar object exists in live mode"):
        Stripe().prepare(charge(token="cus_live/pm_card_visa"))


@pytest.mark.parametrize(
    ("mood", "became", "moved"),
    [
        pytest.param("429", "not_sent", False, id="too many requests"),
        pytest.param("locked", "unknown", False, id="locked by another call, perhaps our own"),
        pytest.param("in use", "unknown", False, id="its key is in use"),
        pytest.param("cut before", "unknown", False, id="cut before the money moved"),
        pytest.param("cut after", "unknown", True, id="cut after the money moved"),
        pytest.param("slow before", "unknown", False, id="no answer in time"),
        pytest.param("slow after", "unknown", True, id="an answer too late"),
        pytest.param("500 before", "unknown", False, id="an error before the money moved"),
        pytest.param("500 after", "unknown", True, id="an error after the money moved"),
        pytest.param("garbage before", "unknown", False, id="an error page"),
        pytest.param("garbage after", "unknown", True, id="garbage as an answer"),
    ],
)
def test_what_goes_wrong_with_a_charge_is_resolved(
    fake: Fake, monkeypatch: pytest.MonkeyPatch, mood: str, became: str, moved: bool
) -> None:
    monkeypatch.setattr(gateway_module, "TIMEOUT", (1.0, 0.5))
    gateway = Stripe()
    wanted = replace(charge(), gateway_id=gateway.prepare(charge()))
    fake.mood("confirm", mood)

    assert ask(lambda: gateway.charge(wanted, 30)).became == became
    assert fake.calls().count("confirm") == 1, "the library must not repeat a call by itself"
    result = gateway.lookup(wanted.reference, wanted.gateway_id, SINCE)
    assert result.status == ("succeeded" if moved else "not_found")

    fake.forget_keys()  # a 500 would be replayed for a day
    assert ask(lambda: gateway.charge(wanted, 30)).became == "succeeded"
    assert fake.charged() == ["i:u:1"]


def test_an_error_of_stripes_own_is_replayed_until_its_key_is_forgotten(fake: Fake) -> None:
    wanted = replace(charge(), gateway_id=Stripe().prepare(charge()))
    fake.mood("confirm", "500 before")
    assert [ask(lambda: Stripe().charge(wanted, 30)).became for _ in range(2)] == ["unknown"] * 2
    assert fake.charged() == []


@pytest.mark.parametrize(
    "mood", ["429", "in use", "cut before", "cut after", "slow after", "500 after", "garbage after", "garbage before"]
)
def test_what_goes_wrong_while_preparing_was_not_sent(fake: Fake, monkeypatch: pytest.MonkeyPatch, mood: str) -> None:
    monkeypatch.setattr(gateway_module, "TIMEOUT", (1.0, 0.5))
    fake.mood("create", mood)

    with pytest.raises(Unavailable):
        Stripe().prepare(charge())

    assert charge_it(charge()).became == "succeeded"
    assert fake.charged() == ["i:u:1"]


def test_a_refused_connection_was_not_sent(fake: Fake, monkeypatch: pytest.MonkeyPatch) -> None:
    wanted = replace(charge(), gateway_id=Stripe().prepare(charge()))
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        monkeypatch.setenv("STRIPE_API_BASE", f"http://127.0.0.1:{closed.getsockname()[1]}")
        assert ask(lambda: Stripe().charge(wanted, 30)).became == "not_sent"


@pytest.mark.parametrize(
    ("key", "message"),
    [
        pytest.param("", "set the environment variable STRIPE_API_KEY", id="none"),
        pytest.param("sk_test_another_one", "Stripe rejects the key in STRIPE_API_KEY", id="an unknown one"),
        pytest.param(READS_ONLY, "does not have the required permissions", id="one that may not charge"),
    ],
)
def test_a_wrong_key_stops_the_payment_system_and_is_never_shown(
    fake: Fake, monkeypatch: pytest.MonkeyPatch, key: str, message: str
) -> None:
    monkeypatch.setenv("STRIPE_API_KEY", key)
    with pytest.raises(Misconfigured, match=message) as error:
        Stripe().prepare(charge())
    assert "sk_test" not in str(error.value)
    assert "rk_test" not in str(error.value)


def test_the_variable_of_the_key_can_be_chosen(fake: Fake, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("STRIPE_API_KEY")
    monkeypatch.setenv("ATELIER_KEY", KEY)
    open_gateway("stripe", tmp_path / "sales.db", ("ATELIER_KEY",)).check()


def test_a_key_is_not_sent_unencrypted(fake: Fake, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STRIPE_API_BASE", "http://127.0.0.2")
    with pytest.raises(Misconfigured, match="must be an https address"):
        Stripe().check()


class TestAttempts:
    def test_they_share_one_paymentintent_and_are_told_apart(self, fake: Fake) -> None:
        gateway = Stripe()
        assert charge_it(charge(token=POOR)).became == "declined"
        id = fake.all("payment_intent")[0]["id"]

        second = replace(charge("i:u:1:2", token="cus_2/pm_card_visa", amount=5000), gateway_id=id)
        assert gateway.prepare(second) == id
        assert gateway.lookup("i:u:1:2", id, SINCE).status == "not_found"
        result = gateway.lookup("i:u:1:1", id, SINCE)
        assert (result.status, result.code, result.raw_code) == ("declined", "insufficient_funds", "insufficient_funds")

        result = gateway.charge(second, 30)
        assert (result.status, result.amount_minor) == ("succeeded", 5000)
        (intent,) = fake.all("payment_intent")
        assert (intent["customer"], intent["metadata"]["reference"]) == ("cus_2", "i:u:1:2")

    def test_other_terms_under_a_payments_key_meet_the_paymentintent_that_is_there(self, fake: Fake) -> None:
        id = Stripe().prepare(charge())
        assert Stripe().prepare(charge("i:u:1:2", amount=5000)) == id
        assert fake.all("payment_intent")[0]["amount"] == 5000

    def test_one_that_is_not_there_cannot_be_canceled(self, fake: Fake) -> None:
        with pytest.raises(GatewayError, match="No such"):
            Stripe().cancel("pi_0")

    def test_an_answer_that_is_no_object_is_an_unknown_outcome(self) -> None:
        told = SimpleNamespace(last_response=SimpleNamespace(body="[]"))
        with pytest.raises(OutcomeUnknown, match="not an object"):
            gateway_module._plain(told)

    def test_one_that_a_person_canceled_is_a_decline(self, fake: Fake) -> None:
        id = Stripe().prepare(charge())
        fake.change(id, status="canceled")
        assert ask(lambda: Stripe().charge(replace(charge(), gateway_id=id), 30)).became == "declined"
        assert Stripe().lookup("i:u:1:1", id, SINCE).status == "declined"

    def test_one_under_way_is_pending_until_stripe_knows(self, fake: Fake) -> None:
        assert charge_it(charge(token="pm_usBankAccount_processing")).became == "unknown"
        id = fake.all("payment_intent")[0]["id"]
        assert Stripe().lookup("i:u:1:1", id, SINCE).status == "pending"
        assert ask(lambda: Stripe().charge(replace(charge(), gateway_id=id), 30)).became != "succeeded"
        fake.change(id, status="succeeded", amount_received=4900)
        assert Stripe().lookup("i:u:1:1", id, SINCE).status == "succeeded"

    def test_preparing_gets_over_an_error_that_stripe_would_repeat_for_a_day(self, fake: Fake) -> None:
        fake.mood("create", "500 before")
        with pytest.raises(Unavailable):
            Stripe().prepare(charge())
        assert charge_it(charge()).became == "succeeded"


class TestRefunds:
    def test_a_refund_is_made_once_and_never_more_than_was_taken(self, fake: Fake) -> None:
        taken = charge_it(charge()).result
        assert taken is not None
        assert taken.gateway_id is not None
        gateway = Stripe()
        for _ in range(2):
            given = gateway.refund(taken.gateway_id, "i:u:1:refund:1", 1900)
            assert (given.status, given.amount_minor, given.currency) == ("refunded", 1900, "EUR")
        with pytest.raises(Declined) as no:
            gateway.refund(taken.gateway_id, "i:u:1:refund:2", 3001)
        assert no.value.code == "invalid_amount"
        assert gateway.refund(taken.gateway_id, "i:u:1:refund:3", 3000).status == "refunded"
        assert [refund["amount"] for refund in fake.all("refund")] == [1900, 3000]

    @pytest.mark.parametrize("mood", ["cut before", "cut after", "500 after", "garbage after", "locked"])
    def test_one_of_unknown_outcome_is_resolved(self, fake: Fake, mood: str) -> None:
        taken = charge_it(charge()).result
        assert taken is not None
        assert taken.gateway_id is not None
        fake.mood("refund", mood)
        with pytest.raises(OutcomeUnknown):
            Stripe().refund(taken.gateway_id, "i:u:1:refund:1", 1900)
        result = Stripe().lookup("i:u:1:refund:1", taken.gateway_id, SINCE)
        assert result.status == ("refunded" if mood.endswith("after") else "not_found")


def test_an_amount_in_a_currency_that_it_does_not_take_is_booked_as_it_is_told() -> None:
    assert booked(4900, "IQD") == 4900


@pytest.mark.parametrize(
    ("told", "message"),
    [({"message": "Your card has no money"}, "Your card has no money"), ({}, "the payment was declined")],
)
def test_a_decline_keeps_its_message(told: dict[str, str], message: str) -> None:
    assert decline(told) == ("card_declined", None, message, True)


@pytest.mark.parametrize(
    ("minor", "currency", "at_stripe"),
    [
        pytest.param(4900, "EUR", 4900, id="two decimals"),
        pytest.param(4900, "JPY", 4900, id="none"),
        pytest.param(49, "ISK", 4900, id="none, sent as if it had two"),
        pytest.param(49, "UGX", 4900, id="none, on both of Stripe's lists; the special case counts"),
        pytest.param(4900, "MGA", 49, id="two here and none there"),
        pytest.param(4900, "HUF", 4900, id="two, though paid out without"),
        pytest.param(12340, "KWD", 12340, id="three, the last of which is 0"),
    ],
)
def test_amounts_are_sent_in_stripes_units(fake: Fake, minor: int, currency: str, at_stripe: int) -> None:
    assert sent(minor, currency) == at_stripe
    assert booked(at_stripe, currency) == minor

    answer = charge_it(charge(amount=minor, currency=currency))

    assert answer.result is not None, answer.message
    assert (answer.result.amount_minor, answer.result.currency) == (minor, currency)
    assert fake.all("charge")[0]["amount"] == at_stripe
    assert (answer.result.fee_minor is None) == (currency != "EUR"), "the account's fees are in EUR"


@pytest.mark.parametrize(
    ("minor", "currency", "code"),
    [
        pytest.param(12345, "KWD", "invalid_amount", id="a third decimal"),
        pytest.param(4950, "MGA", "invalid_amount", id="a part of what is whole there"),
        pytest.param(4900, "IQD", "unsupported_feature", id="a currency that it does not take"),
        pytest.param(4900, "UYI", "unsupported_feature", id="a unit of account"),
        pytest.param(10, "EUR", "invalid_amount", id="less than its least"),
    ],
)
def test_what_cannot_be_charged_is_declined(fake: Fake, minor: int, currency: str, code: str) -> None:
    with pytest.raises(Declined) as no:
        Stripe().prepare(charge(amount=minor, currency=currency))
    assert (no.value.code, no.value.retryable) == (code, False)
    assert fake.all("payment_intent") == []


def test_a_fee_that_is_not_known_yet_is_none(fake: Fake) -> None:
    result = charge_it(charge()).result
    assert result is not None
    fake.change(fake.all("payment_intent")[0]["latest_charge"], balance_transaction=None)
    assert Stripe().lookup("i:u:1:1", result.gateway_id, SINCE).fee_minor is None


@pytest.fixture
def desk(story: Story, fake: Fake) -> Story:
    """A story with a payment system at the fake and a recurring order of four months."""
    story.house.payment_system("Stripe", gateway="stripe", env="STRIPE_API_KEY")
    story.house.offer("49.00", number="7", every="1 month", payments="4")
    return story


def subscribed(desk: Story, token: str = CARD) -> int:
    """Pay a first order and return its recurring order, whose later payments use ``token``."""
    order = desk.order("7", token=CARD, through="Stripe")
    assert desk.pay(order) == "succeeded"
    plan = orders.get(desk.house.connection, order.id).recurring_id
    assert plan is not None
    desk.house.connection.execute("UPDATE recurring SET token = ? WHERE id = ?", (token, plan))
    return plan


def judged(fake: Fake, payments: int) -> None:
    """Assert that so many payments were charged, each once."""
    charged = Counter(fake.charged())
    assert len(charged) == payments
    assert set(charged.values()) == {1}


def test_a_whole_recurring_order(desk: Story, fake: Fake) -> None:
    plan = subscribed(desk)
    for day in ("2026-02-28", "2026-03-31", "2026-04-30"):
        assert desk.at(f"{day} 10:00").tick().charged == 1
    assert desk.plan(plan).status == "completed"
    assert desk.at("2026-05-31 10:00").tick().charged == 0
    judged(fake, 4)
    assert [call for call in fake.calls() if call in ("create", "confirm")] == ["create", "confirm"] * 4
    rows = desk.house.connection.execute("SELECT gateway_id, fee_minor FROM invoices ORDER BY id").fetchall()
    assert [row["gateway_id"] for row in rows] == [intent["id"] for intent in fake.all("payment_intent")]
    assert [row["fee_minor"] for row in rows] == [172] * 4


def test_two_declines_and_a_success_are_three_attempts_at_one_paymentintent(desk: Story, fake: Fake) -> None:
    plan = subscribed(desk, "pm_fails_twice")
    for moment in ("2026-02-28 10:00", "2026-02-28 18:05", "2026-03-01 18:10"):
        desk.at(moment).tick()
        fake.forget_keys()
    assert desk.plan(plan).payments_made == 2
    judged(fake, 2)
    assert len(fake.all("payment_intent")) == 2
    sql = "SELECT number, status, gateway_id FROM attempts WHERE recurring_id = ? ORDER BY id"
    rows = [tuple(row) for row in desk.house.connection.execute(sql, (plan,))]
    id = fake.all("payment_intent")[1]["id"]
    assert rows == [(1, "declined", id), (2, "declined", id), (3, "succeeded", id)]


def test_three_declines_fail_the_recurring_order_with_stripes_reason(desk: Story, fake: Fake) -> None:
    plan = subscribed(desk, POOR)
    for moment in ("2026-02-28 10:00", "2026-02-28 18:05", "2026-03-01 18:10"):
        desk.at(moment).tick()
    assert desk.plan(plan).status == "failed"
    judged(fake, 1)


def intents(fake: Fake) -> list[str]:
    """Return the states of the PaymentIntents, in the order in which they were made."""
    return [intent["status"] for intent in fake.all("payment_intent")]


def failed(desk: Story) -> int:
    """Return a recurring order whose second payment was declined three times."""
    plan = subscribed(desk, POOR)
    for moment in ("2026-02-28 10:00", "2026-02-28 18:05", "2026-03-01 18:10"):
        desk.at(moment).tick()
    return plan


def test_the_paymentintent_of_a_failed_payment_is_closed(desk: Story, fake: Fake) -> None:
    failed(desk)
    assert intents(fake) == ["succeeded", "canceled"]
    assert desk.at("2026-03-01 18:15").tick().for_a_person == []
    assert fake.calls().count("cancel") == 1


def test_a_payment_completed_early_between_its_attempts_is_closed_by_the_next_tick(desk: Story, fake: Fake) -> None:
    plan = subscribed(desk, POOR)
    desk.at("2026-02-28 10:00").tick()
    recurring_actions.complete(desk.house.work.at(desk.now), plan)
    assert intents(fake) == ["succeeded", "requires_payment_method"]
    desk.at("2026-02-28 10:05").tick()
    assert intents(fake) == ["succeeded", "canceled"]


def test_one_that_could_not_be_closed_is_closed_by_a_later_tick(desk: Story, fake: Fake) -> None:
    fake.mood("cancel", "500 before", "500 before")
    failed(desk)
    assert intents(fake) == ["succeeded", "requires_payment_method"]
    desk.at("2026-03-01 18:15").tick()
    desk.at("2026-03-01 18:20").tick()
    assert intents(fake) == ["succeeded", "canceled"]


def test_a_gateway_that_breaks_while_closing_ends_no_tick(
    desk: Story, fake: Fake, monkeypatch: pytest.MonkeyPatch
) -> None:
    def breaks(self: Stripe, gateway_id: str) -> None:
        raise RuntimeError("a mistake of the gateway's own")

    with monkeypatch.context() as broken:
        broken.setattr(Stripe, "cancel", breaks)
        failed(desk)
    assert intents(fake) == ["succeeded", "requires_payment_method"]
    desk.at("2026-03-01 18:15").tick()
    assert intents(fake) == ["succeeded", "canceled"]


def test_a_payment_taken_up_again_gets_a_paymentintent_that_can_be_paid(desk: Story, fake: Fake) -> None:
    plan = failed(desk)
    desk.house.connection.execute("UPDATE recurring SET token = ? WHERE id = ?", (CARD, plan))
    recurring_actions.retry(desk.house.work.at(desk.now), plan)
    assert desk.at("2026-03-02 10:00").tick().charged == 1
    assert intents(fake) == ["succeeded", "canceled", "succeeded"]
    judged(fake, 2)


def test_a_payment_taken_up_again_before_it_was_closed_stays_open(desk: Story, fake: Fake) -> None:
    fake.mood("cancel", "500 before")
    plan = failed(desk)
    desk.house.connection.execute("UPDATE recurring SET token = ? WHERE id = ?", (CARD, plan))
    recurring_actions.retry(desk.house.work.at(desk.now), plan)
    assert desk.at("2026-03-02 10:00").tick().charged == 1
    assert intents(fake) == ["succeeded", "succeeded"]
    judged(fake, 2)


def test_an_order_is_refunded_through_stripe(desk: Story, fake: Fake) -> None:
    order = desk.order("7", token=CARD, through="Stripe")
    assert desk.pay(order) == "succeeded"
    fake.mood("refund", "cut after")
    assert desk.refund(order) == ["unknown"]
    desk.at("2026-01-31 10:10").tick()
    assert desk.see(order).status == "refund"
    assert [refund["amount"] for refund in fake.all("refund")] == [4900]


class Crash(BaseException):
    """The process is gone."""


def dies_in(method: str, *, after: bool) -> type[Stripe]:
    """Return a gateway whose process dies before or after a call."""

    class Mortal(Stripe):
        def __getattribute__(self, name: str) -> object:
            found = super().__getattribute__(name)
            if name != method:
                return found
            call: Callable[..., object] = found

            def dying(*values: object) -> None:
                if after:
                    call(*values)
                raise Crash(name)

            return dying

    return Mortal


@pytest.mark.parametrize(
    ("method", "after", "calls"),
    [
        pytest.param("prepare", False, [], id="before the PaymentIntent is made"),
        pytest.param("prepare", True, ["create"], id="before its id is durable"),
        pytest.param("charge", False, ["create"], id="between making and confirming it"),
        pytest.param("charge", True, ["create", "confirm"], id="between confirming and the answer"),
    ],
)
def test_a_tick_that_dies_anywhere_charges_once(
    desk: Story, fake: Fake, monkeypatch: pytest.MonkeyPatch, method: str, after: bool, calls: list[str]
) -> None:
    plan = subscribed(desk)
    dead = f"{os.uname().nodename}/{process.boot_id()}/0/0"
    with monkeypatch.context() as patched:
        patched.setattr(process, "this_process", lambda: dead)
        patched.setattr(gateway_module, "Stripe", dies_in(method, after=after))
        with pytest.raises(Crash):
            desk.at("2026-02-28 10:00").tick()
    assert fake.calls() == ["create", "confirm", *calls]

    # On a server only its lease tells that a process has died.
    assert desk.at(f"2026-02-28 10:{'10' if desk.house.url else '05'}").tick().recovered == 1

    assert desk.plan(plan).payments_made == 2
    judged(fake, 2)
    assert len(fake.all("payment_intent")) == 2
    assert doctor.examine(desk.house.connection, desk.now, desk.house.zone) == []


def test_a_payment_that_another_process_took_over_while_it_was_prepared_is_not_charged_here(
    desk: Story, fake: Fake, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan = subscribed(desk)

    class Overtaken(Stripe):
        def prepare(self, charge: Charge) -> str:
            id = super().prepare(charge)
            with closing(database.connect(desk.house.run.named)) as other:
                other.execute("UPDATE attempts SET fence = fence + 1, owner = NULL WHERE status = 'live'")
            return id

    with monkeypatch.context() as patched:
        patched.setattr(gateway_module, "Stripe", Overtaken)
        desk.at("2026-02-28 10:00").tick()
    judged(fake, 1)
    assert desk.plan(plan).status == "processing"
    desk.at("2026-02-28 10:10").tick()
    assert desk.plan(plan).payments_made == 2
    judged(fake, 2)


@pytest.mark.parametrize("mood", ["cut before", "cut after", "500 after", "locked"])
def test_a_charge_of_unknown_outcome_is_resolved_by_the_next_ticks(desk: Story, fake: Fake, mood: str) -> None:
    plan = subscribed(desk)
    fake.mood("confirm", mood)
    assert desk.at("2026-02-28 10:00").tick().unknown == 1
    desk.at("2026-02-28 10:10").tick()
    assert desk.plan(plan).payments_made == 2
    judged(fake, 2)


def test_an_outage_uses_no_attempt_and_no_second_paymentintent(desk: Story, fake: Fake) -> None:
    plan = subscribed(desk)
    fake.mood("create", "429")
    assert desk.at("2026-02-28 10:00").tick().not_sent == 1
    fake.mood("confirm", "429")
    assert desk.at("2026-02-28 10:05").tick().not_sent == 1
    fake.forget_keys()
    assert desk.at("2026-02-28 10:10").tick().charged == 1
    sql = "SELECT number FROM attempts WHERE recurring_id = ?"
    assert [row["number"] for row in desk.house.connection.execute(sql, (plan,))] == [1]
    judged(fake, 2)
    assert len(fake.all("payment_intent")) == 2


@pytest.mark.parametrize(
    ("restored_at", "forgotten"),
    [
        pytest.param("2026-02-28 10:30", False, id="of half an hour ago"),
        pytest.param("2026-03-02 10:00", True, id="of two days ago, and the keys are forgotten"),
    ],
)
@pytest.mark.of_files("a backup is put back")
def test_a_backup_that_is_put_back_charges_nobody_again(
    desk: Story, fake: Fake, restored_at: str, forgotten: bool
) -> None:
    plan = subscribed(desk)
    desk.house.connection.execute("VACUUM INTO ?", (str(desk.house.path.with_name("backup.db")),))
    assert desk.at("2026-02-28 10:00").tick().charged == 1
    if forgotten:
        fake.forget_keys()
    _put_back(desk)
    assert desk.plan(plan).payments_made == 1

    assert desk.at(restored_at).tick().charged == 1

    assert desk.plan(plan).payments_made == 2
    judged(fake, 2)


@pytest.mark.of_files("a backup is put back")
def test_a_paymentintent_that_only_a_lost_file_knew_is_met_again(desk: Story, fake: Fake) -> None:
    plan = subscribed(desk)
    desk.house.connection.execute("VACUUM INTO ?", (str(desk.house.path.with_name("backup.db")),))
    fake.mood("confirm", "429")
    assert desk.at("2026-02-28 10:00").tick().not_sent == 1
    fake.forget_keys()
    _put_back(desk)

    assert desk.at("2026-03-02 10:00").tick().charged == 1

    assert desk.plan(plan).payments_made == 2
    judged(fake, 2)
    assert len(fake.all("payment_intent")) == 2


def _put_back(desk: Story) -> None:
    """Put the backup back, with the connection that the story holds closed and opened anew."""
    desk.house.connection.close()
    for left in ("-wal", "-shm", "-journal"):
        Path(f"{desk.house.path}{left}").unlink(missing_ok=True)
    shutil.copy(desk.house.path.with_name("backup.db"), desk.house.path)
    desk.house = replace(desk.house, connection=database.connect(desk.house.run.named))


@pytest.mark.of_files("on a server a killed tick's payment waits for the end of its lease, by the clock")
def test_ticks_killed_at_any_moment_charge_each_payment_once(
    desk: Story, fake: Fake, monkeypatch: pytest.MonkeyPatch
) -> None:
    plans = 8
    for _ in range(plans):
        subscribed(desk)
    slow = Fake(fake.ledger, latency=0.1)
    monkeypatch.setenv("STRIPE_API_BASE", slow.address)
    chance = random.Random(11)
    kills = 0
    try:
        for run in range(12):
            process = _tick(desk, run)
            kills += _killed_soon_after_it_called(process, fake, chance.random() * 0.4)
            if not _left(desk):
                break
        assert _tick(desk, 12).wait(timeout=60) == 0
    finally:
        slow.stop()
    assert _left(desk) == 0
    assert kills >= 3, "the machine was too quick to be killed; nothing was shown"
    judged(fake, 2 * plans)
    assert len(fake.all("payment_intent")) == 2 * plans


def _killed_soon_after_it_called(process: subprocess.Popen[bytes], fake: Fake, seconds: float) -> bool:
    """Kill a tick a moment after its first call came in, and tell whether it still ran."""
    calls = len(fake.calls())
    while process.poll() is None and len(fake.calls()) == calls:
        sleep(0.01)
    sleep(seconds)
    killed = process.poll() is None
    process.kill()
    process.wait()
    return killed


def _tick(desk: Story, run: int) -> subprocess.Popen[bytes]:
    """Start the ``run``-th tick, each ten minutes after the one before it."""
    now = f"2026-02-28 {10 + run // 6}:{run % 6}0"
    line = [sys.executable, "-m", "salescli", "--db", desk.house.run.named, "tick", "--now", now]
    return subprocess.Popen(line, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def _left(desk: Story) -> int:
    return desk.house.count("recurring", "payments_made < 2")


def test_refunds_of_the_dashboard_are_read_page_by_page_and_not_repeated(desk: Story, fake: Fake) -> None:
    order = desk.order("7", token=CARD, through="Stripe")
    assert desk.pay(order) == "succeeded"
    [intent] = [one["id"] for one in fake.all("payment_intent")]
    for amount in (100, 200, 300, 400):  # more than a page
        fake.refund(intent, amount)
    assert desk.refund(order, amount="10.00") == ["succeeded"]
    assert "refund" not in fake.calls()
    found = desk.house.connection.execute("SELECT sum(amount_minor), count(DISTINCT gateway_id) FROM refunds")
    assert tuple(found.fetchone()) == (1000, 4)
    assert desk.refund(order) == ["succeeded"]
    assert fake.calls().count("refund") == 1
    assert desk.see(order).status == "refund"


def test_stripes_refunds_and_disputes_are_recorded_once(desk: Story, fake: Fake) -> None:
    order = desk.order("7", token=CARD, through="Stripe")
    desk.pay(order)
    desk.now = time.now()
    [intent] = [one["id"] for one in fake.all("payment_intent")]
    pending = fake.refund(intent, 900, status="pending")
    fake.refund(intent, 300, status="failed")
    dispute = fake.dispute(intent, 4000)
    work, connection = desk.work, desk.house.connection
    [system] = gateway_sync.systems(connection, ("Stripe",))

    def synced() -> list[str]:
        got = gateway_sync.record(work, gateway_sync.fetch(work, system, desk.gateway))
        return [*got.recorded, *got.for_a_person, *got.silent]

    [line] = synced()
    assert f"olena@example.com): dispute {dispute} of 40.00 EUR at Stripe is open; answer it by" in line
    assert synced() == []
    fake.change(pending, status="succeeded")
    assert len(synced()) == 1
    ahead = time.stored(time.from_text("2126-01-01T00:00:00Z"))
    connection.execute("UPDATE payment_systems SET changes_until = ?", (ahead,))  # asked by its number
    fake.change(dispute, status="lost")
    assert [line.partition("): ")[2] for line in synced()] == [f"dispute {dispute} of 40.00 EUR at Stripe is lost"]
    assert synced() == []
    rows = connection.execute("SELECT kind, amount_minor, gateway_id FROM refunds ORDER BY id").fetchall()
    assert [tuple(row) for row in rows] == [("refund", 900, pending), ("dispute", 4000, dispute)]
    told = connection.execute("SELECT status, fee_minor, fee_currency, reason FROM disputes").fetchone()
    assert tuple(told) == ("lost", 1500, "EUR", "fraudulent")
