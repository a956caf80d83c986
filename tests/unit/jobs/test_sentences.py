"""A schedule's one sentence, in English and in Korean, for both spellings."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gitdeploy.jobs import RecurrenceSchedule, Schedule, ScheduleError, parse_recurrence

ANCHOR = datetime(2026, 3, 5, 12, 25, 37, tzinfo=UTC)
MON_FRI = ["monday", "tuesday", "wednesday", "thursday", "friday"]


@pytest.mark.parametrize(
    ("expression", "english", "korean"),
    [
        ("* * * * * *", "every second", "매초"),
        ("*/10 * * * * *", "every 10 seconds", "10초마다"),
        ("0 * * * * *", "every minute", "매분"),
        ("30 * * * * *", "every minute at second 30", "매분 30초에"),
        ("@hourly", "every hour on the hour", "매시 정각에"),
        ("0 5 * * * *", "every hour at minute 5", "매시 5분에"),
        ("0 */5 * * * *", "every 5 minutes", "5분마다"),
        ("0 5/15 * * * *", "every 15 minutes from minute 5", "매시 5분부터 15분마다"),
        ("0 0 */2 * * *", "every 2 hours on the hour", "2시간마다 정각에"),
        ("0 30 2 * * *", "at 02:30 every day", "매일 2시 30분에"),
        ("0 0 0,12 * * *", "at 00:00 and 12:00 every day", "매일 자정과 정오에"),
        (
            "0 */5 9-17 * * MON-FRI",
            "every 5 minutes from 09:00 to 17:55, Monday to Friday",
            "매주 월요일부터 금요일까지 9시부터 17시 55분까지 5분마다",
        ),
        (
            "0 30 1,3,4,9,15,16,22 * * *",
            "at minute 30 of hours 1, 3, 4, 9, 15, 16 and 22 every day",
            "매일 1시, 3시, 4시, 9시, 15시, 16시, 22시대에 매시 30분에",
        ),
        (
            "0 15,45 17 * * WED,SUN",
            "at 17:15 and 17:45 on Wednesdays and Sundays",
            "매주 수요일과 일요일 17시 15분과 17시 45분에",
        ),
        (
            "0 0 0 1,15,L * *",
            "at 00:00 on the 1st, the 15th and the last day of every month",
            "매월 1일, 15일과 마지막 날 자정에",
        ),
        (
            "0 0 9 * * MON#2,5L",
            "at 09:00 on the second Monday and the last Friday of every month",
            "매월 둘째 월요일과 마지막 금요일 9시에",
        ),
        (
            "0 0 9 LW * *",
            "at 09:00 on the last weekday (Monday to Friday) of every month",
            "매월 마지막 평일(월~금요일) 9시에",
        ),
        (
            "0 0 6 13 * FRI",
            "at 06:00 on the 13th of every month if it is a Friday",
            "매월 13일이 금요일일 때 6시에",
        ),
        ("@yearly", "at 00:00 on the 1st of January", "매년 1월 1일 자정에"),
        ("0 0 12 * 3-10 *", "at 12:00 every day in March to October", "매년 3~10월 매일 정오에"),
    ],
)
def test_an_expression_is_told(expression: str, english: str, korean: str) -> None:
    schedule = Schedule.parse(expression, "Asia/Seoul")
    assert schedule.describe() == f"Runs {english} (Asia/Seoul)."
    assert schedule.describe("ko") == f"{korean} 실행합니다(Asia/Seoul 기준)."


@pytest.mark.parametrize(
    ("value", "english", "korean"),
    [
        (
            {"startTime": "2026-11-23T09:00"},
            "once, at 2026-11-23 09:00",
            "2026년 11월 23일 9시에 한 번",
        ),
        (
            {"frequency": "minute", "interval": 90, "startTime": "2026-03-06"},
            "every 90 minutes, counted from 2026-03-06 00:00",
            "2026년 3월 6일 자정부터 90분마다",
        ),
        (
            {"frequency": "day", "schedule": {"minutes": [0, 15, 30, 45]}},
            "every 15 minutes",
            "15분마다",
        ),
        (
            {"frequency": "week", "schedule": {"weekDays": MON_FRI, "hours": 9, "minutes": 0}},
            "at 09:00, Monday to Friday",
            "매주 월요일부터 금요일까지 9시에",
        ),
        (
            {
                "frequency": "week",
                "interval": 2,
                "startTime": "2026-01-05T09:00",
                "count": 10,
                "schedule": {"weekDays": ["monday", "wednesday"], "hours": [10, 22]},
            },
            "at 10:00 and 22:00 every 2 weeks on Mondays and Wednesdays,"
            " from 2026-01-05 09:00, 10 times in all",
            "2026년 1월 5일 9시부터 2주마다 월요일과 수요일 10시와 22시에 모두 10번",
        ),
        (
            {"frequency": "month", "startTime": "2026-01-31T02:30", "endTime": "2027-01-01"},
            "at 02:30 on the 31st of every month, from 2026-01-31 02:30, until 2027-01-01 00:00",
            "2026년 1월 31일 2시 30분부터 2027년 1월 1일 자정까지 매월 31일 2시 30분에",
        ),
        (
            {
                "frequency": "month",
                "interval": 5,
                "startTime": "2026-01-01T06:00",
                "schedule": {"monthDays": [1, -1, -3]},
            },
            "at 06:00 every 5 months on the 1st, the 3rd last day and the last day of the month,"
            " from 2026-01-01 06:00",
            "2026년 1월 1일 6시부터 5개월마다 1일, 끝에서 3번째 날과 마지막 날 6시에",
        ),
        (
            {
                "frequency": "month",
                "schedule": {
                    "hours": 5,
                    "minutes": 0,
                    "monthlyOccurrences": [{"day": "friday", "occurrence": -2}, {"day": "sunday"}],
                },
            },
            "at 05:00 on every Sunday and the 2nd Friday from the end of every month",
            "매월 모든 일요일과 끝에서 둘째 금요일 5시에",
        ),
    ],
)
def test_a_recurrence_is_told(value: dict[str, Any], english: str, korean: str) -> None:
    schedule = RecurrenceSchedule.of(parse_recurrence(value, timezone="Asia/Seoul"), ANCHOR)
    assert schedule.describe() == f"Runs {english} (Asia/Seoul)."
    assert schedule.describe("ko") == f"{korean} 실행합니다(Asia/Seoul 기준)."


def field(low: int, high: int) -> st.SearchStrategy[str]:
    number = st.integers(low, high).map(str)
    steps = st.integers(1, high).map(lambda width: f"*/{width}")
    return st.just("*") | steps | st.lists(number, min_size=1, max_size=9).map(",".join)


@settings(deadline=None, max_examples=300)
@given(
    st.tuples(
        field(0, 59),
        field(0, 59),
        field(0, 23),
        field(1, 31) | st.sampled_from(["L", "LW", "1,LW"]),
        field(1, 12),
        field(0, 6) | st.sampled_from(["5L", "MON#2,SUN"]),
    ).map(" ".join)
)
def test_every_expression_has_one_well_formed_sentence(expression: str) -> None:
    try:
        schedule = Schedule.parse(expression, "UTC")
    except ScheduleError:
        return
    english, korean = schedule.describe(), schedule.describe("ko")
    assert re.fullmatch(r"Runs [a-z][^.]*[^ .,] \(UTC\)\.", english), english
    assert re.fullmatch(r"[^.]*[에다초분] 실행합니다\(UTC 기준\)\.", korean), korean
    for text in (english, korean):
        assert "  " not in text
        assert " ," not in text
        assert not re.search(r"None|\[|\]|-\d", text)
    # the sentence says no less than the expression: another one has another sentence
    other = Schedule.parse(f"{expression.rpartition(' ')[0]} *", "UTC")
    if other.items != schedule.items:
        assert other.describe() != english
        assert other.describe("ko") != korean
