"""What a job is: data only. How it is found is discover.py, how it is started hosts.py."""

from __future__ import annotations

from typing import Any, Literal

import msgspec

from gitdeploy.home import Kind
from gitdeploy.jobs.action import HttpAction
from gitdeploy.jobs.recurrence import Recurrence

Host = Literal["wine", "pwsh", "bash", "php", "python", "node", "dotnet", "java", "self"]
Overlap = Literal["drop", "queue", "allow"]


class JobSettings(msgspec.Struct, frozen=True, kw_only=True):
    """`settings.job` with its known keys checked; `raw` is the whole object, unknown keys too.

    Times are seconds; None means the default of the job's kind. At most one of `schedule` and
    `recurrence` is set. `overlap` says what becomes of a due time that comes while the job runs;
    with an `action` the job is that request and needs no script.
    """

    schedule: str | None = None
    timezone: str | None = None
    is_singleton: bool = False
    is_in_place: bool | None = None
    stopping_wait_time: float | None = None
    restart_time: float | None = None
    timeout: float | None = None
    recurrence: Recurrence | None = None
    overlap: Overlap = "drop"
    action: HttpAction | None = None
    raw: dict[str, Any] = {}

    @property
    def scheduled(self) -> bool:
        """Whether there is a schedule, in either spelling."""
        return self.schedule is not None or self.recurrence is not None


class Job(msgspec.Struct, frozen=True, kw_only=True):
    """A job of a release.

    `directory` is relative to the site's root (`App_Data/jobs/continuous/ticker`), `script` to
    it; the script waits while there is an `action`. With `error` the job is listed and never started (`script` is None), or it runs without
    its schedule (`settings.schedule` is None). Two jobs with the same `identity` are the same
    process: it depends on the job's files, the release's shared files, the settings and the
    Python environment, not on the release's number. `environment` names the job's own Python
    environment where it has one, which stands in for the site's.
    """

    kind: Kind
    name: str
    directory: str
    script: str | None = None
    host: Host | None = None
    settings: JobSettings = JobSettings()
    identity: str = ""
    error: str | None = None
    environment: str | None = None

    @property
    def runnable(self) -> bool:
        """Whether there is something to start: a script, or an action in its place."""
        return self.script is not None or self.action is not None

    @property
    def action(self) -> HttpAction | None:
        """What a run does in place of the script."""
        return self.settings.action if self.kind == "triggered" else None

    @property
    def key(self) -> tuple[Kind, str]:
        """What names a job within its app."""
        return self.kind, self.name


class Problem(msgspec.Struct, frozen=True, kw_only=True):
    """What discovery or validation found wrong with one job's files.

    `file` is relative to the site's root; `key` and `value` are set where a settings file is at
    fault; `reason` is one clause without a full stop; `fix` one sentence or empty.
    """

    job: str
    file: str
    reason: str
    key: str | None = None
    value: str | None = None
    fix: str = ""
