"""The sections of the navigation, in their order."""

from __future__ import annotations

from typing import NamedTuple

from gitdeploy.store.tokens import Scope
from gitdeploy.web.principal import Principal


class Section(NamedTuple):
    """`key` is a text below `nav`, and the part of the address (but for an app's jobs). One that is
    `wide` is among the first on wide screens alone."""

    key: str
    icon: str
    scope: Scope = "read"
    wide: bool = False


APP = (
    Section("jobs", "jobs"),
    Section("deployments", "deploy"),
    Section("scheduler", "calendar", wide=True),
    Section("logs", "lines"),
    Section("files", "folder"),
    Section("processes", "chip"),
    Section("settings", "sliders"),
)
"""Of an app: `/ui/{app}/`, `/ui/{app}/{key}/`."""

SERVER = (
    Section("apps", "grid"),
    Section("tokens", "key", "admin"),
    Section("sessions", "person"),
    Section("audit", "list", "admin"),
    Section("instances", "chip"),
)
"""Of the server: `/ui/`, `/ui/-/{key}/`."""

LETTERS = {
    "apps": "a",
    "jobs": "j",
    "deployments": "d",
    "scheduler": "s",
    "logs": "l",
    "files": "f",
    "processes": "p",
    "settings": "e",
    "tokens": "t",
    "sessions": "s",
    "audit": "u",
    "instances": "i",
}
"""The letter that leads to a section, typed behind `g`."""

_SHORT = 3


def sections(principal: Principal | None, *, of_app: bool) -> tuple[Section, ...]:
    """Those that the caller may see; what is the server's takes a token for all apps."""
    if principal is None:
        return ()
    return tuple(
        one
        for one in (APP if of_app else SERVER)
        if principal.may(one.scope) and (of_app or one.scope == "read" or principal.apps is None)
    )


def on_a_phone(found: tuple[Section, ...]) -> tuple[Section, ...]:
    """The sections that a phone shows; the others are behind `nav.more`."""
    return tuple(one for one in found if not one.wide)[:_SHORT]
