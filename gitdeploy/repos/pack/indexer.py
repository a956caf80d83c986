"""PackIndexer: a pack in the making, from its first byte to its index."""

from __future__ import annotations

import hashlib
import tempfile
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import IO

from gitdeploy.repos.pack.entries import Entries
from gitdeploy.repos.pack.fsck import Checker
from gitdeploy.repos.pack.gitmodules import (
    GITATTRIBUTES_MAX,
    check_gitattributes,
    check_gitmodules,
)
from gitdeploy.repos.pack.idents import Broken
from gitdeploy.repos.pack.index import REV_FROM, write_index, write_reverse_index
from gitdeploy.repos.pack.indexed import IndexedPack, read_pieces
from gitdeploy.repos.pack.limits import (
    BLOB,
    HELD,
    TYPE_NAMES,
    PackError,
    PackLimits,
    broken_object,
    over,
)
from gitdeploy.repos.pack.links import missing_links
from gitdeploy.repos.pack.oids import OidIndex
from gitdeploy.repos.pack.packfile import PackFile, object_header
from gitdeploy.repos.pack.parser import PackParser
from gitdeploy.repos.pack.resolve import Resolver
from gitdeploy.repos.pack.trees import Entry, read_tree

_KEPT = 16 << 20
"""Bytes of small deltas that stay in memory until they are resolved; others are inflated again."""
_HEADERS = {kind: name + b" %d\0" for kind, name in TYPE_NAMES.items()}

FindBase = Callable[[bytes], tuple[int, bytes] | None]
"""Type number and content of an object that the repository has; None where it hasn't."""


class PackIndexer:
    """Takes one pack. Not thread-safe, not asynchronous: feed it from one thread at a time.

    `path` is where the pack is written (it must not exist; `.idx` and `.rev` get its stem), `fsck`
    checks objects by git's rules. After any failure, and where `finish` won't be called, `abort`
    removes all files.
    """

    def __init__(
        self, path: Path, *, limits: PackLimits, find_base: FindBase, fsck: bool = True
    ) -> None:
        self._path = path
        self._limits = limits
        self._find_base = find_base
        self._fsck = fsck
        self._entries = Entries()
        self._pack = PackFile(path, self._entries)
        self._checker = Checker(path.parent, fsck=fsck)
        self._parser = PackParser(self._entries, self, limits)
        self._received = 0
        self._kept: dict[int, bytes] = {}
        self._kept_bytes = 0
        self._references: dict[bytes, list[int]] = {}
        self._thin: list[tuple[bytes, int, int, int]] = []  # id, type, size, where it is stored
        self._bases: IO[bytes] | None = None  # what is to be appended, deflated
        self._resolver: Resolver | None = None
        self._failed: PackError | None = None

    def feed(self, data: bytes) -> None:
        """Take the next bytes, a piece of any size. Raises PackError as soon as they are wrong."""
        if self._failed is not None:
            raise self._failed
        self._received += len(data)
        try:
            if self._received > self._limits.max_bytes:
                raise over("pack is too large", self._limits.max_bytes, "max_push_size")
            self._parser.feed(data)
            self._pack.write(data)
        except PackError as error:
            self._failed = error
            raise

    def finish(self) -> IndexedPack:
        """Check the rest, resolve deltas, write the index. Raises PackError."""
        if self._failed is not None:
            raise self._failed
        try:
            return self._finish()
        except PackError as error:
            self._failed = error
            raise

    def abort(self) -> None:
        """Close and remove everything; may be called at any time, and again."""
        self._release()
        self._pack.close()
        for suffix in (".pack", ".idx", ".rev"):
            self._path.with_suffix(suffix).unlink(missing_ok=True)
        self._path.unlink(missing_ok=True)

    # What the parser finds.

    def whole(self, position: int, kind: int, content: bytes) -> None:
        """An object that isn't a delta."""
        oid = hashlib.sha1(_HEADERS[kind] % len(content) + content, usedforsecurity=False).digest()
        self._entries.set_oid(position, oid)
        if kind != BLOB:
            try:
                self._checker.check(position, kind, content)
            except Broken as error:
                raise broken_object(oid, str(error)) from error

    def hashed(self, position: int, oid: bytes) -> None:
        """A blob too big to be held."""
        self._entries.set_oid(position, oid)

    def delta(self, position: int, content: bytes | None, base: bytes | None) -> None:
        """A delta; it is resolved when all are here."""
        if base is not None:
            self._references.setdefault(base, []).append(position)
        if content is not None and self._kept_bytes < _KEPT:
            self._kept[position] = content
            self._kept_bytes += len(content) + 150  # what the dictionary takes, too

    # The end.

    def _finish(self) -> IndexedPack:
        checksum = self._parser.finish()
        self._resolve()
        index = OidIndex(self._entries.oids)
        self._check_twins(index)
        if self._append_bases(index):
            checksum = self._pack.replace_trailer(len(self._entries), self._entries.end)
            new = index.oids
            index = OidIndex(self._entries.oids)
        else:
            new = index.oids
        missing = missing_links(self._checker.links, index, self._entries, self._limits.max_objects)
        if self._fsck:
            self._check_special(index)
        self._checker.paths.check(
            self._entries, index, self._limits.max_path_length, self._read_tree
        )
        self._release()
        idx = self._path.with_suffix(".idx")
        write_index(idx, self._entries, index, checksum)
        rev = None
        if len(self._entries) >= REV_FROM:
            rev = self._path.with_suffix(".rev")
            write_reverse_index(rev, index, checksum)
        return IndexedPack(
            self._pack, index, checksum=checksum, idx=idx, rev=rev, missing=missing, new=new
        )

    def _resolve(self) -> None:
        resolver = self._resolver = Resolver(
            self._pack,
            self._checker,
            self._limits,
            kept=self._kept,
            references=self._references,
        )
        if not resolver.unresolved:
            return
        resolver.resolve_inside()
        for oid in resolver.waiting():
            found = self._find_base(oid)
            if found is None:
                continue
            kind, content = found
            header = _HEADERS[kind] % len(content)
            if hashlib.sha1(header + content, usedforsecurity=False).digest() != oid:
                raise PackError(f"base object {oid.hex()} of the repository is damaged")
            self._keep_base(oid, kind, content)
            resolver.resolve_outside(-1 - len(self._thin), oid, kind, content)
        if resolver.unresolved:
            missing = next(resolver.waiting(), b"")
            named = f", base {missing.hex()} is missing" if missing else ""
            raise PackError(
                f"pack has {resolver.unresolved} unresolved deltas{named}",
                "Fetch first, then push again.",
            )

    def _keep_base(self, oid: bytes, kind: int, content: bytes) -> None:
        """Deflate a base for the end of the pack."""
        if self._bases is None:
            self._bases = tempfile.SpooledTemporaryFile(8 << 20, dir=str(self._path.parent))  # noqa: SIM115
        at = self._bases.tell()
        # Speed matters more than size: the next repack makes a delta of it.
        self._bases.write(zlib.compress(content, 1))
        self._thin.append((oid, kind, len(content), at))

    def _append_bases(self, index: OidIndex) -> bool:
        """Complete a thin pack; whether it was one."""
        if not self._thin:
            return False
        assert self._bases is not None
        entries = self._entries
        inside = [index.position(oid) for oid, _, _, _ in self._thin]
        deltas = [at for at in range(entries.sent) if entries.bases[at] < -1]
        ends = [at for _, _, _, at in self._thin[1:]] + [self._bases.tell()]
        for number, (oid, kind, size, at) in enumerate(self._thin):
            # The pack may have brought a base after all, as a delta on another base.
            if inside[number] < 0:
                inside[number] = self._append(oid, kind, size, at, ends[number])
        for at in deltas:
            entries.bases[at] = inside[-2 - entries.bases[at]]
        for at in deltas:
            self._check_chain(at)
        return True

    def _check_chain(self, position: int) -> None:
        """A delta must not stand on itself, be it by way of a base that the repository has too."""
        seen = set()
        while self._entries.is_delta(position):
            if position in seen:
                raise PackError(f"delta {self._entries.oid(position).hex()} stands on itself")
            seen.add(position)
            position = self._entries.bases[position]

    def _append(self, oid: bytes, kind: int, size: int, at: int, end: int) -> int:
        assert self._bases is not None
        entries = self._entries
        place = entries.add(entries.end, kind, size)
        entries.set_oid(place, oid)
        self._bases.seek(at)
        data = object_header(kind, size) + self._bases.read(end - at)
        entries.crcs[place] = zlib.crc32(data)
        self._pack.write_at(data, entries.end)
        entries.end += len(data)
        return place

    def _check_twins(self, index: OidIndex) -> None:
        """git's --strict refuses a pack that has an object twice."""
        if not self._fsck:
            return
        packed = index.oids.packed
        before = b""
        for at in range(0, len(packed), 20):
            oid = packed[at : at + 20]
            if oid == before:
                raise PackError(f"the same object {oid.hex()} appears twice in the pack")
            before = oid

    def _check_special(self, index: OidIndex) -> None:
        for oid, name in self._checker.special.items():
            position = index.position(oid)
            if not 0 <= position < self._entries.sent:
                continue
            size = self._entries.sizes[position]
            try:
                if name == "gitmodules":
                    if size > HELD:
                        raise Broken("gitmodulesLarge: .gitmodules too large to parse")
                    check_gitmodules(b"".join(read_pieces(self._pack, position)))
                else:
                    if size > GITATTRIBUTES_MAX:
                        raise Broken("gitattributesLarge: .gitattributes too large to parse")
                    if size <= HELD:
                        check_gitattributes(b"".join(read_pieces(self._pack, position)))
            except Broken as error:
                raise broken_object(oid, str(error)) from error

    def _read_tree(self, position: int) -> list[Entry]:
        return read_tree(b"".join(read_pieces(self._pack, position)), fsck=False).entries

    def _release(self) -> None:
        """Let go of temporary files and of what only `finish` needs."""
        self._checker.links.close()
        if self._resolver is not None:
            self._resolver.close()
            self._resolver = None
        if self._bases is not None:
            self._bases.close()
            self._bases = None
        self._kept.clear()
