"""What runs at this moment, and who lives where: asked of the processes that are watched."""

from __future__ import annotations

from gitdeploy.errors import NotFound
from gitdeploy.home import Kind
from gitdeploy.store import Execution
from gitdeploy.supervise.context import Context
from gitdeploy.supervise.live import id_of


async def wait_ended(context: Context, execution: Execution) -> Execution:
    """Wait for the end of an execution of this instance; as it was recorded then.

    Raises NotFound where the store doesn't know it (any more).
    """
    key = id_of(execution)
    for live in context.lives:
        if id_of(live.execution) == key:
            return await live.wait()
    found = await context.store.executions.get(*key)
    if found is None:
        raise NotFound(f"{execution.job} has no execution {execution.id}.")
    return found


def releases_in_use(context: Context, app: str) -> set[int]:
    """Numbers of the releases that running processes live in."""
    return {
        live.execution.release
        for live in context.lives
        if live.execution.app == app and live.execution.release is not None
    }


def uploads_in_use(context: Context, app: str) -> set[tuple[Kind, str, int]]:
    """(kind, job, generation) of the uploads that running processes live in."""
    return {
        (live.execution.kind, live.execution.job, live.execution.upload)
        for live in context.lives
        if live.execution.app == app and live.execution.upload is not None
    }


async def wait_left(context: Context, app: str, kind: Kind, job: str, generation: int) -> None:
    """Wait until no process lives in that upload."""
    for live in [*context.lives]:
        execution = live.execution
        if id_of(execution)[:3] == (app, kind, job) and execution.upload == generation:
            await live.wait()
