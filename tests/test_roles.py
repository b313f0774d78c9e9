"""Roles: every command, tried by every ready role, against one table of who may do what (R39, R40, R56)."""

from __future__ import annotations

import os

import pytest

from salescli import roles
from salescli.cli import session
from tests.story import Story

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
    "customers show 1": READERS,
    "orders show 1": READERS,
    "history": READERS,
    "history order 1": READERS,
    "todo": READERS,
    "explain order 1": READERS,
    "charging status": READERS,
    "orders new 1 7 -n": SELLERS,
    "orders pay 2 -n": SELLERS,
    "payments confirm 1 -n": SELLERS,
    "payments resolve 1 --succeeded --reason x -n": SELLERS,
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
    "offers add X --price 1 -n": HEADS,
    "offers edit 7 --price 1 -n": HEADS,
    "categories add X -n": HEADS,
    "payment-systems edit Sandbox --fee 1 -n": HEADS,
    "customers add X -n": HEADS,
    "customers merge 1 2 -n": HEADS,
    "customers erase 1 -n": OWNER,
    "import orders /dev/null -n": HEADS,
    "users add x -n": OWNER,
    "users edit ivan --role owner -n": OWNER,
    "tick -n": {"owner", "cron"},
    "adopt -n": {"owner", "cron"},
    "charging off --reason x -n": {"owner", "cron"},
    "help": EVERYBODY,
}


@pytest.fixture
def shop(story: Story) -> Story:
    """A plan, an order that is open, and a manager called Ivan."""
    story.house.offer("49.00", number="7", every="1 month")
    story.house.user("ivan", name="Іван")
    story.subscribed("7")
    story.order("7")
    return story


@pytest.mark.parametrize("role", sorted(EVERYBODY))
def test_a_role_may_do_what_its_permissions_say_and_nothing_else(
    shop: Story, role: str, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    shop.house.user("olha", name="Ольга", **({"role": role} if role else {}))
    monkeypatch.setattr(session, "os_login", lambda: "olha")
    before = shop.house.path.read_bytes()
    told = {}
    for command in TABLE:
        told[command] = session.run(["--db", os.fspath(shop.house.path), *command.split()])
        capfd.readouterr()
    refused = {command for command, code in told.items() if code == 4}
    assert refused == {command for command, allowed in TABLE.items() if role not in allowed}
    assert shop.house.path.read_bytes() == before


def test_every_permission_is_somebody_s() -> None:
    assert set().union(*roles.ROLES.values()) == set(roles.PERMISSIONS)
    assert roles.ROLES[roles.OWNER] == set(roles.PERMISSIONS)
