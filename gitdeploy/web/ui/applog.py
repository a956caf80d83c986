"""The output of all jobs of an app: its newest lines for a page, and what comes behind them."""

from __future__ import annotations

import base64
import binascii
import re
import zlib
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Mapping
from contextlib import aclosing
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import NamedTuple

import msgspec

from gitdeploy.errors import Invalid
from gitdeploy.logs import JobTail, OutputBlock, Stream
from gitdeploy.web.kudu.merged import Key, Merged, make_id, parse_id
from gitdeploy.web.streams import Format, Streamed
from gitdeploy.web.ui.ansi import Span, spans

LONGEST = 4000
"""Characters of a line that are shown; a job's own log has all."""
_BYTES = 1 << 20  # read of a job
_PAGE_BYTES = 1 << 19  # shown
_SETTLED = 1_000_000  # µs after which a file's time isn't that of a write under way
_LONG_ID = 1000
_MOST_ID = 7000  # characters: the line of a request has 8190
_MOST_PLACES = 1 << 20
_CONTROL = re.compile("[\x00-\x08\x0b-\x1f\x7f]")
_encode = msgspec.json.Encoder().encode
_Found = tuple[int, Key, OutputBlock]


class Line(NamedTuple):
    """A line of a job; `ts` in µs."""

    ts: int
    key: Key
    run: str
    stderr: bool
    spans: list[Span]


class Place(NamedTuple):
    """Behind which lines somebody is: the cursors of jobs; in jobs without one, behind the lines
    from before `since` (µs)."""

    cursors: dict[Key, str]
    since: int | None = None


@dataclass(frozen=True, slots=True)
class Newest:
    """The newest lines, oldest first, and the place behind all that there is."""

    lines: list[Line]
    place: Place


def newest(
    jobs: Mapping[Key, Path],
    count: int,
    *,
    now: int,
    stream: Stream | None = None,
    most_bytes: int = _PAGE_BYTES,
) -> Newest:
    """The newest `count` lines of all jobs (their executions' directories), of one stream or both.

    Jobs are read in the order of their last writes, until no other can have one of these lines.
    To be called on a thread.
    """
    tails = [
        (tail.written_at(), key, tail) for key, path in jobs.items() for tail in [JobTail(path)]
    ]
    tails.sort(key=lambda each: each[0], reverse=True)
    found: list[_Found] = []
    cursors: list[tuple[Key, str]] = []
    most_read = max(_BYTES, most_bytes)
    enough = False
    for written, key, tail in tails:
        if not tail.names:
            continue
        if enough and written < min(found[0][0], now - _SETTLED):
            cursors.append((key, tail.end()))
            continue
        blocks, at = tail.read(count, most_bytes=most_read, stream=stream)
        cursors.append((key, at))
        found += [(block.ts, key, block) for block in blocks]
        found.sort(key=lambda each: each[0])  # stable: each job's own order stays
        enough = _cut(found, count, most_read)
    lines = list(chain.from_iterable(_lines(key, block) for _, key, block in found))[-count:]
    size = 0
    for number in range(len(lines) - 1, -1, -1):
        size += sum(len(span.text) for span in lines[number].spans)
        if size > most_bytes:
            lines = lines[number + 1 :]
            break
    return Newest(lines, Place(dict(reversed(cursors)), now - _SETTLED))


def _cut(found: list[_Found], count: int, most_bytes: int) -> bool:
    """Let go of the oldest blocks, where the newer ones have `count` lines or so many bytes;
    whether there is that much."""
    lines = size = 0
    for at in range(len(found) - 1, -1, -1):
        block = found[at][2]
        lines += block.line_count
        size += len(block.lines)
        if lines >= count or size >= most_bytes:
            del found[:at]
            return True
    return False


def _lines(key: Key, block: OutputBlock) -> Iterator[Line]:
    for text in texts_of(block):
        yield Line(block.ts, key, block.execution, block.stream == "stderr", shown(text))


def texts_of(block: OutputBlock) -> list[str]:
    return block.lines.decode("utf-8", "backslashreplace").split("\n")


def shown(text: str) -> list[Span]:
    """A line as the page has it; a long one ends in an ellipsis."""
    cut = text if len(text) <= LONGEST else f"{text[:LONGEST]}\x1b[0m…"
    return spans(cut) if _CONTROL.search(cut) else [Span(cut, "")] if cut else []


class Shown(msgspec.Struct, frozen=True, omit_defaults=True):
    """Lines of a job that a page appends: `day`, `at` and `iso` are their time, `x` each line as a
    text or as pieces of text and classes."""

    job: str
    address: str
    day: str
    at: str
    iso: str
    x: list[str | list[tuple[str, str]]]
    stderr: bool = False


class Chunk:
    """Lines that came, as one event of a stream; its id is the place behind them."""

    __slots__ = ("_blocks", "_place")

    def __init__(self, place: str, blocks: list[Shown]) -> None:
        self._place = place
        self._blocks = blocks

    def encoded(self, form: Format) -> Iterable[bytes]:
        return (b"id: %b\ndata: %b\n\n" % (self._place.encode(), _encode(self._blocks)),)


async def follow(
    merged: Merged,
    place: Place,
    make: Callable[[Key, OutputBlock, list[str | list[tuple[str, str]]]], Shown],
    *,
    stream: Stream | None,
) -> AsyncIterator[list[Streamed]]:
    """What comes behind a place, in the pieces in which it is read."""
    cursors = dict(place.cursors)
    async with aclosing(merged.batches()) as batches:
        async for batch in batches:
            if batch is None:
                continue
            key, blocks = batch
            last = blocks[-1]
            cursors.pop(key, None)  # to the end: those that wrote longest ago come first
            cursors[key] = f"{last.before}{last.end}{last.after}"
            kept = [
                make(key, block, [_sent(text) for text in texts_of(block)])
                for block in blocks
                if stream in (None, block.stream)
            ]
            yield [Chunk(write_place(Place(cursors, place.since)), kept)]


def _sent(text: str) -> str | list[tuple[str, str]]:
    found = shown(text)
    if len(found) <= 1 and not (found and found[0].classes):
        return found[0].text if found else ""
    return [(span.text, span.classes) for span in found]


def write_place(place: Place) -> str:
    """A place as an id, short enough for a request; packed where it is long.

    Where even that is too long, the jobs that wrote longest ago are left to `since`.
    """
    cursors = dict(place.cursors)
    head = "" if place.since is None else f"@{place.since};"
    while True:
        text = head + make_id(cursors)
        if len(text) <= _LONG_ID:
            return text
        packed = base64.urlsafe_b64encode(zlib.compress(text.encode())).decode().rstrip("=")
        if len(packed) < _MOST_ID or not cursors:
            return f"~{packed}"
        for key in list(cursors)[: 1 + len(cursors) // 8]:
            del cursors[key]


def read_place(text: str | None) -> Place:
    """The place that an id names. Raises Invalid."""
    if not text:
        return Place({})
    if text.startswith("~"):
        text = _unpacked(text[1:])
    since = None
    if text.startswith("@"):
        number, _, text = text[1:].partition(";")
        if not (number.isascii() and number.isdigit()) or len(number) > 18:
            raise _invalid()
        since = int(number)
    return Place(parse_id(text), since)


def _unpacked(packed: str) -> str:
    try:
        data = base64.urlsafe_b64decode(packed + "=" * (-len(packed) % 4))
        unpacking = zlib.decompressobj()
        text = unpacking.decompress(data, _MOST_PLACES).decode()
    except (binascii.Error, ValueError, zlib.error) as error:
        raise _invalid() from error
    if not unpacking.eof:
        raise _invalid()
    return text


def _invalid() -> Invalid:
    return Invalid("This isn't an id of this stream.", "Send one it gave.")
