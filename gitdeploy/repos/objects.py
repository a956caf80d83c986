"""All stored objects of a repository, packed and loose, looked up as one.

Indexes stay open between requests and are listed again when `objects/pack` changes, so `git gc`
or `git repack` beside us does no harm. Every method may be called from any thread. Ids are 20
bytes; types are the numbers of the pack format: 1 commit, 2 tree, 3 blob, 4 tag.
"""

from __future__ import annotations

import os
import subprocess
import threading
import time
import zlib
from collections import OrderedDict
from collections.abc import Callable, Collection, Iterator
from pathlib import Path
from typing import TypeVar

from gitdeploy.repos.environment import git_environment
from gitdeploy.repos.loose import Loose
from gitdeploy.repos.packfile import OFS_DELTA, REF_DELTA, Entry, PackFile
from gitdeploy.repos.types import RepositoryError

COMMIT, TREE, BLOB, TAG = 1, 2, 3, 4
TYPES = {1: "commit", 2: "tree", 3: "blob", 4: "tag"}
_NUMBERS = {name.encode(): number for number, name in TYPES.items()}
BIG = 16 << 20
"""From this size on a blob that is stored as a delta is read by a git child, not in memory."""
_CACHE = 16 << 20
_RACY = 100_000_000
"""A directory that changed so many ns before it was listed may change again unseen."""

T = TypeVar("T")

_CHANGES = 200
"""So many changes of the packs in a row are seen through while one object is looked for: a repack
removes old packs one by one, and each may be the one that was just chosen."""
_PATIENT = 3
"""From this change on each look waits a moment, so that the repack gets on."""
_PAUSE = 0.002
"""Seconds."""


class Objects:
    """The object database below `directory` (a repository's `objects`)."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self._packs: tuple[PackFile, ...] = ()
        self._listed: tuple[int, int] | None = None
        self._settled = False
        self._lock = threading.Lock()
        self._bases = _Bases(_CACHE)

    def has(self, oid: bytes) -> bool:
        """Whether the object is stored."""

        def seen() -> bool | None:
            return self._locate(oid) is not None or self._loose(oid).exists() or None

        return self._retried(seen) is not None

    def present(self, oids: Collection[bytes]) -> set[bytes]:
        """Which of these objects are stored."""
        packs = self.packs(fresh=True)
        for _ in range(_CHANGES):
            found = self._present(packs, oids)
            if len(found) == len(oids):
                break
            before, packs = packs, self.packs(fresh=True)
            if packs == before:
                break
        return found

    def _present(self, packs: tuple[PackFile, ...], oids: Collection[bytes]) -> set[bytes]:
        found: set[bytes] = set()
        for pack in packs:
            # about 2 µs a look-up here, 0.1 µs a name of the whole index there
            if len(oids) * 20 < pack.count:
                found.update(oid for oid in oids if pack.find(oid) is not None)
            else:
                found.update(frozenset(oids).intersection(pack.names()))
        directories = self._loose_directories()
        for oid in oids:
            if oid[:1] in directories and oid not in found and self._loose(oid).exists():
                found.add(oid)
        return found

    def header(self, oid: bytes) -> tuple[int, int] | None:
        """Type and size in bytes of an object, without reading it; None where there is none."""
        return self._retried(lambda: self._header(oid))

    def read(self, oid: bytes) -> tuple[int, bytes] | None:
        """Type and whole content of an object; None where there is none."""
        return self._retried(lambda: self._read(oid))

    def pieces(self, oid: bytes) -> Iterator[bytes] | None:
        """An object's content in pieces, never whole in memory where it is big."""
        return self._retried(lambda: self._pieces(oid))

    def with_prefix(self, prefix: str) -> set[str]:
        """The ids (hex) that begin with these hex digits, at least two."""
        found = {name for pack in self.packs(fresh=True) for name in pack.with_prefix(prefix)}
        directory = self.directory / prefix[:2]
        if directory.is_dir():
            names = (prefix[:2] + e.name for e in os.scandir(directory) if len(e.name) == 38)
            found.update(name for name in names if name.startswith(prefix))
        return found

    def packs(self, *, fresh: bool = False) -> tuple[PackFile, ...]:
        """The packs that are there now.

        `fresh`: also those that came in the same tick of the directory's clock as the last
        listing; without it a look-up that finds nothing has to ask again.
        """
        directory = self.directory / "pack"
        try:
            stat = directory.stat()
        except FileNotFoundError:
            return ()
        state = (stat.st_ino, stat.st_mtime_ns)
        if self._listed == state and (self._settled or not fresh):
            return self._packs
        with self._lock:
            for _ in range(_CHANGES):
                now = time.time_ns()
                listing = self._list(directory)
                self._settled = False  # others read without the lock: never that of another list
                self._packs = listing
                self._listed = state
                self._settled = now - stat.st_mtime_ns > _RACY
                stat = directory.stat()
                if (stat.st_ino, stat.st_mtime_ns) == state:
                    break
                # changed while it was read: neither old packs nor new ones may have been seen
                state = (stat.st_ino, stat.st_mtime_ns)
            return self._packs

    def _list(self, directory: Path) -> tuple[PackFile, ...]:
        known = {pack.path.name: pack for pack in self._packs}
        packs: list[PackFile] = []
        for entry in os.scandir(directory):
            # `.tmp-…` is what a repack has under way: gone the next moment
            if not entry.name.endswith(".idx") or entry.name.startswith("."):
                continue
            pack = known.get(entry.name[:-4] + ".pack")
            if pack is None:
                try:
                    pack = PackFile(directory / entry.name)
                except FileNotFoundError:  # repacked between listing and opening
                    continue
            packs.append(pack)
        return tuple(packs)

    def forget(self) -> None:
        """List the packs again at the next question."""
        self._listed = None

    def _retried(self, read: Callable[[], T]) -> T:
        """Again with a fresh listing where a pack went away under our hands, or where nothing
        was found and packs came meanwhile: a loose object may be in one of them now."""
        for change in range(_CHANGES):
            if change >= _PATIENT:
                time.sleep(_PAUSE)
            before = self._packs
            try:
                found = read()
            except FileNotFoundError:
                with self._lock:
                    self._packs = ()
                    self._listed = None
                continue
            if found is not None or self.packs(fresh=True) == before:
                return found
        return read()

    def _locate(self, oid: bytes) -> tuple[PackFile, int] | None:
        packs = self.packs()
        while True:
            for pack in packs:
                offset = pack.find(oid)
                if offset is not None:
                    return pack, offset
            if self._settled and packs is self._packs:  # in this order, see packs()
                return None
            before, packs = packs, self.packs(fresh=True)
            if packs == before:
                return None

    def _header(self, oid: bytes) -> tuple[int, int] | None:
        place = self._locate(oid)
        if place is None:
            loose = self._open_loose(oid)
            if loose is None:
                return None
            kind, size, pieces = loose
            pieces.close()
            return kind, size
        pack, offset = place
        entry = pack.entry(offset)
        if entry.base is None:
            return entry.type, entry.size
        size = _result_size(b"".join(pack.inflate_pieces(entry, 20)))
        return self._base_type(pack, entry), size

    def _base_type(self, pack: PackFile, entry: Entry) -> int:
        while entry.base is not None:
            base = entry.base
            if isinstance(base, bytes):
                offset = pack.find(base)
                if offset is None:
                    header = self._header(base)
                    if header is None:
                        raise RepositoryError(
                            f"{pack.path.name} lacks the delta base {base.hex()}."
                        )
                    return header[0]
                base = offset
            entry = pack.entry(base)
        return entry.type

    def _read(self, oid: bytes) -> tuple[int, bytes] | None:
        place = self._locate(oid)
        if place is not None:
            return self._read_packed(*place)
        loose = self._open_loose(oid)
        if loose is None:
            return None
        kind, size, pieces = loose
        data = b"".join(pieces)
        if len(data) != size:
            raise RepositoryError(f"The object {oid.hex()} doesn't have the length it says.")
        return kind, data

    def _read_packed(self, pack: PackFile, offset: int) -> tuple[int, bytes]:
        """Follow the deltas down to a whole object, then apply them on the way back."""
        deltas: list[tuple[int, Entry]] = []
        at = offset
        while True:
            known = self._bases.get((pack, at))
            if known is not None:
                kind, data = known
                break
            entry = pack.entry(at)
            if entry.type == OFS_DELTA and isinstance(entry.base, int):
                deltas.append((at, entry))
                at = entry.base
            elif entry.type == REF_DELTA and isinstance(entry.base, bytes):
                deltas.append((at, entry))
                inside = pack.find(entry.base)
                if inside is None or len(deltas) > pack.count:
                    found = None if inside is not None else self._read(entry.base)
                    if found is None:
                        raise RepositoryError(f"{pack.path.name} lacks a base of its byte {at}.")
                    kind, data = found
                    break
                at = inside
            else:
                kind, data = entry.type, pack.inflate(entry)
                if deltas:
                    self._bases.put((pack, at), (kind, data))
                break
        for at, entry in reversed(deltas):
            data = pack.read_delta(data, pack.inflate(entry), at)
            if at != offset:
                self._bases.put((pack, at), (kind, data))
        return kind, data

    def _pieces(self, oid: bytes) -> Iterator[bytes] | None:
        place = self._locate(oid)
        if place is None:
            loose = self._open_loose(oid)
            return None if loose is None else loose[2]
        pack, offset = place
        entry = pack.entry(offset)
        if entry.base is None:
            return pack.inflate_pieces(entry)
        header = self._header(oid)
        if header is not None and header[1] >= BIG:
            return self._pieces_by_git(oid, header[0])
        return iter((self._read_packed(pack, offset)[1],))

    def _pieces_by_git(self, oid: bytes, kind: int) -> Iterator[bytes]:
        """git holds the base and the delta in its own memory, and gives it back at its end."""
        child = subprocess.Popen(
            ["git", "cat-file", TYPES[kind], oid.hex()],
            env=git_environment(self.directory.parent),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )
        assert child.stdout is not None
        try:
            while piece := child.stdout.read(1 << 20):
                yield piece
        finally:
            child.stdout.close()
            code = child.wait()
        if code:
            raise RepositoryError(f"git cat-file {oid.hex()} ended with {code}.")

    def _loose(self, oid: bytes) -> Path:
        name = oid.hex()
        return self.directory / name[:2] / name[2:]

    def _loose_directories(self) -> frozenset[bytes]:
        names = (e.name for e in os.scandir(self.directory) if len(e.name) == 2)
        return frozenset(bytes.fromhex(name) for name in names)

    def _open_loose(self, oid: bytes) -> tuple[int, int, Loose] | None:
        """Type, size and content of a loose object (gitformat-loose)."""
        try:
            pieces = Loose(self._loose(oid))
        except FileNotFoundError:
            return None
        try:
            word, _, size = pieces.header().partition(b" ")
            return _NUMBERS[word], int(size), pieces
        except (KeyError, ValueError, zlib.error) as error:
            pieces.close()
            raise RepositoryError(f"The object {oid.hex()} is broken: {error}.") from error


class _Bases:
    """Inflated delta bases, the least recently used goes first; bounded in bytes."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._held = 0
        self._known: OrderedDict[tuple[PackFile, int], tuple[int, bytes]] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, key: tuple[PackFile, int]) -> tuple[int, bytes] | None:
        with self._lock:
            found = self._known.get(key)
            if found is not None:
                self._known.move_to_end(key)
            return found

    def put(self, key: tuple[PackFile, int], value: tuple[int, bytes]) -> None:
        size = len(value[1])
        if size > self._limit // 4:
            return
        with self._lock:
            if key not in self._known:
                self._held += size
            self._known[key] = value
            while self._held > self._limit:
                self._held -= len(self._known.popitem(last=False)[1][1])


def _result_size(delta: bytes) -> int:
    """The second number at the head of a delta: the size of what it makes."""
    at = 0
    for _ in range(2):
        size = shift = 0
        while True:
            if at >= len(delta):
                raise RepositoryError("A delta in a pack is cut off.")
            byte = delta[at]
            at += 1
            size |= (byte & 0x7F) << shift
            shift += 7
            if not byte & 0x80:
                break
    return size
