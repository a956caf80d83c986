"""Recurrences against an oracle that looks at every minute, and what holds for all of them."""

from __future__ import annotations

import itertools
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from gitdeploy.jobs import (
    RecurrenceSchedule,
    parse_recurrence,
)
from tests.unit.jobs import oracle

ANCHOR = datetime(2026, 3, 5, 12, 25, 37, 500_000, tzinfo=UTC)  # a Thursday


def made(value: dict[str, Any], zone: str = "UTC", anchor: datetime = ANCHOR) -> RecurrenceSchedule:
    return RecurrenceSchedule.of(parse_recurrence(value, timezone=zone), anchor)


def some(low: int, high: int, most: int = 4) -> st.SearchStrategy[list[int]]:
    return st.lists(st.integers(low, high), min_size=1, max_size=most, unique=True)


nths = st.lists(
    st.fixed_dictionaries(
        {"day": st.sampled_from(oracle.DAYS)},
        optional={"occurrence": st.sampled_from([1, 2, 3, 4, 5, -1, -2, -5])},
    ),
    min_size=1,
    max_size=3,
)
times = {"hours": some(0, 23), "minutes": some(0, 59)}


def recurrences(frequency: str) -> st.SearchStrategy[dict[str, Any]]:
    """A recurrence of one frequency with a schedule, without a start."""
    days: dict[str, st.SearchStrategy[Any]] = {}
    if frequency == "week":
        days = {"weekDays": st.lists(st.sampled_from(oracle.DAYS), min_size=1, unique=True)}
    if frequency == "month":
        dates = st.integers(-31, 31).filter(bool)
        days = {
            "monthDays": st.lists(dates, min_size=1, max_size=6, unique=True),
            "monthlyOccurrences": nths,
        }
    pattern = st.fixed_dictionaries({}, optional=times | days).filter(bool)
    intervals = st.integers(1, 40) if frequency in ("minute", "hour") else st.integers(1, 4)
    return st.fixed_dictionaries(
        {"frequency": st.just(frequency), "interval": intervals, "schedule": pattern}
    )


any_recurrence = st.sampled_from(["minute", "hour", "day", "week", "month"]).flatmap(recurrences)


@settings(deadline=None, max_examples=200)
@given(any_recurrence, st.sampled_from(oracle.EDGES), st.integers(0, 5000), st.integers(-2000, 0))
def test_it_agrees_with_an_oracle_that_looks_at_every_minute(
    value: dict[str, Any], edge: tuple[str, datetime], before: int, offset: int
) -> None:
    zone, day = edge
    after = (day + timedelta(minutes=offset)).replace(tzinfo=ZoneInfo(zone)).astimezone(UTC)
    start = day - timedelta(minutes=before)
    value = value | {"startTime": start.isoformat()}
    until = after + timedelta(days=3)
    anchor = datetime(1999, 1, 1, tzinfo=UTC)
    expected = oracle.walk(oracle.recurs(value, start), zone, after, until)
    schedule = made(value, zone, anchor)
    dues = (due.astimezone(UTC) for due in schedule.occurrences(after, 60))
    found = list(itertools.takewhile(lambda due: due <= until, dues))
    assert found == expected[:60]


@settings(deadline=None, max_examples=60)
@given(recurrences("month"), st.datetimes(datetime(2023, 1, 1), datetime(2028, 12, 31)))
def test_months_agree_with_the_oracle_over_years(value: dict[str, Any], start: datetime) -> None:
    start = start.replace(second=0, microsecond=0)
    value = value | {"startTime": start.isoformat()}
    matches = oracle.recurs(value, start)
    days = [start.date() + timedelta(days=n) for n in range(800)]
    clock = value["schedule"]
    hours = clock.get("hours", range(24) if "minutes" in clock else [start.hour])
    minutes = clock.get("minutes", [start.minute])
    every = (
        datetime(day.year, day.month, day.day, hour, minute)
        for day in days
        for hour in sorted(hours)
        for minute in sorted(minutes)
    )
    expected = list(itertools.islice(filter(matches, every), 40))
    schedule = made(value, "UTC", datetime(2000, 1, 1, tzinfo=UTC))
    found = schedule.occurrences(datetime(2000, 1, 1, tzinfo=UTC), len(expected))
    assert [due.replace(tzinfo=None) for due in found] == expected


@settings(deadline=None, max_examples=100)
@given(any_recurrence, st.integers(1, 30), st.sampled_from(oracle.EDGES))
def test_a_count_ends_it_after_so_many(
    value: dict[str, Any], count: int, edge: tuple[str, datetime]
) -> None:
    zone, day = edge
    anchor = day.replace(tzinfo=UTC) - timedelta(days=2)
    endless, counted = made(value, zone, anchor), made(value | {"count": count}, zone, anchor)
    expected = endless.occurrences(anchor, count)
    assert counted.occurrences(anchor, count + 5) == expected
    if expected:
        assert counted.next(expected[-1]) is None
        assert counted.occurrences(expected[0], count) == expected[1:]


@settings(deadline=None, max_examples=100)
@given(any_recurrence, st.sampled_from(oracle.EDGES), st.integers(0, 7 * 1440))
def test_next_is_the_same_wherever_it_is_asked_from(
    value: dict[str, Any], edge: tuple[str, datetime], minutes: int
) -> None:
    zone, day = edge
    anchor = day.replace(tzinfo=UTC) - timedelta(days=3)
    schedule = made(value, zone, anchor)
    moment = anchor + timedelta(minutes=minutes)
    due = schedule.next(moment)
    if due is not None:
        assert due > moment
        between = moment + (due.astimezone(UTC) - moment) / 2
        assert schedule.next(between) == due
        assert schedule.next(due.astimezone(UTC) - timedelta(microseconds=1)) == due


@settings(deadline=None, max_examples=100)
@given(any_recurrence)
def test_what_was_read_is_written_as_it_was_spelt(value: dict[str, Any]) -> None:
    recurrence = parse_recurrence(value, timezone="UTC")
    text = msgspec.json.encode(recurrence)
    assert msgspec.json.decode(text, type=type(recurrence)) == recurrence
    assert parse_recurrence(msgspec.json.decode(text)) == recurrence
