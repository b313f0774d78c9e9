"""Orders, payments, recurring orders and sales reports of a small team, in one SQLite file.

The rooms, highest first: ``cli``; ``overview``, ``reconcile``; ``imports``, ``reports``, ``charging``; ``sales``,
``lists``; ``catalogue``; ``gateways``; ``storage``; ``rules``. A room uses only the rooms below it.
"""

import sys


def _choose_sqlite() -> None:
    """Let the SQLite of the extra ``wal`` stand for the system's, before any module imports it.

    Its write-ahead log is safe (storage/database), so readers and a replica never wait for a writer.
    """
    try:
        import pysqlite3
    except ImportError:
        return
    if pysqlite3.sqlite_version_info >= (3, 51, 3):
        sys.modules["sqlite3"] = pysqlite3
        sys.modules["sqlite3.dbapi2"] = pysqlite3.dbapi2


_choose_sqlite()

__version__ = "0.2.0.dev0"
