"""On a server a colleague cannot change the past: tried as real people, and seen to succeed with the guard taken away.

Each attack names its guards. It is refused; with all guards taken away it succeeds, so that it is a real one; and where
there are several, each alone is enough.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

import psycopg2
import pytest

from tests import postgres_people
from tests.postgres_people import OPERATOR, OWNER, Server


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    """Run a server with a shop and its people."""
    with postgres_people.server() as there:
        yield there


class Attack(NamedTuple):
    """What somebody tries, and what forbids it: statements that take each guard away, by the administrator."""

    what: str
    tries: Sequence[str]
    guards: tuple[str, ...]
    who: str = "olena"


def _line(**values: str) -> str:
    """Return a line of history that olena may write, but for some values."""
    usual = {
        "id": "(SELECT max(id) + 1 FROM history)",
        "at": "extract(epoch FROM now())::bigint",
        "user_id": "(SELECT id FROM users WHERE login = session_user)",
        "by_system": "0",
        "subject": "'order'",
        "subject_id": "1",
        "what": "'approved'",
        "changes": "'{}'",
    }
    line = usual | values
    return f"INSERT INTO history ({', '.join(line)}) VALUES ({', '.join(line.values())})"


IVAN = "(SELECT id FROM salescli.users WHERE login = 'ivan')"
ANOTHER_SYSTEM = "INSERT INTO payment_systems (id, name, gateway, created_at) VALUES (9, 'M', 'manual', 0)"
A_PLAN = (
    "INSERT INTO recurring (id, uid, customer_id, offer_id, offer_name, payment_system_id, status, price_minor,"
    " currency, every_count, every_unit, payments_made, retry_after, anchor_at, next_payment_at, created_at)"
    " VALUES (9, 'u', 1, 1, 'Drawing', 1, 'active', 100, 'EUR', 1, 'month', 1, '8h', 0, 0, 0)"
)
CLOSED_ORDER = "UPDATE orders SET completed_on = 20260203 WHERE id = 1"
OWNS_HISTORY = f"ALTER TABLE history OWNER TO {OPERATOR}; GRANT CREATE ON SCHEMA salescli TO {OPERATOR}"
NO_HISTORY_BY = "DROP TRIGGER history_by ON history"
FOR_ALL = "GRANT ALL ON {0} TO PUBLIC"
ATTACKS = (
    *(
        attack._replace(who=who, what=f"{attack.what}, by {role}")
        for who, role in (("olena", "an operator"), ("oleh", "an owner"))
        for attack in (
            Attack(
                "change a line of history",
                ("UPDATE history SET what = 'nothing' WHERE id = 1",),
                (
                    f"GRANT UPDATE ON history TO {OPERATOR}",
                    "DROP TRIGGER history_is_append_only_update ON history",
                ),
            ),
            Attack(
                "delete a line of history",
                ("DELETE FROM history WHERE id = 1",),
                (
                    f"GRANT DELETE ON history TO {OPERATOR}",
                    "DROP TRIGGER history_is_append_only_delete ON history",
                ),
            ),
            Attack("empty the history", ("TRUNCATE history",), (f"GRANT TRUNCATE ON history TO {OPERATOR}",)),
            Attack("switch a trigger off", ("ALTER TABLE history DISABLE TRIGGER history_by",), (OWNS_HISTORY,)),
            Attack("drop a trigger", ("DROP TRIGGER history_by ON history",), (OWNS_HISTORY,)),
            Attack(
                "write in a colleague's name",
                (_line(user_id=IVAN),),
                (NO_HISTORY_BY,),
            ),
        )
    ),
    Attack(
        "replace a trigger's function",
        ("CREATE OR REPLACE FUNCTION one_writer() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END'",),
        (f"ALTER FUNCTION one_writer() OWNER TO {OPERATOR}; GRANT CREATE ON SCHEMA salescli TO {OPERATOR}",),
    ),
    Attack(
        "change a function",
        ("ALTER FUNCTION may RESET search_path",),
        (f"ALTER FUNCTION may OWNER TO {OPERATOR}",),
    ),
    Attack("drop a table", ("DROP TABLE history",), (OWNS_HISTORY,)),
    Attack(
        "change an order of a closed month",
        (CLOSED_ORDER, _line()),
        ("DROP TRIGGER closed_orders_update ON orders",),
    ),
    Attack(
        "hide the closed months behind a temporary table",
        ("CREATE TEMP TABLE closed_months (month text)", FOR_ALL.format("closed_months"), CLOSED_ORDER, _line()),
        ("ALTER FUNCTION closed_orders_update SET search_path TO pg_temp, salescli",),
    ),
    Attack(
        "hide the closed months behind a schema of one's own",
        (
            "CREATE SCHEMA mine; GRANT USAGE ON SCHEMA mine TO PUBLIC; CREATE TABLE mine.closed_months (month text)",
            FOR_ALL.format("mine.closed_months"),
            "SET search_path TO mine, salescli",
            CLOSED_ORDER,
            _line(),
        ),
        (f"GRANT CREATE ON DATABASE shop TO {OPERATOR}", "ALTER FUNCTION closed_orders_update RESET search_path"),
    ),
    Attack(
        "hide the users behind a temporary table",
        (
            f"CREATE TEMP TABLE users AS SELECT {IVAN} AS id, session_user::text AS login",
            FOR_ALL.format("users"),
            _line(user_id=IVAN),
        ),
        ("ALTER FUNCTION written_by_oneself SET search_path TO pg_temp, salescli",),
    ),
    Attack(
        "note it in a history of one's own",
        (
            "CREATE TEMP TABLE history AS SELECT 1::bigint AS id, 'file' AS subject, 'reopened 2026-01' AS what,"
            " id AS user_id FROM users WHERE login = session_user",
            FOR_ALL.format("history"),
            "DELETE FROM closed_months",
        ),
        ("ALTER FUNCTION is_noted SET search_path TO pg_temp, salescli",),
        "sofia",
    ),
    Attack(
        "be the administrator of a schema of one's own",
        (
            "CREATE SCHEMA mine; GRANT USAGE ON SCHEMA mine TO PUBLIC; SET search_path TO mine, salescli",
            _line(user_id=IVAN),
        ),
        (
            f"GRANT CREATE ON DATABASE shop TO {OPERATOR}",
            "ALTER FUNCTION administers RESET search_path; ALTER FUNCTION written_by_oneself RESET search_path",
        ),
    ),
    Attack("write for a colleague", (_line(for_user_id=IVAN),), (NO_HISTORY_BY,)),
    Attack("write as of old", (_line(at="1768471200"),), (NO_HISTORY_BY,)),
    Attack(
        "write in between",
        (
            _line(id="(SELECT max(id) + 900 FROM history)"),
            _line(id="(SELECT max(id) - 400 FROM history)"),
        ),
        (NO_HISTORY_BY,),
    ),
    Attack(
        "copy lines in",
        ("COPY history (id, at, user_id, by_system, subject, what, changes) FROM STDIN WITH (FORMAT csv)\n"
         "900000,1768471200,1,0,order,approved,{}\n",),
        (NO_HISTORY_BY,),
    ),
    Attack("become the administrator", ("SET ROLE anna", "DROP TABLE history"), ("GRANT anna TO olena",)),
    Attack("log in as another", ("SET SESSION AUTHORIZATION ivan",), ()),
    Attack(
        "set triggers aside",
        ("SET session_replication_role TO replica", CLOSED_ORDER),
        ("GRANT SET ON PARAMETER session_replication_role TO olena",),
    ),
    Attack(
        "forget what waits for the totals",
        (
            "UPDATE orders SET completed_on = 20260203 WHERE id = 2", _line(subject_id="2"),
            "DELETE FROM facts_changed",
        ),
        (f"GRANT DELETE ON facts_changed TO {OPERATOR}",),
    ),
    Attack(
        "lower the counter of lines",
        tuple(f"UPDATE sqlite_sequence SET seq = {last} WHERE name = 'history'" for last in (9_000, 0)),
        ("DROP TRIGGER sqlite_sequence_by ON sqlite_sequence",),
    ),
    Attack(
        "remove a closed month",
        ("DELETE FROM closed_months",),
        ("DROP TRIGGER closed_months_by ON closed_months", "DROP TRIGGER closed_months_noted ON closed_months"),
    ),
    Attack(
        "remove a closed month that one may reopen, without a line",
        ("DELETE FROM closed_months",),
        ("DROP TRIGGER closed_months_noted ON closed_months",),
        "sofia",
    ),
    Attack(
        "rename a closed month",
        ("UPDATE closed_months SET month = '1999-01'",),
        (f"GRANT UPDATE ON closed_months TO {OPERATOR}",),
    ),
    Attack(
        "take a sale of a closed month",
        (f"UPDATE orders SET manager_id = {IVAN} WHERE id = 1", _line()),
        ("DROP TRIGGER closed_sales ON orders",),
    ),
    Attack(
        "move a payment of a closed month",
        ("UPDATE invoices SET order_id = 2, ordinal = 2 WHERE id = 1", _line()),
        ("DROP TRIGGER closed_payments ON invoices",),
    ),
    Attack(
        "become an owner",
        ("UPDATE users SET role = 'owner' WHERE login = session_user",),
        (f"GRANT UPDATE ON users TO {OPERATOR}", "DROP TRIGGER users_noted ON users"),
    ),
    Attack(
        "add an owner",
        ("INSERT INTO users (name, login, role, name_key, created_at) VALUES ('N', 'nina', 'owner', 'n', 0)",),
        ("DROP TRIGGER users_by ON users", "DROP TRIGGER users_added_noted ON users"),
    ),
    Attack(
        "let one's role allow all",
        ("UPDATE roles SET permissions = 'manage-users' WHERE name = 'manager'",),
        (f"GRANT UPDATE ON roles TO {OPERATOR}", "DROP TRIGGER roles_noted ON roles"),
    ),
    Attack(
        "change a colleague's rights, without a line",
        ("UPDATE users SET role = 'owner' WHERE login = 'olena'",),
        ("DROP TRIGGER users_noted ON users",),
        "oleh",
    ),
    Attack(
        "give oneself a group",
        (f"GRANT {OWNER} TO olena",),
        (f"GRANT {OWNER} TO olena WITH ADMIN OPTION",),
    ),
    Attack(
        "let a function of the administrator's work on a table of one's own",
        (
            "CREATE TEMP TABLE x AS SELECT 1::bigint AS id",
            "CREATE TRIGGER t BEFORE DELETE ON x FOR EACH ROW EXECUTE FUNCTION totals_orders_before_delete()",
            "DELETE FROM x",
        ),
        (f"GRANT EXECUTE ON FUNCTION totals_orders_before_delete TO {OPERATOR}",),
    ),
    Attack(
        "call what gives rights",
        ("SELECT give_rights(ARRAY['nina'])",),
        (f"GRANT EXECUTE ON FUNCTION give_rights TO {OPERATOR}",),
    ),
    Attack("change what reports count", ("UPDATE facts SET gross = 1",), (f"GRANT UPDATE ON facts TO {OPERATOR}",)),
    Attack("change a sum", ("UPDATE totals SET gross = 1",), (f"GRANT UPDATE ON totals TO {OPERATOR}",)),
    Attack(
        "let a table of one's own count as history",
        ("CREATE TEMP TABLE more (LIKE history INCLUDING ALL)", "ALTER TABLE more INHERIT history"),
        (OWNS_HISTORY,),
    ),
    Attack(
        "rule that nothing is written",
        ("CREATE RULE r AS ON INSERT TO history DO INSTEAD NOTHING",),
        (OWNS_HISTORY,),
    ),
    Attack(
        "add a trigger",
        ("CREATE TRIGGER t BEFORE INSERT ON history EXECUTE FUNCTION suppress_redundant_updates_trigger()",),
        (f"GRANT TRIGGER ON history TO {OPERATOR}",),
    ),
    Attack(
        "change the days of the past",
        ("UPDATE settings SET value = 'Asia/Tokyo' WHERE name = 'time_zone'",),
        ("DROP TRIGGER settings_by ON settings",),
    ),
    Attack(
        "forget a payment",
        ("DELETE FROM invoices WHERE id = 2", _line(subject="'invoice'", subject_id="2")),
        ("DROP TRIGGER invoices_by ON invoices", "DELETE FROM attempts WHERE invoice_id = 2"),
    ),
    *(
        Attack(
            what,
            (f"UPDATE attempts SET {change} WHERE id = 2", _line(subject="'invoice'", subject_id="2")),
            ("DROP TRIGGER attempts_stay ON attempts",),
        )
        for what, change in (
            ("change what an attempt moves", "amount_minor = 1"),
            ("change by what its payment system knows an attempt", "reference = 'mine'"),
            ("charge another card", "token = 'mine'"),
            ("let two hold an attempt", "fence = fence - 1"),
        )
    ),
    *(
        Attack(what, changes, (f"DROP TRIGGER {table}_told ON {table}",))
        for what, table, *changes in (
            (
                "open a closed attempt", "attempts",
                "UPDATE attempts SET status = 'live', settled_at = NULL WHERE id = 2",
            ),
            (
                "let another pay back", "attempts", ANOTHER_SYSTEM,
                "UPDATE attempts SET payment_system_id = 9 WHERE id = 2",
            ),
            (
                "make an attempt up",
                "attempts",
                "INSERT INTO attempts (id, kind, invoice_id, customer_id, number, reference, payment_system_id, status,"
                " amount_minor, currency, owned_at, started_at, settled_at)"
                " VALUES (9, 'charge', 2, 1, 9, 'r', 1, 'succeeded', 1, 'EUR', '', '', '')",
            ),
            ("change an order, without a line", "orders", "UPDATE orders SET comment = 'x' WHERE id = 2"),
            ("change a payment, without a line", "invoices", "UPDATE invoices SET fee_minor = 1 WHERE id = 2"),
            (
                "change a recurring order, without a line", "recurring", A_PLAN,
                "UPDATE recurring SET token = 'mine' WHERE id = 9",
            ),
            (
                "make a refund up",
                "refunds",
                "INSERT INTO refunds (id, invoice_id, amount_minor, currency, refunded_at, refunded_on)"
                " VALUES (9, 2, 1, 'EUR', 1771149600, 20260215)",
            ),
        )
    ),
    Attack(
        "note a change of one order at another",
        ("UPDATE orders SET comment = 'x' WHERE id = 2", _line(subject_id="1")),
        ("DROP TRIGGER orders_told ON orders",),
    ),
    Attack("forget the reasons", ("UPDATE texts SET text = NULL",), ("DROP TRIGGER texts_by ON texts",)),
)  # fmt: skip


def _attack(session: Any, attack: Attack) -> None:
    """Do what an attack does, and what the end of its transaction would check."""
    cursor = session.cursor()
    for statement in attack.tries:
        if statement.startswith("COPY"):
            sql, _, rows = statement.partition("\n")
            cursor.copy_expert(sql, io.StringIO(rows))
        else:
            cursor.execute(statement)
    cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")


@pytest.fixture
def without(server: Server) -> Iterator[Callable[[Attack, tuple[str, ...]], None]]:
    """Return what attacks while some guards are away; all in a transaction that is undone."""
    session = server.session()

    def attacked(attack: Attack, away: tuple[str, ...]) -> None:
        session.cursor().execute(";".join((*away, f"SET LOCAL SESSION AUTHORIZATION {attack.who}")))
        _attack(session, attack)

    yield attacked
    session.close()


ALONE = [(attack, guard) for attack in ATTACKS if len(attack.guards) > 1 for guard in attack.guards]


@pytest.mark.parametrize("attack", ATTACKS, ids=lambda attack: attack.what)
def test_nobody_can(attack: Attack, server: Server) -> None:
    session = server.session(attack.who)
    with pytest.raises(psycopg2.Error):
        _attack(session, attack)
    session.close()


@pytest.mark.parametrize("attack", ATTACKS, ids=lambda attack: attack.what)
def test_who_has_no_guards_can(attack: Attack, without: Callable[[Attack, tuple[str, ...]], None]) -> None:
    without(attack, attack.guards)


@pytest.mark.parametrize(
    ("attack", "guard"), [pytest.param(attack, guard, id=f"{attack.what}: {guard}") for attack, guard in ALONE]
)
def test_each_guard_alone_is_enough(
    attack: Attack, guard: str, without: Callable[[Attack, tuple[str, ...]], None]
) -> None:
    with pytest.raises(psycopg2.Error):
        without(attack, tuple(other for other in attack.guards if other != guard))


def test_colleagues_add_lines_in_their_own_name(server: Server) -> None:
    session = server.session("olena")
    session.cursor().execute(_line())
    session.cursor().execute("SET CONSTRAINTS ALL IMMEDIATE")
    session.close()
