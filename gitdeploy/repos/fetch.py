"""Fetch one branch of a repository elsewhere, for webhooks and `POST /deploy`.

The pack takes the very way of a push: quarantine, every check, hooks, then the ref by
compare-and-swap. So a remote can bring in nothing that a client couldn't push.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, Iterator
from itertools import chain

import msgspec

from gitdeploy.events import Log
from gitdeploy.net import AddressRefused, LookUp, system_look_up
from gitdeploy.repos.pktline import FLUSH, Special, parse, pkt
from gitdeploy.repos.receive import receive_pack
from gitdeploy.repos.refnames import refusal
from gitdeploy.repos.remote import Advertised, FetchError, Location, Remote, connect, parse_url
from gitdeploy.repos.repository import Repository
from gitdeploy.repos.types import ZERO, Caller

__all__ = ["FetchError", "FetchResult", "fetch"]

_MOST_HAVES = 256
_CAPABILITIES = "report-status"


class FetchResult(msgspec.Struct, frozen=True):
    """The ref that stands where the remote's does now; `old` is ZERO where it is new here."""

    ref: str
    old: str
    new: str


async def fetch(
    repository: Repository,
    url: str,
    branch: str | None,
    *,
    allow_private: bool,
    log: Log,
    look_up: LookUp = system_look_up,
) -> FetchResult:
    """Bring a branch (None: the one that HEAD stands for there) and move ours to it.

    A branch that was rewritten there is rewritten here. Raises FetchError: the URL, the address,
    the remote, its objects or a ref that moved meanwhile are refused.
    """
    started = time.monotonic()
    location = parse_url(url)
    if branch is not None:
        _check_branch(branch)
    log.info("fetch.started", app=repository.app, url=str(location), branch=branch)
    try:
        async with connect(allow_private=allow_private, look_up=look_up) as remote:
            result = await _fetch(repository, remote, location, branch)
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
        duration_ms=round((time.monotonic() - started) * 1000, 1),
    )
    return result


async def _fetch(
    repository: Repository, remote: Remote, location: Location, branch: str | None
) -> FetchResult:
    offer = await remote.advertised(location)
    ref = _choose(offer, branch)
    new = offer.refs[ref]
    old = (await asyncio.to_thread(repository.refs)).get(ref, ZERO)
    if old == new:
        return FetchResult(ref, old, new)
    have = await asyncio.to_thread(lambda: list(_haves(repository, old)))
    pack = remote.pack(offer, new, have)

    async def push() -> AsyncGenerator[bytes, None]:
        yield pkt(f"{old} {new} {ref}\0{_CAPABILITIES}\n") + FLUSH
        async for piece in pack:
            yield piece

    report = bytearray()

    async def keep(data: bytes) -> None:
        report.extend(data)

    body = push()
    try:
        await receive_pack(
            repository,
            body,
            keep,
            caller=Caller(who="fetch", address=offer.location.base.host or ""),
            version=0,
            post_receive=None,
        )
    finally:
        await body.aclose()
        await pack.aclose()
    _check_report(bytes(report), offer.location, ref)
    return FetchResult(ref, old, new)


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


def _check_report(report: bytes, location: Location, ref: str) -> None:
    lines = [line.rstrip(b"\n") for line in parse(report) if not isinstance(line, Special)]
    texts = [line.decode("utf-8", "replace") for line in lines]
    if texts and texts[0] not in ("unpack ok", ""):
        reason = texts[0].removeprefix("unpack ")
        raise FetchError(
            f"What {location} sent is refused: {reason}.", "Mend the repository there."
        )
    if f"ok {ref}" not in texts:
        refused = next((t for t in texts if t.startswith(f"ng {ref} ")), "no answer")
        reason = refused.removeprefix(f"ng {ref} ")
        raise FetchError(f"{ref} can't be moved to {location}'s: {reason}.", "Try again.")
