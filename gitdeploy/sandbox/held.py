"""What is on disk about a held process tree, in the execution's own directory.

`held.json` says which process holds it and how, written as soon as it runs: a server that is
killed before it stored the Handle finds the tree again. `status` (none, process) or `bwrap.json`
(sandbox) are the holder's and have the exit code.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Literal

import msgspec

from gitdeploy.config import IsolationLevel

Mechanism = Literal["session", "namespace", "cgroup", "marker", "bubblewrap"]


class Held(msgspec.Struct, frozen=True, kw_only=True):
    """`outer` is the process that the server started; `outer_start` its start in clock ticks."""

    level: IsolationLevel
    mechanism: Mechanism
    boot_id: str
    outer: int
    outer_start: int
    cgroup: str | None = None


def write(directory: Path, held: Held) -> None:
    """Whole or not at all."""
    temporary = directory / "held.json.tmp"
    temporary.write_bytes(msgspec.json.encode(held))
    temporary.replace(directory / "held.json")


def read(directory: Path) -> Held | None:
    """None where nothing was started in that directory, or no more than begun."""
    try:
        return msgspec.json.decode((directory / "held.json").read_bytes(), type=Held)
    except (FileNotFoundError, NotADirectoryError, msgspec.DecodeError):
        return None


def read_status(directory: Path) -> int | None:
    """The exit code in `status`; None where the holder hasn't written its line, or not whole."""
    try:
        text = (directory / "status").read_bytes()
    except (FileNotFoundError, NotADirectoryError):
        return None
    return int(text) if text.endswith(b"\n") and text.strip().isdigit() else None


class Bubblewrap(msgspec.Struct, frozen=True, kw_only=True):
    """What bwrap wrote to its status descriptor so far (bwrap(1), --json-status-fd)."""

    init: int | None = None
    exit_code: int | None = None


class _Line(msgspec.Struct, rename="kebab"):
    child_pid: int | None = None
    exit_code: int | None = None


def read_bubblewrap(directory: Path) -> Bubblewrap:
    """A line that isn't whole yet is left for the next look."""
    try:
        text = (directory / "bwrap.json").read_bytes()
    except (FileNotFoundError, NotADirectoryError):
        return Bubblewrap()
    init = code = None
    for line in text[: text.rfind(b"\n") + 1].splitlines():
        try:
            entry = msgspec.json.decode(line, type=_Line)
        except msgspec.DecodeError:
            continue
        init = entry.child_pid if entry.child_pid is not None else init
        code = entry.exit_code if entry.exit_code is not None else code
    return Bubblewrap(init=init, exit_code=code)


def clear(directory: Path) -> None:
    """Remove what an earlier holder left; a stale exit code would be taken for the new one's."""
    for name in ("held.json", "status", "status.begun", "bwrap.json"):
        (directory / name).unlink(missing_ok=True)


def tail(path: Path, start: int, *, limit: int = 2000) -> str:
    """The last text behind offset `start` of an output file, for an error message."""
    try:
        with path.open("rb") as file:
            end = file.seek(0, os.SEEK_END)
            file.seek(max(start, end - limit))
            return file.read(limit).decode("utf-8", errors="replace").strip()
    except OSError:
        return ""
