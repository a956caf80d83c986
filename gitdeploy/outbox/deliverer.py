"""`Deliverer`: sends what is in the outbox, at least once, and writes down how it went.

One delivery at a time for each hook, oldest first; hooks don't wait for each other. A row stays
until a try is recorded, so one that was under way at a crash is sent again.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from contextlib import suppress

from gitdeploy.clock import Clock, rfc3339
from gitdeploy.config import Options
from gitdeploy.events import Events
from gitdeploy.net import LookUp, Outcome, OutgoingRequest, send, system_look_up
from gitdeploy.outbox.formats import View, message
from gitdeploy.outbox.trying import judged, place, unsendable
from gitdeploy.store import Delivery, Hook, Store, Try

_AT_ONCE = 32
_AT_ONCE_OF_APP = 8
_TIMEOUT = 10.0
_KEEP = 1024
_REST = 10.0
_Key = tuple[str, str]


class Deliverer:
    """One per server: `start`, then it works by itself until `close`."""

    def __init__(
        self,
        *,
        store: Store,
        events: Events,
        clock: Clock,
        options: Options,
        view: View,
        look_up: LookUp = system_look_up,
    ) -> None:
        """`view` shows what a delivery tells of as the API does; it may raise nothing."""
        self._store = store
        self._events = events
        self._clock = clock
        self._options = options
        self._view = view
        self._look_up = look_up
        self._wake = asyncio.Event()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._task: asyncio.Task[None] | None = None
        self._sending: dict[_Key, asyncio.Task[None]] = {}
        self._resting: dict[_Key, float] = {}

    async def start(self) -> None:
        """Take up what an earlier server has left, and listen for what comes."""
        for secret in await self._store.hooks.secrets():
            self._events.redactor.add(secret)
        self._loop = asyncio.get_running_loop()
        self._store.listen(self._committed)
        self._task = asyncio.create_task(self._work(), name="outbox")

    async def close(self, *, grace: float = 5.0) -> None:
        """Begin nothing more; what is under way gets `grace` seconds, the rest is sent next time."""
        self._store.listen(None)
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
            self._task = None
        sending = set(self._sending.values())
        if sending:
            _, late = await asyncio.wait(sending, timeout=grace)
            for task in late:
                task.cancel()
            await asyncio.gather(*late, return_exceptions=True)

    async def idle(self) -> None:
        """Wait until nothing is being sent."""
        while self._sending:
            await asyncio.wait(set(self._sending.values()))

    def _committed(self) -> None:
        """Something was written, perhaps into the outbox (called on the writer's thread)."""
        loop = self._loop
        if loop is not None:
            with suppress(RuntimeError):  # the loop has just been closed
                loop.call_soon_threadsafe(self._wake.set)

    async def _work(self) -> None:
        while True:
            self._wake.clear()
            try:
                wait = await self._begin_due()
            except Exception:
                self._events.log.exception("hook.failed", what="looking into the outbox")
                wait = _REST
            await self._until(wait)

    async def _until(self, wait: float | None) -> None:
        """Until something was written or sent, or that many seconds have passed."""
        if wait is None:
            await self._wake.wait()
            return
        waits = (
            asyncio.ensure_future(self._wake.wait()),
            asyncio.ensure_future(self._clock.sleep(wait)),
        )
        try:
            await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for future in waits:
                future.cancel()

    async def _begin_due(self) -> float | None:
        """Start sending what is due; seconds until more is, None where nothing waits."""
        now, ticks = self._clock.now(), self._clock.monotonic()
        wait: float | None = None
        busy = Counter(app for app, _ in self._sending)
        for head in await self._store.outbox.heads(now):
            key = (head.app, head.hook)
            rests = max((head.next_at - now) / 1e6, self._resting.get(key, 0.0) - ticks)
            if key in self._sending:
                continue
            if rests > 0:
                wait = rests if wait is None else min(wait, rests)
                continue
            if len(self._sending) >= _AT_ONCE or busy[head.app] >= _AT_ONCE_OF_APP:
                continue  # the end of one of them wakes us
            busy[head.app] += 1
            self._resting.pop(key, None)
            name = f"hook {head.app}/{head.hook}/{head.n}"
            self._sending[key] = asyncio.create_task(self._deliver(key, head.n), name=name)
        return wait

    async def _deliver(self, key: _Key, n: int) -> None:
        app, name = key
        try:
            delivery = await self._store.outbox.get(app, name, n)
            hook = await self._store.hooks.get(app, name)
            if delivery is not None and hook is not None:
                await self._try(hook, delivery)
        except Exception:
            # what can't be recorded is sent again, but not at once
            self._resting[key] = self._clock.monotonic() + _REST
            log = self._events.app_log(app)
            log.exception("hook.failed", what="a delivery", hook=name, delivery=n)
        finally:
            self._sending.pop(key, None)
            self._wake.set()

    async def _try(self, hook: Hook, delivery: Delivery) -> None:
        try:
            sent = message(hook, delivery, self._view)
        except Exception as failure:
            self._events.log.exception("hook.failed", what="rendering a delivery", hook=hook.id)
            tried = unsendable(failure, self._clock.now())
            await self._record(hook, delivery, tried)
            return
        outcome: Outcome = await send(
            OutgoingRequest(
                method="POST",
                url=hook.url,
                headers=sent.headers,
                body=sent.body,
                insecure_ssl=hook.insecure_ssl,
                connect_timeout=_TIMEOUT,
                timeout=_TIMEOUT,
                keep=_KEEP,
            ),
            allow_private=self._options.allow_private_hooks,
            look_up=self._look_up,
        )
        now, base = self._clock.now(), self._options.hook_retry
        await self._record(hook, delivery, judged(hook, delivery, outcome, now=now, base=base))

    async def _record(self, hook: Hook, delivery: Delivery, tried: Try) -> None:
        await self._store.outbox.settle(delivery, tried)
        log = self._events.app_log(hook.app).bind(
            hook=hook.id, delivery=delivery.n, tells=delivery.event, tries=delivery.tries + 1
        )
        what = tried.error or f"{tried.status} {tried.reason}".rstrip()
        if tried.state == "delivered":
            log.info("hook.delivered", status=tried.status, duration_ms=tried.duration_ms)
        elif tried.next_at is not None:
            at = rfc3339(tried.next_at)
            log.warning("hook.delayed", url=place(hook.url), what=what, next=at)
        else:
            fix = f"POST …/hooks/{hook.id}/deliveries/{delivery.n}/redeliver sends it again."
            log.error("hook.given_up", url=place(hook.url), what=what, fix=fix)
