"""What a job is: discovery, settings.job, script hosts, schedules, a run's states.

In: a release directory and the app's settings. Out: `Job`s, their command line and environment,
and the times when a schedule is due. Pure functions over data; nothing here starts a process.
"""

from gitdeploy.jobs.action import (
    Authentication,
    ErrorAction,
    HttpAction,
    HttpRequest,
    Reference,
    RetryPolicy,
    references,
    resolved,
    take_secrets,
)
from gitdeploy.jobs.action_json import parse_action
from gitdeploy.jobs.arguments import split_arguments
from gitdeploy.jobs.discover import check_job_name, discover
from gitdeploy.jobs.effective import Effective, Override, base_of, effective, with_settings
from gitdeploy.jobs.environment import MARKER, job_environment, marker
from gitdeploy.jobs.errors import HostMissing, ScheduleError, SettingError
from gitdeploy.jobs.hosts import command, host_error, uses_wine
from gitdeploy.jobs.identity import shared_files, with_identities, with_identity
from gitdeploy.jobs.ids import execution_id, next_execution_id
from gitdeploy.jobs.job import Host, Job, JobSettings, Overlap, Problem
from gitdeploy.jobs.place import DEFAULT_PLACE, ROOT_PATH, jobs_place
from gitdeploy.jobs.recurrence import MonthlyOccurrence, Pattern, Recurrence
from gitdeploy.jobs.recurrence_json import parse_recurrence
from gitdeploy.jobs.recurring import RecurrenceSchedule, schedule_of
from gitdeploy.jobs.run import CONTINUOUS, RUN, allowed, ended, kudu_status
from gitdeploy.jobs.schedule import Ncrontab, Schedule
from gitdeploy.jobs.settings import check_settings, parse_settings
from gitdeploy.jobs.spelling import from_ncrontab, to_ncrontab

__all__ = [
    "CONTINUOUS",
    "DEFAULT_PLACE",
    "MARKER",
    "ROOT_PATH",
    "RUN",
    "Authentication",
    "Effective",
    "ErrorAction",
    "Host",
    "HostMissing",
    "HttpAction",
    "HttpRequest",
    "Job",
    "JobSettings",
    "MonthlyOccurrence",
    "Ncrontab",
    "Overlap",
    "Override",
    "Pattern",
    "Problem",
    "Recurrence",
    "RecurrenceSchedule",
    "Reference",
    "RetryPolicy",
    "Schedule",
    "ScheduleError",
    "SettingError",
    "allowed",
    "base_of",
    "check_job_name",
    "check_settings",
    "command",
    "discover",
    "effective",
    "ended",
    "execution_id",
    "from_ncrontab",
    "host_error",
    "job_environment",
    "jobs_place",
    "kudu_status",
    "marker",
    "next_execution_id",
    "parse_action",
    "parse_recurrence",
    "parse_settings",
    "references",
    "resolved",
    "schedule_of",
    "shared_files",
    "split_arguments",
    "take_secrets",
    "to_ncrontab",
    "uses_wine",
    "with_identities",
    "with_identity",
    "with_settings",
]
