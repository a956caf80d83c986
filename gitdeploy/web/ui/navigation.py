"""The sections of the navigation, in their order."""

from __future__ import annotations

from typing import NamedTuple

from gitdeploy.store.tokens import Scope


class Section(NamedTuple):
    """`key` is a text below `nav`, and the part of the address (but for an app's jobs)."""

    key: str
    icon: str
    scope: Scope = "read"


APP = (
    Section("jobs", "jobs"),
    Section("files", "folder"),
    Section("processes", "chip"),
)
"""Of an app: `/ui/{app}/`, `/ui/{app}/{key}/`."""

SERVER = (Section("apps", "grid"),)
"""Of the server: `/ui/`, `/ui/-/{key}/`."""

SHORT = 3
"""How many of an app's sections a phone shows; the others are behind `nav.more`."""
