"""Recurrences: the documented examples, starts, ends, clock changes, bounds."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from gitdeploy.jobs import (
    JobSettings,
    Ncrontab,
    RecurrenceSchedule,
    ScheduleError,
    parse_recurrence,
    schedule_of,
)

ANCHOR = datetime(2026, 3, 5, 12, 25, 37, 500_000, tzinfo=UTC)  # a Thursday


def made(value: dict[str, Any], zone: str = "UTC", anchor: datetime = ANCHOR) -> RecurrenceSchedule:
    return RecurrenceSchedule.of(parse_recurrence(value, timezone=zone), anchor)


def local(value: dict[str, Any], count: int, zone: str = "UTC") -> list[str]:
    times = made(value, zone).occurrences(ANCHOR, count)
    return [f"{t:%a %m-%d %H:%M}" + (f"{t:%z}" if zone != "UTC" else "") for t in times]


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        # scheduler-advanced-complexity.md, "Examples: recurrence schedules"
        ({"frequency": "day", "schedule": {"hours": [5]}}, ["Fri 03-06 05:25", "Sat 03-07 05:25"]),
        (
            {"frequency": "day", "schedule": {"minutes": [15], "hours": [5, 17]}},
            ["Thu 03-05 17:15", "Fri 03-06 05:15"],
        ),
        (
            {"frequency": "day", "schedule": {"minutes": [0, 15, 30, 45]}},
            ["Thu 03-05 12:30", "Thu 03-05 12:45", "Thu 03-05 13:00"],
        ),
        (
            {"frequency": "day", "schedule": {"hours": list(range(24))}},
            ["Thu 03-05 13:25", "Thu 03-05 14:25"],
        ),
        ({"frequency": "week", "schedule": {"minutes": [0]}}, ["Thu 03-05 13:00"]),
        (
            {"frequency": "week", "schedule": {"hours": 17, "weekDays": "saturday"}},
            ["Sat 03-07 17:25", "Sat 03-14 17:25"],
        ),
        (
            {"frequency": "week", "schedule": {"weekDays": ["Tuesday", "thursday"]}},
            ["Tue 03-10 12:25", "Thu 03-12 12:25"],
        ),
        (
            {
                "frequency": "month",
                "schedule": {"minutes": [0], "hours": [6], "monthDays": [1, -1]},
            },
            ["Tue 03-31 06:00", "Wed 04-01 06:00", "Thu 04-30 06:00"],
        ),
        (
            {
                "frequency": "month",
                "schedule": {"monthlyOccurrences": [{"day": "friday", "occurrence": -3}]},
            },
            ["Fri 03-13 12:25", "Fri 04-10 12:25"],
        ),
        (
            {
                "frequency": "month",
                "schedule": {
                    "hours": [5],
                    "minutes": [15],
                    "monthlyOccurrences": [
                        {"day": "friday", "occurrence": 1},
                        {"day": "friday", "occurrence": -1},
                    ],
                },
            },
            ["Fri 03-06 05:15", "Fri 03-27 05:15", "Fri 04-03 05:15"],
        ),
        (
            {"frequency": "month", "schedule": {"hours": 0, "minutes": 0, "monthDays": [31]}},
            ["Tue 03-31 00:00", "Sun 05-31 00:00", "Fri 07-31 00:00"],
        ),
    ],
)
def test_the_documented_examples_run_as_documented(
    value: dict[str, Any], expected: list[str]
) -> None:
    assert local(value, len(expected)) == expected


def test_a_start_in_the_past_counts_from_there_and_drops_what_is_past() -> None:
    """The page's own example: now 2015-04-08 13:00, start 2015-04-07 14:00, every 2 days."""
    now = datetime(2015, 4, 8, 13, tzinfo=UTC)
    for start in ("2015-04-07T14:00Z", "2015-04-05T14:00Z", "2015-04-01T14:00"):
        schedule = made({"frequency": "day", "interval": 2, "startTime": start}, anchor=now)
        assert [f"{t:%m-%d %H}" for t in schedule.occurrences(now, 2)] == ["04-09 14", "04-11 14"]
        assert schedule.next(datetime(2015, 1, 1, tzinfo=UTC)) == schedule.next(now)


def test_without_a_start_every_so_often_begins_at_once() -> None:
    first = ANCHOR.replace(microsecond=0) + timedelta(seconds=1)
    every = made({"frequency": "hour", "interval": 5})
    assert every.occurrences(ANCHOR, 2) == [first, first + timedelta(hours=5)]
    assert made({}).occurrences(ANCHOR, 5) == [first]


def test_a_schedule_without_a_start_waits_for_its_time() -> None:
    value = {
        "frequency": "week",
        "schedule": {"weekDays": ["monday"], "hours": [9], "minutes": [0]},
    }
    assert local(value, 1) == ["Mon 03-09 09:00"]


def test_once_is_once() -> None:
    schedule = made({"startTime": "2026-11-23T21:20:39+09:00"})
    assert schedule.next(ANCHOR) == datetime(2026, 11, 23, 12, 20, 39, tzinfo=UTC)
    assert schedule.next(datetime(2026, 11, 23, 12, 20, 39, tzinfo=UTC)) is None


def test_once_just_missed_runs_at_once_and_long_past_never() -> None:
    late = (ANCHOR - timedelta(minutes=9)).isoformat()
    assert made({"startTime": late}).next(ANCHOR) == datetime(2026, 3, 5, 12, 25, 38, tzinfo=UTC)
    past = (ANCHOR - timedelta(minutes=11)).isoformat()
    assert made({"startTime": past}).next(datetime(2020, 1, 1, tzinfo=UTC)) is None


def test_it_ends_with_its_end_time_which_still_counts() -> None:
    value = {"frequency": "day", "startTime": "2026-03-06T09:00", "endTime": "2026-03-08T09:00"}
    assert [t.day for t in made(value).occurrences(ANCHOR, 9)] == [6, 7, 8]
    assert [t.day for t in made(value | {"count": 2}).occurrences(ANCHOR, 9)] == [6, 7]
    value["endTime"] = "2026-03-08"
    assert [t.day for t in made(value).occurrences(ANCHOR, 9)] == [6, 7]


def test_a_count_begins_when_it_was_first_seen() -> None:
    value = {"frequency": "day", "startTime": "2026-01-01T09:00", "count": 3}
    assert [t.day for t in made(value).occurrences(ANCHOR, 9)] == [6, 7, 8]


def test_every_so_many_minutes_is_real_time_when_clocks_change() -> None:
    value = {"frequency": "minute", "interval": 30, "startTime": "2026-10-25T01:00"}
    schedule = made(value, "Europe/Berlin")
    found = schedule.occurrences(datetime(2026, 10, 24, 23, 45, tzinfo=UTC), 5)
    assert [f"{t:%H:%M%z}" for t in found] == [
        "02:00+0200",
        "02:30+0200",
        "02:00+0100",
        "02:30+0100",
        "03:00+0100",
    ]
    assert schedule.notes(ANCHOR, ANCHOR + timedelta(days=365)) == []


def test_a_day_that_a_zone_skips_is_due_at_the_next_ones_beginning() -> None:
    anchor = datetime(2011, 12, 28, 12, tzinfo=UTC)
    value = {"frequency": "day", "schedule": {"hours": [9], "minutes": [0]}}
    found = made(value, "Pacific/Apia", anchor).occurrences(anchor, 4)
    assert [f"{t:%m-%d %H:%M%z}" for t in found] == [
        "12-28 09:00-1000",
        "12-29 09:00-1000",
        "12-31 00:00+1400",
        "12-31 09:00+1400",
    ]


def test_a_start_in_the_second_of_two_equal_hours_is_kept() -> None:
    start = "2026-10-25T02:30:00+01:00"  # 02:30 for the second time
    schedule = made({"frequency": "day", "startTime": start}, "Europe/Berlin")
    found = schedule.occurrences(ANCHOR, 2)
    assert found[0].astimezone(UTC) == datetime(2026, 10, 25, 1, 30, tzinfo=UTC)
    assert f"{found[1]:%m-%d %H:%M}" == "10-26 02:30"


@pytest.mark.parametrize(
    "value",
    [
        {"frequency": "month", "interval": 12, "startTime": "2026-02-01", "schedule": {"monthDays": 30}},
        {"frequency": "month", "schedule": {"monthDays": [1], "monthlyOccurrences": [{"day": "friday", "occurrence": 5}]}},
        {"frequency": "hour", "interval": 24, "startTime": "2026-01-01T05:00", "schedule": {"hours": [9]}},
        {"frequency": "minute", "interval": 60, "startTime": "2026-01-01T05:07", "schedule": {"minutes": [9]}},
    ],
)  # fmt: skip
def test_what_never_comes_ends_in_bounded_time(value: dict[str, Any]) -> None:
    began = time.process_time()
    for schedule in (made(value), made(value | {"count": 3})):
        assert schedule.next(ANCHOR) is None
        assert schedule.describe("ko").endswith("(UTC 기준).")
    assert time.process_time() - began < 1.0


def test_the_29th_of_february_is_found() -> None:
    value = {
        "frequency": "month",
        "interval": 12,
        "startTime": "2026-02-01T08:00",
        "schedule": {"monthDays": [29], "monthlyOccurrences": [{"day": "tuesday"}]},
    }
    assert made(value).next(ANCHOR) == datetime(2028, 2, 29, 8, tzinfo=UTC)


def test_the_end_of_the_calendar_is_no_crash() -> None:
    far = datetime(9999, 12, 31, 23, 59, tzinfo=UTC)
    for frequency in ("minute", "hour", "day", "week", "month"):
        for zone in ("Pacific/Apia", "America/New_York"):
            for schedule in ({}, {"minutes": [0]}):
                value = {"frequency": frequency, "interval": 900, "schedule": schedule}
                assert made(value, zone).next(far) is None


def test_a_year_of_twenty_schedules_takes_less_than_a_second() -> None:
    values = [
        {"frequency": "day", "schedule": {"hours": [hour], "minutes": [hour]}} for hour in range(10)
    ]
    values += [{"frequency": "week", "interval": 2, "count": 100} for _ in range(4)]
    values += [{"frequency": "month", "schedule": {"monthDays": [-1]}} for _ in range(4)]
    values += [{"frequency": "hour"}, {"frequency": "hour", "schedule": {"minutes": [5]}}]
    began = time.process_time()
    until = ANCHOR + timedelta(days=365)
    runs = 0
    for value in values:
        schedule = made(value, "Europe/Berlin")
        due = schedule.next(ANCHOR)
        while due is not None and due <= until:
            runs += 1
            due = schedule.next(due)
    assert runs > 20_000
    assert time.process_time() - began < 2.0  # 0.6 s on two busy cores


def test_settings_say_which_schedule_it_is() -> None:
    recurrence = parse_recurrence({"frequency": "hour"})
    assert schedule_of(JobSettings(), ANCHOR) is None
    assert isinstance(schedule_of(JobSettings(schedule="@daily"), ANCHOR), Ncrontab)
    found = schedule_of(JobSettings(recurrence=recurrence, timezone="Asia/Seoul"), ANCHOR)
    assert isinstance(found, RecurrenceSchedule)
    assert found.describe() == ("Runs every hour, counted from 2026-03-05 21:25:38 (Asia/Seoul).")
    with pytest.raises(ScheduleError):
        schedule_of(JobSettings(recurrence=recurrence, timezone="Mars"), ANCHOR)


def test_without_a_zone_the_servers_decides(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", "Asia/Seoul")
    recurrence = parse_recurrence({"startTime": "2026-03-06T09:00"})
    found = RecurrenceSchedule.of(recurrence, ANCHOR)
    assert found.next(ANCHOR) == datetime(2026, 3, 6, tzinfo=UTC)
    assert found.describe() == "Runs once, at 2026-03-06 09:00 (Asia/Seoul)."
