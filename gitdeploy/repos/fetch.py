"""Fetch one branch of a repository elsewhere, and the tags that point into it.

The pack takes the very way of a push: quarantine, every check, hooks, then the ref by
compare-and-swap. So a remote can bring in nothing that a client couldn't push.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, AsyncIterator, Iterator, Sequence
from contextlib import AbstractAsyncContextManager, aclosing
from itertools import chain
from pathlib import Path

import msgspec

from gitdeploy.events import Log
from gitdeploy.net import AddressRefused, LookUp, system_look_up
from gitdeploy.repos import mirrored
from gitdeploy.repos.asking import Advertised, Remote
from gitdeploy.repos.location import FetchError, FileLocation, Source, SshLocation, parse_url
from gitdeploy.repos.mirrored import EMPTY_PACK
from gitdeploy.repos.piped import over_files
from gitdeploy.repos.pktline import FLUSH, Special, parse, pkt
from gitdeploy.repos.receive import receive_pack
from gitdeploy.repos.refnames import refusal
from gitdeploy.repos.remote import over_http
from gitdeploy.repos.repository import Repository
from gitdeploy.repos.ssh import SshFiles, over_ssh
from gitdeploy.repos.types import ZERO, Caller, RefUpdate

__all__ = ["FetchError", "FetchResult", "Reach", "fetch"]

_MOST_HAVES = 256
_CAPABILITIES = "report-status"


class Reach(msgspec.Struct, frozen=True, kw_only=True):
    """What may be fetched from.

    `ssh` are the app's files for it; without `file_outside`, the server's home, no file URL is.
    """

    allow_private: bool = False
    ssh: SshFiles | None = None
    file_outside: Path | None = None


class FetchResult(msgspec.Struct, frozen=True):
    """The ref that stands where the remote's does now; `old` is ZERO where it is new here.

    `tags` are the names of the tags that moved with it.
    """

    ref: str
    old: str
    new: str
    tags: tuple[str, ...] = ()


async def fetch(
    repository: Repository,
    url: str,
    branch: str | None,
    *,
    reach: Reach,
    log: Log,
    look_up: LookUp = system_look_up,
) -> FetchResult:
    """Bring a branch (None: the one that HEAD stands for there) and move ours to it.

    A branch that was rewritten there is rewritten here. Raises FetchError: the URL, the address,
    the remote, its objects or a ref that moved meanwhile are refused.
    """
    started = time.monotonic()
    location = parse_url(url, allow_file=reach.file_outside is not None)
    if branch is not None:
        _check_branch(branch)
    log.info("fetch.started", app=repository.app, url=str(location), branch=branch)
    try:
        async with _over(location, reach, look_up) as remote:
            result = await _fetch(repository, remote, branch, log)
    except AddressRefused as error:
        failure = FetchError(error.what, error.fix)
        log.warning("fetch.failed", app=repository.app, url=str(location), what=failure.what)
        raise failure from None
    except FetchError as error:
        log.warning("fetch.failed", app=repository.app, url=str(location), what=error.what)
        raise
    log.info(
        "fetch.finished",
        app=repository.app,
        url=str(location),
        ref=result.ref,
        old=result.old,
        new=result.new,
        tags=result.tags or None,
        duration_ms=round((time.monotonic() - started) * 1000, 1),
    )
    return result


def _over(location: Source, reach: Reach, look_up: LookUp) -> AbstractAsyncContextManager[Remote]:
    if isinstance(location, SshLocation):
        private = reach.allow_private
        return over_ssh(location, reach.ssh, allow_private=private, look_up=look_up)
    if isinstance(location, FileLocation):
        assert reach.file_outside is not None  # parse_url refuses it else
        return over_files(location, outside=reach.file_outside)
    return over_http(location, allow_private=reach.allow_private, look_up=look_up)


async def _fetch(
    repository: Repository, remote: Remote, branch: str | None, log: Log
) -> FetchResult:
    offer = await remote.advertised()
    ref = _choose(offer, branch)
    new = offer.refs[ref]
    refs = await asyncio.to_thread(repository.refs)
    old = refs.get(ref, ZERO)
    tags = await asyncio.to_thread(mirrored.tags_that_differ, repository, offer, refs)
    want = await asyncio.to_thread(
        lambda: ([new] if old != new else []) + mirrored.tags_to_ask_for(repository, tags)
    )
    if want:
        have = await asyncio.to_thread(lambda: list(_haves(repository, old)))
        pack: AsyncIterator[bytes] = remote.pack(offer, want, have)
    else:
        pack = _one(EMPTY_PACK)
    asked = [tag.update for tag in tags if tag.update.new in want]
    moving = ([RefUpdate(ref, old, new)] if old != new else []) + asked
    moved: list[str] = []
    if moving:
        report = await _receive(repository, offer.location, moving, pack)
        if old != new:
            report.check(ref)
        moved += report.moved(asked, log)
    later = await asyncio.to_thread(mirrored.tags_that_fit, repository, tags, set(asked))
    if later:
        report = await _receive(repository, offer.location, later, _one(EMPTY_PACK))
        moved += report.moved(later, log)
    return FetchResult(ref, old, new, tuple(name.removeprefix("refs/tags/") for name in moved))


async def _receive(
    repository: Repository,
    location: Source,
    updates: Sequence[RefUpdate],
    pack: AsyncIterator[bytes],
) -> _Report:
    """Push what came into our own repository."""

    async def push() -> AsyncGenerator[bytes, None]:
        capabilities = f"\0{_CAPABILITIES}"
        for update in updates:
            yield pkt(f"{update.old} {update.new} {update.ref}{capabilities}\n")
            capabilities = ""
        yield FLUSH
        async for piece in pack:
            yield piece

    answer = bytearray()

    async def keep(data: bytes) -> None:
        answer.extend(data)

    try:
        async with aclosing(push()) as body:
            await receive_pack(
                repository,
                body,
                keep,
                caller=Caller(who="fetch", address=location.host),
                version=0,
                post_receive=None,
            )
    finally:
        if isinstance(pack, AsyncGenerator):
            await pack.aclose()
    return _Report(bytes(answer), location)


class _Report:
    """What receive-pack says of each ref. Raises FetchError where it refuses the pack."""

    def __init__(self, answer: bytes, location: Source) -> None:
        self._location = location
        lines = [line.rstrip(b"\n") for line in parse(answer) if not isinstance(line, Special)]
        self._texts = [line.decode("utf-8", "replace") for line in lines]
        if self._texts and self._texts[0] not in ("unpack ok", ""):
            reason = self._texts[0].removeprefix("unpack ")
            raise FetchError(
                f"What {location} sent is refused: {reason}.", "Mend the repository there."
            )

    def check(self, ref: str) -> None:
        """Raises FetchError where that ref didn't move."""
        reason = self._refusal(ref)
        if reason is not None:
            raise FetchError(f"{ref} can't be moved to {self._location}'s: {reason}.", "Try again.")

    def moved(self, updates: Sequence[RefUpdate], log: Log) -> list[str]:
        """The names of those that moved; the others are told and fail nothing."""
        names: list[str] = []
        for update in updates:
            reason = self._refusal(update.ref)
            if reason is None:
                names.append(update.ref)
            else:
                log.warning("fetch.tag_refused", ref=update.ref, what=reason)
        return names

    def _refusal(self, ref: str) -> str | None:
        if f"ok {ref}" in self._texts:
            return None
        refused = next((t for t in self._texts if t.startswith(f"ng {ref} ")), "no answer")
        return refused.removeprefix(f"ng {ref} ")


async def _one(piece: bytes) -> AsyncGenerator[bytes, None]:
    yield piece


def _check_branch(branch: str) -> None:
    reason = refusal(f"refs/heads/{branch}")
    if branch.startswith("-") or reason is not None:
        raise FetchError(f"{branch[:100]!r} can't be a branch: {reason or 'it begins with -'}.")


def _choose(offer: Advertised, branch: str | None) -> str:
    if branch is None:
        if offer.head is not None and offer.head in offer.refs:
            branch = offer.head.removeprefix("refs/heads/")
        elif not any(name.startswith("refs/heads/") for name in offer.refs):
            raise FetchError(f"{offer.location} has no branch.", "Push a commit there first.")
        else:
            at = offer.refs.get("HEAD")
            fitting = [n for n, oid in offer.refs.items() if n.startswith("refs/heads/")]
            fitting = [name for name in fitting if offer.refs[name] == at] or fitting
            if len(fitting) > 1 and at is None:
                raise FetchError(f"{offer.location} has no default branch.", "Name a branch.")
            branch = fitting[0].removeprefix("refs/heads/")
        _check_branch(branch)
    ref = f"refs/heads/{branch}"
    if ref not in offer.refs:
        raise FetchError(
            f"{offer.location} has no branch {branch!r}.", "Push it there, or name another one."
        )
    return ref


def _haves(repository: Repository, tip: str) -> Iterator[str]:
    """What is here: the branch with its latest ancestors, then the other refs."""
    tips = iter(dict.fromkeys(repository.refs().values()))
    seen: set[str] = set()
    for oid in chain(_ancestors(repository, tip, _MOST_HAVES // 2), tips):
        commit = repository.peel(oid) or oid
        if commit in seen or not repository.has_commit(commit):
            continue
        seen.add(commit)
        yield commit
        if len(seen) >= _MOST_HAVES:
            return


def _ancestors(repository: Repository, tip: str, most: int) -> Iterator[str]:
    """The first parents of a tip, it first."""
    commit: str | None = None if tip == ZERO else tip
    while commit is not None and most > 0 and repository.has_commit(commit):
        yield commit
        parents = repository.commit_info(commit).parents
        commit = parents[0] if parents else None
        most -= 1
