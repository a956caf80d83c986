"""What is at a path of an app's vfs, which begins at Kudu's home: `site`, `data`, `LogFiles`."""

from __future__ import annotations

import asyncio

from gitdeploy.logs import Measures
from gitdeploy.web.files import Listed, open_below
from gitdeploy.web.forwarded import Way
from gitdeploy.web.kudu.found import Found, directories, merged
from gitdeploy.web.kudu.job_files import JobFiles
from gitdeploy.web.kudu.paths import DATA
from gitdeploy.web.kudu.site_files import of_deployments, of_repository, of_site
from gitdeploy.web.services import Services


class Tree:
    """The paths of one app, for a client that came in by `way`."""

    def __init__(self, services: Services, measures: Measures, app: str, way: Way) -> None:
        self._services = services
        self._app = app
        self._way = way
        self._home = services.home.app(app)
        self.jobs = JobFiles(services, measures, app)

    async def find(self, parts: list[str]) -> Found | None:
        """A directory's entries by name, or what its file is; None where there is nothing.

        Raises NotFound for what isn't a file, such as a link, TooLarge for an endless directory.
        """
        match parts:
            case []:
                return self._directories("LogFiles", "data", "site")
            case ["data", *below]:
                return await self._data(below)
            case ["site", *below]:
                return await self._site(below)
            case ["LogFiles", *below]:
                return await self._logs(below)
        return None

    async def _data(self, below: list[str]) -> Found | None:
        match below:
            case ["jobs", *rest]:
                return await self.jobs.all(rest)
            case []:
                real = await asyncio.to_thread(open_below, self._home.data, [])
                own = self._directories(DATA[1])
                return merged(own, real if isinstance(real, list) else [])
        return await asyncio.to_thread(open_below, self._home.data, below)

    async def _site(self, below: list[str]) -> Found | None:
        match below:
            case []:
                return self._directories("deployments", "repository", "wwwroot")
            case ["wwwroot", *rest]:
                return await of_site(self._services, self._app, rest)
            case ["repository", *rest]:
                return await of_repository(self._services, self._app, rest)
            case ["deployments", *rest]:
                return await of_deployments(self._services, self._app, self._way, rest)
        return None

    async def _logs(self, below: list[str]) -> Found | None:
        match below:
            case []:
                return self._directories("deployments", "jobs")
            case ["deployments", *rest]:
                return await of_deployments(self._services, self._app, self._way, rest, logs=True)
            case ["jobs", *rest]:
                return await self.jobs.logs(rest)
        return None

    def _directories(self, *names: str) -> list[Listed]:
        return directories(names, self._home.root)
