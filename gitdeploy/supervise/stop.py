"""Stop one execution: shutdown file, SIGTERM, wait, SIGKILL of the whole tree.

A continuous job that was written for Kudu knows the file alone: SIGTERM would kill it before it
could look. So a process that does nothing about SIGTERM gets it only when half of its time is
over; one that handles or ignores it gets both at once.
"""

from __future__ import annotations

import signal
from pathlib import Path

from gitdeploy.store import Execution
from gitdeploy.supervise.context import Context
from gitdeploy.supervise.ending import Verdict
from gitdeploy.supervise.live import Live
from gitdeploy.supervise.wait import within


def control_directory(directory: Path) -> Path:
    """The part of an execution's directory that a continuous job's process sees (read-only)."""
    return directory / "control"


def shutdown_file(directory: Path) -> Path:
    """WEBJOBS_SHUTDOWN_FILE: comes into being when the process should end."""
    return control_directory(directory) / "shutdown"


async def stop(
    context: Context,
    live: Live,
    verdict: Verdict,
    *,
    wait: float | None = None,
    reason: str | None = None,
) -> Execution:
    """End an execution in an orderly way; returns when it is recorded.

    `wait` seconds (default: the job's `stopping_wait_time`) lie between the first word of it and
    SIGKILL. The end is recorded as `verdict`, the first one where several stop it at once. Once begun this
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
    remaining = wait
    if live.execution.kind == "continuous":
        _announce(shutdown_file(Path(live.handle.directory)))
        if dies_of(live.handle.pid, signal.SIGTERM):
            remaining = wait / 2
            if await within(context.clock, wait - remaining, [live.exited]):
                return
    live.terminate()
    if not await within(context.clock, remaining, [live.exited]):
        live.log.warning("job.killed", pid=live.handle.pid, waited=wait)
        await live.kill()


def dies_of(pid: int, number: int) -> bool:
    """Whether a process neither catches nor ignores a signal (proc(5), SigCgt and SigIgn)."""
    try:
        text = Path(f"/proc/{pid}/status").read_text("utf-8", errors="replace")
    except OSError:
        return False
    masks = dict(line.split(":\t", 1) for line in text.splitlines() if line.startswith("Sig"))
    handled = int(masks.get("SigCgt", "0"), 16) | int(masks.get("SigIgn", "0"), 16)
    return not handled >> (number - 1) & 1


def _announce(path: Path) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    except OSError:  # disk full, or the app's files are gone: SIGTERM says it too
        return
