"""Instants of a file are read by the day: as ``clock`` reads them one by one, in every zone and on every day."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from salescli.errors import BadData
from salescli.imports import times
from salescli.imports.times import Instant
from salescli.rules import happened, time

NOW = datetime(2026, 3, 1, 10, 12)
ZONES = [
    "UTC", "Europe/Kyiv", "America/New_York", "Asia/Kolkata", "Asia/Kathmandu", "Australia/Lord_Howe",
    "America/Santiago", "Africa/Algiers", "Pacific/Apia", "Pacific/Kiritimati", "America/St_Johns", "Africa/Monrovia",
]  # fmt: skip


def one_by_one(given: str, zone: ZoneInfo) -> Instant:
    moment = time.parse_time(given, zone)
    return Instant(time.stored(moment), time.day_number(time.local_day(moment, zone)))


@given(
    wall=st.datetimes(datetime(1900, 1, 2), datetime(2100, 1, 1)),
    zone=st.sampled_from(ZONES),
    suffix=st.sampled_from(["", "Z"]),
)
def test_any_time_is_read_as_the_clock_reads_it(wall: datetime, zone: str, suffix: str) -> None:
    text = wall.isoformat(sep=" ", timespec="seconds") + suffix
    assert times.reader(ZoneInfo(zone))(text) == one_by_one(text, ZoneInfo(zone))


@given(
    wall=st.datetimes(datetime(1900, 1, 2), datetime(2030, 1, 1))
    | st.datetimes(NOW - timedelta(1), NOW + timedelta(1)),
    zone=st.sampled_from(ZONES),
    suffix=st.sampled_from(["", "Z"]),
)
def test_any_past_time_is_read_as_the_clock_reads_it(wall: datetime, zone: str, suffix: str) -> None:
    text = wall.isoformat(timespec="seconds") + suffix
    latest = NOW.replace(tzinfo=timezone.utc)
    read = times.past(ZoneInfo(zone), latest)
    expected = one_by_one(text, ZoneInfo(zone))
    for _ in range(2):
        if expected.at > time.stored(latest + happened.CLOCKS_APART_MAX):
            with pytest.raises(BadData, match="in the future"):
                read(text)
        else:
            assert read(text) == expected


@pytest.mark.parametrize("suffix", ["", "Z"])
@pytest.mark.parametrize(
    ("zone", "day"),
    [
        pytest.param("Europe/Kyiv", "2026-03-29", id="the clocks go forward"),
        pytest.param("Europe/Kyiv", "2026-10-25", id="the clocks go back"),
        pytest.param("Australia/Lord_Howe", "2026-04-05", id="the clocks go back by half an hour"),
        pytest.param("America/Santiago", "2026-09-06", id="the day has no midnight"),
        pytest.param("Africa/Algiers", "1971-04-25", id="its last hour is left out"),
        pytest.param("Pacific/Apia", "2011-12-30", id="the whole day is left out"),
        pytest.param("Asia/Kolkata", "2026-03-01", id="the zone is half an hour off"),
        pytest.param("Africa/Monrovia", "1950-01-01", id="the zone is seconds off"),
    ],
)
def test_every_hour_is_read_as_the_clock_reads_it_when(zone: str, day: str, suffix: str) -> None:
    read = times.reader(ZoneInfo(zone))
    begins = datetime.fromisoformat(day)
    for minutes in range(-120, 26 * 60, 10):
        text = (begins + timedelta(minutes=minutes)).isoformat(sep=" ") + suffix
        assert read(text) == one_by_one(text, ZoneInfo(zone))


@pytest.mark.parametrize(
    "text", ["2026-02-30 10:00:00", "2026-02-28 24:00:00", "2026-02-28 10:60:00", "1899-01-01 10:00:00", "soon"]
)
def test_what_is_no_time_is_refused_as_by_the_clock(text: str) -> None:
    with pytest.raises(BadData) as expected:
        time.parse_time(text, ZoneInfo("UTC"))
    with pytest.raises(BadData) as found:
        times.reader(ZoneInfo("UTC"))(text)
    assert str(found.value) == str(expected.value)


@pytest.mark.parametrize(
    "text", ["2026-02-28", "2026-02-28T10:00:00Z", "2026-02-28 10:00:00+05:30", "2026-02-28 10:00"]
)
def test_other_spellings_are_read_as_the_clock_reads_them(text: str) -> None:
    assert times.reader(ZoneInfo("Europe/Kyiv"))(text) == one_by_one(text, ZoneInfo("Europe/Kyiv"))
