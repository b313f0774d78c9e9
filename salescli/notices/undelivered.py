"""Why an event was not delivered."""

from __future__ import annotations

import http.client
import ssl


class Undelivered(Exception):
    """It is tried again later, and what follows it waits."""


class Refused(Exception):
    """It can never be delivered, so what follows it does not wait."""


def why(error: OSError | http.client.HTTPException) -> str:
    """Return in words for a person why no connection with a server came about or lasted."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"its certificate was refused: {error.verify_message.rstrip('.')}"
    if isinstance(error, ssl.SSLError):
        return "it speaks no TLS on this port, or another version of it"
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    return str(error) or type(error).__name__
