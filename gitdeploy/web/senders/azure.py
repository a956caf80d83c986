"""Azure DevOps: the service hook "Code pushed" (`git.push`).

learn.microsoft.com, "Service hooks events". It has no signature: it signs in by HTTP Basic. Kudu's
own subscription puts a `sessionToken` to fetch with into the document.
"""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

import msgspec

from gitdeploy.errors import Invalid
from gitdeploy.web.senders.github import not_a_branch, other_event
from gitdeploy.web.senders.payload import Envelope, decode
from gitdeploy.web.senders.result import (
    Nothing,
    Push,
    address,
    as_message,
    called,
    commit_id,
    is_zero,
)
from gitdeploy.web.senders.sender import Change, Headers, Sender

_HEADS = "refs/heads/"
_FIX = 'Let Azure DevOps send "Code pushed" with all resource details.'


class _RefUpdate(msgspec.Struct, frozen=True):
    name: str | None = None
    newObjectId: str | None = None


class _Repository(msgspec.Struct, frozen=True):
    remoteUrl: str | None = None
    sshUrl: str | None = None


class _Commit(msgspec.Struct, frozen=True):
    commitId: str | None = None
    comment: Any = None
    author: Any = None


class _Resource(msgspec.Struct, frozen=True):
    refUpdates: list[_RefUpdate] | None = None
    repository: _Repository | None = None
    commits: list[_Commit] | None = None
    pushedBy: Any = None


class _Token(msgspec.Struct, frozen=True):
    token: str | None = None


class _Event(msgspec.Struct, frozen=True):
    eventType: str | None = None
    resource: _Resource | None = None
    sessionToken: _Token | None = None


class _Ids(msgspec.Struct, frozen=True):
    id: Any = None
    notificationId: Any = None


def _read(headers: Headers, payload: bytes) -> list[Change]:
    event = decode(payload, _Event)
    if event.eventType is None:
        raise Invalid("The payload has no eventType.", _FIX)
    if event.eventType != "git.push":
        return [other_event(event.eventType)]
    resource = event.resource
    if resource is None or resource.refUpdates is None:
        raise Invalid("The payload has no resource.refUpdates.", _FIX)
    repository = resource.repository
    if repository is None or not (repository.remoteUrl or repository.sshUrl):
        raise Invalid("The payload has no resource.repository.remoteUrl.", _FIX)
    token = event.sessionToken.token if event.sessionToken is not None else None
    url = _with_token(repository.remoteUrl, token) if repository.remoteUrl else ""
    changes = [_change(resource, url, repository.sshUrl or "", u) for u in resource.refUpdates]
    return changes or [Nothing("The push changed nothing.")]


def _change(resource: _Resource, url: str, ssh_url: str, update: _RefUpdate) -> Change:
    if update.name is None:
        raise Invalid("One of resource.refUpdates has no name.", _FIX)
    nothing = not_a_branch(update.name, deleted=is_zero(update.newObjectId))
    if nothing is not None:
        return nothing
    commit = commit_id(update.newObjectId)
    listed = (c for c in resource.commits or () if c.commitId is not None)
    newest = next((c for c in listed if c.commitId == commit), None)
    author = newest.author if newest is not None else None
    return Push(
        url=url or ssh_url,
        ssh_url=ssh_url,
        branch=update.name.removeprefix(_HEADS),
        commit=commit,
        author=called(author),
        author_email=address(author),
        message=as_message(newest.comment) if newest is not None else "",
        pusher=called(resource.pushedBy),
        sender="azure",
    )


def _with_token(url: str, token: str | None) -> str:
    """The URL with the token as its user, as Kudu has it.

    Without one the organisation's name goes, which Azure puts in front of the host: it would be
    taken for a sign-in, and a public repository refuses a wrong one.
    """
    scheme, separator, rest = url.partition("://")
    host, slash, path = rest.partition("/")
    user, at, bare = host.rpartition("@")
    if token and scheme == "https":
        return f"https://{quote(token, safe='')}:@{bare}{slash}{path}"
    if at and ":" not in user:
        return f"{scheme}{separator}{bare}{slash}{path}"
    return url


def _delivery(payload: bytes) -> str | None:
    """The event and which of its notifications this is; each try of one has the same two."""
    ids = decode(payload, _Ids)
    if not isinstance(ids.id, str) or not isinstance(ids.notificationId, int):
        return None
    return f"{ids.id[:100]}/{ids.notificationId}"


def _looks_like_it(envelope: Envelope) -> bool:
    return envelope.has("publisherId", "eventType")


AZURE = Sender(
    name="azure",
    title="Azure DevOps",
    read=_read,
    matches=_looks_like_it,
    delivery=_delivery,
)
