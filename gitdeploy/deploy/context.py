"""What a step of the pipeline gets and gives back: the deployment so far."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from gitdeploy.clock import Clock
from gitdeploy.config import Options
from gitdeploy.deploy.layout import Layout
from gitdeploy.deploy.source import Source
from gitdeploy.deploy.tree import Manifest
from gitdeploy.events import Events, Log
from gitdeploy.home import AppHome
from gitdeploy.jobs import Job, Problem
from gitdeploy.logs import Watcher
from gitdeploy.sandbox import Holders
from gitdeploy.store import Deployment, Release, Store
from gitdeploy.supervise import Supervisor


@dataclass(frozen=True, slots=True)
class Tools:
    """The neighbours that steps work with; one for all deployments.

    `environ` is the server's own environment, of which builds get a few variables (builds/environment.py).
    """

    store: Store
    events: Events
    clock: Clock
    options: Options
    holders: Holders
    watcher: Watcher
    supervisor: Supervisor
    environ: Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Context:
    """One attempt of a deployment on its way through the steps.

    The first block is known from the start. `kept` says that the release is an older one that is
    whole on the disk (checkout and build have nothing to do), `strict` that the app wants no
    deployment with problems. The second block is what steps find out (`job_environments` are the
    Python environments of jobs that have their own, by `kind/name`); `detail` is what the step
    that just ended has to tell in a few words.
    """

    app: str
    deployment: Deployment
    source: Source
    release: Release
    paths: AppHome
    settings: Mapping[str, str]
    log: Log
    tools: Tools
    strict: bool = False
    clean: bool = False
    kept: bool = False

    config: Mapping[str, str] = field(default_factory=dict)
    manifest: Manifest = field(default_factory=dict)
    project: str = ""
    environment: str | None = None
    job_environments: Mapping[str, str] = field(default_factory=dict)
    layout: Layout = field(default_factory=Layout)
    jobs: tuple[Job, ...] = ()
    problems: tuple[Problem, ...] = ()
    detail: str = ""

    @property
    def root(self) -> Path:
        """The release directory."""
        return self.paths.release(self.release.number)

    @property
    def site(self) -> Path:
        """The site's root: the release, or its subdirectory `project`."""
        return self.root / self.project if self.project else self.root

    @property
    def environment_path(self) -> Path | None:
        """The Python environment's directory, or None where the site has none."""
        return self.paths.environments / self.environment if self.environment else None

    def warn(self, what: str, fix: str = "", **more: object) -> None:
        """Tell the pusher something that doesn't fail the deployment."""
        self.log.warning("deploy.warning", what=what, fix=fix, **more)
