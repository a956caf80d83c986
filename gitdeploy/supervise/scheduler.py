"""Now → what is due → sleep until the next: runs of triggered jobs by their schedules.

Each due time is claimed in the store before its run, so none happens twice, whatever the clock
or a crash does. What was missed (server down, machine asleep): the latest due time runs once if
it is at most ten minutes old; the others are recorded as missed. One that comes while the job
runs is recorded as dropped.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from typing import NamedTuple

from msgspec.structs import replace

from gitdeploy.clock import rfc3339
from gitdeploy.errors import Conflict, GitdeployError
from gitdeploy.jobs import Schedule
from gitdeploy.store import Execution, Occurrence
from gitdeploy.supervise.context import Context
from gitdeploy.supervise.overdue import MINUTE, Overdue, next_due, overdue

LATE = 10 * MINUTE
"""A missed due time up to this old still runs, once (kudu.md), microseconds."""
NAP = 60.0
"""Longest sleep, seconds: a step of the wall clock is seen within it."""
_BACK = 180 * MINUTE
"""A clock set back further than this starts anew from there (less: nothing is repeated)."""
_DAY = 24 * 60 * MINUTE
_KEPT = 90 * _DAY
"""Due times are on record for so long, microseconds."""
_TICK = "scheduler.tick"

StartRun = Callable[[str, str, str], Awaitable[Execution]]
"""Start a run of (app, job, trigger)."""


class Plan:
    """One job's schedule and how far it was followed: `due` is the next due time behind `after`."""

    def __init__(self, app: str, job: str, expression: str, zone: str | None, after: int) -> None:
        self.app = app
        self.job = job
        self.expression = expression
        self.zone = zone
        self.schedule = Schedule.parse(expression, zone)
        self.after = after
        self.due = next_due(self.schedule, after)

    def move(self, after: int) -> None:
        """Everything up to `after` was dealt with."""
        self.after = after
        self.due = next_due(self.schedule, after)

    @property
    def trigger(self) -> str:
        """What a run by this schedule is recorded with."""
        return f"Schedule - {self.expression}"


class Wish(NamedTuple):
    """A job that asks for runs by schedule."""

    job: str
    expression: str
    zone: str | None


class Scheduler:
    """The one loop that starts runs when they are due."""

    def __init__(self, context: Context, start_run: StartRun, *, nap: float = NAP) -> None:
        self._context = context
        self._nap = nap
        self._start_run = start_run
        self._plans: dict[tuple[str, str], Plan] = {}
        self._changed = asyncio.Event()
        self._dealing: set[asyncio.Task[None]] = set()
        self._loop: asyncio.Task[None] | None = None
        self._tidied = 0

    async def start(self) -> None:
        """Deal with what was missed, then follow the schedules that were set before and since."""
        tick = await self._context.store.fact(_TICK)
        now = self._context.clock.now()
        since = now if tick is None else min(int(tick), now)
        for plan in self._plans.values():
            latest = await self._context.store.occurrences.latest(plan.app, plan.job)
            if latest is not None and latest.state == "started" and latest.run is None:
                await self._finish_claim(plan, latest)
            plan.move(max(since, min(latest.due_at, now)) if latest is not None else since)
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
        new: dict[tuple[str, str], Plan] = {}
        for wish in wishes:
            key = app, wish.job
            plan = old.get(key)
            if plan is None or (plan.expression, plan.zone) != (wish.expression, wish.zone):
                now = self._context.clock.now()
                try:
                    plan = Plan(app, wish.job, wish.expression, wish.zone, now)
                except GitdeployError as error:  # validated long ago; the zone may have gone since
                    log = self._context.job_log(app, "triggered", wish.job)
                    log.warning("schedule.refused", what=error.what, fix=error.fix)
                    continue
            new[key] = plan
        if new == old:
            return
        for key in old:
            del self._plans[key]
        self._plans.update(new)
        self._changed.set()

    def next_due(self, app: str, job: str) -> int | None:
        """When the job is due next, microseconds; None where it has no schedule in force."""
        plan = self._plans.get((app, job))
        return None if plan is None else plan.due

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
        dues = [plan.due for plan in self._plans.values() if plan.due is not None]
        if dues:
            seconds = (min(dues) - self._context.clock.now()) / 1e6
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
        for plan in self._plans.values():
            after = plan.after
            if after > now + _BACK:
                plan.move(now)
            elif plan.due is not None and plan.due <= now:
                plan.move(now)
                # A task each: a slow start of one job mustn't make another late.
                task = asyncio.create_task(self._deal_with(plan, after, now))
                self._dealing.add(task)
                task.add_done_callback(self._dealing.discard)

    async def _deal_with(self, plan: Plan, after: int, now: int) -> None:
        try:
            found = await asyncio.to_thread(overdue, plan.schedule, after, now)
            if found is not None:
                await self._deal_with_overdue(plan, found, now)
        except Exception:
            log = self._context.job_log(plan.app, "triggered", plan.job)
            log.exception("supervisor.failed", what="a scheduled run")

    async def _deal_with_overdue(self, plan: Plan, found: Overdue, now: int) -> None:
        run_it = now - found.latest <= LATE
        missed = found._replace(total=found.total - 1) if run_it else found
        last_missed = found.before_latest if run_it else found.latest
        if missed.total > 0 and last_missed is not None:
            await self._record_missed(plan, missed.many, last_missed)
        if run_it:
            claim = Occurrence(app=plan.app, job=plan.job, due_at=found.latest, state="started")
            if await self._context.store.occurrences.claim(claim):
                await self._run(plan, claim)

    async def _record_missed(self, plan: Plan, count: str, latest: int) -> None:
        note = f"Missed {count} schedules, most recent at {rfc3339(latest)}"
        missed = Occurrence(app=plan.app, job=plan.job, due_at=latest, state="missed", note=note)
        if await self._context.store.occurrences.claim(missed):
            log = self._context.job_log(plan.app, "triggered", plan.job)
            log.warning("schedule.missed", what=note, due=rfc3339(latest))

    async def _run(self, plan: Plan, claim: Occurrence) -> None:
        """Start the run of a claimed due time and settle the claim."""
        log = self._context.job_log(plan.app, "triggered", plan.job)
        due = rfc3339(claim.due_at)
        settle = self._context.store.occurrences.settle
        try:
            run = await self._start_run(plan.app, plan.job, plan.trigger)
        except Conflict as error:
            note = f"Dropped: {error.what}"
            await settle(replace(claim, state="dropped", note=note))
            log.warning("schedule.dropped", what=error.what, due=due)
        except GitdeployError as error:
            await settle(replace(claim, state="dropped", note=f"Not started: {error}"))
            log.error("schedule.refused", what=error.what, fix=error.fix, due=due)
        else:
            await settle(replace(claim, run=run.id))

    async def _finish_claim(self, plan: Plan, claim: Occurrence) -> None:
        """A crash came between a claim and its settling: find its run, or make up for it."""
        store = self._context.store
        for run in await store.executions.newest(plan.app, "triggered", plan.job, limit=10):
            if run.trigger == plan.trigger and run.created_at >= claim.due_at:
                await store.occurrences.settle(replace(claim, run=run.id))
                return
        if self._context.clock.now() - claim.due_at <= LATE:
            await self._run(plan, claim)
            return
        note = f"Missed 1 schedules, most recent at {rfc3339(claim.due_at)}"
        await store.occurrences.settle(replace(claim, state="missed", note=note))
        self._context.job_log(plan.app, "triggered", plan.job).warning(
            "schedule.missed", what=note, due=rfc3339(claim.due_at)
        )

    async def _tidy(self, now: int) -> None:
        """Once a day: forget old due times, behind a tick that says they were dealt with."""
        self._tidied = now
        await self._remember(now)
        await self._context.store.occurrences.prune(now - _KEPT)

    async def _remember(self, now: int) -> None:
        await self._context.store.remember(_TICK, str(now))
