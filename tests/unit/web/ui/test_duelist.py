"""What is due: grouped by the reader's days, many as one line, bounded for any schedule."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gitdeploy.clock import from_datetime, to_datetime
from gitdeploy.jobs import Schedule
from gitdeploy.web.ui.duelist import Due, DueList, Followed, by_day, due_list, own_zone
from gitdeploy.web.ui.language import words
from gitdeploy.web.ui.preferences import Preferences
from gitdeploy.web.ui.show import Show

MONDAY = datetime(2026, 11, 23, 10, 0, tzinfo=UTC)


def reader(now: datetime = MONDAY, zone: str = "UTC") -> Show:
    return Show(words("en"), Preferences("en", "auto", "browser", zone), from_datetime(now))


def followed(expression: str, show: Show, zone: str = "UTC", job: str = "job") -> Followed:
    schedule = Schedule.parse(expression, zone)
    return Followed(
        job=job,
        schedule=schedule,
        sentence=schedule.describe(),
        expression=expression,
        mark="",
        zone=own_zone(schedule, show),
    )


def due(expression: str, show: Show, days: int = 1, zone: str = "UTC") -> DueList:
    return due_list([followed(expression, show, zone)], show, days, "en")


def clocks(lines: list[Due]) -> list[str]:
    return [f"{to_datetime(line.first):%d %H:%M}" for line in lines]


def test_a_due_time_is_a_line_of_its_own_in_the_readers_day():
    show = reader(zone="Asia/Seoul")
    found = due("0 0 16,23 * * *", show, days=2)
    assert clocks(found.lines) == ["23 16:00", "23 23:00", "24 16:00", "24 23:00"]
    days = by_day(found.lines, show)
    assert [(day.ahead, len(day.lines)) for day in days] == [(1, 2), (2, 2)], "16:00 is tomorrow"
    first = found.lines[0]
    assert first.of.zone == "UTC"
    assert first.there is not None
    assert first.there.hour == 16


@pytest.mark.parametrize(("schedules", "readers", "told"), [
    ("Europe/Berlin", "Europe/Berlin", ""),
    ("UTC", "Etc/UTC", ""),
    ("Europe/Berlin", "Europe/Paris", "Europe/Berlin"),
])  # fmt: skip
def test_a_zone_is_told_where_it_is_not_the_readers(schedules, readers, told):
    show = reader(zone=readers)
    assert followed("0 0 3 * * *", show, schedules).zone == told


def test_six_in_a_day_are_six_lines_and_seven_are_one():
    show = reader(MONDAY.replace(hour=0))
    assert len(due("0 0 1-6 * * *", show).lines) == 6
    (seven,) = due("0 0 1-7 * * *", show).lines
    assert (seven.count, seven.whole, seven.alone) == (7, True, False)
    assert f"{to_datetime(seven.last):%H:%M}" == "07:00"


def test_a_job_of_every_minute_is_in_each_day_of_a_month():
    show = reader()
    found = due("0 * * * * *", show, days=30)
    assert len(found.lines) == 31
    assert found.known is None
    assert not found.lines[5].whole
    assert clocks(found.lines)[:2] == ["23 10:01", "24 00:00"]


def test_a_job_of_every_quarter_of_an_hour_is_counted_for_a_day():
    found = due("0 */15 * * * *", reader())
    assert [(line.count, line.whole) for line in found.lines] == [(55, True), (41, True)]
    assert found.known is None


class Counting:
    """A schedule that counts how often it is asked."""

    def __init__(self, schedule: Schedule) -> None:
        self._schedule = schedule
        self.asked = 0

    def __getattr__(self, name: str):
        return getattr(self._schedule, name)

    def next(self, after: datetime) -> datetime | None:
        self.asked += 1
        return self._schedule.next(after)


@pytest.mark.parametrize(("jobs", "each"), [(1, 100), (200, 20), (5000, 1)])
@pytest.mark.parametrize("days", [1, 30])
def test_no_schedule_is_asked_too_often(jobs, each, days):
    show = reader()
    one = followed("* * * * * *", show)
    counting = Counting(one.schedule)
    plain = [followed("0 0 3 1 1 *", show)] * (jobs - 1)
    asked = Followed(
        job="often", schedule=counting, sentence="", expression="", mark="", zone=""  # type: ignore[arg-type]
    )  # fmt: skip
    found = due_list([asked, *plain], show, days, "en")
    assert counting.asked <= each
    assert found.lines[0].of.job == "often"
    assert (found.known is None) == (jobs == 1 or (jobs, days) == (200, 1))


def test_what_is_cut_off_says_up_to_when_nothing_is_missing():
    show = reader()
    plans = [followed("0 0 3 * * *", show, job=f"job-{n}") for n in range(200)]
    found = due_list(plans, show, 30, "en")
    assert found.known is not None
    seen = [line for line in found.lines if line.first <= found.known]
    days = (to_datetime(found.known) - MONDAY).days + 1
    assert days >= 10
    assert len(seen) == 200 * days


def test_a_time_that_clocks_skip_tells_where_it_went():
    show = reader(datetime(2026, 3, 28, 12, tzinfo=UTC), "Asia/Seoul")
    plans = [
        followed("0 30 2 * * *", show, "Europe/Berlin", "moved"),
        followed("0 30 1 * * *", show, "Europe/Berlin", "before"),
        followed("0 0 3 * * *", show, "Europe/Berlin", "at"),
    ]
    found = {line.of.job: line for line in due_list(plans, show, 1, "en").lines}
    assert f"{found['moved'].there:%H:%M}" == "03:00"
    assert found["moved"].notes == (
        "02:30 doesn't exist on 2026-03-29 in Europe/Berlin: runs at 03:00",
    )
    assert found["before"].notes == ()
    assert found["at"].notes == ()
    korean = due_list(plans, show, 1, "ko").lines
    assert any("02:30 시각이 없어" in note for line in korean for note in line.notes)


def test_a_time_that_comes_twice_is_one_line_with_a_note():
    show = reader(datetime(2026, 10, 24, 22, 30, tzinfo=UTC), "Europe/Berlin")
    found = due("0 30 2,5 * * *", show, zone="Europe/Berlin").lines
    assert clocks(found) == ["25 00:30", "25 04:30"]
    assert [len(line.notes) for line in found] == [1, 0]
    assert "comes twice" in found[0].notes[0]


def test_a_line_of_many_has_the_note_of_one_of_them():
    show = reader(datetime(2026, 3, 28, 23, 0, tzinfo=UTC), "Europe/Berlin")
    (line,) = [one for one in due("0 30 * * * *", show, zone="Europe/Berlin").lines if one.notes]
    assert line.count == 24, "the hour from 2 to 3 is due at 3"
    assert "02:30 doesn't exist" in line.notes[0]


def test_days_begin_when_the_readers_clocks_say_so():
    """In Cairo there was no midnight on 24 April 2026; clocks went from 00:00 to 01:00."""
    show = reader(datetime(2026, 4, 23, 20, 0, tzinfo=UTC), "Africa/Cairo")
    days = by_day(due("0 30 * * * *", show).lines, show)
    counts = [(day.ahead, [line.count for line in day.lines]) for day in days]
    assert counts == [(0, [1, 1]), (1, [22])]
    assert f"{show.at(days[1].lines[0].first):%H:%M}" == "01:30"


def test_what_never_comes_again_is_no_line():
    assert due_list([], reader(), 30, "en") == DueList([], None)
    assert due("0 0 3 1 1 *", reader(), days=30) == DueList([], None)


FIELD = st.sampled_from(["*", "*/7", "0", "5,50", "10-20"])


@settings(deadline=None, max_examples=60)
@given(
    minute=FIELD,
    hour=st.sampled_from(["*", "3", "*/5", "0,12,23"]),
    day=st.sampled_from(["*", "1", "L", "*/3"]),
    zone=st.sampled_from(["UTC", "Europe/Berlin", "Pacific/Apia"]),
    readers=st.sampled_from(["UTC", "Asia/Seoul", "America/St_Johns"]),
    days=st.sampled_from([1, 7, 30]),
    start=st.integers(0, 400),
)
def test_lines_say_what_the_schedule_does(minute, hour, day, zone, readers, days, start):
    now = datetime(2026, 1, 1, 7, 31, tzinfo=UTC) + timedelta(days=start, minutes=start)
    show = reader(now, readers)
    found = due(f"0 {minute} {hour} {day} * *", show, days, zone)
    schedule = found.lines[0].of.schedule if found.lines else Schedule.parse("0 0 0 1 1 *", zone)
    until = show.now + days * 86_400_000_000
    expected = []
    at = schedule.next(now)
    while found.lines and at is not None and from_datetime(at) <= until:
        expected.append(from_datetime(at))
        at = schedule.next(at)
    if found.known is not None:
        expected = [one for one in expected if one <= found.known]
    by_date: dict[object, list[int]] = {}
    for one in expected:
        by_date.setdefault(show.at(one).date(), []).append(one)
    for shown in by_day(found.lines, show):
        true = by_date.pop(show.at(shown.at).date(), None)
        if true is None:
            assert found.known is not None
            continue
        assert shown.lines[0].first == true[0]
        if all(line.whole for line in shown.lines):
            assert sum(line.count for line in shown.lines) == len(true)
            assert shown.lines[-1].last == true[-1]
        else:
            assert sum(line.count for line in shown.lines) < len(true)
    assert not by_date
