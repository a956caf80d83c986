"""Objects that a push brings though they are there: the stored one stays, and must be the same.

That is what protects a repository from a colliding twin while ids are plain SHA-1.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable

from gitdeploy.repos.connectivity import Disconnected
from gitdeploy.repos.objects import BIG, Objects
from gitdeploy.repos.pack import IndexedPack


def compare(objects: Objects, pack: IndexedPack) -> int:
    """How many objects of the pack were there already. Raises Disconnected where one differs."""
    known = objects.present(pack.new_oids)
    for oid in known:
        header = objects.header(oid)
        if header is None:  # pruned in this moment: then it isn't there already
            continue
        if header != (pack.type_of(oid), pack.size_of(oid)) or not _same(
            objects, pack, oid, header
        ):
            raise Disconnected(
                f"SHA1 COLLISION FOUND WITH {oid.hex()}",
                "The object stored under this id has another content; tell your administrator.",
            )
    return len(known)


def _same(objects: Objects, pack: IndexedPack, oid: bytes, header: tuple[int, int]) -> bool:
    if header[1] < BIG:
        return objects.read(oid) == pack.read(oid)
    stored = objects.pieces(oid)
    return stored is not None and _digest(stored) == _digest(pack.pieces(oid))


def _digest(pieces: Iterable[bytes]) -> bytes:
    """Stands for a content too big to be held twice."""
    digest = hashlib.blake2b()
    for piece in pieces:
        digest.update(piece)
    return digest.digest()
