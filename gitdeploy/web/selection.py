"""`?tail=`, `?since=`, `?grep=` and `?ignore_case=`: which part of a log is wanted."""

from __future__ import annotations

import re
from datetime import UTC, datetime

from aiohttp import web

from gitdeploy.clock import from_datetime
from gitdeploy.errors import Invalid
from gitdeploy.logs import Match, Selection
from gitdeploy.web.requests import flag, integer

TAIL_MOST = 100_000
_SPAN = re.compile(r"(?:(\d{1,9})d)?(?:(\d{1,9})h)?(?:(\d{1,9})m)?(?:(\d{1,9})s?)?", re.ASCII)
_EPOCH = re.compile(r"@\d{1,11}(\.\d{1,6})?", re.ASCII)
_UNITS = (86_400, 3600, 60, 1)


def selection(request: web.Request, now: int, *, tail: int | None = None) -> Selection:
    """What the query asks for at `now` (µs); `tail` where it doesn't say. Raises Invalid."""
    asked = integer(request, "tail", highest=TAIL_MOST)
    since, text = request.query.get("since"), request.query.get("grep")
    ignore_case = flag(request, "ignore_case")
    return Selection(
        tail=tail if asked is None else asked,
        since=moment(since, now) if since else None,
        match=Match(text, ignore_case=ignore_case) if text else None,
    )


def moment(text: str, now: int) -> int:
    """The time (µs) that is meant by `10m`, `1h30m`, `90` (seconds ago), `@EPOCH` or RFC 3339.

    A time without a zone is UTC. Raises Invalid.
    """
    text = text.strip()
    span = _SPAN.fullmatch(text)
    if span is not None and any(span.groups()):
        ago = sum(int(n) * unit for n, unit in zip(span.groups(), _UNITS, strict=True) if n)
        return now - ago * 1_000_000
    if _EPOCH.fullmatch(text):
        seconds, _, fraction = text[1:].partition(".")
        return int(seconds) * 1_000_000 + int(fraction.ljust(6, "0"))
    try:
        # A `+` in a query that wasn't escaped has become a blank.
        found = datetime.fromisoformat(re.sub(r"(T\S+) (?=\d\d:?\d\d\Z)", r"\1+", text))
    except ValueError:
        found = None
    if found is None or not text[:4].isdigit():
        raise Invalid(
            f"The parameter since={text[:60]} isn't a time.",
            "Write 10m, 1h30m, 90 (seconds ago), @1795468839 or 2026-11-23T21:20:39Z.",
        )
    try:
        return from_datetime(found if found.tzinfo else found.replace(tzinfo=UTC))
    except OverflowError as error:
        raise Invalid(f"The parameter since={text[:60]} is out of range.") from error
