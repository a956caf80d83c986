"""The difference between what should run and what runs. Pure.

Only continuous jobs are kept running; `diff` says what to do about each. `changes` compares two
sets of desired jobs of both kinds, for the pusher to read.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Literal

import msgspec

from gitdeploy.home import Kind
from gitdeploy.jobs.job import Job
from gitdeploy.supervise.steering import process_identity, steering

Verb = Literal["start", "keep", "swap", "replace", "stop"]
"""start: nothing runs yet; keep: leave it alone; swap: start the new one, then stop the old;
replace: stop the old one first (a singleton); stop: nothing shall run."""
Change = Literal["+", "=", "~", "-"]


class Wanted(msgspec.Struct, frozen=True, kw_only=True):
    """A continuous job that should run, and as what."""

    name: str
    identity: str
    singleton: bool = False


class Action(msgspec.Struct, frozen=True, kw_only=True):
    """One thing to do about one continuous job."""

    verb: Verb
    name: str


def wanted(
    jobs: Iterable[Job], settings: Mapping[str, str], disabled: frozenset[tuple[Kind, str]]
) -> list[Wanted]:
    """The continuous jobs that should run: have a script, aren't disabled, the app isn't stopped."""
    if steering(settings).stopped:
        return []
    return [
        Wanted(
            name=job.name,
            identity=process_identity(job, settings),
            singleton=job.settings.is_singleton,
        )
        for job in jobs
        if job.kind == "continuous" and job.script is not None and job.key not in disabled
    ]


def diff(desired: Iterable[Wanted], running: Mapping[str, str]) -> list[Action]:
    """One action per continuous job that is desired or runs, by name.

    `running` maps the names of jobs that are kept running now to the identity they run as.
    """
    targets = {want.name: want for want in desired}
    return [
        Action(verb=_verb(targets.get(name), running.get(name)), name=name)
        for name in sorted({*targets, *running})
    ]


def _verb(want: Wanted | None, have: str | None) -> Verb:
    if want is None:
        return "stop"
    if have is None:
        return "start"
    if have == want.identity:
        return "keep"
    return "replace" if want.singleton else "swap"


def changes(
    before: Iterable[tuple[Job, str]], after: Iterable[tuple[Job, str]]
) -> list[tuple[Kind, str, Change]]:
    """What a deployment does to each job, (job, identity) pairs compared; by kind and name."""
    old = {job.key: identity for job, identity in before}
    new = {job.key: identity for job, identity in after}
    return [(*key, _change(old.get(key), new.get(key))) for key in sorted({*old, *new})]


def _change(old: str | None, new: str | None) -> Change:
    if old is None:
        return "+"
    if new is None:
        return "-"
    return "=" if old == new else "~"
