"""What can go wrong in this room."""

from __future__ import annotations

from gitdeploy.errors import GitdeployError


class SandboxError(GitdeployError):
    """The isolation that was asked for can't be had on this machine."""


class SpawnError(GitdeployError):
    """A process couldn't be started; `what` names the program and the reason."""
