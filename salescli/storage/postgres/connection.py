"""A connection to a server that is used as one to a file: the same calls, rows, parameters and errors.

URL -> ``connect`` (no password in it; the shop's schema) -> ``execute`` (translated once) -> rows by name and place
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import datetime, timezone
from itertools import islice
from typing import Any, cast

from salescli.errors import BadData, BadUsage, DatabaseUnusable
from salescli.storage.postgres import guards, numbers, schema
from salescli.storage.postgres.cursor import IN_SHOP, ROWS_AT_ONCE, SHOP, TYPES, Cursor, errors_by_our_names
from salescli.storage.postgres.driver import extensions, psycopg2
from salescli.storage.schema import VERSION

WAIT_SECONDS = 30
# A machine or line that dies without a word is noticed within a minute, not after the two hours of most systems: until
# then who works on the one side waits, and at the server the writer's lock is held.
_IDLE_SECONDS, _INTERVAL_SECONDS, _PROBES = 30, 10, 3
_ALIVE = {
    "keepalives_idle": _IDLE_SECONDS,
    "keepalives_interval": _INTERVAL_SECONDS,
    "keepalives_count": _PROBES,
    "tcp_user_timeout": (_IDLE_SECONDS + _INTERVAL_SECONDS * _PROBES) * 1000,
}
_NOTICE_DEATH = "".join(
    f" SET LOCAL {name if name.startswith('tcp') else f'tcp_{name}'} = {value};" for name, value in _ALIVE.items()
)
_OLDEST = 180_000  # casefold(), by which names are compared as in a file
_NOTHING_SENT = "fe_sendauth: no password supplied"
_WRITE_IT = (
    "it wants a password, and none is known here; write the line host:port:database:user:password to ~/.pgpass, a file"
    " of mode 0600"
)
_PLACE = (
    "SELECT system_identifier::text || ':' || CASE WHEN pg_is_in_recovery() THEN 'follows'"
    " ELSE left(pg_walfile_name(pg_current_wal_insert_lsn()), 8) END || ':' || current_database() || ':'"
    " || n.oid FROM pg_control_system(), pg_namespace n WHERE nspname = ?"
)
_SURENESS = (
    "SELECT current_setting('synchronous_commit'), current_setting('synchronous_standby_names'), count(*)"
    " FROM pg_stat_replication"
)
_HELD = (
    "SELECT relname FROM pg_class WHERE relnamespace = to_regnamespace(?) UNION SELECT tgname FROM pg_trigger t"
    " JOIN pg_class c ON c.oid = t.tgrelid WHERE c.relnamespace = to_regnamespace(?) AND t.tgenabled = 'O'"
)
_ESCAPED = str.maketrans({"\\": r"\\", "\t": r"\t", "\n": r"\n", "\r": r"\r"})  # in a cell of COPY
_GROUPS = "SELECT roleid FROM pg_auth_members JOIN pg_roles r ON r.oid = member WHERE rolname = ? ORDER BY roleid"
_WITHOUT_RIGHTS = (
    "SELECT login, quote_ident(login) FROM users WHERE active = 1 AND login IS NOT NULL AND role IS NOT NULL"
    " AND NOT EXISTS (SELECT 1 FROM pg_roles WHERE rolname = login AND rolcanlogin"
    " AND has_schema_privilege(oid, ?, 'USAGE')) ORDER BY id"
)


class _Lines:
    """Rows as COPY reads them."""

    def __init__(self, rows: Iterable[tuple[Any, ...]]) -> None:
        self._lines = ("\t".join(map(_cell, row)) + "\n" for row in rows)

    def read(self, size: int) -> str:
        """Return some more lines, of any size; nothing at the end."""
        return "".join(islice(self._lines, ROWS_AT_ONCE))


def _cell(value: Any) -> str:
    if value is None:
        return r"\N"
    if isinstance(value, bytes):
        return rf"\\x{value.hex()}"
    return value.translate(_ESCAPED) if isinstance(value, str) else str(value)


class Connection:
    """What the program uses of sqlite3.Connection, on a server.

    BEGIN IMMEDIATE takes one writer's lock of the shop for the transaction: rows locked one by one met in deadlocks.
    """

    def __init__(self, held: Any, url: str) -> None:
        self._held, self.url = held, url
        self.wait_seconds = WAIT_SECONDS
        self._waiting = ""

    @property
    def in_transaction(self) -> bool:
        """Whether a transaction is open, be it a failed one; none is once the connection is lost."""
        return not self.is_lost and self._held.info.transaction_status != extensions.TRANSACTION_STATUS_IDLE

    @property
    def is_lost(self) -> bool:
        """Whether the server, or the line to it, ended the session: nothing more can be done in it."""
        return bool(self._held.closed)

    def waits(self, sql: str) -> None:
        """Let a statement of a transaction go with the next one, in one trip."""
        self._waiting += f"{sql}; "

    def before(self) -> str:
        """Return what goes before a statement: those that wait or, outside a transaction, where the shop is."""
        waiting, self._waiting = self._waiting, ""
        return waiting if self.in_transaction else IN_SHOP

    def send_waiting(self) -> None:
        """Send the statements that wait, where they cannot go with the next one."""
        if self._waiting:
            self._held.cursor().execute(self.before())

    def cursor(self) -> Cursor:
        """Return what executes statements."""
        with errors_by_our_names(self):
            return Cursor(self._held.cursor(), self)

    def execute(self, sql: str, values: Sequence[Any] | Mapping[str, Any] = ()) -> Cursor:
        """Execute a statement, as Cursor.execute does."""
        return self.cursor().execute(sql, values)

    def executemany(self, sql: str, rows: Iterable[Any]) -> Cursor:
        """Execute a statement for each of the rows, as Cursor.executemany does."""
        return self.cursor().executemany(sql, rows)

    def fetch_all(self, queries: Sequence[tuple[str, Sequence[Any]]]) -> list[list[Any]]:
        """Return the rows of several queries, as Cursor.fetch_all does."""
        return self.cursor().fetch_all(queries)

    def execute_all(self, statements: Sequence[tuple[str, Sequence[Any]]]) -> list[int]:
        """Execute statements, each for its rows, in one trip, and return how many rows each changed."""
        return self.cursor().execute_all(statements)

    def run(self, statements: Iterable[str]) -> None:
        """Execute statements that are PostgreSQL's own, which are not translated."""
        with errors_by_our_names(self), self._held.cursor() as cursor:
            self.send_waiting()
            for statement in statements:
                cursor.execute(statement)

    def begin(self, cursor: Any, first: str = "", *, writing: bool) -> None:
        """Begin a transaction: the only one that writes, or one whose reads all see one state.

        ``first``: the first query of one that writes, after a semicolon.
        """
        if not writing:
            cursor.execute(f"BEGIN ISOLATION LEVEL REPEATABLE READ; {IN_SHOP}")
            return
        try:
            cursor.execute(
                f"BEGIN ISOLATION LEVEL READ COMMITTED; {IN_SHOP} SET LOCAL lock_timeout = %s;{_NOTICE_DEATH}"
                f" SELECT pg_advisory_xact_lock(hashtext('salescli'), hashtext(current_schema())){first}",
                (max(1, self.wait_seconds * 1000),),  # milliseconds; 0 would be for ever
            )
        except psycopg2.Error:
            if self.in_transaction and not self._held.closed:
                self._held.cursor().execute("ROLLBACK")
            raise

    def stream(self, sql: str) -> Iterator[tuple[Any, ...]]:
        """Yield the rows of a query of a transaction, as tuples; few of them are in memory at a time."""
        self.execute(f"DECLARE streamed NO SCROLL CURSOR FOR {sql}")
        cursor = self.cursor()
        cursor.row_factory = None
        while part := cursor.execute(f"FETCH {ROWS_AT_ONCE} FROM streamed").fetchall():
            yield from part
        self.execute("CLOSE streamed")

    def load(self, table: str, columns: str, rows: Iterable[tuple[Any, ...]]) -> None:
        """Bring rows into a table in one statement; few of them are in memory at a time."""
        with errors_by_our_names(self):
            self.send_waiting()
            self._held.cursor().copy_expert(f"COPY {table} ({columns}) FROM STDIN", _Lines(rows))

    def next_numbers(self, tables: Sequence[str]) -> list[int]:
        """Return the numbers of the next rows of tables; the transaction writes."""
        return list(self.execute(f"SELECT {', '.join(map(numbers.function, tables))}").fetchone())

    def version(self) -> int:
        """Return the version of the shop's tables; 0 where there is none that this person may see."""
        said = self.execute(f"SELECT obj_description(to_regnamespace('{SHOP}'), 'pg_namespace')").one()
        return int(str(said or "").rpartition(" ")[2] or 0)

    def missing(self) -> list[str]:
        """Return the tables, indexes, views and triggers that are missing, and the triggers that are switched off."""
        held = {row[0] for row in self.execute(_HELD, (SHOP, SHOP))}
        return sorted((schema.names() | guards.names()) - held)

    def risks(self) -> list[tuple[str, str]]:
        """Return what the server may lose when it dies, and what to do about it (I12)."""
        commit, names, followers = self.execute(_SURENESS).fetchone()
        if commit == "off":
            return [("the server says that a change is done before it is on its disk", "set synchronous_commit = on")]
        if followers and not names:
            what = "the server waits for no stand-by: what it did last may be missing where one takes its place"
            return [(what, "set synchronous_standby_names")]
        return []

    def home(self) -> str:
        """Return where the shop is: the server's identity, its time line, the database, and the schema's number there.

        A stand-by that is promoted begins a new time line, from its first moment. A dump that is restored is another
        schema, also in a database of the same name. A server that still follows has the line of nobody, from which
        nothing is charged.
        """
        return f"postgresql:{self.execute(_PLACE, (SHOP,)).one()}"

    def follows(self) -> bool:
        """Return whether it only follows another server: nothing can be written, not even a table of the session's."""
        return bool(self.execute("SELECT pg_is_in_recovery()").one())

    def login(self) -> str:
        """Return who has logged in, by the server's word."""
        return str(self.execute("SELECT session_user").one())

    def check_login(self, login: str) -> None:
        """Raise BadData unless the server knows a login."""
        asked = "SELECT quote_ident(?), EXISTS (SELECT 1 FROM pg_roles WHERE rolname = ? AND rolcanlogin)"
        name, known = self.execute(asked, (login, login)).fetchone()
        if not known:
            raise BadData(
                f"the server knows no login {login}; an administrator makes it in psql, and sets a password if it needs"
                f" one: CREATE ROLE {name} LOGIN; \\password {name}"
            )

    def give_rights(self, login: str) -> bool:
        """Give a login the rights of its role, and no others, if the server knows it; return whether it had others."""
        known = "SELECT rolname::text FROM pg_roles WHERE rolname = ? AND rolcanlogin"
        before = self.execute(_GROUPS, (login,)).fetchall()
        self.execute(f"SELECT give_rights(ARRAY({known}))", (login,))
        return self.execute(_GROUPS, (login,)).fetchall() != before

    def without_rights(self) -> list[tuple[str, str]]:
        """Return (login, name as SQL writes it) of users who have a role, and cannot work on the server."""
        return [tuple(row) for row in self.execute(_WITHOUT_RIGHTS, (SHOP,))]

    def clock(self) -> datetime:
        """Return the server's time, aware UTC, to the second."""
        said = cast("datetime", self.execute("SELECT date_trunc('second', clock_timestamp())").one())
        return said.astimezone(timezone.utc)

    def close(self) -> None:
        """End the session; an open transaction is undone."""
        self._held.close()


def check_url(url: str) -> dict[str, str]:
    """Return what a URL gives. Raise BadUsage for a password: others would read it in ``ps`` and in history."""
    try:
        given: dict[str, str] = extensions.parse_dsn(url)
    except psycopg2.Error:  # its message quotes the URL
        raise BadUsage("the URL cannot be read; write postgresql://user@host/database") from None
    if {"password", "sslpassword"} & {*given}:
        raise BadUsage(
            "a password in a URL is seen by everybody on this machine; leave it out, and write it to ~/.pgpass"
            " (or the file that PGPASSFILE names)"
        )
    return given


def _why(error: psycopg2.Error) -> str:
    """Return why no server lets us in, as one line."""
    lines = (" ".join(line.split()) for line in str(error).splitlines())
    return "; ".join(filter(None, lines)).replace(_NOTHING_SENT, _WRITE_IT)


def connect(url: str) -> Connection:
    """Open a shop of a server. Raise BadUsage, DatabaseUnusable.

    Nothing is set for the session, which a pool such as pgbouncer may give to others between two transactions.
    """
    given = check_url(url)
    usual = {"application_name": "salescli", "connect_timeout": 10, **_ALIVE}
    try:
        held = psycopg2.connect(url, **{name: value for name, value in usual.items() if name not in given})
    except psycopg2.Error as error:
        raise DatabaseUnusable(f"the database cannot be opened: {_why(error)}") from None
    if held.server_version < _OLDEST:
        held.close()
        raise DatabaseUnusable(
            f"salescli needs PostgreSQL {_OLDEST // 10_000} or newer; this server is {held.server_version // 10_000}"
        )
    held.autocommit = True  # BEGIN and COMMIT are said by who means them
    for kind in TYPES:
        extensions.register_type(kind, held)
    return Connection(held, url)


def has_schema(connection: Connection) -> bool:
    """Return whether there is a shop, of any version."""
    return connection.execute("SELECT 1 FROM pg_namespace WHERE nspname = ?", (SHOP,)).fetchone() is not None


def make_schema(connection: Connection, fill: Callable[[], None] = lambda: None) -> None:
    """Make the tables of a shop, in the transaction of the caller. Raise DatabaseUnusable if there are any.

    ``fill``: brings rows before anything counts or checks them, each for itself, which takes several times as long.
    """
    if has_schema(connection):
        raise DatabaseUnusable("the database holds a shop already, which was not changed; name another one with --db")
    connection.run([f"CREATE SCHEMA {SHOP}; SET LOCAL search_path TO {SHOP}, pg_temp", *schema.tables()])
    fill()
    connection.run([*schema.on_tables(), f"COMMENT ON SCHEMA {SHOP} IS 'salescli {VERSION}'"])
