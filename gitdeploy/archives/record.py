"""An entry of a zip's central directory, as it stands there (APPNOTE.TXT 6.3.10, 4.3.12)."""

from __future__ import annotations

import struct
import zlib
from typing import NamedTuple

from gitdeploy.archives.errors import damaged, refused

HEADER = struct.Struct("<4s4B4HL2L5H2L")
SIGNATURE = b"PK\x01\x02"

ENCRYPTED = 1 << 0 | 1 << 6 | 1 << 13  # plain, strong, and a directory that is encrypted
DESCRIPTOR = 1 << 3  # sizes and CRC come behind the data
PATCHED = 1 << 5
UTF8 = 1 << 11

_ZIP64 = 0x0001
_UNICODE_PATH = 0x7075
_ONCE = (_ZIP64, _UNICODE_PATH)
_FULL16 = 0xFFFF
_FULL32 = 0xFFFFFFFF


class Record(NamedTuple):
    """One record. Sizes are bytes and what the archive claims; `offset` is the local header's."""

    raw: bytes
    name: str
    system: int
    flags: int
    method: int
    crc: int
    packed: int
    size: int
    attributes: int
    offset: int


def parse_record(header: bytes, raw: bytes, extra: bytes) -> Record:
    """A record of its fixed part, its name and its extra field. Raises ArchiveError."""
    (_, _, system, _, _, flags, method, _, _, crc, packed, size, _, _, _, disk, _, attributes,
     offset) = HEADER.unpack(header)  # fmt: skip
    fields = _fields(extra, raw)
    name = _name(raw, flags, fields.get(_UNICODE_PATH))
    wide = fields.get(_ZIP64, b"")
    size, wide = _widen(size, wide, name)
    packed, wide = _widen(packed, wide, name)
    offset, wide = _widen(offset, wide, name)
    if disk == _FULL16 and len(wide) >= 4:
        disk = int.from_bytes(wide[:4], "little")
    if disk != 0:
        raise refused(name, "it is in another part of a split zip", "Make one zip of all parts.")
    return Record(raw, name, system, flags, method, crc, packed, size, attributes, offset)


def _fields(extra: bytes, raw: bytes) -> dict[int, bytes]:
    """Extra fields by id (4.5.1); fewer than four bytes at the end are padding of some tools."""
    found: dict[int, bytes] = {}
    while len(extra) >= 4:
        kind, length = struct.unpack_from("<2H", extra)
        value = extra[4 : 4 + length]
        if len(value) < length:
            raise damaged(f"the extra field of {raw!r} is cut off")
        if kind in _ONCE and kind in found:
            # readers differ in which of two they believe (python/cpython#154894)
            raise damaged(f"{raw!r} has two extra fields of the kind 0x{kind:04x}")
        found[kind] = value
        extra = extra[4 + length :]
    return found


def _widen(value: int, wide: bytes, name: str) -> tuple[int, bytes]:
    """The 64 bits that stand for a field of ones (4.5.3), and what is left for the next one."""
    if value != _FULL32:
        return value, wide
    if len(wide) < 8:
        raise refused(name, "its zip64 sizes are missing", "Make the zip again.")
    return int.from_bytes(wide[:8], "little"), wide[8:]


def _name(raw: bytes, flags: int, unicode_path: bytes | None) -> str:
    """The name in Unicode: by flag, by Info-ZIP's extra field, as UTF-8, or as cp437.

    The extra field (4.6.9) holds as long as its CRC is that of the name beside it; a tool that
    renamed the entry without knowing the field has made it stale.
    """
    if flags & UTF8:
        try:
            return raw.decode()
        except UnicodeDecodeError:
            shown = raw.decode("utf-8", "backslashreplace")
            raise refused(shown, "its name isn't the UTF-8 it claims to be", _RENAME) from None
    if unicode_path and unicode_path[:5] == b"\x01" + zlib.crc32(raw).to_bytes(4, "little"):
        try:
            return unicode_path[5:].decode()
        except UnicodeDecodeError:
            shown = raw.decode("cp437")
            raise refused(shown, "its Unicode name isn't UTF-8", _RENAME) from None
    try:
        return raw.decode()
    except UnicodeDecodeError:
        return raw.decode("cp437")


_RENAME = "Rename the file, or make the zip with another tool."
