"""Which tags of a remote follow a branch that is fetched from it.

As git does: those whose commit is here once the branch has come. Unlike git's, ours follow when
they are moved there; they are a mirror.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass

from gitdeploy.repos.asking import PEELED, Advertised
from gitdeploy.repos.refnames import refusal
from gitdeploy.repos.repository import Repository
from gitdeploy.repos.types import ZERO, RefUpdate

TAGS = "refs/tags/"
_MOST = 10_000  # of one fetch; the next one takes the rest
_HEAD = b"PACK" + (2).to_bytes(4, "big") + (0).to_bytes(4, "big")
EMPTY_PACK = _HEAD + hashlib.sha1(_HEAD).digest()  # noqa: S324 git's format


@dataclass(frozen=True, slots=True)
class Tag:
    """A tag that stands elsewhere there; `target` is the commit (or whatever) it leads to."""

    update: RefUpdate
    target: str


def tags_that_differ(
    repository: Repository, offer: Advertised, refs: Mapping[str, str]
) -> list[Tag]:
    """The remote's tags that aren't here, or stand elsewhere, with names that a ref may have."""
    found: list[Tag] = []
    for ref, new in offer.refs.items():
        if not ref.startswith(TAGS) or ref.endswith(PEELED):
            continue
        old = refs.get(ref, ZERO)
        if old == new or refusal(ref) is not None:
            continue
        found.append(Tag(RefUpdate(ref, old, new), offer.refs.get(ref + PEELED, new)))
    return found


def tags_to_ask_for(repository: Repository, tags: Sequence[Tag]) -> list[str]:
    """Tag objects that the branch's pack wouldn't bring, as what they point at is here already."""
    annotated = [tag for tag in tags if tag.target != tag.update.new]
    here = _present(repository, annotated)
    wanted = (
        tag.update.new
        for tag in annotated
        if tag.target in here and tag.update.new not in here and repository.has_commit(tag.target)
    )
    return list(dict.fromkeys(wanted))[:_MOST]


def tags_that_fit(
    repository: Repository, tags: Sequence[Tag], done: Set[RefUpdate]
) -> list[RefUpdate]:
    """The updates of tags whose commit and own object are here now."""
    others = [tag for tag in tags if tag.update not in done]
    here = _present(repository, others)
    return [
        tag.update
        for tag in others
        if tag.target in here and tag.update.new in here and repository.has_commit(tag.target)
    ][:_MOST]


def _present(repository: Repository, tags: Sequence[Tag]) -> set[str]:
    """Which of the objects that tags name are stored; one look for all."""
    named = {bytes.fromhex(oid) for tag in tags for oid in (tag.target, tag.update.new)}
    return {oid.hex() for oid in repository.objects.present(named)} if named else set()
