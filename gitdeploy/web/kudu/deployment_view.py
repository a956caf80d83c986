"""Deployments and their logs as Kudu shows them. Pure functions of rows and records."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

from gitdeploy import store
from gitdeploy.clock import rfc3339
from gitdeploy.events import Entry
from gitdeploy.logs import remote_lines
from gitdeploy.store.deployments import ENDED
from gitdeploy.web.forwarded import Way
from gitdeploy.web.kudu import shapes

_CODES = {
    "pending": shapes.PENDING,
    "building": shapes.BUILDING,
    "deploying": shapes.DEPLOYING,
    "failed": shapes.FAILED,
    "success": shapes.SUCCESS,
}
_STATES = {"failed": "Failed", "success": "Succeeded"}
_TYPES = {"warning": shapes.WARNING, "error": shapes.ERROR, "critical": shapes.ERROR}
_OUTPUT = "build.output"
_COMMAND = "build.command"


def deployment(row: store.Deployment, way: Way, *, temporary: bool = False) -> shapes.Deployment:
    """A row as Kudu's deployment; `temporary` for a fetch that isn't one yet."""
    url = way.api(row.app, "deployments", row.id)
    return shapes.Deployment(
        id=row.id,
        status=_CODES[row.status],
        status_text=row.status_text,
        author_email=row.author_email,
        author=row.author,
        deployer=row.deployer,
        message=row.message,
        progress=row.progress,
        received_time=rfc3339(row.received_at),
        start_time=_time(row.started_at),
        end_time=_time(row.ended_at),
        last_success_end_time=_time(row.last_success_at),
        complete=row.status in ENDED,
        active=row.active,
        is_temp=temporary,
        is_readonly=row.trigger != "recorded",
        url=url,
        log_url=f"{url}/log",
        site_name=row.app,
        provisioningState=_STATES.get(row.status, "InProgress"),
        attempt=row.attempt,
        release=row.release,
        ref=row.ref,
        trigger=row.trigger,
        pusher=row.pusher,
        note=row.note,
    )


def log_entries(
    entries: Sequence[Entry], details_url: Callable[[str], str]
) -> list[shapes.LogEntry]:
    """The log without a build's output; what has output leads to it by `details_url`."""
    shown: list[shapes.LogEntry] = []
    for index, entry in enumerate(entries):
        if entry.record["event"] == _OUTPUT:
            continue
        message = _message(entry.record)
        if not message:
            continue
        has_details = (
            entry.record["event"] == _COMMAND
            and index + 1 < len(entries)
            and entries[index + 1].record["event"] == _OUTPUT
        )
        shown.append(_entry(entry, message, details_url(str(entry.id)) if has_details else None))
    return shown


def details(entries: Iterable[Entry], entry_id: int) -> list[shapes.LogEntry] | None:
    """The output behind one entry, up to the next that isn't output; None without that entry."""
    found: list[shapes.LogEntry] | None = None
    for entry in entries:
        if found is None:
            if entry.id == entry_id:
                found = []
        elif entry.record["event"] == _OUTPUT:
            found.append(_entry(entry, str(entry.record.get("line", "")), None))
        else:
            break
    return found


def _entry(entry: Entry, message: str, details_url: str | None) -> shapes.LogEntry:
    return shapes.LogEntry(
        log_time=str(entry.record["ts"]),
        id=str(entry.id),
        message=message,
        type=_TYPES.get(str(entry.record.get("level")), shapes.MESSAGE),
        details_url=details_url,
    )


def _message(record: dict[str, Any]) -> str:
    return "\n".join(line.rstrip() for line in remote_lines(record)).strip()


def _time(moment: int | None) -> str | None:
    return None if moment is None else rfc3339(moment)
