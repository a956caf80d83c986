"""What becomes of a due time: its run, or why there is none. Each is on record before its run."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from msgspec.structs import replace

from gitdeploy.clock import rfc3339
from gitdeploy.errors import Conflict, GitdeployError
from gitdeploy.events import Log
from gitdeploy.store import Execution, Occurrence
from gitdeploy.supervise.context import Context
from gitdeploy.supervise.overdue import MINUTE, Overdue
from gitdeploy.supervise.plan import Plan
from gitdeploy.supervise.request import RunRequest

LATE = 10 * MINUTE
"""A missed due time up to this old still runs, once (kudu.md), microseconds."""
MOST_QUEUED = 100
"""So many due times wait for the run before them (`overlap: queue`); more are dropped."""

StartRun = Callable[[str, str, RunRequest], Awaitable[Execution]]
"""Start a run of (app, job)."""


class Occasions:
    """Deals with due times, one job's at a time."""

    def __init__(self, context: Context, start_run: StartRun) -> None:
        self._context = context
        self._start_run = start_run

    async def deal_with(self, plan: Plan, found: Overdue, now: int) -> None:
        """Run the latest of these due times where it isn't too old; the others were missed."""
        run_it = now - found.latest <= LATE
        missed = found._replace(total=found.total - 1) if run_it else found
        last_missed = found.before_latest if run_it else found.latest
        if missed.total > 0 and last_missed is not None:
            await self._record_missed(plan, missed.many, last_missed)
        if run_it:
            claim = Occurrence(app=plan.app, job=plan.job, due_at=found.latest, state="started")
            if await self._context.store.occurrences.claim(claim):
                await self._run(plan, claim)

    async def finish_claim(self, plan: Plan, claim: Occurrence) -> None:
        """A crash came between a claim and its settling: find its run, or make up for it."""
        store = self._context.store
        run = await store.executions.by_due(plan.app, plan.job, claim.due_at)
        if run is not None:
            await store.occurrences.settle(replace(claim, state="started", run=run.id))
        elif self._context.clock.now() - claim.due_at <= LATE:
            await self._run(plan, claim)
        else:
            note = f"Missed 1 schedules, most recent at {rfc3339(claim.due_at)}"
            await store.occurrences.settle(replace(claim, state="missed", note=note))
            self._log(plan).warning("schedule.missed", what=note, due=rfc3339(claim.due_at))

    async def run_queued(self, plan: Plan) -> None:
        """Start the due time that has waited longest, if one has."""
        queued = await self._context.store.occurrences.queued(plan.app, plan.job)
        if queued:
            await self._run(plan, replace(queued[0], state="started", note=""))

    async def _run(self, plan: Plan, claim: Occurrence) -> None:
        """Start the run of a claimed due time and settle the claim."""
        settle = self._context.store.occurrences.settle
        due = rfc3339(claim.due_at)
        request = RunRequest(
            trigger=plan.trigger,
            scheduled_for=claim.due_at,
            overlapping=plan.wish.settings.overlap == "allow",
        )
        try:
            run = await self._start_run(plan.app, plan.job, request)
        except Conflict as error:
            if plan.wish.settings.overlap == "queue" and await self._queue(plan, claim):
                return
            await settle(replace(claim, state="dropped", note=f"Dropped: {error.what}"))
            self._log(plan).warning("schedule.dropped", what=error.what, due=due)
        except GitdeployError as error:
            await settle(replace(claim, state="dropped", note=f"Not started: {error}"))
            self._log(plan).error("schedule.refused", what=error.what, fix=error.fix, due=due)
        else:
            await settle(replace(claim, run=run.id))

    async def _queue(self, plan: Plan, claim: Occurrence) -> bool:
        """Let it wait for the run before it; False where too many do."""
        store = self._context.store.occurrences
        waiting = [each.due_at for each in await store.queued(plan.app, plan.job)]
        if claim.due_at not in waiting and len(waiting) >= MOST_QUEUED:
            return False
        note = "Waits for the run before it"
        await store.settle(replace(claim, state="queued", note=note))
        self._log(plan).info("schedule.queued", due=rfc3339(claim.due_at), waiting=len(waiting))
        return True

    async def _record_missed(self, plan: Plan, count: str, latest: int) -> None:
        note = f"Missed {count} schedules, most recent at {rfc3339(latest)}"
        missed = Occurrence(app=plan.app, job=plan.job, due_at=latest, state="missed", note=note)
        if await self._context.store.occurrences.claim(missed):
            self._log(plan).warning("schedule.missed", what=note, due=rfc3339(latest))

    def _log(self, plan: Plan) -> Log:
        return self._context.job_log(plan.app, "triggered", plan.job)
