"""Where the lines of a time begin, found in the sparse index by halving."""

from __future__ import annotations

import os
from bisect import bisect_left
from pathlib import Path

from gitdeploy.logs.cursor import Offsets
from gitdeploy.logs.lines import STREAMS
from gitdeploy.logs.tail import tail_start
from gitdeploy.logs.times import RECORD, newest_of
from gitdeploy.logs.trim import read_trimmed

_CHUNK = RECORD.size * 1024
_READ = 1 << 16


def since_start(directory: Path, moment: int) -> Offsets:
    """The offsets of an execution's streams behind which all lines are of `moment` (µs) or later.

    A line's time is that of its first byte. One that isn't finished is kept, whatever its time.
    """
    return _stream_start(directory, 0, moment), _stream_start(directory, 1, moment)


def _stream_start(directory: Path, stream: int, moment: int) -> int:
    file = directory / STREAMS[stream]
    try:
        status = file.stat()
    except FileNotFoundError:
        return 0
    before, later = _reached(directory / "times", stream, moment)
    if not later and status.st_mtime_ns // 1000 < moment:
        return tail_start(file, 0)  # what has no entry yet is as old as the file
    return _line_start(file, min(before, status.st_size))


def _reached(index: Path, stream: int, moment: int) -> tuple[int, bool]:
    """How far the stream had grown before `moment`; whether there is an entry from then on."""
    try:
        fd = os.open(index, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return 0, False
    try:
        chunks = -(-os.fstat(fd).st_size // _CHUNK)

        known: dict[int, tuple[int, int]] = {-1: (0, -1)}

        def newest(number: int) -> tuple[int, int]:
            """Offset and time of the stream's last entry up to the end of a chunk."""
            passed = []
            while number not in known:
                passed.append(number)
                found = newest_of(_whole(os.pread(fd, _CHUNK, number * _CHUNK)), stream)
                if found is not None:
                    known[number] = found
                    break
                number -= 1
            known.update(dict.fromkeys(passed, known[number]))
            return known[number]

        number = bisect_left(range(chunks), moment, key=lambda at: newest(at)[1])
        offset = newest(number - 1)[0]
        if number == chunks:
            return offset, False
        for at, grown, time in RECORD.iter_unpack(_whole(os.pread(fd, _CHUNK, number * _CHUNK))):
            if at == stream and time < moment:
                offset = grown
            elif at == stream:
                break
        return offset, True
    finally:
        os.close(fd)


def _line_start(file: Path, offset: int) -> int:
    """The first line's start at or behind `offset`; of the last line where it isn't finished."""
    if offset <= read_trimmed(file).offset:
        return 0
    with file.open("rb") as opened:
        opened.seek(offset - 1)
        at = offset - 1
        while data := opened.read(_READ):
            newline = data.find(b"\n")
            if newline >= 0:
                return at + newline + 1
            at += len(data)
    return tail_start(file, 0)


def _whole(data: bytes) -> bytes:
    return data[: len(data) // RECORD.size * RECORD.size]
