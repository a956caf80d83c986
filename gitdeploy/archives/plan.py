"""What a zip's entries come to: every one judged before the first byte is written."""

from __future__ import annotations

import os
import stat
import struct
from typing import BinaryIO, NamedTuple

from gitdeploy.archives.directory import Directory, too_many
from gitdeploy.archives.errors import ArchiveError, damaged, refused
from gitdeploy.archives.limits import ZipLimits
from gitdeploy.archives.names import Names, clean
from gitdeploy.archives.record import DESCRIPTOR, ENCRYPTED, PATCHED, Record

STORED = 0
DEFLATED = 8

_LOCAL = struct.Struct("<4s2B4HL2L2H")
_LOCAL_SIGNATURE = b"PK\x03\x04"
_FULL32 = 0xFFFFFFFF
_UNIX = (3, 19)  # made by Unix and by OS X: the upper half of the attributes is st_mode
_FOLDER_OF_DOS = 0x10
_METHODS = {  # 4.4.5
    1: "shrink", 6: "implode", 9: "deflate64", 10: "PKWARE implode", 12: "bzip2", 14: "LZMA",
    20: "zstd", 93: "zstd", 94: "MP3", 95: "xz", 96: "JPEG", 97: "WavPack", 98: "PPMd",
}  # fmt: skip
_SPECIAL = {
    stat.S_IFLNK: "it is a symbolic link",
    stat.S_IFCHR: "it is a device",
    stat.S_IFBLK: "it is a device",
    stat.S_IFIFO: "it is a named pipe",
    stat.S_IFSOCK: "it is a socket",
}


class Entry(NamedTuple):
    """A file or folder to write: its clean path, and where its packed bytes are."""

    path: str
    folder: bool
    executable: bool
    method: int
    crc: int
    packed: int
    size: int
    data: int


def plan(
    file: BinaryIO, directory: Directory, limits: ZipLimits, *, root_length: int
) -> list[Entry]:
    """The entries by path, folders before what is in them. Raises ArchiveError."""
    _check_sizes(directory.records, limits)
    names = Names()
    entries = []
    for record, data in _located(file, directory):
        _check_kind(record)
        path, slash = clean(record.name, root_length=root_length)
        folder = slash or _is_folder(record)
        if folder and record.size:
            raise refused(record.name, "it is a folder with contents", "Make the zip again.")
        if folder:
            names.take_folder(path)
        else:
            names.take_file(path)
        if len(names) > limits.entries:
            raise too_many(limits)
        executable = record.system in _UNIX and bool(record.attributes >> 16 & 0o111)
        what = (record.method, record.crc, record.packed, record.size, data)
        entries.append(Entry(path, folder, executable, *what))
    # as strings, what is in one folder stays together
    entries.sort(key=lambda entry: entry.path)
    return entries


def _check_sizes(records: list[Record], limits: ZipLimits) -> None:
    unpacked = packed = 0
    for record in records:
        unpacked += record.size
        packed += record.packed
        if unpacked > limits.unpacked:
            raise refused(
                record.name,
                f"with it the files have more than {limits.unpacked} bytes unpacked, the limit "
                "of max_unzipped_size",
                "Leave out what the site doesn't need, or raise max_unzipped_size on the server.",
            )
        if record.size > max(limits.floor, limits.ratio * record.packed):
            raise _bomb(record.name, record.size, record.packed, limits)
    if unpacked > max(limits.floor, limits.ratio * packed):
        raise _bomb(max(records, key=lambda r: r.size).name, unpacked, packed, limits)


def _bomb(name: str, unpacked: int, packed: int, limits: ZipLimits) -> ArchiveError:
    return refused(
        name,
        f"{packed} bytes become {unpacked}, more than {limits.ratio} times as many, the limit of "
        "max_zip_ratio",
        "Make such files on the server (in a build), or raise max_zip_ratio there.",
    )


def _check_kind(record: Record) -> None:
    if record.flags & ENCRYPTED or record.method == 99:  # 99: AES, WinZip's
        raise refused(record.name, "it is encrypted", "Make the zip without a password.")
    if record.method not in (STORED, DEFLATED) or record.flags & PATCHED:
        method = _METHODS.get(record.method, f"method {record.method}")
        if record.flags & PATCHED:
            method = "patch data"
        raise refused(
            record.name, f"it is compressed with {method}", "Use deflate, as `zip` does by itself."
        )
    special = _SPECIAL.get(stat.S_IFMT(record.attributes >> 16))
    if special:
        fix = "Leave it out and make the zip again."
        if "link" in special:
            fix = "Zip the file itself (zip without --symlinks)."
        raise refused(record.name, special, fix)
    if record.method == STORED and record.packed != record.size:
        raise refused(record.name, "its two sizes contradict each other", "Make the zip again.")


def _is_folder(record: Record) -> bool:
    kind = stat.S_IFMT(record.attributes >> 16)
    return kind == stat.S_IFDIR if kind else bool(record.attributes & _FOLDER_OF_DOS)


def _located(file: BinaryIO, directory: Directory) -> list[tuple[Record, int]]:
    """Each record with the place of its data, in the archive's order.

    Local headers must say what the directory says, and no byte may belong to two entries:
    otherwise one block of data could be unpacked a thousand times (Fifield, A better zip bomb,
    2019), or another reader sees another archive.
    """
    found = []
    records = sorted(directory.records, key=lambda record: record.offset)
    if records and records[0].offset:
        raise ArchiveError("The zip follows something else.", "Send the zip alone, as the body.")
    if not records:
        if directory.start:
            raise damaged("it has no entries but data")
        return []
    ends = [record.offset for record in records[1:]] + [directory.start]
    for record, end in zip(records, ends, strict=True):
        file.seek(record.offset, os.SEEK_SET)
        header = file.read(_LOCAL.size)
        if len(header) < _LOCAL.size or not header.startswith(_LOCAL_SIGNATURE):
            raise refused(record.name, "it isn't where the directory says", "Make the zip again.")
        _, _, _, flags, method, _, _, crc, packed, size, name, extra = _LOCAL.unpack(header)
        raw = file.read(name)
        data = record.offset + _LOCAL.size + name + extra
        if data + record.packed > end:
            raise refused(record.name, "it overlaps with what follows", "Make the zip again.")
        same = method == record.method and not (flags ^ record.flags) & ENCRYPTED
        if not flags & DESCRIPTOR:
            same = same and crc == record.crc
            same = same and packed in (record.packed, _FULL32) and size in (record.size, _FULL32)
        if not same or raw.replace(b"\\", b"/") != record.raw.replace(b"\\", b"/"):
            raise refused(record.name, "its two headers contradict each other", "Make it again.")
        found.append((record, data))
    return found
