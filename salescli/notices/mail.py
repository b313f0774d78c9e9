"""A letter by sendmail, or by SMTP over TLS. The same event has the same Message-ID, whenever it is sent."""

from __future__ import annotations

import os
import shutil
import smtplib
import ssl
from email.message import EmailMessage
from email.utils import formatdate
from urllib.parse import SplitResult, unquote

from salescli.gateways import program
from salescli.notices import hooks
from salescli.notices.hooks import Hook
from salescli.notices.letters import Letter
from salescli.notices.undelivered import Refused, Undelivered, why

_SENDMAIL = "/usr/sbin/sendmail"
_PORTS = {"smtp": 587, "smtps": 465}


def message(hook: Hook, to: str, letter: Letter, number: str) -> EmailMessage:
    """Return a letter with its headers. Raise Refused for an address that no header can hold."""
    if not hooks.ADDRESS.fullmatch(to):
        raise Refused("this address cannot be written to")
    made = EmailMessage()
    try:
        made["From"], made["To"] = hook.mail_from, to
        # What looks like an encoded word is decoded in a header, line ends included, and would begin another.
        made["Subject"] = letter.subject.replace("=?", "= ?")
    except ValueError:
        raise Refused("the address cannot be written into a letter") from None
    made["Message-ID"] = f"<{number}@salescli>"
    made["Date"] = formatdate()
    made["Auto-Submitted"] = "auto-generated"  # so that no absence notice answers
    made.set_content(letter.body)
    return made


def send(hook: Hook, made: EmailMessage, seconds: float) -> None:
    """Send a letter. Raise Undelivered, or Refused where the server will never take it."""
    if hook.via == "sendmail":
        _by_sendmail(made, seconds)
    else:
        _by_smtp(hook, made, seconds)


def _by_sendmail(made: EmailMessage, seconds: float) -> None:
    path = shutil.which("sendmail") or _SENDMAIL
    try:
        program.run([path, "-i", "-t"], made.as_bytes(), program.limited_environment(()), seconds, None)
    except (program.NotStarted, program.NoAnswer) as error:
        raise Undelivered(f"{path} {error}") from None


def _by_smtp(hook: Hook, made: EmailMessage, seconds: float) -> None:
    parts = hooks.server(hook.via or "")
    host = parts.hostname or ""
    password = _password(hook, parts)
    context = ssl.create_default_context()
    port = parts.port or _PORTS[parts.scheme]
    try:
        with (
            smtplib.SMTP_SSL(host, port, timeout=seconds, context=context)
            if parts.scheme == "smtps"
            else smtplib.SMTP(host, port, timeout=seconds)
        ) as server:
            server.ehlo()
            if parts.scheme == "smtp" and (server.has_extn("starttls") or not hooks.is_loopback(host)):
                _encrypt(server, host, context)
            if parts.username:
                _log_in(server, host, unquote(parts.username), password)
            server.send_message(made)
    except smtplib.SMTPException as error:
        raise _refusal(hook, host, error) from None
    except OSError as error:
        raise Undelivered(f"{host}: {why(error)}") from None


def _password(hook: Hook, parts: SplitResult) -> str:
    """Return the password of a server's user, empty without one. Raise Undelivered where it is not set here."""
    password = os.environ.get(hook.secret or "", "")
    if parts.username and not password:
        raise Undelivered(f"the environment has no {hook.secret}, the password of {unquote(parts.username)}")
    return password


def _encrypt(server: smtplib.SMTP, host: str, context: ssl.SSLContext) -> None:
    if not server.has_extn("starttls"):
        raise Undelivered(
            f"{host} offers no STARTTLS, and a letter is not sent in the clear; is it smtps://, or another port?"
        )
    server.starttls(context=context)
    server.ehlo()


def _log_in(server: smtplib.SMTP, host: str, user: str, password: str) -> None:
    try:
        server.login(user, password)
    except smtplib.SMTPNotSupportedError:
        raise Undelivered(f"{host} offers no login here; leave USER@ out, or use STARTTLS or smtps://") from None


def _refusal(hook: Hook, host: str, error: smtplib.SMTPException) -> Undelivered | Refused:
    """Return what a server's answer means: its number alone, since its words may name somebody."""
    if isinstance(error, smtplib.SMTPRecipientsRefused):
        codes = [code for code, _ in error.recipients.values()]
        if all(500 <= code < 600 for code in codes):
            return _never(hook)(f"{host} does not take letters to this address ({codes[0]})")
        return Undelivered(f"{host} does not take the letter now ({codes[0]})")
    if isinstance(error, smtplib.SMTPAuthenticationError):
        return Undelivered(f"{host} does not accept the user or the password ({error.smtp_code})")
    if isinstance(error, smtplib.SMTPSenderRefused):
        return Undelivered(f"{host} does not take letters from {hook.mail_from} ({error.smtp_code})")
    if isinstance(error, smtplib.SMTPDataError):
        refused = _never(hook) if 500 <= error.smtp_code < 600 else Undelivered
        return refused(f"{host} did not take the letter ({error.smtp_code})")
    if isinstance(error, smtplib.SMTPResponseException):
        return Undelivered(f"{host} answered {error.smtp_code}")
    if isinstance(error, smtplib.SMTPServerDisconnected):
        return Undelivered(f"{host} ended the connection")
    return Undelivered(f"{host}: {type(error).__name__}")


def _never(hook: Hook) -> type[Undelivered] | type[Refused]:
    """Return what a refusal for good means: one customer's holds up no other's; the seller's own address is wrong."""
    return Refused if hook.target == hooks.CUSTOMER else Undelivered
