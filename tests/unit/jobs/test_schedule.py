"""NCRONTAB schedules: due times, clock changes by hand, refusals, bounds."""

from __future__ import annotations

import itertools
import time
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from gitdeploy.jobs import Schedule, ScheduleError

BERLIN = "Europe/Berlin"


def due(expression: str, zone: str, after: datetime, count: int) -> list[datetime]:
    schedule = Schedule.parse(expression, zone)
    times: list[datetime] = []
    for _ in range(count):
        found = schedule.next(times[-1] if times else after)
        assert found is not None
        times.append(found)
    return times


def local(times: list[datetime]) -> list[str]:
    return [f"{t:%m-%d %H:%M:%S%z}" for t in times]


def test_day_and_day_of_week_must_both_match() -> None:
    times = due("0 0 0 13 * FRI", "UTC", datetime(2026, 1, 1, tzinfo=UTC), 3)
    assert [t.date().isoformat() for t in times] == ["2026-02-13", "2026-03-13", "2026-11-13"]


def test_a_time_that_does_not_exist_is_due_at_the_first_instant_behind_the_gap() -> None:
    after = datetime(2026, 3, 28, 0, tzinfo=UTC)
    assert local(due("0 30 2 * * *", BERLIN, after, 3)) == [
        "03-28 02:30:00+0100",
        "03-29 03:00:00+0200",
        "03-30 02:30:00+0200",
    ]


def test_all_times_of_the_gap_are_one_due_time() -> None:
    after = datetime(2026, 3, 29, 0, 40, tzinfo=UTC)
    assert local(due("0 */15 * * * *", BERLIN, after, 3)) == [
        "03-29 01:45:00+0100",
        "03-29 03:00:00+0200",
        "03-29 03:15:00+0200",
    ]


def test_a_time_that_comes_twice_is_due_the_first_time() -> None:
    after = datetime(2026, 10, 24, 12, tzinfo=UTC)
    assert local(due("0 30 2 * * *", BERLIN, after, 2)) == [
        "10-25 02:30:00+0200",
        "10-26 02:30:00+0100",
    ]
    twice = datetime(2026, 10, 25, 1, 10, tzinfo=UTC)  # 02:10 for the second time
    assert local(due("0 30 2 * * *", BERLIN, twice, 1)) == ["10-26 02:30:00+0100"]
    assert local(due("* * * * * *", BERLIN, twice, 1)) == ["10-25 03:00:00+0100"]


def test_a_year_with_two_changes_has_each_day_once() -> None:
    times = due("0 30 2 * * *", BERLIN, datetime(2025, 12, 31, 12, tzinfo=UTC), 365)
    assert [t.date() for t in times] == [
        datetime(2026, 1, 1).date() + timedelta(days=n) for n in range(365)
    ]
    assert all(a < b for a, b in itertools.pairwise(times))


@pytest.mark.parametrize(
    ("zone", "gap_end", "expected"),
    [
        ("America/New_York", "2026-03-08T07:00:00+00:00", "03-08 03:00:00-0400"),
        ("Australia/Lord_Howe", "2026-10-03T15:30:00+00:00", "10-04 02:30:00+1100"),
        ("Africa/Cairo", "2026-04-23T22:00:00+00:00", "04-24 01:00:00+0300"),
        ("Pacific/Apia", "2011-12-30T10:00:00+00:00", "12-31 00:00:00+1400"),
    ],
)
def test_gaps_of_every_length_end_at_their_instant(zone: str, gap_end: str, expected: str) -> None:
    end = datetime.fromisoformat(gap_end)
    before = (end - timedelta(seconds=1)).astimezone(ZoneInfo(zone))
    inside = before.replace(tzinfo=None) + timedelta(minutes=5)
    expression = f"{inside.second} {inside.minute} {inside.hour} {inside.day} {inside.month} *"
    times = due(expression, zone, end - timedelta(hours=2), 1)
    assert local(times) == [expected]
    assert times[0] == end


def test_without_a_zone_the_servers_decides(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", "Asia/Seoul")
    found = Schedule.parse("0 0 9 * * *").next(datetime(2026, 1, 1, tzinfo=UTC))
    assert found == datetime(2026, 1, 2, tzinfo=UTC)


def test_names_ranges_steps_and_lists() -> None:
    after = datetime(2026, 1, 1, tzinfo=UTC)
    weekdays = due("0 0 9-17/4 * JAN,march mon-Fri", "UTC", after, 4)
    assert local(weekdays) == [
        "01-01 09:00:00+0000",
        "01-01 13:00:00+0000",
        "01-01 17:00:00+0000",
        "01-02 09:00:00+0000",
    ]
    assert local(due("5/20 0 0 1 1 *", "UTC", after, 3)) == [
        "01-01 00:00:05+0000",
        "01-01 00:00:25+0000",
        "01-01 00:00:45+0000",
    ]
    assert local(due("0 0 0 * * 7", "UTC", after, 1)) == local(due("0 0 0 * * 0", "UTC", after, 1))


def test_last_days_are_understood() -> None:
    after = datetime(2026, 1, 5, tzinfo=UTC)
    assert local(due("0 0 0 L * *", "UTC", after, 2))[1].startswith("02-28")
    assert local(due("0 0 0 LW * *", "UTC", after, 1)) == ["01-30 00:00:00+0000"]
    assert local(due("0 0 0 * * 5L", "UTC", after, 1)) == ["01-30 00:00:00+0000"]
    assert local(due("0 0 0 * * MON#2", "UTC", after, 1)) == ["01-12 00:00:00+0000"]


@pytest.mark.parametrize(
    ("expression", "position", "field", "reason", "fix"),
    [
        ("*/5 * * * *", 0, "", "it has 5 fields", 'Write "0 */5 * * * *"'),
        ("0 0 25 * * *", 5, "hour", "25 is above 23", "0 to 23"),
        ("0 60 * * * *", 3, "minute", "60 is above 59", "0 to 59"),
        ("0 0 0 0 * *", 7, "day", "0 is below 1", "1 to 31"),
        ("0 1,2,xx * * * *", 7, "minute", "'xx' isn't a value", "0 to 59"),
        ("0  0  0  *  *  FUNDAY", 16, "day of week", "'FUNDAY'", "names such as MON"),
        ("0 0 0 * * FRI-MON", 11, "day of week", "runs backwards", "FRI-SAT,SUN-MON"),
        ("0 0 22-4 * * *", 5, "hour", "runs backwards", "22-23,0-4"),
        ("0 */0 * * * *", 5, "minute", "'0' isn't a step", "*/5"),
        ("0 */x * * * *", 5, "minute", "'x' isn't a step", "*/5"),
        ("0 1, * * * *", 5, "minute", "a value is missing", "comma"),
        ("0 5- * * * *", 5, "minute", "a value is missing", "0 to 59"),
        ("0 -5 * * * *", 3, "minute", "a value is missing", "0 to 59"),
        ("0 0 0 ? * *", 7, "day", "? isn't known here", "Write *"),
        ("0 0 0 * * MON#6", 15, "day of week", "'6' isn't a week", "MON#2"),
        ("0 0 0 31 2 *", 7, "day", "no day ever matches", ""),
        ("0 0 0 31 4,6 *", 7, "day", "no day ever matches", ""),
        ("0 0 0 1 * MON#5", 7, "day", "no day ever matches", ""),
        ("@reboot", 1, "", "@reboot isn't known", "@hourly"),
        (" @daily UTC", 9, "", "nothing may follow @daily", '"0 0 0 * * *"'),
        ("0 0 0 @daily * *", 7, "day", "'@daily' isn't a value", "1 to 31"),
        ("", 0, "", "it is empty", "six fields"),
        ("0 0 0 * * * 2026", 0, "", "it has 7 fields", "0 30 2 * * *"),
        ("0 " * 2000, 0, "", "longer than 1000", "Shorten"),
        ("0 0 0 ٣ * *", 7, "day", "isn't a value", "1 to 31"),
        ("0 99999999999999999999 * * * *", 3, "minute", "is above 59", "0 to 59"),
    ],
)
def test_a_refusal_names_place_field_reason_and_remedy(
    expression: str, position: int, field: str, reason: str, fix: str
) -> None:
    with pytest.raises(ScheduleError) as caught:
        Schedule.parse(expression, "UTC")
    error = caught.value
    assert (error.position, error.field) == (position, field)
    assert reason in error.reason
    assert fix in error.fix
    assert not error.reason.endswith(".")


@pytest.mark.parametrize("zone", ["Mars/Olympus", "../../etc/passwd", "Europe", "", "a\0b"])
def test_a_zone_that_is_not_known_is_refused(zone: str) -> None:
    with pytest.raises(ScheduleError) as caught:
        Schedule.parse("0 0 0 * * *", zone)
    assert caught.value.field == "timezone"


def test_the_29th_of_february_on_a_monday_is_found() -> None:
    times = due("0 0 0 29 2 MON", "UTC", datetime(2026, 1, 1, tzinfo=UTC), 1)
    assert times[0].date().isoformat() == "2044-02-29"


def test_one_that_never_matches_costs_little() -> None:
    start = time.process_time()
    with pytest.raises(ScheduleError):
        Schedule.parse("0 0 0 1 2 MON#5", "UTC")
    assert time.process_time() - start < 2.0


@pytest.mark.parametrize(
    "expression",
    ["* * * * * *", "0 */5 9-17 * * MON-FRI", "0 30 2 * * *", "59 59 23 31 12 *", "0 0 0 L 2 *"],
)
def test_the_next_due_time_is_found_well_within_a_millisecond(expression: str) -> None:
    schedule = Schedule.parse(expression, BERLIN)
    after = datetime(2026, 3, 1, tzinfo=UTC)
    spent = []
    for _ in range(50):
        start = time.process_time()
        after = schedule.next(after) or after
        spent.append(time.process_time() - start)
    assert sorted(spent)[25] < 0.001


def test_the_end_of_the_calendar_is_no_crash() -> None:
    schedule = Schedule.parse("0 0 0 1 1 *", "UTC")
    assert schedule.next(datetime(9999, 6, 1, tzinfo=UTC)) is None


@pytest.mark.parametrize(
    ("word", "expression"),
    [
        ("@yearly", "0 0 0 1 1 *"),
        ("@annually", "0 0 0 1 1 *"),
        ("@monthly", "0 0 0 1 * *"),
        ("@Weekly", "0 0 0 * * SUN"),
        ("@daily", "0 0 0 * * *"),
        ("@midnight", "0 0 0 * * *"),
        (" @hourly ", "0 0 * * * *"),
    ],
)
def test_a_word_stands_for_six_fields(word: str, expression: str) -> None:
    after = datetime(2026, 2, 27, 13, 14, 15, tzinfo=UTC)
    assert due(word, BERLIN, after, 20) == due(expression, BERLIN, after, 20)
