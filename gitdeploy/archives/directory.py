"""A zip's central directory, found and read strictly (APPNOTE.TXT 6.3.10, 4.3.12 to 4.3.16).

The standard library's reader forgives what differs from reader to reader: data before and behind
the archive, several ends, sizes that contradict each other, names that end at a NUL. A zip that
could be read in two ways is refused here, and no more of it is kept in memory than the limits allow.
"""

from __future__ import annotations

import os
import struct
from typing import BinaryIO, NamedTuple

from gitdeploy.archives.errors import ArchiveError, damaged, refused
from gitdeploy.archives.limits import MAX_DIRECTORY, PATH_MAX, ZipLimits
from gitdeploy.archives.record import HEADER, SIGNATURE, Record, parse_record

_END = struct.Struct("<4s4H2LH")
_END_SIGNATURE = b"PK\x05\x06"
_LOCATOR = struct.Struct("<4sLQL")
_LOCATOR_SIGNATURE = b"PK\x06\x07"
_END64 = struct.Struct("<4sQ2H2L4Q")
_END64_SIGNATURE = b"PK\x06\x06"
_LOCAL_SIGNATURE = b"PK\x03\x04"
_SPLIT = b"PK\x07\x08"  # in front of the first part (8.5.3)
_MAX_COMMENT = 0xFFFF

_OTHERS = {
    b"\x1f\x8b": "a gzip file",
    b"7z\xbc\xaf\x27\x1c": "a 7z file",
    b"Rar!": "a RAR file",
    b"BZh": "a bzip2 file",
    b"\xfd7zXZ": "an xz file",
    b"\x28\xb5\x2f\xfd": "a zstd file",
    b"MZ": "a Windows program",
    b"--": "a multipart form",
}
_ALONE = "Send the zip alone, as the body."


class Directory(NamedTuple):
    """The records in their order, and where the directory starts."""

    records: list[Record]
    start: int


class _End(NamedTuple):
    entries: int
    size: int
    start: int
    position: int  # of the first record that ends the archive


def read_directory(file: BinaryIO, limits: ZipLimits) -> Directory:
    """Read the directory of a seekable file. Raises ArchiveError."""
    length = file.seek(0, os.SEEK_END)
    file.seek(0)
    head = file.read(8)
    if not head.startswith((_LOCAL_SIGNATURE, _END_SIGNATURE, _END64_SIGNATURE)):
        file.seek(max(0, length - _END.size))
        raise _not_a_zip(head, file.read(_END.size))
    end = _find_end(file, length)
    if end.entries > limits.entries:
        raise too_many(limits)
    if end.size > MAX_DIRECTORY:
        raise ArchiveError(
            f"The zip's directory has {end.size} bytes, more than {MAX_DIRECTORY}.",
            "Make the zip with fewer files, shorter names and no comments.",
        )
    if end.start + end.size != end.position:
        raise damaged("its directory isn't where its end says, so something was added or is gone")
    return Directory(_records(file, end), end.start)


def too_many(limits: ZipLimits) -> ArchiveError:
    """The refusal of an archive with more entries than the limit."""
    return ArchiveError(
        f"The zip has more than {limits.entries} files and folders, the limit of max_zip_entries.",
        "Leave out what the site doesn't need, or raise max_zip_entries on the server.",
    )


def _records(file: BinaryIO, end: _End) -> list[Record]:
    file.seek(end.start)
    records = []
    left = end.size
    for _ in range(end.entries):
        header = file.read(HEADER.size) if left >= HEADER.size else b""
        if len(header) < HEADER.size or not header.startswith(SIGNATURE):
            raise damaged("its directory has fewer entries than its end says")
        name, extra, comment = struct.unpack_from("<3H", header, 28)
        left -= HEADER.size + name + extra + comment
        if left < 0:
            raise damaged("an entry reaches beyond its directory")
        raw = file.read(name)
        if name >= PATH_MAX:
            shown = raw.decode("utf-8", "backslashreplace")[:60]
            raise refused(shown + "…", f"its name has {name} bytes", "Give it a shorter name.")
        fields = file.read(extra)
        file.seek(comment, os.SEEK_CUR)
        records.append(parse_record(header, raw, fields))
    if left:
        raise damaged("its directory has more entries than its end says")
    return records


def _find_end(file: BinaryIO, length: int) -> _End:
    """The one end record whose comment ends with the file.

    NULs may follow: bsdtar fills up its last block when it writes to a pipe.
    """
    first = max(0, length - _END.size - _MAX_COMMENT)
    file.seek(first)
    tail = file.read(length - first)
    filled = len(tail.rstrip(b"\0"))
    fitting, last = [], -1
    at = tail.find(_END_SIGNATURE)
    while at >= 0:
        if at + _END.size <= len(tail):
            last = at
            comment: int = _END.unpack_from(tail, at)[-1]
            if filled <= at + _END.size + comment <= len(tail):
                fitting.append(at)
        at = tail.find(_END_SIGNATURE, at + 1)
    if len(fitting) > 1:
        raise damaged("it has two ends, and readers differ in which they believe")
    if not fitting:
        raise _no_end(tail, last)
    at = fitting[0]
    _, disk, first_disk, here, count, size, start, _ = _END.unpack_from(tail, at)
    end = _End(count, size, start, first + at)
    wide = _find_end64(file, first + at)
    if wide is None:
        if disk or first_disk or here != count:
            raise _one_part()
        return end
    for narrow, full, value in zip(end[:3], (0xFFFF, *[0xFFFFFFFF] * 2), wide[:3], strict=True):
        if narrow not in (full, value):
            raise damaged("its two end records contradict each other")
    return wide


def _find_end64(file: BinaryIO, end: int) -> _End | None:
    """The zip64 end record, where a locator stands before the end record."""
    if end < _LOCATOR.size:
        return None
    file.seek(end - _LOCATOR.size)
    locator = file.read(_LOCATOR.size)
    if not locator.startswith(_LOCATOR_SIGNATURE):
        return None
    _, disk, position, disks = _LOCATOR.unpack(locator)
    if position + _END64.size > end - _LOCATOR.size:
        raise damaged("its zip64 end isn't where it says")
    file.seek(position)
    record = file.read(_END64.size)
    signature, size, _, _, this, first, here, count, bytes_, start = _END64.unpack(record)
    if signature != _END64_SIGNATURE or position + 12 + size != end - _LOCATOR.size:
        raise damaged("its zip64 end isn't where it says")
    if disk or this or first or disks > 1 or here != count:
        raise _one_part()
    return _End(count, bytes_, start, position)


def _no_end(tail: bytes, last: int) -> ArchiveError:
    if last >= 0:
        comment: int = _END.unpack_from(tail, last)[-1]
        behind = len(tail) - last - _END.size - comment
        if behind > 0:
            return ArchiveError(f"The zip is followed by {behind} bytes of something else.", _ALONE)
    return ArchiveError(
        "The zip is cut off: its directory, which comes last, isn't there whole.",
        "Upload it again; with curl use --data-binary or -T, not -d.",
    )


def _not_a_zip(head: bytes, tail: bytes) -> ArchiveError:
    if not head:
        return ArchiveError("The zip is empty: no byte came.", _ALONE)
    if (tail.startswith(_END_SIGNATURE) and tail[4:6] != b"\0\0") or head.startswith(_SPLIT):
        return _one_part()
    for magic, kind in _OTHERS.items():
        if head.startswith(magic):
            return ArchiveError(f"This isn't a zip but {kind}.", _ALONE)
    return ArchiveError(f"This isn't a zip: it starts with {head!r}.", _ALONE)


def _one_part() -> ArchiveError:
    return ArchiveError("The zip is one part of a split zip.", "Make one zip of all parts.")
