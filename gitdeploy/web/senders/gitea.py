"""Gitea and Forgejo (and Gogs, where both come from): GitHub's documents under other headers.

docs.gitea.com and forgejo.org, "Webhooks". `X-Gitea-Signature` is the bare hex of the HMAC, newer
ones send `X-Hub-Signature-256` too.
"""

from __future__ import annotations

from gitdeploy.web.senders.github import other_event, read_push
from gitdeploy.web.senders.proof import HUB
from gitdeploy.web.senders.sender import Change, Headers, Sender


def _make(name: str, title: str, prefixes: tuple[str, ...]) -> Sender:
    """A sender whose own header decides; those that it sends for its forebears come along."""
    events = (f"X-{prefixes[0]}-Event",)

    def read(headers: Headers, payload: bytes) -> list[Change]:
        event = headers.get(events[0], "").strip()
        return [read_push(name, payload)] if event == "push" else [other_event(event)]

    return Sender(
        name=name,
        title=title,
        read=read,
        events=events,
        signatures=(*(f"X-{prefix}-Signature" for prefix in prefixes), HUB),
        signs_payload=True,
        deliveries=tuple(f"X-{prefix}-Delivery" for prefix in prefixes),
    )


FORGEJO = _make("forgejo", "Forgejo", ("Forgejo", "Gitea"))
GITEA = _make("gitea", "Gitea", ("Gitea",))
GOGS = _make("gogs", "Gogs", ("Gogs",))
