"""How a new process that didn't live through the grace is told of. Pure."""

from __future__ import annotations

import signal

from gitdeploy.logs.remote import duration

_AT_ONCE = 0.01  # seconds


def early_end(job: str, seconds: float, exit_code: int | None, *, old: str | None) -> str:
    """What happened to the new process of `job` (`kind/name`).

    `old` says what becomes of the process that it was to replace, None where there is none.
    """
    fate = "" if old is None else f"; the old one {old}"
    return f"The new {job} ended {ending(seconds, exit_code)}{fate}."


def early_fix(script: str, grace: float, *, wrote: bool) -> str:
    """What to do about it; `wrote` where there are last lines to read."""
    do = (
        "Mend what its last lines say"
        if wrote
        else f"It wrote nothing: try {script} by hand, mend it"
    )
    return f"{do} and push again; a new process must live for {grace:g} s (swap_grace)."


def ending(seconds: float, exit_code: int | None) -> str:
    """`after 40 ms with exit code 3`; 128 + N is the end by signal N (as in the contract)."""
    when = "at once" if seconds < _AT_ONCE else f"after {duration(seconds * 1000)}"
    if exit_code is None:
        return f"{when}, with what exit code isn't known"
    name = _signal(exit_code - 128)
    return (
        f"{when} with exit code {exit_code}"
        if name is None
        else (f"{when} by {name} (exit code {exit_code})")
    )


def _signal(number: int) -> str | None:
    try:
        return signal.Signals(number).name
    except ValueError:
        return None
