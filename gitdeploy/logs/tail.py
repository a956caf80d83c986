"""Where the last lines of a stream begin, found from its end."""

from __future__ import annotations

import os
from pathlib import Path

from gitdeploy.logs.trim import read_trimmed

_READ = 1 << 16


def tail_start(file: Path, count: int, most: int | None = None) -> int:
    """The offset of a line start with at least `count` lines (or all there are) behind it.

    An unfinished last line isn't counted, so there may be one more. Where these are more than
    `most` bytes, the first line start within so many; within a line that alone is longer.
    """
    try:
        fd = os.open(file, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return 0
    try:
        size = os.fstat(fd).st_size
        first = read_trimmed(file).offset
        if first > size:
            first = 0
        low = first if most is None else max(first, size - most)
        wanted = count + 1  # the newline that ends the line before them
        end = size
        while end > low:
            start = max(low, end - _READ)
            data = os.pread(fd, end - start, start)
            found = data.count(b"\n")
            if found >= wanted:
                at = len(data)
                for _ in range(wanted):
                    at = data.rfind(b"\n", 0, at)
                return start + at + 1
            wanted -= found
            end = start
        if low == first:
            return first
        return low + max(0, os.pread(fd, size - low + 1, low - 1).find(b"\n"))
    finally:
        os.close(fd)


def count_lines(file: Path, start: int, limit: int) -> int:
    """How many newlines there are from `start` on; stops counting past `limit`."""
    lines = 0
    try:
        with file.open("rb") as opened:
            opened.seek(start)
            while lines <= limit and (data := opened.read(_READ)):
                lines += data.count(b"\n")
    except FileNotFoundError:
        return 0
    return lines
