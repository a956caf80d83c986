"""Which paths and symbolic links of a tree may be written as a release (docs/security.md, deploy).

Pure functions over what a tree lists. The rules for `.git` are those of git's `verify_path`
(read-cache.c, path.c): any spelling that HFS+ or NTFS would take for `.git` is refused too, as a
release may be copied to such a disk.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

from gitdeploy.deploy.errors import DeployError

GITLINK = 0o160000
SYMLINK = 0o120000
_NAME_MAX = 255  # NAME_MAX of every Linux file system in use
_PATH_MAX = 4096  # PATH_MAX, with the terminating NUL
_HOPS = 40  # the kernel gives up behind so many links (MAXSYMLINKS)
_WORK = 2_000_000  # path components looked at for all links together

# What HFS+ leaves out when it compares names (git, utf8.c: next_hfs_char).
_IGNORED_BY_HFS = re.compile(
    "[\u200c-\u200f\u202a-\u202e\u206a-\u206f\ufeff]",
)
_NTFS_GIT = re.compile(rb"(?i)(?:\.git|git~1)[ .]*(?::.*)?", re.DOTALL)


def is_dot_git(name: bytes) -> bool:
    """Whether some file system would take this name for `.git`."""
    if any(_NTFS_GIT.fullmatch(part) for part in name.split(b"\\")):
        return True
    text = name.decode("utf-8", "surrogateescape")
    return _IGNORED_BY_HFS.sub("", text).lower() == ".git"


def check_paths(paths: Iterable[bytes], *, root_length: int, commit: str) -> None:
    """Refuse a list of files that can't all be written below one directory.

    `root_length` is that of the release directory's own path, in bytes. Raises DeployError
    naming the path and the commit.
    """
    files: set[bytes] = set()
    folders: set[bytes] = set()
    for path in paths:
        parts = path.split(b"/")
        for part in parts:
            reason = _bad_name(part)
            if reason:
                raise _refused(path, commit, reason)
        if root_length + 1 + len(path) >= _PATH_MAX:
            raise _refused(path, commit, "it is too long to be written below the home")
        if path in files:
            raise _refused(path, commit, "it is there twice")
        files.add(path)
        folder = path.rpartition(b"/")[0]
        while folder and folder not in folders:
            folders.add(folder)
            folder = folder.rpartition(b"/")[0]
    both = files & folders
    if both:
        raise _refused(min(both), commit, "it is a file and a directory at once")


def check_links(links: Mapping[bytes, bytes], commit: str) -> None:
    """Refuse symbolic links that are absolute or lead out of the release.

    `links` has every link of the tree by path with its target. A target is followed as the
    kernel would, through the other links, so that none leaves by way of another. Raises
    DeployError naming the link and the commit.
    """
    work = _WORK
    for path, target in links.items():
        if not target or b"\0" in target or len(target) >= _PATH_MAX:
            raise _refused(path, commit, "its target isn't a path")
        if target.startswith(b"/"):
            raise _refused(path, commit, "it is a symbolic link to an absolute path")
        work -= _follow(path, links, commit, work)


def _follow(path: bytes, links: Mapping[bytes, bytes], commit: str, budget: int) -> int:
    """Walk from a link to where it leads; the number of components that it took."""
    here = path.split(b"/")[:-1]
    todo = links[path].split(b"/")[::-1]
    hops = steps = 0
    while todo:
        steps += 1
        if steps > budget:
            raise _refused(path, commit, "the tree's symbolic links are too entangled")
        part = todo.pop()
        if part in (b"", b"."):
            continue
        if part == b"..":
            if not here:
                raise _refused(path, commit, "it is a symbolic link that leaves the release")
            here.pop()
            continue
        here.append(part)
        target = links.get(b"/".join(here))
        if target is not None:
            if target.startswith(b"/"):
                raise _refused(path, commit, "it is a symbolic link that leaves the release")
            hops += 1
            if hops > _HOPS:
                break  # a loop: leads nowhere, for the kernel too
            here.pop()
            todo.extend(target.split(b"/")[::-1])
    return steps


def _bad_name(name: bytes) -> str | None:
    if name in (b"", b".", b"..") or b"\0" in name:
        return "it isn't a plain path"
    if is_dot_git(name):
        return "it spells .git"
    if len(name) > _NAME_MAX:
        return f"a name in it is longer than {_NAME_MAX} bytes"
    return None


def _refused(path: bytes, commit: str, reason: str) -> DeployError:
    shown = path.decode("utf-8", "replace")
    if len(shown) > 200:
        shown = shown[:200] + "…"
    return DeployError(
        f"{shown} of commit {commit[:10]} can't be checked out: {reason}.",
        "Remove or rename it, commit and push again.",
    )
