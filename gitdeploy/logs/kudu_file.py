"""`KuduFile`: executions of a job as one text file of Kudu's lines, which is nowhere on the disk.

It has a size, and any range of it can be read. The system's lines stand in front of and behind each
execution's output.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing, closing
from dataclasses import dataclass
from pathlib import Path

from gitdeploy.logs.kudu import SystemLine, dropped_line, kudu_block, prefix_size
from gitdeploy.logs.lines import STREAMS
from gitdeploy.logs.measure import Measured, Measures, rendered

_PIECE = 1 << 18


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """One execution: its output in `directory` and the system's lines around it."""

    directory: Path
    instance: str
    head: tuple[SystemLine, ...]
    tail: tuple[SystemLine, ...]


@dataclass(frozen=True, slots=True)
class _Section:
    """A part as it stands: bytes, output, bytes."""

    part: Part
    head: bytes
    body: Measured
    tail: bytes

    @property
    def size(self) -> int:
        return len(self.head) + self.body.size + len(self.tail)


class KuduFile:
    """The executions as they were when it was opened; made by `open_file`.

    `tag` differs where the bytes do, `modified` is in µs.
    """

    def __init__(self, sections: Sequence[_Section]) -> None:
        self._sections = sections
        self.size = sum(section.size for section in sections)
        self.modified = max((_modified(section) for section in sections), default=0)
        digest = hashlib.sha256()
        for section in sections:
            state = (section.part.directory.name, section.head, section.body.snapshot, section.tail)
            digest.update(repr(state).encode())
        self.tag = digest.hexdigest()[:32]

    async def read(self, start: int, stop: int) -> AsyncGenerator[bytes, None]:
        """The bytes from `start` to `stop`, in pieces.

        They end early where output has been dropped or removed meanwhile.
        """
        offset = 0
        for section in self._sections:
            if offset >= stop:
                return
            if offset + section.size > start:
                async with aclosing(_read(section, start - offset, stop - offset)) as pieces:
                    async for piece in pieces:
                        yield piece
            offset += section.size


async def open_file(parts: Sequence[Part], measures: Measures, now: int) -> KuduFile:
    """Look at the executions as they stand now (µs), oldest first."""
    sections = []
    for part in parts:
        body = await measures.of(part.directory, prefix_size(part.instance), now)
        began = part.head[-1].ts if part.head else 0
        dropped = [
            dropped_line(began, stream, note)
            for stream, note in zip(STREAMS, body.snapshot.dropped, strict=True)
            if note.bytes
        ]
        head, tail = _text([*part.head, *dropped], part), _text(part.tail, part)
        sections.append(_Section(part, head, body, tail))
    return KuduFile(sections)


async def _read(section: _Section, start: int, stop: int) -> AsyncGenerator[bytes, None]:
    """Of a section the bytes from `start` to `stop`, which may lie outside it."""
    body = len(section.head)
    tail = body + section.body.size
    if start < body:
        yield section.head[max(0, start) : stop]
    if start < tail and stop > body:
        first, last = max(0, start - body), min(stop - body, section.body.size)
        async with aclosing(_read_body(section, first, last)) as pieces:
            async for piece in pieces:
                yield piece
    if stop > tail and section.tail:
        yield section.tail[max(0, start - tail) : stop - tail]


async def _read_body(section: _Section, start: int, stop: int) -> AsyncGenerator[bytes, None]:
    width, instance = section.body.width, section.part.instance
    walked = 0
    with closing(section.body.blocks(start)) as blocks:
        for position, block in blocks:
            if position >= stop:
                return
            size = rendered(block, width)
            if position + size > start:
                text = kudu_block(block, instance)
                yield text[max(0, start - position) : stop - position]
            walked += size
            if walked >= _PIECE:
                walked = 0
                await asyncio.sleep(0)


def _text(lines: Sequence[SystemLine], part: Part) -> bytes:
    return b"".join(line.kudu(part.instance) for line in lines)


def _modified(section: _Section) -> int:
    lines = (*section.part.head, *section.part.tail)
    return max(section.body.snapshot.modified, *(line.ts for line in lines), 0)
