"""One event to a program, a webhook or a mailbox. Nothing here touches the database."""

from __future__ import annotations

import hashlib
import hmac
import http.client
import json
import os
import shutil
import ssl
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from threading import Thread
from time import time as clock
from typing import Any
from zoneinfo import ZoneInfo

from salescli.errors import SalesError
from salescli.gateways import program
from salescli.notices import events, hooks, letters, mail
from salescli.notices.hooks import Hook
from salescli.notices.undelivered import Refused, Undelivered, why

SIGNATURE = "Salescli-Signature"  # t=SECONDS,v1=HMAC-SHA256 of "SECONDS.BODY", in hexadecimal


@dataclass(frozen=True, slots=True)
class Sending:
    """What senders need to know beside the hook: the database's own name, its templates, and the account's zone."""

    installation: str
    folder: Path
    zone: ZoneInfo
    now: datetime


def send(hook: Hook, batch: Sequence[Mapping[str, Any]], sending: Sending, seconds: float) -> None:
    """Send events, one unless it is a digest, within so many seconds. Raise Undelivered or Refused.

    In a thread, which is left behind at the deadline: a server may drip one byte a second, and name look-ups have no
    deadline of their own.
    """
    failed: list[Exception] = []
    thread = Thread(target=_caught, args=(failed, hook, batch, sending, seconds), daemon=True)
    thread.start()
    thread.join(seconds + 1)
    if thread.is_alive():
        raise Undelivered(f"no answer within {seconds:g} s")
    if failed:
        raise failed[0]


def _caught(
    failed: list[Exception], hook: Hook, batch: Sequence[Mapping[str, Any]], sending: Sending, seconds: float
) -> None:
    try:
        _SENDERS[hook.sender](hook, batch, sending, seconds)
    except (Undelivered, Refused) as error:
        failed.append(error)
    except SalesError as error:  # a template
        failed.append(Undelivered(str(error)))
    except Exception as error:  # no hook's failure is another's
        failed.append(Undelivered(f"{type(error).__name__}: {error}"))


def _to_program(hook: Hook, batch: Sequence[Mapping[str, Any]], sending: Sending, seconds: float) -> None:
    """Give the event to a program as JSON on its stdin. Its exit code 0 means that it has it."""
    name = f"salescli-hook-{hook.target}"
    path = shutil.which(name)
    if path is None:
        raise Undelivered(f"there is no program {name} on PATH")
    names = hook.environment.split()
    with program.kept_errors() as errors:
        try:
            program.run([path], _body(batch[0]), program.limited_environment(names), seconds, errors)
        except (program.NotStarted, program.NoAnswer) as error:
            said = program.last_lines(errors, [os.environ.get(variable, "") for variable in names])
            raise Undelivered(f"{name} {error}{f'; it said: {said}' if said else ''}") from None


def _to_webhook(hook: Hook, batch: Sequence[Mapping[str, Any]], sending: Sending, seconds: float) -> None:
    """POST the event as JSON, signed. An answer 2xx means that it is taken; redirects are not followed."""
    body, parts = _body(batch[0]), hooks.server(hook.target)
    headers = {
        "Content-Type": "application/json",
        "User-Agent": "salescli",
        "Salescli-Event": str(batch[0]["event"]),
        "Salescli-Installation": sending.installation,
    }
    if hook.secret:
        key = os.environ.get(hook.secret, "")
        if not key:
            raise Undelivered(f"the environment has no {hook.secret}, the key of the signature")
        headers[SIGNATURE] = signature(key, body, int(clock()))
    host = parts.hostname or ""
    connection = (
        http.client.HTTPSConnection(host, parts.port, timeout=seconds, context=ssl.create_default_context())
        if parts.scheme == "https"
        else http.client.HTTPConnection(host, parts.port, timeout=seconds)
    )
    try:
        connection.request("POST", f"{parts.path or '/'}{f'?{parts.query}' if parts.query else ''}", body, headers)
        status = connection.getresponse().status
    except (OSError, http.client.HTTPException) as error:
        raise Undelivered(f"{host}: {why(error)}") from None
    finally:
        connection.close()
    if not 200 <= status < 300:
        raise Undelivered(f"{host} answered {status}")


def signature(key: str, body: bytes, seconds: int) -> str:
    """Return the signature of a body, with the time of sending, so that a receiver can refuse an old one."""
    digest = hmac.new(key.encode(), f"{seconds}.".encode() + body, hashlib.sha256).hexdigest()
    return f"t={seconds},v1={digest}"


def _to_mailbox(hook: Hook, batch: Sequence[Mapping[str, Any]], sending: Sending, seconds: float) -> None:
    event = batch[-1]
    to = event["email"] if hook.target == hooks.CUSTOMER else hook.target
    if hook.daily:
        letter = letters.digest(batch, hook.language, sending.folder, sending.zone)
    elif hook.target == hooks.CUSTOMER:
        letter = letters.to_customer(event, hook.language, sending.folder, sending.zone)
    else:
        letter = letters.to_seller(event, hook.language, sending.folder, sending.zone)
    number = f"{hook.id}.{event['event']}.{sending.installation}"
    mail.send(hook, mail.message(hook, to, letter, number), seconds)


def _body(event: Mapping[str, Any]) -> bytes:
    return json.dumps(events.as_object(event), ensure_ascii=False).encode()


_SENDERS = {"program": _to_program, "webhook": _to_webhook, "email": _to_mailbox}
