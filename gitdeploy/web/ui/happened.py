"""An app's journal as a page: filtered, newest first, going back through all that is kept."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple

import msgspec

from gitdeploy.clock import from_datetime
from gitdeploy.events import Entry, Journal
from gitdeploy.logs import safe_text

PAGE = 100
LEVELS = ("debug", "info", "warning", "error")
"""From which level on events are shown."""
PREFIXES = (
    "app.", "build.", "deploy.", "deployment.", "fetch.", "hook.", "job.", "log.", "process.",
    "push.", "run.", "schedule.", "settings.", "step.",
)  # fmt: skip
"""What names of events begin with, to choose from."""
_READ = 1 << 18
_MOST = 1 << 23  # bytes that one page looks through; what is older is a link further back
_LONGEST = 600
_OWN = frozenset({"ts", "level", "event", "app", "what", "fix"})


class Found(NamedTuple):
    """Newest first; `older` is the place to go on from, 0 where there is nothing more."""

    entries: list[Entry]
    older: int


class Field(NamedTuple):
    """A key of an event; `address` where there is a page about it."""

    key: str
    value: str
    address: str = ""


@dataclass(frozen=True, slots=True)
class Event:
    """An event as it is shown; `at` in µs, None where it has no time."""

    id: int
    at: int | None
    level: str
    name: str
    what: str
    fix: str
    fields: list[Field]


def look(journal: Journal, *, before: int | None, level: str, prefix: str) -> Found:
    """A page of events from `level` on whose names begin with `prefix`. To be called on a thread."""
    lowest = LEVELS.index(level)
    place = journal.end if before is None else before
    kept: list[Entry] = []
    read = 0
    while place and read < _MOST:
        entries, older = journal.back(place, _READ)
        for entry in reversed(entries):
            record = entry.record
            if _rank(record) >= lowest and str(record.get("event", "")).startswith(prefix):
                if len(kept) == PAGE:  # there is one more: the page ends behind it
                    return Found(kept, entry.id)
                kept.append(entry)
        read += place - older
        place = older
    return Found(kept, place)


def shown(
    entry: Entry, *, instance: str, address: Callable[[str, Mapping[str, Any]], str]
) -> Event:
    """The event for a page; `address` gives the page that a key of the record is about, or ""."""
    record = entry.record
    fields = [
        Field(safe_text(key), _text(value), address(key, record))
        for key, value in record.items()
        if key not in _OWN and not (key == "instance" and value == instance)
    ]
    level = str(record.get("level", "info"))
    return Event(
        entry.id,
        _moment(record.get("ts")),
        level if level in LEVELS else "info",
        safe_text(str(record.get("event", "")))[:100],
        _text(record.get("what", "")),
        _text(record.get("fix", "")),
        fields,
    )


def _rank(record: Mapping[str, Any]) -> int:
    level = record.get("level")
    return LEVELS.index(level) if level in LEVELS else 1


def _text(value: Any) -> str:
    if isinstance(value, list):
        text = ", ".join(_text(each) for each in value)
    elif isinstance(value, str):
        text = safe_text(value)
    else:
        text = safe_text(msgspec.json.encode(value, enc_hook=str).decode())
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}…"


def _moment(text: Any) -> int | None:
    try:
        return from_datetime(msgspec.convert(text, type=datetime))
    except (msgspec.ValidationError, ValueError):
        return None
