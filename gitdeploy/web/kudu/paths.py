"""The other spellings of Kudu's paths, which its older clients use, and where its log files are."""

from __future__ import annotations

_OLDER = (
    ("triggeredwebjobs", "jobs/triggered", "triggeredjobs"),
    ("continuouswebjobs", "jobs/continuous", "continuousjobs"),
    ("webjobs", "jobs"),
)
API = "/apps/{app}/api"

DATA = ("data", "jobs")
JOB_LOG = "job_log.txt"
OUTPUT_LOG = "output_log.txt"
SCHEDULER_LOG = "job_scheduler.log"
STATUS = "status"


def spellings(path: str) -> tuple[str, ...]:
    """The aliases of `/apps/{app}/api/{path}`: without `/api`, and the jobs' older names."""
    family, slash, rest = path.partition("/")
    names = next((names for names in _OLDER if names[0] == family), (family,))
    every = [f"/apps/{{app}}{api}/{name}{slash}{rest}" for name in names for api in ("/api", "")]
    return tuple(spelling for spelling in every if spelling != f"{API}/{path}")
