"""GitLab's push events: a project's or a group's webhook, or a system hook.

docs.gitlab.com, "Webhook events", "Push events"; "Webhooks", "Delivery headers". It proves itself
by the secret token, or by a signing token, which signs as standardwebhooks.com has it.
"""

from __future__ import annotations

from typing import Any

import msgspec

from gitdeploy.errors import Invalid
from gitdeploy.web.senders.github import Commit, newest_of, not_a_branch, other_event
from gitdeploy.web.senders.payload import Envelope, decode
from gitdeploy.web.senders.result import (
    Nothing,
    Push,
    address,
    as_message,
    called,
    commit_id,
    first_text,
    is_zero,
)
from gitdeploy.web.senders.sender import Change, Headers, Sender

_HEADS = "refs/heads/"
_FIX = "Let GitLab send its push events, unchanged."
_PUSHES = frozenset({"push", "tag_push"})


class _Project(msgspec.Struct, frozen=True):
    git_http_url: str | None = None
    git_ssh_url: str | None = None


class _Event(msgspec.Struct, frozen=True):
    object_kind: str | None = None
    event_name: str | None = None
    ref: str | None = None
    after: str | None = None
    checkout_sha: str | None = None
    user_name: Any = None
    user_username: Any = None
    project: _Project | None = None
    repository: _Project | None = None
    commits: list[Commit] | None = None


def _read(headers: Headers, payload: bytes) -> list[Change]:
    event = decode(payload, _Event)
    kind = event.object_kind or event.event_name
    if kind not in _PUSHES:
        return [other_event(kind or GITLAB.event(headers) or "without a name")]
    return [_read_push(event)]


def _read_push(event: _Event) -> Push | Nothing:
    if event.ref is None:
        raise Invalid("The payload has no ref.", _FIX)
    nothing = not_a_branch(event.ref, deleted=is_zero(event.after))
    if nothing is not None:
        return nothing
    places = [place for place in (event.project, event.repository) if place is not None]
    url = first_text(place.git_http_url for place in places)
    ssh_url = first_text(place.git_ssh_url for place in places)
    if not url and not ssh_url:
        raise Invalid("The payload's project has no git_http_url.", _FIX)
    commit = commit_id(event.checkout_sha) or commit_id(event.after)
    newest = newest_of(event.commits, commit)
    author = newest.author if newest is not None else None
    return Push(
        url=url or ssh_url,
        ssh_url=ssh_url,
        branch=event.ref.removeprefix(_HEADS),
        commit=commit,
        author=called(author),
        author_email=address(author),
        message=as_message(newest.message) if newest is not None else "",
        pusher=first_text((event.user_name, event.user_username)),
        sender="gitlab",
    )


def _looks_like_it(envelope: Envelope) -> bool:
    return envelope.has("object_kind", "project")


GITLAB = Sender(
    name="gitlab",
    title="GitLab",
    read=_read,
    events=("X-Gitlab-Event",),
    matches=_looks_like_it,
    token="X-Gitlab-Token",  # noqa: S106 (a header's name)
    standard=True,
    # The first two (the same id, since GitLab 17.4) are all that a repetition has in common.
    deliveries=(
        "webhook-id",
        "Idempotency-Key",
        "X-Gitlab-Webhook-UUID",
        "X-Gitlab-Event-UUID",
    ),
)
