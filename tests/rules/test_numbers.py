"""Numbers: which words name a record, and how counts read."""

from __future__ import annotations

import pytest

from salescli.rules import numbers


@pytest.mark.parametrize(
    ("words", "is_one"),
    [
        pytest.param("1", True, id="a digit"),
        pytest.param("0017", True, id="leading zeros"),
        pytest.param("9" * 17, True, id="the longest"),
        pytest.param("9" * 18, False, id="a longer one"),
        pytest.param("", False, id="nothing"),
        pytest.param("-1", False, id="a sign"),
        pytest.param("1.5", False, id="a fraction"),
        pytest.param("١٢", False, id="digits that are not ASCII"),
        pytest.param("²", False, id="a superscript"),
        pytest.param("A-17", False, id="a number elsewhere"),
    ],
)
def test_a_record_s_number_is_a_few_ascii_digits(words: str, is_one: bool) -> None:
    assert numbers.is_record_number(words) is is_one


@pytest.mark.parametrize(
    ("number", "noun", "told"),
    [
        (0, "order", "0 orders"),
        (1, "order", "1 order"),
        (2, "recurring order", "2 recurring orders"),
        (1, "category", "1 category"),
        (3, "category", "3 categories"),
        (2, "day", "2 days"),
    ],
)
def test_a_count_has_its_noun_in_the_right_number(number: int, noun: str, told: str) -> None:
    assert numbers.count(number, noun) == told
    assert numbers.singular(numbers.plural(noun)) == noun


def test_a_plural_that_is_not_regular_is_given() -> None:
    assert numbers.count(1, "total was wrong", "totals were wrong") == "1 total was wrong"
    assert numbers.count(2, "total was wrong", "totals were wrong") == "2 totals were wrong"


def test_a_question_counts_only_several() -> None:
    assert numbers.these(1, "order") == "this order"
    assert numbers.these(2, "order") == "these 2 orders"
