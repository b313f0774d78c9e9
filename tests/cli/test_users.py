"""Users and roles: own roles, who leaves, and acting for somebody else (R78)."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from salescli.catalogue import actors, records, roles
from salescli.errors import BadData, NotFound, NotPermitted
from salescli.lists import history
from salescli.rules import permissions
from salescli.rules.permissions import Actor
from salescli.storage.history import record

if TYPE_CHECKING:
    from tests.conftest import House
    from tests.story import Story


def _edit_role(house: House, role: str, /, **words: str) -> None:
    id = roles.find(house.connection, role)["id"]
    records.edit(house.work, roles.NOUN, id, words)


# Roles


def test_a_new_file_has_the_ready_roles(house: House) -> None:
    rows = house.connection.execute("SELECT name, permissions FROM roles ORDER BY id").fetchall()
    assert {row["name"]: permissions.permissions(row["permissions"]) for row in rows} == permissions.READY


def test_an_own_role_allows_what_it_says_and_its_making_is_history(house: House) -> None:
    id = house.add(roles.NOUN, name="Night", permissions="run-tick, VIEW")
    assert house.user("nina", role="night").permissions == {permissions.VIEW, permissions.RUN_TICK}
    assert house.history("role", id)[0]["changes"] == {"name": [None, "night"], "permissions": [None, "view run-tick"]}


def test_a_change_of_a_role_counts_at_once_for_those_who_have_it(house: House) -> None:
    house.user("ivan", role="manager")
    _edit_role(house, "manager", permissions="view,enter-orders,refund")
    assert actors.acting(house.connection, "ivan").may(permissions.REFUND)


def test_a_role_that_is_renamed_stays_with_those_who_have_it(house: House) -> None:
    house.user("ivan", role="manager")
    _edit_role(house, "manager", name="seller")
    assert actors.acting(house.connection, "ivan").permissions == permissions.READY["manager"]
    assert house.count("users", "role = 'seller'") == 1


@pytest.mark.parametrize(
    ("words", "says"),
    [
        pytest.param(
            {"name": "night", "permissions": "view,fly"},
            f"there is no permission fly; there are {', '.join(permissions.PERMISSIONS)}",
            id="an unknown permission",
        ),
        pytest.param({"name": "night"}, "a role needs permissions", id="no permissions"),
        pytest.param({"name": " ", "permissions": "view"}, "name is empty", id="no name"),
        pytest.param({"name": "MANAGER", "permissions": "view"}, "exists already", id="a name in another case"),
    ],
)
def test_a_role_that_is_none_is_refused(house: House, words: dict[str, str], says: str) -> None:
    with pytest.raises(BadData, match=says):
        house.add(roles.NOUN, **words)


@pytest.mark.parametrize(
    "words",
    [
        pytest.param(
            {"permissions": ",".join(set(permissions.PERMISSIONS) - {permissions.MANAGE_USERS})}, id="one less"
        ),
        pytest.param({"permissions": ""}, id="none"),
        pytest.param({"name": "boss"}, id="another name"),
    ],
)
def test_the_owner_s_role_stays_what_it_is(house: House, words: dict[str, str]) -> None:
    with pytest.raises(BadData, match="keeps its name and every permission"):
        _edit_role(house, "owner", **words)
    assert actors.acting(house.connection, house.actor.login).permissions == set(permissions.PERMISSIONS)


def test_a_role_cannot_take_the_name_of_another(house: House) -> None:
    with pytest.raises(BadData, match="there is a role accountant already"):
        _edit_role(house, "manager", name="accountant")


def test_the_list_says_what_each_role_may(house: House) -> None:
    told = house.run("roles", "--csv", "--columns", "role,users,permissions,may").out
    assert 'manager,0,"view,enter-orders","see lists, records and reports; enter orders and payments"' in told
    assert 'cron,0,run-tick,"run tick, and control charging"' in told


def test_a_role_s_own_history_is_found_by_its_name_or_number(house: House) -> None:
    id = house.add(roles.NOUN, name="night", permissions="view")
    _edit_role(house, "manager", permissions="view")
    for words in ("night", f"{id}"):
        assert house.run("history", "role", words, "--format", "count").out == "1\n"


# Users


def test_who_leaves_is_deactivated_and_their_sales_keep_their_name(story: Story) -> None:
    house = story.house
    ivan = house.user("ivan", name="Іван", role="manager")
    house.offer("49.00", number="7")
    order = story.order("7", manager="ivan")
    assert house.run("users", "deactivate", "ivan").out == f"user {ivan.user_id} (Іван): deactivated\n"
    with pytest.raises(NotPermitted, match="ivan was deactivated"):
        actors.acting(house.connection, "ivan")
    assert story.see(order).manager_id == ivan.user_id
    assert house.history("user", ivan.user_id)[-1]["changes"] == {"active": [1, 0]}
    assert "is already inactive" in house.run("users", "deactivate", "ivan").out


def test_the_last_owner_cannot_be_deactivated(house: House) -> None:
    assert house.run("users", "deactivate", house.actor.login).code == 6
    assert actors.acting(house.connection, house.actor.login)


# Acting for somebody else


@pytest.fixture
def olena(house: House) -> Actor:
    """Olena, a manager."""
    return house.user("olena", name="Олена", role="manager")


def test_who_acts_for_another_may_what_that_one_may(house: House, olena: Actor) -> None:
    acting = actors.acting_as(house.connection, house.actor, "olena")
    assert acting.permissions == olena.permissions
    assert (acting.login, acting.user_id, acting.for_user_id) == ("olena", house.actor.user_id, olena.user_id)


def test_to_act_for_oneself_needs_no_permission(house: House, olena: Actor) -> None:
    assert actors.acting_as(house.connection, olena, "olena") == olena


def test_history_keeps_both_names(house: House, olena: Actor) -> None:
    house.offer("49.00", number="7")
    house.customer("Іван")
    assert house.run("--as", "olena", "orders", "new", "1", "7").code == 0
    line = house.history("order", 1)[0]
    assert (line["user_id"], line["for_user_id"]) == (house.actor.user_id, olena.user_id)
    assert '"Оксана Власник, as Олена"' in house.run("history", "order", "1", "--csv", "--columns", "by").out


def test_salescli_user_is_as_good_as_the_option_which_goes_first(
    house: House, olena: Actor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SALESCLI_USER", "olena")
    ran = house.run("users", "add", "x")
    assert (ran.code, "olena may not do this" in ran.err) == (4, True)
    assert house.run("--as", house.actor.login, "users", "add", "x").code == 0
    monkeypatch.setenv("SALESCLI_USER", "")
    assert house.run("users", "add", "y").code == 0


@pytest.mark.parametrize(
    ("login", "code", "says"),
    [
        pytest.param("nobody", 3, "there is no user with the login nobody", id="an unknown login"),
        pytest.param("", 3, "there is no user with the login", id="an empty word"),
        pytest.param("olena", 4, "olena was deactivated", id="one who left"),
    ],
)
def test_nobody_acts_for_who_cannot_act(house: House, olena: Actor, login: str, code: int, says: str) -> None:
    assert house.run("users", "deactivate", "olena").code == 0
    told = house.run("--as", login, "orders", "list")
    assert told.code == code
    assert (told.out, told.err.count("\n")) == ("", 1)
    assert says in told.err


def test_who_may_not_act_for_others_does_not_learn_who_there_is(house: House, olena: Actor) -> None:
    for login in (house.actor.login, "nobody"):
        with pytest.raises(NotPermitted, match="act for others"):
            actors.acting_as(house.connection, olena, login)
    with pytest.raises(NotFound):
        actors.acting_as(house.connection, house.actor, "nobody")


def test_tick_needs_the_permission_of_the_one_acted_for_and_names_all_three(house: House, olena: Actor) -> None:
    assert house.run("--as", "olena", "tick").code == 4
    house.user("cron", name="Нічний", role="cron")
    assert house.run("--as", "cron", "tick").code == 0
    as_cron = actors.acting_as(house.connection, house.actor, "cron").as_system()
    record(replace(house.work, actor=as_cron), "file", None, "ticked")
    lines = list(history.Lines(house.connection, "file", None).rows(house.zone, 1))
    assert lines[0]["by"] == "system, started by Оксана Власник, as Нічний"


def test_the_dialogue_of_check_numbers_who_may_sell_and_reads_the_numbers(story: Story) -> None:
    house = story.house
    house.user("anna", name="Анна", role="manager")
    house.user("acc", name="Бух", role="accountant")
    house.user("cron", name="Годинник", role="cron")
    house.user("ivan", name="Іван", role="manager")
    house.offer("49.00", number="7")
    for _ in range(4):
        story.pay(story.order("7"))
    asked = house.run.typed("orders", "check", "1", answer="2\n")
    lines = [line.strip() for line in asked.splitlines() if " sale" in line.lower() and line.startswith("  ")]
    assert [line.split("  ")[0] for line in lines] == ["1", "2", "3", "4"]
    assert not [line for line in lines if "Бух" in line or "Годинник" in line]
    assert lines[-1] == "4  System sale"
    second = lines[1].split("Sale by ")[1].split(" (")[0]
    assert house.run("orders", "show", "1", "--json").json["manager"] == second
    house.run.typed("orders", "check", "2", answer="4\n")
    house.run.typed("orders", "check", "3", answer="acc\n")
    shown = {row["order"]: row["manager"] for row in house.run("orders", "list", "--confirmed", "--csv").rows}
    assert (shown["2"], shown["3"]) == ("system", "Бух")  # a name that is not offered is taken as well
    for answer, says in (("n\n", "nothing was changed"), ("9\n", "there is no line 9"), ("0\n", "there is no line 0")):
        assert says in house.run.typed("orders", "check", "4", answer=answer)
    assert "4" not in house.run("orders", "list", "--confirmed", "-q").out.split()


def test_who_sells_follows_the_role_until_somebody_says_otherwise(house: House) -> None:
    def selling() -> dict[str, str]:
        return {row["login"]: row["sells"] for row in house.run("users", "list", "--csv").rows}

    house.user("anna", role="manager", name="Анна")
    house.user("acc", role="accountant", name="Бух")
    house.user("guest", name="Гість")
    assert (selling()["anna"], selling()["acc"], selling()["guest"]) == ("yes", "no", "yes")
    assert house.run("users", "edit", "acc", "--sells").code == 0
    assert house.run("users", "edit", "acc", "--name", "Бухгалтер").code == 0
    assert house.run("users", "edit", "anna", "--role", "accountant").code == 0
    assert house.run("users", "edit", "guest", "--no-sells").code == 0
    assert (selling()["anna"], selling()["acc"], selling()["guest"]) == ("no", "yes", "no")
    assert house.run("users", "import", "-", "--update", stdin="login,role,sells\nanna,manager,no\n").code == 0
    assert selling()["anna"] == "no"
