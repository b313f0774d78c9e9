"""What can go wrong, one class per thing the user would do differently; the exit code stands on the class."""

from __future__ import annotations


class SalesError(Exception):
    """A failure with a message for a person: what, why, what now. Exit code 1."""

    exit_code = 1


class BadUsage(SalesError):
    """The call itself is wrong: options that exclude each other, a question without a terminal."""

    exit_code = 2


class NotFound(SalesError):
    """No such record, or the words given fit more than one."""

    exit_code = 3


class SeveralFit(NotFound):
    """The words fit more than one record, of these ids: it is never guessed which is meant."""

    def __init__(self, message: str, ids: tuple[int, ...] = ()) -> None:
        super().__init__(message)
        self.ids = ids


class NotPermitted(SalesError):
    """The acting user lacks the permission (R40, R56)."""

    exit_code = 4


class WrongStatus(SalesError):
    """The record is in a status that does not allow the operation."""

    exit_code = 5


class BadData(SalesError):
    """A value that cannot be taken in: an amount, a date, a currency, a row of a file."""

    exit_code = 6


class DatabaseUnusable(SalesError):
    """The file is missing, foreign, newer, corrupt, read-only, busy or the disk is full."""

    exit_code = 7


class OlderVersion(DatabaseUnusable):
    """The file is of an older version; ``salescli upgrade`` brings it to this one."""

    def __init__(self, path: object, version: int, needed: int, program: str = "salescli") -> None:
        super().__init__(f"{path} is of version {version}, this salescli needs {needed}: run `{program} upgrade`")
        self._about = (path, version, needed)

    def naming(self, program: str) -> OlderVersion:
        """Return the error with ``program`` as the words by which the file is named: ``salescli --db FILE``."""
        return OlderVersion(*self._about, program)


class AlreadyRunning(SalesError):
    """Another run holds the lock; nothing else exits with 75."""

    exit_code = 75
