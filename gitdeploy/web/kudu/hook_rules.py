"""Which hooks an app may have. Pure functions."""

from __future__ import annotations

import re

import msgspec

from gitdeploy.errors import Conflict, Invalid
from gitdeploy.net import OutgoingRequest, check
from gitdeploy.store import Hook, HookFormat

EVENTS = (
    "PostDeployment",
    "TriggeredJobFinished",
    "JobCrashed",
    "DeploymentFailed",
    "ScheduleMissed",
)
_EVENT = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")
_MOST = 50
_URL_MOST = 2048
_SECRET_MOST = 256


class Wanted(msgspec.Struct, frozen=True, kw_only=True):
    """A hook to be: an http or https address, an event of ours or any other name (`publish`).

    `format` and `secret` are ours; other fields are passed over, as Kudu does.
    """

    url: str
    event: str
    insecure_ssl: bool = False
    format: HookFormat = "kudu"
    secret: str | None = None


def canonical(event: str) -> str:
    """An event of ours in its own spelling, whatever the case; any other as it is."""
    return next((known for known in EVENTS if known.casefold() == event.casefold()), event)


def fitting(hook: Hook, hooks: list[Hook]) -> Hook | None:
    """The one of an app's hooks that a new one would repeat, None where it is really new.

    Raises Conflict where the address has another event (Kudu's rule; in the formats of ours an
    address may have several), where the same one would say something else, and where there are
    too many.
    """
    there = [each for each in hooks if each.url.casefold() == hook.url.casefold()]
    for each in there:
        if each.event.casefold() != hook.event.casefold():
            continue
        if (each.format, each.secret) != (hook.format, hook.secret):
            raise Conflict(
                f"The hook {each.id} has this address and event, with another format or secret.",
                "Delete it first.",
            )
        return each
    if hook.format == "kudu":
        for each in there:
            if each.format == "kudu":
                raise Conflict(
                    f"The hook {each.id} has this address, for {each.event}.",
                    "Delete it first, or give the other one an address that differs in its query.",
                )
    if len(hooks) >= _MOST:
        raise Conflict(f"The app has {len(hooks)} hooks already.", "Delete some of them.")
    return None


def check_wanted(wanted: Wanted, url: str) -> None:
    """Raises Invalid naming the field; where the address leads isn't looked at."""
    check_event(wanted.event)
    if len(url) > _URL_MOST:
        raise Invalid(f"url: it has more than {_URL_MOST} characters.")
    if len(wanted.secret or "") > _SECRET_MOST:
        raise Invalid(f"secret: it has more than {_SECRET_MOST} characters.")
    check(OutgoingRequest(method="POST", url=url))


def check_event(event: str) -> str:
    """The event, which can be one. Raises Invalid."""
    if not _EVENT.fullmatch(event):
        raise Invalid(
            f"event: {event[:100]!r} can't be one.",
            f"Write {', '.join(EVENTS)}, or a name of your own that you publish.",
        )
    return event
