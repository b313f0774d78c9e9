"""Money: amounts are read and written without loss, and rounded once, half up."""

from __future__ import annotations

import re
from fractions import Fraction
from math import floor

import iso4217
import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from salescli.errors import BadData
from salescli.rules import money
from salescli.rules.money import EXPONENTS, LAST_DAY, MINOR_MAX, PPM

currencies = st.sampled_from(sorted(EXPONENTS))
amounts = st.integers(0, MINOR_MAX)
ppms = st.integers(0, PPM)
rates = st.from_regex(r"[0-9]{1,9}(\.[0-9]{1,12})?", fullmatch=True, alphabet="0123456789.").filter(
    lambda rate: Fraction(rate) > 0
)


def half_up(exact: Fraction) -> int:
    return floor(exact + Fraction(1, 2))


def test_the_currencies_are_those_of_iso_4217_with_their_decimals() -> None:
    assert {c.code: c.exponent for c in iso4217.Currency if c.exponent is not None} == {
        code: exponent for code, exponent in EXPONENTS.items() if code not in LAST_DAY
    }


@given(minor=amounts)
@example(minor=0)
@example(minor=1)
@example(minor=MINOR_MAX)
def test_an_amount_written_and_read_again_is_the_same_in_every_currency(minor: int) -> None:
    again = {currency: money.parse(money.text(minor, currency), currency) for currency in EXPONENTS}
    assert again == dict.fromkeys(EXPONENTS, minor)


@given(minor=st.integers(-MINOR_MAX, MINOR_MAX), currency=currencies)
def test_a_text_has_the_value_of_the_amount_and_the_currencys_decimals(minor: int, currency: str) -> None:
    text = money.text(minor, currency)
    assert Fraction(text) == Fraction(minor, 10 ** EXPONENTS[currency])
    assert len(text.partition(".")[2]) == EXPONENTS[currency]


@pytest.mark.parametrize(
    ("given_text", "currency", "minor"),
    [
        pytest.param("49", "EUR", 4900, id="whole euros need no decimals"),
        pytest.param("49.5", "EUR", 4950, id="one decimal is tenths"),
        pytest.param("49.05", "EUR", 4905, id="two decimals are cents"),
        pytest.param("0", "EUR", 0, id="a price of nothing is an amount"),
        pytest.param("007.10", "EUR", 710, id="leading zeros mean nothing"),
        pytest.param("4900", "JPY", 4900, id="yen have no decimals"),
        pytest.param("1.234", "KWD", 1234, id="dinars have three decimals"),
        pytest.param("1.2345", "CLF", 12345, id="CLF has four decimals"),
        pytest.param("1000000000000.00", "EUR", MINOR_MAX, id="the largest amount is taken"),
        pytest.param("45.0000", "EUR", 4500, id="zeros beyond the decimals of a euro mean nothing"),
        pytest.param("10.010", "USD", 1001, id="a zero behind the cents means nothing"),
        pytest.param("2985.00", "JPY", 2985, id="decimals of a yen that are zero mean nothing"),
        pytest.param(f"1.5{'0' * 30}", "EUR", 150, id="any number of zeros means nothing"),
    ],
)
def test_reading_an_amount(given_text: str, currency: str, minor: int) -> None:
    assert money.parse(given_text, currency) == minor


@pytest.mark.parametrize(
    ("given_text", "currency"),
    [
        pytest.param("", "EUR", id="nothing is not an amount"),
        pytest.param("-1", "EUR", id="a sign is refused"),
        pytest.param("+1", "EUR", id="a plus is refused"),
        pytest.param(" 1", "EUR", id="spaces are refused"),
        pytest.param("1\n", "EUR", id="a line end is refused"),
        pytest.param("1,50", "EUR", id="a decimal comma is refused"),
        pytest.param("1 000", "EUR", id="a thousands separator is refused"),
        pytest.param("1_000", "EUR", id="an underscore is refused"),
        pytest.param("1e5", "EUR", id="an exponent is refused"),
        pytest.param("NaN", "EUR", id="NaN is refused"),
        pytest.param("Infinity", "EUR", id="infinity is refused"),
        pytest.param("１２", "EUR", id="full-width digits are refused"),
        pytest.param("٣", "EUR", id="Arabic digits are refused"),
        pytest.param(".5", "EUR", id="a bare fraction is refused"),
        pytest.param("5.", "EUR", id="a bare period is refused"),
        pytest.param("€5", "EUR", id="a currency sign is refused"),
        pytest.param("1.005", "EUR", id="a third decimal of a euro is refused, not rounded"),
        pytest.param("1.0050", "EUR", id="a zero behind a third decimal does not make it right"),
        pytest.param("1.5", "JPY", id="a decimal of a yen is refused"),
        pytest.param("1.000.00", "EUR", id="zeros after a separator are refused"),
        pytest.param("1000000000000.01", "EUR", id="more than the largest amount is refused"),
        pytest.param("100000000000001", "JPY", id="more than the largest amount of yen is refused"),
        pytest.param("9" * 200, "EUR", id="a very long number is refused"),
    ],
)
def test_what_is_not_an_amount_is_refused(given_text: str, currency: str) -> None:
    with pytest.raises(BadData):
        money.parse(given_text, currency)


@given(st.text(max_size=12), currencies)
def test_any_text_is_an_amount_or_bad_data(given_text: str, currency: str) -> None:
    try:
        minor = money.parse(given_text, currency)
    except BadData:
        return
    assert Fraction(given_text) * 10 ** EXPONENTS[currency] == minor


@pytest.mark.parametrize(
    ("currency", "says"),
    [("JPY", "no decimals"), ("EUR", "at most 2 decimals"), ("KWD", "at most 3 decimals")],
)
def test_too_many_decimals_are_told_with_what_the_currency_has(currency: str, says: str) -> None:
    with pytest.raises(BadData, match=says):
        money.parse("1.23456", currency)


def test_one_decimal_too_many_is_one_decimal() -> None:
    with pytest.raises(BadData, match=r"1\.5 JPY has 1 decimal; JPY has no decimals"):
        money.parse("1.5", "JPY")


@pytest.mark.parametrize("word", ["eur", " EUR ", "Eur"])
def test_a_currency_is_known_in_any_case(word: str) -> None:
    assert money.currency_code(word) == "EUR"


@pytest.mark.parametrize("word", ["", "EURO", "€", "XAU", "HRK", "ЕUR"], ids=ascii)
def test_what_is_no_currency_in_use_is_refused(word: str) -> None:
    with pytest.raises(BadData, match="not a currency in use"):
        money.currency_code(word)


@pytest.mark.parametrize(
    ("word", "ppm"),
    [
        ("2.9%", 29_000),
        ("2.9", 29_000),
        (" 2.9 % ", 29_000),
        ("0", 0),
        ("100%", PPM),
        ("0.0001", 1),
        ("33.3333%", 333_333),
        ("2.900000%", 29_000),
    ],
)
def test_a_percentage_is_kept_in_parts_per_million(word: str, ppm: int) -> None:
    assert money.parse_percent(word) == ppm


@pytest.mark.parametrize("word", ["", "%", "-1", "100.0001", "101", "2,9", "1e1", "0.00001", "٣", "2.9%%"])
def test_what_is_no_percentage_is_refused(word: str) -> None:
    with pytest.raises(BadData, match="not a percentage"):
        money.parse_percent(word)


@given(ppms)
def test_a_percentage_written_and_read_again_is_the_same(ppm: int) -> None:
    text = money.percent_text(ppm)
    assert money.parse_percent(text) == ppm
    assert re.fullmatch(r"\d+(\.\d*[1-9])?", text)  # no needless zeros


@given(amounts, ppms)
@example(1, 500_000)
@example(MINOR_MAX, 1)
def test_a_share_of_an_amount_is_rounded_half_up(minor: int, ppm: int) -> None:
    assert money.share_of(minor, ppm) == half_up(Fraction(minor * ppm, PPM))


@given(part=amounts, whole=st.integers(1, MINOR_MAX))
@example(part=1, whole=3)
@example(part=1, whole=2_000_000)
def test_a_part_in_parts_per_million_is_rounded_half_up(part: int, whole: int) -> None:
    assert money.share(part, whole) == half_up(Fraction(part * PPM, whole))


def test_all_of_nothing_is_the_whole_of_it() -> None:
    assert money.share(0, 0) == PPM


@pytest.mark.parametrize(
    ("minor", "ppm", "fixed", "commission"),
    [
        pytest.param(10_000, 29_000, 30, 320, id="a percentage and a fixed part add up"),
        pytest.param(50, 10_000, 0, 1, id="half a cent is rounded up"),
        pytest.param(49, 10_000, 0, 0, id="less than half a cent is nothing"),
        pytest.param(20, 29_000, 30, 20, id="a commission is never more than the amount"),
        pytest.param(0, 29_000, 30, 0, id="nothing paid has no commission"),
    ],
)
def test_a_commission(minor: int, ppm: int, fixed: int, commission: int) -> None:
    assert money.fee(minor, ppm, fixed) == commission


@pytest.mark.parametrize("rate", ["0.9215", "1", "40", "0.000000000001", "999999999.999999999999"])
def test_a_rate_is_kept_as_it_was_written(rate: str) -> None:
    assert money.parse_rate(rate) == rate


def test_a_rate_is_kept_without_zeros_that_no_rate_needs() -> None:
    assert money.parse_rate("0.921500000000000000") == "0.921500000000"
    assert money.parse_rate("40.0") == "40.0"


@pytest.mark.parametrize(
    "rate", ["", "0", "0.000", "-1", "1e3", "1,5", ".5", "NaN", "1_0", "١", "0.0000000000001", "1 "]
)
def test_what_is_no_positive_rate_is_refused(rate: str) -> None:
    with pytest.raises(BadData, match="not a rate"):
        money.parse_rate(rate)


@given(minor=amounts, currency=currencies, rate=rates, into=currencies)
@example(minor=1, currency="EUR", rate="0.5", into="EUR")
@example(minor=99_999_999_999_999, currency="CLF", rate="5100.000000000001", into="JPY")  # 30 digits, just below a half
def test_a_conversion_is_exact_and_then_rounded_half_up(minor: int, currency: str, rate: str, into: str) -> None:
    exact = Fraction(minor, 10 ** EXPONENTS[currency]) * Fraction(rate) * 10 ** EXPONENTS[into]
    assume(exact < MINOR_MAX)
    assert money.convert(minor, currency, rate, into) == half_up(exact)


@given(minor=amounts, currency=currencies, rate=rates, into=currencies)
@example(minor=1, currency="EUR", rate="2", into="EUR")
def test_the_way_back_is_exact_and_then_rounded_half_up(minor: int, currency: str, rate: str, into: str) -> None:
    exact = Fraction(minor, 10 ** EXPONENTS[currency]) / Fraction(rate) * 10 ** EXPONENTS[into]
    assume(exact < MINOR_MAX)
    assert money.convert_back(minor, currency, rate, into) == half_up(exact)


@pytest.mark.parametrize(
    ("minor", "currency", "rate", "into", "converted"),
    [
        pytest.param(10_000, "USD", "0.9215", "EUR", 9215, id="100 USD at 0.9215 are 92.15 EUR"),
        pytest.param(5000, "JPY", "0.0061", "EUR", 3050, id="5000 yen at 0.0061 are 30.50 EUR"),
        pytest.param(100, "EUR", "163.5", "JPY", 164, id="half a yen is rounded up"),
        pytest.param(1000, "KWD", "2.99", "EUR", 299, id="three decimals become two"),
    ],
)
def test_conversions(minor: int, currency: str, rate: str, into: str, converted: int) -> None:
    assert money.convert(minor, currency, rate, into) == converted
