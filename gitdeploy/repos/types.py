"""What the room hands out: ref updates, who pushed, the push itself, what a commit says."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from typing import NamedTuple

import msgspec

from gitdeploy.errors import GitdeployError

ZERO = "0" * 40
"""The object id that stands for "no such ref" in a command, a hook's input and a reflog."""

HIDDEN = "refs/gitdeploy/"
"""Refs below this are ours: never advertised, never moved by a push."""


class RefUpdate(msgspec.Struct, frozen=True):
    """One ref that is to move or has moved; `old` and `new` are 40 hex digits, ZERO for absent."""

    ref: str
    old: str
    new: str


class Caller(msgspec.Struct, frozen=True, kw_only=True):
    """Who pushes: `who` is the token's name, `address` the client's IP address.

    `base_url` is the server's address as the client knows it (scheme, host, a proxy's prefix; no
    slash at its end), so that links in the push's output work there; empty where nobody reads them.
    """

    who: str
    address: str
    base_url: str = ""


class Push(msgspec.Struct, frozen=True, kw_only=True):
    """A push that was accepted: only the updates that really moved a ref."""

    app: str
    updates: tuple[RefUpdate, ...]
    options: tuple[str, ...]
    caller: Caller


PostReceive = Callable[[Push], AsyncIterator[str]]
"""What happens after refs moved: lines for the client, without newline.

Closing the iterator early (the client left) must not stop the work behind it.
"""


class CommitInfo(msgspec.Struct, frozen=True, kw_only=True):
    """What a commit says. `time` is the committer's, in microseconds since the epoch."""

    id: str
    tree: str
    parents: tuple[str, ...]
    author: str
    author_email: str
    subject: str
    message: str
    time: int


class TreeEntry(NamedTuple):
    """One file, symbolic link or gitlink of a tree: its path from the root, mode and object."""

    path: bytes
    mode: int
    id: str


class RepositoryError(GitdeployError):
    """The repository on disk is broken or can't be read or written."""
