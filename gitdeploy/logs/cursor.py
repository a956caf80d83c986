"""Where a reader is, as text: `o123.e45` in an execution, `ID:o123.e45,…` in a job.

The numbers are the offsets behind what was read of stdout and stderr. A job's cursor lists the
executions that aren't read to their end yet, and the newest one that was opened; one that is
older than the newest listed and isn't listed itself was read to its end.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from gitdeploy.errors import Invalid

Offsets = tuple[int, int]

_EXECUTION = re.compile(r"o(\d{1,18})\.e(\d{1,18})", re.ASCII)
_PART = re.compile(r"([A-Za-z0-9_.-]{1,100}):o(\d{1,18})\.e(\d{1,18})", re.ASCII)


def parse_execution(cursor: str | None) -> Offsets:
    """The offsets of an execution's cursor; the beginning where there is none. Raises Invalid."""
    if not cursor:
        return 0, 0
    match = _EXECUTION.fullmatch(cursor)
    if match is None:
        raise _invalid(cursor)
    return int(match[1]), int(match[2])


def parse_job(cursor: str | None) -> dict[str, Offsets]:
    """The executions of a job's cursor and their offsets. Raises Invalid."""
    if not cursor:
        return {}
    offsets: dict[str, Offsets] = {}
    for part in cursor.split(","):
        match = _PART.fullmatch(part)
        if match is None:
            raise _invalid(cursor)
        offsets[match[1]] = int(match[2]), int(match[3])
    return offsets


def of_execution(offsets: Offsets) -> str:
    """The cursor of a place in an execution."""
    return f"o{offsets[0]}.e{offsets[1]}"


def of_job(places: Mapping[str, Offsets]) -> str:
    """The cursor of places in a job's executions."""
    return ",".join(f"{name}:{of_execution(at)}" for name, at in places.items())


def around(stream: int, offsets: Offsets) -> tuple[str, str]:
    """What stands before and behind the offset of one stream in an execution's cursor."""
    if stream == 0:
        return "o", f".e{offsets[1]}"
    return f"o{offsets[0]}.e", ""


def _invalid(cursor: str) -> Invalid:
    return Invalid(
        f"{cursor[:80]!r} isn't a place in this log.",
        "Give back an id as the stream gave it, or none to begin at the start.",
    )
