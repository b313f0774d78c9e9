"""The sandbox: another party with its own ledger, idempotent by reference, with outcomes by token."""

from __future__ import annotations

import sqlite3
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import datetime
from itertools import count
from pathlib import Path
from threading import Barrier
from typing import Any

import pytest

from salescli.errors import BadData
from salescli.gateways import answers, registry
from salescli.gateways.answers import Answer
from salescli.gateways.manual import Manual
from salescli.gateways.protocol import Charge, Declined, Misconfigured, OutcomeUnknown, Result, Unavailable
from salescli.gateways.sandbox import Rehearsal, Sandbox
from tests.conftest import NOW

PAYMENT = Charge("test:uid1:1:1", 4900, "EUR", "tok_ok", "1", "Course", "merchant")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "sales.db.sandbox"


@pytest.fixture
def sandbox(path: Path) -> Sandbox:
    return Sandbox(path)


def ask(sandbox: Sandbox, charge: Charge) -> Answer:
    return answers.ask(lambda: sandbox.charge(charge, 30.0))


def look(sandbox: Sandbox, charge: Charge) -> Result:
    return sandbox.lookup(charge.reference, None, NOW)


def ledger(path: Path, kind: str = "charge") -> list[tuple[Any, ...]]:
    """Return what the sandbox's own books say: (reference, status, amount, currency), oldest first."""
    connection = sqlite3.connect(path)
    rows = connection.execute(
        "SELECT reference, status, amount_minor, currency FROM entries WHERE kind = ? ORDER BY id", (kind,)
    ).fetchall()
    connection.close()
    return rows


def with_token(token: str | None, attempt: int = 1) -> Charge:
    return replace(PAYMENT, token=token, reference=f"test:uid1:1:{attempt}")


# Charging


def test_a_charge_is_booked_and_answered(sandbox: Sandbox, path: Path) -> None:
    result = sandbox.charge(PAYMENT, 30.0)
    assert (result.status, result.reference, result.amount_minor, result.currency) == (
        "succeeded",
        "test:uid1:1:1",
        4900,
        "EUR",
    )
    assert (result.fee_minor, result.fee_currency) == (None, None)  # not known is not 0
    assert result.gateway_id
    assert ledger(path) == [("test:uid1:1:1", "succeeded", 4900, "EUR")]


def test_two_ledgers_of_a_shop_on_a_server_give_no_number_twice(tmp_path: Path) -> None:
    def charged(folder: str, attempt: int) -> str:
        (tmp_path / folder).mkdir(exist_ok=True)
        gateway = registry.open_gateway("sandbox", tmp_path / folder / "shop")
        return str(gateway.charge(with_token("tok_ok", attempt=attempt), 30.0).gateway_id)

    first, second = (int(charged("first", attempt).removeprefix("sb_")) for attempt in (1, 2))
    assert second == first + 1
    assert charged("other", 3) not in {f"sb_{first}", f"sb_{second}"}


def test_the_same_reference_again_is_the_same_charge(sandbox: Sandbox, path: Path) -> None:
    assert sandbox.charge(PAYMENT, 30.0) == sandbox.charge(PAYMENT, 30.0) == Sandbox(path).charge(PAYMENT, 30.0)
    assert len(ledger(path)) == 1


@pytest.mark.parametrize(
    "other",
    [
        pytest.param(replace(PAYMENT, amount_minor=4901), id="another amount"),
        pytest.param(replace(PAYMENT, currency="USD"), id="another currency"),
    ],
)
def test_the_same_reference_with_something_else_is_refused(sandbox: Sandbox, path: Path, other: Charge) -> None:
    sandbox.charge(PAYMENT, 30.0)
    with pytest.raises(Misconfigured, match="test:uid1:1:1 was used before"):
        sandbox.charge(other, 30.0)
    assert ledger(path) == [("test:uid1:1:1", "succeeded", 4900, "EUR")]


@pytest.mark.parametrize(
    ("token", "code", "retryable"),
    [
        ("tok_insufficient_funds", "insufficient_funds", True),
        ("tok_card_declined", "card_declined", True),
        ("tok_expired_card", "expired_card", False),
        ("tok_authentication_required", "authentication_required", False),
        ("tok_of_nobody", "token_invalid", None),
        (None, "token_invalid", None),
    ],
)
def test_a_decline_has_its_code_and_is_the_same_when_asked_again(
    sandbox: Sandbox, path: Path, token: str | None, code: str, retryable: bool | None
) -> None:
    first, again = ask(sandbox, with_token(token)), ask(sandbox, with_token(token))
    assert (first.became, first.code, first.raw_code, first.retryable) == (
        "declined",
        code,
        f"sandbox_{code}",
        retryable,
    )
    assert first.message
    assert again == first
    assert ledger(path) == [("test:uid1:1:1", "declined", 4900, "EUR")]


def test_a_declined_reference_stays_declined_whatever_token_comes_next(sandbox: Sandbox) -> None:
    ask(sandbox, with_token("tok_card_declined"))
    assert ask(sandbox, with_token("tok_ok")).became == "declined"
    assert ask(sandbox, with_token("tok_ok", attempt=2)).became == "succeeded"


@pytest.mark.parametrize(
    ("token", "outcomes"),
    [
        ("tok_fail_once", ["declined", "succeeded", "succeeded"]),
        ("tok_fail_twice", ["declined", "declined", "succeeded"]),
    ],
)
def test_a_failing_token_fails_so_often_for_each_payment_anew(
    sandbox: Sandbox, token: str, outcomes: list[str]
) -> None:
    for payment in (11, 2, 1):  # 1 is the beginning of 11
        charges = [replace(PAYMENT, token=token, reference=f"test:uid1:{payment}:{n}") for n in (1, 2, 3)]
        assert [ask(sandbox, charge).became for charge in charges] == outcomes


def test_one_failing_attempt_asked_again_is_still_one_failure(sandbox: Sandbox) -> None:
    outcomes = [ask(sandbox, with_token("tok_fail_twice", attempt)).became for attempt in (1, 1, 1, 2, 3)]
    assert outcomes == ["declined"] * 4 + ["succeeded"]


def test_a_fee_is_told_with_its_currency(sandbox: Sandbox) -> None:
    result = sandbox.charge(with_token("tok_fee"), 30.0)
    assert (result.fee_minor, result.fee_currency) == (74, "EUR")  # 1.5 % of 49.00 is 73.5 cents


def test_one_reference_asked_for_by_many_at_once_is_one_charge(sandbox: Sandbox, path: Path) -> None:
    barrier = Barrier(8)

    def charge(reference: str) -> str:
        barrier.wait(30)
        return ask(sandbox, replace(PAYMENT, reference=reference)).became

    references = [f"test:uid1:{n}:1" for n in range(10)]
    with ThreadPoolExecutor(8) as pool:
        became = [set(pool.map(charge, [reference] * 8)) for reference in references]
    assert became == [{"succeeded"}] * 10
    assert [row[0] for row in ledger(path)] == references


# What goes wrong on the way


def test_a_line_cut_before_the_charge_left_nothing_there(sandbox: Sandbox, path: Path) -> None:
    charge = with_token("tok_timeout_before_charge")
    assert ask(sandbox, charge).became == "unknown"
    assert look(sandbox, charge).status == "not_found"
    assert ledger(path) == []
    assert ask(sandbox, charge).became == "succeeded"  # the same reference again
    assert ledger(path) == [(charge.reference, "succeeded", 4900, "EUR")]


def test_a_line_cut_after_the_charge_left_the_money_taken(sandbox: Sandbox, path: Path) -> None:
    charge = with_token("tok_timeout_after_charge")
    assert ask(sandbox, charge).became == "unknown"
    assert (look(sandbox, charge).status, look(sandbox, charge).amount_minor) == ("succeeded", 4900)
    assert ask(sandbox, charge).became == "succeeded"
    assert ledger(path) == [(charge.reference, "succeeded", 4900, "EUR")]


@pytest.mark.parametrize(
    ("token", "error", "became"),
    [("tok_unreachable", Unavailable, "not_sent"), ("tok_misconfigured", Misconfigured, "misconfigured")],
)
def test_what_never_arrived_is_not_in_the_ledger(
    sandbox: Sandbox, path: Path, token: str, error: type[Exception], became: str
) -> None:
    for _ in range(2):
        with pytest.raises(error):
            sandbox.charge(with_token(token), 30.0)
    assert ask(sandbox, with_token(token)).became == became
    sandbox.check()
    assert ledger(path) == []


def test_a_pending_charge_is_unknown_and_stays_pending_when_looked_up(sandbox: Sandbox, path: Path) -> None:
    charge = with_token("tok_pending")
    assert ask(sandbox, charge).became == "unknown"
    assert look(sandbox, charge).status == "pending"
    assert ledger(path) == [(charge.reference, "pending", 4900, "EUR")]


# Looking up


def test_a_reference_that_never_came_is_not_found(sandbox: Sandbox) -> None:
    assert look(sandbox, PAYMENT) == Result("not_found", reference=PAYMENT.reference)


def test_looking_up_a_charge_gives_its_answer_again(sandbox: Sandbox, path: Path) -> None:
    charged = sandbox.charge(PAYMENT, 30.0)
    assert look(sandbox, PAYMENT) == look(Sandbox(path), PAYMENT) == charged


def test_looking_up_a_decline_gives_its_codes_again(sandbox: Sandbox) -> None:
    charge = with_token("tok_expired_card")
    answer = ask(sandbox, charge)
    found = answers.classify(look(sandbox, charge))
    assert (found.became, found.code, found.raw_code, found.message) == (
        answer.became, answer.code, answer.raw_code, answer.message,
    )  # fmt: skip


# Giving back


def refund(sandbox: Sandbox, gateway_id: str | None, amount_minor: int, reference: str = "test:uid1:r1:1") -> Answer:
    return answers.ask(lambda: sandbox.refund(gateway_id or "", reference, amount_minor))


def test_a_refund_is_booked_once_per_reference(sandbox: Sandbox, path: Path) -> None:
    charged = sandbox.charge(PAYMENT, 30.0)
    first, again = (refund(sandbox, charged.gateway_id, 1900) for _ in range(2))
    assert first == again
    assert first.became == "succeeded"
    assert first.result is not None
    assert (first.result.status, first.result.amount_minor, first.result.currency) == ("refunded", 1900, "EUR")
    assert ledger(path, "refund") == [("test:uid1:r1:1", "succeeded", 1900, "EUR")]
    assert sandbox.lookup("test:uid1:r1:1", None, NOW) == first.result


def test_a_charge_and_its_refund_take_no_longer_in_a_ledger_of_many(path: Path) -> None:
    with Rehearsal.opened(path) as book:
        sandbox, steps, taken = Rehearsal(book, set()), count(), []
        for number in range(300):
            before = next(steps)
            book.set_progress_handler(lambda: next(steps) and None, 1)
            charged = sandbox.charge(replace(PAYMENT, reference=f"test:uid1:{number}:1"), 30.0)
            refund(sandbox, charged.gateway_id, 1900, f"test:uid1:r{number}:1")
            book.set_progress_handler(None, 1)
            taken.append(next(steps) - before)
    assert taken[-1] < 1.2 * taken[1]


def test_no_more_is_refunded_than_was_taken(sandbox: Sandbox, path: Path) -> None:
    charged = sandbox.charge(PAYMENT, 30.0)
    outcomes = [
        refund(sandbox, charged.gateway_id, amount, f"test:uid1:r{n}:1").became
        for n, amount in enumerate([4901, 4000, 901, 900, 1])
    ]
    assert outcomes == ["declined", "succeeded", "declined", "succeeded", "declined"]
    assert sum(row[2] for row in ledger(path, "refund")) == 4900


def test_a_ledger_of_another_machine_has_not_the_charge_and_says_so(tmp_path: Path) -> None:
    here, there = (Sandbox(tmp_path / name, among_others=True) for name in ("here", "there"))
    charged = ask(here, with_token("tok_ok")).result
    assert charged is not None
    refused = refund(there, charged.gateway_id, 1900)
    assert refused.became == "declined"
    assert "a ledger on each machine, for each login" in (refused.message or "")


def test_a_refund_reference_used_for_another_amount_is_refused(sandbox: Sandbox, path: Path) -> None:
    charged = sandbox.charge(PAYMENT, 30.0)
    refund(sandbox, charged.gateway_id, 1900)
    assert refund(sandbox, charged.gateway_id, 2000).became == "misconfigured"
    assert len(ledger(path, "refund")) == 1


@pytest.mark.parametrize("token", ["tok_card_declined", "tok_pending"])
def test_what_was_not_taken_cannot_be_refunded(sandbox: Sandbox, path: Path, token: str) -> None:
    ask(sandbox, with_token(token))
    assert refund(sandbox, "sb_1", 100).became == "declined"
    assert ledger(path, "refund") == []


def test_a_refund_cannot_be_refunded(sandbox: Sandbox) -> None:
    charged = sandbox.charge(PAYMENT, 30.0)
    given = refund(sandbox, charged.gateway_id, 1900)
    assert given.result is not None
    assert refund(sandbox, given.result.gateway_id, 100, "test:uid1:r2:1").became == "declined"


# The ledger's file


def test_the_ledger_is_a_file_of_its_own_beside_the_database(tmp_path: Path) -> None:
    database = tmp_path / "sales.db"
    sandbox = registry.open_gateway("sandbox", database)
    assert list(tmp_path.iterdir()) == []
    sandbox.charge(PAYMENT, 30.0)
    assert [entry.name for entry in tmp_path.iterdir()] == ["sales.db.sandbox"]
    assert (tmp_path / "sales.db.sandbox").stat().st_mode & 0o077 == 0


def test_a_ledger_that_cannot_be_read_leaves_the_outcome_unknown(sandbox: Sandbox, path: Path) -> None:
    path.write_text("not a ledger" * 100)
    assert ask(sandbox, PAYMENT).became == "unknown"


# What answers mean


@pytest.mark.parametrize(
    ("raised", "became"),
    [
        pytest.param(Declined("no", "card_declined", "51", False), "declined", id="a final no counts as an attempt"),
        pytest.param(Unavailable("refused"), "not_sent", id="a refused connection was not sent"),
        pytest.param(OutcomeUnknown("cut"), "unknown", id="a cut line is unknown"),
        pytest.param(Misconfigured("401"), "misconfigured", id="a wrong key is our fault"),
        pytest.param(TimeoutError("late"), "unknown", id="a time-out is unknown"),
        pytest.param(ConnectionResetError("reset"), "unknown", id="a reset is unknown"),
        pytest.param(KeyError("status"), "unknown", id="a bug in a gateway's code is unknown"),
    ],
)
def test_what_a_call_that_raises_means(raised: Exception, became: str) -> None:
    def call() -> Result:
        raise raised

    answer = answers.ask(call)
    assert answer.became == became
    assert answer.message
    if isinstance(raised, Declined):
        assert (answer.code, answer.raw_code, answer.retryable) == ("card_declined", "51", False)


@pytest.mark.parametrize(
    ("status", "became"),
    [
        ("succeeded", "succeeded"),
        ("refunded", "succeeded"),
        ("declined", "declined"),
        ("pending", "unknown"),
        ("not_found", "not_found"),
    ],
)
def test_what_a_result_means(status: Any, became: str) -> None:
    result = Result(status, code="c", raw_code="r", message="m")
    answer = answers.classify(result)
    assert (answer.became, answer.result, answer.code, answer.raw_code, answer.message) == (
        became,
        result,
        "c",
        "r",
        "m",
    )


def test_the_manual_gateway_moves_no_money() -> None:
    manual = registry.open_gateway("manual", Path("sales.db"))
    assert isinstance(manual, Manual)
    assert manual.capabilities == frozenset()
    manual.check()
    for call in (
        lambda: manual.charge(PAYMENT, 30.0),
        lambda: manual.lookup("test:uid1:1:1", None, datetime.now(NOW.tzinfo)),
        lambda: manual.refund("sb_1", "test:uid1:r1:1", 100),
    ):
        assert answers.ask(call).became == "misconfigured"


def test_an_unknown_gateway_is_refused() -> None:
    with pytest.raises(BadData, match="there is no gateway 'paypal'"):
        registry.checked_name("paypal")
    gone = registry.open_gateway("paypal", Path("sales.db"))
    assert isinstance(able := answers.able(gone), Answer)
    assert (able.became, "paypal" in (able.message or "")) == ("misconfigured", True)


def test_a_rehearsal_tells_of_what_the_real_ledger_holds_and_not_of_its_own(sandbox: Sandbox, path: Path) -> None:
    sandbox.charge(PAYMENT, 30.0)
    with Rehearsal.opened(path) as book:
        rehearsal = Rehearsal(book, set())
        rehearsal.charge(replace(PAYMENT, reference="test:uid1:2:1"), 30.0)
        assert look(rehearsal, replace(PAYMENT, reference="test:uid1:2:1")).status == "succeeded"
        told = rehearsal.changes(datetime(2000, 1, 1, tzinfo=NOW.tzinfo), ())
    assert [payment.reference for payment in told.payments] == [PAYMENT.reference]
    assert list(told.payments) == list(sandbox.changes(datetime(2000, 1, 1, tzinfo=NOW.tzinfo), ()).payments)
