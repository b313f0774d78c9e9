"""The schedule: planned dates are anchor + n intervals at the same local hour, for ever (R66a)."""

from __future__ import annotations

import sqlite3
from calendar import monthrange
from contextlib import closing
from datetime import datetime, timedelta, timezone
from itertools import islice
from zoneinfo import ZoneInfo

import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from salescli.errors import BadData
from salescli.lists import recurring as recurring_list
from salescli.rules import schedule, time
from salescli.rules.schedule import Interval, Retries
from tests.conftest import KYIV

MONTHLY = Interval(1, "month")
zones = st.sampled_from(
    ["UTC", "Europe/Kyiv", "America/New_York", "America/Havana", "Australia/Lord_Howe", "Pacific/Apia"]
).map(ZoneInfo)
anchors = st.datetimes(datetime(2000, 1, 1), datetime(2060, 1, 1), timezones=st.just(timezone.utc)).map(
    lambda moment: moment.replace(microsecond=0)
)
intervals = st.builds(Interval, st.integers(1, 40), st.sampled_from(["day", "week", "month"]))


def wall_of(anchor: datetime, interval: Interval, n: int, zone: ZoneInfo) -> datetime:
    """Return the planned wall-clock time by the rule as a person states it."""
    wall = anchor.astimezone(zone).replace(tzinfo=None, fold=0)
    if interval.unit != "month":
        return wall + timedelta(days=n * interval.count * {"day": 1, "week": 7}[interval.unit])
    years, month = divmod(wall.month - 1 + n * interval.count, 12)
    year, month = wall.year + years, month + 1
    return wall.replace(year=year, month=month, day=min(wall.day, monthrange(year, month)[1]))


def utc(text: str) -> datetime:
    return time.from_text(text)


def days_of(anchor: str, interval: Interval, count: int) -> list[str]:
    return [
        time.local_day(schedule.planned(time.parse_time(anchor, KYIV), interval, n, KYIV), KYIV).isoformat()
        for n in range(count)
    ]


@given(anchors, intervals, st.integers(0, 60), zones)
@example(utc("2026-01-31T10:00:00Z"), MONTHLY, 1, KYIV)
@example(utc("2026-01-29T01:30:00Z"), MONTHLY, 2, KYIV)  # 03:30 on 29 March is skipped
def test_a_planned_date_is_the_anchor_plus_n_intervals_at_the_same_local_hour(
    anchor: datetime, interval: Interval, n: int, zone: ZoneInfo
) -> None:
    wall = wall_of(anchor, interval, n, zone)
    planned = schedule.planned(anchor, interval, n, zone)
    assert planned == time.localize(wall, zone)
    assert planned.tzinfo is timezone.utc
    there = planned.astimezone(zone).replace(tzinfo=None)
    skipped = wall.replace(tzinfo=zone).utcoffset() != wall.replace(tzinfo=zone, fold=1).utcoffset()
    assert there == wall or skipped


@given(anchors, intervals, zones)
def test_the_anchor_itself_is_the_first_planned_date(anchor: datetime, interval: Interval, zone: ZoneInfo) -> None:
    assume(anchor.astimezone(zone).fold == 0)
    assert schedule.planned(anchor, interval, 0, zone) == anchor


@given(anchors, intervals, st.integers(-400, 4000), zones)
@example(utc("2026-03-29T00:30:00Z"), Interval(1, "day"), 209, KYIV)  # 03:30 on 25 October occurs twice
def test_planned_dates_come_one_after_the_other_without_a_gap(
    anchor: datetime, interval: Interval, days: int, zone: ZoneInfo
) -> None:
    after = anchor + timedelta(days=days)
    dates = list(islice(schedule.planned_dates(anchor, interval, after, zone), 5))
    assert dates == [schedule.next_planned(anchor, interval, earlier, zone) for earlier in (after, *dates[:-1])]
    assert after < dates[0]


@pytest.mark.parametrize(
    ("anchor", "interval", "days"),
    [
        pytest.param(
            "2026-01-31 10:00", MONTHLY,
            ["2026-01-31", "2026-02-28", "2026-03-31", "2026-04-30", "2026-05-31"],
            id="a schedule of the 31st does not drift to the 28th",
        ),
        pytest.param(
            "2028-01-31 10:00", MONTHLY, ["2028-01-31", "2028-02-29", "2028-03-31"], id="a leap February has its 29th"
        ),
        pytest.param(
            "2024-02-29 10:00", Interval(12, "month"),
            ["2024-02-29", "2025-02-28", "2026-02-28", "2027-02-28", "2028-02-29"],
            id="a yearly schedule of 29 February comes back to it",
        ),
        pytest.param(
            "2026-11-30 10:00", Interval(3, "month"), ["2026-11-30", "2027-02-28", "2027-05-30"], id="every quarter"
        ),
        pytest.param("2026-02-27 10:00", Interval(2, "week"), ["2026-02-27", "2026-03-13", "2026-03-27"],
                     id="every two weeks"),
        pytest.param("2026-12-31 00:00", Interval(1, "day"), ["2026-12-31", "2027-01-01"], id="every day"),
    ],
)  # fmt: skip
def test_the_days_of_a_schedule(anchor: str, interval: Interval, days: list[str]) -> None:
    assert days_of(anchor, interval, len(days)) == days


@pytest.mark.parametrize(
    ("anchor", "n", "planned"),
    [
        pytest.param("2026-03-15T10:00:00Z", 1, "2026-04-15T09:00:00Z", id="noon in Kyiv stays noon in summer"),
        pytest.param("2026-09-30T09:00:00Z", 1, "2026-10-30T10:00:00Z", id="noon in Kyiv stays noon in winter"),
        pytest.param("2026-02-28T22:30:00Z", 1, "2026-03-31T21:30:00Z", id="the local day decides, not the day in UTC"),
        pytest.param("2026-02-28T01:30:00Z", 1, "2026-03-28T01:30:00Z", id="the day before the clocks change"),
        pytest.param("2026-01-29T01:30:00Z", 2, "2026-03-29T01:30:00Z", id="a skipped hour is an hour later that day"),
        pytest.param("2026-01-29T01:30:00Z", 3, "2026-04-29T00:30:00Z", id="and the next date has its own hour again"),
        pytest.param("2026-09-25T00:30:00Z", 1, "2026-10-25T00:30:00Z", id="a repeated hour is its first occurrence"),
    ],
)
def test_a_monthly_plan_in_kyiv_keeps_its_local_hour(anchor: str, n: int, planned: str) -> None:
    assert time.utc_text(schedule.planned(utc(anchor), MONTHLY, n, KYIV)) == planned


@given(anchors, intervals, st.integers(-100, 3000), st.integers(0, 86_400), zones)
def test_the_next_planned_date_is_the_least_one_later_than_the_given_moment(
    anchor: datetime, interval: Interval, days: int, seconds: int, zone: ZoneInfo
) -> None:
    after = anchor + timedelta(days=days, seconds=seconds)
    naive = (schedule.planned(anchor, interval, n, zone) for n in range(4000))
    assert schedule.next_planned(anchor, interval, after, zone) == next(date for date in naive if date > after)


@given(anchors, intervals, st.integers(0, 60), zones)
@example(utc("2026-01-31T10:00:00Z"), MONTHLY, 1, KYIV)
def test_after_a_planned_date_comes_a_later_one_and_a_second_before_comes_itself(
    anchor: datetime, interval: Interval, n: int, zone: ZoneInfo
) -> None:
    date = schedule.planned(anchor, interval, n, zone)
    assert schedule.next_planned(anchor, interval, date - timedelta(seconds=1), zone) == date
    assert schedule.next_planned(anchor, interval, date, zone) > date


def test_the_next_date_after_centuries_is_found() -> None:
    after = utc("8000-01-01T00:00:00Z")
    found = schedule.next_planned(utc("2026-01-31T10:00:00Z"), MONTHLY, after, KYIV)
    assert time.utc_text(found) == "8000-01-31T10:00:00Z"


@given(anchors, intervals, st.integers(-100, 2000), st.integers(0, 86_400), zones)
def test_a_moment_falls_on_the_plan_when_its_day_is_a_planned_day(
    anchor: datetime, interval: Interval, days: int, seconds: int, zone: ZoneInfo
) -> None:
    moment = anchor + timedelta(days=days, seconds=seconds)
    planned = {time.local_day(schedule.planned(anchor, interval, n, zone), zone) for n in range(days + 200)}
    assert schedule.falls_on_schedule(anchor, interval, moment, zone) == (time.local_day(moment, zone) in planned)


@pytest.mark.parametrize(
    ("moment", "falls"),
    [
        pytest.param("2026-02-28 00:00", True, id="the planned day's first moment"),
        pytest.param("2026-02-28 10:00", True, id="the planned moment"),
        pytest.param("2026-02-28 23:59:59", True, id="the planned day's last second"),
        pytest.param("2026-02-27 23:59:59", False, id="the day before"),
        pytest.param("2026-03-01 00:00", False, id="the day after"),
        pytest.param("2026-01-31 23:00", True, id="the anchor's own day"),
        pytest.param("2025-12-31 10:00", False, id="a day of the schedule before its anchor"),
    ],
)
def test_a_day_on_a_plan_of_the_31st(moment: str, falls: bool) -> None:
    anchor = time.parse_time("2026-01-31 10:00", KYIV)
    assert schedule.falls_on_schedule(anchor, MONTHLY, time.parse_time(moment, KYIV), KYIV) is falls


@pytest.mark.parametrize(
    ("given_text", "interval"),
    [
        ("1 month", Interval(1, "month")),
        ("month", Interval(1, "month")),
        ("Months", Interval(1, "month")),
        ("2 weeks", Interval(2, "week")),
        ("2w", Interval(2, "week")),
        ("30d", Interval(30, "day")),
        (" 30 days ", Interval(30, "day")),
        ("1 year", Interval(12, "month")),
        ("2y", Interval(24, "month")),
        ("1200 months", Interval(1200, "month")),
        ("100 years", Interval(1200, "month")),
    ],
)
def test_reading_an_interval(given_text: str, interval: Interval) -> None:
    assert schedule.parse_interval(given_text) == interval


@pytest.mark.parametrize(
    "given_text",
    ["", "0 days", "-1 month", "1.5 months", "1201 days", "101 years", "1 hour", "fortnight", "monthly",
     "1 month 2 days", "٣ days", "99999 days"],
)  # fmt: skip
def test_what_is_no_interval_that_a_file_can_hold_is_refused(given_text: str) -> None:
    with pytest.raises(BadData, match="is not an interval"):
        schedule.parse_interval(given_text)


@given(st.builds(Interval, st.integers(1, 1200), st.sampled_from(["day", "week", "month"])))
def test_an_interval_written_and_read_again_is_the_same(interval: Interval) -> None:
    assert schedule.parse_interval(str(interval)) == interval


@given(anchors, intervals, st.integers(0, 60), zones)
def test_no_two_planned_dates_are_closer_than_the_interval_says(
    anchor: datetime, interval: Interval, n: int, zone: ZoneInfo
) -> None:
    assume(zone.key != "Pacific/Apia")  # it skipped a whole day
    one, other = (schedule.planned(anchor, interval, k, zone) for k in (n, n + 1))
    assert other - one >= timedelta(minutes=interval.shortest_minutes)


@pytest.mark.parametrize(
    ("given_text", "minutes", "canonical"),
    [
        ("8h,24h", (480, 1440), "8h,24h"),
        ("90m, 2 days", (90, 2880), "90m,48h"),
        ("1 hour,1 min", (60, 1), "1h,1m"),
        ("30 minutes,2 hours", (30, 120), "30m,2h"),
        ("1d,1D", (1440, 1440), "24h,24h"),
    ],
)
def test_reading_the_waits(given_text: str, minutes: tuple[int, ...], canonical: str) -> None:
    retries = Retries.for_interval(given_text, MONTHLY)
    assert retries == Retries(minutes) == Retries.parse(canonical)
    assert str(retries) == canonical


@pytest.mark.parametrize(
    "given_text",
    ["", "8h", "8h,24h,48h", "8h,", "0h,24h", "8h,0m", "8,24", "8h 24h", "-8h,24h", "1.5h,24h", "8h,1 week"],
)
def test_what_is_no_list_of_two_waits_is_refused(given_text: str) -> None:
    with pytest.raises(BadData, match="not a list of two waits; write two durations, as in 8h,24h"):
        Retries.for_interval(given_text, MONTHLY)


@pytest.mark.parametrize(
    ("given_text", "interval", "fit"),
    [
        pytest.param("11h,659m", Interval(1, "day"), True, id="one minute less than the shortest day fits"),
        pytest.param("11h,12h", Interval(1, "day"), False, id="as long as the shortest day does not fit"),
        pytest.param("8h,24h", Interval(1, "day"), False, id="longer than the period does not fit"),
        pytest.param("13d,14d", MONTHLY, True, id="27 days fit into every month"),
        pytest.param("13d,15d", MONTHLY, False, id="28 days do not fit into February"),
    ],
)
def test_retries_end_before_the_next_payment(given_text: str, interval: Interval, fit: bool) -> None:
    if fit:
        assert Retries.for_interval(given_text, interval)
    else:
        with pytest.raises(BadData, match="make them shorter"):
            Retries.for_interval(given_text, interval)


@pytest.mark.parametrize(
    ("interval", "minutes"),
    [
        pytest.param(MONTHLY, (480, 1440), id="8 and 24 hours by default"),
        pytest.param(Interval(2, "day"), (480, 1440), id="8 and 24 hours fit into two days"),
        pytest.param(Interval(1, "day"), (460, 460), id="a third of a single day, each"),
    ],
)
def test_the_usual_retries(interval: Interval, minutes: tuple[int, ...]) -> None:
    assert Retries.usual(interval) == Retries(minutes)


@given(intervals)
def test_the_usual_retries_fit_every_interval(interval: Interval) -> None:
    retries = Retries.usual(interval)
    assert Retries.for_interval(str(retries), interval) == retries


@pytest.mark.parametrize(
    ("waits", "hours"),
    [
        pytest.param("8h,24h", [8, 24, None], id="the usual: two more attempts, then it has failed"),
        pytest.param("1h,2h,3h", [1, 2, 3, None], id="a third retry"),
        pytest.param("5h", [5, None], id="one retry"),
    ],
)
def test_a_declined_payment_is_tried_again_after_its_waits(waits: str, hours: list[int | None]) -> None:
    now, retries = datetime(2026, 3, 1, tzinfo=timezone.utc), Retries.parse(waits)
    after = [retries.after(declines, now) for declines in range(1, len(hours) + 1)]
    assert after == [None if wait is None else now + timedelta(hours=wait) for wait in hours]
    assert retries.attempt(1) == f"attempt 2 of {len(hours)}"


@pytest.mark.parametrize("waits", ["8h", "8h,24h", "90m,24h,48h"])
def test_a_list_counts_the_attempts_as_the_waits_do(waits: str) -> None:
    sql = f"SELECT {recurring_list._ATTEMPTS} FROM (SELECT ? AS retry_after) r"
    with closing(sqlite3.connect(":memory:")) as connection:
        assert connection.execute(sql, (waits,)).fetchone()[0] == Retries.parse(waits).attempts
