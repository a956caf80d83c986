"""What can be at a path of an app's vfs: a directory's entries, a file, or a log written when read."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from gitdeploy.logs import Measures, Part, SystemLine, open_file
from gitdeploy.web.entity import Entity
from gitdeploy.web.files import DIRECTORY, Listed, OpenFile
from gitdeploy.web.kudu.blobs import BlobFile
from gitdeploy.web.kudu.log_files import Text, system_text
from gitdeploy.web.route import TEXT
from gitdeploy.web.services import Services

_PLAIN = f"{TEXT}; charset=utf-8"


@dataclass(frozen=True, slots=True)
class Log:
    """The output of executions."""

    parts: list[Part]


@dataclass(frozen=True, slots=True)
class SystemLog:
    """Lines of the system's alone."""

    lines: list[SystemLine]


FoundFile = Log | SystemLog | Text | OpenFile | BlobFile
Found = list[Listed] | FoundFile


async def opened(found: FoundFile, services: Services, measures: Measures) -> tuple[Entity, str]:
    """The file as it can be served, and its media type."""
    if isinstance(found, Log):
        return await open_file(found.parts, measures, services.clock.now()), _PLAIN
    if isinstance(found, SystemLog):
        return system_text(found.lines, services.instance), _PLAIN
    return found, found.media


def close(found: Found | None) -> None:
    """Let go what is held of the file."""
    if isinstance(found, OpenFile | BlobFile):
        found.close()


def directories(names: Iterable[str], like: Path) -> list[Listed]:
    """Directories that need not be on the disk; their time is that of one that is."""
    modified = like.stat().st_mtime_ns // 1000
    return [Listed(name, 0, modified, DIRECTORY) for name in names]


def listed(name: str, text: Text) -> Listed:
    return Listed(name, text.size, text.modified, text.media)


def merged(own: list[Listed], real: list[Listed]) -> list[Listed]:
    """The entries of both by name; of a name that both have, our own."""
    by_name = {one.name: one for one in (*real, *own)}
    return sorted(by_name.values())
