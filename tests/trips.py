"""What a session sends to its server: one entry for each trip there and back."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any


@contextmanager
def trips(connection: Any) -> Iterator[list[str]]:
    """Gather the statements of a session, those that went together in one text."""
    from salescli.storage.postgres.driver import extensions  # tests of files do without

    sent: list[str] = []

    class Counted(extensions.cursor):  # type: ignore[misc]  # of a driver without types
        def execute(self, sql: Any, values: Any = None) -> None:
            sent.append(sql if isinstance(sql, str) else bytes(sql).decode())
            super().execute(sql, values)

        def executemany(self, sql: Any, rows: Any) -> None:
            for row in rows:
                self.execute(sql, row)

    held = connection._held
    before, held.cursor_factory = held.cursor_factory, Counted
    try:
        yield sent
    finally:
        held.cursor_factory = before
