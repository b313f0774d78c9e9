"""todo: everything that waits for a person and nothing else, the most money first, each with its command."""

from __future__ import annotations

import shlex

from salescli import todo
from salescli.cli import session
from tests.story import Story


def _list(shop: Story) -> list[tuple[object, ...]]:
    return [(row["what"], row["number"], row["amount"]) for row in todo.waiting(shop.house.connection, None)]


def test_what_waits_is_listed_by_its_money_and_its_command_ends_it(story: Story) -> None:
    house = story.house
    house.offer("49.00", number="7", every="1 month")
    house.offer("1000.00", number="8", name="Course", partial_min="1", partial_success="50")
    story.pay(story.order("8"), amount="499.99")
    assert _list(story) == []
    story.pay(story.order("8"), amount="500.00")
    story.pay(story.order("7"))
    story.pay(story.order("7", through="Bank transfer"))
    house.connection.execute("UPDATE recurring SET status = 'failed', next_payment_at = NULL")
    assert _list(story) == [
        ("partial order to confirm", 2, 50000),
        ("failed recurring order", 1, 4900),
        ("unconfirmed sale", 3, 4900),
        ("payment to confirm", 4, 4900),
    ]
    for row in todo.waiting(house.connection, None):
        command = shlex.split(str(row["command"]))[1:]
        more = ["--yes"] if command[1] == "check" else []
        assert session.run(["--db", str(house.path), *command, *more]) == 0, command
    # What was done is off the list; confirming the payments made two sales that are not confirmed yet.
    assert {what for what, _, _ in _list(story)} == {"unconfirmed sale"}
