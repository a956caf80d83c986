"""Whether a command failed because there was no room left for what it wrote."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from pathlib import Path

MAKE_ROOM = "Make room on the server's disk, or let the build write less; then deploy again."
_SAID = re.compile(r"no space left on device|\bENOSPC\b|disk quota exceeded|\bEDQUOT\b", re.I)
_LITTLE = 1 << 20  # bytes; a build that needed less than that has written its error message


def no_space(directory: Path, tail: Iterable[str]) -> str | None:
    """What is full, as a clause: the disk that `directory` is on, or what the output tells of."""
    if is_full(directory):
        return "the server's disk is full"
    if any(_SAID.search(line) for line in tail):
        return "it had no space left to write to"
    return None


def is_full(directory: Path) -> bool:
    """Whether next to nothing can be written there: no bytes, or no new files."""
    try:
        status = os.statvfs(directory)
    except OSError:
        return False
    few = status.f_files > 0 and status.f_favail == 0
    return few or status.f_bavail * status.f_frsize < _LITTLE
