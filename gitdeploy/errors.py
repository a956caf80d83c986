"""The one shape of a failure that a person reads: what is wrong, and what to do about it."""

from __future__ import annotations


class GitdeployError(Exception):
    """A failure with a cause and a remedy, both one sentence.

    `what` names the thing at fault (file, key, value); `fix` tells what to do, or is empty
    where nothing can be done. Every room derives its own class; HTTP, `remote:` lines and
    exit codes are made of it in one place each.
    """

    def __init__(self, what: str, fix: str = "") -> None:
        super().__init__(what)
        self.what = what
        self.fix = fix

    def __str__(self) -> str:
        return f"{self.what} {self.fix}".rstrip()


class NotFound(GitdeployError):
    """The thing named doesn't exist, or the caller may not know of it (HTTP 404)."""


class Conflict(GitdeployError):
    """The thing is in a state that forbids this now (HTTP 409)."""


class Invalid(GitdeployError):
    """Input that can't be accepted as it is (HTTP 400)."""


class TooLarge(GitdeployError):
    """Input over a limit; `what` names the limit and its setting (HTTP 413)."""


class Unavailable(GitdeployError):
    """Can't be done right now, for a reason outside the request (HTTP 503)."""
