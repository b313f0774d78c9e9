"""The contract test of gateways: an honest one keeps it, and each way of breaking it is seen and paid back."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from salescli.catalogue import actors
from salescli.gateways import contract
from salescli.gateways.command import Command
from salescli.gateways.contract import ContractResult
from salescli.gateways.protocol import Charge, Declined, Misconfigured, OutcomeUnknown, Result, Unavailable
from salescli.gateways.sandbox import Sandbox
from salescli.rules import time
from tests import PROJECT
from tests.conftest import LOGIN, House
from tests.terminal import Ran

SINCE = time.from_text("2026-01-01T00:00:00Z")
REQUEST = Charge("i:check-1:1:1", 100, "EUR", "tok_ok", "check", "salescli check", "merchant")
ABLE = frozenset({"charge", "lookup", "refund", "idempotent"})


@dataclass
class Book:
    """An honest gateway in memory; its flaws are what a test adds."""

    flaws: frozenset[str] = frozenset()
    capabilities: frozenset[str] = ABLE
    name: str = "book"
    key_ttl_seconds: int | None = None
    taken: dict[str, Result] = field(default_factory=dict)
    given: dict[str, Result] = field(default_factory=dict)
    moved: list[int] = field(default_factory=list)

    def charge(self, charge: Charge, timeout: float) -> Result:
        """Take the money."""
        if "away" in self.flaws:
            raise Unavailable("connection refused")
        if "declines" in self.flaws:
            raise Declined("no money", "insufficient_funds")
        known = self.taken.get(charge.reference)
        if known is None or "charges again" in self.flaws:
            known = self._take(charge)
        elif known.amount_minor != charge.amount_minor:
            if "minds no amount" in self.flaws:
                known = self._take(charge)
            elif "answers as it was" not in self.flaws:
                raise Misconfigured("used before with another amount")
        if "silent" in self.flaws:
            raise OutcomeUnknown("no answer")
        return known

    def _take(self, charge: Charge) -> Result:
        self.moved.append(charge.amount_minor)
        id = f"c{len(self.moved)}"
        taken = Result("succeeded", charge.reference, id, charge.amount_minor, charge.currency)
        self.taken[charge.reference] = taken
        return taken

    def lookup(self, reference: str, gateway_id: str | None, since: datetime) -> Result:
        """Tell what is booked."""
        if "invents" in self.flaws:
            return Result("succeeded", reference, "c0", 100, "EUR")
        found = self.taken.get(reference) or Result("not_found")
        return replace(found, currency="USD") if "other currency" in self.flaws and found.gateway_id else found

    def refund(self, gateway_id: str, reference: str, amount_minor: int) -> Result:
        """Give money back."""
        if "keeps the money" in self.flaws:
            raise Unavailable("closed")
        known = self.given.get(reference)
        if known is None or "refunds again" in self.flaws:
            charged = self.moved[int(gateway_id[1:]) - 1]
            back = sum(given.amount_minor or 0 for given in self.given.values() if given.message == gateway_id)
            if back + amount_minor > charged and "generous" not in self.flaws and "refunds again" not in self.flaws:
                raise Declined("more than was taken", "invalid_amount")
            self.moved.append(-amount_minor)
            known = Result("refunded", reference, f"r{len(self.moved)}", amount_minor, "EUR", message=gateway_id)
            self.given[reference] = known
        return known

    def check(self) -> None:
        """Nothing is wrong with it."""


def failed(book: Any) -> list[str]:
    """Return the beginnings of what was found broken."""
    return [f.what for f in contract.contract(book, REQUEST, SINCE) if f.kept is False]


def test_an_honest_gateway_keeps_the_contract_and_ends_with_nothing_taken() -> None:
    book = Book()
    findings = list(contract.contract(book, REQUEST, SINCE))
    assert {finding.kept for finding in findings} == {True}
    assert len(findings) == 8
    assert sum(book.moved) == 0


def test_one_that_answers_another_amount_with_the_first_charge_keeps_it_too() -> None:
    assert failed(Book(frozenset({"answers as it was"}))) == []


@pytest.mark.parametrize(
    ("flaw", "seen"),
    [
        ("invents", "an unknown reference is not found"),
        ("charges again", "the same reference again is the same charge"),
        ("minds no amount", "the same reference with another amount is refused"),
        ("other currency", "it is found by its reference"),
        ("refunds again", "the same refund again"),
        ("generous", "it refunds no more"),
        ("keeps the money", "it refunds 1.00 EUR"),
        ("away", "it charges"),
    ],
)
def test_each_breach_is_seen(flaw: str, seen: str) -> None:
    assert any(what.startswith(seen) for what in failed(Book(frozenset({flaw}))))


def test_what_was_taken_twice_is_refunded_twice() -> None:
    book = Book(frozenset({"charges again"}))
    assert failed(book)
    assert sorted(book.moved) == [-200, -100, -100, 100, 100, 200]


def test_a_charge_of_unknown_outcome_is_looked_up_and_refunded() -> None:
    book = Book(frozenset({"silent"}))
    assert failed(book) == ["it charges (unknown: outcome_unknown, no answer)"]
    assert sum(book.moved) == 0


def test_money_that_does_not_come_back_is_named_for_a_person() -> None:
    findings = list(contract.contract(Book(frozenset({"keeps the money"})), REQUEST, SINCE))
    assert findings[-1] == ContractResult(
        "check i:check-1:1:refund:1 at the gateway, or return 1.00 EUR of c1 yourself", None, owed=True
    )


def test_a_decline_says_nothing_of_the_contract() -> None:
    findings = list(contract.contract(Book(frozenset({"declines"})), REQUEST, SINCE))
    assert [finding.kept for finding in findings] == [True, None]


def test_what_a_gateway_does_not_claim_is_not_tried() -> None:
    book = Book(frozenset({"charges again"}), frozenset({"charge"}))
    assert [f.kept for f in contract.contract(book, REQUEST, SINCE)] == [True, None, None]
    assert book.moved == [100]


def test_a_finding_reads_as_a_line() -> None:
    assert [str(ContractResult("x", kept)) for kept in (True, False, None)] == ["ok      x", "FAILED  x", "note    x"]


def test_the_sandbox_keeps_it_and_the_example_program_all_but_the_cap_of_refunds(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert failed(Sandbox(tmp_path / "ledger")) == []
    folder = tmp_path / "bin"
    folder.mkdir()
    shutil.copy(PROJECT / "scripts/salescli-gateway-example", folder)
    monkeypatch.setenv("PATH", f"{folder}:{os.environ['PATH']}")
    monkeypatch.setenv("EXAMPLE_BOOK", str(tmp_path / "book.db"))
    broken = failed(Command("example", ("EXAMPLE_BOOK",)))
    assert [what.partition(" (")[0] for what in broken] == ["it refunds no more than it took"], "it keeps a book only"


@pytest.fixture
def stripe_at_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """A fake Stripe of our own."""
    pytest.importorskip("stripe", reason='the extra is not installed: pip install "salescli[stripe]"')
    from tests.gateways.fake_stripe import KEY, Fake

    server = Fake(tmp_path / "stripe.ledger")
    monkeypatch.setenv("STRIPE_API_KEY", KEY)
    monkeypatch.setenv("STRIPE_API_BASE", server.address)
    yield server
    server.stop()


def test_stripe_keeps_it(stripe_at_home: Any, house: House) -> None:
    house.payment_system("Stripe EU", gateway="stripe")

    code, report, _ = check(house, "stripe eu", "--token", "cus_1/pm_card_visa", "--yes")

    assert code == 0, report
    assert "capabilities: changes, charge, fee, idempotent, lookup, refund" in report
    assert "; prepares a payment before charging it" in report
    assert report.splitlines()[-1] == "it follows the charge protocol"
    (intent,), (refund,) = stripe_at_home.all("payment_intent"), stripe_at_home.all("refund")
    assert (intent["amount_received"], refund["amount"]) == (100, 100)


def check(house: House, *words: str) -> Ran:
    return house.run("payment-systems", "check", *words)


def test_check_says_what_a_payment_system_can_do(house: House) -> None:
    house.payment_system()
    house.payment_system("Bank transfer", gateway="manual")
    sandbox = (
        "Sandbox, gateway sandbox\n"
        "capabilities: changes, charge, idempotent, lookup, refund\n"
        "recognises a repeated reference: for ever\n"
    )
    manual = (
        "Bank transfer, gateway manual\n"
        "capabilities: none; a person confirms each payment\n"
        "recognises a repeated reference: not at all\n"
    )
    assert check(house, "Sandbox") == Ran(0, sandbox, "")
    assert check(house, "bank transfer") == Ran(0, manual, "")


def test_check_with_a_token_tries_the_contract(house: House) -> None:
    house.payment_system()
    code, report, _ = check(house, "Sandbox", "--token", "tok_ok", "--amount", "2.50", "--currency", "usd")
    assert code == 0
    assert "charging 2.50 USD through Sandbox as test:check-" in report
    assert "FAILED" not in report


def test_check_fails_where_a_gateway_fails(house: House) -> None:
    house.payment_system()
    code, report, _ = check(house, "Sandbox", "--token", "tok_unreachable")
    assert code == 1
    assert "FAILED  it charges (not sent: unavailable, the sandbox is unreachable: connection refused)" in report
    assert "it does NOT follow the charge protocol" in report


@pytest.mark.parametrize(
    ("words", "code"),
    [
        pytest.param(["Nobody"], 3, id="an unknown payment system"),
        pytest.param(["Bank transfer", "--token", "tok_ok"], 2, id="a manual one has nothing to try"),
        pytest.param(["Sandbox", "--token", "tok_ok", "--amount", "0"], 6, id="nothing to charge"),
        pytest.param(["Sandbox", "--token", "4242424242424242"], 6, id="a card number"),
        pytest.param(["Elsewhere", "--token", "x"], 1, id="a gateway that is not there"),
        pytest.param(["Example", "--token", "x"], 2, id="real money without being asked"),
    ],
)
def test_check_refuses(
    house: House, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, words: list[str], code: int
) -> None:
    house.payment_system()
    house.payment_system("Bank transfer", gateway="manual")
    house.payment_system("Elsewhere", gateway="command:nowhere")
    house.payment_system("Example", gateway="command:example", env="EXAMPLE_BOOK")
    monkeypatch.setenv("PATH", f"{PROJECT / 'scripts'}:{os.environ['PATH']}")
    monkeypatch.setenv("EXAMPLE_BOOK", str(tmp_path / "book.db"))
    assert check(house, *words).code == code


def test_a_trial_needs_the_right_to_refund_and_charging_on(house: House) -> None:
    house.payment_system()
    assert house.run("charging", "off", "--reason", "stocktaking").code == 0
    assert check(house, "Sandbox", "--token", "tok_ok").code == 5
    house.user("olga", role="owner")
    house.connection.execute("UPDATE users SET role = 'manager' WHERE login = ?", (LOGIN,))
    assert actors.acting(house.connection, LOGIN).may("refund") is False
    assert check(house, "Sandbox", "--token", "tok_ok").code == 4
    assert check(house, "Sandbox").code == 0
