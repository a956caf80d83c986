"""The states of executions, as tables: which state may follow which, and how Kudu spells them."""

from __future__ import annotations

from collections.abc import Mapping

Transitions = Mapping[str, frozenset[str]]


def _transitions(table: Mapping[str, set[str]]) -> Transitions:
    """Check once that every state that is entered is also described."""
    unknown = {state for following in table.values() for state in following} - table.keys()
    if unknown:
        raise ValueError(f"states without a row: {', '.join(sorted(unknown))}")
    return {state: frozenset(following) for state, following in table.items()}


RUN: Transitions = _transitions(
    {
        "initializing": {"running", "failed", "aborted", "stopped"},
        "running": {"success", "failed", "aborted", "stopped"},
        "success": set(),
        "failed": set(),
        "aborted": set(),
        "stopped": set(),
    }
)
"""A run of a triggered job, and one process of a continuous one."""

CONTINUOUS: Transitions = _transitions(
    {
        "initializing": {"starting", "stopped", "inactive_instance"},
        "starting": {"running", "pending_restart", "stopping", "stopped", "disabling"},
        "running": {"pending_restart", "starting", "stopping", "stopped", "disabling"},
        "pending_restart": {"starting", "running", "stopping", "stopped", "disabling"},
        "stopping": {"stopped", "starting"},
        "disabling": {"stopped", "starting"},
        "stopped": {"initializing", "starting"},
        "inactive_instance": {"starting", "stopped"},
    }
)
"""A continuous job, over all its processes."""


def allowed(table: Transitions, leave: str, enter: str) -> bool:
    """Whether the state `enter` may follow `leave`. Raises KeyError for an unknown state."""
    table[enter]
    return enter in table[leave]


def ended(table: Transitions, state: str) -> bool:
    """Whether nothing follows the state."""
    return not table[state]


def kudu_status(state: str) -> str:
    """Kudu's spelling: `pending_restart` is `PendingRestart`."""
    return "".join(word.capitalize() for word in state.split("_"))
