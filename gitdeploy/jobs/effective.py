"""Which jobs an app has: those of its release, those uploaded, with the settings that count. Pure.

An uploaded job wins over a deployed one of the same name, whichever came last: nothing that
somebody put there by hand goes by a push. Names are compared without regard to case, as Kudu's
clients come from Windows.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from typing import NamedTuple

import msgspec

from gitdeploy.home import Kind
from gitdeploy.jobs.discover import as_error
from gitdeploy.jobs.job import Job, Problem
from gitdeploy.jobs.scripts import NO_SCRIPT
from gitdeploy.jobs.settings import parse_settings

Key = tuple[Kind, str]


class Override(NamedTuple):
    """Settings given over the API, and the hash of those that they stand in for."""

    base: str
    body: str


class Effective(NamedTuple):
    """`uploaded` are the keys of jobs that were uploaded; `stale` those whose settings given over
    the API don't count any more, because settings.job has changed since.
    """

    jobs: tuple[Job, ...]
    uploaded: frozenset[Key]
    problems: tuple[Problem, ...]
    stale: tuple[Key, ...]


def base_of(job: Job) -> str:
    """The hash of a job's settings as its settings.job has them, whatever its white space."""
    if not job.settings.raw:
        return ""
    text = msgspec.json.encode(job.settings.raw, order="sorted")
    return hashlib.sha256(text).hexdigest()


def effective(
    deployed: Iterable[Job],
    uploaded: Iterable[Job],
    removed: Iterable[Key] = (),
    overrides: Mapping[Key, Override] | None = None,
) -> Effective:
    """Put the app's jobs together; by kind and name."""
    mine = {_folded(job.key): job for job in uploaded}
    gone = {_folded(key) for key in removed}
    jobs = list(mine.values())
    problems: list[Problem] = []
    for job in deployed:
        key = _folded(job.key)
        if key in mine:
            problems.append(_shadowed(job, job.kind))
        elif (other := _other(key)) in mine:
            problems.append(_shadowed(job, mine[other].kind))
        elif key not in gone:
            jobs.append(job)
    stale: list[Key] = []
    folded = {_folded(key): (key, value) for key, value in (overrides or {}).items()}
    for index, job in enumerate(jobs):
        key, override = folded.pop(_folded(job.key), (job.key, None))
        if override is None:
            continue
        if override.base == base_of(job):
            jobs[index] = with_settings(job, override.body)
        else:
            stale.append(key)
    return Effective(
        jobs=tuple(sorted(jobs, key=lambda job: job.key)),
        uploaded=frozenset(job.key for job in mine.values()),
        problems=tuple(problems),
        stale=tuple(stale),
    )


def with_settings(job: Job, body: str) -> Job:
    """The job with other settings; it is the same process unless it is to run elsewhere.

    What was wrong with the settings before is no fault of these.
    """
    settings, problems = parse_settings(body.encode(), f"{job.directory}/settings.job")
    identity = job.identity
    if settings.is_in_place != job.settings.is_in_place:
        text = f"{identity} in place: {settings.is_in_place}"
        identity = hashlib.sha256(text.encode()).hexdigest()
    changed = msgspec.structs.replace(job, settings=settings, identity=identity)
    if not job.runnable and job.error != NO_SCRIPT:
        return changed  # its directory is at fault
    error: str | None = NO_SCRIPT
    if changed.runnable:
        error = " ".join(as_error(each) for each in problems) or None
    return msgspec.structs.replace(changed, error=error)


def _shadowed(job: Job, kind: Kind) -> Problem:
    return Problem(
        job=job.name,
        file=job.directory,
        reason=f"an uploaded {kind} job has this name and is run in its place",
        fix=f"Delete that one (DELETE api/{kind}webjobs/{job.name}), or rename one of the two.",
    )


def _folded(key: Key) -> Key:
    return key[0], key[1].casefold()


def _other(key: Key) -> Key:
    return "triggered" if key[0] == "continuous" else "continuous", key[1]
