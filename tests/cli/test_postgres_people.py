"""People on a server: logins, and that each role does there what it does in a file."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from datetime import datetime, timedelta, timezone

import psycopg2
import pytest

from tests import postgres_people, postgres_server
from tests.postgres_people import Server


@pytest.fixture(scope="module")
def _shop() -> Iterator[Server]:
    """Run a server with a shop and its people."""
    with postgres_people.server() as there:
        yield there


@pytest.fixture
def server(_shop: Server) -> Iterator[Server]:
    """Yield the server with a copy of the shop; its groups are the same, so each test has people of its own."""
    _shop.administer("CREATE DATABASE copied TEMPLATE shop STRATEGY file_copy")
    at_home = "UPDATE salescli.settings SET value = replace(value, ':shop', ':copied') WHERE name = 'home'"
    _shop.administer(at_home, database="copied")
    yield Server(_shop.folder, "copied")
    _shop.administer("DROP DATABASE copied WITH (FORCE)")


def _can(server: Server, who: str, commands: str, stdin: str = "") -> None:
    for command in filter(None, map(str.strip, commands.splitlines())):
        ran = server.run(who, *shlex.split(command), stdin=stdin)
        assert ran.code == 0, f"{who}: {command}: {ran.err}"


SOLD_ELSEWHERE = (
    "order,created_at,status,customer,offer,price,currency,manager\nA1,2026-03-01,Completed,Petro,Lamp,5.00,EUR,Vasyl\n"
)


def test_each_role_does_what_it_does_in_a_file(server: Server) -> None:
    _can(server, "oleh", """
        users add nina --role cron
        users edit nina --name Nina
        roles add night --permissions view,run-tick
        roles edit night --permissions view
        customers add Maria --email maria@example.com
        hooks add audit --webhook https://example.com --events all
        hooks edit audit --no-active
        hooks remove audit
        payment-systems add Sandbox --gateway sandbox
        payment-systems add Second --gateway sandbox
        offers add Course --number 30 --price 49 --every '1 month'
    """)  # fmt: skip
    _can(server, "olena", """
        orders new 1 10 --payment-system 'Bank transfer'
        orders pay 3
        payments confirm 3
        orders edit 3 --comment soon
        orders new 1 10 --payment-system Second --token tok_ok
        orders pay 4
        orders new 1 30 --payment-system Sandbox --token tok_ok
        orders pay 5
        orders list
        explain order 3
    """)  # fmt: skip
    _can(server, "sofia", """
        orders check 2 3 --yes
        orders refund 3 --reason cash --yes
        close 2026-02 --yes
        reopen 2026-02 --reason mistaken --yes
        categories add Art
        offers edit 20 --category Art
        rebuild-totals
        recurring list
    """)  # fmt: skip
    _can(server, "sofia", "import orders - --source web", SOLD_ELSEWHERE)
    _can(server, "nina", """
        charging off --reason holidays
        charging on
        charging limit --per day 10
        charging limit --per day --currency EUR 100
        tick
        notify
    """)  # fmt: skip
    later = f"{datetime.now(timezone.utc) + timedelta(days=40):%Y-%m-%dT%H:%M:%SZ}"
    ran = server.run("nina", "tick", "-v", "--now", later, "--accept-clock")
    assert (ran.code, "1 charged" in ran.out) == (0, True), ran
    _can(server, "nina", "adopt --again")
    _can(server, "oleh", "customers erase 2 --reason asked --yes")


def _groups(server: Server, login: str) -> list[str]:
    """Return the kinds of groups that a login is a member of."""
    session = server.session()
    cursor = session.cursor()
    cursor.execute(
        "SELECT g.rolname FROM pg_auth_members m JOIN pg_roles g ON g.oid = m.roleid"
        " JOIN pg_roles p ON p.oid = m.member WHERE p.rolname = %s ORDER BY g.rolname",
        (login,),
    )
    found = [name.removeprefix("salescli_shop_") for (name,) in cursor.fetchall()]
    session.close()
    return found


@pytest.fixture
def login(server: Server) -> Iterator[str]:
    """Yield a login of the server that is no user of the shop."""
    server.administer("CREATE ROLE newcomer LOGIN")
    yield "newcomer"
    server.administer("DROP ROLE newcomer")


def test_rights_follow_the_role(server: Server, login: str) -> None:
    for command, groups in (
        ("users add newcomer --role manager", ["operator"]),
        ("users edit newcomer --role accountant", ["reader"]),
        ("users edit newcomer --role owner", ["owner"]),
        ("users deactivate newcomer", []),
        ("users edit newcomer --active --role cron", ["operator"]),
        ("roles edit cron --permissions view", ["reader"]),
        ("roles edit cron --name night --permissions manage-users", ["owner"]),
        ("users edit newcomer --role ''", []),
        ("users edit newcomer --role manager --dry-run", []),
        ("users edit newcomer --role manager", ["operator"]),
    ):
        _can(server, "oleh", command)
        assert _groups(server, login) == groups, command


def test_rights_go_with_a_login(server: Server, login: str) -> None:
    server.administer("CREATE ROLE other LOGIN")
    _can(server, "oleh", "users add newcomer --name Newcomer --role manager")
    _can(server, "oleh", "users edit newcomer --login other")
    assert (_groups(server, login), _groups(server, "other")) == ([], ["operator"])
    _can(server, "oleh", "users merge rita Newcomer --reason 'one person' --yes")
    assert _groups(server, "other") == []
    server.administer("DROP ROLE other")


def test_a_login_that_the_server_does_not_know_is_said(server: Server) -> None:
    ran = server.run("oleh", "users", "add", "o'neil", "--role", "manager")
    assert ran.code == 6
    assert ran.err == (
        "salescli: the server knows no login o'neil; an administrator makes it in psql, and sets a password if it needs"
        ' one: CREATE ROLE "o\'neil" LOGIN; \\password "o\'neil"\n'
    )
    assert "o'neil" not in server.run("oleh", "users", "list").out
    _can(server, "oleh", "users add guest")  # who has no role needs no login there


def test_who_was_a_user_before_the_server_knew_the_login_is_let_in_later(server: Server, login: str) -> None:
    server.administer("DROP ROLE newcomer")
    server.administer(
        "SET search_path TO salescli; ALTER TABLE users DISABLE TRIGGER users_added",
        "INSERT INTO salescli.users (name, login, role, name_key, created_at)"
        " VALUES ('New', 'newcomer', 'manager', 'new', 0)",
        "ALTER TABLE salescli.users ENABLE TRIGGER users_added",
        database=server.database,
    )
    told = server.run("oleh", "doctor", "--json").json
    assert [line["advice"] for line in told if line["check"] == "user"] == [
        f"in psql: CREATE ROLE newcomer LOGIN; then salescli --db '{server.url('oleh')}' users edit newcomer --active"
    ]
    _can(server, "oleh", "users edit newcomer --name Newest")
    server.administer("CREATE ROLE newcomer LOGIN")
    assert "users edit newcomer --active" in server.run(login, "orders", "list").err
    given, again = (server.run("oleh", "users", "edit", login, "--active").out for _ in range(2))
    assert "(Newest): changed: rights on the server\n" in given
    assert "(Newest): nothing changed\n" in again
    _can(server, login, "orders list")
    assert not [line for line in server.run("oleh", "doctor", "--json").json if line["check"] == "user"]


def test_all_that_the_server_does_not_know_are_named(server: Server, login: str) -> None:
    brought = f"login,name,role\none,One,manager\n{login},New,manager\ntwo,Two,manager\n"
    ran = server.run("oleh", "users", "import", "-", stdin=brought)
    assert ran.code == 6
    assert "login one;" in ran.err
    assert "login two;" in ran.err
    assert _groups(server, login) == []
    session = server.session()
    with pytest.raises(psycopg2.Error, match="the server knows no login one, two"):  # as where a whole shop is moved
        session.cursor().execute(
            "INSERT INTO users (name, login, role, name_key, created_at)"
            " VALUES ('1', 'one', 'manager', '1', 0), ('2', 'two', 'manager', '2', 0)"
        )
    session.close()


def test_rights_given_past_the_program_are_not_left(server: Server, login: str) -> None:
    _can(server, "oleh", "users add newcomer --role manager")
    server.administer("GRANT salescli_shop_operator TO newcomer")
    ran = server.run("oleh", "users", "deactivate", login)
    assert ran.code == 6
    assert "REVOKE salescli_shop_operator FROM newcomer" in ran.err
    assert "newcomer  manager  yes" in " ".join(server.run("oleh", "users", "list").out.split()).replace(" ", "  ")
    server.administer("REVOKE salescli_shop_operator FROM newcomer")


def test_a_stranger_is_told_whom_to_ask(server: Server, login: str) -> None:
    ran = server.run(login, "orders", "list")
    assert ran.code == 4
    assert "newcomer is no active user of this shop; an owner can add you: salescli users add newcomer" in ran.err


def test_who_acts_for_another_has_ones_own_rights_on_the_server(server: Server, login: str) -> None:
    _can(server, "oleh", "roles add deputy --permissions view,act-for-others")
    _can(server, "oleh", "users add newcomer --role deputy")
    _can(server, login, "--as sofia customers add Maria")
    _can(server, login, "--as sofia close 2026-02 --yes")
    ran = server.run(login, "--as", "oleh", "users", "edit", "newcomer", "--role", "owner")
    assert ran.code == 4
    assert ran.err == (
        "salescli: the server does not let you do this (permission denied for table users): your rights there follow"
        " from your role, and an owner may give you another: salescli users edit LOGIN --role ROLE\n"
    )


def _roles(server: Server) -> list[str]:
    session = server.session()
    cursor = session.cursor()
    cursor.execute("SELECT rolname FROM pg_roles WHERE rolname LIKE 'salescli_empty%' ORDER BY rolname")
    found = [name for (name,) in cursor.fetchall()]
    session.close()
    return found


@pytest.fixture
def empty(_shop: Server, login: str) -> Iterator[Server]:
    """Yield the server with an empty database, in which nobody may make anything yet."""
    _shop.administer("CREATE DATABASE empty")
    yield Server(_shop.folder, "empty")
    _shop.administer("DROP DATABASE empty WITH (FORCE)")
    kinds = ("owner", "operator", "reader")
    _shop.administer(*(f"DROP ROLE IF EXISTS salescli_empty_{kind}" for kind in kinds))


INIT = ("init", "--time-zone", "UTC")


def test_init_says_what_an_administrator_has_to_allow_and_leaves_nothing_behind(empty: Server, login: str) -> None:
    ran = empty.run(login, *INIT)
    assert ran.code == 4
    assert ran.err == (
        "salescli: newcomer may not make a shop here; an administrator of the server allows it in psql: GRANT CREATE ON"
        " DATABASE empty TO newcomer; ALTER ROLE newcomer CREATEROLE;\n"
    )
    assert _roles(empty) == []
    empty.administer("ALTER ROLE newcomer CREATEROLE", "GRANT CREATE ON DATABASE empty TO newcomer")
    assert empty.run(login, *INIT).code == 0
    assert len(_roles(empty)) == 3


def test_members_of_an_earlier_shop_are_no_members_of_a_new_one(empty: Server, login: str) -> None:
    empty.administer("CREATE ROLE salescli_empty_owner", "GRANT salescli_empty_owner TO newcomer")
    assert empty.run(postgres_server.OWNER, *INIT).code == 0
    assert _groups(empty, login) == []


def test_a_group_that_is_still_in_use_is_not_taken_over(empty: Server) -> None:
    empty.administer("CREATE ROLE salescli_empty_owner")
    empty.administer("GRANT CREATE ON SCHEMA public TO salescli_empty_owner", database="empty")
    ran = empty.run(postgres_server.OWNER, *INIT)
    assert ran.code == 7
    assert "DROP OWNED BY" in ran.err
    assert _roles(empty) == ["salescli_empty_owner"]


def test_a_crontab_has_only_what_the_login_may_run(server: Server, login: str) -> None:
    _can(server, "oleh", "users add newcomer --role cron")
    ran = server.run(login, "cron")
    assert (" tick --quiet-if-busy" in ran.out, "details" in ran.out, "doctor" in ran.out) == (True, False, False)
    assert ran.err == (
        "the report is left out: newcomer lacks the permission view\n"
        "doctor is left out: newcomer lacks the permission view\n"
    )
    ran = server.run("rita", "cron")
    assert (" tick --quiet-if-busy" in ran.out, "details" in ran.out, "doctor" in ran.out) == (False, True, True)
    assert ran.err == "tick is left out: rita lacks the permission run-tick\n"
