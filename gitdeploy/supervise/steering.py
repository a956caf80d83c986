"""App settings that steer jobs, with Kudu's names and defaults (kudu.md). Pure."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping

import msgspec

from gitdeploy.jobs.job import Job
from gitdeploy.jobs.place import ROOT_PATH

STOPPED = "WEBJOBS_STOPPED"
DISABLE_SCHEDULE = "WEBJOBS_DISABLE_SCHEDULE"
RESTART_TIME = "WEBJOBS_RESTART_TIME"
IDLE_TIMEOUT = "WEBJOBS_IDLE_TIMEOUT"
HISTORY_SIZE = "WEBJOBS_HISTORY_SIZE"
HISTORY_DAYS = "WEBJOBS_HISTORY_DAYS"
HISTORY_MB = "WEBJOBS_HISTORY_MB"
LOG_TRIGGERED = "WEBJOBS_LOG_TRIGGERED_JOBS_TO_APP_LOGS"
_STEERING = frozenset(
    {
        STOPPED,
        DISABLE_SCHEDULE,
        RESTART_TIME,
        IDLE_TIMEOUT,
        HISTORY_SIZE,
        HISTORY_DAYS,
        HISTORY_MB,
        LOG_TRIGGERED,
        ROOT_PATH,  # read by the next deployment
    }
)
_STOPPING_WAIT = {"continuous": 5.0, "triggered": 30.0}


class Steering(msgspec.Struct, frozen=True, kw_only=True):
    """What the app's settings ask of the supervisor; times in seconds.

    Kept of a job's ended executions are the newest `history_size`, no older than `history_days`,
    with no more output than `history_mb` together (both ours, None: no limit). With
    `triggered_logged` the output of runs is in the app's log too.
    """

    stopped: bool = False
    schedules_off: bool = False
    restart_time: float = 60.0
    idle_timeout: float = 121.0
    history_size: int = 50
    history_days: float | None = None
    history_mb: float | None = None
    triggered_logged: bool = False


def steering(settings: Mapping[str, str]) -> Steering:
    """Read the steering settings; a value that isn't a number counts as not set, as in Kudu."""
    default = Steering()
    return Steering(
        stopped=_flag(settings, STOPPED),
        schedules_off=_flag(settings, DISABLE_SCHEDULE),
        restart_time=_number(settings, RESTART_TIME, default.restart_time),
        idle_timeout=_number(settings, IDLE_TIMEOUT, default.idle_timeout),
        history_size=max(1, int(_number(settings, HISTORY_SIZE, default.history_size))),
        history_days=_limit(settings, HISTORY_DAYS),
        history_mb=_limit(settings, HISTORY_MB),
        triggered_logged=_flag(settings, LOG_TRIGGERED),
    )


def stopping_wait(job: Job) -> float:
    """Seconds that a job gets between SIGTERM and SIGKILL."""
    asked = job.settings.stopping_wait_time
    return _STOPPING_WAIT[job.kind] if asked is None else asked


def restart_time(job: Job, settings: Mapping[str, str]) -> float:
    """Seconds before the first restart of a job that ended early; the job's own value wins."""
    asked = job.settings.restart_time
    return steering(settings).restart_time if asked is None else asked


def process_identity(job: Job, settings: Mapping[str, str]) -> str:
    """What a running process is compared by: the job's identity and the settings it was given.

    The steering settings are left out: they change how a job is kept, not what it is.
    """
    given = sorted((key, value) for key, value in settings.items() if key not in _STEERING)
    body = msgspec.json.encode((job.identity, given))
    return hashlib.sha256(body).hexdigest()[:32]


def _flag(settings: Mapping[str, str], key: str) -> bool:
    return settings.get(key, "").strip().lower() in ("1", "true")


def _limit(settings: Mapping[str, str], key: str) -> float | None:
    return _number(settings, key, 0.0) or None


def _number(settings: Mapping[str, str], key: str, default: float) -> float:
    try:
        value = float(settings.get(key, ""))
    except ValueError:
        return default
    return value if 0 <= value < 1e9 else default  # also refuses nan
