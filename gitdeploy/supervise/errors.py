"""What can go wrong in this room."""

from __future__ import annotations

from collections.abc import Sequence

from gitdeploy.errors import GitdeployError


class SuperviseError(GitdeployError):
    """A job can't be started, stopped or swapped."""


class SwapFailed(SuperviseError):
    """A job's new process didn't live through the grace; everything is as it was before.

    `job` is `kind/name`; `tail` the last lines that the new process wrote, safe to show.
    """

    def __init__(self, what: str, fix: str, *, job: str, tail: Sequence[str] = ()) -> None:
        super().__init__(what, fix)
        self.job = job
        self.tail = tuple(tail)
