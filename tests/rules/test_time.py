"""Time: UTC inside, the account's zone at the edges, through every change of the clocks."""

from __future__ import annotations

from datetime import date, datetime, timedelta, timezone
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from salescli.errors import BadData, DamagedValue
from salescli.rules import time
from tests.conftest import KYIV, NOW

UTC = timezone.utc
# Half-hour changes, quarter-hour offsets, changes at midnight and a skipped day (Apia, 30 December 2011).
ZONES = [
    "UTC",
    "Europe/Kyiv",
    "America/New_York",
    "America/Havana",
    "America/Sao_Paulo",
    "Asia/Beirut",
    "Asia/Kathmandu",
    "Australia/Lord_Howe",
    "Pacific/Apia",
]
zones = st.sampled_from(ZONES).map(ZoneInfo)
moments = st.datetimes(datetime(1900, 1, 2), datetime(8999, 12, 30), timezones=st.just(UTC)).map(
    lambda moment: moment.replace(microsecond=0)
)
days = st.dates(date(1970, 1, 2), date(2050, 12, 30))


def test_now_is_aware_utc_of_whole_seconds_and_not_in_the_past() -> None:
    before = datetime.now(UTC).replace(microsecond=0)
    now = time.now()
    assert before <= now <= datetime.now(UTC)
    assert (now.tzinfo, now.microsecond) == (UTC, 0)


@given(moments)
def test_an_instant_written_and_read_again_is_the_same(moment: datetime) -> None:
    text = time.utc_text(moment)
    assert time.from_text(text) == moment
    assert time.parse_time(text, KYIV) == moment


@given(moments, moments)
def test_texts_compare_as_the_instants_do(one: datetime, other: datetime) -> None:
    assert (time.utc_text(one) < time.utc_text(other)) == (one < other)


@given(moments)
def test_a_stored_instant_is_the_instant_again_and_reads_as_its_text(moment: datetime) -> None:
    stored = time.stored(moment)
    assert time.from_stored(stored) == moment
    assert time.stored_text(stored) == time.utc_text(moment)


@given(moments, moments)
def test_stored_instants_compare_as_their_instants_do(one: datetime, other: datetime) -> None:
    assert (time.stored(one) < time.stored(other)) == (one < other)


@pytest.mark.parametrize("stored", [10**15, -(10**15), "2026-03-01T10:00:00Z", None])
def test_what_is_no_stored_instant_is_named(stored: Any) -> None:
    for read in (time.from_stored, time.stored_text, lambda value: time.local_text(value, KYIV)):
        with pytest.raises(DamagedValue, match="a time"):
            read(stored)


@given(days, days)
def test_a_stored_day_is_the_day_again_reads_as_its_text_and_compares_as_it_does(one: date, other: date) -> None:
    stored = time.day_number(one)
    assert time.day_of(stored) == one
    assert time.day_text(stored) == one.isoformat()
    assert (stored < time.day_number(other)) == (one < other)


@pytest.mark.parametrize("stored", [0, 20260230, 20261301, 10**12, "2026-03-01", None])
def test_what_is_no_stored_day_is_named(stored: Any) -> None:
    for read in (time.day_of, time.day_text):
        with pytest.raises(DamagedValue, match="a day"):
            read(stored)


@given(moments, zones)
def test_an_instant_in_any_zone_is_written_in_utc(moment: datetime, zone: ZoneInfo) -> None:
    assert time.utc_text(moment.astimezone(zone)) == time.utc_text(moment)


@given(moments, zones)
def test_a_local_text_read_in_its_zone_is_the_instant_again(moment: datetime, zone: ZoneInfo) -> None:
    local = moment.astimezone(zone)
    assume(local.fold == 0)  # the second of two equal wall-clock times reads as the first
    assert time.parse_time(time.local_text(time.stored(moment), zone), zone) == moment


@given(days, zones)
def test_a_day_starts_with_its_first_instant(day: date, zone: ZoneInfo) -> None:
    assume((zone.key, day) != ("Pacific/Apia", date(2011, 12, 30)))
    start = time.start_of(day, zone)
    assert start.tzinfo is UTC
    assert time.local_day(start, zone) == day
    assert time.local_day(start - timedelta(seconds=1), zone) < day


@pytest.mark.parametrize(
    ("wall", "zone", "instant"),
    [
        pytest.param("2026-01-15 12:00", "Europe/Kyiv", "2026-01-15T10:00:00Z", id="in winter Kyiv is two hours ahead"),
        pytest.param("2026-07-15 12:00", "Europe/Kyiv", "2026-07-15T09:00:00Z", id="in summer it is three"),
        pytest.param(
            "2026-03-29 03:30", "Europe/Kyiv", "2026-03-29T01:30:00Z", id="a time that spring skips is an hour later"
        ),
        pytest.param("2026-03-29 02:59:59", "Europe/Kyiv", "2026-03-29T00:59:59Z", id="the last second before the gap"),
        pytest.param("2026-03-29 04:00", "Europe/Kyiv", "2026-03-29T01:00:00Z", id="the first moment after the gap"),
        pytest.param(
            "2026-10-25 03:30", "Europe/Kyiv", "2026-10-25T00:30:00Z", id="a time that autumn repeats is the first"
        ),
        pytest.param("2026-10-25 04:00", "Europe/Kyiv", "2026-10-25T02:00:00Z", id="the first moment after the fold"),
        pytest.param(
            "2022-03-27 00:00", "Asia/Beirut", "2022-03-26T22:00:00Z", id="a midnight that spring skips starts the day"
        ),
        pytest.param("2026-01-15 12:00", "Asia/Kathmandu", "2026-01-15T06:15:00Z", id="an offset of quarter hours"),
    ],
)
def test_a_wall_clock_time_becomes_an_instant(wall: str, zone: str, instant: str) -> None:
    assert time.utc_text(time.parse_time(wall, ZoneInfo(zone))) == instant


@pytest.mark.parametrize(
    ("given_text", "instant"),
    [
        pytest.param("2026-03-01", "2026-02-28T22:00:00Z", id="a date is its first moment in the account's zone"),
        pytest.param("2026-03-01 10:30", "2026-03-01T08:30:00Z", id="minutes are enough"),
        pytest.param("2026-03-01T10:30:15", "2026-03-01T08:30:15Z", id="without an offset it is in the account's zone"),
        pytest.param("2026-03-01T10:30:15Z", "2026-03-01T10:30:15Z", id="Z is UTC"),
        pytest.param("2026-03-01T10:30:15.999Z", "2026-03-01T10:30:15Z", id="fractions of a second are dropped"),
        pytest.param("2026-03-01 10:30 +05:30", "2026-03-01T05:00:00Z", id="an offset counts, after a space too"),
        pytest.param("2026-03-01T10:30-0330", "2026-03-01T14:00:00Z", id="an offset west without a colon"),
        pytest.param("2026-03-01T00:30+02", "2026-02-28T22:30:00Z", id="an offset of hours alone"),
        pytest.param("2026-03-02 14:05:07 UTC", "2026-03-02T14:05:07Z", id="UTC is written so by many programs"),
        pytest.param("2026-03-02 14:05:07 gmt", "2026-03-02T14:05:07Z", id="and GMT"),
        pytest.param("2026-03-02 14:05 Asia/Kathmandu", "2026-03-02T08:20:00Z", id="a zone by its name"),
        pytest.param("2026-07-02 14:05 America/New_York", "2026-07-02T18:05:00Z", id="with its summer time"),
        pytest.param("2026-03-02 14:05 America/Argentina/Ushuaia", "2026-03-02T17:05:00Z", id="of three parts"),
        pytest.param(" 2026-03-01 ", "2026-02-28T22:00:00Z", id="spaces around it do not matter"),
        pytest.param("1900-01-02T00:00Z", "1900-01-02T00:00:00Z", id="the earliest year"),
        pytest.param("8999-12-31T23:59:59Z", "8999-12-31T23:59:59Z", id="the latest year"),
    ],
)
def test_reading_a_time(given_text: str, instant: str) -> None:
    moment = time.parse_time(given_text, KYIV)
    assert time.utc_text(moment) == instant
    assert moment.tzinfo is UTC


@pytest.mark.parametrize(
    "given_text",
    [
        "", "now", "2026", "2026-03", "01.03.2026", "03/01/2026", "2026-3-1", "2026-02-29", "2026-13-01", "2026-03-00",
        "2026-03-01T24:00", "2026-03-01T10:60", "2026-03-01T10:30:60", "2026-03-01T10", "2026-03-01Z",
        "2026-03-01T10:30+24:00", "2026-03-01T10:30+02:60", "2026-03-01T10:30 CET", "2026-03-01T10:30:00Zulu",
        "2026-03-01 10:30 PST", "2026-03-01 10:30 ../etc/passwd", "2026-03-01 UTC",
        "1899-12-31", "9000-01-01", "0000-01-01", "0001-01-01", "9999-12-31", "２０２６-03-01", "1772359200",
    ],
)  # fmt: skip
def test_what_is_not_a_time_is_refused(given_text: str) -> None:
    with pytest.raises(BadData, match="is not a time"):
        time.parse_time(given_text, KYIV)


@pytest.mark.parametrize(
    ("instant", "zone", "day"),
    [
        pytest.param("2026-02-28T21:59:59Z", "Europe/Kyiv", "2026-02-28", id="a second before Kyiv's midnight"),
        pytest.param("2026-02-28T22:00:00Z", "Europe/Kyiv", "2026-03-01", id="Kyiv's midnight"),
        pytest.param("2026-06-30T20:59:59Z", "Europe/Kyiv", "2026-06-30", id="a second before midnight in summer"),
        pytest.param("2026-06-30T21:00:00Z", "Europe/Kyiv", "2026-07-01", id="midnight in summer"),
        pytest.param("2026-03-01T03:00:00Z", "America/New_York", "2026-02-28", id="New York is still in February"),
    ],
)
def test_a_moment_falls_on_the_accounts_own_day(instant: str, zone: str, day: str) -> None:
    assert time.local_day(time.from_text(instant), ZoneInfo(zone)) == date.fromisoformat(day)


@given(hour=st.datetimes(datetime(1900, 1, 2), datetime(2050, 12, 30)), minute=st.integers(0, 59), zone=zones)
def test_a_local_text_is_that_of_its_own_minute_whatever_was_asked_of_its_hour_before(
    hour: datetime, minute: int, zone: ZoneInfo
) -> None:
    for moment in (hour.replace(minute=m, second=59, microsecond=0, tzinfo=UTC) for m in (0, minute, 59)):
        assert time.local_text(time.stored(moment), zone) == f"{moment.astimezone(zone):%Y-%m-%d %H:%M:%S}"


@pytest.mark.parametrize(
    ("instant", "shown"),
    [
        pytest.param("2024-10-05T15:29:59Z", "2024-10-06 01:59:59", id="before a change in the middle of an hour"),
        pytest.param("2024-10-05T15:30:00Z", "2024-10-06 02:30:00", id="after it"),
    ],
)
def test_a_local_text_where_the_clocks_change_by_half_an_hour(instant: str, shown: str) -> None:
    assert time.local_text(time.stored(time.from_text(instant)), ZoneInfo("Australia/Lord_Howe")) == shown


def test_a_local_text_is_the_form_that_spreadsheets_read_as_a_date() -> None:
    assert time.local_text(1_772_359_200, KYIV) == "2026-03-01 12:00:00"


def test_a_zone_is_found_by_its_name() -> None:
    assert time.time_zone("Europe/Kyiv") == KYIV


@pytest.mark.parametrize(
    "name",
    ["", ".", "..", "Europe", "Mars/Olympus", "/etc/passwd", "../../etc/passwd", "zone.tab", "Kyiv\0", "\udcff"],
    ids=ascii,
)  # fmt: skip
def test_what_is_no_zone_is_refused(name: str) -> None:
    with pytest.raises(BadData, match="is not a time zone known here"):
        time.time_zone(name)


@pytest.mark.parametrize(
    ("word", "first", "last"),
    [
        pytest.param("2026-03-01", "2026-03-01", "2026-03-01", id="a date is that day"),
        pytest.param("2026-02", "2026-02-01", "2026-02-28", id="a month is all its days"),
        pytest.param("2024-02", "2024-02-01", "2024-02-29", id="a leap February has 29"),
        pytest.param("2025-12", "2025-12-01", "2025-12-31", id="a December ends with its year"),
        pytest.param("2026", "2026-01-01", "2026-12-31", id="a year is all its days"),
        pytest.param("today", "2026-03-01", "2026-03-01", id="today"),
        pytest.param("yesterday", "2026-02-28", "2026-02-28", id="yesterday, in the month before"),
        pytest.param("tomorrow", "2026-03-02", "2026-03-02", id="tomorrow"),
        pytest.param("+31d", "2026-04-01", "2026-04-01", id="days to come"),
        pytest.param("next-month", "2026-04-01", "2026-04-30", id="next month"),
        pytest.param("-30d", "2026-01-30", "2026-01-30", id="thirty days ago"),
        pytest.param("-0d", "2026-03-01", "2026-03-01", id="no days ago is today"),
        pytest.param("this-month", "2026-03-01", "2026-03-31", id="this month, to its end"),
        pytest.param("last-month", "2026-02-01", "2026-02-28", id="last month"),
        pytest.param("2026-W01", "2025-12-29", "2026-01-04", id="the first week of a year begins in the year before"),
        pytest.param("2026-w53", "2026-12-28", "2027-01-03", id="a year of 53 weeks"),
        pytest.param("2026-Q1", "2026-01-01", "2026-03-31", id="a quarter"),
        pytest.param("2026-q4", "2026-10-01", "2026-12-31", id="the last quarter"),
        pytest.param("this-week", "2026-02-23", "2026-03-01", id="this week: a Sunday is its last day"),
        pytest.param("last-week", "2026-02-16", "2026-02-22", id="last week"),
        pytest.param("next-week", "2026-03-02", "2026-03-08", id="next week"),
        pytest.param("last-quarter", "2025-10-01", "2025-12-31", id="last quarter, in the year before"),
        pytest.param("next-quarter", "2026-04-01", "2026-06-30", id="next quarter"),
        pytest.param("this-year", "2026-01-01", "2026-12-31", id="this year"),
        pytest.param("last-year", "2025-01-01", "2025-12-31", id="last year"),
        pytest.param("last-30d", "2026-01-31", "2026-03-01", id="thirty days that end today"),
        pytest.param("next-2d", "2026-03-01", "2026-03-02", id="two days that begin today"),
        pytest.param(" Last-Month ", "2026-02-01", "2026-02-28", id="a word in any case"),
    ],
)
def test_a_filters_word_means_a_period(word: str, first: str, last: str) -> None:
    today = date(2026, 3, 1)
    assert time.parse_period(word, today) == (date.fromisoformat(first), date.fromisoformat(last))


def test_last_month_in_january_is_december() -> None:
    assert time.parse_period("last-month", date(2026, 1, 31)) == (date(2025, 12, 1), date(2025, 12, 31))


@pytest.mark.parametrize(
    "word", ["", "next-days", "+d", "2025-W53", "2026-W00", "2026-Q5", "last-0d", "this-30d", "last-30", "-W07",
             "2026-3-1", "2026-02-30", "2026-13", "2026-00", "26", "1899", "9000", "0000-01-01",
             "-30", "30d", "-30w", "-999999d", "2026-03-01 10:00", "last-weeks", "２０２６"],
)  # fmt: skip
def test_a_word_that_is_no_period_is_refused(word: str) -> None:
    with pytest.raises(BadData, match="is not a date"):
        time.parse_period(word, NOW.date())


@given(days, st.sampled_from(["week", "month", "quarter", "year"]))
def test_neighbouring_periods_meet_and_this_one_holds_today(today: date, unit: str) -> None:
    last, this, following = (time.parse_period(f"{word}-{unit}", today) for word in ("last", "this", "next"))
    assert this[0] <= today <= this[1]
    assert (last[1], this[1]) == (this[0] - timedelta(days=1), following[0] - timedelta(days=1))


@given(days, st.integers(1, 2000))
def test_as_many_days_as_are_said_end_and_begin_today(today: date, number: int) -> None:
    first, last = time.parse_period(f"last-{number}d", today)
    assert (last, (last - first).days + 1) == (today, number)
    assert time.parse_period(f"next-{number}d", today) == (today, today + (last - first))


@given(days)
def test_a_day_is_in_its_named_week_quarter_and_year(day: date) -> None:
    year, week, _ = day.isocalendar()
    for word in (f"{year}-W{week:02}", f"{day.year}-Q{(day.month + 2) // 3}", f"{day.year}"):
        first, last = time.parse_period(word, NOW.date())
        assert first <= day <= last


@pytest.mark.parametrize(
    ("words", "stored"),
    [
        pytest.param("yesterday", "2026-03-28T22:00:00Z", id="its first moment, before clocks changed"),
        pytest.param("Yesterday 10:30", "2026-03-29T07:30:00Z", id="a time of that day"),
        pytest.param("-1d 10:30 UTC", "2026-03-29T10:30:00Z", id="in a named zone"),
        pytest.param("today", "2026-03-29T21:00:00Z", id="the day it is in the account's zone, not in UTC"),
        pytest.param("2026-03-01 10:30", "2026-03-01T08:30:00Z", id="a time as before"),
    ],
)
def test_a_time_is_also_a_day_as_people_say_it(words: str, stored: str) -> None:
    now = datetime(2026, 3, 29, 22, 30, tzinfo=timezone.utc)  # the 30th in Kyiv
    assert time.utc_text(time.parse_moment(words, KYIV, now)) == stored


@given(days)
def test_a_months_period_holds_exactly_the_days_of_that_month(day: date) -> None:
    first, last = time.parse_period(f"{day:%Y-%m}", NOW.date())
    assert first <= day <= last
    assert (first - timedelta(days=1)).month != first.month == last.month != (last + timedelta(days=1)).month


@pytest.mark.parametrize(
    ("given_text", "says"),
    [
        ("2026-02-28 24:00:00", "the day ends at 23:59:59"),
        ("2016-12-31T23:59:60Z", "the day ends at 23:59:59"),
        ("2026-03-01 10:30 Europe/Kiew", "'Europe/Kiew' is not a time zone known here"),
    ],
)
def test_a_time_that_is_nearly_one_is_refused_by_name(given_text: str, says: str) -> None:
    with pytest.raises(BadData, match=says):
        time.parse_time(given_text, KYIV)


@pytest.mark.parametrize(("seconds", "gone"), [(-1, 0), (9, 0), (10, 10), (239, 230)])
def test_time_goes_on_by_the_uptime_in_steps_of_ten_seconds(
    monkeypatch: pytest.MonkeyPatch, seconds: int, gone: int
) -> None:
    began = datetime(2026, 3, 1, tzinfo=timezone.utc)
    monkeypatch.setattr(time, "uptime", lambda: 1000 + seconds)
    assert time.on_from(began, 1000) == began + timedelta(seconds=gone)
