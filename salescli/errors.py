"""Errors: one class for each thing that the user would do differently, with its exit code."""

from __future__ import annotations


class SalesError(Exception):
    """A failure, with a message that says what went wrong, why, and what to do. Exit code 1."""

    exit_code = 1


class BadUsage(SalesError):
    """The command was called wrongly: options exclude each other, or a question needs a terminal."""

    exit_code = 2


class NotFound(SalesError):
    """No record matches, or several do."""

    exit_code = 3


class SeveralFit(NotFound):
    """Several records match, with these ids; the program never guesses between them."""

    def __init__(self, message: str, ids: tuple[int, ...] = ()) -> None:
        super().__init__(message)
        self.ids = ids


class NotPermitted(SalesError):
    """The acting user lacks the permission (R40, R56)."""

    exit_code = 4


class WrongStatus(SalesError):
    """The record's status does not allow the operation."""

    exit_code = 5


class BadData(SalesError):
    """A value is invalid: an amount, a date, a currency, or a row of an imported file."""

    exit_code = 6


class DatabaseUnusable(SalesError):
    """The database is missing, foreign, newer, corrupt, read-only or busy, or the disk is full."""

    exit_code = 7


class DamagedValue(DatabaseUnusable):
    """A stored value that this program never writes."""

    def __init__(self, value: object, what: str) -> None:
        super().__init__(
            f"the database is damaged: {value!r} is stored as {what}; run `salescli doctor`, or restore the latest"
            " backup"
        )


class OlderVersion(DatabaseUnusable):
    """The database is of an older version; ``salescli upgrade`` upgrades it."""

    def __init__(self, path: object, version: int, needed: int, program: str = "salescli") -> None:
        super().__init__(f"{path} has version {version}, this salescli needs {needed}; run: {program} upgrade")
        self._about = (path, version, needed)

    def naming(self, program: str) -> OlderVersion:
        """Return this error with ``program``, such as ``salescli --db FILE``, in the suggested command."""
        return OlderVersion(*self._about, program)


class AlreadyRunning(SalesError):
    """Another run holds the lock. The only error with exit code 75."""

    exit_code = 75
