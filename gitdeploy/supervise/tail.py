"""The last lines of an execution, for an error message."""

from __future__ import annotations

from gitdeploy.logs import read_execution, safe_text
from gitdeploy.store import Execution
from gitdeploy.supervise.context import Context


async def last_lines(context: Context, execution: Execution, count: int) -> list[str]:
    """The last lines of both streams in the order they came, with control characters escaped."""
    app = context.home.app(execution.app)
    directory = app.execution(execution.kind, execution.job, execution.id)
    lines: list[str] = []
    async for batch in read_execution(context.watcher, directory, tail=count):
        lines.extend(safe_text(line.line) for line in batch)
    return lines[-count:]
