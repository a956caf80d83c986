"""A file as text for a page: whole where it is small, its end where it is long, or not at all."""

from __future__ import annotations

from typing import Literal, NamedTuple

from gitdeploy.logs import safe_text
from gitdeploy.web.entity import Entity

EDITABLE = 256_000
"""Bytes up to which a text is shown whole and may be edited."""
_TAIL = 64_000

Newline = Literal["lf", "crlf"]


class TextFile(NamedTuple):
    """What of a file can be shown.

    `text` is None for what isn't UTF-8, `newline` None where lines end in more than one way: a
    form would send them all alike. `whole` is False where only the end is there.
    """

    text: str | None
    newline: Newline | None
    whole: bool

    @property
    def editable(self) -> bool:
        return self.text is not None and self.whole and self.newline is not None

    @property
    def shown(self) -> str:
        """For reading: control characters are told, not sent."""
        lines = (self.text or "").replace("\r\n", "\n").split("\n")
        return "\n".join(safe_text(line) for line in lines)


async def read_text(entity: Entity, media: str) -> TextFile:
    """The text of a file; of a long one its last lines, where it claims to be a text."""
    whole = entity.size <= EDITABLE
    if not whole and not media.startswith("text/"):
        return TextFile(None, None, whole=False)
    start = 0 if whole else entity.size - _TAIL
    data = b"".join([piece async for piece in entity.read(start, entity.size)])
    if whole:
        return as_text(data)
    text = data.partition(b"\n")[2].decode("utf-8", "replace")
    return TextFile(text, None, whole=False)


def as_text(data: bytes) -> TextFile:
    """All of a small file."""
    if b"\0" in data:
        return TextFile(None, None, whole=True)
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError:
        return TextFile(None, None, whole=True)
    return TextFile(text, newline_of(text), whole=True)


def newline_of(text: str) -> Newline | None:
    """How all lines of a text end; None where they differ."""
    crlf = text.count("\r\n")
    if text.count("\r") != crlf:
        return None
    if not crlf:
        return "lf"
    return "crlf" if text.count("\n") == crlf else None


def as_bytes(typed: str, newline: Newline) -> bytes:
    """A text as a form has sent it (each line ends in CRLF), with the file's own line ends."""
    text = typed.replace("\r\n", "\n").replace("\r", "\n")
    return (text.replace("\n", "\r\n") if newline == "crlf" else text).encode("utf-8")
