"""The six fields of an NCRONTAB expression, read with an error that points at the place.

Format: github.com/atifaziz/NCrontab ("Crontab Expression", six-part form): `*`, values, names,
ranges `a-b`, steps `*/n`, `a-b/n`, `a/n`, lists with commas. Extensions that cron users know:
7 for Sunday, `L` and `LW` as a day, `5L` and `MON#2` as a day of the week, `@daily` and its like
in place of all six.
"""

from __future__ import annotations

from typing import NamedTuple

from cronsim import CronSim

from gitdeploy.jobs.errors import ScheduleError

MAX_LENGTH = 1000
_MONTHS = "JANUARY FEBRUARY MARCH APRIL MAY JUNE JULY AUGUST SEPTEMBER OCTOBER NOVEMBER DECEMBER"
_DAYS = "SUNDAY MONDAY TUESDAY WEDNESDAY THURSDAY FRIDAY SATURDAY"

Item = int | tuple[int, int]


class Field(NamedTuple):
    """A field's name, its least and greatest value, and its values' names (three letters or all)."""

    name: str
    low: int
    high: int
    names: tuple[str, ...] = ()


FIELDS = (
    Field("second", 0, 59),
    Field("minute", 0, 59),
    Field("hour", 0, 23),
    Field("day", 1, 31),
    Field("month", 1, 12, tuple(_MONTHS.split())),
    Field("day of week", 0, 6, tuple(_DAYS.split())),
)
_LAYOUT = "{second} {minute} {hour} {day} {month} {day of week}"
_MACROS = {
    "@yearly": "0 0 0 1 1 *",
    "@annually": "0 0 0 1 1 *",
    "@monthly": "0 0 0 1 * *",
    "@weekly": "0 0 0 * * 0",
    "@daily": "0 0 0 * * *",
    "@midnight": "0 0 0 * * *",
    "@hourly": "0 0 * * * *",
}


class Word(NamedTuple):
    """A piece of the expression and where it stands, from 1."""

    text: str
    position: int


def split(expression: str) -> list[Word]:
    """The six words of an expression, a macro's spelt out. Raises ScheduleError where there
    aren't six.
    """
    words: list[Word] = []
    position = 0
    for text in expression.split():
        position = expression.index(text, position)
        words.append(Word(text, position + 1))
        position += len(text)
    if len(expression) > MAX_LENGTH:
        raise _refuse(0, "", f"it is longer than {MAX_LENGTH} characters", "Shorten it.")
    if len(words) == len(FIELDS):
        return words
    if not words:
        raise _refuse(0, "", "it is empty", f"Write six fields: {_LAYOUT}.")
    if words[0].text.startswith("@"):
        return _macro(words)
    count = len(words)
    reason = f"it has {count} field{'' if count == 1 else 's'}, six are needed: {_LAYOUT}"
    if count == 5:
        given = " ".join(word.text for word in words)
        raise _refuse(0, "", reason, f'Write "0 {given}": the first field is the second.')
    raise _refuse(0, "", reason, 'Write for example "0 30 2 * * *": daily at half past two.')


def _macro(words: list[Word]) -> list[Word]:
    """The words that `@daily` and its like stand for."""
    name = words[0]
    meaning = _MACROS.get(name.text.lower())
    if meaning is None:
        known = ", ".join(_MACROS)
        fix = f"Write six fields, or one of {known}."
        raise _refuse(name.position, "", f"{name.text[:20]} isn't known here", fix)
    if len(words) > 1:
        reason = f"nothing may follow {name.text}"
        fix = f'Write {name.text} alone, or "{meaning}" and change that.'
        raise _refuse(words[1].position, "", reason, fix)
    return [Word(text, name.position) for text in meaning.split()]


def parse_field(field: Field, word: Word) -> set[Item]:
    """All that a field allows. Raises ScheduleError."""
    items: set[Item] = set()
    position = word.position
    for text in word.text.split(","):
        items |= _parse_term(field, Word(text, position))
        position += len(text) + 1
    return items


def _parse_term(field: Field, word: Word) -> set[Item]:
    text, at = word
    if not text:
        raise _refuse(at, field.name, "a value is missing", "Remove the comma or add a value.")
    special = _parse_special(field, word)
    if special is not None:
        return special
    body, slash, step_text = text.partition("/")
    step = 1
    if slash:
        step = _step(field, Word(step_text, at + len(body) + 1))
    if body == "*":
        first, last = field.low, field.high
    elif "-" in body:
        left, _, right = body.partition("-")
        first = _value(field, Word(left, at))
        last = _value(field, Word(right, at + len(left) + 1))
        if first > last:
            named = bool(field.names) and not left.isdigit()
            low, high = (
                (n[:3] for n in field.names[:: len(field.names) - 1])
                if named
                else (field.low, field.high)
            )
            fix = f"Write {left}-{high},{low}-{right}."
            raise _refuse(at, field.name, f"the range {body} runs backwards", fix)
    else:
        first = _value(field, Word(body, at))
        last = max(field.high, first) if slash else first
    return set(range(first, last + 1, step))


def _parse_special(field: Field, word: Word) -> set[Item] | None:
    """`L`, `LW`, `5L`, `MON#2`; None where it is none of them."""
    text, at = word.text.upper(), word.position
    if text == "?":
        raise _refuse(at, field.name, "? isn't known here", "Write *.")
    if field.name == "day" and text in ("L", "LW"):
        return {CronSim.LAST if text == "L" else CronSim.LAST_WEEKDAY}
    if field.name != "day of week":
        return None
    day, hash_sign, nth = text.partition("#")
    if hash_sign:
        value = _value(field, Word(day, at))
        if nth not in ("1", "2", "3", "4", "5"):
            fix = "Write # and a number from 1 to 5, as in MON#2: the second Monday."
            raise _refuse(at + len(day) + 1, field.name, f"{nth!r} isn't a week of a month", fix)
        return {(value, int(nth))}
    if len(text) > 1 and text.endswith("L") and text not in field.names:
        return {(_value(field, Word(text[:-1], at)), CronSim.LAST)}
    return None


def _value(field: Field, word: Word) -> int:
    text, at = word.text.upper(), word.position
    if not text:
        raise _refuse(at, field.name, "a value is missing", _allowed(field))
    if text.isascii() and text.isdigit():
        value = int(text) if len(text) < 10 else 10**9
        high = 7 if field.name == "day of week" else field.high
        if field.low <= value <= high:
            return value
        bound = f"below {field.low}" if value < field.low else f"above {high}"
        raise _refuse(at, field.name, f"{text[:10]} is {bound}", _allowed(field))
    for index, name in enumerate(field.names):
        if text in (name, name[:3]):
            return field.low + index
    raise _refuse(
        at, field.name, f"{word.text[:20]!r} isn't a value of this field", _allowed(field)
    )


def _step(field: Field, word: Word) -> int:
    text, at = word
    if text.isascii() and text.isdigit() and int(text[:9]) > 0 and len(text) < 10:
        return int(text)
    fix = "Write / and a number from 1 on, as in */5."
    raise _refuse(at, field.name, f"{text[:20]!r} isn't a step", fix)


def _allowed(field: Field) -> str:
    names = f", or names such as {field.names[1][:3]}" if field.names else ""
    return f"Write a number from {field.low} to {field.high}{names}."


def _refuse(position: int, field: str, reason: str, fix: str) -> ScheduleError:
    return ScheduleError(position=position, field=field, reason=reason, fix=fix)
