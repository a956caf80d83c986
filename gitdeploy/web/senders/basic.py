"""The plain form that Kudu takes, and the empty one: "fetch again".

Kudu's wiki, "Continuous deployment": `{"format": "basic", "url": "https://…", "scm": "git"}`; the
branch stands behind `#`.
"""

from __future__ import annotations

import msgspec

from gitdeploy.errors import Invalid
from gitdeploy.web.senders.payload import Envelope, decode
from gitdeploy.web.senders.proof import HUB
from gitdeploy.web.senders.result import Push, one_line
from gitdeploy.web.senders.sender import Change, Headers, Sender

_HEADS = "refs/heads/"
_FIX = 'Send {"format": "basic", "url": "https://host/repository.git#branch"}.'


class _Form(msgspec.Struct, frozen=True):
    format: str | None = None
    url: str | None = None
    scm: str | None = None
    is_hg: bool | str | None = None


def _read(headers: Headers, payload: bytes) -> list[Change]:
    form = decode(payload, _Form)
    if form.format is not None and form.format.lower() != "basic":
        raise Invalid(f"The format {one_line(form.format, 50)!r} isn't known.", _FIX)
    if not form.url:
        raise Invalid("The plain form has no url.", _FIX)
    scm = (form.scm or "").lower()
    is_hg = str(form.is_hg).lower() == "true" or (not scm and form.url.lower().startswith("hg@"))
    if scm not in ("", "git") or is_hg:
        raise Invalid(
            "Only git is fetched from here, not Mercurial or another scm.",
            "Give the url of a git repository, and leave out scm.",
        )
    url, _, branch = form.url.rpartition("#") if "#" in form.url else (form.url, "", "")
    return [
        Push(
            url=url,
            branch=branch.removeprefix(_HEADS) or None,
            explicit=True,
            sender="basic",
        )
    ]


def _read_empty(headers: Headers, payload: bytes) -> list[Change]:
    return [Push(url="", branch=None, explicit=True, sender="empty")]


def _is_plain(envelope: Envelope) -> bool:
    bare = not (envelope.has("repository") or envelope.has("resource"))
    return envelope.has("format") or (envelope.has("url") and bare)


def _is_an_image(envelope: Envelope) -> bool:
    """Docker Hub's document tells of an image, not of a repository of git."""
    return envelope.has("push_data")


BASIC = Sender(
    name="basic",
    title="",
    read=_read,
    matches=_is_plain,
    signatures=(HUB,),
    deliveries=("Idempotency-Key",),
)

EMPTY = Sender(
    name="empty",
    title="",
    read=_read_empty,
    matches=_is_an_image,
    signatures=(HUB,),
    deliveries=("Idempotency-Key",),
)
