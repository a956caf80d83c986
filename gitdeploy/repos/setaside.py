"""Set all refs of a repository aside: for clients it is as new, and nothing is lost.

Kudu deletes the repository. Here each ref moves below `refs/gitdeploy/deleted/TIME/`, where no
client sees it and no push moves it; its objects stay. Whoever may use git in the home brings one
back: `git update-ref refs/heads/main refs/gitdeploy/deleted/TIME/heads/main`.
"""

from __future__ import annotations

import asyncio

from gitdeploy.errors import Conflict
from gitdeploy.repos.repository import Repository
from gitdeploy.repos.sync import sync_all
from gitdeploy.repos.transaction import RefTransaction
from gitdeploy.repos.types import HIDDEN, ZERO, Caller, RefUpdate

DELETED = f"{HIDDEN}deleted/"


async def set_aside(repository: Repository, name: str, caller: Caller) -> tuple[str, ...]:
    """Move every ref that clients see below `DELETED/name`; the names that they had.

    Pushes wait meanwhile, and one that was under way finds its refs gone and is rejected. Raises
    Conflict where a ref can't be moved (somebody holds its lock); then nothing has moved.
    """
    async with repository.lock:
        return await asyncio.to_thread(_move, repository, name, caller)


def _move(repository: Repository, name: str, caller: Caller) -> tuple[str, ...]:
    seen = dict(repository.visible_refs())
    kept = [
        RefUpdate(f"{DELETED}{name}/{ref.removeprefix('refs/')}", ZERO, oid)
        for ref, oid in seen.items()
    ]
    gone = [RefUpdate(ref, oid, ZERO) for ref, oid in seen.items()]
    for updates in (kept, gone):  # a crash in between has both, and nothing is lost
        with RefTransaction(repository.ref_store, updates, atomic=True) as moves:
            moves.prepare()
            if moves.refused:
                ref, reason = next(iter(moves.refused.items()))
                raise Conflict(f"{ref} can't be moved: {reason}.", "Try again.")
            sync_all(moves.write())
            moves.commit(caller, repository.peel)
            moves.sync()
    return tuple(seen)
