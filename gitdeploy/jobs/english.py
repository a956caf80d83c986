"""A schedule's sentence in English: `Runs at 02:30 every day (Europe/Berlin).`"""

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

_DAYS = ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"]
_MONTHS = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
]
_NTH = {1: "first", 2: "second", 3: "third", 4: "fourth", 5: "fifth"}


def english(shape: Shape) -> str:
    """The sentence."""
    start = _moment(shape.start) if shape.start is not None else ""
    if shape.once:
        return f"Runs once, at {start} ({shape.zone})."
    if shape.elapsed and shape.every is not None:
        unit, interval = shape.every
        said = f"Runs every {_number(interval, unit)}"
        start = f"counted from {start}" if start else ""
    else:
        time, whole_day = _time(shape)
        days = _days(shape)
        said = f"Runs {time}"
        if not (whole_day and days == "every day"):
            said += days if days.startswith(",") else f" {days}"
        start = f"from {start}" if start else ""
    bounds = [start] if start else []
    if shape.end is not None:
        bounds.append(f"until {_moment(shape.end)}")
    if shape.count is not None:
        bounds.append("once in all" if shape.count == 1 else f"{shape.count} times in all")
    return ", ".join([said, *bounds]) + f" ({shape.zone})."


def _time(shape: Shape) -> tuple[str, bool]:
    """The times of the day, and whether they don't leave out an hour."""
    hours, minutes, seconds = shape.hours, shape.minutes, shape.seconds
    whole = hours == ALL_HOURS
    if shape.every is not None and shape.every[0] in ("hour", "minute"):
        return _counted(shape), whole
    if shape.clock_times:
        return "at " + _and([_clock(*time) for time in shape.clock_times]), False
    if seconds == ALL_SECONDS and minutes == ALL_MINUTES:
        return "every second" + _in_hours(shape), whole
    if len(seconds) > 1:
        parts = _seconds(seconds)
        if minutes != ALL_MINUTES or seconds == ALL_SECONDS or not step(seconds, 60):
            parts += f" of {_minutes_as_nouns(minutes)}"
        return parts + _in_hours(shape), whole
    at = f" at second {seconds[0]}" if seconds != (0,) else ""
    if len(minutes) > 1:
        return f"{_minutes(minutes)}{at}{_in_hours(shape)}", whole
    at = f" at minute {minutes[0]}" if minutes != (0,) else " on the hour"
    at += f" and second {seconds[0]}" if seconds != (0,) else ""
    spread = step(hours, 24)
    if spread is not None and spread[0] > 1:
        width, first = spread
        later = f" from {first:02}:{minutes[0]:02}" if first else ""
        return f"every {width} hours{at}{later}", True
    if not whole and not is_span(hours):
        second = f", at second {seconds[0]}" if seconds != (0,) else ""
        return f"at minute {minutes[0]} of {_list('hour', hours)}{second}", False
    return f"every hour{at}{_in_hours(shape)}", whole


def _counted(shape: Shape) -> str:
    """Every so many minutes or hours that the day isn't a multiple of, and what limits them."""
    assert shape.every is not None
    unit, interval = shape.every
    said = f"every {_number(interval, unit)}"
    if unit == "hour":
        said += f" at {_list('minute', shape.minutes)}"
    elif shape.minutes != ALL_MINUTES:
        said += f" where that is {_list('minute', shape.minutes)} of an hour"
    if shape.seconds != (0,):
        said += f", at {_list('second', shape.seconds)}"
    return said + _in_hours(shape)


def _seconds(seconds: tuple[int, ...]) -> str:
    spread = step(seconds, 60)
    if spread == (1, 0):
        return "every second"
    if spread is not None and spread[1] == 0:
        return f"every {spread[0]} seconds"
    return f"at {_list('second', seconds)}"


def _minutes(minutes: tuple[int, ...]) -> str:
    spread = step(minutes, 60)
    if spread == (1, 0):
        return "every minute"
    if spread is not None:
        later = f" from minute {spread[1]}" if spread[1] else ""
        return f"every {spread[0]} minutes{later}"
    return f"at {_list('minute', minutes)} of the hour"


def _minutes_as_nouns(minutes: tuple[int, ...]) -> str:
    if minutes == ALL_MINUTES:
        return "every minute"
    return _list("minute", minutes)


def _in_hours(shape: Shape) -> str:
    hours, minutes = shape.hours, shape.minutes
    if hours == ALL_HOURS:
        return ""
    if is_span(hours) or len(hours) == 1:
        return f" from {hours[0]:02}:{minutes[0]:02} to {hours[-1]:02}:{minutes[-1]:02}"
    return f" in {_list('hour', hours)}"


def _days(shape: Shape) -> str:
    parts: list[str] = []
    months = _months(shape)
    of_month = months or "every month"
    if shape.every is not None and shape.every[0] in ("day", "week", "month"):
        unit, interval = shape.every
        parts.append(f"every {_number(interval, unit)}")
        of_month = "the month" if unit == "month" else of_month
    dates = [f"the {_ordinal(day)}" for day in shape.month_days if day > 0]
    dates += [f"the {_from_end(day, 'day')}" for day in shape.month_days if day < 0]
    dates += ["the last weekday (Monday to Friday)"] if shape.last_weekday else []
    nths = [_nth(*nth) for nth in shape.nths]
    names = [_DAYS[day] for day in shape.weekdays]
    if dates:
        parts.append(f"on {_and(dates)} of {of_month}")
        if names or nths:
            also = nths or [f"a {name}" for name in names]
            parts.append(f"if it is {_and(also, 'or')}")
        return " ".join(parts)
    if nths:
        return " ".join([*parts, f"on {_and(nths)} of {of_month}"])
    if names:
        if is_span(shape.weekdays):
            parts.append(
                f"from {names[0]} to {names[-1]}" if parts else f", {names[0]} to {names[-1]}"
            )
        else:
            parts.append("on " + _and([f"{name}s" for name in names]))
    elif not parts:
        parts.append("every day")
    if months:
        parts.append(f"in {months}")
    return " ".join(parts)


def _months(shape: Shape) -> str:
    if shape.months == ALL_MONTHS:
        return ""
    if is_span(shape.months):
        return f"{_MONTHS[shape.months[0] - 1]} to {_MONTHS[shape.months[-1] - 1]}"
    return _and([_MONTHS[month - 1] for month in shape.months])


def _nth(day: int, which: int | None) -> str:
    if which is None:
        return f"every {_DAYS[day]}"
    if which > 0:
        return f"the {_NTH[which]} {_DAYS[day]}"
    return f"the {_from_end(which, _DAYS[day])}"


def _from_end(which: int, what: str) -> str:
    if which == -1:
        return f"last {what}"
    return (
        f"{_ordinal(-which)} {what} from the end"
        if what != "day"
        else f"{_ordinal(-which)} last day"
    )


def _list(what: str, values: tuple[int, ...]) -> str:
    spans = [str(a) if a == b else f"{a} to {b}" for a, b in runs(values)]
    return f"{what}{'s' if len(values) > 1 else ''} {_and(spans)}"


def _number(interval: int, unit: str) -> str:
    return unit if interval == 1 else f"{interval} {unit}s"


def _ordinal(number: int) -> str:
    suffix = (
        "th" if 10 <= number % 100 <= 20 else {1: "st", 2: "nd", 3: "rd"}.get(number % 10, "th")
    )
    return f"{number}{suffix}"


def _and(parts: list[str], word: str = "and") -> str:
    return parts[0] if len(parts) == 1 else f"{', '.join(parts[:-1])} {word} {parts[-1]}"


def _clock(hour: int, minute: int, second: int) -> str:
    return f"{hour:02}:{minute:02}" + (f":{second:02}" if second else "")


def _moment(time: datetime) -> str:
    return f"{time:%Y-%m-%d} {_clock(time.hour, time.minute, time.second)}"
