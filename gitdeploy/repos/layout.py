"""How a bare repository of ours is laid out on disk, and what a crash may have left in one."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Iterator
from pathlib import Path

CONFIG = """\
# Written by gitdeploy when the repository was created; yours to edit. A push can't reach it.
[core]
\trepositoryformatversion = 0
\tfilemode = true
\tbare = true
\tlogAllRefUpdates = true
[gc]
\tpruneExpire = 2.weeks.ago
[transfer]
\thideRefs = refs/gitdeploy
"""
INCOMING = "incoming-"
"""Quarantine directories in `objects/`; git's own prune takes old ones of this name too."""
_STALE = 2.0
"""Seconds after which a lock that nobody touched is a leftover; git holds one for milliseconds."""


def hooks_source() -> Path:
    """The hooks that the package delivers: inside an installed package, beside it in a checkout."""
    package = Path(__file__).resolve().parents[1]
    installed = package / "_hooks"
    return installed if installed.is_dir() else package.parent / "hooks"


def create(path: Path, branch: str = "main") -> None:
    """Make an empty bare repository; whole or not at all. FileExistsError where `path` exists."""
    if path.exists():
        raise FileExistsError(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    shutil.rmtree(temporary, ignore_errors=True)
    for directory in ("objects/info", "objects/pack", "refs/heads", "refs/tags", "info", "hooks"):
        (temporary / directory).mkdir(parents=True)
    (temporary / "HEAD").write_text(f"ref: refs/heads/{branch}\n")
    (temporary / "config").write_text(CONFIG)
    (temporary / "description").write_text("A repository hosted by gitdeploy.\n")
    _copy_hooks(temporary / "hooks")
    temporary.rename(path)


def _copy_hooks(target: Path) -> None:
    """A wheel may have lost the executable bit, so it is set here."""
    for source in sorted((hooks_source() / "repository").iterdir()):
        if source.is_file():
            copy = target / source.name
            shutil.copyfile(source, copy)
            copy.chmod(0o644 if source.suffix else 0o755)


def remove_quarantines(path: Path) -> int:
    """Remove what pushes that a crash cut off had brought; how many there were."""
    found = [p for p in (path / "objects").glob(INCOMING + "*") if p.is_dir()]
    for directory in found:
        shutil.rmtree(directory, ignore_errors=True)
    return len(found)


def locks(path: Path) -> dict[Path, tuple[int, int]]:
    """The lock files on refs, HEAD and packed-refs, with what tells one from its successor."""
    found: dict[Path, tuple[int, int]] = {}
    for lock in (path / "packed-refs.lock", path / "HEAD.lock", *_below(path / "refs")):
        try:
            stat = lock.stat()
        except FileNotFoundError:
            continue
        found[lock] = (stat.st_ino, stat.st_mtime_ns)
    return found


def remove_stale_locks(seen: dict[Path, tuple[int, int]]) -> list[Path]:
    """Remove the locks of `seen` that are still the same and `_STALE` seconds old; waits for that.

    A git command beside us holds a lock for milliseconds; the server that held ours is dead.
    """
    removed: list[Path] = []
    for lock, identity in seen.items():
        age = time.time() - identity[1] / 1e9
        if 0 <= age < _STALE:
            time.sleep(_STALE - age)
        try:
            stat = lock.stat()
        except FileNotFoundError:
            continue
        if (stat.st_ino, stat.st_mtime_ns) == identity:
            lock.unlink(missing_ok=True)
            removed.append(lock)
    return removed


def _below(directory: Path) -> Iterator[Path]:
    for root, _, names in os.walk(directory):
        for name in names:
            if name.endswith(".lock"):
                yield Path(root, name)
