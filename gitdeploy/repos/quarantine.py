"""Where pushed objects wait until everything said yes: a directory that git prunes by its name."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Sequence
from pathlib import Path

from gitdeploy.repos import layout
from gitdeploy.repos.environment import quarantine_environment
from gitdeploy.repos.sync import sync_directories, sync_files


class Quarantine:
    """`objects/incoming-*` of a repository; an object directory of its own.

    Blocking: for a worker thread. `discard` ends it, whether or not it was migrated.
    """

    def __init__(self, objects: Path) -> None:
        self.objects = objects
        self.path = Path(tempfile.mkdtemp(prefix=layout.INCOMING, dir=objects))
        self.pack = self.path / "pack"
        self.pack.mkdir()

    def environment(self) -> dict[str, str]:
        """Variables with which git sees these objects beside the repository's."""
        return quarantine_environment(self.objects.absolute(), self.path.absolute())

    def name_pack(self, name: str) -> None:
        """Give the pack the name that it will have in the repository."""
        for path in list(self.pack.iterdir()):
            path.rename(self.pack / f"pack-{name}{path.suffix}")

    def migrate(self, also: Sequence[int] = ()) -> None:
        """Sync everything to disk and rename it into the repository, each index last.

        `also` are open files that have to be on the disk then too: synced side by side.
        After a crash in here the repository has all of the objects, or some pack that no index
        makes visible; refs haven't moved yet. Raises OSError (disk full).
        """
        packs = sorted(p for p in self.pack.iterdir() if p.suffix in (".pack", ".idx", ".rev"))
        loose = [p for p in self.path.glob("[0-9a-f][0-9a-f]/*") if p.is_file()]
        sync_files([*packs, *loose], also)
        changed: set[Path] = set()
        for path in loose:  # what a hook wrote
            changed |= _move(path, self.objects / path.parent.name / path.name)
        packs.sort(key=lambda p: (p.suffix == ".idx", p.name))
        for path in packs:
            changed |= _move(path, self.objects / "pack" / path.name)
        sync_directories(changed)

    def drop_packs(self) -> None:
        """Remove the packs in it: they hold nothing."""
        for path in self.pack.iterdir():
            path.unlink()

    def discard(self) -> None:
        """Remove it with all that is in it; may be called twice."""
        shutil.rmtree(self.path, ignore_errors=True)


def _move(source: Path, target: Path) -> set[Path]:
    """Put a file in place unless there is one of that name, which then has the same content.

    Returns the directories that changed.
    """
    changed = {target.parent}
    if target.exists():
        return set()
    if not target.parent.is_dir():
        target.parent.mkdir(exist_ok=True)
        changed.add(target.parent.parent)
    source.chmod(0o444)
    source.rename(target)
    return changed
