"""Hooks: each event once, in order, whatever fails; letters to the seller and to customers; secrets by name only."""

from __future__ import annotations

import hashlib
import hmac
import os
import socket
import sqlite3
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from threading import Thread
from time import monotonic, sleep
from typing import Any

import pytest

from salescli.errors import BadData
from salescli.notices import deliver, events, hooks, senders
from salescli.notices.deliver import Outcome
from salescli.notices.hooks import Hook, NewHook
from salescli.overview import doctor
from salescli.rules import time
from salescli.storage import lock, new_file
from tests.notices import receivers
from tests.notices.receivers import Mailboxes, Webhook
from tests.story import Story

SHOP = "shop@example.com"


@pytest.fixture
def webhook() -> Iterator[Webhook]:
    with receivers.webhook() as kept:
        yield kept


@pytest.fixture
def post() -> Iterator[Mailboxes]:
    with receivers.smtp() as kept:
        yield kept


@pytest.fixture
def programs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder at the head of PATH."""
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", f"{folder}:{os.environ['PATH']}")
    return folder


def program(folder: Path, name: str, body: str) -> None:
    path = folder / f"salescli-hook-{name}"
    path.write_text(f"#!/bin/sh\n{body}\n")
    path.chmod(0o755)


def hook(story: Story, sender: str, target: str, name: str = "h", **more: Any) -> Hook:
    if sender == "email":
        more = {"mail_from": SHOP, **more}
    return hooks.add(story.work, NewHook(name, sender, target, **more))


def notify(story: Story, **more: Any) -> list[Outcome]:
    return deliver.run(story.work, **more)


def happen(story: Story, number: int = 3) -> list[int]:
    """Open orders, and return the numbers of the events."""
    if not story.house.count("offers"):
        story.house.offer("49.00", number="7", name="Club", every="1 month")
    before = events.last(story.house.connection)
    for _ in range(number):
        story.order("7")
    return [event["event"] for event in events.after(story.house.connection, before)]


def test_a_webhook_gets_each_event_once_in_order_from_when_it_was_added(story: Story, webhook: Webhook) -> None:
    happen(story)
    hook(story, "webhook", webhook.url)
    told = happen(story)
    assert notify(story) == [Outcome("h", 3, 0, None)]
    assert notify(story) == [Outcome("h", 0, 0, None)]
    assert [event["event"] for event in webhook.events] == told
    assert webhook.requests[0][0]["Salescli-Event"] == str(told[0])


def test_a_webhook_is_signed_with_a_key_that_is_not_stored(
    story: Story, webhook: Webhook, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SALESCLI_HOOK_KEY", "s3cret-key")
    hook(story, "webhook", webhook.url, secret="SALESCLI_HOOK_KEY")
    happen(story, 1)
    notify(story)
    headers, body = webhook.requests[0]
    given = dict(part.split("=") for part in headers[senders.SIGNATURE].split(","))
    mine = hmac.new(b"s3cret-key", given["t"].encode() + b"." + body, hashlib.sha256).hexdigest()
    assert given["v1"] == mine
    assert "s3cret-key" not in str(story.house.held())
    monkeypatch.delenv("SALESCLI_HOOK_KEY")
    happen(story, 1)
    assert "SALESCLI_HOOK_KEY" in str(notify(story)[0].error)
    assert len(webhook.requests) == 1


def test_a_hook_that_fails_pauses_is_in_doctor_and_then_gets_all_in_order(story: Story, webhook: Webhook) -> None:
    hook(story, "webhook", webhook.url)
    told = happen(story)
    webhook.status = 503
    assert notify(story)[0].error == "127.0.0.1 answered 503"
    assert notify(story) == []
    found = doctor.examine(story.house.connection, story.now, story.house.zone)
    assert ["3 events not told" in finding.what for finding in found if finding.check == "hook"] == [True]
    pauses = []
    for _ in range(8):
        due = database_time(hooks.find(story.house.connection, "h").next_try_at)
        pauses.append((due - story.now).total_seconds() // 60)
        story.now = due
        assert len(notify(story)) == 1
    assert pauses == [1, 2, 4, 8, 16, 32, 60, 60]
    webhook.status, webhook.requests[:] = 200, []
    story.now += timedelta(hours=1)
    assert notify(story) == [Outcome("h", 3, 0, None)]
    assert [event["event"] for event in webhook.events] == told
    assert not [f for f in doctor.examine(story.house.connection, story.now, story.house.zone) if f.check == "hook"]


def database_time(stored: int | None) -> datetime:
    assert stored is not None
    return time.from_stored(stored)


def test_a_hook_that_fails_does_not_hold_up_another(story: Story, webhook: Webhook) -> None:
    hook(story, "webhook", "http://127.0.0.1:9/", name="dead")
    hook(story, "webhook", webhook.url, name="alive")
    told = happen(story)
    assert [(outcome.hook, outcome.sent) for outcome in notify(story)] == [("dead", 0), ("alive", 3)]
    assert [event["event"] for event in webhook.events] == told


def test_a_program_gets_the_event_and_only_what_it_is_to_know(
    story: Story, programs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SALESCLI_HOOK_TOKEN", "t0ken")
    monkeypatch.setenv("STRIPE_API_KEY", "sk_live")
    program(programs, "keep", f"cat >> {tmp_path}/got; echo >> {tmp_path}/got; env > {tmp_path}/env")
    hook(story, "program", "keep", environment="SALESCLI_HOOK_TOKEN")
    told = happen(story, 2)
    assert notify(story)[0].sent == 2
    got = (tmp_path / "got").read_text()
    assert [f'"event": {number},' in line for number, line in zip(told, got.splitlines(), strict=True)] == [True, True]
    assert "t0ken" in (tmp_path / "env").read_text()
    assert "sk_live" not in (tmp_path / "env").read_text()


def test_a_program_that_hangs_is_ended_with_all_its_children(story: Story, programs: Path, tmp_path: Path) -> None:
    program(programs, "hang", f"(sleep 3; touch {tmp_path}/outlived) & sleep 60")
    hook(story, "program", "hang")
    happen(story, 1)
    started = monotonic()
    assert notify(story, delivery_seconds=1)[0].error == "salescli-hook-hang gave no answer in time"
    assert monotonic() - started < 3
    assert not (tmp_path / "outlived").exists()


def test_a_server_that_drips_is_left_at_the_deadline(story: Story) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:

        def drip() -> None:
            there, _ = server.accept()
            with there, suppress(OSError):
                for _ in range(100):
                    there.sendall(b"H")
                    sleep(0.2)

        Thread(target=drip, daemon=True).start()
        hook(story, "webhook", f"http://127.0.0.1:{server.getsockname()[1]}/")
        happen(story, 1)
        started = monotonic()
        assert notify(story, delivery_seconds=1)[0].error == "no answer within 1 s"
        assert monotonic() - started < 4


def test_a_program_that_fails_says_why_without_its_secrets(
    story: Story, programs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SALESCLI_HOOK_TOKEN", "t0ken")
    program(programs, "bad", "echo no route with $SALESCLI_HOOK_TOKEN >&2; exit 3")
    hook(story, "program", "bad", environment="SALESCLI_HOOK_TOKEN")
    happen(story, 1)
    assert notify(story)[0].error == "salescli-hook-bad ended with 3; it said: no route with (secret)"


def test_tick_is_done_and_free_while_a_hook_hangs(story: Story, programs: Path, tmp_path: Path) -> None:
    """The charge is made before the hook is called, and the lock of tick is free while it hangs."""
    program(programs, "look", f"sqlite3 -version >/dev/null 2>&1; touch {tmp_path}/called; exit 1")
    story.house.offer("49.00", number="7", name="Club", every="1 month")
    story.subscribed("7")
    hook(story, "program", "look")
    found: list[int] = []
    send = senders.send

    def look(*args: Any) -> None:
        with lock.alone(story.house.path):  # raises AlreadyRunning where tick still holds it
            found.append(story.house.count("recurring", "payments_made = 2"))
        send(*args)

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(senders, "send", look)
        ran = story.house.run("tick", "--now", "2026-03-05 10:00")
    assert (ran.code, ran.err, found) == (0, "", [1])
    assert (tmp_path / "called").exists()


def test_the_seller_is_written_the_first_decline_and_the_failure_by_name(story: Story, post: Mailboxes) -> None:
    story.house.offer("49.00", number="7", name="Club", every="1 month")
    hook(story, "email", "me@example.com", via=post.url)
    story.subscribed("7", token="tok_card_declined")
    for _ in range(3):
        story.now += timedelta(days=40)
        story.tick()
        notify(story)
    subjects = [str(letter["Subject"]) for to, letter in post.letters if to == "me@example.com"]
    subjects = [subject for subject in subjects if "tick" not in subject]
    assert subjects == [
        "Payment declined, another attempt is scheduled: Олена Коваленко 49.00 EUR",
        "Recurring order FAILED: Олена Коваленко 49.00 EUR",
    ]
    body = post.letters[-1][1].get_content()
    assert "salescli explain recurring 1" in body
    assert "Next attempt" not in body, "there is none"
    numbers = [letter["Message-ID"] for _, letter in post.letters]
    assert len(set(numbers)) == len(numbers)


@pytest.mark.parametrize(
    ("language", "words"),
    [("en", "We will try again on 2026-03-"), ("uk", "Ми спробуємо ще раз 2026-03-"), ("ru", "ещё раз 2026-03-")],
)
def test_a_customer_is_written_in_their_language_with_the_next_date(
    story: Story, post: Mailboxes, language: str, words: str
) -> None:
    story.house.offer("49.00", number="7", name="Club", every="1 month")
    story.subscribed("7", token="tok_card_declined")
    hook(story, "email", "customer", via=post.url, language=language)
    story.at("2026-03-03 10:00").tick()
    notify(story)
    (to, letter), *more = post.letters
    assert (to, more) == ("olena@example.com", [])
    assert words in letter.get_content()
    assert "$" not in letter.get_content() + str(letter["Subject"])


def test_customers_get_receipts_and_the_end_of_a_plan_but_nothing_else(story: Story, post: Mailboxes) -> None:
    hook(story, "email", "customer", via=post.url)
    story.house.offer("49.00", number="7", name="Club", every="1 month", payments="2")
    story.subscribed("7")
    story.at("2026-03-03 10:00").tick()
    notify(story)
    assert [str(letter["Subject"]) for _, letter in post.letters] == [
        "Receipt: 49.00 EUR for Club",
        "Receipt: 49.00 EUR for Club",
        "Club: all payments are made",
    ]


def test_nobody_is_written_to_until_a_hook_is_added(story: Story, post: Mailboxes) -> None:
    happen(story)
    assert notify(story) == []
    assert post.letters == []


def test_an_address_that_is_refused_for_good_holds_up_no_other_customer(story: Story, post: Mailboxes) -> None:
    story.house.customer("Іван", email="ivan@example.com")
    story.house.customer("Без пошти")
    hook(story, "email", "customer", via=post.url)
    story.house.offer("49.00", number="7")
    post.unknown = {"olena@example.com"}
    for customer in ("1", "2", "3"):
        order = story.order_of(customer, "7")
        story.pay(order, token="tok_ok", payment_system="Sandbox")
    assert notify(story) == [Outcome("h", 1, 1, None)]
    assert [to for to, _ in post.letters] == ["ivan@example.com"]
    stored = story.house.connection.execute("SELECT * FROM hooks").fetchone()
    assert (stored["refused"], stored["failures"]) == (1, 0)
    assert "olena" not in str(tuple(stored))


def test_a_server_that_refuses_every_letter_is_in_doctor_until_it_takes_one(story: Story, post: Mailboxes) -> None:
    hook(story, "email", "customer", via=post.url)
    story.house.offer("49.00", number="7")
    post.unknown = {"olena@example.com"}

    def paid(number: int) -> list[str]:
        for _ in range(number):
            story.pay(story.order_of("1", "7"), token="tok_ok", payment_system="Sandbox")
        notify(story)
        found = doctor.examine(story.house.connection, story.now, story.house.zone)
        return [one.what for one in found if one.check == "hook"]

    assert paid(2) == []
    assert paid(1) == [
        "hook h: 3 letters in a row were refused for good: 127.0.0.1 does not take letters to this address (550)"
    ]
    post.unknown.clear()
    assert paid(1) == []


def test_a_server_that_fails_for_now_gets_the_same_letter_again(story: Story, post: Mailboxes) -> None:
    hook(story, "email", "me@example.com", via=post.url, events="order.opened")
    happen(story, 1)
    post.broken = True
    assert "451" in str(notify(story)[0].error)
    post.broken = False
    assert notify(story, only="h")[0].sent == 1
    assert len(post.letters) == 1


def test_the_sellers_own_address_that_is_refused_is_a_failure(story: Story, post: Mailboxes) -> None:
    hook(story, "email", "me@example.com", via=post.url, events="order.opened")
    happen(story, 1)
    post.unknown = {"me@example.com"}
    assert "550" in str(notify(story)[0].error)


def test_a_digest_is_one_letter_each_morning_about_everything(story: Story, post: Mailboxes) -> None:
    hook(story, "email", "me@example.com", via=post.url, daily=True)
    happen(story)
    assert notify(story) == []
    story.at("2026-02-01 07:00")
    assert notify(story)[0].sent == 3
    assert notify(story) == []
    (_, letter), *more = post.letters
    assert more == []
    assert str(letter["Subject"]) == "Sales: 3 events up to 2026-01-31"
    assert "    3  New order" in letter.get_content()
    assert letter.get_content().count("Олена Коваленко") == 3
    story.at("2026-02-02 07:00")
    assert notify(story) == [Outcome("h", 0, 0, None)]  # nothing happened, so nobody is written to
    assert len(post.letters) == 1


def test_the_seller_edits_a_template_and_a_slip_in_it_stops_no_letter(story: Story, post: Mailboxes) -> None:
    assert story.house.run("hooks", "templates", "--copy").code == 0
    own = Path(f"{story.house.path}.letters/uk/payment.paid.txt")
    own.write_text("Subject: Дякуємо, $name\n\nОтримано $amount $curency 100$\n", encoding="utf-8")
    hook(story, "email", "customer", via=post.url, language="uk")
    story.house.offer("49.00", number="7")
    story.pay(story.order("7"))
    notify(story)
    letter = post.letters[0][1]
    assert str(letter["Subject"]) == "Дякуємо, Олена Коваленко"
    assert letter.get_content().strip() == "Отримано 49.00 $curency 100$"
    assert story.house.run("hooks", "templates", "--copy").err == "copied 0 templates\n"
    own.write_bytes(b"Subject: \xff\n\n")
    story.pay(story.order("7"))
    assert "cannot be read" in str(notify(story)[0].error)


def test_a_tick_that_did_not_run_is_told_once(story: Story, webhook: Webhook) -> None:
    story.house.offer("49.00", number="7", every="1 month")
    story.subscribed("7")
    story.tick()
    hook(story, "webhook", webhook.url, events="tick.dead")
    story.now += timedelta(hours=2)
    notify(story)
    story.tick()
    notify(story)
    story.now += timedelta(minutes=5)
    story.tick()
    notify(story)
    assert [event["what"] for event in webhook.events] == ["no tick since 2026-01-31T08:00:00Z"]


def test_two_that_tell_at_the_same_time_exclude_each_other(story: Story, webhook: Webhook) -> None:
    hook(story, "webhook", webhook.url)
    happen(story)
    with lock.alone(story.house.path, of="notify"):
        assert story.house.run("notify").code == 75
        assert story.house.run("tick").code == 0
    assert webhook.requests == []
    assert story.house.run("notify").out == "h: 3 events told\n"


@pytest.mark.of_files("a copy by cp")
def test_a_copy_of_the_database_tells_nobody(story: Story, webhook: Webhook, tmp_path: Path) -> None:
    hook(story, "webhook", webhook.url)
    happen(story)
    new_file.copy(story.house.connection, tmp_path / "copy.db")
    other = replace(story.house, path=tmp_path / "copy.db")
    assert other.run("notify").code != 0
    assert webhook.requests == []


@pytest.mark.parametrize(
    ("new", "said"),
    [
        (NewHook("h", "webhook", "http://example.com/"), "https://"),
        (NewHook("h", "webhook", "https://u:p@example.com/"), "keeps no password"),
        (NewHook("h", "webhook", "https://example.com/", secret="STRIPE_API_KEY"), "SALESCLI_HOOK_"),
        (NewHook("h", "program", "../../bin/sh"), "on PATH"),
        (NewHook("h", "email", "me", via="sendmail", mail_from=SHOP), "no e-mail address"),
        (NewHook("h", "email", "a@b.c", via="http://x", mail_from=SHOP), "smtp://"),
        (NewHook("h", "email", "a@b.c", via="smtp://u:p@x", mail_from=SHOP), "smtp://"),
        (NewHook("h", "email", "customer", via="sendmail", mail_from=SHOP, events="order.opened"), "no letter"),
        (NewHook("h", "email", "customer", via="sendmail", mail_from=SHOP, daily=True), "daily"),
        (NewHook("h", "webhook", "https://example.com/", events="order.payd"), "order.paid"),
        (NewHook("H h", "webhook", "https://example.com/"), "a-z"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_hook_that_would_not_work_is_refused(story: Story, new: NewHook, said: str) -> None:
    with pytest.raises(BadData, match=said):
        hooks.add(story.work, new)


def test_hooks_are_added_edited_skipped_and_removed_by_commands(story: Story, webhook: Webhook) -> None:
    run = story.house.run
    assert run("hooks", "add", "crm", "--webhook", webhook.url).out == "hook crm: is told all, from now on\n"
    assert run("hooks", "add", "crm", "--webhook", webhook.url).code == 6
    happen(story)
    assert run("notify", "--dry-run").out == "would tell crm 3 events\n"
    assert run("hooks", "edit", "crm", "--no-active").code == 0
    assert run("notify").out == ""
    assert run("hooks", "edit", "crm", "--active", "--skip", "--events", "problems").code == 0
    assert run("notify").out == "crm: 0 events told\n"
    assert run("hooks", "list", "--csv").rows[0]["events"] == "problems"
    assert run("hooks", "remove", "crm").code == 0
    assert run("notify", "crm").code == 3
    lines = [line["what"] for line in run("history", "file", "--json").json]
    assert [what.split(":")[0] for what in lines[:4]] == [
        "hook crm removed",
        "hook crm edited",
        "hook crm edited",
        "hook crm added",
    ]


@pytest.mark.parametrize("words", [("remove", "h"), ("edit", "h", "--no-active"), ("edit", "h", "--skip")])
def test_what_is_changed_while_a_hook_is_told_holds_from_the_next_event(
    story: Story, webhook: Webhook, words: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    hook(story, "webhook", webhook.url)
    first, *_ = happen(story, 3)
    send = senders.send

    def changed_meanwhile(*args: Any) -> None:
        send(*args)
        monkeypatch.setattr(senders, "send", send)
        assert story.house.run("hooks", *words).code == 0

    monkeypatch.setattr(senders, "send", changed_meanwhile)
    assert notify(story) == [Outcome("h", 1, 0, None)]
    assert [event["event"] for event in webhook.events] == [first]


def test_a_hook_that_is_removed_while_it_fails_is_gone(
    story: Story, webhook: Webhook, monkeypatch: pytest.MonkeyPatch
) -> None:
    hook(story, "webhook", webhook.url)
    happen(story, 1)
    webhook.status = 500
    send = senders.send

    def removed_meanwhile(*args: Any) -> None:
        assert story.house.run("hooks", "remove", "h").code == 0
        send(*args)

    monkeypatch.setattr(senders, "send", removed_meanwhile)
    assert "500" in str(notify(story)[0].error)
    assert not hooks.every(story.house.connection)


@pytest.mark.of_files("it is made one that is only read")
def test_where_nothing_can_be_noted_nothing_is_sent(story: Story, webhook: Webhook) -> None:
    """As on a full disk: else the same letter would go out every five minutes until somebody makes room."""
    hook(story, "webhook", webhook.url)
    happen(story, 1)
    story.house.connection.execute("PRAGMA query_only = 1")
    with pytest.raises(sqlite3.OperationalError):
        notify(story)
    story.house.connection.execute("PRAGMA query_only = 0")
    assert webhook.requests == []
    assert notify(story)[0].sent == 1


@pytest.mark.parametrize("day", ["2026-03-29", "2026-10-25", "2026-06-01"])
def test_a_digest_comes_at_seven_by_the_clock_also_where_clocks_change(story: Story, day: str) -> None:
    begun = story.at(f"{day} 00:30").now
    assert (
        time.local_text(time.stored(hooks.next_digest(begun, story.house.zone)), story.house.zone) == f"{day} 07:00:00"
    )


@pytest.mark.parametrize("daily", [False, True])
def test_a_clock_that_was_wrong_holds_nobody_up_once_it_is_right(story: Story, post: Mailboxes, daily: bool) -> None:
    story.at("2026-07-01 12:00")
    hook(story, "email", "me@example.com", via=post.url, events="order.opened", daily=daily)
    happen(story, 1)
    post.broken = True
    notify(story)
    post.broken = False
    story.at("2026-02-01 12:00")
    assert notify(story)[0].sent == 1


def test_a_locked_database_leaves_the_event_to_the_next_run(story: Story, webhook: Webhook) -> None:
    hook(story, "webhook", webhook.url)
    happen(story, 1)
    with pytest.MonkeyPatch.context() as patched:

        def locked(*args: Any, **more: Any) -> None:
            raise sqlite3.OperationalError("database is locked")

        patched.setattr(hooks, "told", locked)
        ran = story.house.run("tick", "--now", "2026-01-31 11:00")
    assert ran.code == 0, ran.err
    assert story.house.run("notify").out == "h: 1 event told\n"
    assert len({event["event"] for event in webhook.events}) == 1  # by its number once
