"""What is at a path of an app's vfs: logs that are written when they are read, and jobs' own files."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import cast

from gitdeploy.errors import NotFound
from gitdeploy.home import Kind
from gitdeploy.logs import Measures, Part, SystemLine, open_file
from gitdeploy.store import Execution
from gitdeploy.supervise import JobView
from gitdeploy.web.files import DIRECTORY, Listed, OpenFile, media_of, open_below
from gitdeploy.web.kudu.job_view import find
from gitdeploy.web.kudu.log_files import (
    Text,
    changed_at,
    executions_of,
    job_status,
    parts_of,
    run_status,
    scheduler_log,
    system_text,
)
from gitdeploy.web.kudu.paths import DATA, JOB_LOG, OUTPUT_LOG, SCHEDULER_LOG, STATUS
from gitdeploy.web.services import Services


@dataclass(frozen=True, slots=True)
class Log:
    """The output of executions."""

    parts: list[Part]


@dataclass(frozen=True, slots=True)
class SystemLog:
    """Lines of the system's alone."""

    lines: list[SystemLine]


Found = list[Listed] | Log | SystemLog | Text | OpenFile


class Tree:
    """The paths of one app. Where a job has a file of the name of a log, the log is there."""

    def __init__(self, services: Services, measures: Measures, app: str) -> None:
        self._services = services
        self._measures = measures
        self._app = app
        self._home = services.home.app(app)

    async def find(self, parts: list[str]) -> Found | None:
        """A directory's entries by name, or what its file is. Raises NotFound."""
        match parts:
            case []:
                return [self._directory(DATA[0])]
            case ["data"]:
                return [self._directory(DATA[1])]
            case ["data", "jobs"]:
                return [self._directory("continuous"), self._directory("triggered")]
            case ["data", "jobs", kind]:
                views = self._services.supervisor.jobs(self._app)
                names = [view.job.name for view in views if view.job.kind == kind]
                return [self._directory(name) for name in names] if _is_kind(kind) else None
            case ["data", "jobs", kind, name, *below] if _is_kind(kind):
                view = find(self._services.supervisor, self._app, cast(Kind, kind), name)
                return await self._of_job(view, below)
        return None

    async def _of_job(self, view: JobView, below: list[str]) -> Found | None:
        own = await (self._continuous if view.job.kind == "continuous" else self._triggered)(
            view, below
        )
        if own is not None and not isinstance(own, list):
            return own
        job = view.job
        path = (*DATA, job.kind, job.name, *below)
        try:
            real = await asyncio.to_thread(open_below, self._home.root, path)
        except NotFound:
            if own is None:
                raise
            real = None
        if own is None:
            return real
        listed = {one.name: one for one in (real if isinstance(real, list) else ())}
        return sorted({**listed, **{one.name: one for one in own}}.values())

    async def _continuous(self, view: JobView, below: list[str]) -> Found | None:
        status = f"{STATUS}_{self._services.instance}"
        match below:
            case []:
                log = await open_file(
                    await self._log(view), self._measures, self._services.clock.now()
                )
                return [
                    Listed(JOB_LOG, log.size, log.modified, media_of(JOB_LOG)),
                    _listed(status, job_status(view)),
                ]
            case [name] if name == JOB_LOG:
                return Log(await self._log(view))
            case [name] if name == status:
                return job_status(view)
        return None

    async def _triggered(self, view: JobView, below: list[str]) -> Found | None:
        services, job = self._services, view.job.name
        match below:
            case []:
                rows = await executions_of(services, self._app, "triggered", job)
                runs = [Listed(row.id, 0, changed_at(row), DIRECTORY) for row in rows]
                lines = await scheduler_log(services, self._app, view)
                if lines or view.job.settings.scheduled:
                    text = system_text(lines, services.instance)
                    runs.append(_listed(SCHEDULER_LOG, text))
                return runs
            case [name] if name == SCHEDULER_LOG:
                lines = await scheduler_log(services, self._app, view)
                return SystemLog(lines) if lines or view.job.settings.scheduled else None
            case [run, *rest]:
                row = await services.store.executions.get(self._app, "triggered", job, run)
                return None if row is None else await self._of_run(view, row, rest)
        return None

    async def _of_run(self, view: JobView, row: Execution, below: list[str]) -> Found | None:
        parts = await parts_of(self._services, view, [row])
        match below:
            case []:
                log = await open_file(parts, self._measures, self._services.clock.now())
                return [
                    Listed(OUTPUT_LOG, log.size, log.modified, media_of(OUTPUT_LOG)),
                    _listed(STATUS, run_status(row)),
                ]
            case [name] if name == OUTPUT_LOG:
                return Log(parts)
            case [name] if name == STATUS:
                return run_status(row)
        return None

    async def _log(self, view: JobView) -> list[Part]:
        rows = await executions_of(self._services, self._app, "continuous", view.job.name)
        return await parts_of(self._services, view, rows)

    def _directory(self, name: str) -> Listed:
        """One that need not be on the disk."""
        return Listed(name, 0, self._home.root.stat().st_mtime_ns // 1000, DIRECTORY)


def _is_kind(kind: str) -> bool:
    return kind in ("continuous", "triggered")


def _listed(name: str, text: Text) -> Listed:
    return Listed(name, text.size, text.modified, text.media)
