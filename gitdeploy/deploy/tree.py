"""Write a commit's tree to a directory, straight from the blobs, without following a link."""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import NamedTuple, Protocol

from gitdeploy.deploy.errors import DeployError
from gitdeploy.deploy.paths import GITLINK, SYMLINK, check_links, check_paths

Manifest = dict[str, tuple[int, str]]

_LFS = b"version https://git-lfs.github.com/spec/v1\n"
_LFS_SIZE = 1024  # a pointer file is shorter than this (git-lfs, docs/spec.md)
_CREATE = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


class Entry(Protocol):
    """A file, link or submodule of a tree."""

    @property
    def path(self) -> bytes: ...
    @property
    def mode(self) -> int: ...
    @property
    def id(self) -> str: ...


class Blobs(Protocol):
    """Where a tree and its contents are read from (repos.Repository)."""

    def walk_tree(self, tree: str) -> Iterable[Entry]: ...
    def blob_size(self, blob: str) -> int: ...
    def read_blob(self, blob: str) -> bytes: ...
    def copy_blob(self, blob: str, fd: int) -> None: ...


class Written(NamedTuple):
    """What `write_tree` left: the manifest (path → mode, blob), bytes, and what to tell."""

    manifest: Manifest
    size: int
    submodules: list[str]
    lfs: list[str]


def write_tree(blobs: Blobs, tree: str, root: Path, *, commit: str) -> Written:
    """Create `root` and write the tree into it.

    Files get mode 0644 or 0755 and exactly the blob's bytes; submodules become empty
    directories. Everything is created below directory descriptors with O_EXCL and O_NOFOLLOW.
    Raises DeployError (see paths.py) before anything is written where a path or a link is
    refused, OSError where the disk doesn't take it; the caller removes what was begun.
    """
    entries = list(blobs.walk_tree(tree))
    root_length = len(os.fsencode(root))
    check_paths((entry.path for entry in entries), root_length=root_length, commit=commit)
    links = {e.path: _target(blobs, e, commit) for e in entries if _kind(e) == SYMLINK}
    check_links(links, commit)

    manifest: Manifest = {}
    submodules: list[str] = []
    lfs: list[str] = []
    size = 0
    root.mkdir(mode=0o755)
    with _Folders(root) as folders:
        for entry in entries:
            folder, _, name = entry.path.rpartition(b"/")
            parent = folders.open(folder)
            kind = _kind(entry)
            path = os.fsdecode(entry.path)
            if kind == SYMLINK:
                os.symlink(links[entry.path], name, dir_fd=parent)
            elif kind == GITLINK:
                _make_folder(name, parent)
                submodules.append(path)
            elif kind == stat.S_IFREG:
                with _created(name, parent) as fd:
                    blobs.copy_blob(entry.id, fd)
                    os.fchmod(fd, 0o755 if entry.mode & 0o100 else 0o644)
                    length = os.fstat(fd).st_size
                    if length < _LFS_SIZE and os.pread(fd, len(_LFS), 0) == _LFS:
                        lfs.append(path)
                    size += length
            else:
                raise DeployError(f"{path} of commit {commit[:10]} has mode {entry.mode:o}.")
            manifest[path] = (entry.mode, entry.id)
    return Written(manifest, size, submodules, lfs)


def list_tree(blobs: Blobs, tree: str) -> Manifest:
    """The manifest of a tree without writing it."""
    return {os.fsdecode(entry.path): (entry.mode, entry.id) for entry in blobs.walk_tree(tree)}


class _Folders:
    """The directory descriptors from the root down to the folder that is being written.

    A tree is walked depth first, so the descriptors of one path are enough.
    """

    def __init__(self, root: Path) -> None:
        self._fds = [os.open(root, _FOLDER)]
        self._names: list[bytes] = []
        os.fchmod(self._fds[0], 0o755)

    def __enter__(self) -> _Folders:
        return self

    def __exit__(self, *_: object) -> None:
        for fd in self._fds:
            os.close(fd)

    def open(self, folder: bytes) -> int:
        """The descriptor of a folder (`b""` is the root), made where it isn't there yet."""
        wanted = folder.split(b"/") if folder else []
        same = 0
        for have, want in zip(self._names, wanted, strict=False):
            if have != want:
                break
            same += 1
        while len(self._names) > same:
            self._names.pop()
            os.close(self._fds.pop())
        for name in wanted[same:]:
            self._fds.append(_make_folder(name, self._fds[-1], keep=True))
            self._names.append(name)
        return self._fds[-1]


def _make_folder(name: bytes, parent: int, *, keep: bool = False) -> int:
    """Make a directory, or take the real one that is there; its descriptor with `keep`."""
    with suppress(FileExistsError):  # O_NOFOLLOW below refuses a link of that name
        os.mkdir(name, 0o755, dir_fd=parent)
    fd = os.open(name, _FOLDER, dir_fd=parent)
    os.fchmod(fd, 0o755)  # whatever the server's umask is
    if not keep:
        os.close(fd)
    return fd


@contextmanager
def _created(name: bytes, parent: int) -> Iterator[int]:
    fd = os.open(name, _CREATE, 0o600, dir_fd=parent)
    try:
        yield fd
    finally:
        os.close(fd)


def _kind(entry: Entry) -> int:
    return stat.S_IFMT(entry.mode)


def _target(blobs: Blobs, entry: Entry, commit: str) -> bytes:
    if blobs.blob_size(entry.id) >= 4096:
        path = os.fsdecode(entry.path)
        raise DeployError(
            f"{path} of commit {commit[:10]} can't be checked out: its target isn't a path.",
            "Remove it, commit and push again.",
        )
    return blobs.read_blob(entry.id)


def below(manifest: Mapping[str, tuple[int, str]], project: str) -> Manifest:
    """The part of a manifest below a directory, by path from there; all of it for ""."""
    if not project:
        return dict(manifest)
    prefix = project + "/"
    return {
        path.removeprefix(prefix): entry
        for path, entry in manifest.items()
        if path.startswith(prefix)
    }


def site_manifest(manifest: Mapping[str, tuple[int, str]], project: str) -> Manifest:
    """What the jobs of a site may depend on, by path from the site's root.

    With `project` the rest of the repository counts as one more entry, `..`: a job may import
    from there, or the build may have made the site of it.
    """
    site = below(manifest, project)
    if project:
        outside = [(p, *entry) for p, entry in manifest.items() if not p.startswith(project + "/")]
        digest = hashlib.sha1(repr(sorted(outside)).encode("utf-8", "surrogateescape"))  # noqa: S324
        site[".."] = (stat.S_IFDIR, digest.hexdigest())
    return site
