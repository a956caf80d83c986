"""Stop one execution: shutdown file and SIGTERM, wait, SIGKILL of the whole tree."""

from __future__ import annotations

from pathlib import Path

from gitdeploy.store import Execution
from gitdeploy.supervise.context import Context
from gitdeploy.supervise.ending import Verdict
from gitdeploy.supervise.live import Live
from gitdeploy.supervise.wait import within


def control_directory(context: Context, execution: Execution) -> Path:
    """The part of an execution's directory that its process sees (read-only)."""
    app = context.home.app(execution.app)
    return app.execution(execution.kind, execution.job, execution.id) / "control"


def shutdown_file(context: Context, execution: Execution) -> Path:
    """WEBJOBS_SHUTDOWN_FILE: comes into being when the process should end."""
    return control_directory(context, execution) / "shutdown"


async def stop(
    context: Context,
    live: Live,
    verdict: Verdict,
    *,
    wait: float | None = None,
    reason: str | None = None,
) -> Execution:
    """End an execution in an orderly way; returns when it is recorded.

    `wait` seconds (default: the job's `stopping_wait_time`) lie between SIGTERM and SIGKILL. The
    end is recorded as `verdict`, the first one where several stop it at once. Once begun this
    goes on even if the caller is cancelled: a half-stopped job helps nobody.
    """
    if live.verdict is None:
        live.verdict = verdict
    if not live.exited.done():
        seconds = live.stopping_wait if wait is None else wait
        work = _end_process(context, live, seconds, reason)
        context.own(work, name=f"stop {live.exited.get_name()}")
    return await live.wait()


async def _end_process(context: Context, live: Live, wait: float, reason: str | None) -> None:
    live.log.info("job.stopping", pid=live.handle.pid, wait=wait, reason=reason)
    if live.execution.kind == "continuous":
        _announce(shutdown_file(context, live.execution))
    context.holders.terminate(live.handle)
    if not await within(context.clock, wait, [live.exited]):
        live.log.warning("job.killed", pid=live.handle.pid, waited=wait)
        await context.holders.kill_tree(live.handle)


def _announce(path: Path) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    except OSError:  # disk full, or the app's files are gone: SIGTERM says it too
        return
