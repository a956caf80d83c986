"""What an upload brings, and how a single file becomes a job's directory."""

from __future__ import annotations

import hashlib
import shutil
from pathlib import Path
from typing import Literal, NamedTuple

from gitdeploy.errors import Invalid

_LONGEST = 255


class Parcel(NamedTuple):
    """A file on the disk: a zip, a script called `filename`, or a settings.job alone."""

    form: Literal["zip", "script", "settings"]
    file: Path
    filename: str = "settings.job"


def check_filename(name: str) -> str:
    """The file's name without directories, of either kind. Raises Invalid."""
    name = name.replace("\\", "/").rpartition("/")[2].strip()
    if name in ("", ".", "..") or not name.isprintable() or len(name.encode()) > _LONGEST:
        raise Invalid(f"The file name {name[:60]!r} is refused.", "Send one such as run.sh.")
    return name


def write_files(target: Path, parcel: Parcel) -> dict[str, tuple[int, str]]:
    """Make the directory of a job that is one file; path → (git's mode, blob)."""
    target.mkdir()
    place = target / parcel.filename
    shutil.copyfile(parcel.file, place)
    with place.open("rb") as file:
        executable = file.read(2) == b"#!"
    place.chmod(0o755 if executable else 0o644)
    mode = 0o100755 if executable else 0o100644
    return {parcel.filename: (mode, blob_id(place.read_bytes()))}


def blob_id(data: bytes) -> str:
    """git's id of a file's content."""
    return hashlib.sha1(b"blob %d\0" % len(data) + data, usedforsecurity=False).hexdigest()
