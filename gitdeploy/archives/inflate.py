"""One entry's bytes, unpacked a piece at a time and held against what the archive claims."""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from typing import BinaryIO

from gitdeploy.archives.errors import ArchiveError, refused
from gitdeploy.archives.plan import STORED, Entry

_PIECE = 128 << 10
_AGAIN = "Make the zip again and upload it again."


def contents(file: BinaryIO, entry: Entry) -> Iterator[bytes]:
    """The pieces of a file. Raises ArchiveError behind the last good one.

    Never gives more than the entry's size: an entry that lies is stopped there.
    """
    crc = total = 0
    for piece in _stored(file, entry) if entry.method == STORED else _inflated(file, entry):
        total += len(piece)
        if total > entry.size:
            raise refused(entry.path, f"it has more than the {entry.size} bytes it claims", _AGAIN)
        crc = zlib.crc32(piece, crc)
        yield piece
    if total < entry.size:
        raise refused(entry.path, f"it has {total} bytes and claims {entry.size}", _AGAIN)
    if crc != entry.crc:
        raise refused(entry.path, "its checksum is wrong", _AGAIN)


def _stored(file: BinaryIO, entry: Entry) -> Iterator[bytes]:
    file.seek(entry.data)
    left = entry.packed
    while left:
        piece = file.read(min(_PIECE, left))
        if not piece:
            raise _cut(entry)
        left -= len(piece)
        yield piece


def _inflated(file: BinaryIO, entry: Entry) -> Iterator[bytes]:
    inflater = zlib.decompressobj(-zlib.MAX_WBITS)
    try:
        for packed in _stored(file, entry):
            while packed and not inflater.eof:
                yield inflater.decompress(packed, _PIECE)
                packed = inflater.unconsumed_tail
            if inflater.unused_data or (inflater.eof and packed):
                raise refused(entry.path, "something follows its data", _AGAIN)
        while not inflater.eof:
            rest = inflater.decompress(b"", _PIECE)
            if not rest and not inflater.eof:
                raise _cut(entry)
            yield rest
    except zlib.error as error:
        raise refused(entry.path, "its data can't be unpacked", _AGAIN) from error


def _cut(entry: Entry) -> ArchiveError:
    return refused(entry.path, "its data is cut off", _AGAIN)
