"""How an execution ended: which state that is, and where it is written down."""

from __future__ import annotations

import asyncio
import shutil
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

from gitdeploy.events import Log
from gitdeploy.jobs import kudu_status
from gitdeploy.sandbox import Usage
from gitdeploy.store import Execution
from gitdeploy.supervise.context import Context
from gitdeploy.supervise.wine import PREFIX

_LOST = "The exit status was lost: the machine went down, or the holder was killed."
_FIRST_PAUSE = 1.0
_LONGEST_PAUSE = 30.0


class Verdict(NamedTuple):
    """What an end is recorded as, whatever the exit code: `stopped`, `failed` or `aborted`."""

    status: str
    error: str | None = None


def verdict_of(exit_code: int | None) -> Verdict:
    """What an end that nobody asked for is: exit code 0 is a success, a lost one an abort."""
    if exit_code is None:
        return Verdict("aborted", _LOST)
    return Verdict("success" if exit_code == 0 else "failed")


async def record_end(
    context: Context,
    execution: Execution,
    exit_code: int | None,
    *,
    verdict: Verdict | None = None,
    ended_at: int,
    usage: Usage | None = None,
) -> Execution:
    """Write `end.json`, then the store; the execution as it is then. `usage` where it is known.

    Tried again until the store takes it (a full disk must not leave a run open for ever).
    """
    status, error = verdict or verdict_of(exit_code)
    app = context.home.app(execution.app)
    directory = app.execution(execution.kind, execution.job, execution.id)
    columns: dict[str, Any] = {"ended_at": ended_at, "exit_code": exit_code, "error": error}
    columns["output_bytes"] = sum(size(directory / name) for name in ("stdout", "stderr"))
    if usage is not None:
        columns |= msgspec.structs.asdict(usage)
    if (prefix := directory / PREFIX).is_dir():
        await asyncio.to_thread(shutil.rmtree, prefix, ignore_errors=True)
    pause = _FIRST_PAUSE
    while True:
        try:
            _write_end(directory, exit_code, ended_at)
            for leave in ("running", "initializing"):
                if await context.store.executions.advance(execution, leave, status, **columns):
                    break
            break
        except Exception as failure:
            context.job_log(execution.app, execution.kind, execution.job).error(
                "store.refused", what=str(failure), run=execution.id, exc_info=True
            )
            await asyncio.sleep(pause)
            pause = min(pause * 2, _LONGEST_PAUSE)
    return msgspec.structs.replace(execution, status=status, **columns)


def log_end(log: Log, execution: Execution, ran: float, *, while_away: bool | None = None) -> None:
    """Say that it has ended; `ran` is seconds, `while_away` True where no server saw it."""
    fields = {
        "status": kudu_status(execution.status),
        "exit_code": execution.exit_code,
        "duration_ms": round(ran * 1000),
        "error": execution.error,
        "while_away": while_away,
    }
    if execution.kind == "triggered":
        log.info("run.ended", **fields)
    else:
        log.info("job.ended", **fields)


def size(path: Path) -> int:
    """Bytes of a file; 0 where there is none."""
    try:
        return path.stat().st_size
    except OSError:
        return 0


def _write_end(directory: Path, exit_code: int | None, ended_at: int) -> None:
    """`end.json` tells those who follow the output that it is complete."""
    if not directory.is_dir():  # the app is being deleted
        return
    part = directory / "end.json.part"
    part.write_bytes(msgspec.json.encode({"exit_code": exit_code, "ended_at": ended_at}))
    part.replace(directory / "end.json")
