"""What a job is: discovery, settings.job, script hosts, schedules, a run's states.

In: a release directory and the app's settings. Out: `Job`s, their command line and environment,
and the times when a schedule is due. Pure functions over data; nothing here starts a process.
"""

from gitdeploy.jobs.arguments import split_arguments
from gitdeploy.jobs.discover import discover
from gitdeploy.jobs.effective import Effective, Override, base_of, effective, with_settings
from gitdeploy.jobs.environment import MARKER, job_environment, marker
from gitdeploy.jobs.errors import HostMissing, ScheduleError
from gitdeploy.jobs.hosts import command
from gitdeploy.jobs.identity import is_shared, with_identity
from gitdeploy.jobs.ids import execution_id, next_execution_id
from gitdeploy.jobs.job import Host, Job, JobSettings, Problem
from gitdeploy.jobs.run import CONTINUOUS, RUN, allowed, ended, kudu_status
from gitdeploy.jobs.schedule import Schedule
from gitdeploy.jobs.settings import parse_settings

__all__ = [
    "CONTINUOUS",
    "MARKER",
    "RUN",
    "Effective",
    "Host",
    "HostMissing",
    "Job",
    "JobSettings",
    "Override",
    "Problem",
    "Schedule",
    "ScheduleError",
    "allowed",
    "base_of",
    "command",
    "discover",
    "effective",
    "ended",
    "execution_id",
    "is_shared",
    "job_environment",
    "kudu_status",
    "marker",
    "next_execution_id",
    "parse_settings",
    "split_arguments",
    "with_identity",
    "with_settings",
]
