"""Reflogs: what moved a ref, when and by whom (git-reflog(1)); they keep old tips from gc."""

from __future__ import annotations

import contextlib
import re
import time
from pathlib import Path

from gitdeploy.repos.types import Caller, RefUpdate

_LOGGED = ("refs/heads/", "refs/remotes/", "refs/notes/")
_UNSAFE = re.compile(r"[\x00-\x1f\x7f<>\\,;:\"']")


def identity(caller: Caller) -> tuple[str, str]:
    """Name and address of a pusher, made as git-http-backend(1) makes a committer of them."""
    who = _UNSAFE.sub("", caller.who).strip(" .") or "anonymous"
    return who, f"{who.replace(' ', '-')}@http.{_UNSAFE.sub('-', caller.address) or 'localhost'}"


def append(git_dir: Path, update: RefUpdate, caller: Caller, *, head: str | None) -> None:
    """Note a move in the ref's log, and in HEAD's where HEAD stands for the ref.

    Best effort, as the ref itself is what counts: a log that can't be written is left out.
    """
    if not update.ref.startswith(_LOGGED):
        return
    name, address = identity(caller)
    offset = time.localtime().tm_gmtoff
    zone = f"{'-' if offset < 0 else '+'}{abs(offset) // 3600:02d}{abs(offset) % 3600 // 60:02d}"
    line = f"{update.old} {update.new} {name} <{address}> {int(time.time())} {zone}\tpush\n"
    for ref in (update.ref, "HEAD") if update.ref == head else (update.ref,):
        with contextlib.suppress(OSError):
            _append(git_dir / "logs" / ref, line)


def remove(git_dir: Path, ref: str) -> None:
    """Remove the log of a deleted ref, and the directories that are empty then."""
    path = git_dir / "logs" / ref
    with contextlib.suppress(OSError):
        path.unlink(missing_ok=True)
        for parent in path.parents:
            if parent.parent.name in ("refs", "logs"):
                break
            parent.rmdir()


def _append(path: Path, line: str) -> None:
    try:
        file = path.open("a", encoding="utf-8")
    except FileNotFoundError:
        path.parent.mkdir(parents=True, exist_ok=True)
        file = path.open("a", encoding="utf-8")
    except IsADirectoryError:  # what a deleted ref below this one left, if it is empty
        path.rmdir()
        file = path.open("a", encoding="utf-8")
    with file:
        file.write(line)
