"""What a sender asks to be fetched, and how it is shown before it is a deployment. Data only."""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field

from gitdeploy.store import Deployment


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What a sender asks for: a branch (None: the remote's own) of a repository.

    `commit` is where the sender says that the branch stands, None where it doesn't say; so are
    the commit's `author`, `author_email` and `message`, the name of the `pusher`, and the `sender`
    (github, gitlab, gitea, …). `page` is the app's page by the sender's way in. `id` stands for
    the deployment as long as its commit isn't known. `starts` counts the servers that ended
    while it was under way.
    """

    url: str
    branch: str | None
    commit: str | None
    deployer: str
    received_at: int
    author: str = ""
    author_email: str = ""
    message: str = ""
    pusher: str = ""
    sender: str = ""
    page: str = ""
    id: str = field(default_factory=lambda: secrets.token_hex(20))
    starts: int = 0

    @property
    def key(self) -> str:
        """The id of the deployment that this becomes, as far as it is known."""
        return self.commit or self.id

    @property
    def ref(self) -> str | None:
        return f"refs/heads/{self.branch}" if self.branch else None

    @property
    def shown_message(self) -> str:
        """What the commit says, else what is done."""
        return self.message or f"Fetch {without_credentials(self.url)}"


def pending(
    app: str, deployment_id: str, wanted: Wanted, instance: str, *, text: str = "Fetching."
) -> Deployment:
    """A fetch that is under way, as the deployment that it becomes."""
    return Deployment(
        app=app,
        id=deployment_id,
        attempt=0,
        status="pending",
        status_text=text,
        received_at=wanted.received_at,
        instance=instance,
        trigger="fetch",
        commit_id=wanted.commit,
        ref=wanted.ref,
        author=wanted.author,
        author_email=wanted.author_email,
        deployer=wanted.deployer,
        message=wanted.shown_message,
        pusher=wanted.pusher,
    )


def without_credentials(url: str) -> str:
    """The URL without user and password; over ssh the user says where, and stays."""
    scheme, separator, rest = url.partition("://")
    host, slash, path = rest.partition("/")
    if not separator:
        return url
    user, at, host = host.rpartition("@")
    kept = user.partition(":")[0] + at if scheme == "ssh" else ""
    return f"{scheme}{separator}{kept}{host}{slash}{path}"
