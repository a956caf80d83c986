"""A zone's wall clock: gaps, repetitions, when clocks are set."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from gitdeploy.jobs.wallclock import changes, instant, is_fixed, resume, wall
from gitdeploy.jobs.zones import local_zone

BERLIN = ZoneInfo("Europe/Berlin")
APIA = ZoneInfo("Pacific/Apia")


def test_a_time_in_a_gap_is_the_gaps_end() -> None:
    end = datetime(2026, 3, 29, 1, tzinfo=UTC)
    for minute in (0, 1, 30, 59):
        assert instant(datetime(2026, 3, 29, 2, minute), BERLIN) == end
    assert instant(datetime(2026, 3, 29, 3), BERLIN) == end
    assert instant(datetime(2026, 3, 29, 1, 59, 59), BERLIN) == end - timedelta(seconds=1)
    assert instant(datetime(2011, 12, 30, 17), APIA) == datetime(2011, 12, 30, 10, tzinfo=UTC)


def test_a_time_that_comes_twice_is_the_first() -> None:
    assert instant(datetime(2026, 10, 25, 2, 30), BERLIN) == datetime(
        2026, 10, 25, 0, 30, tzinfo=UTC
    )
    assert wall(datetime(2026, 10, 25, 1, 30, tzinfo=UTC), BERLIN) == datetime(2026, 10, 25, 2, 30)


def test_in_the_second_of_two_hours_all_its_times_are_past() -> None:
    first = datetime(2026, 10, 25, 0, 30, tzinfo=UTC)
    assert resume(first, BERLIN) == datetime(2026, 10, 25, 2, 30)
    for minutes in (60, 70, 89):
        moment = first + timedelta(minutes=minutes - 30)
        assert resume(moment, BERLIN) == datetime(2026, 10, 25, 2, 59, 59)


def test_changes_are_found_to_the_second_with_what_they_skip_or_repeat() -> None:
    year = datetime(2026, 1, 1, tzinfo=UTC), datetime(2027, 1, 1, tzinfo=UTC)
    spring, autumn = changes(BERLIN, *year)
    assert (spring.at, spring.is_gap) == (datetime(2026, 3, 29, 1, tzinfo=UTC), True)
    assert (spring.from_, spring.to) == (datetime(2026, 3, 29, 2), datetime(2026, 3, 29, 3))
    assert (autumn.at, autumn.is_gap) == (datetime(2026, 10, 25, 1, tzinfo=UTC), False)
    assert (autumn.from_, autumn.to) == (datetime(2026, 10, 25, 2), datetime(2026, 10, 25, 3))
    (skipped,) = changes(APIA, datetime(2011, 12, 1, tzinfo=UTC), datetime(2012, 1, 1, tzinfo=UTC))
    assert (skipped.from_, skipped.to) == (datetime(2011, 12, 30), datetime(2011, 12, 31))


@pytest.mark.parametrize(
    ("zone", "year", "fixed"),
    [
        ("UTC", 2026, True),
        ("Asia/Seoul", 2026, True),
        ("Asia/Seoul", 1987, False),
        ("Europe/Berlin", 2026, False),
        ("Africa/Casablanca", 2026, False),
    ],
)
def test_zones_whose_clocks_stay_are_known(zone: str, year: int, fixed: bool) -> None:
    assert is_fixed(ZoneInfo(zone), datetime(year, 1, 1, tzinfo=UTC)) is fixed


def test_a_zone_given_by_posix_rules_is_read_alike() -> None:
    place = local_zone({"TZ": "CET-1CEST,M3.5.0,M10.5.0/3"})
    year = datetime(2026, 1, 1, tzinfo=UTC), datetime(2027, 1, 1, tzinfo=UTC)
    assert [change.at for change in changes(place, *year)] == [
        change.at for change in changes(BERLIN, *year)
    ]
    for hour in (0, 2, 3):
        for month, day in ((3, 29), (10, 25)):
            time = datetime(2026, month, day, hour, 30)
            assert instant(time, place) == instant(time, BERLIN)
