"""The corpus: zips that must be refused, each with what the refusal has to say."""

from __future__ import annotations

import stat
import struct

from tests.unit.archives.crafted import Item, build, deflate, field, unicode_path

GOOD = Item(b"run.py", b"print(1)\n")
ZEROS = bytes(20 << 20)


def named(name: bytes, **more: object) -> bytes:
    return build(GOOD, Item(name, b"x", **more))  # type: ignore[arg-type]


def special(kind: int, data: bytes = b"") -> bytes:
    return build(GOOD, Item(b"odd", data, system=3, mode=kind | 0o777))


def quoted_overlap() -> bytes:
    """Fifield's: the first entry's data is a stored block that quotes the second's header."""
    inner = deflate(b"y" * 1000)
    header = (
        b"PK\x03\x04" + struct.pack("<5H3L2H", 20, 0, 8, 0, 33, 0, len(inner), 1000, 1, 0) + b"b"
    )
    quote = b"\x00" + struct.pack("<2H", len(header), len(header) ^ 0xFFFF) + header
    first = Item(b"a", packed=quote + inner, size=len(header) + 1000, crc=0)
    second = Item(b"b", offset=30 + 1 + 5, packed=b"", packed_size=len(inner), size=1000, crc=0)
    return build(first, second)


def twice_the_same_data() -> bytes:
    return build(Item(b"a", b"x" * 99), Item(b"a2", b"x" * 99, offset=0))


WIDE = field(1, struct.pack("<Q", 9))

EVIL: dict[str, tuple[bytes, str]] = {
    "dots": (named(b"../evil"), r"\.\./evil .*leaves the archive"),
    "dots within": (named(b"a/../../evil"), "leaves the archive"),
    "dots that stay": (named(b"a/../evil"), "leaves the archive"),
    "dots with backslashes": (named(b"..\\..\\evil"), r"evil .*leaves the archive"),
    "dots mixed": (named(b"a\\../evil"), "leaves the archive"),
    "dots and a space": (named(b"a/.. /evil"), "dots and spaces"),
    "dots by the Unicode name": (
        named(b"fine", extra=unicode_path(b"fine", "../evil")),
        r"\.\./evil .*leaves the archive",
    ),
    "absolute": (named(b"/etc/cron.d/evil"), "/etc/cron.d/evil .*absolute"),
    "absolute with a backslash": (named(b"\\evil"), "absolute"),
    "a share": (named(b"\\\\host\\share\\evil"), "absolute"),
    "a drive": (named(b"C:\\evil"), "C:.*absolute"),
    "a drive without a root": (named(b"c:evil"), "c:evil .*absolute"),
    "NUL": (named(b"run.py\0.txt"), r"run.py\\x00.txt .*control character"),
    "a newline": (named(b"a\nb"), r"a\\nb .*control character"),
    "an escape": (named(b"\x1b[31mred"), r"\\x1b.*control character"),
    "a C1 control": (named("a\x9bb".encode()), "control character"),
    "no name": (named(b""), '"" .*folder with contents'),
    "only a dot": (named(b"."), "folder with contents"),
    "symlink": (special(stat.S_IFLNK, b"/etc/passwd"), "odd .*symbolic link"),
    "symlink within": (special(stat.S_IFLNK, b"run.py"), "odd .*symbolic link"),
    "symlink not by Unix": (
        build(Item(b"odd", b"run.py", system=0, mode=stat.S_IFLNK | 0o777)),
        "symbolic link",
    ),
    "character device": (special(stat.S_IFCHR), "odd .*device"),
    "block device": (special(stat.S_IFBLK), "odd .*device"),
    "pipe": (special(stat.S_IFIFO), "odd .*named pipe"),
    "socket": (special(stat.S_IFSOCK), "odd .*socket"),
    "encrypted": (named(b"secret", flags=1), "secret .*encrypted"),
    "strongly encrypted": (named(b"secret", flags=1 | 1 << 6), "encrypted"),
    "masked": (named(b"secret", flags=1 << 13), "encrypted"),
    "AES": (named(b"secret", method=99), "encrypted"),
    "encrypted by the local header": (named(b"secret", local_flags=1), "secret .*contradict"),
    "patch data": (named(b"p", flags=1 << 5), "patch data"),
    "differs in case": (build(Item(b"Run.py"), Item(b"run.py")), r"run\.py .*differs only in case"),
    "folders differ in case": (build(Item(b"Lib/a"), Item(b"lib/b")), "lib/b .*case from Lib"),
    "composed and not": (
        build(Item("é".encode()), Item("e\u0301".encode())),
        "there twice",
    ),
    "sharp s": (build(Item("maß".encode()), Item(b"MASS")), "case"),
    "twice": (build(GOOD, GOOD), r"run\.py .*twice"),
    "twice by separators": (build(Item(b"a/b"), Item(b"a\\b")), "twice"),
    "twice by dots": (build(Item(b"a/b"), Item(b"./a//b")), "twice"),
    "file then folder": (build(Item(b"a"), Item(b"a/b")), "a/b .*file and a folder"),
    "folder then file": (build(Item(b"a/b"), Item(b"a")), "a .*file and a folder"),
    "folder entry and file": (build(Item(b"a/"), Item(b"a")), "file and a folder"),
    "folder with contents": (named(b"a/"), "a/ .*folder with contents"),
    ".git": (named(b".git/config"), r"\.git/config .*spells \.git"),
    ".GIT": (named(b"sub\\.GIT\\hooks\\x"), r"spells \.git"),
    "git~1": (named(b"git~1/config"), r"spells \.git"),
    ".git with dots": (named(b".git. ./config"), r"spells \.git"),
    ".git stream": (named(b".git::$INDEX_ALLOCATION/config"), r"spells \.git"),
    ".git with a joiner": (named(".g\u200cit/config".encode()), r"spells \.git"),
    "a long part": (named(b"n" * 256), "longer than 255 bytes"),
    "a long part in UTF-8": (named("ü".encode() * 128), "longer than 255 bytes"),
    "a long path": (named(b"/".join([b"d" * 200] * 21)), "n in the zip|has 4220 bytes"),
    "deep": (named(b"/".join([b"d"] * 101)), "more than 100 folders"),
    "not UTF-8": (named(b"\xff\xfe", flags=1 << 11), "isn't the UTF-8"),
    "shrunk": (named(b"old", method=1), "old .*shrink"),
    "deflate64": (named(b"big", method=9), "big .*deflate64"),
    "bzip2": (named(b"b", method=12), "bzip2"),
    "LZMA": (named(b"l", method=14), "LZMA"),
    "zstd": (named(b"z", method=93), "zstd"),
    "unknown method": (named(b"u", method=77), "method 77"),
    "bomb that says so": (build(GOOD, Item(b"zeros", ZEROS)), "zeros .*max_zip_ratio"),
    "bomb that lies": (
        build(GOOD, Item(b"zeros", ZEROS, size=100, local_size=100)),
        "zeros .*more than the 100 bytes",
    ),
    "bomb in many": (
        build(*[Item(b"z%d" % n, bytes(1 << 20)) for n in range(20)]),
        "z0 .*max_zip_ratio",
    ),
    "too large": (build(Item(b"huge", size=65 << 20)), "huge .*max_unzipped_size"),
    "too large in 64 bits": (
        build(Item(b"huge", size=0xFFFFFFFF, extra=field(1, struct.pack("<Q", 1 << 63)))),
        "huge .*max_unzipped_size",
    ),
    "smaller than it says": (named(b"s", size=2), "s .*has 1 bytes and claims 2"),
    "stored sizes differ": (named(b"s", method=0, size=2), "two sizes contradict"),
    "wrong checksum": (named(b"c", crc=7), "c .*checksum"),
    "wrong checksum, stored": (named(b"c", method=0, crc=7), "checksum"),
    "not deflate": (named(b"n", packed=b"\xff" * 9), "n .*can't be unpacked"),
    "deflate cut off": (named(b"d", packed=deflate(b"x" * 99)[:-1], size=99), "d .*cut off"),
    "something behind the data": (named(b"d", packed=deflate(b"x") + b"?"), "something follows"),
    "quoted overlap": (quoted_overlap(), "a .*overlaps"),
    "the same data twice": (twice_the_same_data(), "overlaps"),
    "data in the directory": (
        build(Item(b"d", method=0, packed=b"", packed_size=60, size=60)), "d .*overlaps",
    ),
    "another local name": (named(b"a.py", local_name=b"b.py"), r"a\.py .*contradict"),
    "another local method": (named(b"a.py", local_method=0), "contradict"),
    "another local size": (named(b"a.py", local_size=5), "contradict"),
    "no local header": (named(b"a.py", local_signature=b"PK\x03\x05"), r"a\.py .*isn't where"),
    "offset beyond": (named(b"a.py", offset=10 << 20), r"isn't where|overlaps"),
    "another disk": (named(b"a.py", disk=1), r"a\.py .*split"),
    "split": (build(GOOD, disk=1), "split"),
    "two zip64 fields": (named(b"w", size=0xFFFFFFFF, extra=WIDE * 2), "two extra fields"),
    "no zip64 field": (named(b"w", size=0xFFFFFFFF), "w .*zip64 sizes are missing"),
    "two Unicode names": (
        named(b"w", extra=unicode_path(b"w", "a") + unicode_path(b"w", "b")),
        "two extra fields",
    ),
    "extra field cut off": (named(b"w", extra=struct.pack("<2H", 1, 9) + b"12"), "cut off"),
    "fewer entries": (build(GOOD, count=2), "fewer entries"),
    "more entries": (build(GOOD, Item(b"b"), count=1), "more entries"),
    "directory elsewhere": (build(GOOD, shift=-1), "isn't where its end says"),
    "prepended": (b"PK\x03\x04----" + build(GOOD), "isn't where its end says"),
    "prepended and counted": (build(GOOD, prefix=b"PK\x03\x04----"), "follows something else"),
    "prepended program": (b"MZ" + bytes(99) + build(GOOD), "a Windows program"),
    "appended": (build(GOOD) + b"<script>", "followed by 8 bytes"),
    "two ends": (
        build(GOOD, comment=build(GOOD)[-22:-2] + struct.pack("<H", 0)), "two ends",
    ),
    "data and no entries": (build(gap=build(Item(b"x"))[:33]), "no entries but data"),
    "zip64 end contradicts": (
        build(GOOD, zip64=True).replace(b"\xff\xff\xff\xff\0\0", b"\0\0\0\0\0\0"), "contradict",
    ),
    "zip64 end elsewhere": (
        build(GOOD, zip64=True).replace(b"PK\x06\x06", b"PK\x06\x05"), "isn't where it says",
    ),
}  # fmt: skip

NOT_ZIPS: dict[str, tuple[bytes, str]] = {
    "nothing": (b"", "no byte came"),
    "text": (b"#!/bin/sh\necho hi\n", "isn't a zip"),
    "JSON": (b'{"schedule": "0 * * * * *"}', "isn't a zip"),
    "gzip": (b"\x1f\x8b\x08" + bytes(20), "a gzip file"),
    "7z": (b"7z\xbc\xaf\x27\x1c" + bytes(20), "a 7z file"),
    "RAR": (b"Rar!\x1a\x07\x00", "a RAR file"),
    "form": (b"--boundary\r\nContent-Disposition: form-data\r\n\r\n", "a multipart form"),
    "too short": (b"PK\x03\x04", "cut off"),
}
