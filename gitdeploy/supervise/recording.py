"""An execution on record before it starts, so that no crash loses one."""

from __future__ import annotations

from msgspec.structs import replace

from gitdeploy.errors import Conflict
from gitdeploy.jobs import execution_id, next_execution_id
from gitdeploy.store import Execution
from gitdeploy.supervise.context import Context, Source
from gitdeploy.supervise.live import id_of
from gitdeploy.supervise.request import RunRequest


async def record_execution(context: Context, source: Source, request: RunRequest) -> Execution:
    """Record an execution of a job in the state initializing.

    Raises Conflict where a run of that triggered job is open and this one may not overlap.
    """
    execution = await _next(context, source, request)
    while not await context.store.executions.add(execution, key=request.key):
        execution = await _another(context, execution)
    return execution


async def _next(context: Context, source: Source, request: RunRequest) -> Execution:
    now = context.clock.now()
    release = source.desired.release
    last = await context.store.executions.last_id(source.app, source.job.kind, source.job.name)
    return Execution(
        app=source.app,
        kind=source.job.kind,
        job=source.job.name,
        # Ascending even when the clock was set back: history and retention go by it.
        id=execution_id(now) if last is None else next_execution_id(last, now),
        status="initializing",
        instance=context.instance,
        created_at=now,
        trigger=request.trigger,
        arguments=request.arguments,
        deployment=None if release is None else release.deployment,
        release=None if release is None else release.number,
        upload=None if source.uploaded is None else int(source.uploaded.name),
        identity=source.identity,
        who=request.who,
        scheduled_for=request.scheduled_for,
        overlapping=request.overlapping,
    )


async def _another(context: Context, refused: Execution) -> Execution:
    """One to record instead: the id was taken (two within one tick). Raises Conflict."""
    if await context.store.executions.get(*id_of(refused)) is None:
        raise Conflict(
            f"A run of {refused.job} is under way.",
            "Wait for its end, or stop it, and trigger it again.",
        )
    return replace(refused, id=next_execution_id(refused.id, context.clock.now()))
