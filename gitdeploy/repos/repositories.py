"""All repositories of a server: opened once, shared by everybody who asks."""

from __future__ import annotations

import asyncio
from pathlib import Path

from gitdeploy.config import Options
from gitdeploy.errors import Conflict, NotFound
from gitdeploy.events import Log
from gitdeploy.home import Home
from gitdeploy.repos import layout
from gitdeploy.repos.cache import Answers
from gitdeploy.repos.limits import Limits
from gitdeploy.repos.repository import Repository


class Repositories:
    """Creates, opens and closes the repository of each app below `home`."""

    def __init__(self, home: Home, options: Options, log: Log) -> None:
        self._home = home
        self._log = log
        self._options = options
        self._open: dict[str, Repository] = {}
        self.answers = Answers(home.answers)

    async def start(self) -> None:
        """Remove what a crash left: quarantines of pushes cut off, locks of dead processes."""
        await asyncio.to_thread(self._clean)
        await self.answers.start()

    async def close(self, *, grace: float = 30.0) -> None:
        """Wait up to `grace` seconds for pushes whose refs have moved."""
        repositories = list(self._open.values())
        await asyncio.gather(*(r.tasks.close(grace) for r in repositories))
        self._open.clear()
        await self.answers.close()

    async def create(self, app: str) -> Repository:
        """Make an app's repository, empty, HEAD at main. Raises Conflict where there is one."""
        path = self._home.app(app).repository
        try:
            await asyncio.to_thread(layout.create, path)
        except FileExistsError:
            raise Conflict(f"{app} has a repository already.") from None
        self._log.info("repository.created", app=app)
        return self.open(app)

    def open(self, app: str) -> Repository:
        """An app's repository, always the same object. Raises NotFound."""
        repository = self._open.get(app)
        limits = Limits.of(self._options)  # as they are now: a reload may have changed them
        if repository is not None:
            repository.limits = limits
            return repository
        path = self._home.app(app).repository
        if not (path / "HEAD").is_file():
            raise NotFound(f"{app} has no repository.")
        repository = Repository(
            app,
            path,
            limits=limits,
            server_hooks=self._home.hooks,
            answers=self.answers,
            log=self._log,
        )
        self._open[app] = repository
        return repository

    async def delete(self, app: str) -> None:
        """Let go of an app's repository: pushes under way end or are cut off first.

        Its directory is removed with the app's, by whoever deletes the app.
        """
        repository = self._open.pop(app, None)
        if repository is not None:
            repository.closed = True
            await repository.tasks.close(0.0)
        self.answers.forget(app)

    def _paths(self) -> list[tuple[str, Path]]:
        if not self._home.apps.is_dir():
            return []
        names = sorted(p.name for p in self._home.apps.iterdir() if p.is_dir())
        return [(name, self._home.app(name).repository) for name in names]

    def _clean(self) -> None:
        seen: dict[Path, tuple[int, int]] = {}
        for app, path in self._paths():
            if not path.is_dir():
                continue
            quarantines = layout.remove_quarantines(path)
            if quarantines:
                self._log.warning("quarantine.removed", app=app, count=quarantines)
            seen.update(layout.locks(path))
        for lock in layout.remove_stale_locks(seen):
            self._log.warning("lock.removed", path=str(lock))
