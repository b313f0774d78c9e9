"""Check the database: integrity, totals, scheduler, and what needs attention (B5).

Each check queries for rows that must not exist; a finding suggests what to do about it. Of a large file, an everyday
look takes the newest rows of each table only; what it leaves out is for ``deep``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from itertools import islice
from zoneinfo import ZoneInfo

from salescli.catalogue import customers, merge
from salescli.catalogue.merge import Merging
from salescli.charging import limits, tick_log
from salescli.errors import DatabaseUnusable
from salescli.notices import events, hooks
from salescli.overview import doubles
from salescli.overview.finding import Finding
from salescli.rules import numbers, permissions, time
from salescli.rules.permissions import Actor
from salescli.sales import recurring_actions
from salescli.sales.attempts import Attempt
from salescli.storage import database, engine, home, migrate, pages, place, schema, totals

_FINDINGS_MAX = 20  # per check
_WHOLE_BYTES = 10_000_000  # a file of up to this size is checked whole every time, within a second
_NEWEST = 1000  # rows of a table that an everyday look takes from a larger one
_EVENTS_MAX = 1000
_REFUSED_MAX = 3  # letters in a row: one address is wrong, three are the sender or the server


@dataclass(frozen=True, slots=True)
class _Sum:
    """A stored value that can be recomputed; the query returns the rows that disagree.

    ``of``: the table of these rows, in the query by its first letter, after whose `{newest}` it can be cut to new ones.
    """

    check: str
    sql: str
    what: str
    of: str = ""

    def over(self, newest: int | None) -> str | None:
        """Return the query over the newest rows, None if it cannot be cut to them; over all of them with None."""
        if newest is None:
            return self.sql.replace("{newest}", "1 = 1")
        row, table = self.of[:1], self.of
        limit = f"{row}.id > (SELECT max(id) FROM {table}) - {newest}"
        return self.sql.replace("{newest}", limit) if table else None


def _merged(merging: Merging) -> _Sum:
    """Return the check that nothing refers to a record that was merged into another."""
    noun, column = merging.noun, merging.column
    referring = [f"SELECT {column} AS id FROM {table}" for table in merging.tables]
    referring.append(f"SELECT merged_into FROM {noun.table}")
    return _Sum(
        f"merged {noun.table.replace('_', ' ')}",
        f"SELECT c.id, c.merged_into AS stored, count(*) AS counted FROM {noun.table} c"
        f" JOIN ({' UNION ALL '.join(referring)}) x ON x.id = c.id"
        " WHERE c.merged_into IS NOT NULL GROUP BY c.id, c.merged_into",
        f"{noun.subject} {{id}} was merged into {{stored}}; records that still refer to it: {{counted}}",
    )


_BROKEN = "do not run tick; keep this database, and restore a backup or ask for help"

_SUMS = (
    _Sum(
        "orders' payments",
        "SELECT o.id, o.paid_minor AS stored, coalesce(sum(i.share_minor), 0) AS counted FROM orders o"
        " LEFT JOIN invoices i ON i.order_id = o.id AND i.paid_at IS NOT NULL WHERE {newest}"
        " GROUP BY o.id, o.paid_minor HAVING o.paid_minor <> coalesce(sum(i.share_minor), 0)",
        "order {id}: {stored} paid is stored, its invoices add up to {counted}",
        "orders",
    ),
    _Sum(
        "invoices' refunds",
        "SELECT i.id, i.refunded_minor AS stored, coalesce(sum(x.amount_minor), 0) AS counted FROM invoices i"
        " LEFT JOIN refunds x ON x.invoice_id = i.id WHERE {newest}"
        " GROUP BY i.id, i.refunded_minor HAVING i.refunded_minor <> coalesce(sum(x.amount_minor), 0)",
        "invoice {id}: {stored} refunded is stored, its refunds add up to {counted}",
        "invoices",
    ),
    _Sum(
        "refunds' currencies",
        "SELECT x.id, x.currency AS stored, i.currency AS counted FROM refunds x JOIN invoices i ON i.id = x.invoice_id"
        " WHERE x.currency <> i.currency",
        "refund {id} is in {stored}, its payment is in {counted}",
    ),
    _Sum(
        "payments made (I10)",
        "SELECT r.id, r.payments_made AS stored, r.payments_imported + count(o.id) AS counted FROM recurring r"
        " LEFT JOIN orders o ON o.recurring_id = r.id AND (o.completed_at IS NOT NULL OR o.id = r.initial_order_id)"
        " WHERE {newest} GROUP BY r.id, r.payments_made, r.payments_imported"
        " HAVING r.payments_made <> r.payments_imported + count(o.id)",
        "recurring order {id}: payments made: {stored}; its orders show: {counted}",
        "recurring",
    ),
    _Sum(
        "processing (I6)",
        "SELECT r.id, r.status AS stored, count(a.id) AS counted FROM recurring r"
        " LEFT JOIN attempts a ON a.recurring_id = r.id AND a.status = 'live'"
        " WHERE {newest} GROUP BY r.id, r.status HAVING (r.status = 'processing') <> (count(a.id) = 1)",
        "recurring order {id} is {stored}; live attempts: {counted}",
        "recurring",
    ),
    _Sum(
        "completed orders of recurring orders (I5)",
        "SELECT o.id, o.status AS stored, count(i.id) AS counted FROM orders o"
        " LEFT JOIN invoices i ON i.order_id = o.id AND i.paid_at IS NOT NULL"
        " WHERE {newest} AND o.payment_number > 1 GROUP BY o.id, o.status"
        " HAVING (o.status IN ('completed', 'refund')) <> (count(i.id) = 1)",
        "order {id} is {stored}; paid invoices: {counted}",
        "orders",
    ),
    _Sum(
        "attempts and invoices (I3)",
        "SELECT i.id, i.status AS stored, count(a.id) AS counted FROM invoices i JOIN attempts a"
        " ON a.invoice_id = i.id AND a.kind = 'charge' AND a.status = 'succeeded'"
        " WHERE {newest} GROUP BY i.id, i.status HAVING count(a.id) <> 1 OR i.status NOT IN ('completed', 'refund')",
        "invoice {id} is {stored}; successful charges: {counted}",
        "invoices",
    ),
    _Sum(
        "gateways' payments",
        "SELECT i.id, i.gateway_id AS stored, min(other.id) AS counted FROM invoices i JOIN invoices other"
        " ON other.gateway_id = i.gateway_id AND other.payment_system_id IS i.payment_system_id AND other.id < i.id"
        " WHERE {newest} AND i.gateway_id IS NOT NULL GROUP BY i.id, i.gateway_id",
        "invoice {id} was paid by {stored}, which paid invoice {counted} already",
        "invoices",
    ),
    _Sum(
        "lost disputes",
        "SELECT d.id, d.status AS stored, x.invoice_id AS counted FROM disputes d"
        " LEFT JOIN refunds x ON x.id = d.refund_id LEFT JOIN invoices i ON i.id = d.invoice_id"
        " WHERE (d.refund_id IS NOT NULL AND (x.kind IS NOT 'dispute' OR x.invoice_id IS NOT d.invoice_id))"
        " OR (d.status = 'lost' AND d.refund_id IS NULL AND d.currency = i.currency"
        " AND i.refunded_minor < i.amount_minor)",
        "dispute {id} is {stored}; the invoice of its money back: {counted}",
    ),
    _Sum(
        "instalments",
        "SELECT o.id, o.price_minor AS stored, sum(n.amount_minor) AS counted FROM orders o"
        " JOIN instalments n ON n.order_id = o.id"
        " GROUP BY o.id, o.price_minor HAVING o.price_minor <> sum(n.amount_minor)",
        "order {id} costs {stored}; its instalments: {counted}",
    ),
    _Sum(
        "merged customers",
        "SELECT c.id, c.merged_into AS stored, count(*) AS counted FROM customers c JOIN"
        " (SELECT customer_id FROM orders UNION ALL SELECT customer_id FROM recurring"
        " UNION ALL SELECT customer_id FROM sales_plans UNION ALL SELECT customer_id FROM saved_tokens"
        " UNION ALL SELECT merged_into FROM customers WHERE merged_into IS NOT NULL) x ON x.customer_id = c.id"
        " WHERE c.merged_into IS NOT NULL GROUP BY c.id, c.merged_into",
        "customer {id} was merged into {stored}; records that still refer to it: {counted}",
    ),
    *map(_merged, (merge.USERS, merge.OFFERS, merge.CATEGORIES, merge.PAYMENT_SYSTEMS)),
    _Sum(
        "erased customers",
        "SELECT c.id, strftime('%Y-%m-%dT%H:%M:%SZ', c.erased_at, 'unixepoch') AS stored,"
        " count(*) AS counted FROM customers c JOIN"
        " (SELECT customer_id FROM orders WHERE token IS NOT NULL OR imported_as IS NOT NULL"
        " OR comment IS NOT NULL"
        " UNION ALL SELECT customer_id FROM recurring WHERE token IS NOT NULL OR status <> 'completed'"
        " UNION ALL SELECT customer_id FROM sales_plans WHERE note IS NOT NULL"
        " UNION ALL SELECT customer_id FROM saved_tokens"
        " UNION ALL SELECT o.customer_id FROM invoices i JOIN orders o ON o.id = i.order_id"
        " WHERE i.comment IS NOT NULL) x ON x.customer_id = c.id"
        " WHERE c.erased_at IS NOT NULL GROUP BY c.id, c.erased_at",
        "customer {id} was erased at {stored}; records that still hold personal data: {counted}",
    ),
)


def examine(
    connection: engine.Connection,
    now: datetime,
    zone: ZoneInfo,
    *,
    program: str = "salescli",
    actor: Actor | None = None,
    deep: bool = False,
) -> list[Finding]:
    """Return all problems, worst first; empty when there is none.

    Of a file that is not ``small`` only ``deep`` reads every page and recomputes every sum and total. Times are shown
    in ``zone``; ``program`` is the name of the program in suggested commands. Advice that ``actor`` may not follow says
    whom to ask (R40); None may follow all.
    """
    deep = deep or small(connection)
    whole: tuple[Callable[[], Iterator[Finding]], ...] = (
        lambda: _integrity(connection),
        lambda: _schema(connection),
        lambda: _sums(connection),
        lambda: _totals(connection, program),
    )
    newest = (lambda: _schema(connection), lambda: _sums(connection, _NEWEST))
    checks: tuple[Callable[[], Iterator[Finding]], ...] = (
        *(whole if deep else newest),
        lambda: _moved(connection, program),
        lambda: _sqlite(connection, program),
        lambda: _server(connection),
        lambda: _people(connection, program),
        lambda: _charging(connection, program),
        lambda: _scheduler(connection, now),
        lambda: _overdue(connection, now, zone, program),
        lambda: _unknown_outcomes(connection, now, zone, program),
        lambda: _paused_systems(connection, now, zone),
        lambda: _hooks(connection, zone, program),
        lambda: _failed(connection, program),
        lambda: _groundless(connection, program),
        lambda: doubles.findings(connection, program, newest=None if deep else _NEWEST),
    )
    found = [finding for check in checks for finding in check()]
    return [finding if actor is None else finding.for_actor(actor) for finding in found]


def small(connection: engine.Connection) -> bool:
    """Return whether a file is so small that all of it is checked every time."""
    return pages.bytes_of(connection) <= _WHOLE_BYTES


def damage(connection: engine.Connection) -> str:
    """Return the first thing that must never be in a database, empty if it is sound. A check that fails is one."""
    try:
        found = next((finding for check in (_integrity, _schema, _sums) for finding in check(connection)), None)
    except (engine.DatabaseError, UnicodeDecodeError) as error:
        return str(error)
    return found.what if found else ""


def _schema(connection: engine.Connection) -> Iterator[Finding]:
    there = engine.server(connection)
    for name in there.missing() if there else migrate.missing(connection, schema.VERSION):
        yield Finding("database", f"{name} is missing, or differs from that of version {schema.VERSION}", _BROKEN)


def _integrity(connection: engine.Connection) -> Iterator[Finding]:
    with database.sorting(connection):  # the check holds memory of its own
        damages = list(pages.damages(connection, _FINDINGS_MAX))
    for damage in damages:
        yield Finding("database", damage, _BROKEN)


def _sums(connection: engine.Connection, newest: int | None = None) -> Iterator[Finding]:
    for check in _SUMS:
        sql = check.over(newest)
        for row in connection.execute(sql).fetchmany(_FINDINGS_MAX) if sql else ():
            yield Finding(check.check, check.what.format(**dict(row)), _BROKEN)


def _totals(connection: engine.Connection, program: str) -> Iterator[Finding]:
    """Compare the stored totals of reports with the rows."""
    for wrong in islice(totals.differences(connection), _FINDINGS_MAX):
        what = (
            f"{wrong.dimension.replace('_', ' ')} {wrong.key or 'none'}, {wrong.period or 'all time'}, {wrong.currency}"
        )
        finding = f"totals of {what}: {wrong.sum} is {wrong.stored}, the rows add up to {wrong.counted}"
        yield Finding("totals", finding, f"{program} rebuild-totals", permissions.EDIT_CATALOGUE)


def _moved(connection: engine.Connection, program: str) -> Iterator[Finding]:
    try:
        place.check_stays(home.said(connection))
    except DatabaseUnusable as error:
        yield Finding("moved", str(error), f"where its jobs still run: {program} cron --remove")


def _sqlite(connection: engine.Connection, program: str) -> Iterator[Finding]:
    if version := database.corrupting(connection):
        what = f"SQLite {version} can corrupt a database in WAL mode"
        yield Finding("sqlite", what, f"run any command, such as {program} todo")


def _server(connection: engine.Connection) -> Iterator[Finding]:
    there = engine.server(connection)
    for what, advice in there.risks() if there else ():
        yield Finding("server", what, f"{advice} in postgresql.conf; see salescli help growing")


def _people(connection: engine.Connection, program: str) -> Iterator[Finding]:
    """Yield who would work here, and cannot: a shop that was moved names people whom its server does not know."""
    there = engine.server(connection)
    for login, name in there.without_rights() if there else ():
        advice = f"in psql: CREATE ROLE {name} LOGIN; then {program} users edit {login} --active"
        yield Finding("user", f"{login} has a role, and cannot work on the server", advice, permissions.MANAGE_USERS)


def _charging(connection: engine.Connection, program: str) -> Iterator[Finding]:
    for line in limits.status(connection):
        if "off" in line:
            yield Finding("charging", line, f"{program} charging on", permissions.RUN_TICK)


def _scheduler(connection: engine.Connection, now: datetime) -> Iterator[Finding]:
    if warning := tick_log.is_late(connection, now):
        yield Finding("tick", warning, "crontab -l; see salescli cron")


def _overdue(connection: engine.Connection, now: datetime, zone: ZoneInfo, program: str) -> Iterator[Finding]:
    row = connection.execute(
        "SELECT count(*) AS number, min(next_payment_at) AS since FROM recurring"
        " WHERE status = 'active' AND next_payment_at <= ?",
        (time.stored(now - tick_log.OVERDUE),),
    ).fetchone()
    if row["number"]:
        since = time.local_text(row["since"], zone)
        what = f"overdue payments: {row['number']}, the oldest since {since}"
        gap = tick_log.gap(connection, now)
        advice = f"if the clock is right: {program} tick --accept-clock" if gap else f"{program} tick -v"
        yield Finding("overdue", f"{what}; {tick_log.held(gap)}" if gap else what, advice, permissions.RUN_TICK)


def _unknown_outcomes(connection: engine.Connection, now: datetime, zone: ZoneInfo, program: str) -> Iterator[Finding]:
    rows = connection.execute(
        "SELECT a.*, p.name FROM attempts a JOIN payment_systems p ON p.id = a.payment_system_id"
        " WHERE a.status = 'live' AND p.gateway <> 'manual' ORDER BY +a.id"  # +: few are live
    )
    idle = [row for row in rows if not Attempt.from_row(row).worked_on(now)]
    for row in idle[:_FINDINGS_MAX]:
        since = time.local_text(row["started_at"], zone)
        again = time.local_text(row["next_lookup_at"], zone) if row["next_lookup_at"] is not None else "the next tick"
        yield Finding(
            "outcome unknown",
            f"{row['kind']} of invoice {row['invoice_id']} ({customers.contact(connection, row['customer_id'])})"
            f" through {row['name']} since {since} ({row['reference']});"
            f" next lookup: {again}",
            f"check at {row['name']}, then {program} payments resolve {row['invoice_id']} …",
            permissions.RESOLVE,
        )


def _paused_systems(connection: engine.Connection, now: datetime, zone: ZoneInfo) -> Iterator[Finding]:
    rows = connection.execute(
        "SELECT name, failures, paused_until FROM payment_systems WHERE paused_until > ?", (time.stored(now),)
    )
    for row in rows:
        until = time.local_text(row["paused_until"], zone)
        failed = numbers.count(row["failures"], "time")
        what = f"{row['name']} did not answer {failed} in a row and is paused until {until}"
        yield Finding("payment system", what, "nothing to do; it is tried again automatically")


def _hooks(connection: engine.Connection, zone: ZoneInfo, program: str) -> Iterator[Finding]:
    for hook in hooks.every(connection):
        if hook.active and hook.failures and hook.failing_since is not None:
            waiting = sum(hook.wants(event) for event in islice(events.after(connection, hook.position), _EVENTS_MAX))
            since = time.local_text(hook.failing_since, zone)
            more = "at least " if waiting == _EVENTS_MAX else ""
            what = f"hook {hook.name} has failed since {since}: {hook.last_error}"
            what += f"; {more}{numbers.count(waiting, 'event')} not told"
            yield Finding("hook", what, f"mend it, then {program} notify {hook.name}", permissions.RUN_TICK)
        elif hook.active and hook.refused_in_a_row >= _REFUSED_MAX:
            what = (
                f"hook {hook.name}: {hook.refused_in_a_row} letters in a row were refused for good: {hook.last_error}"
            )
            advice = (
                "ask who runs the mail server whether it takes letters from you; what was refused is not sent again"
            )
            yield Finding("hook", what, advice, permissions.RUN_TICK)


def _failed(connection: engine.Connection, program: str) -> Iterator[Finding]:
    rows = connection.execute("SELECT id, customer_id, last_error FROM recurring WHERE status = 'failed' ORDER BY id")
    for row in rows.fetchmany(_FINDINGS_MAX):
        advice = f"{program} recurring retry {row['id']}, or complete it"
        who = customers.contact(connection, row["customer_id"])
        what = f"recurring order {row['id']} ({who}) failed: {row['last_error']}"
        yield Finding("failed", what, advice, permissions.MANAGE_RECURRING)


def _groundless(connection: engine.Connection, program: str) -> Iterator[Finding]:
    """Find recurring orders that go on although the order that began them is not Completed, and nobody decided so."""
    rows = connection.execute(
        "SELECT r.id, o.id AS order_id, o.status FROM recurring r JOIN orders o ON o.id = r.initial_order_id"
        " WHERE r.status <> 'completed' AND r.wish IS NOT 'completed' AND o.status <> 'completed'"
        " AND NOT EXISTS (SELECT 1 FROM history h WHERE h.subject = 'recurring' AND h.subject_id = r.id"
        " AND h.what = :kept) ORDER BY r.id",
        {"kept": recurring_actions.KEPT},
    )
    for row in rows.fetchmany(_FINDINGS_MAX):
        what = f"recurring order {row['id']} goes on, but order {row['order_id']}, which began it, is"
        advice = f"{program} recurring complete {row['id']}, or finish the order"
        yield Finding("first order", f"{what} {row['status'].capitalize()}", advice, permissions.MANAGE_RECURRING)
