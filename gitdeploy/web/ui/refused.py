"""Why a run wasn't started, in the reader's language where the reason is a known one. Pure."""

from __future__ import annotations

from gitdeploy.errors import Conflict, GitdeployError, Invalid
from gitdeploy.jobs import split_arguments
from gitdeploy.supervise import JobView
from gitdeploy.web.ui.language import Words


def refusal(words: Words, error: GitdeployError, view: JobView, arguments: str) -> str:
    """One or two sentences for the page; `view` is the job as it stood when it was refused."""
    if isinstance(error, Conflict) and view.status == "Running":
        return words("job.busy", name=view.job.name)
    try:
        split_arguments(arguments)
    except Invalid as wrong:
        if wrong.what == error.what:
            return words("job.backslash" if "backslash" in wrong.what else "job.quote")
    return f"{error.what} {error.fix}".strip()
