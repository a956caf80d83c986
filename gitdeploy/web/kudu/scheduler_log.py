"""A job's `job_scheduler.log`, written from what the store knows of its due times. Pure."""

from __future__ import annotations

from collections.abc import Iterable

from gitdeploy.clock import rfc3339
from gitdeploy.logs import SystemLine
from gitdeploy.store import Occurrence
from gitdeploy.supervise import JobView

MOST = 1000


def scheduler_lines(view: JobView, newest: Iterable[Occurrence]) -> list[SystemLine]:
    """One line a due time, oldest first, then when the next is."""
    rows = list(newest)
    rows.reverse()
    lines = [_line(row) for row in rows]
    if view.next_due is not None:
        last = rows[-1].due_at if rows else view.next_due
        text = f"Next schedule expected in {rfc3339(view.next_due)}"
        lines.append(SystemLine(last, "INFO", text))
    return lines


def _line(row: Occurrence) -> SystemLine:
    if row.state == "started":
        note = f"Run {row.run} started" if row.run else "Run started"
        return SystemLine(row.due_at, "INFO", row.note or note)
    return SystemLine(row.due_at, "WARN", row.note or f"The occurrence was {row.state}")
