"""Bounded disk: a hole in front of a long stream, and a note of what it swallowed.

Offsets never move: the file keeps its size, its first blocks are given back to the file system.
The note is written before the hole is made, and a reader looks at it after reading, so nobody
takes the hole's zeros for output.
"""

from __future__ import annotations

import ctypes
import errno
import os
from pathlib import Path

import msgspec

_KEEP_SIZE = 0x01
_PUNCH_HOLE = 0x02
BLOCK = 4096
_READ = 1 << 20
_UNSUPPORTED = frozenset({errno.EOPNOTSUPP, errno.ENOSYS, errno.EPERM, errno.EINVAL})


class Trimmed(msgspec.Struct, frozen=True):
    """What isn't there any more: everything before `offset`, which starts a line.

    `bytes` and `lines` count what was dropped since the stream began.
    """

    offset: int = 0
    bytes: int = 0
    lines: int = 0


_NOTHING = Trimmed()
_decoder = msgspec.json.Decoder(Trimmed)


def note_path(file: Path) -> Path:
    """Where the note of a stream's file lies: `stdout.trimmed` beside `stdout`."""
    return file.with_name(file.name + ".trimmed")


def read_trimmed(file: Path) -> Trimmed:
    """What a stream's file has lost in front (zeros where nothing was)."""
    try:
        return _decoder.decode(note_path(file).read_bytes())
    except (FileNotFoundError, msgspec.DecodeError):
        return _NOTHING


def punch(fd: int, start: int, end: int) -> None:
    """Give the blocks of [start, end) back; OSError where the file system can't."""
    libc = ctypes.CDLL(None, use_errno=True)
    call = libc.fallocate64 if hasattr(libc, "fallocate64") else libc.fallocate
    call.argtypes = (ctypes.c_int, ctypes.c_int, ctypes.c_int64, ctypes.c_int64)
    call.restype = ctypes.c_int
    while call(fd, _PUNCH_HOLE | _KEEP_SIZE, start, end - start) != 0:
        code = ctypes.get_errno()
        if code != errno.EINTR:
            raise OSError(code, os.strerror(code))


def unsupported(error: OSError) -> bool:
    """Whether the failure says that this file system can't punch holes."""
    return error.errno in _UNSUPPORTED


def trim(file: Path, keep: int) -> Trimmed | None:
    """Leave the last `keep` bytes of a stream, from the next line's start on.

    Returns the new note, or None where nothing was to be dropped. Where no line starts within
    1 MiB the cut goes through a line, as a reader would cut it too. Raises OSError.
    """
    before = read_trimmed(file)
    fd = os.open(file, os.O_RDWR | os.O_CLOEXEC)
    try:
        offset = _line_start(fd, os.fstat(fd).st_size - keep)
        if offset <= before.offset:
            return None
        first = before.offset // BLOCK * BLOCK
        last = offset // BLOCK * BLOCK
        if last <= first:
            return None
        lines = before.lines + _count(fd, before.offset, offset)
        _probe(fd)  # a note without a hole would hide output that is still there
        note = Trimmed(offset, offset, lines)
        path = note_path(file)
        temporary = path.with_name(path.name + ".tmp")
        temporary.write_bytes(msgspec.json.encode(note))
        temporary.replace(path)
        punch(fd, first, last)
        return note
    finally:
        os.close(fd)


def _probe(fd: int) -> None:
    """Punch behind the end of the file, which changes nothing, to learn whether it works."""
    end = (os.fstat(fd).st_size // BLOCK + 1024) * BLOCK
    punch(fd, end, end + BLOCK)


def _line_start(fd: int, offset: int) -> int:
    """The first line start at or behind `offset`; `offset` itself where none is within 1 MiB."""
    if offset <= 0:
        return 0
    data = os.pread(fd, _READ + 1, offset - 1)
    newline = data.find(b"\n")
    return offset + newline if newline >= 0 else offset


def _count(fd: int, start: int, end: int) -> int:
    lines = 0
    while start < end:
        data = os.pread(fd, min(_READ, end - start), start)
        if not data:
            break
        lines += data.count(b"\n")
        start += len(data)
    return lines
