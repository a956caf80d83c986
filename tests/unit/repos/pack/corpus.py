"""Packs that must be refused, by name, and the parts to build others. Imports nothing but Python.

`CORPUS[name].make()` gives the bytes, `.reason` a part of what the refusal says. All of them pretend
to bring the commit `TIP`; `WHOLE` is the pack that really does. `INCOMPLETE` has packs that are
sound by themselves but leave out an object that the tip needs.
"""

from __future__ import annotations

import hashlib
import struct
import zlib
from collections.abc import Callable
from typing import NamedTuple

COMMIT, TREE, BLOB, TAG, OFS, REF = 1, 2, 3, 4, 6, 7
NAMES = {COMMIT: b"commit", TREE: b"tree", BLOB: b"blob", TAG: b"tag"}
TYPES = {name: kind for kind, name in NAMES.items()}
WHO = b"Ada Lovelace <ada@example.org> 1700000000 +0000"


class Corrupt(NamedTuple):
    """One pack of the corpus."""

    make: Callable[[], bytes]
    reason: str


def oid(kind: int, content: bytes) -> bytes:
    return hashlib.sha1(b"%s %d\0" % (NAMES[kind], len(content)) + content).digest()


def tree(*entries: tuple[bytes, bytes, bytes]) -> bytes:
    """A tree's content of (mode, name, id)."""
    return b"".join(mode + b" " + name + b"\0" + target for mode, name, target in entries)


def commit(tree_id: bytes, *parents: bytes, message: bytes = b"Say hello\n") -> bytes:
    lines = [b"tree " + tree_id.hex().encode()]
    lines += [b"parent " + parent.hex().encode() for parent in parents]
    return b"\n".join([*lines, b"author " + WHO, b"committer " + WHO, b"", message])


def tag(kind: int, target: bytes, name: bytes = b"v1") -> bytes:
    return b"object %s\ntype %s\ntag %s\ntagger %s\n\nA tag\n" % (
        target.hex().encode(),
        NAMES[kind],
        name,
        WHO,
    )


def header(kind: int, size: int) -> bytes:
    byte, size = kind << 4 | size & 15, size >> 4
    out = bytearray()
    while size:
        out.append(byte | 0x80)
        byte, size = size & 0x7F, size >> 7
    return bytes([*out, byte])


def record(kind: int, content: bytes, *, size: int | None = None) -> bytes:
    """An object as a pack has it, its size a lie where one is given."""
    return header(kind, len(content) if size is None else size) + zlib.compress(content)


def distance(number: int) -> bytes:
    """The distance of an offset delta."""
    out = [number & 0x7F]
    while number := number >> 7:
        number -= 1
        out.insert(0, 0x80 | number & 0x7F)
    return bytes(out)


def ofs_delta(back: int, delta: bytes) -> bytes:
    return header(OFS, len(delta)) + distance(back) + zlib.compress(delta)


def ref_delta(base: bytes, delta: bytes) -> bytes:
    return header(REF, len(delta)) + base + zlib.compress(delta)


def number(value: int) -> bytes:
    out = bytearray()
    while value >= 0x80:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*out, value])


def insert(data: bytes) -> bytes:
    return b"".join(
        bytes([len(data[at : at + 127])]) + data[at : at + 127] for at in range(0, len(data), 127)
    )


def copy(offset: int, length: int) -> bytes:
    """One copy instruction; `length` up to 0xffffff."""
    code, out = 0x80, b""
    for bit, byte in enumerate(struct.pack("<I", offset)):
        if byte:
            code |= 1 << bit
            out += bytes([byte])
    for bit, byte in enumerate(struct.pack("<I", length)[:3]):
        if byte:
            code |= 0x10 << bit
            out += bytes([byte])
    return bytes([code]) + out


def delta(base: int, result: int, *instructions: bytes) -> bytes:
    return number(base) + number(result) + b"".join(instructions)


def pack(*records: bytes, count: int | None = None, version: int = 2) -> bytes:
    body = b"PACK" + struct.pack(">II", version, len(records) if count is None else count)
    body += b"".join(records)
    return body + hashlib.sha1(body).digest()


HELLO = b"hello, world\n"
HELLO_ID = oid(BLOB, HELLO)
ROOT = tree((b"100644", b"hello.txt", HELLO_ID))
ROOT_ID = oid(TREE, ROOT)
FIRST = commit(ROOT_ID)
TIP = oid(COMMIT, FIRST).hex()
_RECORDS = (record(COMMIT, FIRST), record(TREE, ROOT), record(BLOB, HELLO))
WHOLE = pack(*_RECORDS)


def resealed(body: bytes) -> bytes:
    """A pack whose checksum is right for what it says."""
    return body + hashlib.sha1(body).digest()


def _truncated(at: int) -> Callable[[], bytes]:
    return lambda: WHOLE[:at]


def _with(*records: bytes, count: int | None = None) -> Callable[[], bytes]:
    return lambda: pack(*_RECORDS, *records, count=count)


def _tip_with(entries: bytes, *records: bytes) -> Callable[[], bytes]:
    """A pack whose tip has a tree of these bytes (the tip is another commit then)."""
    return lambda: pack(
        record(COMMIT, commit(oid(TREE, entries))),
        record(TREE, entries),
        record(BLOB, HELLO),
        *records,
    )


def _flipped() -> bytes:
    """One bit of the blob's zlib stream is wrong."""
    at = len(WHOLE) - 20 - 8
    return resealed(WHOLE[:at] + bytes([WHOLE[at] ^ 0x10]) + WHOLE[at + 1 : -20])


def _bomb() -> bytes:
    """A hundred bytes, it says; they inflate to 64 MiB."""
    return pack(*_RECORDS, record(BLOB, bytes(64 << 20), size=100))


def _delta_bomb() -> bytes:
    """A blob of 64 KiB, a delta that makes 15 MiB of it, and one that makes 2 GiB of that."""
    small, middle = 1 << 16, 15 << 20
    first = record(BLOB, bytes(small))
    second = ofs_delta(len(first), delta(small, middle, *[copy(0, small - 1)] * 240, copy(0, 240)))
    third = ofs_delta(len(second), delta(middle, 140 * middle, *[copy(0, middle)] * 140))
    return pack(*_RECORDS, first, second, third)


def _loop() -> bytes:
    """Two deltas, each of which names the other as its base."""
    one, two = b"one of two, with words\n", b"two of two, with words\n"
    size = len(one)
    return pack(
        *_RECORDS,
        ref_delta(oid(BLOB, two), delta(size, size, insert(b"one"), copy(3, size - 3))),
        ref_delta(oid(BLOB, one), delta(size, size, insert(b"two"), copy(3, size - 3))),
    )


_GROW = delta(len(HELLO), len(HELLO) + 5, copy(0, len(HELLO)), insert(b"more\n"))
_ON_HELLO = len(_RECORDS[2])
_BAD_NAME = tree((b"100644", b".git", HELLO_ID))
_SAME = tree((b"100644", b"a", HELLO_ID), (b"40000", b"a", ROOT_ID))

CORPUS: dict[str, Corrupt] = {
    **{
        f"truncated at {at}": Corrupt(_truncated(at), "truncated")
        for at in (0, 3, 4, 11, 12, 13, 20, 60, len(WHOLE) // 2, len(WHOLE) - 21, len(WHOLE) - 20)
    },
    "truncated in its checksum": Corrupt(_truncated(len(WHOLE) - 1), "truncated"),
    "bad checksum": Corrupt(lambda: WHOLE[:-1] + bytes([WHOLE[-1] ^ 1]), "SHA1 mismatch"),
    "no pack at all": Corrupt(lambda: b"<!doctype html>" * 9, "signature"),
    "wrong version": Corrupt(lambda: pack(*_RECORDS, version=4), "version 4"),
    "garbage behind": Corrupt(lambda: WHOLE + b"x", "junk"),
    "count too large": Corrupt(_with(count=4), "unknown object type|truncated|inflate|junk|size"),
    "count too small": Corrupt(_with(count=2), "junk"),
    "count of four thousand million": Corrupt(_with(count=0xFFFFFFFF), "max_push_objects"),
    "object type 0": Corrupt(_with(record(0, b"x")), "unknown object type 0"),
    "object type 5": Corrupt(_with(record(5, b"x")), "unknown object type 5"),
    "size says more": Corrupt(_with(record(BLOB, b"short", size=6)), "shorter"),
    "size says less": Corrupt(_with(record(BLOB, b"longer", size=5)), "longer"),
    "size of a terabyte": Corrupt(_with(record(BLOB, b"x", size=1 << 40)), "max_object_size"),
    "size without end": Corrupt(lambda: resealed(WHOLE[:12] + b"\xff" * 40), "size too large"),
    "tree of half a gigabyte": Corrupt(_with(record(TREE, b"x", size=1 << 29)), "too large"),
    "flipped bit": Corrupt(_flipped, "inflate"),
    "no zlib stream": Corrupt(_with(header(BLOB, 9) + b"not zlib!"), "inflate"),
    "zlib bomb": Corrupt(_bomb, "longer"),
    "delta bomb": Corrupt(_delta_bomb, "max_object_size"),
    "delta bomb that lies": Corrupt(
        _with(ofs_delta(_ON_HELLO, delta(13, 20, *[copy(0, 13)] * 50000))), "failed to apply delta"
    ),
    "delta says a terabyte": Corrupt(
        _with(ofs_delta(_ON_HELLO, delta(13, 1 << 40, copy(0, 13)))), "max_object_size"
    ),
    "delta without sizes": Corrupt(_with(ofs_delta(_ON_HELLO, b"\xff\xff")), "delta"),
    "delta of no bytes": Corrupt(_with(ofs_delta(_ON_HELLO, b"")), "delta"),
    "delta for another base": Corrupt(
        _with(ofs_delta(_ON_HELLO, delta(12, 12, copy(0, 12)))), "another size"
    ),
    "delta copies beyond its base": Corrupt(
        _with(ofs_delta(_ON_HELLO, delta(13, 13, copy(1, 13)))), "failed to apply delta"
    ),
    "delta makes too little": Corrupt(
        _with(ofs_delta(_ON_HELLO, delta(13, 14, copy(0, 13)))), "failed to apply delta"
    ),
    "delta makes too much": Corrupt(
        _with(ofs_delta(_ON_HELLO, delta(13, 12, copy(0, 13)))), "failed to apply delta"
    ),
    "delta cut off in an insert": Corrupt(
        _with(ofs_delta(_ON_HELLO, delta(13, 20, b"\x14abc"))), "failed to apply delta"
    ),
    "delta cut off in a copy": Corrupt(
        _with(ofs_delta(_ON_HELLO, delta(13, 13, b"\xff\0"))), "failed to apply delta"
    ),
    "delta with an insert behind its end": Corrupt(
        _with(ofs_delta(_ON_HELLO, delta(13, 14, copy(0, 13), b"\1x", b"\1"))),
        "failed to apply delta",
    ),
    "delta with a copy behind its end": Corrupt(
        _with(ofs_delta(_ON_HELLO, delta(13, 14, copy(0, 13), b"\1x", copy(0, 13)))),
        "failed to apply delta",
    ),
    "delta instruction 0": Corrupt(
        _with(ofs_delta(_ON_HELLO, delta(13, 13, b"\0", copy(0, 13)))), "failed to apply delta"
    ),
    "tree delta copies beyond its base": Corrupt(
        lambda: pack(
            _RECORDS[0],
            _RECORDS[2],
            _RECORDS[1],
            ofs_delta(len(_RECORDS[1]), delta(len(ROOT), len(ROOT), copy(1, len(ROOT)))),
        ),
        "failed to apply delta",
    ),
    "offset beyond the start": Corrupt(_with(ofs_delta(100_000, _GROW)), "out of bound"),
    "offset into the header": Corrupt(_with(ofs_delta(len(WHOLE) - 20 - 8, _GROW)), "out of bound"),
    "offset of 0": Corrupt(_with(ofs_delta(0, _GROW)), "out of bound"),
    "offset into an object": Corrupt(_with(ofs_delta(_ON_HELLO - 1, _GROW)), "out of bound"),
    "offset without end": Corrupt(
        lambda: resealed(WHOLE[:12] + header(OFS, 9) + b"\xff" * 40), "offset"
    ),
    "missing base": Corrupt(_with(ref_delta(b"\x42" * 20, _GROW)), "unresolved deltas"),
    "delta on itself": Corrupt(
        _with(ref_delta(oid(BLOB, HELLO + b"more\n"), _GROW)), "unresolved deltas"
    ),
    "delta loop": Corrupt(_loop, "unresolved deltas"),
    "an object twice": Corrupt(_with(_RECORDS[2]), "twice"),
    "a blob for a tree": Corrupt(
        lambda: pack(record(COMMIT, commit(HELLO_ID)), record(BLOB, HELLO)), "is a blob, not a tree"
    ),
    "a tree for a blob": Corrupt(
        _tip_with(tree((b"100644", b"x", ROOT_ID)), record(TREE, ROOT)), "is a tree, not a blob"
    ),
    "a blob for a directory": Corrupt(
        _tip_with(tree((b"40000", b"x", HELLO_ID))), "is a blob, not a tree"
    ),
    "a tree for a parent": Corrupt(
        lambda: pack(record(COMMIT, commit(ROOT_ID, ROOT_ID)), *_RECORDS[1:]),
        "is a tree, not a commit",
    ),
    "a tag of the wrong type": Corrupt(
        _with(record(TAG, tag(TREE, HELLO_ID))), "is a blob, not a tree"
    ),
    "a tree cut off": Corrupt(_tip_with(ROOT[:-1]), "badTree"),
    "a tree of noise": Corrupt(_tip_with(b"\xff" * 50), "badTree"),
    "a name that is .git": Corrupt(_tip_with(_BAD_NAME), "hasDotgit"),
    "a name twice": Corrupt(_tip_with(_SAME, record(TREE, ROOT)), "duplicateEntries"),
    "a commit of noise": Corrupt(_with(record(COMMIT, b"noise\n")), "missingTree"),
    "a commit without an author": Corrupt(
        _with(record(COMMIT, b"tree %s\n\nx\n" % ROOT_ID.hex().encode())), "missingAuthor"
    ),
    "a tag of noise": Corrupt(_with(record(TAG, b"noise\n")), "missingObject"),
    "a path too long": Corrupt(
        _tip_with(tree((b"100644", b"n" * 5000, HELLO_ID))), "max_path_length"
    ),
}

INCOMPLETE: dict[str, bytes] = {
    "without the blob": pack(*_RECORDS[:2]),
    "without the tree": pack(_RECORDS[0], _RECORDS[2]),
    "without the parent": pack(record(COMMIT, commit(ROOT_ID, b"\x17" * 20)), *_RECORDS[1:]),
    "without the tip": pack(*_RECORDS[1:]),
    "empty": pack(),
}
