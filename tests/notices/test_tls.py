"""TLS on loopback: real servers with certificates of an authority of ours; a wrong one is refused in one clear line."""

from __future__ import annotations

import hashlib
import hmac
import socket
import ssl
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest
import trustme

from salescli.notices import deliver, heartbeat, hooks, senders
from salescli.notices.hooks import NewHook
from salescli.overview import doctor
from salescli.rules import time
from tests.notices import receivers
from tests.notices.receivers import Mailboxes
from tests.story import Story

SHOP = "shop@example.com"
YESTERDAY = datetime.now(timezone.utc) - timedelta(days=1)


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture
def trusted(authority: trustme.CA, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> trustme.CA:
    """The authority, as the machine's only one."""
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "ca.pem"))
    monkeypatch.setenv("SSL_CERT_DIR", str(tmp_path / "none"))
    return authority


@pytest.fixture
def tls(trusted: trustme.CA) -> ssl.SSLContext:
    return served(trusted, "localhost")


def served(authority: trustme.CA, name: str, not_after: datetime | None = None) -> ssl.SSLContext:
    """A server's context with a certificate for a name."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert(name, not_after=not_after).configure_cert(context)
    return context


def told_of_one(story: Story, new: NewHook) -> str | None:
    """Let one thing happen and tell it; the error of the hook if it failed."""
    if not story.house.count("offers"):
        story.house.offer("49.00", number="7", name="Club")
    hooks.add(story.work, new)
    story.order("7")
    (outcome,) = deliver.run(story.work, delivery_seconds=2)
    assert (outcome.sent == 1) is (outcome.error is None)
    return outcome.error


def letter(post: Mailboxes, user: str = "", secret: str | None = None) -> NewHook:
    via = post.url.replace("://", f"://{user}@") if user else post.url
    return NewHook("h", "email", "me@example.com", via=via, mail_from=SHOP, events="all", secret=secret)


@pytest.mark.parametrize("implicit", [False, True], ids=["STARTTLS", "from the beginning"])
def test_a_letter_goes_through_tls_and_a_login(
    story: Story, tls: ssl.SSLContext, monkeypatch: pytest.MonkeyPatch, implicit: bool
) -> None:
    monkeypatch.setenv("SALESCLI_HOOK_MAIL", "pass word")
    with receivers.smtp(tls, implicit=implicit) as post:
        post.passwords = {"olena@example.com": "pass word"}
        assert told_of_one(story, letter(post, "olena%40example.com", "SALESCLI_HOOK_MAIL")) is None
    assert [to for to, _ in post.letters] == ["me@example.com"]
    assert post.encrypted == [True]


def test_a_webhook_is_signed_through_https(story: Story, tls: ssl.SSLContext, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SALESCLI_HOOK_KEY", "k")
    with receivers.webhook(tls) as web:
        assert told_of_one(story, NewHook("h", "webhook", web.url, secret="SALESCLI_HOOK_KEY")) is None
        assert heartbeat.ping(web.url) is None
    headers, body = web.requests[0]
    seconds, given = (part.partition("=")[2] for part in headers[senders.SIGNATURE].split(","))
    assert given == hmac.new(b"k", f"{seconds}.".encode() + body, hashlib.sha256).hexdigest()
    assert web.url.startswith("https://localhost:")


Served = Callable[[trustme.CA], ssl.SSLContext]
WRONG: dict[str, tuple[Served, str]] = {
    "another name": (lambda ca: served(ca, "elsewhere.example"), "not valid for 'localhost'"),
    "expired": (lambda ca: served(ca, "localhost", YESTERDAY), "certificate has expired"),
    "unknown authority": (lambda _: served(trustme.CA(), "localhost"), "unable to get local issuer certificate"),
}
SERVERS: dict[str, Callable[[ssl.SSLContext], AbstractContextManager[receivers.Webhook | Mailboxes]]] = {
    "https": receivers.webhook,
    "starttls": receivers.smtp,
    "smtps": lambda context: receivers.smtp(context, implicit=True),
}


@pytest.mark.parametrize("server", SERVERS)
@pytest.mark.parametrize("wrong", WRONG)
def test_a_certificate_that_is_wrong_is_refused_in_one_clear_line(
    story: Story, trusted: trustme.CA, wrong: str, server: str
) -> None:
    make, why = WRONG[wrong]
    with SERVERS[server](make(trusted)) as kept:
        new = letter(kept) if isinstance(kept, Mailboxes) else NewHook("h", "webhook", kept.url)
        error = told_of_one(story, new)
        assert not (kept.letters if isinstance(kept, Mailboxes) else kept.requests)
        pinged = heartbeat.ping(kept.url) if server == "https" else None
    assert error is not None
    assert error.startswith("localhost: its certificate was refused: ")
    assert why in error
    assert not {"_ssl.c", "SSL:", "\n"} & {error[i : i + n] for n in (1, 4, 6) for i in range(len(error))}
    assert pinged is None or why in pinged
    found = [one.what for one in doctor.examine(story.house.connection, story.now, story.house.zone)]
    assert any("h " in what and "1 event not told" in what and why in what for what in found), found
    hook = hooks.find(story.house.connection, "h")
    assert hook.next_try_at is not None
    assert (hook.next_try_at > time.stored(story.now), hook.failures) == (True, 1)


def test_a_letter_never_leaves_the_machine_in_the_clear(story: Story) -> None:
    with receivers.smtp(host="127.0.0.2") as post:  # for the program another machine
        error = told_of_one(story, letter(post))
    assert error == (
        "127.0.0.2 offers no STARTTLS, and a letter is not sent in the clear; is it smtps://, or another port?"
    )
    assert post.letters == []


def test_a_server_that_speaks_no_tls_is_said_to(story: Story, trusted: trustme.CA) -> None:
    with receivers.smtp() as post:
        post.url = post.url.replace("smtp:", "smtps:")
        assert told_of_one(story, letter(post)) == "127.0.0.1: it speaks no TLS on this port, or another version of it"


@pytest.mark.parametrize(
    ("answers", "said"),
    [
        ({"connect": "421 too busy"}, "127.0.0.1 answered 421"),
        ({"connect": "554 go away"}, "127.0.0.1 answered 554"),
        ({"MAIL": "550 who is that"}, "127.0.0.1 does not take letters from shop@example.com (550)"),
        ({"RCPT": "450 later"}, "127.0.0.1 does not take the letter now (450)"),
        ({"DATA": "452 full"}, "127.0.0.1 did not take the letter (452)"),
    ],
    ids=lambda value: "" if isinstance(value, str) else " ".join(value.values()),
)
def test_a_server_that_says_no_is_named_with_its_answer(story: Story, answers: dict[str, str], said: str) -> None:
    with receivers.smtp() as post:
        post.answers = answers
        assert told_of_one(story, letter(post)) == said
        post.answers = {}
        assert [outcome.sent for outcome in deliver.run(story.work, only="h")] == [1]


@pytest.mark.parametrize(
    ("password", "said"),
    [
        ("wrong", "127.0.0.1 does not accept the user or the password (535)"),
        (None, "the environment has no SALESCLI_HOOK_MAIL, the password of olena"),
    ],
)
def test_a_login_that_fails_is_said_without_the_password(
    story: Story, monkeypatch: pytest.MonkeyPatch, password: str | None, said: str
) -> None:
    if password:
        monkeypatch.setenv("SALESCLI_HOOK_MAIL", password)
    with receivers.smtp() as post:
        post.passwords = {"olena": "right"}
        assert told_of_one(story, letter(post, "olena", "SALESCLI_HOOK_MAIL")) == said


def test_a_server_without_logins_is_said_to(story: Story, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SALESCLI_HOOK_MAIL", "x")
    with receivers.smtp() as post:
        error = told_of_one(story, letter(post, "olena", "SALESCLI_HOOK_MAIL"))
    assert error == "127.0.0.1 offers no login here; leave USER@ out, or use STARTTLS or smtps://"


@pytest.fixture
def silent() -> Iterator[int]:
    """The port of a server that takes calls and says nothing."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


@pytest.mark.parametrize("url", ["https://127.0.0.1:{}/", "smtp://127.0.0.1:{}", "smtps://127.0.0.1:{}"])
def test_a_server_that_says_nothing_keeps_no_charge_waiting(story: Story, silent: int, url: str) -> None:
    story.house.offer("49.00", number="8", name="Club", every="1 month")
    story.subscribed("8")
    target = url.format(silent)
    new = NewHook("h", "webhook", target)
    if not url.startswith("https"):
        new = NewHook("h", "email", "me@example.com", via=target, mail_from=SHOP, events="all")
    hooks.add(story.work, new)
    story.at("2026-03-05 10:00").tick()
    assert story.house.count("recurring", "payments_made = 2") == 1
    (outcome,) = deliver.run(story.work, delivery_seconds=1)
    assert "127.0.0.1" in str(outcome.error) or "no answer within 1 s" in str(outcome.error)
    assert deliver.run(story.work) == []  # it pauses
