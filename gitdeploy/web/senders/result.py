"""The result that all senders share, and how text from outside becomes a field of it."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

import msgspec

_HEX = re.compile(r"[0-9a-f]{40}")
_CONTROLS = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")
_NAMES = (
    "displayName",
    "display_name",
    "full_name",
    "name",
    "nickname",
    "username",
    "login",
    "uniqueName",
)
_LINE = 200
_MESSAGE = 4000


class Push(msgspec.Struct, frozen=True, kw_only=True):
    """A branch that is to be fetched.

    `url` is empty where the sender doesn't say, `ssh_url` where it has none. `branch` is None for
    the deployment branch. `commit` is where the branch stands, with its author and message, and
    `pusher` who moved it, as far as the sender says. `explicit`: somebody asks for just this one,
    it isn't one of all the branches that a host tells of. `sender` is the name of a `Sender`.
    """

    url: str
    ssh_url: str = ""
    branch: str | None
    commit: str | None = None
    author: str = ""
    author_email: str = ""
    message: str = ""
    pusher: str = ""
    explicit: bool = False
    sender: str = ""


class Nothing(msgspec.Struct, frozen=True):
    """A change or an event that leads to no deployment, and why."""

    reason: str


def called(person: Any) -> str:
    """A name for people out of what a sender says of somebody, the full one first; or none."""
    if not isinstance(person, dict):
        return first_text((person,))
    return first_text(person.get(key) for key in _NAMES)


def address(person: Any) -> str:
    """Somebody's mail address, or none."""
    if not isinstance(person, dict):
        return ""
    return first_text(person.get(key) for key in ("email", "emailAddress"))


def commit_id(value: str | None) -> str | None:
    """A commit's 40 hex digits, or None."""
    return value if value is not None and _HEX.fullmatch(value) else None


def is_zero(value: str | None) -> bool:
    """Whether it is the id that stands for "no object" (SHA-1's and SHA-256's length)."""
    return value is not None and len(value) >= 40 and not value.strip("0")


def first_text(values: Iterable[Any]) -> str:
    """The first one that is text and not empty, as one line."""
    for value in values:
        if isinstance(value, str) and value.strip():
            return one_line(value)
    return ""


def one_line(value: str, longest: int = _LINE) -> str:
    """Text from outside without control characters and line breaks, shortened."""
    return _CONTROLS.sub("", " ".join(value.split()))[:longest].strip()


def as_message(value: Any) -> str:
    """A commit's message: lines, without other control characters, shortened."""
    if not isinstance(value, str):
        return ""
    return _CONTROLS.sub("", value.replace("\r\n", "\n"))[:_MESSAGE].strip()
