"""`git-receive-pack`: a push from its first byte to the last line of what happens after it.

Bytes → quarantine → verified → hooks → refs locked and compared → objects in place → refs moved
→ report → post-receive. Until refs move, whatever goes wrong leaves the repository as it was.
The report is sent the moment refs have moved; lines for a person go before and after it.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import AsyncExitStack, aclosing, contextmanager
from typing import Any, cast

from gitdeploy.errors import Conflict, GitdeployError
from gitdeploy.repos import connectivity, duplicates, refnames
from gitdeploy.repos.commands import PushRequest, read_request
from gitdeploy.repos.connectivity import Disconnected
from gitdeploy.repos.hooks import hook_environment
from gitdeploy.repos.ingest import ingest
from gitdeploy.repos.objects import COMMIT, TYPES
from gitdeploy.repos.pack import IndexedPack, PackError
from gitdeploy.repos.pktline import PktReader
from gitdeploy.repos.quarantine import Quarantine
from gitdeploy.repos.report import report
from gitdeploy.repos.repository import Repository
from gitdeploy.repos.sideband import Send, Sideband
from gitdeploy.repos.sync import sync_all
from gitdeploy.repos.threads import in_thread
from gitdeploy.repos.transaction import RefTransaction, rounds
from gitdeploy.repos.types import ZERO, Caller, PostReceive, Push, RefUpdate


async def receive_pack(
    repository: Repository,
    body: AsyncIterator[bytes],
    send: Send,
    *,
    caller: Caller,
    version: int = 0,
    post_receive: PostReceive | None = None,
) -> Push | None:
    """Take a push. What moved, or None where nothing did.

    `body` is the request's, inflated; `send` writes a piece of the answer and flushes it, and
    raises OSError (as ConnectionResetError) when the client left. `version` 0 and 1 have the same
    requests, and git pushes with no other. Raises Invalid before anything was sent where the
    request isn't a push, Conflict where the app is being deleted, and what `body` raises; then
    nothing remains. From the end of the pack on the push goes on even if the caller is cancelled.
    """
    if repository.closed:
        raise Conflict(f"{repository.app} is being deleted.")
    reader = PktReader(body)
    request = await read_request(reader, repository.limits)
    if request is None:
        return None
    push = _Receiving(repository, request, send, caller)
    async with repository.receiving():
        try:
            await push.take(reader)
        except BaseException:
            await push.discard()
            raise
    work = repository.tasks.start(push.finish(post_receive), f"push {repository.app}")
    return await asyncio.shield(work)


class _Receiving:
    """One push on its way; `refused` maps refs to the reason in their `ng` line."""

    def __init__(
        self, repository: Repository, request: PushRequest, send: Send, caller: Caller
    ) -> None:
        self.repository = repository
        self.request = request
        self.caller = caller
        self.out = Sideband(
            send,
            request.band,
            colours="gitdeploy.color=always" in (request.options or ()),
        )
        self.hooks = repository.hooks
        self.quarantine: Quarantine | None = None
        self.refused: dict[str, str] = {}
        self.unpack: str | None = None
        self.failure: GitdeployError | None = None
        self.broken_off = False
        self.objects = 0
        self.started = time.monotonic()

    @property
    def going(self) -> tuple[RefUpdate, ...]:
        """The updates that nothing stands against; of an atomic push all or none."""
        if self.request.atomic and self.refused:
            return ()
        return tuple(u for u in self.request.updates if u.ref not in self.refused)

    async def take(self, reader: PktReader) -> None:
        """Receive and verify what the push brings; a refusal is kept for the report."""
        self._check_names()
        with self._refusals():
            if self.request.brings_pack:
                await in_thread(self._enter_quarantine)
                assert self.quarantine is not None
                await self._ingest(reader)
            else:  # nothing may follow, but a request is read to its end before it is answered
                async for _ in self._body(reader):
                    pass

    async def _ingest(self, reader: PktReader) -> None:
        """The pack into quarantine; once its last byte is there, silence is kept alive."""
        assert self.quarantine is not None
        async with AsyncExitStack() as checking:

            async def pieces() -> AsyncIterator[bytes]:
                async for chunk in self._body(reader):
                    yield chunk
                await checking.enter_async_context(self.out.kept_alive())

            await ingest(
                pieces(),
                self.repository.objects,
                self.quarantine,
                self.repository.limits,
                self._verify,
            )

    async def _body(self, reader: PktReader) -> AsyncIterator[bytes]:
        """What follows the commands; notes where it was the stream that failed."""
        try:
            async for chunk in reader.rest():
                yield chunk
        except Exception:
            self.broken_off = True
            raise

    def _enter_quarantine(self) -> None:
        """In the thread, so that a client who leaves meanwhile doesn't leave it behind."""
        self.quarantine = Quarantine(self.repository.objects.directory)

    async def finish(self, post_receive: PostReceive | None) -> Push | None:
        """Everything from the end of the request on; ends with the answer's last byte."""
        async with self.out.kept_alive():
            try:
                moved = await self._move_and_answer()
            except BaseException:
                await self.discard()
                raise
            discarding = asyncio.create_task(self.discard())  # beside what follows
            push = None
            try:
                if moved:
                    push = Push(
                        app=self.repository.app,
                        updates=moved,
                        options=self.request.options or (),
                        caller=self.caller,
                    )
                    await self._after(push, post_receive)
            finally:
                await asyncio.shield(discarding)
            await self.out.end()
        return push

    async def _move_and_answer(self) -> tuple[RefUpdate, ...]:
        moved: tuple[RefUpdate, ...] = ()
        with self._refusals():
            if self.unpack is None and self.going:
                moved = await self._decide_and_move()
        await self._answer(moved)
        return moved

    async def discard(self) -> None:
        """Remove what is still in quarantine."""
        if self.quarantine is not None:
            quarantine, self.quarantine = self.quarantine, None
            await in_thread(quarantine.discard)

    @contextmanager
    def _refusals(self) -> Iterator[None]:
        """What refuses a whole push becomes its `unpack` line."""
        try:
            yield
        except Exception as error:
            if self.broken_off:  # nobody is there to be answered
                raise
            self.unpack = _reason(error)
            self.failure = error if isinstance(error, GitdeployError) else None
            if not isinstance(error, PackError | Disconnected):
                self.repository.log.exception("push.failed", who=self.caller.who)

    def _check_names(self) -> None:
        seen: set[str] = set()
        head = self.repository.head()
        for update in self.request.updates:
            reason = refnames.refusal(update.ref)
            if update.ref in seen:
                reason = "multiple updates for ref not allowed"
            elif update.new == ZERO and update.ref == head and update.old != ZERO:
                reason = "deletion of the current branch prohibited"
            if reason is not None:
                self.refused[update.ref] = reason
            seen.add(update.ref)

    def _verify(self, pack: IndexedPack) -> None:
        """In the indexer's thread: whole, not colliding, tips of the right type."""
        assert self.quarantine is not None
        repository, environment = self.repository, self.quarantine.environment()
        self.objects = pack.count
        duplicates.compare(repository.objects, pack)
        tips = [bytes.fromhex(u.new) for u in self.request.updates if u.new != ZERO]
        connectivity.check(
            repository.objects,
            pack,
            tips,
            reachable=repository.reachable(),
            quarantine=environment,
            shallow=self.request.shallow,
        )
        kinds: dict[str, int] = {}
        for update in self.going:
            if update.new != ZERO and update.ref.startswith("refs/heads/"):
                kind = kinds.get(update.new) or self._kind(update.new, pack)
                kinds[update.new] = kind
                if kind != COMMIT:
                    self.refused[update.ref] = f"a branch can't stand at a {TYPES[kind]}"
        if not pack.count:  # an empty pack, for refs to objects that are there
            self.quarantine.drop_packs()
        else:
            self.quarantine.name_pack(pack.name)

    def _kind(self, new: str, pack: IndexedPack) -> int:
        """The type of an object that is in the pack or in the repository."""
        oid = bytes.fromhex(new)
        kind = pack.type_of(oid)
        header = None if kind else self.repository.objects.header(oid)
        return kind or (header[0] if header else COMMIT)

    async def _decide_and_move(self) -> tuple[RefUpdate, ...]:
        """Hooks say yes or no, then refs move."""
        quarantine = None if self.quarantine is None else self.quarantine.environment()
        environment = hook_environment(
            self.repository.path, self.caller, self.request.options, quarantine
        )
        if not await self.hooks.pre_receive(self.going, environment, self.out.line):
            for update in self.going:
                self.refused[update.ref] = "pre-receive hook declined"
            return ()
        hooks = self.hooks.find("update")
        for update in self.going if hooks else ():
            if not await self.hooks.update(hooks, update, environment, self.out.line):
                self.refused[update.ref] = "hook declined"
                if self.request.atomic:
                    return ()
        if not self.going:
            return ()
        async with self.repository.lock:
            if self.repository.closed:
                raise Disconnected(f"{self.repository.app} is being deleted")
            return await in_thread(self._move)

    def _move(self) -> tuple[RefUpdate, ...]:
        """Lock and compare the refs, then put the objects in place, then move the refs.

        In this order the loser of a race leaves nothing behind, and no ref is without objects.
        """
        self._check_count()
        going = self.going
        moved: list[RefUpdate] = []
        steps: Sequence[Sequence[RefUpdate]] = [going] if self.request.atomic else rounds(going)
        for updates in steps:
            with RefTransaction(
                self.repository.ref_store, updates, atomic=self.request.atomic
            ) as moves:
                moves.prepare()
                self.refused.update(moves.refused)
                if not moves.accepted:
                    continue
                locks = moves.write()
                if self.quarantine is not None and any(u.new != ZERO for u in moves.accepted):
                    self.quarantine.migrate(locks)
                else:
                    sync_all(locks)
                moved += moves.commit(self.caller, self.repository.peel)
                self.refused.update(moves.refused)
                try:
                    moves.sync()
                except OSError as error:  # they have moved: only a power cut could undo it
                    self.repository.log.error("push.not_synced", error=str(error))
        return tuple(moved)

    def _check_count(self) -> None:
        """Refuse new refs past max_refs."""
        there = self.repository.ref_store.all()
        going = self.going
        fresh = [u.ref for u in going if u.new != ZERO and u.ref not in there]
        gone = sum(1 for u in going if u.new == ZERO and u.ref in there)
        limit = self.repository.limits.max_refs
        room = max(0, limit - len(there) + gone)
        for ref in fresh[room:]:
            self.refused[ref] = (
                f"the repository has {len(there)} refs, the limit is max_refs = {limit}"
            )

    async def _answer(self, moved: tuple[RefUpdate, ...]) -> None:
        """Say why not, in words; then the report."""
        log = self.repository.log.bind(
            who=self.caller.who,
            address=self.caller.address,
            objects=self.objects,
            duration_ms=round((time.monotonic() - self.started) * 1000, 1),
        )
        if self.request.atomic and self.refused and self.unpack is None:
            for update in self.request.updates:
                self.refused.setdefault(update.ref, "atomic push failure")
        if moved:
            log.info("push.accepted", refs=[u.ref for u in moved[:20]], count=len(moved))
        if self.unpack is not None or self.refused:
            reasons = dict(list(self.refused.items())[:20])
            log.warning("push.refused", reason=self.unpack, refs=reasons or None)
        if self.failure is not None:
            await self.out.line(f"error: {self.failure.what}")
            if self.failure.fix:
                await self.out.line(f"hint: {self.failure.fix}")
        if "deletion of the current branch prohibited" in self.refused.values():
            await self.out.line(
                f"error: refusing to delete the current branch: {self.repository.head()}"
            )
        if self.request.wants_report:
            await self.out.report(report(self.request.updates, self.refused, self.unpack))

    async def _after(self, push: Push, post_receive: PostReceive | None) -> None:
        """The post-receive hooks, then the pipeline, whoever still listens.

        The pipeline's first line is waited for even when the client has left: only then is its
        work sure to have begun.
        """
        try:
            environment = hook_environment(
                self.repository.path, self.caller, self.request.options, None
            )
            await self.hooks.post_receive(push.updates, environment, self.out.line)
            if post_receive is None:
                return
            async with aclosing(cast(Any, post_receive(push))) as lines:
                async for line in lines:
                    await self.out.line(line)
                    if self.out.gone:
                        break
        except Exception:
            # refs have moved and the report says so: nothing may turn the push into a failure
            self.repository.log.exception("push.post_receive_failed")
            await self.out.line("error: what follows the push failed; see the server's log")


def _reason(error: Exception) -> str:
    """Why the push as a whole is refused, for its `unpack` line."""
    if isinstance(error, PackError | Disconnected):
        return error.reason
    if isinstance(error, GitdeployError):
        return error.what
    if isinstance(error, OSError):
        return f"cannot store objects: {error.strerror or error}"
    return "internal error; see the server's log"
