"""Where everything lies below the home directory. Paths only; nothing is created here."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

Kind = Literal["continuous", "triggered"]


@dataclass(frozen=True, slots=True)
class Home:
    """The server's home: `root` is absolute and belongs to the server's user (mode 0700)."""

    root: Path

    @property
    def database(self) -> Path:
        return self.root / "gitdeploy.db"

    @property
    def options(self) -> Path:
        return self.root / "gitdeploy.toml"

    @property
    def admin_token(self) -> Path:
        return self.root / "admin-token"

    @property
    def lock(self) -> Path:
        """Held with flock(2) while a server runs: one server a home."""
        return self.root / "server.lock"

    @property
    def hooks(self) -> Path:
        """Server-wide hooks that an operator may add; they run before a repository's own."""
        return self.root / "hooks"

    @property
    def answers(self) -> Path:
        """Answers to fetches, kept for the next who asks the same; may be removed at any time."""
        return self.root / "answers"

    @property
    def wine(self) -> Path:
        """Wine prefixes that executions' own are made from, one a version; may be removed."""
        return self.root / "wine"

    @property
    def known_hosts(self) -> Path:
        """Host keys of the ssh servers that were fetched from (sshd(8)); ssh appends to it."""
        return self.root / "known_hosts"

    @property
    def apps(self) -> Path:
        return self.root / "apps"

    def app(self, app: str) -> AppHome:
        """The directories of one app (whose name was checked before)."""
        return AppHome(self.apps / app)


@dataclass(frozen=True, slots=True)
class AppHome:
    """The directories of one app."""

    root: Path

    @property
    def repository(self) -> Path:
        return self.root / "repo.git"

    @property
    def releases(self) -> Path:
        return self.root / "releases"

    def release(self, number: int) -> Path:
        """An immutable release directory; numbers count up from 1."""
        return self.releases / str(number)

    @property
    def current(self) -> Path:
        """A symbolic link to the active release, replaced by rename(2)."""
        return self.root / "current"

    @property
    def uploads(self) -> Path:
        """Jobs that were uploaded, each generation a site of its own."""
        return self.root / "uploads"

    def upload(self, kind: Kind, job: str, generation: int) -> Path:
        """The site of one uploaded job: its files are in `App_Data/jobs/{kind}/{job}` below it."""
        return self.uploads / kind / job / str(generation)

    @property
    def environments(self) -> Path:
        """Python environments, one a hash of their input, shared between releases."""
        return self.root / "environments"

    @property
    def cache(self) -> Path:
        """HOME of builds: what pip, uv, npm and the like keep between builds."""
        return self.root / "cache"

    @property
    def modules(self) -> Path:
        """Trees of packages (node_modules, vendor) that releases with the same lock file share."""
        return self.root / "modules"

    @property
    def events(self) -> Path:
        """The app's journal of events."""
        return self.root / "events"

    def deployment_log(self, deployment: str) -> Path:
        """The journal of one deployment, all attempts."""
        return self.root / "deployments" / deployment

    @property
    def data(self) -> Path:
        """What jobs may write and what outlives deployments (Kudu: `data/`)."""
        return self.root / "data"

    def job_data(self, kind: Kind, job: str) -> Path:
        """WEBJOBS_DATA_PATH."""
        return self.data / "jobs" / kind / job

    def executions(self, kind: Kind, job: str) -> Path:
        """One directory per execution of the job, named by its id, so that names sort by time."""
        return self.root / "executions" / kind / job

    @property
    def drive(self) -> Path:
        """C: of the app's jobs that wine runs. Not in `data`: the server writes there too."""
        return self.root / "wine" / "drive_c"

    @property
    def ssh(self) -> Path:
        """The app's deploy key; no job or build sees it in the sandbox."""
        return self.root / "ssh"

    @property
    def standby(self) -> Path:
        """Directories of what was started ahead; they become executions, or go with the server."""
        return self.root / "standby"

    def execution(self, kind: Kind, job: str, execution: str) -> Path:
        """Output and exit status of one execution: `stdout`, `stderr`, `times`, `end.json` …"""
        return self.executions(kind, job) / execution
