"""Writing `.idx` (version 2) and `.rev` (version 1) files, as git's gitformat-pack has them."""

from __future__ import annotations

import hashlib
import os
import sys
from array import array
from collections.abc import Iterable
from pathlib import Path

from gitdeploy.repos.pack.entries import Entries
from gitdeploy.repos.pack.oids import OidIndex

_LARGE = 1 << 31
REV_FROM = 1000
"""From so many objects up a `.rev` is worth its write."""


def write_index(path: Path, entries: Entries, index: OidIndex, checksum: bytes) -> None:
    """Write the `.idx` of a pack whose SHA-1 is `checksum`; not synced."""
    crcs, offsets = entries.crcs, entries.offsets
    low, large = array("I"), array("Q")
    for position in index.order:
        offset = offsets[position]
        if offset < _LARGE:
            low.append(offset)
        else:
            low.append(_LARGE | len(large))
            large.append(offset)
    _write(
        path,
        (
            b"\xfftOc\0\0\0\2",
            _big_endian(array("I", index.fanout[1:])),
            index.oids.packed,
            _big_endian(array("I", [crcs[position] for position in index.order])),
            _big_endian(low),
            _big_endian(large),
            checksum,
        ),
    )


def write_reverse_index(path: Path, index: OidIndex, checksum: bytes) -> None:
    """Write the `.rev`: for each object in pack order its place in the `.idx`; not synced."""
    places = array("I", bytes(4)) * len(index.order)
    for place, position in enumerate(index.order):
        places[position] = place
    _write(path, (b"RIDX\0\0\0\1\0\0\0\1", _big_endian(places), checksum))


def _big_endian(numbers: array[int]) -> bytes:
    if sys.byteorder == "little":
        numbers.byteswap()
    return numbers.tobytes()


def _write(path: Path, parts: Iterable[bytes]) -> None:
    """The parts and their SHA-1, in a new file that nobody will write to."""
    digest = hashlib.sha1(usedforsecurity=False)
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o444)
    with os.fdopen(descriptor, "wb") as file:
        for part in parts:
            digest.update(part)
            file.write(part)
        file.write(digest.digest())
