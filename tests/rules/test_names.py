"""Names: what is one name, what is likely one, and the order of the alphabets."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from salescli.rules import names

SAME = [
    pytest.param("Ivan Petrenko", "ivan  PETRENKO", id="case and a second blank"),
    pytest.param("Ivan Petrenko", "Ivan\u00a0Petrenko", id="a blank that does not break"),
    pytest.param("Ivan Petrenko", "Ivan\u200b Petrenko\ufeff", id="marks of no width"),
    pytest.param("Йосип", "И\u0306осип", id="a letter and its mark"),
    pytest.param("Дем'яненко", "Дем’яненко", id="another apostrophe"),
    pytest.param("D'Arc", "D’ARC", id="another apostrophe in Latin"),
    pytest.param("«Курс» – 1", '"курс" - 1', id="other quotes and dashes"),
    pytest.param("Ｃｏｕｒｓｅ", "Course", id="wide letters"),
    pytest.param("Straße", "STRASSE", id="a letter that is two in capitals"),
    pytest.param("می\u200cخواهم", "میخواهم", id="a joiner"),
]


@pytest.mark.parametrize(("one", "other"), SAME)
def test_spellings_of_one_name_have_one_key(one: str, other: str) -> None:
    assert names.key(one) == names.key(other)


@pytest.mark.parametrize(
    ("one", "other"),
    [("Олена", "Олєна"), ("Гнат", "Ґнат"), ("Иван", "Іван"), ("Zoe", "Zoë"), ("Елкин", "Ёлкин"), ("кіт", "кит"),
     ("हिन्दी", "हन्द"), ("Демян", "Дем'ян")],
)  # fmt: skip
def test_different_names_have_different_keys(one: str, other: str) -> None:
    assert names.key(one) != names.key(other)


def test_names_stand_in_the_order_of_the_alphabet() -> None:
    wanted = [
        "«Акорд»", "2 кроки", "Ivan", "Łukasz", "Zoe", "Zoë", "Анна", "Гнат", "Ґанна", "Демид", "Дем'ян", "Елкин",
        "Ёлкин", "Ельвіра", "Єва", "Жанна", "Зоя", "Инна", "Іван", "Їжак", "Йосип", "Катя", "Олена",
        "Щука", "Юрій", "Яна",
    ]  # fmt: skip
    assert sorted(wanted, key=names.key) == wanted


@pytest.mark.parametrize(
    ("one", "other"), [("Ivan Petrenko", "Петренко Іван"), ("Olena Koval", "Олена Коваль"), ("Sergiy", "Сергій")]
)
def test_names_that_sound_the_same_are_likely_one(one: str, other: str) -> None:
    assert names.sounds_like(one) == names.sounds_like(other)


def test_names_that_look_the_same_are_likely_one() -> None:
    assert names.looks_like("Iван") == names.looks_like("Іван")  # the first begins with a Latin letter


@given(st.text())
def test_a_key_is_made_of_any_text_and_does_not_depend_on_marks_that_nobody_sees(name: str) -> None:
    assert names.key(name) == names.key(f"\u200b{name}\ufeff")
