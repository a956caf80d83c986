"""What is told of due times that clocks being set move or double."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from gitdeploy.jobs import RecurrenceSchedule, Schedule, parse_recurrence

YEAR = datetime(2026, 1, 1, tzinfo=UTC)
NEXT = datetime(2027, 1, 1, tzinfo=UTC)


def recurring(value: dict[str, Any], zone: str) -> RecurrenceSchedule:
    return RecurrenceSchedule.of(parse_recurrence(value, timezone=zone), YEAR)


def test_a_time_that_does_not_exist_and_one_that_comes_twice() -> None:
    schedule = Schedule.parse("0 30 2 * * *", "Europe/Berlin")
    assert schedule.notes(YEAR, NEXT) == [
        "02:30 doesn't exist on 2026-03-29 in Europe/Berlin: runs at 03:00",
        "02:30 comes twice on 2026-10-25 in Europe/Berlin: runs once, at the first",
    ]
    assert schedule.notes(YEAR, NEXT, "ko") == [
        "Europe/Berlin에서는 2026년 3월 29일에 02:30 시각이 없어 03:00에 실행합니다",
        "Europe/Berlin에서는 2026년 10월 25일에 02:30 시각이 두 번 오며 첫 번째에만 실행합니다",
    ]


def test_many_times_are_told_in_one_sentence() -> None:
    schedule = Schedule.parse("0 */10 * * * *", "America/New_York")
    assert schedule.notes(YEAR, NEXT) == [
        "02:00, 02:10, 02:20 and others don't exist on 2026-03-08 in America/New_York:"
        " run once, at 03:00",
        "01:00, 01:10, 01:20 and others come twice on 2026-11-01 in America/New_York:"
        " each runs once, at the first",
    ]


def test_a_change_of_half_an_hour_touches_half_an_hour() -> None:
    zone = "Australia/Lord_Howe"
    assert len(Schedule.parse("0 29 2 * * *", zone).notes(YEAR, NEXT)) == 1
    assert Schedule.parse("0 45 1 * * *", zone).notes(YEAR, NEXT) == [
        f"01:45 comes twice on 2026-04-05 in {zone}: runs once, at the first"
    ]
    assert Schedule.parse("0 30 2 * * *", zone).notes(YEAR, NEXT) == []


def test_a_skipped_day_is_told_with_the_day_on_which_it_runs() -> None:
    schedule = Schedule.parse("0 0 9 * * *", "Pacific/Apia")
    after = datetime(2011, 12, 1, tzinfo=UTC)
    assert schedule.notes(after, after + timedelta(days=60)) == [
        "09:00 doesn't exist on 2011-12-30 in Pacific/Apia: runs at 00:00 on 2011-12-31"
    ]


@pytest.mark.parametrize("zone", ["Asia/Seoul", "UTC"])
def test_where_clocks_are_not_set_there_is_nothing_to_tell(zone: str) -> None:
    assert Schedule.parse("* * * * * *", zone).notes(YEAR, NEXT) == []


def test_only_what_is_asked_for_is_told() -> None:
    schedule = Schedule.parse("0 30 2 * * *", "Europe/Berlin")
    gap = datetime(2026, 3, 29, 1, tzinfo=UTC)
    assert len(schedule.notes(gap - timedelta(seconds=1), gap)) == 1
    assert schedule.notes(gap, gap + timedelta(days=30)) == []
    assert schedule.notes(YEAR, gap - timedelta(seconds=1)) == []
    assert Schedule.parse("0 30 4 * * *", "Europe/Berlin").notes(YEAR, NEXT) == []
    assert Schedule.parse("0 30 2 * * MON", "Europe/Berlin").notes(YEAR, NEXT) == []


def test_a_recurrence_tells_what_lies_between_its_start_and_end() -> None:
    daily = {"frequency": "day", "schedule": {"hours": [2], "minutes": [30]}}
    assert len(recurring(daily, "Europe/Berlin").notes(YEAR, NEXT)) == 2
    ended = recurring(daily | {"endTime": "2026-06-01"}, "Europe/Berlin")
    assert [note[:22] for note in ended.notes(YEAR, NEXT)] == ["02:30 doesn't exist on"]
    begun = recurring(daily | {"startTime": "2026-06-01T00:00"}, "Europe/Berlin")
    assert [note[:19] for note in begun.notes(YEAR, NEXT)] == ["02:30 comes twice o"]
    counted = recurring(daily | {"count": 5}, "Europe/Berlin")
    assert counted.notes(YEAR, NEXT) == []


def test_a_single_time_in_a_gap_is_told() -> None:
    once = recurring({"startTime": "2026-03-29T02:30"}, "Europe/Berlin")
    assert once.next(YEAR) == datetime(2026, 3, 29, 1, tzinfo=UTC)
    assert once.notes(YEAR, NEXT) == [
        "02:30 doesn't exist on 2026-03-29 in Europe/Berlin: runs at 03:00"
    ]


def test_a_hundred_years_are_looked_at_for_ten() -> None:
    schedule = Schedule.parse("0 30 2 * * *", "Europe/Berlin")
    assert len(schedule.notes(YEAR, YEAR + timedelta(days=36500))) == 20
    assert schedule.notes(datetime(9999, 12, 1, tzinfo=UTC), datetime.max.replace(tzinfo=UTC)) == []
