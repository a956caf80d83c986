"""The file `packed-refs` (gitrepository-layout(5)): many refs in one sorted file."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

HEADER = "# pack-refs with: peeled fully-peeled sorted \n"
_ID = re.compile(r"[0-9a-f]{40}")


@dataclass(frozen=True, slots=True)
class PackedRefs:
    """What the file says. `complete`: a ref without an entry in `peeled` isn't a tag object."""

    refs: Mapping[str, str] = field(default_factory=dict)
    peeled: Mapping[str, str] = field(default_factory=dict)
    complete: bool = True


def parse(text: str) -> PackedRefs:
    """Read the file's content; lines that aren't refs are passed over, as git does."""
    refs: dict[str, str] = {}
    peeled: dict[str, str] = {}
    complete = False
    last = ""
    for line in text.splitlines():
        if line.startswith("#"):
            complete = complete or " fully-peeled" in line
        elif line.startswith("^"):
            if last and _ID.fullmatch(line[1:]):
                peeled[last] = line[1:]
        elif line[40:41] == " " and _ID.fullmatch(line[:40]):
            last = line[41:]
            refs[last] = line[:40]
    return PackedRefs(refs, peeled, complete)


def read(path: Path) -> PackedRefs:
    """The file's content; empty where there is none."""
    try:
        return parse(path.read_text("utf-8", "surrogateescape"))
    except FileNotFoundError:
        return PackedRefs()


def render(refs: Mapping[str, str], known: PackedRefs, peel: Callable[[str], str | None]) -> bytes:
    """The file for these refs; `peel` gives what a tag object leads to, None for other objects."""
    lines = [HEADER]
    for ref in sorted(refs):
        oid = refs[ref]
        lines.append(f"{oid} {ref}\n")
        if known.complete and known.refs.get(ref) == oid:
            target = known.peeled.get(ref)
        else:
            target = peel(oid)
        if target is not None:
            lines.append(f"^{target}\n")
    return "".join(lines).encode("utf-8", "surrogateescape")


def write_locked(lock: int, path: Path, content: bytes) -> None:
    """Fill the open lock file `PATH.lock`, sync it and put it in place."""
    view = memoryview(content)
    while view:
        view = view[os.write(lock, view) :]
    os.fsync(lock)
    path.with_name(path.name + ".lock").replace(path)
