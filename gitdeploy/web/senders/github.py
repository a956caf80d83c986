"""GitHub's push event, and the likes of it that others send.

docs.github.com, "Webhook events and payloads", push; "Validating webhook deliveries".
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

from gitdeploy.errors import Invalid
from gitdeploy.web.senders.payload import Envelope, decode
from gitdeploy.web.senders.proof import HUB
from gitdeploy.web.senders.result import (
    Nothing,
    Push,
    address,
    as_message,
    called,
    commit_id,
    is_zero,
    one_line,
)
from gitdeploy.web.senders.sender import Change, Headers, Sender

_HEADS = "refs/heads/"
_FIX = "Let the sender send its push event, unchanged."


class _Repository(msgspec.Struct, frozen=True):
    clone_url: str | None = None
    url: str | None = None
    ssh_url: str | None = None


class Commit(msgspec.Struct, frozen=True):
    id: str | None = None
    message: Any = None
    author: Any = None


class _Event(msgspec.Struct, frozen=True):
    ref: str | None = None
    after: str | None = None
    deleted: bool | None = None
    repository: _Repository | None = None
    head_commit: Commit | None = None
    commits: list[Commit] | None = None
    pusher: Any = None
    sender: Any = None


def read_push(name: str, payload: bytes) -> Push | Nothing:
    """What a push event wants. Raises Invalid naming what is missing."""
    event = decode(payload, _Event)
    if event.repository is None:
        raise Invalid("The payload has no repository.", _FIX)
    url, ssh_url = event.repository.clone_url or event.repository.url, event.repository.ssh_url
    if not url and not ssh_url:
        raise Invalid("The payload's repository has no clone_url.", _FIX)
    if event.ref is None:
        raise Invalid("The payload has no ref.", _FIX)
    nothing = not_a_branch(event.ref, deleted=bool(event.deleted) or is_zero(event.after))
    if nothing is not None:
        return nothing
    commit = commit_id(event.after)
    newest = event.head_commit or newest_of(event.commits, commit)
    author = newest.author if newest is not None else None
    pusher = event.pusher or event.sender
    return Push(
        url=url or ssh_url or "",
        ssh_url=ssh_url or "",
        branch=event.ref.removeprefix(_HEADS),
        commit=commit,
        author=called(author),
        author_email=address(author),
        message=as_message(newest.message) if newest is not None else "",
        pusher=called(pusher),
        sender=name,
    )


def not_a_branch(ref: str, *, deleted: bool) -> Nothing | None:
    """Why a full ref's change deploys nothing, whatever the deployment branch is."""
    shown = one_line(ref, 100)
    if not ref.startswith(_HEADS):
        return Nothing(f"{shown} isn't a branch; nothing is deployed.")
    if deleted:
        return Nothing(f"{shown} was deleted; nothing is deployed, what runs goes on running.")
    return None


def newest_of(commits: Sequence[Commit] | None, commit: str | None) -> Commit | None:
    """The commit that the branch stands at, among those that the event lists in any order."""
    return next((c for c in commits or () if c.id is not None and c.id == commit), None)


def other_event(event: str) -> Nothing:
    """The answer to an event that isn't about a push."""
    return Nothing(f"The event {one_line(event, 50)} deploys nothing.")


def _read_github(headers: Headers, payload: bytes) -> list[Change]:
    event = GITHUB.event(headers)
    if event == "ping":
        return [Nothing("The webhook works.")]
    if event is not None and event != "push":
        return [other_event(event)]
    return [read_push("github", payload)]


def _read_compatible(headers: Headers, payload: bytes) -> list[Change]:
    return [read_push("webhook", payload)]


def _looks_alike(envelope: Envelope) -> bool:
    return envelope.has("repository", "ref")


GITHUB = Sender(
    name="github",
    title="GitHub",
    read=_read_github,
    events=("X-GitHub-Event",),
    signatures=(HUB,),
    deliveries=("X-GitHub-Delivery",),
)

COMPATIBLE = Sender(
    name="webhook",
    title="",
    read=_read_compatible,
    matches=_looks_alike,
    signatures=(HUB,),
    deliveries=("X-GitHub-Delivery",),
)
"""GitHub's document without its headers, as many scripts and smaller hosts send it."""
