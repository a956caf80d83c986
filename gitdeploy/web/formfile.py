"""The one file of a multipart form (RFC 7578) that was sent where a bare body is expected.

Some of Kudu's clients say multipart/form-data and send the file bare, others send a form with it:
the body tells which, as it begins with the boundary that its Content-Type names or doesn't.
"""

from __future__ import annotations

import mmap
import os
import re
from pathlib import Path
from typing import NamedTuple

from gitdeploy.errors import Invalid

_HEADERS = 16 << 10
_PARTS = 100
_FILENAME = re.compile(rb"(?im)^content-disposition:[^\r\n]*;\s*filename\*?\s*=")
_NAME = re.compile(rb'(?im)^content-disposition:[^\r\n]*;\s*name="([^"\r\n]*)"')
_FILE = re.compile(rb'(?im)^content-disposition:[^\r\n]*;\s*filename="([^"\r\n]*)"')
_ESCAPED = ((b"%22", b'"'), (b"%0D", b"\r"), (b"%0A", b"\n"))


class _Part(NamedTuple):
    headers: bytes
    start: int
    stop: int


def unwrap(file: Path, boundary: str) -> None:
    """Replace a form by what its one file has; a bare body stays as it is. Blocks.

    Raises Invalid for a form that is cut off or has no file or several.
    """
    delimiter = b"--" + boundary.encode("ascii", "replace")
    with file.open("rb") as form:
        if form.read(len(delimiter)) != delimiter:
            return
        with mmap.mmap(form.fileno(), 0, access=mmap.ACCESS_READ) as body:
            parts = _parts(body, delimiter)
        part = _chosen(parts)
        inner = file.with_name(f"{file.name}.part")
        try:
            with inner.open("xb") as out:
                _copy(form.fileno(), out.fileno(), part)
            inner.replace(file)
        finally:
            inner.unlink(missing_ok=True)


def _parts(body: mmap.mmap, delimiter: bytes) -> list[_Part]:
    found: list[_Part] = []
    at = len(delimiter)
    while body[at : at + 2] != b"--":
        headers_end = body.find(b"\r\n\r\n", at, at + _HEADERS)
        end = -1 if headers_end < 0 else body.find(b"\r\n" + delimiter, headers_end + 2)
        if end < 0 or len(found) == _PARTS:
            raise Invalid("The form is cut off or malformed.", "Send the file alone, as the body.")
        start = min(headers_end + 4, end)
        found.append(_Part(body[at:headers_end], start, end))
        at = end + 2 + len(delimiter)
    return found


def _chosen(parts: list[_Part]) -> _Part:
    """The part that is the file; where none says so, the only one."""
    files = [part for part in parts if _FILENAME.search(part.headers)] or parts
    if len(files) != 1:
        raise Invalid(
            f"The form has {len(files)} files, and one is needed.",
            "Send the file alone, as the body.",
        )
    return files[0]


def _copy(source: int, target: int, part: _Part) -> None:
    at = part.start
    while at < part.stop:
        count = os.sendfile(target, source, at, part.stop - at)
        if not count:
            return
        at += count


class FormFields(NamedTuple):
    """A form beside its file: `filename` is what the browser calls that, "" where none was chosen."""

    fields: dict[str, list[str]]
    filename: str


def take_apart(file: Path, boundary: str, *, longest: int) -> FormFields:
    """Replace a browser's form by what its one file has, nothing where it has none. Blocks.

    Raises Invalid for a form that is cut off, or has several files or a field over `longest` bytes.
    """
    delimiter = b"--" + boundary.encode("ascii", "replace")
    fields: dict[str, list[str]] = {}
    with file.open("r+b") as form:
        if form.read(len(delimiter)) != delimiter:
            raise Invalid("The form is cut off or malformed.", "Send it from its page.")
        with mmap.mmap(form.fileno(), 0, access=mmap.ACCESS_READ) as body:
            parts = _parts(body, delimiter)
            files = [part for part in parts if _FILENAME.search(part.headers)]
            for part in parts:
                name = _NAME.search(part.headers)
                if part in files or name is None:
                    continue
                if part.stop - part.start > longest:
                    raise Invalid(f"A field of the form has over {longest} bytes.", "Send less.")
                value = body[part.start : part.stop].decode("utf-8", "replace")
                fields.setdefault(_unescaped(name[1]), []).append(value)
        if not files:
            form.truncate(0)
            return FormFields(fields, "")
        part = _chosen(files)
        inner = file.with_name(f"{file.name}.part")
        try:
            with inner.open("xb") as out:
                _copy(form.fileno(), out.fileno(), part)
            inner.replace(file)
        finally:
            inner.unlink(missing_ok=True)
    found = _FILE.search(part.headers)
    return FormFields(fields, _unescaped(found[1]) if found else "")


def _unescaped(name: bytes) -> str:
    """A name as browsers write it (WHATWG HTML, multipart form data)."""
    for escaped, sign in _ESCAPED:
        name = name.replace(escaped, sign)
    return name.decode("utf-8", "replace")
