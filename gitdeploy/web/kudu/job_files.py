"""Jobs' directories in an app's vfs: logs that are written when they are read, beside jobs' own files."""

from __future__ import annotations

import asyncio
from typing import cast

from gitdeploy.errors import NotFound
from gitdeploy.home import Kind
from gitdeploy.logs import Measures, Part, open_file
from gitdeploy.store import Execution
from gitdeploy.supervise import JobView
from gitdeploy.web.files import DIRECTORY, Listed, media_of, open_below
from gitdeploy.web.kudu.found import Found, Log, SystemLog, directories, listed, merged
from gitdeploy.web.kudu.job_view import find
from gitdeploy.web.kudu.log_files import (
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

_KINDS = ("continuous", "triggered")


class JobFiles:
    """Below `jobs/` of one app. Where a job has a file of the name of a log, the log is there."""

    def __init__(self, services: Services, measures: Measures, app: str) -> None:
        self._services = services
        self._measures = measures
        self._app = app
        self._home = services.home.app(app)

    async def logs(self, parts: list[str]) -> Found | None:
        """The logs alone."""
        match parts:
            case []:
                return directories(_KINDS, self._home.root)
            case [kind] if kind in _KINDS:
                views = self._services.supervisor.jobs(self._app)
                names = [view.job.name for view in views if view.job.kind == kind]
                return directories(names, self._home.root)
            case [kind, name, *below] if kind in _KINDS:
                view = self._view(kind, name)
                return None if view is None else await self._of_job(view, below)
        return None

    async def all(self, parts: list[str]) -> Found | None:
        """The logs and what jobs have written to their data directories. Raises NotFound."""
        own = await self.logs(parts)
        if own is not None and not isinstance(own, list):
            return own
        try:
            real = await asyncio.to_thread(open_below, self._home.root, self.real(parts))
        except NotFound:
            if own is None:
                raise
            real = None
        if own is None:
            return real
        return merged(own, real if isinstance(real, list) else [])

    def real(self, parts: list[str]) -> list[str]:
        """Where that is below the app's home; a job's name is in its own spelling."""
        match parts:
            case [kind, name, *below] if (view := self._view(kind, name)) is not None:
                return [*DATA, kind, view.job.name, *below]
        return [*DATA, *parts]

    def _view(self, kind: str, name: str) -> JobView | None:
        if kind not in _KINDS:
            return None
        try:
            return find(self._services.supervisor, self._app, cast(Kind, kind), name)
        except NotFound:
            return None

    async def _of_job(self, view: JobView, below: list[str]) -> Found | None:
        if view.job.kind == "continuous":
            return await self._continuous(view, below)
        return await self._triggered(view, below)

    async def _continuous(self, view: JobView, below: list[str]) -> Found | None:
        status = f"{STATUS}_{self._services.instance}"
        match below:
            case []:
                log = await open_file(
                    await self._log(view), self._measures, self._services.clock.now()
                )
                return [
                    Listed(JOB_LOG, log.size, log.modified, media_of(JOB_LOG)),
                    listed(status, job_status(view)),
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
                    runs.append(listed(SCHEDULER_LOG, text))
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
                    listed(STATUS, run_status(row)),
                ]
            case [name] if name == OUTPUT_LOG:
                return Log(parts)
            case [name] if name == STATUS:
                return run_status(row)
        return None

    async def _log(self, view: JobView) -> list[Part]:
        rows = await executions_of(self._services, self._app, "continuous", view.job.name)
        return await parts_of(self._services, view, rows)
