"""Orders found by the words that people have for them: our number, another program's, with its source if need be."""

from __future__ import annotations

import pytest

from salescli.errors import NotFound
from salescli.sales import orders
from tests.story import Story


@pytest.fixture
def known_elsewhere(story: Story) -> Story:
    """Four orders, of which all but the first have numbers elsewhere."""
    story.house.offer("20.00", number="8")
    for source, number in ((None, None), ("shop", "A1"), ("site", "A1"), ("shop", "B:2")):
        order = story.order("8")
        story.house.connection.execute(
            "UPDATE orders SET source = ?, source_number = ? WHERE id = ?", (source, number, order.id)
        )
    return story


@pytest.mark.parametrize(
    ("words", "id"),
    [("1", 1), ("shop:A1", 2), ("site:A1", 3), ("B:2", 4), ("shop:B:2", 4)],
    ids=["ours", "with its source", "with the other source", "a number with a colon", "and with its source"],
)
def test_an_order_is_found(known_elsewhere: Story, words: str, id: int) -> None:
    assert orders.find(known_elsewhere.house.connection, words).id == id


@pytest.mark.parametrize(
    ("words", "says"),
    [
        ("5", "there is no order 5"),
        ("shop:C3", "there is no order shop:C3"),
        ("A1", "2 orders from other systems have the number A1: shop:A1, site:A1; give one of these"),
    ],
)
def test_an_order_is_not_found(known_elsewhere: Story, words: str, says: str) -> None:
    with pytest.raises(NotFound, match=says):
        orders.find(known_elsewhere.house.connection, words)
