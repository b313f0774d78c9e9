"""Text from outside: cleaned, bounded, and refused with a reason."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from salescli.errors import BadData
from salescli.rules import text

CARD = "4111111111111111"  # the test card of every payment system; passes the Luhn check


def luhn_passes(digits: str) -> bool:
    """Tell by the textbook's rule, from the left: double every digit whose place from the right is even."""
    values = [int(d) * (2 if (len(digits) - i) % 2 == 0 else 1) for i, d in enumerate(digits)]
    return sum(v // 10 + v % 10 for v in values) % 10 == 0


@pytest.mark.parametrize(
    ("given_text", "kept"),
    [
        pytest.param("  Олена ", "Олена", id="spaces around it are taken off"),
        pytest.param("Мари\u0438\u0306", "Мари\u0439", id="a letter in two parts becomes one letter"),
        pytest.param("José", "José", id="a Latin accent too"),
        pytest.param("two\nlines\tand a tab", "two\nlines\tand a tab", id="line ends and tabs stay"),
        pytest.param("李 小龍 🎉", "李 小龍 🎉", id="any script stays as it is"),
        pytest.param("x" * 500, "x" * 500, id="500 characters are kept"),
    ],
)
def test_text_is_cleaned(given_text: str, kept: str) -> None:
    assert text.text(given_text, "name") == kept


@pytest.mark.parametrize(
    ("given_text", "says"),
    [
        pytest.param("", "name is empty", id="nothing"),
        pytest.param(" \t\n", "name is empty", id="only spaces"),
        pytest.param("x" * 501, "501 characters; at most 500", id="too long"),
        pytest.param("a\0b", "control character", id="NUL"),
        pytest.param("a\x1b[31mb", "control character", id="a terminal's escape"),
        pytest.param("a\rb", "control character", id="a carriage return"),
        pytest.param("a\x7fb", "control character", id="delete"),
        pytest.param("a\x9bb", "control character", id="a C1 control"),
        pytest.param("a\ud800b", "control character", id="half a surrogate pair"),
        pytest.param("a\udcffb", "control character", id="a byte that is not UTF-8"),
        pytest.param(f"card {CARD}", "looks like a card number", id="a card number"),
    ],
)
def test_text_that_cannot_be_kept_is_refused(given_text: str, says: str) -> None:
    with pytest.raises(BadData, match=says):
        text.text(given_text, "name")


def test_free_text_may_be_empty() -> None:
    assert text.free_text("  ", "comment") == ""


@given(st.text(alphabet=st.characters(exclude_categories=["Cc", "Cs", "Nd"]), max_size=100))
def test_clean_text_stays_the_same_when_cleaned_again(given_text: str) -> None:
    once = text.free_text(given_text, "comment")
    assert text.free_text(once, "comment") == once == unicodedata.normalize("NFC", once)


@pytest.mark.parametrize(
    ("given_text", "holds"),
    [
        pytest.param(CARD, True, id="sixteen digits in a row"),
        pytest.param("4111 1111 1111 1111", True, id="in groups of four"),
        pytest.param("4111-1111-1111-1111", True, id="with dashes"),
        pytest.param(f"paid with {CARD}, thanks", True, id="inside a sentence"),
        pytest.param("378282246310005", True, id="fifteen digits of American Express"),
        pytest.param("4222222222222", True, id="thirteen digits"),
        pytest.param("6304000000000000000", True, id="nineteen digits"),
        pytest.param(f"order 17 {CARD}", True, id="after another number"),
        pytest.param("4111 1111 1111 1111 12/27", True, id="followed by its expiry"),
        pytest.param("4111 1111 1111 1111 123", True, id="followed by its check digits"),
        pytest.param("4111\u00a01111\u202f1111\u20111111", True, id="with the spaces and hyphens of a word processor"),
        pytest.param("４１１１１１１１１１１１１１１１", True, id="in wide digits"),
        pytest.param("2026-03-01 - 2026-04-14", False, id="two days with a dash between them"),
        pytest.param("4111111111111112", False, id="a wrong check digit"),
        pytest.param("0 12 34 56 78 9", False, id="too few digits"),
        pytest.param("+380 50 123 45 67", False, id="a phone number"),
        pytest.param("1" * 20, False, id="twenty digits are no card number"),
        pytest.param("4111.1111.1111.1111", True, id="groups with dots"),
        pytest.param("4111/1111/1111/1111", True, id="groups with strokes"),
        pytest.param("4111_1111_1111_1111", True, id="groups with low lines"),
        pytest.param("4111  1111  1111  1111", True, id="groups with two spaces"),
        pytest.param("4111\t1111\t1111\t1111", True, id="groups from cells of a table"),
        pytest.param("4111\n1111\n1111\n1111", True, id="a group on each line"),
        pytest.param("4111 - 1111 - 1111 - 1111", True, id="groups with dashes between spaces"),
        pytest.param("3782.822463.10005", True, id="the three groups of American Express"),
        pytest.param("2026.4111.1111.1111.1111", True, id="a year before groups with dots"),
        pytest.param("4111\u200b11111111\u20601111", True, id="characters without width between digits"),
        pytest.param("4111 \u200b1111 \u200b1111 \u200b1111", True, id="spaces with characters without width"),
        pytest.param("4111.1111/1111.1111", False, id="groups apart by this and that"),
        pytest.param("2026.03.01 - 2026.03.04", False, id="two days with dots"),
        pytest.param("203.0.113.17/4111.1111", False, id="an address"),
        pytest.param("411111.11111.11111", False, id="digits apart by periods, not as on a card"),
        pytest.param("", False, id="nothing"),
    ],
)
def test_a_card_number_is_recognized(given_text: str, holds: bool) -> None:
    assert text.holds_card_number(given_text) is holds


@given(st.text("0123456789", min_size=13, max_size=19))
def test_digits_pass_as_a_card_number_exactly_by_the_luhn_check(digits: str) -> None:
    assert text.holds_card_number(digits) is luhn_passes(digits)


@pytest.mark.parametrize(
    ("given_text", "shown"),
    [
        pytest.param(f"paid with {CARD}, thanks", "paid with (card number), thanks", id="in a sentence"),
        pytest.param(f"/mnt/{CARD}.csv", "/mnt/(card number).csv", id="in a path"),
        pytest.param("4111 1111 1111 1111 12/27", "(card number) 12/27", id="its expiry stays"),
        pytest.param(f"17 {CARD} {CARD} 4", "17 (card number) (card number) 4", id="twice, beside other numbers"),
        pytest.param("+380 50 123 45 67", "+380 50 123 45 67", id="a phone number stays"),
    ],
)
def test_a_card_number_is_masked(given_text: str, shown: str) -> None:
    assert text.masked(given_text) == shown


@given(st.text(st.sampled_from("0123456789 -a")))
def test_what_is_masked_holds_no_card_number_and_all_else(given_text: str) -> None:
    assert not text.holds_card_number(text.masked(given_text))
    if not text.holds_card_number(given_text):
        assert text.masked(given_text) == given_text


@pytest.mark.parametrize(("given_text", "number"), [("1", 1), ("007", 7), ("1000000", 1_000_000)])
def test_a_whole_number(given_text: str, number: int) -> None:
    assert text.whole_number(given_text, "quantity") == number


@pytest.mark.parametrize("given_text", ["", "0", "-1", "1.0", "1_0", "٣", "1000001", " 1", "1\n", "1e3", "9" * 5000])
def test_what_is_no_whole_number_is_refused(given_text: str) -> None:
    with pytest.raises(BadData, match="is not a quantity; give a whole number from 1 to 1000000"):
        text.whole_number(given_text, "quantity")


@pytest.mark.parametrize(
    ("given_text", "means"),
    [("yes", True), ("True", True), ("1", True), ("no", False), ("FALSE", False), ("0", False), (" Yes ", True)],
)
def test_yes_and_no_in_any_case(given_text: str, means: bool) -> None:
    assert text.yes_no(given_text, "active") is means


@pytest.mark.parametrize("given_text", ["", "y", "on", "2", "так"])
def test_what_is_neither_yes_nor_no_is_refused(given_text: str) -> None:
    with pytest.raises(BadData, match="write yes or no"):
        text.yes_no(given_text, "active")


def test_a_word_of_a_list_is_taken_in_any_case() -> None:
    assert text.one_of(" Owner ", ("owner", "seller"), "role") == "owner"
    with pytest.raises(BadData, match="'boss' is not a role; write one of owner, seller"):
        text.one_of("boss", ("owner", "seller"), "role")


@pytest.mark.parametrize(
    ("given_text", "kept"),
    [("Olena@Example.com ", "olena@example.com"), ("a@b", "a@b"), ("олена@приклад.укр", "олена@приклад.укр")],
)
def test_an_address_is_kept_in_lower_case(given_text: str, kept: str) -> None:
    assert text.email(given_text) == kept


@pytest.mark.parametrize("given_text", ["", "olena", "@b", "a@", "a@b@c", "a b@c", "a@b c", "a\0@b"])
def test_what_is_no_address_is_refused(given_text: str) -> None:
    with pytest.raises(BadData):
        text.email(given_text)
