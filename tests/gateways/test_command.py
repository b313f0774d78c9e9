"""The command gateway against real programs: one that works, and every way in which one can misbehave."""

from __future__ import annotations

import errno
import os
import selectors
import shutil
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from contextlib import suppress
from datetime import timedelta
from pathlib import Path
from time import monotonic, sleep
from types import ModuleType
from typing import Any

import pytest

from salescli.errors import BadData
from salescli.gateways.answers import Answer, ask, ask_changes
from salescli.gateways.command import Command
from salescli.gateways.protocol import Changes, Charge, Declined, Misconfigured, OutcomeUnknown, Unavailable
from salescli.overview import doctor
from salescli.rules import time
from tests import PROJECT
from tests.conftest import House
from tests.inside import dump
from tests.story import Story

SCRIPTS = PROJECT / "scripts"
ANSWER = """echo '{"version": 1, "kind": "result", "result": {"status": "succeeded", "amount_minor": 4900,"""
ANSWER += """ "currency": "EUR"}}'"""
SINCE = time.from_text("2026-01-01T00:00:00Z")


@pytest.fixture
def programs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder at the head of PATH, with the example gateway and its book."""
    folder = tmp_path / "bin"
    folder.mkdir()
    shutil.copy(SCRIPTS / "salescli-gateway-example", folder)
    (folder / "python3").symlink_to(sys.executable)
    monkeypatch.setenv("PATH", f"{folder}:{os.environ['PATH']}")
    monkeypatch.setenv("EXAMPLE_BOOK", str(tmp_path / "book.db"))
    return folder


def example() -> Command:
    return Command("example", ("EXAMPLE_BOOK",))


def charge(reference: str = "r:1", token: str = "rich", amount_minor: int = 4900) -> Charge:
    return Charge(reference, amount_minor, "EUR", token, "customer-1", "Drawing", "merchant")


def write(folder: Path, body: str) -> Command:
    """Put a program on PATH and return its gateway."""
    program = folder / "salescli-gateway-odd"
    program.write_text(f"#!/bin/sh\n{body}\n")
    program.chmod(0o700)
    return Command("odd")


def test_the_same_reference_twice_is_one_charge(programs: Path, tmp_path: Path) -> None:
    gateway = example()
    for _ in range(2):
        result = gateway.charge(charge(), 10)
        assert (result.status, result.amount_minor, result.currency) == ("succeeded", 4900, "EUR")
    with sqlite3.connect(tmp_path / "book.db") as book:
        assert book.execute("SELECT count(*) FROM book").fetchone()[0] == 1


def test_it_says_what_it_can_do_declines_looks_up_and_refunds(programs: Path) -> None:
    gateway = example()
    assert gateway.capabilities == {"charge", "lookup", "refund", "fee", "changes", "idempotent"}
    assert gateway.key_ttl_seconds is None
    with pytest.raises(Declined) as no:
        gateway.charge(charge(token="poor"), 10)
    assert (no.value.code, no.value.raw_code, no.value.retryable) == ("insufficient_funds", "51", True)
    assert gateway.lookup("r:1", None, SINCE).status == "not_found"
    gateway.charge(charge(), 10)
    assert gateway.lookup("r:1", None, SINCE).status == "succeeded"
    assert gateway.refund("r:1", "r:1:refund:1", 100).status == "refunded"


@pytest.mark.parametrize(
    "body",
    [
        pytest.param("exit 1", id="fails"),
        pytest.param("kill -9 $$", id="is killed"),
        pytest.param("echo nonsense", id="answers garbage"),
        pytest.param("", id="says nothing"),
        pytest.param("head -c 100000 /dev/zero", id="says too much"),
        pytest.param("printf '\\377\\376'", id="answers bytes that are no text"),
        pytest.param(
            """echo '{"version": 2, "kind": "result", "result": {"status": "succeeded"}}'""", id="another version"
        ),
        pytest.param("""echo '{"version": 1, "kind": "yes"}'""", id="an unknown kind"),
        pytest.param("""echo '{"version": 1, "kind": "result"}'""", id="a result without one"),
        pytest.param(
            """echo '{"version": 1, "kind": "result", "result": {"status": "paid"}}'""", id="an unknown status"
        ),
        pytest.param(
            """echo '{"version": 1, "kind": "result", "result": {"status": "succeeded", "amount_minor": "49"}}'""",
            id="an amount as text",
        ),
        pytest.param("""echo '{"version": 1, "kind": "unknown"}'""", id="does not know itself"),
        pytest.param(
            """echo '{"version": 1, "kind": "declined", "code": "x"}'; exit 3""", id="declines but fails in the end"
        ),
    ],
)
def test_a_program_that_misbehaves_leaves_a_charge_unknown_and_a_lookup_unavailable(programs: Path, body: str) -> None:
    gateway = write(programs, body)
    assert ask(lambda: gateway.charge(charge(), 10)).became == "unknown"
    with pytest.raises(OutcomeUnknown):
        gateway.refund("g", "r:1:refund:1", 100)
    with pytest.raises((Unavailable, OutcomeUnknown)):
        gateway.lookup("r:1", None, SINCE)


def test_a_silent_program_is_killed_at_the_deadline_with_its_children(programs: Path, tmp_path: Path) -> None:
    gateway = write(programs, f"(sleep 30; touch {tmp_path}/late) & sleep 30")
    began = monotonic()
    with pytest.raises(OutcomeUnknown, match="no answer in time"):
        gateway.charge(charge(), 0.3)
    assert monotonic() - began < 10
    assert not _runs("sleep 30", tmp_path)


def _runs(words: str, tmp_path: Path) -> bool:
    """Tell whether a process with this folder in its command line is left."""
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                line = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
            except OSError:
                continue
            if str(tmp_path) in line and words in line:
                return True
    return False


@pytest.mark.parametrize(
    ("of", "name", "error"),
    [
        pytest.param(selectors, "DefaultSelector", errno.EMFILE, id="no file descriptor to wait with"),
        pytest.param(os, "set_blocking", errno.ENOMEM, id="no memory for its pipes"),
        pytest.param(os, "read", errno.EIO, id="its answer cannot be read"),
        pytest.param(os, "write", errno.ENOMEM, id="its question cannot be written whole"),
    ],
)
def test_an_error_of_our_own_once_a_program_runs_leaves_a_charge_unknown(
    programs: Path, monkeypatch: pytest.MonkeyPatch, of: ModuleType, name: str, error: int
) -> None:
    gateway = write(programs, f"cat >/dev/null; {ANSWER}")
    real, started = getattr(of, name), subprocess.Popen

    def fails(*values: object) -> object:
        raise OSError(error, os.strerror(error))

    def popen(*values: Any, **options: Any) -> Any:
        try:
            return started(*values, **options)
        finally:
            monkeypatch.setattr(of, name, fails)

    monkeypatch.setattr(subprocess, "Popen", popen)
    answer = ask(lambda: gateway.charge(charge(), 5))
    monkeypatch.setattr(of, name, real)

    assert answer.became == "unknown", answer


def test_a_program_that_cannot_be_started_was_asked_nothing(programs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    gateway = write(programs, ANSWER)
    program = programs / "salescli-gateway-odd"
    program.write_text(f"#!{programs}/no-interpreter\n")

    assert ask(lambda: gateway.charge(charge(), 5)).became == "misconfigured"


@pytest.mark.filterwarnings("ignore:subprocess .* is still running:ResourceWarning")  # it cannot be ended
@pytest.mark.parametrize(
    ("body", "became"),
    [
        pytest.param("cat >/dev/null; sleep 60 & {answer}", "unknown", id="a helper holds its output open"),
        pytest.param("cat >/dev/null; sleep 60 >&- & {answer}", "succeeded", id="a helper goes on"),
        pytest.param("sleep 60", "unknown", id="it says nothing"),
    ],
)
def test_what_another_account_runs_cannot_be_killed_and_changes_no_answer(
    programs: Path, monkeypatch: pytest.MonkeyPatch, body: str, became: str
) -> None:
    gateway = write(programs, body.format(answer=ANSWER))
    groups: list[int] = []

    def refused(group: int, signal: int) -> None:
        groups.append(group)
        raise PermissionError(errno.EPERM, "Operation not permitted")

    killpg = os.killpg
    monkeypatch.setattr(os, "killpg", refused)
    started = monotonic()
    answer = ask(lambda: gateway.charge(charge(), 1))
    monkeypatch.undo()
    for group in groups:
        killpg(group, signal.SIGKILL)
        with suppress(ChildProcessError):
            os.waitpid(group, 0)

    assert answer.became == became, answer
    assert monotonic() - started < 10, "it was waited for"


def test_a_program_that_reads_nothing_may_still_answer(programs: Path) -> None:
    gateway = write(programs, """echo '{"version": 1, "kind": "unavailable", "message": "closed on Sunday"}'""")
    with pytest.raises(Unavailable, match="closed on Sunday"):
        gateway.charge(charge(), 10)


def test_it_gets_a_bounded_environment(programs: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("SECRET", "s")
    monkeypatch.setenv("WANTED", "w")
    write(programs, f'env > {tmp_path}/seen; echo \'{{"version": 1, "kind": "unavailable"}}\'')
    with pytest.raises(Unavailable):
        Command("odd", ("WANTED",)).charge(charge(), 10)
    seen = {line.split("=")[0] for line in (tmp_path / "seen").read_text().splitlines()}
    assert "SECRET" not in seen
    assert {"WANTED", "PATH"} <= seen


def test_a_program_that_is_not_there_is_misconfigured(programs: Path) -> None:
    with pytest.raises(Misconfigured, match="no program salescli-gateway-nobody on PATH"):
        Command("nobody").charge(charge(), 10)


def test_a_payment_system_takes_names_of_variables_and_never_values(house: House) -> None:
    house.payment_system("Example", gateway="command:example", env="EXAMPLE_BOOK,EXAMPLE_KEY")
    with pytest.raises(BadData, match="names only, never values"):
        house.payment_system("Other", gateway="command:example", env="KEY=secret")


def test_a_recurring_order_is_charged_by_a_program_and_resolved_after_a_crash(
    story: Story,
    programs: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    story.house.payment_system("Example", gateway="command:example", env="EXAMPLE_BOOK")
    story.house.offer("49.00", number="7", every="1 month", payments="12")
    plan = story.subscribed("7", token="rich", through="Example")
    # The program charges, and is killed before it answers.
    program = programs / "salescli-gateway-example"
    whole = program.read_text()
    deaf = 'def answer(**values: object) -> None:\n    os.kill(os.getpid(), 9 if sys.argv[1] == "charge" else 0)\n'
    program.write_text(whole.replace("def answer(**values: object) -> None:\n", deaf))
    assert story.at("2026-02-28 10:00").tick().unknown == 1
    program.write_text(whole)
    assert story.at("2026-02-28 10:05").tick().recovered == 1
    assert story.plan(plan).payments_made == 2
    with sqlite3.connect(os.environ["EXAMPLE_BOOK"]) as book:
        assert book.execute("SELECT count(*) FROM book").fetchone()[0] == 2


def test_a_program_does_not_outlive_its_deadline_when_nobody_is_left_to_kill_it(programs: Path, tmp_path: Path) -> None:
    """A look-up that finds nothing has its reference sent again; what hangs before the charge must be gone by then."""
    begun, charged = tmp_path / "begun", tmp_path / "charged"
    write(programs, f"(touch {begun}; sleep 4; touch {charged}); true")
    asking = "from tests.gateways.test_command import *; Command('odd').charge(charge(), 0.5)"
    asker = subprocess.Popen([sys.executable, "-c", asking], cwd=PROJECT)
    _until(begun.exists)
    asker.kill()
    asker.wait()
    sleep(5)
    assert not charged.exists()


def test_a_program_gets_the_signals_that_a_shell_would_give_it(programs: Path) -> None:
    """A guard starts it, a program in Python, which ignores a broken pipe itself."""
    write(programs, f"grep SigIgn /proc/self/status > {programs}/ignored; {ANSWER}")
    Command("odd").charge(charge(), 10)
    ignored = int((programs / "ignored").read_text().split()[1], 16)
    assert not ignored & (1 << (signal.SIGPIPE - 1)) | ignored & (1 << (signal.SIGXFSZ - 1))


def _until(happened: Callable[[], bool]) -> None:
    deadline = monotonic() + 30
    while not happened():
        assert monotonic() < deadline
        sleep(0.02)


CHECKED = 'check) echo \'{"version": 1, "kind": "result", "capabilities": [%s], "key_ttl_seconds": %s}\';; '


@pytest.mark.parametrize("seconds", ["1" + "0" * 13, "9" * 4000])
def test_a_time_that_no_clock_can_count_is_refused_and_holds_up_nobody(
    story: Story, programs: Path, seconds: str
) -> None:
    write(programs, 'case "$1" in ' + CHECKED % ('"charge", "idempotent"', 0) + "*) exit 1;; esac")
    story.house.payment_system("Odd", gateway="command:odd")
    story.house.offer("49.00", number="7", every="1 month")
    odd, other = story.subscribed("7"), story.subscribed("7")
    story.house.connection.execute("UPDATE recurring SET payment_system_id = 3 WHERE id = ?", (odd,))
    assert story.at("2026-02-28 10:00").tick().unknown == 1
    write(programs, 'case "$1" in ' + CHECKED % ('"charge", "idempotent"', seconds) + "*) exit 1;; esac")
    story.house.connection.execute(
        "UPDATE recurring SET next_payment_at = ? WHERE id = ?", (time.stored(story.now), other)
    )
    counts = story.at("2026-02-28 10:06").tick()
    assert (counts.charged, counts.broken) == (1, False)
    with pytest.raises(Misconfigured, match="whole seconds"):
        Command("odd").check()


def test_a_check_that_repeats_a_card_number_or_no_text_is_recorded_without_it(story: Story, programs: Path) -> None:
    card = "4111111111111111"
    write(programs, f'echo \'{{"version": 1, "kind": "misconfigured", "message": "{card} \\ud800"}}\'')
    story.house.payment_system("Odd", gateway="command:odd")
    story.house.offer("49.00", number="7", every="1 month")
    plan = story.subscribed("7")
    story.house.connection.execute("UPDATE recurring SET payment_system_id = 3")
    assert story.at("2026-02-28 10:00").tick().not_sent == 1
    assert story.plan(plan).status == "active"
    assert card not in "".join(dump(story.house.connection))


ANOTHER_AMOUNT = """'{"version": 1, "kind": "result", "result": {"status": "%s", "gateway_id": "%s","""
ANOTHER_AMOUNT += """ "amount_minor": %d, "currency": "EUR"}}'"""


def test_a_success_of_another_amount_is_told_as_unknown_by_all_who_ask(story: Story, programs: Path) -> None:
    write(
        programs,
        'case "$1" in ' + CHECKED % ('"charge"', 0) + f"*) echo {ANOTHER_AMOUNT % ('succeeded', 'p', 1)};; esac",
    )
    story.house.payment_system("Odd", gateway="command:odd", one_click="no")
    story.house.offer("20.00", number="8")
    story.house.offer("49.00", number="7", every="1 month")
    story.subscribed("7")
    story.house.connection.execute("UPDATE recurring SET payment_system_id = 3")
    counts = story.at("2026-02-28 10:00").tick()
    assert (counts.charged, counts.unknown) == (0, 1)
    assert story.pay(story.order("8", through="Odd")) == "unknown"


def test_a_refund_of_another_amount_is_unknown_and_ends_the_refund(story: Story, programs: Path, house: House) -> None:
    """An order in two payments is refunded in two parts; after the first, nothing more is sent."""
    counted = f"n=$(wc -l < {programs}/n); echo x >> {programs}/n"
    taken = ANOTHER_AMOUNT % ("succeeded", "p'$n'", 1000)
    answers = f"charge) {counted}; echo {taken};; "
    refused = f"refund) echo x >> {programs}/refunds; echo {ANOTHER_AMOUNT % ('refunded', 'r', 1)};; "
    (programs / "n").touch()
    write(programs, 'case "$1" in ' + CHECKED % ('"charge", "refund"', 0) + answers + refused + "esac")
    house.payment_system("Odd", gateway="command:odd")
    house.offer("20.00", number="8", partial_min="10", partial_success="90")
    order = story.order("8", through="Odd")
    assert [story.pay(order, amount="10.00"), story.pay(order, amount="10.00")] == ["succeeded", "succeeded"]
    assert story.refund(order) == ["unknown"]
    assert (programs / "refunds").read_text() == "x\n"


def test_a_gateway_that_can_neither_look_up_nor_tell_repetitions_is_asked_at_most_once(
    story: Story,
    programs: Path,
    tmp_path: Path,
) -> None:
    calls = tmp_path / "calls"
    write(
        programs,
        'case "$1" in'
        ' check) echo \'{"version": 1, "kind": "result", "capabilities": ["charge"], "key_ttl_seconds": 0}\';;'
        f" *) echo x >> {calls}; exit 1;; esac",
    )
    story.house.payment_system("Odd", gateway="command:odd")
    story.house.offer("49.00", number="7", every="1 month")
    plan = story.subscribed("7")
    story.house.connection.execute("UPDATE recurring SET payment_system_id = 3")
    for moment in ("2026-02-28 10:00", "2026-02-28 10:06", "2026-03-01 10:00", "2026-03-05 10:00"):
        counts = story.at(moment).tick()
    assert calls.read_text().count("x") == 1
    assert story.plan(plan).status == "processing"
    assert "has had an unknown outcome since" in counts.for_a_person[0]
    assert [finding.check for finding in doctor.examine(story.house.connection, story.now, story.house.zone)] == [
        "outcome unknown"
    ]


def test_a_program_tells_its_refunds(programs: Path) -> None:
    gateway = example()
    gateway.charge(charge(), 10)
    gateway.refund("r:1", "r:1:refund:1", 100)
    [told] = gateway.refunds("r:1")
    assert (told.payment_id, told.gateway_id, told.amount_minor, told.reference) == (
        "r:1", "r:1:refund:1", 100, "r:1:refund:1",
    )  # fmt: skip
    assert gateway.refunds("r:2") == ()
    assert gateway.changes(SINCE, ()).refunds == (told,)
    assert gateway.changes(time.now() + timedelta(hours=1), ("d_1",)).refunds == ()


@pytest.mark.parametrize(
    "result",
    [
        "null",
        "[]",
        '{"refunds": [1]}',
        '{"refunds": [{"payment_id": "x"}]}',
        '{"refunds": [{"payment_id": "x", "amount_minor": "1", "currency": "EUR",'
        ' "refunded_at": "2026-01-01T00:00:00Z"}]}',
        '{"refunds": 1}',
        '{"disputes": [{"payment_id": "x", "gateway_id": "d", "status": "odd", "amount_minor": 1, "currency": "EUR",'
        ' "opened_at": "2026-01-01T00:00:00Z"}]}',
        '{"payments": [{"status": "odd"}]}',
        '{"until": 5}',
    ],
)
def test_changes_in_a_bad_form_are_no_changes(programs: Path, result: str) -> None:
    answer = f'{{"version": 1, "kind": "result", "result": {result}}}'
    gateway = write(programs, f"cat > /dev/null; echo '{answer}'")
    assert isinstance(ask_changes(gateway, SINCE, ()), Answer)


def test_a_payment_at_a_time_that_cannot_be_is_one_without_a_time(programs: Path) -> None:
    paid = '{"status": "succeeded", "reference": "r:1", "created_at": "2026-02-30T10:00:00Z"}'
    answer = f'{{"version": 1, "kind": "result", "result": {{"payments": [{paid}]}}}}'
    gateway = write(programs, f"cat > /dev/null; echo '{answer}'")
    told = ask_changes(gateway, SINCE, ())
    assert isinstance(told, Changes)
    assert [(one.reference, one.created_at) for one in told.payments] == [("r:1", None)]


def _message(gateway: Command, token: str = "rich") -> str:
    with pytest.raises(OutcomeUnknown) as raised:
        gateway.charge(charge(token=token), 5.0)
    return str(raised.value)


@pytest.mark.parametrize(
    ("body", "says"),
    [
        pytest.param("echo 'no route to bank' >&2; exit 3", "ended with 3; it said: no route to bank", id="it fails"),
        pytest.param("echo why >&2; echo nonsense", "it said: why", id="it answers garbage"),
        pytest.param("printf 'a\\n\\nb\\nc\\nd\\n' >&2; exit 1", "it said: b | c | d", id="the last lines"),
        pytest.param("printf '\\033[31mred\\a\\n' >&2; exit 1", "it said: [31mred", id="control characters"),
        pytest.param("printf '\\377\\n' >&2; exit 1", "it said: \\xff", id="bytes that are no text"),
        pytest.param("exit 1", "salescli-gateway-odd charge ended with 1", id="it says nothing"),
        pytest.param("sleep 60 & echo late >&2; exit 1", "it said: late", id="what it leaves running waits for nobody"),
    ],
)
def test_a_failing_program_s_last_words_are_in_the_message(programs: Path, body: str, says: str) -> None:
    message = _message(write(programs, body))
    assert message.endswith(says)
    assert message.isprintable()


def test_no_secret_and_no_card_number_is_in_the_message(programs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EXAMPLE_BOOK", "s3cret")
    write(programs, 'echo "key $EXAMPLE_BOOK token tok_77 card 4111 1111 1111 1111" >&2; exit 1')
    message = _message(Command("odd", ("EXAMPLE_BOOK",)), token="tok_77")
    assert message.endswith("it said: key (secret) token (secret) card (card number)")


def test_a_long_complaint_is_cut_and_a_success_says_nothing(programs: Path) -> None:
    gateway = write(programs, "head -c 300000 /dev/zero | tr '\\0' x >&2; exit 1")
    assert len(_message(gateway)) < 400
    gateway = write(programs, f"echo careful >&2; {ANSWER}")
    assert "careful" not in repr(gateway.charge(charge(), 5.0))


def test_the_last_words_are_in_the_attempt_and_in_the_check(programs: Path, story: Story) -> None:
    write(programs, "echo 'no route to bank' >&2; exit 3")
    house = story.house
    house.payment_system("Odd", gateway="command:odd")
    house.offer("49.00", number="7")
    assert "no route to bank" in house.run("payment-systems", "check", "Odd").err
    order = house.run("orders", "new", "1", "7", "--payment-system", "Odd", "--token", "tok_x")
    paid = house.run("orders", "pay", "1")
    assert "no route to bank" in order.err + paid.err
    if house.count("attempts"):
        assert "no route to bank" in house.run("payments", "show", "1").out
