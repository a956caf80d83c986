"""The JSON that Kudu's clients know, field by field (docs/kudu.md). Data only."""

from __future__ import annotations

from typing import Any, Literal

import msgspec

PENDING, BUILDING, DEPLOYING, FAILED, SUCCESS = range(5)
MESSAGE, WARNING, ERROR = range(3)
Origin = Literal["release", "upload"]


class Run(msgspec.Struct, frozen=True, kw_only=True):
    """A run of a triggered job; times are RFC 3339 in UTC, `duration` is `hh:mm:ss.fffffff`.

    From `exit_code` on the fields are ours: `signal` is the name of the one that ended it, CPU
    time and memory (bytes) are null where they aren't known.
    """

    id: str
    name: str
    status: str
    start_time: str | None
    end_time: str | None
    duration: str
    output_url: str
    error_url: str | None
    url: str
    job_name: str
    trigger: str
    exit_code: int | None
    instance: str
    deployment: str | None
    error: str | None = None
    signal: str | None = None
    who: str | None = None
    scheduled_for: str | None = None
    cpu_seconds: float | None = None
    peak_memory: int | None = None
    output_bytes: int | None = None


class Runs(msgspec.Struct, frozen=True):
    """A job's history, newest first."""

    runs: list[Run]


class TriggeredJob(msgspec.Struct, frozen=True, kw_only=True):
    """A triggered job. `next_run`, `enabled` and `origin` are ours."""

    name: str
    run_command: str
    type: str
    url: str
    extra_info_url: str
    error: str | None
    using_sdk: bool
    settings: dict[str, Any]
    history_url: str
    scheduler_logs_url: str | None
    latest_run: Run | None
    next_run: str | None
    enabled: bool
    origin: Origin


class ContinuousJob(msgspec.Struct, frozen=True, kw_only=True):
    """A continuous job. From `pid` on the fields are ours."""

    name: str
    run_command: str
    type: str
    url: str
    extra_info_url: str
    error: str | None
    using_sdk: bool
    settings: dict[str, Any]
    status: str
    detailed_status: str
    log_url: str
    pid: int | None
    since: str | None
    restarts: int
    enabled: bool
    origin: Origin


class File(msgspec.Struct, frozen=True, kw_only=True):
    """An entry of a directory; `mime` is `inode/directory` for one of those."""

    name: str
    size: int
    mtime: str
    mime: str
    href: str
    path: str


class Deployment(msgspec.Struct, frozen=True, kw_only=True):
    """A deployment: `status` 0 Pending, 1 Building, 2 Deploying, 3 Failed, 4 Success.

    `attempt`, `release`, `ref`, `trigger` and `note` (why it was deployed again) are ours.
    """

    id: str
    status: int
    status_text: str
    author_email: str
    author: str
    deployer: str
    message: str
    progress: str
    received_time: str
    start_time: str | None
    end_time: str | None
    last_success_end_time: str | None
    complete: bool
    active: bool
    is_temp: bool
    is_readonly: bool
    url: str
    log_url: str
    site_name: str
    provisioningState: str
    attempt: int
    release: int | None
    ref: str | None
    trigger: str
    pusher: str
    note: str


class Changes(msgspec.Struct, frozen=True):
    """Names by what became of them."""

    added: list[str]
    changed: list[str]
    removed: list[str]


class Difference(msgspec.Struct, frozen=True, kw_only=True):
    """What a deployment changes against another one (null: against nothing).

    `jobs` are `continuous/ticker`; `files` paths of the release; `settings` keys of app settings,
    null where one of the two is from before they were kept.
    """

    deployment: str
    against: str | None = msgspec.field(name="from")
    jobs: Changes
    files: Changes
    settings: Changes | None


class LogEntry(msgspec.Struct, frozen=True, kw_only=True):
    """A line of a deployment's log: `type` 0 message, 1 warning, 2 error."""

    log_time: str
    id: str
    message: str
    type: int
    details_url: str | None


class Deploying(msgspec.Struct, frozen=True):
    """Whether a deployment is under way."""

    value: bool


class Deploy(msgspec.Struct, frozen=True, kw_only=True):
    """What PUT deployments/{id} brings: how to deploy, or a deployment made elsewhere."""

    clean: bool = False
    needFileUpdate: bool = True
    status: int | None = None
    message: str | None = None
    deployer: str | None = None
    author: str | None = None
    author_email: str | None = None
    active: bool | None = None


def duration(microseconds: int) -> str:
    """A span as .NET writes it: `hh:mm:ss.fffffff`, with `d.` in front from a day on."""
    seconds, fraction = divmod(max(0, microseconds), 1_000_000)
    days, seconds = divmod(seconds, 86_400)
    hours, minutes, seconds = seconds // 3600, seconds // 60 % 60, seconds % 60
    text = f"{hours:02}:{minutes:02}:{seconds:02}.{fraction:06}0"
    return f"{days}.{text}" if days else text
