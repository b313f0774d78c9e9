"""Real receivers on loopback that keep what they got: a webhook and an SMTP server."""

from __future__ import annotations

import json
import socketserver
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email import message_from_bytes, policy
from email.message import EmailMessage
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any


@dataclass
class Webhook:
    """A server that answers ``status`` and keeps each request: its headers, its bytes, its object."""

    url: str = ""
    status: int = 204
    pings: int = 0
    requests: list[tuple[dict[str, str], bytes]] = field(default_factory=list)

    @property
    def events(self) -> list[dict[str, Any]]:
        """What it got, in order."""
        return [json.loads(body) for _, body in self.requests]


@contextmanager
def webhook() -> Iterator[Webhook]:
    """Run a webhook on a free port of this machine."""
    kept = Webhook()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            kept.requests.append((dict(self.headers), body))
            self.send_response(kept.status)
            self.end_headers()

        def do_GET(self) -> None:
            kept.pings += 1
            self.send_response(kept.status)
            self.end_headers()

        def log_message(self, format: str, *args: Any) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        kept.url = f"http://127.0.0.1:{server.server_address[1]}/in?x=1"
        Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        yield kept
        server.shutdown()


@dataclass
class Mailboxes:
    """An SMTP server that keeps its letters; it refuses the addresses of ``unknown`` for good."""

    url: str = ""
    unknown: set[str] = field(default_factory=set)
    broken: bool = False
    letters: list[tuple[str, EmailMessage]] = field(default_factory=list)


@contextmanager
def smtp() -> Iterator[Mailboxes]:
    """Run an SMTP server on a free port of this machine."""
    kept = Mailboxes()

    class Handler(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            self._say(b"220 loopback")
            to = ""
            while line := self.rfile.readline():
                verb = line[:4].upper()
                if verb in (b"EHLO", b"HELO"):
                    self._say(b"250-loopback\r\n250 8BITMIME")
                elif verb == b"RCPT":
                    to = line.decode().partition("<")[2].partition(">")[0]
                    self._say(b"550 no such user " + to.encode() if to in kept.unknown else b"250 ok")
                elif verb == b"DATA":
                    self._say(b"354 go on")
                    letter = b"".join(iter(self.rfile.readline, b".\r\n"))
                    if kept.broken:
                        self._say(b"451 try again")
                        continue
                    read = message_from_bytes(letter, policy=policy.default)
                    kept.letters.append((to, read))
                    self._say(b"250 kept")
                elif verb == b"QUIT":
                    self._say(b"221 bye")
                    return
                else:
                    self._say(b"250 ok")

        def _say(self, line: bytes) -> None:
            self.wfile.write(line + b"\r\n")

    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Handler) as server:
        server.daemon_threads = True
        kept.url = f"smtp://127.0.0.1:{server.server_address[1]}"
        Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        yield kept
        server.shutdown()
