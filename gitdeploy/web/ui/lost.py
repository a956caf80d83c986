"""Why a due time had no run, in the reader's words. Pure."""

from __future__ import annotations

import re
from typing import NamedTuple

from gitdeploy.store import Occurrence

_MISSED = re.compile(r"Missed (\d+)( or more)? schedules")
_BUSY = re.compile(r"Dropped: A run of .* is under way\.")
_STOPPED = re.compile(r"Dropped: The jobs of .* are stopped\.")


class Why(NamedTuple):
    """`key` is a text below `scheduler.why`; `due` how many due times the record stands for; `told`
    what was recorded, where no text of ours says it."""

    key: str
    due: int = 1
    told: str = ""


def why(lost: Occurrence) -> Why:
    """From what the supervisor has recorded (supervise/occasion.py)."""
    if lost.state == "missed":
        found = _MISSED.match(lost.note)
        if found is None:
            return Why("missed", told=lost.note)
        due = int(found[1])
        return Why("missed_more" if found[2] else "missed_many" if due > 1 else "missed", due)
    if _BUSY.match(lost.note):
        return Why("busy")
    if _STOPPED.match(lost.note):
        return Why("stopped")
    return Why("refused", told=lost.note.removeprefix("Not started: ").removeprefix("Dropped: "))
