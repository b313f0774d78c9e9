"""A sign of life after each good tick, and how a monitor elsewhere reads it.

A scheduler that died cannot say so. So somebody else must miss its sign: a dead man's switch that is called by URL, or
another machine that reads a small file, which any program may carry there.
"""

from __future__ import annotations

import http.client
import json
import os
import ssl
import tempfile
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from threading import Thread
from typing import IO

from salescli.charging import tick_log
from salescli.errors import BadData, DamagedValue
from salescli.notices import hooks
from salescli.notices.undelivered import why
from salescli.rules import happened, time

_PING_SECONDS = 10


def ping(url: str) -> str | None:
    """Call a URL, and return what went wrong, None if it answered. Never longer than ten seconds."""
    said: list[str] = []
    thread = Thread(target=lambda: said.append(_called(url)), daemon=True)
    thread.start()
    thread.join(_PING_SECONDS + 1)
    wrong = said[0] if said else f"no answer within {_PING_SECONDS} s"
    return f"ping of {hooks.server(url).hostname}: {wrong}" if wrong else None  # the rest of a URL is often secret


def _called(url: str) -> str:
    parts = hooks.server(url)
    host = parts.hostname or ""
    connection = (
        http.client.HTTPSConnection(host, parts.port, timeout=_PING_SECONDS, context=ssl.create_default_context())
        if parts.scheme == "https"
        else http.client.HTTPConnection(host, parts.port, timeout=_PING_SECONDS)
    )
    try:
        connection.request("GET", f"{parts.path or '/'}{f'?{parts.query}' if parts.query else ''}")
        status = connection.getresponse().status
    except (OSError, http.client.HTTPException) as error:
        return why(error)
    finally:
        connection.close()
    return "" if 200 <= status < 400 else f"it answered {status}"


def write(path: Path, installation: str, now: datetime) -> None:
    """Write the sign of life in one step: a reader sees the old one or the new one. Raise BadData."""
    sign = {"salescli": installation, "last_good_tick": time.utc_text(now)}
    try:
        handle, draft = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
        try:
            with os.fdopen(handle, "w") as file:
                file.write(f"{json.dumps(sign)}\n")
            Path(draft).chmod(0o644)
            Path(draft).replace(path)
        except OSError:
            with suppress(OSError):
                Path(draft).unlink()
            raise
    except OSError as error:
        raise BadData(f"{path}: {error.strerror or error}; tick's sign of life was not written") from None


def late(file: IO[str], name: str, now: datetime) -> str | None:
    """Return what is wrong with a sign of life, None if its tick is fresh. Raise BadData for another file."""
    try:
        sign = json.loads(file.read(4096))
        moment = time.from_text(sign["last_good_tick"])
    except (ValueError, KeyError, TypeError, DamagedValue):
        raise BadData(f"{name} is no sign of life of tick; see salescli tick --heartbeat") from None
    if happened.is_future(moment, now):
        return f"the last good tick is from {sign['last_good_tick']}, which is yet to come: is a clock wrong?"
    if now - moment <= tick_log.OVERDUE:
        return None
    return f"no good tick since {sign['last_good_tick']} ({tick_log.how_long(now - moment)} ago)"
