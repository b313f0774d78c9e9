"""Hostile names, addresses, programs and servers: one letter each, nothing injected, nobody else held up, no secret."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from salescli.errors import BadData
from salescli.notices import deliver, hooks
from salescli.notices.deliver import Outcome
from salescli.notices.hooks import NewHook
from salescli.storage import database
from tests.notices import receivers
from tests.notices.receivers import Mailboxes
from tests.notices.test_deliver import happen, hook, notify, program, programs
from tests.story import Story

__all__ = ["programs"]  # a fixture

NAMES = (
    "Olena\r\nBcc: all@example.com\r\n\r\nHello",
    "Olena\nSubject: another",
    "Olena\u2028Bcc: all@example.com",
    "\u202eanelO",
    "=?utf-8?q?=0D=0ABcc:_all=40example.com?=",
    "$amount ${offer} $$",
    "O" * 500,
    "<script>alert(1)</script>",
    ".\n.\r\n.",
)


@pytest.fixture
def post() -> Iterator[Mailboxes]:
    with receivers.smtp() as kept:
        yield kept


@pytest.mark.parametrize("name", NAMES, ids=range(len(NAMES)))
def test_a_hostile_name_is_text_in_a_letter(story: Story, post: Mailboxes, name: str) -> None:
    """As another program may have written it into the file: customers add refuses some."""
    story.house.offer("49.00", number="7", name="Club")
    story.house.connection.execute("UPDATE customers SET name = ?", (name,))
    hook(story, "email", "customer", name="customers", via=post.url)
    hook(story, "email", "me@example.com", name="seller", via=post.url, events="payment.paid")
    story.pay(story.order("7"))
    assert [(outcome.sent, outcome.error) for outcome in notify(story)] == [(1, None), (1, None)]
    assert [to for to, _ in post.letters] == ["olena@example.com", "me@example.com"]
    for to, letter in post.letters:
        assert letter.keys() == [
            "From", "To", "Subject", "Message-ID", "Date", "Auto-Submitted", "Content-Type",
            "Content-Transfer-Encoding", "MIME-Version",
        ]  # fmt: skip
        assert letter["To"] == to
        assert letter.get_all("Subject") == [letter["Subject"]]
        assert "Bcc" not in letter


@pytest.mark.parametrize(
    "address",
    [
        "olena@example.com\r\nBcc: all@example.com", "olena@example.com, all@example.com", "олена@example.com",
        "olena@приклад.укр", "a" * 300 + "@example.com", "<olena@example.com>", "@", "",
        pytest.param("olena@exa\x00mple.com", marks=pytest.mark.of_files("a server takes no NUL")),
        "=?utf-8?q?a=0D=0ABcc:_all=40example.com?=@example.com",
        "olena @example.com", "-oQ/tmp@example.com", "olena@example.com\t", '"a b"@example.com', "a:b;@example.com",
    ],
)  # fmt: skip
def test_a_hostile_address_gets_no_letter_or_one_and_holds_up_nobody(
    story: Story, post: Mailboxes, address: str
) -> None:
    story.house.offer("49.00", number="7", name="Club")
    story.house.customer("Іван", email="ivan@example.com")
    story.house.connection.execute("UPDATE customers SET email = ? WHERE id = 1", (address,))
    hook(story, "email", "customer", via=post.url)
    for customer in ("1", "2"):
        story.pay(story.order_of(customer, "7"), token="tok_ok", payment_system="Sandbox")
    (outcome,) = notify(story)
    assert outcome.error is None
    assert {to for to, _ in post.letters} - {address} == {"ivan@example.com"}


def test_a_program_that_fills_its_output_or_forks_is_ended(story: Story, programs: Path, tmp_path: Path) -> None:
    program(programs, "loud", r"printf '\033]0;title\007\033[31m' >&2; yes & yes >&2 & yes")
    program(programs, "fork", f"cat > /dev/null; (sleep 1; touch {tmp_path}/outlived) & exit 0")
    hook(story, "program", "loud", name="loud")
    hook(story, "program", "fork", name="fork")
    happen(story, 1)
    loud, fork = notify(story, delivery_seconds=2)
    assert loud.error is not None
    assert (len(loud.error) < 1000, loud.error.isprintable()) == (True, True)
    assert fork == Outcome("fork", 1, 0, None)


def test_an_erased_customers_letters_are_not_sent(story: Story, post: Mailboxes) -> None:
    story.house.offer("49.00", number="7", name="Club")
    hook(story, "email", "customer", name="customers", via=post.url)
    hook(story, "email", "me@example.com", name="seller", via=post.url, events="payment.paid")
    story.pay(story.order("7"))
    assert story.house.run("customers", "erase", "1", "--yes").code == 0
    notify(story)
    ((to, letter),) = post.letters
    assert to == "me@example.com"
    assert "Олена" not in str(letter)
    assert "(erased)" in letter.get_content()


def test_a_merged_customer_is_written_at_the_address_of_the_one_kept(story: Story, post: Mailboxes) -> None:
    story.house.offer("49.00", number="7", name="Club")
    story.house.customer("Olena", email="new@example.com", language="ru")
    hook(story, "email", "customer", via=post.url)
    story.pay(story.order("7"))
    assert story.house.run("customers", "merge", "2", "1", "--yes").code == 0
    notify(story)
    assert [to for to, _ in post.letters] == ["new@example.com"]
    assert "Квитанция" in str(post.letters[0][1]["Subject"])


def test_no_secret_is_in_lists_history_events_or_errors(
    story: Story, monkeypatch: pytest.MonkeyPatch, post: Mailboxes
) -> None:
    monkeypatch.setenv("SALESCLI_HOOK_KEY", "s3cret")
    url = "http://127.0.0.1:9/services/T0KEN-in-path?key=Q_SECRET"
    hook(story, "webhook", url, name="web", secret="SALESCLI_HOOK_KEY")
    via = post.url.replace("://", "://olena@")
    hook(story, "email", "me@example.com", name="mail", via=via, secret="SALESCLI_HOOK_KEY", events="all")
    happen(story, 1)
    run = story.house.run
    said = [run("notify"), run("hooks", "list", "--json"), run("hooks", "list"), run("doctor"), run("events", "--json"),
            run("history", "file", "--json"), run("history", "file")]  # fmt: skip
    everything = "".join(one.out + one.err for one in said)
    assert "s3cret" not in everything
    for secret in ("T0KEN", "Q_SECRET"):
        assert secret not in "".join(one.out + one.err for one in (said[0], said[3], said[4], said[5], said[6]))
        assert secret not in said[1].out + said[2].out


@pytest.mark.of_files("it is made full, or one that is only read")
def test_a_database_that_cannot_be_written_or_is_full_tells_nobody_twice_with_another_number(story: Story) -> None:
    with receivers.webhook() as web:
        hook(story, "webhook", web.url)
        told = happen(story, 2)
        pages = story.house.connection.execute("PRAGMA page_count").fetchone()[0]
        with database.connect(story.house.run.named) as full:
            full.execute(f"PRAGMA max_page_count = {pages}")
            full.execute("PRAGMA query_only = 1")  # as a file on a read-only disk
            with pytest.raises(sqlite3.OperationalError, match="readonly"):
                deliver.run(replace(story.work, connection=full))
        full.close()
        assert [event["event"] for event in web.events] in ([], told[:1])
        notify(story)
    assert sorted({event["event"] for event in web.events}) == told


def test_a_hook_names_no_path_and_no_other_users_program(story: Story) -> None:
    for target in ("/bin/sh", "../x", "a/b", "a b", "a;b", "$(id)", "-x", "A", ""):
        ran = story.house.run("hooks", "add", "h", "--program", target)
        assert ran.code in (2, 6), target
    assert hooks.every(story.house.connection) == []
    for address in ("a@b.c\r\nBcc: x@y.z", "олена@example.com", "a:b;@example.com", "=?utf-8?q?=0D=0A?=@example.com"):
        for to, sender in ((address, "a@b.c"), ("a@b.c", address)):
            with pytest.raises(BadData, match="no e-mail address"):
                hooks.add(story.work, NewHook("h", "email", to, via="sendmail", mail_from=sender))
