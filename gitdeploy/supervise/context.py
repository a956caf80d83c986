"""What every part of this room is given: the rooms below, time, and the set of what runs."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec

from gitdeploy.clock import Clock
from gitdeploy.config import Options
from gitdeploy.events import Events, Log
from gitdeploy.home import Home, Kind
from gitdeploy.jobs.job import Job
from gitdeploy.logs import Watcher
from gitdeploy.sandbox import Holders
from gitdeploy.store import Release, Store
from gitdeploy.supervise.gate import Gate
from gitdeploy.supervise.steering import process_identity
from gitdeploy.supervise.wine import Wine

if TYPE_CHECKING:
    from gitdeploy.supervise.live import Live


class Index(NamedTuple):
    """Jobs by kind and name; `folded` without regard to case, the first of each."""

    exact: dict[tuple[Kind, str], Job]
    folded: dict[tuple[Kind, str], Job]


class Desired(msgspec.Struct, frozen=True, kw_only=True, dict=True):
    """The jobs that an app should have, from which release and with which settings.

    `root` is the site's root in the release (None where nothing was deployed yet), `settings` the
    app settings as the store has them, `environment` the Python environment's directory or None.
    `uploads` has for each uploaded job (`kind/name`) the directory that is its site. `proven` says
    that the release was in effect before, so that its jobs needn't prove themselves for long.
    """

    app: str
    release: Release | None
    root: Path
    jobs: tuple[Job, ...]
    settings: dict[str, str]
    environment: Path | None
    uploads: Mapping[str, Path] = {}
    proven: bool = False

    @cached_property
    def index(self) -> Index:
        """The jobs, to be found among thousands."""
        index = Index({}, {})
        for job in self.jobs:
            index.exact.setdefault(job.key, job)
            index.folded.setdefault((job.kind, job.name.casefold()), job)
        return index


class Source(msgspec.Struct, frozen=True, kw_only=True):
    """One job as it would be started now: the job and where it comes from."""

    desired: Desired
    job: Job

    @property
    def app(self) -> str:
        return self.desired.app

    @property
    def uploaded(self) -> Path | None:
        """The site of an uploaded job, None where it is one of the release."""
        return self.desired.uploads.get(f"{self.job.kind}/{self.job.name}")

    @property
    def root(self) -> Path:
        """What the job's directory is relative to."""
        return self.uploaded or self.desired.root

    @property
    def identity(self) -> str:
        """What its process is compared by."""
        return process_identity(self.job, self.desired.settings)


@dataclass(frozen=True, slots=True)
class Context:
    """The rooms below and what is shared within this one; made by Supervisor."""

    home: Home
    store: Store
    events: Events
    clock: Clock
    options: Options
    holders: Holders
    watcher: Watcher
    instance: str
    lives: set[Live] = field(default_factory=set)
    """Every execution whose process runs (or whose end isn't recorded yet)."""
    gate: Gate = field(default_factory=Gate)
    """Through which processes are started, a few at a time."""
    wine: Wine = field(default_factory=Wine)
    tasks: set[asyncio.Task[Any]] = field(default_factory=set)
    """Owned work that nobody waits for; close() does."""

    def job_log(self, app: str, kind: Kind, job: str) -> Log:
        """A logger whose records are one job's."""
        return self.events.app_log(app).bind(kind=kind, job=job)

    def own(self, work: Coroutine[Any, Any, Any], *, name: str) -> asyncio.Task[Any]:
        """Start work that outlives its caller; a failure is logged, never lost."""
        task = asyncio.create_task(self._guarded(work, name), name=name)
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)
        return task

    async def _guarded(self, work: Coroutine[Any, Any, Any], name: str) -> None:
        try:
            await work
        except Exception:
            self.events.log.error("supervisor.failed", what=name, exc_info=True)
