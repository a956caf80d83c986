"""Bitbucket: `repo:push` of Cloud, `repo:refs_changed` of Server and Data Center.

support.atlassian.com, "Event payloads", "Push"; confluence.atlassian.com, "Event payload". Both sign
with `X-Hub-Signature: sha256=…`. One event may tell of several refs.
"""

from __future__ import annotations

import html
from typing import Any

import msgspec

from gitdeploy.errors import Invalid
from gitdeploy.web.senders.bitbucket_server import ServerEvent, read_server
from gitdeploy.web.senders.github import other_event
from gitdeploy.web.senders.payload import Envelope, decode
from gitdeploy.web.senders.result import (
    Nothing,
    Push,
    as_message,
    called,
    commit_id,
    first_text,
    one_line,
)
from gitdeploy.web.senders.sender import Change, Headers, Sender

_FIX = "Let Bitbucket send its push event, unchanged."


class _Target(msgspec.Struct, frozen=True):
    hash: str | None = None
    message: Any = None
    author: Any = None


class _Ref(msgspec.Struct, frozen=True):
    type: str | None = None
    name: str | None = None
    target: _Target | None = None


class _Change(msgspec.Struct, frozen=True):
    new: _Ref | None = None
    old: _Ref | None = None


class _Pushed(msgspec.Struct, frozen=True):
    changes: list[_Change] = []


class _Link(msgspec.Struct, frozen=True):
    href: str | None = None


class _Links(msgspec.Struct, frozen=True):
    html: _Link | None = None


class _Repository(msgspec.Struct, frozen=True):
    scm: str | None = None
    full_name: str | None = None
    links: _Links | None = None


class _Event(msgspec.Struct, frozen=True):
    push: _Pushed | None = None
    repository: _Repository | None = None
    actor: Any = None


def _read(headers: Headers, payload: bytes) -> list[Change]:
    event = BITBUCKET.event(headers)
    if event == "diagnostics:ping":
        return [Nothing("The webhook works.")]
    if event == "repo:push":
        return _read_cloud(payload)
    if event == "repo:refs_changed":
        return read_server(decode(payload, ServerEvent))
    if event is not None:
        return [other_event(event)]
    if decode(payload, Envelope).has("push"):
        return _read_cloud(payload)
    return read_server(decode(payload, ServerEvent))


def _read_cloud(payload: bytes) -> list[Change]:
    event = decode(payload, _Event)
    if event.push is None:
        raise Invalid("The payload has no push.changes.", _FIX)
    repository = event.repository
    if repository is None:
        raise Invalid("The payload has no repository.", _FIX)
    if repository.scm not in (None, "git"):
        raise Invalid(
            f"The repository is one of {one_line(repository.scm or '', 20)}, not of git.",
            "Only git is fetched from here.",
        )
    link = repository.links.html if repository.links is not None else None
    url = link.href if link is not None else None
    if not url:
        raise Invalid("The payload's repository has no links.html.href.", _FIX)
    changes = [_change(event, url, change) for change in event.push.changes]
    return changes or [Nothing("The push changed nothing.")]


def _change(event: _Event, url: str, change: _Change) -> Change:
    new = change.new
    if new is None:
        gone = change.old.name if change.old is not None else None
        shown = one_line(gone or "A branch", 100)
        return Nothing(f"{shown} was deleted; nothing is deployed, what runs goes on running.")
    if new.type != "branch" or not new.name:
        shown = one_line(f"{new.type or 'ref'} {new.name or ''}", 100)
        return Nothing(f"The {shown} isn't a branch; nothing is deployed.")
    target = new.target or _Target()
    author, address = _author(target.author)
    return Push(
        url=url,
        ssh_url=_ssh(event.repository, url),
        branch=new.name,
        commit=commit_id(target.hash),
        author=author,
        author_email=address,
        message=as_message(target.message),
        pusher=called(event.actor),
        sender="bitbucket",
    )


def _author(author: Any) -> tuple[str, str]:
    """Name and address out of `Name <address>`, which comes escaped for HTML at times."""
    fields = author if isinstance(author, dict) else {}
    raw = fields.get("raw")
    name, _, rest = html.unescape(raw if isinstance(raw, str) else "").partition("<")
    return first_text((name, called(fields.get("user")))), first_text((rest.partition(">")[0],))


def _ssh(repository: _Repository | None, url: str) -> str:
    """Cloud gives no ssh address; it is known where the host is Bitbucket's own."""
    if repository is None or not repository.full_name:
        return ""
    if not url.startswith("https://bitbucket.org/"):
        return ""
    return f"git@bitbucket.org:{repository.full_name}.git"


def _looks_like_it(envelope: Envelope) -> bool:
    keys = ("push", "changes", "refChanges")
    return envelope.has("repository") and any(envelope.has(key) for key in keys)


BITBUCKET = Sender(
    name="bitbucket",
    title="Bitbucket",
    read=_read,
    events=("X-Event-Key",),
    matches=_looks_like_it,
    signatures=("X-Hub-Signature",),
    deliveries=("X-Request-UUID", "X-Request-Id"),
)
