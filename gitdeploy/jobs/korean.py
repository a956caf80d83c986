"""A schedule's sentence in Korean, by a clock of 24 hours: `매일 2시 30분에 실행합니다(Asia/Seoul 기준).`"""

from __future__ import annotations

from datetime import datetime

from gitdeploy.jobs.shape import (
    ALL_HOURS,
    ALL_MINUTES,
    ALL_MONTHS,
    ALL_SECONDS,
    Shape,
    is_span,
    runs,
    step,
)

_DAYS = "월화수목금토일"
_UNITS = {"minute": "분", "hour": "시간", "day": "일", "week": "주", "month": "개월"}
_NTH = {1: "첫째", 2: "둘째", 3: "셋째", 4: "넷째", 5: "다섯째"}
_FROM_END = {
    -1: "마지막",
    -2: "끝에서 둘째",
    -3: "끝에서 셋째",
    -4: "끝에서 넷째",
    -5: "끝에서 다섯째",
}


def korean(shape: Shape) -> str:
    """The sentence."""
    zone = f"({shape.zone} 기준)."
    start = _moment(shape.start) if shape.start is not None else ""
    if shape.once:
        return f"{start}에 한 번 실행합니다{zone}"
    bounds = [f"{start}부터"] if start else []
    if shape.end is not None:
        bounds.append(f"{_moment(shape.end)}까지")
    if shape.elapsed and shape.every is not None:
        unit, interval = shape.every
        when = _every(unit, interval)
    else:
        time, whole_day = _time(shape)
        days = _days(shape)
        when = time if whole_day and days == "매일" else f"{days} {time}"
    count = f" 모두 {shape.count}번" if shape.count is not None else ""
    return " ".join([*bounds, when]) + f"{count} 실행합니다{zone}"


def _time(shape: Shape) -> tuple[str, bool]:
    """The times of the day with their particle, and whether they don't leave out an hour."""
    hours, minutes, seconds = shape.hours, shape.minutes, shape.seconds
    whole = hours == ALL_HOURS
    within = _in_hours(shape)
    if shape.every is not None and shape.every[0] in ("hour", "minute"):
        return _counted(shape), whole
    if shape.clock_times:
        return _and([_clock(*time) for time in shape.clock_times]) + "에", False
    if seconds == ALL_SECONDS and minutes == ALL_MINUTES:
        return f"{within}매초", whole
    if len(seconds) > 1:
        said = "" if minutes == ALL_MINUTES and step(seconds, 60) else _minutes_as_nouns(minutes)
        return f"{within}{said}{_seconds(seconds)}", whole
    second = f" {seconds[0]}초에" if seconds != (0,) else ""
    if len(minutes) > 1:
        said = _minutes(minutes)
        return f"{within}{said.removesuffix('에') if second else said}{second}", whole
    at = "정각에" if (*minutes, *seconds) == (0, 0) else f"{minutes[0]}분{second or '에'}"
    spread = step(hours, 24)
    if spread is not None and spread[0] > 1:
        later = f"{spread[1]}시부터 " if spread[1] else ""
        return f"{later}{spread[0]}시간마다 {at}", True
    return f"{within}매시 {at}", whole


def _counted(shape: Shape) -> str:
    """Every so many minutes or hours that the day isn't a multiple of, and what limits them."""
    assert shape.every is not None
    unit, interval = shape.every
    said = f"{_in_hours(shape)}{_every(unit, interval)}"
    if unit == "hour":
        said += f" {_list(shape.minutes, '분')}에"
    elif shape.minutes != ALL_MINUTES:
        said += f" 그 시각이 매시 {_list(shape.minutes, '분')}일 때"
    return said + (f" {_list(shape.seconds, '초')}에" if shape.seconds != (0,) else "")


def _every(unit: str, interval: int) -> str:
    if interval == 1:
        return {"minute": "매분", "hour": "매시간", "day": "매일", "week": "매주"}.get(unit, "매월")
    return f"{interval}{_UNITS[unit]}마다"


def _seconds(seconds: tuple[int, ...]) -> str:
    spread = step(seconds, 60)
    if spread == (1, 0):
        return "매초"
    if spread is not None and spread[1] == 0:
        return f"{spread[0]}초마다"
    return f"{_list(seconds, '초')}에"


def _minutes(minutes: tuple[int, ...]) -> str:
    spread = step(minutes, 60)
    if spread == (1, 0):
        return "매분"
    if spread is not None:
        later = f"매시 {spread[1]}분부터 " if spread[1] else ""
        return f"{later}{spread[0]}분마다"
    return f"매시 {_list(minutes, '분')}에"


def _minutes_as_nouns(minutes: tuple[int, ...]) -> str:
    return "매분 " if minutes == ALL_MINUTES else f"매시 {_list(minutes, '분')} "


def _in_hours(shape: Shape) -> str:
    hours, minutes = shape.hours, shape.minutes
    if hours == ALL_HOURS:
        return ""
    if is_span(hours) or len(hours) == 1:
        first, last = _clock(hours[0], minutes[0], 0), _clock(hours[-1], minutes[-1], 0)
        return f"{first}부터 {last}까지 "
    return f"{_list(hours, '시')}대에 "


def _days(shape: Shape) -> str:
    parts: list[str] = []
    month = "매월" if shape.months == ALL_MONTHS else f"매년 {_list(shape.months, '월')}"
    if shape.every is not None and shape.every[0] in ("day", "week", "month"):
        parts.append(_every(*shape.every))
        month = "" if shape.every[0] == "month" else month
    elif shape.months != ALL_MONTHS or shape.month_days or shape.last_weekday or shape.nths:
        parts.append(month)
    dates = [f"{day}일" for day in shape.month_days if day > 0]
    dates += [_from_end(day) for day in shape.month_days if day < 0]
    dates += ["마지막 평일(월~금요일)"] if shape.last_weekday else []
    nths = [_nth(*nth) for nth in shape.nths]
    if dates:
        parts.append(_and(dates))
        if shape.weekdays or nths:
            also = nths or [f"{_DAYS[day]}요일" for day in shape.weekdays]
            parts[-1] += f"{_particle(dates[-1], '이', '가')} {_or(also)}일 때"
    elif nths:
        parts.append(_and(nths))
    elif shape.weekdays:
        if not parts or parts == [month]:
            parts.append("매주")
        parts.append(_weekdays(shape.weekdays))
    elif not parts or parts == [month]:
        parts.append("매일")
    return " ".join(part for part in parts if part)


def _weekdays(days: tuple[int, ...]) -> str:
    if is_span(days):
        return f"{_DAYS[days[0]]}요일부터 {_DAYS[days[-1]]}요일까지"
    return _and([f"{_DAYS[day]}요일" for day in days])


def _nth(day: int, which: int | None) -> str:
    if which is None:
        return f"모든 {_DAYS[day]}요일"
    return f"{(_NTH | _FROM_END)[which]} {_DAYS[day]}요일"


def _from_end(day: int) -> str:
    return "마지막 날" if day == -1 else f"끝에서 {-day}번째 날"


def _list(values: tuple[int, ...], unit: str) -> str:
    spans = [f"{a}{unit}" if a == b else f"{a}~{b}{unit}" for a, b in runs(values)]
    return ", ".join(spans)


def _and(parts: list[str]) -> str:
    """`월요일, 수요일과 금요일`: 과 behind a final consonant, else 와."""
    if len(parts) == 1:
        return parts[0]
    return f"{', '.join(parts[:-1])}{_particle(parts[-2], '과', '와')} {parts[-1]}"


def _or(parts: list[str]) -> str:
    if len(parts) == 1:
        return parts[0]
    return f"{', '.join(parts[:-1])}{_particle(parts[-2], '이나', '나')} {parts[-1]}"


def _particle(word: str, closed: str, opened: str) -> str:
    """Which of two spellings of a particle follows: by the last syllable's final consonant."""
    last = word.rstrip(")").removesuffix("(월~금요일")[-1]
    return closed if (ord(last) - 0xAC00) % 28 else opened


def _clock(hour: int, minute: int, second: int) -> str:
    if (minute, second) == (0, 0) and hour in (0, 12):
        return "정오" if hour else "자정"
    said = f"{hour}시"
    said += f" {minute}분" if minute or second else ""
    return said + (f" {second}초" if second else "")


def _moment(time: datetime) -> str:
    day = f"{time.year}년 {time.month}월 {time.day}일"
    return f"{day} {_clock(time.hour, time.minute, time.second)}"
