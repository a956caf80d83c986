"""Releases that no commit brings: a zip, a file, a removal. Each is a new release, never a change
of the one that runs.

Paths are relative to the site's root, with slashes, and were taken apart by `site_path`. What is
partial starts as a copy of the active release: on file systems that share blocks between files
(Btrfs, XFS) a cheap one.
"""

from __future__ import annotations

import hashlib
import os
import secrets
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from gitdeploy.archives import ZipLimits, extract
from gitdeploy.deploy.paths import is_dot_git
from gitdeploy.deploy.source import Base
from gitdeploy.deploy.tree import Manifest, Written
from gitdeploy.deploy.treecopy import copy_tree
from gitdeploy.errors import Conflict, Invalid, NotFound

_FILE, _EXECUTABLE = 0o100644, 0o100755
_NAME_MAX, _PATH_MAX = 255, 4096

Check = Callable[[Path, bool], None]
"""Given the file of the active release and whether it is there; raises to refuse the change."""


def site_path(path: str) -> str:
    """A path of the site in its plain form, "" for the root. Raises Invalid naming it."""
    parts = [part for part in path.split("/") if part not in ("", ".")]
    for part in parts:
        raw = os.fsencode(part)
        if part == ".." or "\0" in part or len(raw) > _NAME_MAX:
            raise Invalid(f"{path[:200]!r} isn't a path of the site.", "Leave out `..`.")
        if is_dot_git(raw):
            raise Invalid(f"{path[:200]!r} spells .git.", "Use another name.")
    plain = "/".join(parts)
    if len(os.fsencode(plain)) > _PATH_MAX // 2:
        raise Invalid(f"{path[:200]!r}… is too long.", "Use a shorter path.")
    return plain


@dataclass(frozen=True, slots=True)
class WholeSite:
    """A zip that becomes the whole site."""

    zip: Path
    name: str = "the zip"
    partial: bool = False
    built: bool = True

    def write(self, root: Path, base: Base | None, limits: ZipLimits) -> Written:
        extracted = extract(self.zip, root, limits=limits)
        return Written(extracted.manifest, extracted.size, [], [])

    def close(self) -> None:
        self.zip.unlink(missing_ok=True)


@dataclass(frozen=True, slots=True)
class Unzipped:
    """A zip that is unpacked into a directory of the site; with `clean` nothing else stays there."""

    zip: Path
    at: str
    clean: bool = False
    name: str = "the zip"
    partial: bool = True
    built: bool = True

    def write(self, root: Path, base: Base | None, limits: ZipLimits) -> Written:
        site = _Site(root, base)
        target = site.folder(self.at)
        if self.clean:
            site.empty(self.at)
        aside = (
            root / f".unpacking-{secrets.token_hex(8)}"
        )  # what a crash leaves goes with the release
        try:
            extracted = extract(self.zip, aside, limits=limits)
            _merge(aside, target)
        finally:
            shutil.rmtree(aside, ignore_errors=True)
        site.take(self.at, extracted.manifest)
        return site.written(extracted.size)

    def close(self) -> None:
        self.zip.unlink(missing_ok=True)


@dataclass(frozen=True, slots=True)
class File:
    """One file of the site; `check` may refuse it by what is there (an ETag that differs)."""

    file: Path
    at: str
    executable: bool = False
    check: Check | None = None
    clean: str | None = None
    """A directory that is emptied first."""
    name: str = "the file"
    partial: bool = True
    built: bool = True

    def write(self, root: Path, base: Base | None, limits: ZipLimits) -> Written:
        site = _Site(root, base)
        if self.clean is not None:
            site.empty(self.clean)
        folder, _, name = self.at.rpartition("/")
        target = site.folder(folder) / name
        if target.is_dir() and not target.is_symlink():
            raise Conflict(f"{self.at} is a directory of the site.", "Choose another name.")
        there = os.path.lexists(target)
        if self.check is not None:
            self.check(target, there)
        mode = 0o755 if self.executable or (there and os.access(target, os.X_OK)) else 0o644
        if there:
            target.unlink()
        shutil.copyfile(self.file, target)
        target.chmod(mode)
        blob = _blob(target)
        site.take(folder, {name: (_EXECUTABLE if mode == 0o755 else _FILE, blob)})
        return site.written(target.stat().st_size)

    def close(self) -> None:
        self.file.unlink(missing_ok=True)


@dataclass(frozen=True, slots=True)
class Kept:
    """What an earlier deployment left; its files came once and can't be fetched again."""

    name: str
    partial: bool = False
    built: bool = True

    def write(self, root: Path, base: Base | None, limits: ZipLimits) -> Written:
        raise gone(self.name)

    def close(self) -> None:
        """Nothing was kept."""


@dataclass(frozen=True, slots=True)
class Folder:
    """An empty directory of the site; git can't have one, a release can."""

    at: str
    name: str = "the directory"
    partial: bool = True
    built: bool = True

    def write(self, root: Path, base: Base | None, limits: ZipLimits) -> Written:
        site = _Site(root, base)
        site.folder(self.at)
        return site.written(0)

    def close(self) -> None:
        """Nothing was kept."""


@dataclass(frozen=True, slots=True)
class Removed:
    """A file or directory that goes; a directory that isn't empty only where `recursive`."""

    at: str
    recursive: bool = False
    check: Check | None = None
    name: str = "the removal"
    partial: bool = True
    built: bool = True

    def write(self, root: Path, base: Base | None, limits: ZipLimits) -> Written:
        site = _Site(root, base)
        target = site.find(self.at)
        if self.check is not None:
            self.check(target, True)
        if target.is_dir() and not target.is_symlink():
            if any(target.iterdir()) and not self.recursive:
                raise Conflict(f"{self.at} isn't empty.", "Add ?recursive=true.")
            shutil.rmtree(target)
        else:
            target.unlink()
        site.drop(self.at)
        return site.written(0)

    def close(self) -> None:
        """Nothing was kept."""


class _Site:
    """The new release while it is written: a copy of the base, and its manifest."""

    def __init__(self, root: Path, base: Base | None) -> None:
        self._project = base.project if base is not None else ""
        self._manifest: Manifest = dict(base.manifest) if base is not None else {}
        if base is None:
            root.mkdir(mode=0o755)
            root.chmod(0o755)
        else:
            copy_tree(base.root, root)
        self._root = root / self._project if self._project else root

    def folder(self, at: str) -> Path:
        """The directory at a path, made where it isn't there. Raises Conflict, Invalid."""
        here = self._root
        for part in at.split("/") if at else ():
            here /= part
            if here.is_symlink():
                raise Invalid(f"{at} leads through a symbolic link.", "Name the real directory.")
            if here.exists() and not here.is_dir():
                raise Conflict(f"{at}: {here.name} is a file of the site.", "Remove it first.")
            if not here.exists():
                here.mkdir(mode=0o755)
                here.chmod(0o755)
        return here

    def find(self, at: str) -> Path:
        """What is at a path. Raises NotFound."""
        folder, _, name = at.rpartition("/")
        here = self._root
        for part in folder.split("/") if folder else ():
            here /= part
            if here.is_symlink() or not here.is_dir():
                raise NotFound(f"The site has no {at!r}.")
        if not name or not os.path.lexists(here / name):
            raise NotFound(f"The site has no {at!r}.")
        return here / name

    def empty(self, at: str) -> None:
        """Remove everything below a directory."""
        folder = self.folder(at)
        for entry in folder.iterdir():
            if entry.is_dir() and not entry.is_symlink():
                shutil.rmtree(entry)
            else:
                entry.unlink()
        self.drop(at)

    def take(self, at: str, files: Manifest) -> None:
        """Note files by their paths from a directory."""
        prefix = self._path(at)
        for path, entry in files.items():
            self._manifest[f"{prefix}/{path}" if prefix else path] = entry

    def drop(self, at: str) -> None:
        """Forget a path and all below it."""
        path = self._path(at)
        for name in [
            n for n in self._manifest if not path or n == path or n.startswith(path + "/")
        ]:
            del self._manifest[name]

    def written(self, size: int) -> Written:
        return Written(self._manifest, size, [], [])

    def _path(self, at: str) -> str:
        return "/".join(part for part in (self._project, at) if part)


def _merge(source: Path, target: Path) -> None:
    """Move what is in one directory into another; files replace files. Raises Conflict."""
    for entry in source.iterdir():
        there = target / entry.name
        if entry.is_dir():
            if there.is_symlink() or (there.exists() and not there.is_dir()):
                raise Conflict(f"{entry.name} is a file of the site.", "Remove it first.")
            if there.is_dir():
                _merge(entry, there)
                continue
        elif there.is_dir() and not there.is_symlink():
            raise Conflict(f"{entry.name} is a directory of the site.", "Remove it first.")
        entry.replace(there)


def _blob(file: Path) -> str:
    """git's id of a file's contents."""
    digest = hashlib.sha1(b"blob %d\0" % file.stat().st_size, usedforsecurity=False)
    with file.open("rb") as opened:
        while piece := opened.read(1 << 20):
            digest.update(piece)
    return digest.hexdigest()


def gone(name: str) -> NotFound:
    """For content that came once and was pruned."""
    return NotFound(
        f"The files of {name} aren't on the disk any more.",
        "Send them again; nothing was changed.",
    )
