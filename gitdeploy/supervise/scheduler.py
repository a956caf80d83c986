"""Now → what is due → sleep until the next: runs of triggered jobs by their schedules.

Each due time is claimed in the store before its run, so none happens twice, whatever the clock
or a crash does. What was missed (server down, machine or app asleep): the latest due time runs
once if it is at most ten minutes old; the others are recorded as missed. What becomes of one that
comes while the job runs is the job's `overlap` (occasion.py).
"""

from __future__ import annotations

import asyncio
import heapq
from collections.abc import Callable, Coroutine, Iterable
from itertools import count
from typing import Any

from gitdeploy.errors import GitdeployError
from gitdeploy.jobs import Schedule
from gitdeploy.supervise.context import Context
from gitdeploy.supervise.occasion import LATE, Occasions, StartRun
from gitdeploy.supervise.overdue import MINUTE, Overdue, overdue
from gitdeploy.supervise.plan import Plan, Wish

__all__ = ["LATE", "NAP", "Scheduler", "Wish"]

NAP = 60.0
"""Longest sleep, seconds: a step of the wall clock is seen within it."""
_BACK = 180 * MINUTE
"""A clock set back further than this starts anew from there (less: nothing is repeated)."""
_DAY = 24 * 60 * MINUTE
_KEPT = 90 * _DAY
"""Due times are on record for so long, microseconds."""
_SECOND = 1_000_000
_TICK = "scheduler.tick"

Key = tuple[str, str]


class Scheduler:
    """The one loop that starts runs when they are due."""

    def __init__(
        self,
        context: Context,
        start_run: StartRun,
        *,
        nap: float = NAP,
        daily: Callable[[], Coroutine[Any, Any, None]] | None = None,
    ) -> None:
        """`daily` is done once a day, behind the scheduler's own tidying."""
        self._context = context
        self._nap = nap
        self._daily = daily
        self._occasions = Occasions(context, start_run)
        self._plans: dict[Key, Plan] = {}
        self._heap: list[tuple[int, int, Key]] = []  # outdated entries are passed over
        self._count = count()
        self._anchors: dict[Key, tuple[str, int]] = {}
        self._changed = asyncio.Event()
        self._dealing: set[asyncio.Task[None]] = set()
        self._loop: asyncio.Task[None] | None = None
        self._tidied = 0
        self._seen = 0

    async def load(self) -> None:
        """Recall when the recurrences that count from it were first seen; before any `set`."""
        self._anchors = await self._context.store.occurrences.anchors()

    async def start(self) -> None:
        """Deal with what was missed, then follow the schedules that were set before and since."""
        store = self._context.store
        tick = await store.fact(_TICK)
        now = self._seen = self._context.clock.now()
        since = now if tick is None else min(int(tick), now)
        for plan in self._plans.values():
            latest = await store.occurrences.latest(plan.app, plan.job)
            if latest is not None and latest.state == "started" and latest.run is None:
                await self._occasions.finish_claim(plan, latest)
            self._move(plan, max(since, min(latest.due_at, now)) if latest is not None else since)
            if plan.wish.settings.overlap == "queue":
                await self._occasions.run_queued(plan)
        self._loop = asyncio.create_task(self._follow(), name="scheduler")

    async def close(self) -> None:
        """Stop, and remember up to when everything was dealt with."""
        if self._loop is not None:
            self._loop.cancel()
            await asyncio.gather(self._loop, return_exceptions=True)
            self._loop = None
            await asyncio.gather(*self._dealing, return_exceptions=True)
            await self._remember(self._context.clock.now())

    def set(self, app: str, wishes: Iterable[Wish]) -> None:
        """Replace an app's schedules; one that didn't change goes on, others begin now."""
        old = {key: plan for key, plan in self._plans.items() if key[0] == app}
        wanted = {(app, wish.job): wish for wish in wishes}
        if {key: plan.wish for key, plan in old.items()} == wanted:
            return
        for key in old:
            del self._plans[key]
        for key, wish in wanted.items():
            plan = old.get(key)
            if plan is not None and plan.wish.spelling == wish.spelling:
                plan.wish = wish
            else:
                made = self._plan(app, wish)
                if made is None:
                    continue
                plan = made
            self._plans[key] = plan
            self._push(plan)
        self._changed.set()

    def next_due(self, app: str, job: str) -> int | None:
        """When the job is due next, microseconds; None where it has no schedule in force."""
        plan = self._plans.get((app, job))
        return None if plan is None else plan.due

    def schedule(self, app: str, job: str) -> Schedule | None:
        """A job's schedule that is in force, asleep or not."""
        plan = self._plans.get((app, job))
        return None if plan is None else plan.schedule

    def ended(self, app: str, job: str) -> None:
        """A run has ended: one that has waited for it may start."""
        plan = self._plans.get((app, job))
        if plan is not None and plan.wish.settings.overlap == "queue" and self._loop is not None:
            self._own(plan, self._occasions.run_queued(plan))

    def _plan(self, app: str, wish: Wish) -> Plan | None:
        now = self._context.clock.now()
        try:
            return Plan(app, wish, anchor=self._anchor(app, wish, now), after=now)
        except GitdeployError as error:  # validated long ago; the zone may have gone since
            log = self._context.job_log(app, "triggered", wish.job)
            log.warning("schedule.refused", what=error.what, fix=error.fix)
            return None

    def _anchor(self, app: str, wish: Wish, now: int) -> int:
        """When this schedule was first seen: a recurrence without a start counts from there."""
        recurrence = wish.settings.recurrence
        if recurrence is None or recurrence.start_time is not None:
            return now
        known = self._anchors.get((app, wish.job))
        if known is not None and known[0] == wish.spelling:
            return known[1]
        self._anchors[app, wish.job] = wish.spelling, now
        write = self._context.store.occurrences.put_anchor(app, wish.job, wish.spelling, now)
        self._context.own(write, name=f"remember the start of {app}/{wish.job}")
        return now

    def _push(self, plan: Plan) -> None:
        if plan.due is not None and not plan.wish.asleep:
            heapq.heappush(self._heap, (plan.due, next(self._count), (plan.app, plan.job)))

    def _move(self, plan: Plan, after: int) -> None:
        plan.move(after)
        self._push(plan)

    def _first(self) -> Plan | None:
        """The plan that is due next."""
        while self._heap:
            due, _, key = self._heap[0]
            plan = self._plans.get(key)
            if plan is not None and plan.due == due and not plan.wish.asleep:
                return plan
            heapq.heappop(self._heap)
        return None

    async def _follow(self) -> None:
        changed = True
        while True:
            try:
                now = self._context.clock.now()
                if changed:
                    await self._remember(now)
                self._deal_with_due(now)
                if now - self._tidied >= _DAY:
                    await self._tidy(now)
            except Exception:
                self._context.events.log.error(
                    "supervisor.failed", what="following schedules", exc_info=True
                )
                await self._context.clock.sleep(1.0)
            changed = await self._sleep()

    async def _sleep(self) -> bool:
        """Until something is due or the schedules change (True)."""
        waiter = asyncio.ensure_future(self._changed.wait())
        timer: asyncio.Future[None] | None = None
        first = self._first()
        if first is not None and first.due is not None:
            seconds = (first.due - self._context.clock.now()) / 1e6
            timer = asyncio.ensure_future(
                self._context.clock.sleep(min(max(seconds, 0.0), self._nap))
            )
        waits: set[asyncio.Future[object]] = {w for w in (waiter, timer) if w is not None}  # type: ignore[misc]
        try:
            await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for wait in waits:
                wait.cancel()
        changed = self._changed.is_set()
        self._changed.clear()
        return changed

    def _deal_with_due(self, now: int) -> None:
        if now < self._seen:  # the clock was set back
            for each in self._plans.values():
                if each.after > now + _BACK:
                    self._move(each, now)
        self._seen = now
        while (plan := self._first()) is not None and plan.due is not None and plan.due <= now:
            after, due = plan.after, plan.due
            heapq.heappop(self._heap)
            self._move(plan, now)
            # A task each: a slow start of one job mustn't make another late.
            self._own(plan, self._deal_with(plan, after, due, now))

    async def _deal_with(self, plan: Plan, after: int, due: int, now: int) -> None:
        found: Overdue | None = Overdue(1, due, None)
        if now - due >= _SECOND:  # else there can't be a second one
            found = await asyncio.to_thread(overdue, plan.schedule, after, now)
        if found is not None:
            await self._occasions.deal_with(plan, found, now)

    def _own(self, plan: Plan, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(self._guarded(plan, work))
        self._dealing.add(task)
        task.add_done_callback(self._dealing.discard)

    async def _guarded(self, plan: Plan, work: Coroutine[Any, Any, None]) -> None:
        try:
            await work
        except Exception:
            log = self._context.job_log(plan.app, "triggered", plan.job)
            log.exception("supervisor.failed", what="a scheduled run")

    async def _tidy(self, now: int) -> None:
        """Once a day: forget old due times, behind a tick that says they were dealt with."""
        self._tidied = now
        await self._remember(now)
        await self._context.store.occurrences.prune(now - _KEPT)
        await self._context.store.executions.forget_keys(now - _DAY)
        if self._daily is not None:
            await self._daily()

    async def _remember(self, now: int) -> None:
        await self._context.store.remember(_TICK, str(now))
