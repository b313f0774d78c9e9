"""No question is asked about what would be refused whatever the answer."""

from __future__ import annotations

import pytest

from tests.conftest import House


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("customers merge 1 olena@example.com", "both are customer Olena (1); there is nothing to merge"),
        ("offers merge 7 Drawing", "both are offer Drawing (7); there is nothing to merge"),
    ],
)
def test_a_record_is_not_merged_into_itself_after_a_question(house: House, line: str, says: str) -> None:
    house.run("customers", "add", "Olena", "--email", "olena@example.com")
    house.run("offers", "add", "Drawing", "--number", "7", "--price", "1")
    refused = house.run(*line.split())
    assert (refused.code, refused.err) == (2, f"salescli: {says}\n")
