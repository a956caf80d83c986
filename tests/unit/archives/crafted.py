"""Zips put together byte by byte, so that any field can say what no tool would write."""

from __future__ import annotations

import io
import struct
import zlib
from dataclasses import dataclass
from pathlib import Path

from gitdeploy.archives import Extracted, ZipLimits, extract

LIMITS = ZipLimits(entries=1000, unpacked=64 << 20, ratio=100)


def deflate(data: bytes) -> bytes:
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    return packer.compress(data) + packer.flush()


def field(kind: int, value: bytes) -> bytes:
    return struct.pack("<2H", kind, len(value)) + value


def unicode_path(raw: bytes, name: str, crc: int | None = None, version: int = 1) -> bytes:
    known = zlib.crc32(raw) if crc is None else crc
    return field(0x7075, struct.pack("<BL", version, known) + name.encode())


@dataclass
class Item:
    """An entry; None means what is true."""

    name: bytes
    data: bytes = b""
    method: int = 8
    flags: int = 0
    system: int = 0
    mode: int = 0
    dos: int = 0
    extra: bytes = b""
    packed: bytes | None = None
    size: int | None = None
    packed_size: int | None = None
    crc: int | None = None
    offset: int | None = None
    disk: int = 0
    comment: bytes = b""
    descriptor: bool = False
    local_name: bytes | None = None
    local_method: int | None = None
    local_size: int | None = None
    local_flags: int | None = None
    local_extra: bytes = b""
    local_signature: bytes = b"PK\x03\x04"


def build(
    *items: Item,
    comment: bytes = b"",
    prefix: bytes = b"",
    gap: bytes = b"",
    count: int | None = None,
    shift: int = 0,
    zip64: bool = False,
    disk: int = 0,
) -> bytes:
    """A zip of the items. `prefix` is counted by the offsets, `shift` is added to the end's."""
    body = bytearray(prefix)
    directory = bytearray()
    for item in items:
        packed = item.packed
        if packed is None:
            packed = deflate(item.data) if item.method == 8 else item.data
        size = len(item.data) if item.size is None else item.size
        packed_size = len(packed) if item.packed_size is None else item.packed_size
        crc = zlib.crc32(item.data) if item.crc is None else item.crc
        flags = item.flags | (8 if item.descriptor else 0)
        offset = len(body) if item.offset is None else item.offset
        local = (crc, packed_size, size if item.local_size is None else item.local_size)
        if item.descriptor:
            local = (0, 0, 0)
        local_name = item.name if item.local_name is None else item.local_name
        method = item.method if item.local_method is None else item.local_method
        body += item.local_signature + struct.pack(
            "<5H3L2H", 20, flags if item.local_flags is None else item.local_flags, method, 0, 33,
            *local, len(local_name), len(item.local_extra),
        )  # fmt: skip
        body += local_name + item.local_extra + packed
        if item.descriptor:
            body += b"PK\x07\x08" + struct.pack("<3L", crc, packed_size, size)
        directory += b"PK\x01\x02" + struct.pack(
            "<4B4H3L5H2L", 20, item.system, 20, 0, flags, item.method, 0, 33, crc, packed_size,
            size, len(item.name), len(item.extra), len(item.comment), item.disk, 0,
            (item.mode << 16) | item.dos, offset,
        )  # fmt: skip
        directory += item.name + item.extra + item.comment
    body += gap
    start = len(body) + shift
    number = len(items) if count is None else count
    body += directory
    if zip64:
        position = len(body)
        body += struct.pack(
            "<4sQ2H2L4Q", b"PK\x06\x06", 44, 45, 45, 0, 0, number, number, len(directory), start
        )
        body += struct.pack("<4sLQL", b"PK\x06\x07", 0, position, 1)
        end = (disk, disk, 0xFFFF, 0xFFFF, 0xFFFFFFFF, 0xFFFFFFFF)
    else:
        end = (disk, disk, number, number, len(directory), start)
    return bytes(body + b"PK\x05\x06" + struct.pack("<4H2LH", *end, len(comment)) + comment)


def unpacked(data: bytes, target: Path, limits: ZipLimits = LIMITS) -> Extracted:
    return extract(io.BytesIO(data), target, limits=limits)


def files(root: Path) -> dict[str, bytes]:
    """Every file below a directory with its bytes."""
    return {
        str(path.relative_to(root)): path.read_bytes()
        for path in sorted(root.rglob("*"))
        if path.is_file()
    }
