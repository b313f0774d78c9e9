"""Roles: every command, tried by every ready role, against one table of who may do what (R39, R40, R56)."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import click
import pytest

from salescli.catalogue import roles
from salescli.cli import caller
from salescli.rules import permissions
from tests.project.test_architecture import COMMANDS
from tests.story import Story
from tests.terminal import Ran

if TYPE_CHECKING:
    from tests.conftest import House

EVERYBODY = {"owner", "sales-head", "manager", "accountant", "cron", ""}
OWNER = {"owner"}
HEADS = {"owner", "sales-head"}
SELLERS = {"owner", "sales-head", "manager"}
READERS = {"owner", "sales-head", "manager", "accountant"}

# command -> the roles that may do it; what a command lacks beside the permission does not matter here
TABLE = {
    "orders list": READERS,
    "payments list": READERS,
    "recurring list": READERS,
    "reports details": READERS,
    "reports recurring": READERS,
    "export /dev/null": READERS,
    "customers show 1": READERS,
    "orders show 1": READERS,
    "history": READERS,
    "history order 1": READERS,
    "todo": READERS,
    "explain order 1": READERS,
    "charging status": READERS,
    "orders new 1 7 -n": SELLERS,
    "orders sell 1 7 -n": SELLERS,
    "orders sell 1 7 --check -n": HEADS,
    "orders sell X 7 --new -n": HEADS,
    "orders owing": READERS,
    "orders instalments 1 --none -n": SELLERS,
    "orders pay 2 -n": SELLERS,
    "payments confirm 1 -n": SELLERS,
    "payments decline 1 -n": SELLERS,
    "payments undo 1 --reason x -n": HEADS,
    "orders edit 1 --comment x -n": SELLERS,
    "orders cancel 1 --reason x -n": SELLERS,
    "orders note 1 x -n": SELLERS,
    "customers unplan 1 -n": SELLERS,
    "payments resolve 1 --succeeded --reason x -n": HEADS,
    "reconcile /dev/null --payment-system Sandbox": READERS,
    "reconcile /dev/null --payment-system Sandbox --apply -n": SELLERS,
    "customers plan 1 7 --manager ivan -n": SELLERS,
    "orders refund 1 -n": HEADS,
    "orders check 1 --yes -n": HEADS,
    "orders confirm 1 --yes -n": HEADS,
    "orders decline 1 -n": HEADS,
    "orders assign 1 ivan -n": HEADS,
    "recurring pause 1 -n": HEADS,
    "recurring activate 1 -n": HEADS,
    "recurring complete 1 --yes -n": HEADS,
    "recurring retry 1 -n": HEADS,
    "recurring edit 1 --token t -n": HEADS,
    "recurring pay 1 --payment-system Sandbox -n": SELLERS,
    "offers add X --price 1 -n": HEADS,
    "offers edit 7 --price 1 -n": HEADS,
    "offers import /dev/null -n": HEADS,
    "categories add X -n": HEADS,
    "categories edit 1 --name X -n": HEADS,
    "categories import /dev/null -n": HEADS,
    "offers merge 7 8 -n": HEADS,
    "categories merge 1 2 -n": HEADS,
    "payment-systems merge Sandbox x -n": HEADS,
    "users merge ivan petro -n": OWNER,
    "payment-systems add X --gateway manual -n": HEADS,
    "payment-systems edit Sandbox --fee 1 -n": HEADS,
    "payment-systems import /dev/null -n": HEADS,
    "customers add X -n": HEADS,
    "customers edit 1 --phone 1 -n": HEADS,
    "customers import /dev/null -n": HEADS,
    "customers merge 1 2 -n": HEADS,
    "customers tokens 1": READERS,
    "customers save-token 1 tok_ok --payment-system Sandbox -n": SELLERS,
    "customers forget-token 1 -n": SELLERS,
    "customers erase 1 -n": OWNER,
    "import orders /dev/null -n": HEADS,
    "import recurring /dev/null -n": HEADS,
    "rebuild-totals -n": HEADS,
    "close": READERS,
    "close 2020-01 -n": HEADS,
    "reopen 2020-01 --reason x -n": HEADS,
    "users list": READERS,
    "users show ivan": READERS,
    "users add x -n": OWNER,
    "users edit ivan --role owner -n": OWNER,
    "users deactivate ivan -n": OWNER,
    "users share ivan 10% -n": OWNER,
    "users import /dev/null -n": OWNER,
    "roles list": READERS,
    "roles show manager": READERS,
    "roles add x --permissions view -n": OWNER,
    "roles edit manager --permissions view -n": OWNER,
    "roles import /dev/null -n": OWNER,
    "--as olha orders list": READERS,  # herself, which needs nothing
    "--as halyna orders list": OWNER,
    "--as halyna charging off --reason x -n": set(),  # nobody: an accountant may not, whoever acts for her
    "--as ivan orders list": set(),
    "--as nobody orders list": OWNER,  # others are not told who there is; an owner is, with another code
    "tick -n": {"owner", "cron"},
    "notify -n": {"owner", "cron"},
    "hooks list": READERS,
    "hooks add x --webhook https://example.com -n": OWNER,
    "hooks edit seller --skip -n": OWNER,
    "hooks remove seller -n": OWNER,
    "hooks templates": OWNER,
    "events": READERS,
    "adopt -n": {"owner", "cron"},
    "move /dev/shm/none/there.db -n": OWNER,
    "charging off --reason x -n": {"owner", "cron"},
    "charging resume Sandbox --reason x -n": {"owner", "cron"},
    "gateway-sync -n": {"owner", "cron"},
    "charging on -n": {"owner", "cron"},
    "charging limit 5 -n": {"owner", "cron"},
    "upgrade -n": {"owner", "cron"},
    "cron -n": EVERYBODY - {""},  # what each may not run is left out
    "restore /dev/null -n": EVERYBODY,  # the database may be lost or damaged: who may write there may restore
    "config show": EVERYBODY,
    "config path": EVERYBODY,
    "config init": EVERYBODY,
    "completion": EVERYBODY,
    "help": EVERYBODY,
}


@pytest.fixture
def sold(story: Story) -> Story:
    """A recurring order, an order that is open, and a manager called Ivan."""
    story.house.offer("49.00", number="7", every="1 month")
    story.house.user("ivan", name="Іван")
    story.house.user("halyna", name="Галина", role="accountant")
    story.house.category()
    story.subscribed("7")
    story.order("7")
    return story


@pytest.mark.parametrize("role", sorted(EVERYBODY))
def test_a_role_may_do_what_its_permissions_say_and_nothing_else(
    sold: Story, role: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    sold.house.user("olha", name="Ольга", **({"role": role} if role else {}))
    monkeypatch.setattr(caller, "os_login", lambda: "olha")
    before = sold.house.held()
    table = {command: allowed for command, allowed in TABLE.items() if not _of_files(sold.house, command)}
    told = {command: sold.house.run(*command.split()).code for command in table}
    refused = {command for command, code in told.items() if code == 4}
    assert refused == {command for command, allowed in table.items() if role not in allowed}
    assert sold.house.held() == before


@pytest.mark.parametrize(
    "name",
    [
        pytest.param(" ".join(path), id=" ".join(path))
        for path, command in COMMANDS
        if path != ("init",) and any(param.name == "dry_run" for param in command.params)
    ],
)
def test_every_writing_command_is_in_the_table(name: str) -> None:
    assert any(call == name or call.startswith(f"{name} ") for call in TABLE)


def test_every_permission_is_somebody_s() -> None:
    assert set().union(*permissions.READY.values()) == set(permissions.PERMISSIONS)
    assert permissions.READY[permissions.OWNER] == set(permissions.PERMISSIONS)


def test_to_act_for_others_is_the_owner_s_alone() -> None:
    assert [name for name, allowed in permissions.READY.items() if permissions.ACT_FOR_OTHERS in allowed] == ["owner"]


# What each command is called with beside its needed arguments, where those alone are a wrong call.
FURTHER = {
    "orders check": ["--yes"],
    "recurring complete": ["--yes"],
    "recurring edit": ["--token", "t"],
    "payments resolve": ["--succeeded"],
    "history": ["order"],
    "close": ["2020-01"],
    "reopen": ["--yes"],
}
KNOWN = {"offers": "7", "users": "ivan", "roles": "manager", "payment-systems": "Sandbox"}  # elsewhere it is 1
OF_FILES = {"backup", "upgrade"}  # refused on a server, whoever asks: its own tools do these
FOR_EVERYBODY = {
    "init",
    "help",
    "completion",
    "config show",
    "config path",
    "config init",
    "restore",
}  # they open no database that is there


def _calls(record: str | None) -> Iterator[tuple[str, list[str]]]:
    """Yield the name of every command, and a call of it that names ``record`` or, with None, one that there is."""
    for path, command in COMMANDS:
        name = " ".join(path)
        if isinstance(command, click.Group) or name in FOR_EVERYBODY:
            continue
        call = [*path, *FURTHER.get(name, [])]
        for param in command.params:
            outside = {"file": "-", "folder": "/dev/null"}
            word = outside.get(str(param.name)) or record or KNOWN.get(path[0], "1")
            if isinstance(param, click.Argument) and (param.required or param.name == "number"):
                call.append(word)
            elif param.required:
                call += [param.opts[-1], "x"]
        yield name, call


@pytest.fixture(autouse=True)
def _folder_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Stand in a folder of the test: what is called with any word, such as `move`, may make a file of that name."""
    monkeypatch.chdir(tmp_path)


def _of_files(house: House, command: str) -> bool:
    return bool(house.url) and command.split()[0] in OF_FILES


def _results(house: House, record: str | None) -> dict[str, Ran]:
    return {name: house.run(*call) for name, call in _calls(record) if not _of_files(house, name)}


@pytest.mark.parametrize(
    "role",
    [
        pytest.param(None, id="a stranger"),
        pytest.param("", id="a user without a role"),
        pytest.param("feeder", id="a user who may enter and change everything, but not look"),
    ],
)
def test_who_may_not_look_does_not_learn_what_there_is(
    sold: Story, role: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    allowed = ",".join(set(permissions.PERMISSIONS) - {permissions.VIEW, permissions.RUN_TICK})
    sold.house.add(roles.NOUN, name="feeder", permissions=allowed)
    if role is not None:
        sold.house.user("olha", name="Ольга", role=role)
    monkeypatch.setattr(caller, "os_login", lambda: "olha")
    there, missing = _results(sold.house, None), _results(sold.house, "999999")
    assert {name: ran for name, ran in (there | missing).items() if ran.code != 4} == {}
    assert there.keys() == missing.keys()
    for ran in (*there.values(), *missing.values()):
        assert (ran.out, len(ran.err.splitlines())) == ("", 1)  # one clear line each


def test_the_walk_reaches_records(sold: Story) -> None:
    missing = _results(sold.house, "999999")
    assert {name for name, ran in missing.items() if ran.code == 3} >= {
        "orders show", "orders check", "recurring pause", "payments resolve", "customers show", "explain order",
        "roles edit", "offers edit",
    }  # fmt: skip


def test_a_stranger_learns_nothing_from_a_wrong_call_and_takes_no_lock(
    sold: Story, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(caller, "os_login", lambda: "olha")
    sold.house.connection.execute("BEGIN IMMEDIATE")  # whoever wanted to write would wait
    for call in (["orders", "list", "--from", "never"], ["orders", "new", "1", "7", "-n"]):
        assert sold.house.run(*call).code == 4
    sold.house.connection.execute("ROLLBACK")


@pytest.mark.parametrize(
    ("role", "may"),
    [
        pytest.param("owner", {"orders pay", "orders …", "payments resolve", "payments confirm", "recurring …",
                               "recurring retry", "charging on"}, id="an owner"),
        pytest.param("sales-head", {"orders pay", "orders …", "payments resolve", "payments confirm", "recurring …",
                                    "recurring retry"}, id="a head of sales"),
        pytest.param("manager", {"orders pay", "payments confirm"}, id="a manager"),
        pytest.param("accountant", set(), id="an accountant"),
    ],
)  # fmt: skip
def test_nobody_is_advised_to_do_what_they_may_not(
    story: Story, role: str, may: set[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    house = story.house
    house.offer("49.00", number="7", every="1 month")
    house.offer("1000.00", number="8", name="Course", partial_min="1", partial_success="50")
    plan = story.subscribed("7")
    story.order("8")
    story.pay(story.order("7", through="Bank transfer"))
    story.pay(story.order("7", token="tok_timeout_after_charge"))
    house.connection.execute("UPDATE recurring SET status = 'failed', next_payment_at = NULL")
    house.run("charging", "off", "--reason", "a test")
    if role != "owner":
        house.user("olha", name="Ольга", role=role)
        monkeypatch.setattr(caller, "os_login", lambda: "olha")
    lines = [f"recurring {plan}", "order 2", "invoice 2", "invoice 3"]
    text = "\n".join(house.run("explain", *line.split()).out for line in lines) + house.run("doctor", "--csv").out
    offered = set(re.findall(r"salescli (?:--db \S+ )?((?:orders|payments|recurring|charging) [a-z…]+)", text))
    assert offered == may
    assert ("ask somebody with the permission" in text) is (role != "owner")
