"""Hooks: who is told what happens, how, and how far each was told.

They stand in the database, not in a configuration file: tick runs from cron under the account that owns the file, often
another than the seller's, and each event must be told once, whoever runs ``notify``. So that a copied database starts
nothing that its new owner did not install, a program is named as a gateway is: ``salescli-hook-NAME`` on PATH. Secrets
are named, as variables of the environment, and never stored.
"""

from __future__ import annotations

import re
from dataclasses import asdict, dataclass, fields
from datetime import datetime, timedelta
from datetime import time as clock_time
from typing import Any
from urllib.parse import SplitResult, urlsplit
from zoneinfo import ZoneInfo

from salescli.errors import BadData, BadUsage, NotFound
from salescli.lists.columns import Column
from salescli.notices import events
from salescli.notices.letters import LANGUAGES
from salescli.rules import permissions, suggest, text, time
from salescli.storage import database, engine, history
from salescli.storage.work import Work

CUSTOMER = "customer"  # instead of an address: the customer that the event is about
ALL, PROBLEMS, FIRST_DECLINE = "all", "problems", "first-decline"
WORDS = (ALL, PROBLEMS, FIRST_DECLINE, *events.KINDS)
# What the seller must know today, or money is lost. Of a recurring order's declines only the first of a payment.
_PROBLEMS = frozenset(
    {
        "recurring.failed",
        "payment.unknown",
        "refund.failed",
        "dispute.opened",
        "dispute.lost",
        "tick.dead",
        "card.expires",
    }
)
LETTERS_TO_CUSTOMERS = ("attempt.scheduled", "card.expires", "recurring.failed", "recurring.completed", "payment.paid")
DIGEST_HOUR = 7
_BACKOFF_MAX_MINUTES = 60
_DAY_MAX = timedelta(hours=26)  # from a digest to the next, also when clocks change
_LOOPBACK = ("localhost", "127.0.0.1", "::1")
_PROGRAM = re.compile(r"[a-z0-9][a-z0-9-]*")
_VARIABLE = re.compile(r"SALESCLI_HOOK_[A-Za-z0-9_]+")  # no other: the keys of gateways stay where they are
# No quotes, lists, groups or encoded words: a header would take them for something else than one address.
ADDRESS = re.compile(r"(?!.*=\?)[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]{1,64}@[A-Za-z0-9.-]{1,255}")

COLUMNS = (
    Column("name", rank=0),
    Column("sender", rank=0),
    Column("target", rank=0),
    Column("events", rank=1),
    Column("daily", "yesno", rank=3),
    Column("language", rank=4),
    Column("active", "yesno", rank=1),
    Column("position", "number", rank=3),
    Column("refused", "count", rank=3),
    Column("failures", "count", rank=2),
    Column("next_try_at", "time", rank=3),
    Column("last_error", shown=False),
)


@dataclass(frozen=True, slots=True)
class Hook:
    """A row of ``hooks``. ``position``: the number of the last event that it was told, or that was not for it."""

    id: int
    name: str
    sender: str
    target: str
    via: str | None
    mail_from: str | None
    secret: str | None
    environment: str
    events: str
    language: str
    daily: int
    active: int
    position: int
    refused: int
    refused_in_a_row: int
    failures: int
    failing_since: int | None
    next_try_at: int | None
    last_error: str | None

    def wants(self, event: dict[str, Any]) -> bool:
        """Return whether it is told of an event."""
        wanted = self.events.split()
        if self.target == CUSTOMER and not event["email"]:
            return False
        return (
            ALL in wanted
            or event["kind"] in wanted
            or (FIRST_DECLINE in wanted and events.is_first_decline(event))
            or (PROBLEMS in wanted and _is_problem(event))
        )


@dataclass(frozen=True, slots=True)
class NewHook:
    """What a hook is added with, as people write it."""

    name: str
    sender: str
    target: str
    via: str | None = None
    mail_from: str | None = None
    secret: str | None = None
    environment: str = ""
    events: str = ""
    language: str = "en"
    daily: bool = False


def _is_problem(event: dict[str, Any]) -> bool:
    one_off = event["kind"] == "payment.declined" and event["recurring"] is None
    return event["kind"] in _PROBLEMS or one_off or events.is_first_decline(event)


_COLUMNS = ", ".join(field.name for field in fields(Hook))


def anybody(connection: engine.Connection) -> bool:
    """Return whether there is anybody to tell."""
    return connection.execute("SELECT 1 FROM hooks WHERE active = 1").fetchone() is not None


def every(connection: engine.Connection) -> list[Hook]:
    """Return all hooks, first added first."""
    return [Hook(**dict(row)) for row in connection.execute(f"SELECT {_COLUMNS} FROM hooks ORDER BY id")]


def row(hook: Hook) -> dict[str, Any]:
    """Return a hook in the shape of COLUMNS; of a webhook's URL only the server."""
    shown_only = {"target": shown(hook.sender, hook.target)}
    return {column.key: getattr(hook, column.key) for column in COLUMNS} | shown_only


def find(connection: engine.Connection, name: str) -> Hook:
    """Return the hook of this name. Raise NotFound."""
    known = {hook.name: hook for hook in every(connection)}
    if name not in known:
        raise NotFound(f"there is no hook {name!r}{suggest.did_you_mean(name, known)}; see salescli hooks list")
    return known[name]


def ready(connection: engine.Connection, now: datetime) -> list[Hook]:
    """Return the active hooks that may be tried now; those that fail come last, so that they hold nobody up.

    A pause that would end later than any pause lasts was begun by a clock that was wrong.
    """
    found = [hook for hook in every(connection) if hook.active and not _pauses(hook, now)]
    return sorted(found, key=lambda hook: (hook.failures, hook.id))


def _pauses(hook: Hook, now: datetime) -> bool:
    longest = _DAY_MAX if hook.daily else timedelta(minutes=_BACKOFF_MAX_MINUTES)
    return hook.next_try_at is not None and time.stored(now) < hook.next_try_at <= time.stored(now + longest)


def add(work: Work, new: NewHook) -> Hook:
    """Add a hook, which is told what happens from now on. Raise BadData, NotPermitted."""
    work.actor.require(permissions.MANAGE_USERS)
    values = _checked(new)
    with database.transaction(work.connection):
        if any(hook.name == new.name for hook in every(work.connection)):
            raise BadData(f"there is a hook {new.name} already; choose another name, or remove it first")
        if new.daily:
            values["next_try_at"] = time.stored(next_digest(work.written_at, work.zone))
        created = {"created_at": time.stored(work.now)}
        history.record(work, "file", None, f"hook {new.name} added", {"target": (None, shown(new.sender, new.target))})
        database.insert(work.connection, "hooks", {**values, **created, "position": events.last(work.connection)})
    return find(work.connection, new.name)


def remove(work: Work, name: str) -> None:
    """Remove a hook. Raise NotFound, NotPermitted."""
    work.actor.require(permissions.MANAGE_USERS)
    with database.transaction(work.connection):
        hook = find(work.connection, name)
        work.connection.execute("DELETE FROM hooks WHERE id = ?", (hook.id,))
        history.record(work, "file", None, f"hook {name} removed")


def edit(work: Work, name: str, *, active: bool | None, events_: str | None, skip: bool) -> Hook:
    """Turn a hook off or on, change its events, or let it skip what it was not told. Raise NotFound, BadData."""
    work.actor.require(permissions.MANAGE_USERS)
    with database.transaction(work.connection):
        hook = find(work.connection, name)
        changes: dict[str, Any] = {} if active is None else {"active": int(active)}
        if events_ is not None:
            changes["events"] = _events(events_, hook.sender, hook.target)
        pairs = {column: (getattr(hook, column), value) for column, value in changes.items()}
        what = f"hook {name} edited" + (f": skips to event {events.last(work.connection)}" if skip else "")
        if skip:
            changes["position"] = events.last(work.connection)
        history.record(work, "file", None, what, pairs)
        due = {} if hook.daily else {"next_try_at": None}
        database.update(work.connection, "hooks", hook.id, changes | {"failures": 0, "failing_since": None} | due)
    return find(work.connection, name)


def told(connection: engine.Connection, hook: Hook, position: int, *, taken: bool = False) -> bool:
    """Record that a hook was told all events up to ``position``, and return whether to go on after it.

    ``taken``: that the receiver took the last one, so it refuses not everything. Not to go on: meanwhile somebody
    removed the hook, turned it off, or let it skip what is to come.
    """
    with database.transaction(connection):
        row = connection.execute(
            "UPDATE hooks SET position = max(position, :position), failures = 0, failing_since = NULL,"
            " refused_in_a_row = CASE WHEN :taken = 1 THEN 0 ELSE refused_in_a_row END,"
            " next_try_at = CASE daily WHEN 1 THEN next_try_at END WHERE id = :id RETURNING active, position",
            {"position": position, "taken": taken, "id": hook.id},
        ).fetchone()
    return row is not None and row["active"] == 1 and row["position"] == position


def refused(connection: engine.Connection, hook: Hook, position: int, error: str) -> bool:
    """Record that a letter was refused for good, as ``told`` does; ``error`` names no address."""
    with database.transaction(connection):
        connection.execute(
            "UPDATE hooks SET refused = refused + 1, refused_in_a_row = refused_in_a_row + 1, last_error = :error"
            " WHERE id = :id",
            {"error": text.masked(error)[:300], "id": hook.id},
        )
        return told(connection, hook, position)


def begin(connection: engine.Connection, hook: Hook) -> None:
    """Write the hook as it is: what cannot be noted afterwards, as on a full disk, would be sent at every run."""
    with database.transaction(connection):
        connection.execute("UPDATE hooks SET position = position WHERE id = ?", (hook.id,))


def failed(connection: engine.Connection, hook: Hook, error: str, now: datetime, *, again: bool = True) -> None:
    """Record that a hook was not told, and when it is tried again: after 1, 2, 4 … 60 minutes.

    ``again``: that it goes on failing; else it was told something in between.
    """
    failures = hook.failures if again else 0
    minutes = min(_BACKOFF_MAX_MINUTES, 2 ** min(failures, 6))
    with database.transaction(connection):
        if not _is_there(connection, hook):
            return
        changes = {
            "failures": failures + 1,
            "failing_since": hook.failing_since if again and hook.failing_since is not None else time.stored(now),
            "next_try_at": time.stored(now + timedelta(minutes=minutes)),
            "last_error": text.masked(error)[:300],
        }
        database.update(connection, "hooks", hook.id, changes)


def digest_sent(connection: engine.Connection, hook: Hook, now: datetime, zone: ZoneInfo) -> None:
    """Record when the next digest is due."""
    with database.transaction(connection):
        if _is_there(connection, hook):
            due = {"next_try_at": time.stored(next_digest(now, zone))}
            database.update(connection, "hooks", hook.id, due)


def _is_there(connection: engine.Connection, hook: Hook) -> bool:
    """Return whether nobody removed a hook while it was told."""
    return connection.execute("SELECT 1 FROM hooks WHERE id = ?", (hook.id,)).fetchone() is not None


def next_digest(now: datetime, zone: ZoneInfo) -> datetime:
    """Return the next morning at which a digest is due, in the account's zone."""
    today = time.local_day(now, zone)
    hour = clock_time(DIGEST_HOUR)  # by the clock on the wall: where clocks change, midnight is not 7 hours before
    mornings = (time.localize(datetime.combine(today + timedelta(days=n), hour), zone) for n in (0, 1))
    return next((morning for morning in mornings if morning > now), now + timedelta(days=1))


def server(via: str) -> SplitResult:
    """Return the parts of the URL of an SMTP server or a webhook. Raise BadData for a port that is none."""
    parts = urlsplit(via)
    try:
        _ = parts.port
    except ValueError:
        raise BadData(f"{via}: that is no port; write a number up to 65535") from None
    return parts


def shown(sender: str, target: str) -> str:
    """Return the target of a hook for people to see: of a webhook the server, as the rest is often secret."""
    if sender != "webhook":
        return target
    parts = server(target)
    return f"{parts.scheme}://{parts.netloc}/{'…' if parts.path.strip('/') or parts.query else ''}"


def check_url(option: str, url: str) -> None:
    """Raise BadUsage for a URL that cannot be called."""
    parts = server(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise BadUsage(f"{option} {url!r}: write a whole URL, such as https://hc.example.com/ping/ID")


def is_loopback(host: str | None) -> bool:
    """Return whether a host is this machine itself: then nobody is between."""
    return host in _LOOPBACK


def _checked(new: NewHook) -> dict[str, Any]:
    """Return the columns of a hook. Raise BadData."""
    if not _PROGRAM.fullmatch(new.name):
        raise BadData(f"a hook cannot be called {new.name!r}; a name has a-z, 0-9 and -")
    if new.language not in LANGUAGES:
        raise BadData(f"there are no letters in {new.language!r}; the languages are {', '.join(LANGUAGES)}")
    if new.daily and (new.sender != "email" or new.target == CUSTOMER):
        raise BadData("a daily digest goes by e-mail to an address; leave out --daily, or give --email ADDRESS")
    for name in (*new.environment.split(), *([new.secret] if new.secret else [])):
        if not _VARIABLE.fullmatch(name):
            raise BadData(f"{name!r}: write the name of a variable SALESCLI_HOOK_…, not the secret itself")
    {"program": _check_program, "webhook": _check_webhook, "email": _check_email}[new.sender](new)
    wanted = _events(ALL if new.daily and not new.events else new.events, new.sender, new.target)
    return asdict(new) | {"events": wanted, "daily": int(new.daily)}


def _check_program(new: NewHook) -> None:
    if not _PROGRAM.fullmatch(new.target):
        raise BadData(f"{new.target!r}: write NAME of a program salescli-hook-NAME on PATH: a-z, 0-9 and -")


def _check_webhook(new: NewHook) -> None:
    parts = server(new.target)
    if not parts.hostname or (parts.scheme != "https" and not (parts.scheme == "http" and is_loopback(parts.hostname))):
        raise BadData(f"{new.target}: a webhook needs a URL that begins with https://, so that nobody reads along")
    if parts.username or parts.password:
        raise BadData("a URL keeps no password: it would be stored; sign with --secret VARIABLE instead")


def _check_email(new: NewHook) -> None:
    if not new.mail_from:
        raise BadData("a letter needs a sender; add --from ADDRESS")
    for what, address in (("--email", new.target), ("--from", new.mail_from)):
        if not ADDRESS.fullmatch(address) and (what, address) != ("--email", CUSTOMER):
            raise BadData(f"{what} {address!r} is no e-mail address; write it like shop@example.com")
    if new.via == "sendmail":
        return
    parts = server(new.via or "")
    if parts.scheme not in ("smtp", "smtps") or not parts.hostname or parts.password:
        raise BadData(
            f"--via {new.via!r}: write sendmail, smtp://USER@HOST:587 (STARTTLS) or smtps://USER@HOST; the password"
            " is in the variable that --secret names"
        )
    if parts.username and not new.secret:
        raise BadData("a server with a user needs --secret VARIABLE, the name of the variable with its password")


def _events(given: str, sender: str, target: str) -> str:
    words = given.replace(",", " ").split()
    if target == CUSTOMER:
        if unknown := [word for word in words if word not in LETTERS_TO_CUSTOMERS]:
            raise BadData(f"customers get no letter of {unknown[0]}; they can of {', '.join(LETTERS_TO_CUSTOMERS)}")
        return " ".join(words or LETTERS_TO_CUSTOMERS)
    for word in words:
        if word not in WORDS:
            meant = suggest.did_you_mean(word, WORDS)
            raise BadData(f"there are no events {word!r}{meant}; there are {', '.join(WORDS)}")
    return " ".join(words) or (PROBLEMS if sender == "email" else ALL)
