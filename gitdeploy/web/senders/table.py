"""The table of all senders, and who of them has sent a request."""

from __future__ import annotations

from gitdeploy.errors import Invalid
from gitdeploy.web.senders.azure import AZURE
from gitdeploy.web.senders.basic import BASIC, EMPTY
from gitdeploy.web.senders.bitbucket import BITBUCKET
from gitdeploy.web.senders.gitea import FORGEJO, GITEA, GOGS
from gitdeploy.web.senders.github import COMPATIBLE, GITHUB
from gitdeploy.web.senders.gitlab import GITLAB
from gitdeploy.web.senders.payload import Envelope, decode
from gitdeploy.web.senders.result import one_line
from gitdeploy.web.senders.sender import Headers, Sender

SENDERS: tuple[Sender, ...] = (
    # Forgejo sends Gitea's headers too, Gitea sends Gogs' and GitHub's.
    FORGEJO,
    GITEA,
    GOGS,
    GITHUB,
    GITLAB,
    BITBUCKET,
    AZURE,
    BASIC,
    COMPATIBLE,
    EMPTY,
)
_LONGEST_ID = 150
_FIX = (
    'Send the push event of one of these, or {"format": "basic",'
    ' "url": "https://host/repository.git#branch"}.'
)


def by_headers(headers: Headers) -> Sender | None:
    """Who sends this, as far as the headers tell; None where they don't."""
    for sender in SENDERS:
        if sender.event(headers) is not None:
            return sender
    return None


def recognise(headers: Headers, payload: bytes) -> Sender:
    """Who sends this, by the headers, else by the body. Raises Invalid naming who is understood."""
    sender = by_headers(headers)
    if sender is not None:
        return sender
    if not payload:
        return EMPTY
    envelope = decode(payload, Envelope)
    for sender in SENDERS:
        if sender.matches(envelope):
            return sender
    known = [sender.title for sender in SENDERS if sender.title]
    raise Invalid(
        f"Nothing tells who sends this; understood are {', '.join(known)} and the plain form.", _FIX
    )


def delivery_of(sender: Sender, headers: Headers, payload: bytes) -> str | None:
    """The id by which a repeated delivery is known; None where the sender has none."""
    for name in sender.deliveries:
        value = one_line(headers.get(name, ""), _LONGEST_ID)
        if value:
            return value
    return sender.delivery(payload) if payload else None
