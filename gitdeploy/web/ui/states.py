"""How a state is shown: a tone (colour), an icon (shape) and a word, never colour alone."""

from __future__ import annotations

from typing import NamedTuple


class State(NamedTuple):
    """`tone` is a class of the style sheet, `icon` a symbol of the sprite, `word` a key below
    `state` of the catalogue."""

    tone: str
    icon: str
    word: str


_STATES: dict[str, State] = {
    # runs (Kudu's states)
    "Initializing": State("run", "spin", "starting"),
    "Running": State("run", "spin", "running"),
    "Success": State("ok", "check", "succeeded"),
    "Failed": State("bad", "cross", "failed"),
    "Aborted": State("bad", "cross", "aborted"),
    "Stopped": State("idle", "square", "stopped"),
    "Never": State("idle", "never", "never"),
    "Queued": State("idle", "clock", "queued"),
    # continuous jobs
    "Up": State("ok", "play-circle", "up"),
    "Starting": State("run", "spin", "starting"),
    "PendingRestart": State("warn", "restart", "restarting"),
    "Stopping": State("run", "spin", "stopping"),
    "Disabling": State("run", "spin", "stopping"),
    "InactiveInstance": State("idle", "square", "elsewhere"),
    # deployments
    "pending": State("idle", "clock", "queued"),
    "building": State("run", "spin", "building"),
    "deploying": State("run", "spin", "deploying"),
    "failed": State("bad", "cross", "failed"),
    "success": State("ok", "check", "succeeded"),
    "live": State("ok", "check", "live"),
    # occurrences
    "missed": State("warn", "clock", "missed"),
    "dropped": State("warn", "clock", "dropped"),
    "started": State("ok", "check", "started"),
    "queued": State("idle", "clock", "queued"),
    # schedules
    "active": State("ok", "check", "followed"),
    "disabled": State("idle", "pause", "paused"),
    "off": State("warn", "pause", "all_paused"),
    "halted": State("warn", "square", "halted"),
    "ended": State("idle", "square", "ended"),
    "invalid": State("bad", "cross", "invalid"),
    # an app without a deployment
    "new": State("idle", "never", "new"),
    # deliveries of hooks
    "delivered": State("ok", "check", "delivered"),
    "retrying": State("warn", "restart", "retrying"),
    # what a job lacks
    "error": State("bad", "cross", "broken"),
    "asleep": State("idle", "moon", "asleep"),
}


def of(name: str) -> State:
    """The state of that name; an unknown one is shown as it is called."""
    return _STATES.get(name, State("idle", "never", name))
