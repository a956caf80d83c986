"""Which ref names a push may use: `git check-ref-format`, and what a file system can hold."""

from __future__ import annotations

import re

from gitdeploy.repos.types import HIDDEN

MAX_COMPONENT = 250
"""Bytes between two slashes: 255, what file systems take, less `.lock`."""
MAX_NAME = 1024
"""Bytes of a whole name."""

_FORBIDDEN = re.compile(r"[\x00-\x20\x7f~^:?*\[\\]")


def refusal(ref: str) -> str | None:
    """Why a push may not touch a ref of this name, for its `ng` line; None where it may.

    Begins with git's own words, "funny refname", where git would refuse it too.
    """
    if not ref.startswith("refs/") or ref.count("/") < 2:
        return "funny refname: it isn't below refs/"
    if ref.startswith(HIDDEN) or ref == HIDDEN.rstrip("/"):
        return f"deny updating a hidden ref: {HIDDEN} belongs to the server"
    fault = _fault(ref)
    if fault is not None:
        return f"funny refname: {fault}"
    if len(ref.encode()) > MAX_NAME:
        return f"refname too long: {len(ref.encode())} bytes, the limit is {MAX_NAME}"
    longest = max(len(part.encode()) for part in ref.split("/"))
    if longest > MAX_COMPONENT:
        return f"refname too long: a part has {longest} bytes, the limit is {MAX_COMPONENT}"
    return None


def valid(ref: str) -> bool:
    """Whether `git check-ref-format REF` says yes."""
    return "/" in ref and _fault(ref) is None


def _fault(ref: str) -> str | None:
    """The rule of git-check-ref-format(1) that a name breaks."""
    found = _FORBIDDEN.search(ref)
    if found is not None:
        return f"it has the character {found[0]!r}"
    for part in ("..", "@{"):
        if part in ref:
            return f'it has "{part}"'
    if ref.endswith("."):
        return 'it ends with "."'
    for component in ref.split("/"):
        if not component:
            return "a part of it is empty"
        if component.startswith("."):
            return 'a part of it begins with "."'
        if component.endswith(".lock"):
            return 'a part of it ends with ".lock"'
    return None
