"""The push event of Bitbucket Server and Data Center: `changes` with full refs.

confluence.atlassian.com, "Event payload", "Push" (`repo:refs_changed`). Older ones have no link to
clone from, then the address is the one that is known already.
"""

from __future__ import annotations

from typing import Any

import msgspec

from gitdeploy.errors import Invalid
from gitdeploy.web.senders.github import not_a_branch
from gitdeploy.web.senders.result import (
    Nothing,
    Push,
    address,
    as_message,
    called,
    commit_id,
    is_zero,
)
from gitdeploy.web.senders.sender import Change

_HEADS = "refs/heads/"


class _Change(msgspec.Struct, frozen=True):
    refId: str | None = None
    toHash: str | None = None
    type: str | None = None


class _Link(msgspec.Struct, frozen=True):
    href: str | None = None
    name: str | None = None


class _Links(msgspec.Struct, frozen=True):
    clone: list[_Link] = []


class _Repository(msgspec.Struct, frozen=True):
    links: _Links | None = None


class _Commit(msgspec.Struct, frozen=True):
    id: str | None = None
    message: Any = None
    author: Any = None


class ServerEvent(msgspec.Struct, frozen=True):
    """`refChanges` is the spelling of Stash, Server's older name."""

    changes: list[_Change] | None = None
    refChanges: list[_Change] | None = None
    repository: _Repository | None = None
    actor: Any = None
    commits: list[_Commit] | None = None
    toCommit: _Commit | None = None


def read_server(event: ServerEvent) -> list[Change]:
    """Each ref's change. Raises Invalid naming what is missing."""
    changes = event.changes if event.changes is not None else event.refChanges
    if changes is None:
        raise Invalid(
            "The payload has no changes.", "Let Bitbucket send its push event, unchanged."
        )
    return [_change(event, change) for change in changes] or [Nothing("The push changed nothing.")]


def _change(event: ServerEvent, change: _Change) -> Change:
    if change.refId is None:
        raise Invalid(
            "A change in the payload has no refId.", "Let Bitbucket send its push event, unchanged."
        )
    deleted = change.type == "DELETE" or is_zero(change.toHash)
    nothing = not_a_branch(change.refId, deleted=deleted)
    if nothing is not None:
        return nothing
    url, ssh_url = _clone(event.repository, "http"), _clone(event.repository, "ssh")
    commit = commit_id(change.toHash)
    known = [*(event.commits or ()), *([event.toCommit] if event.toCommit is not None else [])]
    newest = next((c for c in known if c.id is not None and c.id == commit), None)
    author = newest.author if newest is not None else None
    return Push(
        url=url or ssh_url,
        ssh_url=ssh_url,
        branch=change.refId.removeprefix(_HEADS),
        commit=commit,
        author=called(author),
        author_email=address(author),
        message=as_message(newest.message) if newest is not None else "",
        pusher=called(event.actor),
        sender="bitbucket",
    )


def _clone(repository: _Repository | None, name: str) -> str:
    links = repository.links.clone if repository is not None and repository.links else []
    fitting = (link.href for link in links if link.href and (link.name or "").startswith(name))
    return next(fitting, "")
