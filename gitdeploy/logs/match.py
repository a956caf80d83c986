"""`Match`: which lines have a text in them, told by the block. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator

from gitdeploy.errors import Invalid
from gitdeploy.logs.block import OutputBlock


class Match:
    """Lines that contain `text` as it stands; with `ignore_case` in any case.

    A block is searched as a whole, and only its lines that match are taken apart. Raises Invalid
    for a text that no line can contain.
    """

    def __init__(self, text: str, *, ignore_case: bool = False) -> None:
        if "\n" in text:
            raise Invalid("The text to look for has a line's end in it.", "Look for one line.")
        self._folded = text.casefold()
        # bytes.lower knows ASCII alone, and is forty times as quick as decoding.
        self._wide = ignore_case and not text.isascii()
        self._lower = ignore_case and not self._wide
        self._needle = (text.lower() if self._lower else text).encode()
        self._to_end = re.compile(re.escape(self._needle) + rb"[^\n]*")  # matches once a line

    def has(self, line: bytes) -> bool:
        """Whether this line is one of them."""
        return any(True for _ in self._places(line))

    def count(self, block: OutputBlock) -> int:
        """How many lines of the block match."""
        if self._wide:
            return sum(1 for _ in self._wide_places(block.lines))
        lines = block.lines.lower() if self._lower else block.lines
        return len(self._to_end.findall(lines)) if self._needle in lines else 0

    def filter(self, block: OutputBlock) -> Iterator[OutputBlock]:
        """The lines that match, those that follow each other as one block."""
        first = last = -1
        for start, stop in self._places(block.lines):
            if start != last + 1 or first < 0:
                if first >= 0:
                    yield _part(block, first, last)
                first = start
            last = stop
        if first >= 0:
            yield _part(block, first, last)

    def _places(self, lines: bytes) -> Iterator[tuple[int, int]]:
        """Start and end of each line that matches."""
        if self._wide:
            yield from self._wide_places(lines)
            return
        haystack = lines.lower() if self._lower else lines
        at = haystack.find(self._needle)
        while at >= 0:
            start = lines.rfind(b"\n", 0, at) + 1
            stop = lines.find(b"\n", at)
            if stop < 0:
                yield start, len(lines)
                return
            yield start, stop
            at = haystack.find(self._needle, stop + 1)

    def _wide_places(self, lines: bytes) -> Iterator[tuple[int, int]]:
        if self._folded not in lines.decode("utf-8", "replace").casefold():
            return
        at = 0
        for line in lines.split(b"\n"):
            if self._folded in line.decode("utf-8", "replace").casefold():
                yield at, at + len(line)
            at += len(line) + 1


def _part(block: OutputBlock, start: int, stop: int) -> OutputBlock:
    """The lines from `start` to `stop` (an end of a line) of the block."""
    if start == 0 and stop == len(block.lines):
        return block
    return block._replace(lines=block.lines[start:stop], end=block.end - len(block.lines) + stop)
