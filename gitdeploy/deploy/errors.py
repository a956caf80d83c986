"""The one failure of a deployment: what is wrong, what to do, in which step."""

from __future__ import annotations

from collections.abc import Sequence

from gitdeploy.errors import GitdeployError


class DeployError(GitdeployError):
    """A step can't do its work; the deployment fails and everything stays as it was.

    `step` is filled in by the pipeline where the raiser left it empty; `tail` are the last lines
    of the output that belongs to the failure (a build's, a job's), oldest first.
    """

    def __init__(
        self, what: str, fix: str = "", *, step: str = "", tail: Sequence[str] = ()
    ) -> None:
        super().__init__(what, fix)
        self.step = step
        self.tail = list(tail)
