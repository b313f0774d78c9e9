"""What is final asks on a terminal: every command that writes either asks, or can be undone by another."""

from __future__ import annotations

import pytest

from tests.cli.test_bulk import state
from tests.project.test_architecture import COMMANDS
from tests.story import Story

# command -> a call that is possible in the shop below
FINAL = {
    "orders cancel": "orders cancel 4 --reason x",
    "orders confirm": "orders confirm 1",
    "orders decline": "orders decline 1 --reason x",
    "orders refund": "orders refund 2",
    "payments confirm": "payments confirm 4",
    "payments decline": "payments decline 4",
    "payments resolve": "payments resolve 5 --succeeded --reason x",
    "recurring complete": "recurring complete 1",
    "customers merge": "customers merge 1 2",
    "customers erase": "customers erase 2",
    "categories merge": "categories merge A B",
    "offers merge": "offers merge 8 7",
    "payment-systems merge": "payment-systems merge Till Cash",
    "users merge": "users merge ivan maria",
    "restore": "restore BACKUP",
}
# command -> what undoes it, or why there is nothing to undo
NOT_FINAL = {
    "adopt": "adopt on the other machine",
    "categories add": "categories edit --no-active",
    "categories edit": "categories edit",
    "categories import": "categories edit",
    "charging limit": "charging limit",
    "charging off": "charging on",
    "charging on": "charging off",
    "charging resume": "charging off",
    "cron": "cron --remove",
    "customers add": "customers edit",
    "customers edit": "customers edit",
    "customers import": "customers edit",
    "close": "reopen",
    "customers save-token": "customers forget-token",
    "customers forget-token": "customers save-token",
    "customers plan": "customers unplan",
    "customers unplan": "customers plan",
    "gateway-sync": "it records what the payment system did",
    "hooks add": "hooks remove",
    "hooks edit": "hooks edit",
    "hooks remove": "hooks add",
    "move": "move, back",
    "notify": "it tells what happened, and changes nothing of it",
    "import orders": "import orders --update",
    "import recurring": "import recurring --update",
    "offers add": "offers edit --no-active",
    "offers edit": "offers edit",
    "offers import": "offers edit",
    "orders assign": "orders assign",
    "orders check": "orders check --reconfirm",
    "orders instalments": "orders instalments",
    "orders edit": "orders edit",
    "orders new": "nothing is charged",
    "orders note": "a line of history changes nothing",
    "orders pay": "orders refund",
    "orders sell": "orders refund",
    "payment-systems add": "payment-systems edit",
    "payment-systems check": "it refunds what it charges, and asks where that is real money",
    "payment-systems edit": "payment-systems edit",
    "payment-systems import": "payment-systems edit",
    "payments undo": "payments confirm, or payments decline",
    "rebuild-totals": "it computes what follows from the rows",
    "reconcile": "it changes nothing without --apply, which says what it will write",
    "recurring activate": "recurring pause",
    "recurring edit": "recurring edit",
    "recurring pay": "payments undo",
    "recurring pause": "recurring activate",
    "recurring retry": "recurring pause",
    "reopen": "close",
    "roles add": "roles edit",
    "roles edit": "roles edit",
    "roles import": "roles edit",
    "tick": "orders refund",
    "upgrade": "restore",
    "users add": "users deactivate",
    "users deactivate": "users edit --active",
    "users edit": "users edit",
    "users import": "users edit",
    "users share": "users share",
}


@pytest.fixture
def sold(story: Story) -> Story:
    """Order 1 is partly paid, 2 paid, 3 began a recurring order; invoice 4 waits, 5 has no known outcome."""
    house = story.house
    house.customer("Марія")
    house.offer("1000.00", number="8", name="Course", partial_min="1", partial_success="50")
    house.offer("49.00", number="7")
    house.offer("9.00", number="9", name="Club", every="1 month")
    for name in ("A", "B"):
        house.category(name)
    for name in ("Till", "Cash"):
        house.payment_system(name, gateway="manual")
    for login in ("ivan", "maria"):
        house.user(login, name=login.capitalize())
    story.pay(story.order("8"), amount="600.00")
    story.pay(story.order("7"))
    story.subscribed("9")
    story.pay(story.order("7", through="Bank transfer"))
    story.pay(story.order("7", token="tok_timeout_after_charge"))
    return story


OF_FILES = {"restore": pytest.mark.of_files("a restore replaces it")}


@pytest.mark.parametrize("command", [pytest.param(name, marks=OF_FILES.get(name, ())) for name in FINAL])
def test_what_is_final_asks_on_a_terminal_and_a_no_changes_nothing(sold: Story, command: str) -> None:
    before = state(sold.house.connection)
    backup = sold.house.path.with_name("backup.db")
    backup.touch()
    shown = sold.house.run.typed(*FINAL[command].replace("BACKUP", str(backup)).split(), answer="n\n")
    assert shown.count("[y/N]") == 1, shown
    assert "salescli: nothing was changed" in shown
    assert "interrupted" not in shown
    assert state(sold.house.connection) == before


@pytest.mark.parametrize("command", ["orders decline", "payments confirm", "payments resolve"])
def test_yes_leaves_the_question_out(sold: Story, command: str) -> None:
    before = state(sold.house.connection)
    assert "[y/N]" not in sold.house.run.typed(*FINAL[command].split(), "--yes")
    assert state(sold.house.connection) != before


def test_every_command_that_can_write_is_known_as_final_or_not() -> None:
    """A command that writes has a dry run, asks, or both."""
    writing = {
        " ".join(path)
        for path, command in COMMANDS
        if path != ("init",) and {"dry_run", "yes"} & {param.name for param in command.params}
    }
    assert writing == FINAL.keys() | NOT_FINAL.keys()
    assert not FINAL.keys() & NOT_FINAL.keys()
