"""Which log files Kudu's clients find in a job's data directory, and what is in them.

None of them is on the disk: they are written when they are read, from the rows of the store and the
output of executions.
"""

from __future__ import annotations

import hashlib
from collections.abc import AsyncGenerator
from dataclasses import dataclass

import msgspec

from gitdeploy.clock import rfc3339
from gitdeploy.home import Kind
from gitdeploy.jobs import kudu_status
from gitdeploy.logs import Part, SystemLine, end_lines, start_lines
from gitdeploy.store import Execution
from gitdeploy.supervise import JobView
from gitdeploy.supervise.steering import process_identity
from gitdeploy.web.kudu.scheduler_log import MOST, scheduler_lines
from gitdeploy.web.route import JSON
from gitdeploy.web.services import Services

_HOSTS = {
    "wine": "Windows",
    "mono": "Windows",
    "pwsh": "PowerShell",
    "dotnet": "FSharp",
    "php": "Php",
}


@dataclass(frozen=True, slots=True)
class Text:
    """A short file, all of it in memory."""

    data: bytes
    modified: int
    media: str = "text/plain; charset=utf-8"

    @property
    def size(self) -> int:
        return len(self.data)

    @property
    def tag(self) -> str:
        return hashlib.sha256(self.data).hexdigest()[:32]

    async def read(self, start: int, stop: int) -> AsyncGenerator[bytes, None]:
        yield self.data[start:stop]


async def parts_of(services: Services, view: JobView, rows: list[Execution]) -> list[Part]:
    """Executions of one job as the parts of a log file."""
    identity = "" if not rows else await _identity(services, view, rows[0].app)
    return [_part(services, view, row, identity) for row in rows]


async def executions_of(services: Services, app: str, kind: Kind, job: str) -> list[Execution]:
    """A job's executions that are on record, oldest first."""
    return (await services.store.executions.newest(app, kind, job, limit=MOST))[::-1]


async def scheduler_log(services: Services, app: str, view: JobView) -> list[SystemLine]:
    """What became of the due times of a job."""
    rows = await services.store.occurrences.newest(app, view.job.name, limit=MOST)
    return scheduler_lines(view, rows)


def system_text(lines: list[SystemLine], instance: str) -> Text:
    """The system's lines as a file."""
    data = b"".join(line.kudu(instance) for line in lines)
    return Text(data, max((line.ts for line in lines), default=0))


def run_status(row: Execution) -> Text:
    """A run's `status`, the JSON of Kudu's TriggeredJobStatus; what isn't known yet isn't in it."""
    status = {
        "Status": kudu_status(row.status),
        "StartTime": rfc3339(row.started_at or row.created_at),
        "EndTime": None if row.ended_at is None else rfc3339(row.ended_at),
        "Trigger": row.trigger,
    }
    known = {key: value for key, value in status.items() if value}
    return Text(msgspec.json.encode(known), changed_at(row), JSON)


def job_status(view: JobView) -> Text:
    """A continuous job's `status_{instance}`, the JSON of Kudu's ContinuousJobStatus."""
    return Text(msgspec.json.encode({"Status": view.status}), view.since or 0, JSON)


def changed_at(row: Execution) -> int:
    """When an execution's row was changed last."""
    return row.ended_at or row.started_at or row.created_at


def _part(services: Services, view: JobView, row: Execution, identity: str) -> Part:
    told = row.identity == identity and view.job.action is None
    script = view.job.script if told else None
    head = start_lines(
        row.created_at, row.started_at, script=script, host=_host_name(view.job.host)
    )
    tail: list[SystemLine] = []
    if row.ended_at is not None:
        status = kudu_status(row.status)
        tail = end_lines(row.ended_at, status=status, exit_code=row.exit_code, error=row.error)
        if row.kind == "continuous" and status in ("Success", "Failed"):
            tail.append(SystemLine(row.ended_at, "INFO", "Status changed to PendingRestart"))
    directory = services.home.app(row.app).execution(row.kind, row.job, row.id)
    return Part(directory=directory, instance=row.instance, head=tuple(head), tail=tuple(tail))


async def _identity(services: Services, view: JobView, app: str) -> str:
    """What executions of the job as it is now have: only of these the script is known."""
    return process_identity(view.job, await services.store.apps.settings(app))


def _host_name(host: str | None) -> str:
    """Kudu's name of the class that runs such scripts."""
    return f"{_HOSTS.get(host or '', (host or '').capitalize())}ScriptHost"
