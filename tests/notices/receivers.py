"""Real receivers on loopback that keep what they got: a webhook and an SMTP server."""

from __future__ import annotations

import base64
import json
import socketserver
import ssl
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
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
def webhook(tls: ssl.SSLContext | None = None) -> Iterator[Webhook]:
    """Run a webhook on a free port of this machine, by HTTPS where it is given its certificate."""
    kept = Webhook()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            kept.requests.append((dict(self.headers), body))
            with suppress(ConnectionError):  # who is killed does not read the answer
                self.send_response(kept.status)
                self.end_headers()

        def do_GET(self) -> None:
            kept.pings += 1
            self.send_response(kept.status)
            self.end_headers()

        def log_message(self, format: str, *args: Any) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        address = f"127.0.0.1:{server.server_address[1]}"
        if tls:
            server.socket = tls.wrap_socket(server.socket, server_side=True)
            address = address.replace("127.0.0.1", "localhost")
        kept.url = f"{'https' if tls else 'http'}://{address}/in?x=1"
        Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        yield kept
        server.shutdown()


@dataclass
class Mailboxes:
    """An SMTP server that keeps its letters; it refuses the addresses of ``unknown`` for good.

    ``answers``: what it says to a verb instead; ``passwords``: of its users, who then must log in.
    """

    url: str = ""
    unknown: set[str] = field(default_factory=set)
    broken: bool = False
    answers: dict[str, str] = field(default_factory=dict)
    passwords: dict[str, str] = field(default_factory=dict)
    encrypted: list[bool] = field(default_factory=list)
    letters: list[tuple[str, EmailMessage]] = field(default_factory=list)


@contextmanager
def smtp(tls: ssl.SSLContext | None = None, *, implicit: bool = False, host: str = "127.0.0.1") -> Iterator[Mailboxes]:
    """Run an SMTP server on a free port of this machine. With its certificate: STARTTLS, or TLS from the beginning."""
    with _PostOffice(host, tls, implicit=implicit) as server:
        Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        yield server.kept
        server.shutdown()


class _PostOffice(socketserver.ThreadingTCPServer):
    daemon_threads = True

    def __init__(self, host: str, tls: ssl.SSLContext | None, *, implicit: bool) -> None:
        super().__init__((host, 0), _Counter)
        self.tls = tls
        if tls and implicit:
            self.socket = tls.wrap_socket(self.socket, server_side=True)
        name = "localhost" if tls else host
        self.kept = Mailboxes(f"{'smtps' if implicit else 'smtp'}://{name}:{self.server_address[1]}")


class _Counter(socketserver.StreamRequestHandler):
    """One conversation with who brings letters."""

    server: _PostOffice

    def handle(self) -> None:
        self.kept, self.user, self.to = self.server.kept, "", ""
        self.encrypted = isinstance(self.request, ssl.SSLSocket)
        with suppress(ConnectionError, ssl.SSLError):  # who is killed says no goodbye
            self._say(self.kept.answers.get("connect", "220 loopback"))
            while (line := self.rfile.readline()) and self._answer(line.decode().rstrip()):
                pass

    def finish(self) -> None:
        with suppress(ConnectionError, ssl.SSLError):
            super().finish()
        self.connection.close()

    def _answer(self, line: str) -> bool:
        """Answer a line, and return whether another may come."""
        verb = line[:4].upper()
        answers: dict[str, Callable[[str], None]] = {
            "EHLO": self._offer,
            "HELO": self._offer,
            "STAR": self._encrypt,
            "AUTH": self._log_in,
            "MAIL": self._begin,
            "RCPT": self._address,
            "DATA": self._keep,
        }
        if verb in self.kept.answers:
            self._say(self.kept.answers[verb])
        elif verb in answers:
            answers[verb](line)
        else:
            self._say("221 bye" if verb == "QUIT" else "250 ok")
        return verb != "QUIT"

    def _offer(self, _: str) -> None:
        offered = ["STARTTLS"] * bool(self.server.tls and not self.encrypted)
        offered += ["AUTH PLAIN"] * bool(self.kept.passwords)
        self._say("\r\n".join(["250-loopback", *(f"250-{one}" for one in offered), "250 8BITMIME"]))

    def _encrypt(self, _: str) -> None:
        assert self.server.tls
        self._say("220 go on")
        self.connection = self.server.tls.wrap_socket(self.connection, server_side=True)
        self.rfile, self.wfile = self.connection.makefile("rb"), self.connection.makefile("wb", 0)
        self.encrypted = True

    def _log_in(self, line: str) -> None:
        _, user, password = base64.b64decode(line.split()[-1]).decode().split("\0")
        self.user = user if self.kept.passwords.get(user) == password else ""
        self._say("235 welcome" if self.user else "535 no")

    def _begin(self, _: str) -> None:
        self._say("530 log in first" if self.kept.passwords and not self.user else "250 ok")

    def _address(self, line: str) -> None:
        self.to = line.partition("<")[2].partition(">")[0]
        self._say(f"550 no such user {self.to}" if self.to in self.kept.unknown else "250 ok")

    def _keep(self, _: str) -> None:
        self._say("354 go on")
        letter = b"".join(iter(self.rfile.readline, b".\r\n"))
        if self.kept.broken:
            self._say("451 try again")
            return
        self.kept.letters.append((self.to, message_from_bytes(letter, policy=policy.default)))
        self.kept.encrypted.append(self.encrypted)
        self._say("250 kept")

    def _say(self, line: str) -> None:
        self.wfile.write(f"{line}\r\n".encode())
