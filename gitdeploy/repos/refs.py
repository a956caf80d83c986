"""Refs as they lie on disk: loose files, `packed-refs`, HEAD. Reading only, and HEAD's branch.

A listing is kept and given out again while neither `packed-refs` nor any directory below `refs`
has changed; git and we replace refs by rename(2), which changes their directory.
"""

from __future__ import annotations

import os
import re
import time
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from gitdeploy.repos import packedrefs
from gitdeploy.repos.types import RepositoryError

_ID = re.compile(r"[0-9a-f]{40}")
_RACY = 100_000_000

State = tuple[int, int, int]


class _Listing(NamedTuple):
    refs: dict[str, str]
    odd: frozenset[str]
    packed: packedrefs.PackedRefs
    directories: tuple[tuple[str, State], ...]
    packed_state: State | None
    settled: bool  # nothing changed just before it was read, so a later change has another time


class Refs:
    """The refs of one bare repository. Methods may be called from any thread."""

    def __init__(self, git_dir: Path) -> None:
        self.git_dir = git_dir
        self.packed_path = git_dir / "packed-refs"
        self._listing: _Listing | None = None

    def all(self) -> Mapping[str, str]:
        """Every ref with its object id, sorted by name; symbolic and broken refs aren't in it."""
        return self._fresh().refs

    def odd(self) -> frozenset[str]:
        """The names whose files are no refs to an object: symbolic ones, broken ones."""
        return self._fresh().odd

    def packed(self) -> packedrefs.PackedRefs:
        """What `packed-refs` says now."""
        return self._fresh().packed

    def read(self, ref: str) -> str | None:
        """A ref's object id, None where it doesn't exist.

        Raises RepositoryError where its file holds something else (a symbolic ref, a cut line).
        """
        try:
            text = (self.git_dir / ref).read_text("ascii", "replace")
        except (FileNotFoundError, IsADirectoryError, NotADirectoryError):
            return packedrefs.read(self.packed_path).refs.get(ref)
        if not _ID.fullmatch(text[:40]):
            raise RepositoryError(
                f"{ref} isn't a ref to an object.", "Mend it with git update-ref."
            )
        return text[:40]

    def head(self) -> str | None:
        """The ref that HEAD stands for, None where HEAD is detached."""
        text = (self.git_dir / "HEAD").read_text("utf-8", "replace")
        return text[5:].strip() if text.startswith("ref: ") else None

    def set_head(self, ref: str) -> None:
        """Let HEAD stand for this ref, which need not exist."""
        lock = self.git_dir / "HEAD.lock"
        descriptor = os.open(lock, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o644)
        try:
            os.write(descriptor, f"ref: {ref}\n".encode())
            os.fsync(descriptor)
            lock.replace(self.git_dir / "HEAD")
        except BaseException:
            lock.unlink(missing_ok=True)
            raise
        finally:
            os.close(descriptor)

    def forget(self) -> None:
        """List again at the next question."""
        self._listing = None

    def _fresh(self) -> _Listing:
        listing = self._listing
        if listing is not None and listing.settled and self._unchanged(listing):
            return listing
        listing = self._list()
        self._listing = listing
        return listing

    def _unchanged(self, listing: _Listing) -> bool:
        if _state(self.packed_path) != listing.packed_state:
            return False
        return all(_state(path) == state for path, state in listing.directories)

    def _list(self) -> _Listing:
        """Loose refs first: pack-refs writes `packed-refs` before it removes a loose one."""
        now = time.time_ns()
        loose: dict[str, str] = {}
        directories: list[tuple[str, State]] = []
        self._walk(str(self.git_dir / "refs"), "refs/", loose, directories)
        packed_state = _state(self.packed_path)
        packed = packedrefs.read(self.packed_path)
        names = {**packed.refs, **loose}
        refs = {ref: names[ref] for ref in sorted(names) if names[ref]}
        odd = frozenset(ref for ref, oid in loose.items() if not oid)
        times = [state[1] for _, state in directories]
        if packed_state is not None:
            times.append(packed_state[1])
        settled = all(now - changed > _RACY for changed in times)
        return _Listing(refs, odd, packed, tuple(directories), packed_state, settled)

    def _walk(
        self,
        path: str,
        prefix: str,
        loose: dict[str, str],
        directories: list[tuple[str, State]],
    ) -> None:
        state = _state(path)
        if state is None:  # an empty directory that was removed meanwhile
            return
        directories.append((path, state))
        try:
            entries = list(os.scandir(path))
        except FileNotFoundError:
            return
        for entry in entries:
            if entry.is_dir(follow_symlinks=False):
                self._walk(entry.path, f"{prefix}{entry.name}/", loose, directories)
            elif not entry.name.endswith(".lock"):
                try:
                    descriptor = os.open(entry.path, os.O_RDONLY | os.O_CLOEXEC)
                except FileNotFoundError:  # packed meanwhile
                    continue
                try:
                    text = os.read(descriptor, 41).decode("ascii", "replace")
                finally:
                    os.close(descriptor)
                # a broken or symbolic one hides the packed one of its name, so it is kept as ""
                loose[prefix + entry.name] = text[:40] if _ID.fullmatch(text[:40]) else ""


def _state(path: str | Path) -> State | None:
    try:
        stat = os.stat(path)  # noqa: PTH116 (called for every directory: a Path costs more)
    except FileNotFoundError:
        return None
    return stat.st_ino, stat.st_mtime_ns, stat.st_size
