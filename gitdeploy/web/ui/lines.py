"""Numbered lines for the log viewer: windows of them, where a text is, and what comes live."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
from aiohttp import web

from gitdeploy.errors import Invalid
from gitdeploy.logs import AllNumbers, LineNumbers, Numbered, OutputBlock
from gitdeploy.web.answers import as_json
from gitdeploy.web.following import send
from gitdeploy.web.iterators import close
from gitdeploy.web.requests import accepts, flag, integer
from gitdeploy.web.route import SSE
from gitdeploy.web.streams import Format, Streamed, resume_id
from gitdeploy.web.ui.ansi import plain

NUMBERS = web.AppKey("numbers", AllNumbers)
WINDOW = 5000
"""Lines of a window; the viewer asks for more as it is scrolled."""
WINDOW_BYTES = 1 << 20
FOUND_MOST = 100_000
CHOSEN = 500
_HIGHEST = 1 << 53  # what JavaScript's numbers can count
_encode = msgspec.json.Encoder().encode

Follow = Callable[[str | None], AsyncIterator[list[OutputBlock]]]


class Block(msgspec.Struct, frozen=True, omit_defaults=True):
    """Lines of one stream and time: `n` the first one's number, `s` 1 for stderr, `t` µs,
    `x` the lines, `c` where they are a piece of a longer one."""

    n: int
    t: int
    x: list[str]
    s: int = 0
    c: bool = False


class Window(msgspec.Struct, frozen=True):
    """A part of a log of which there are the lines from `begin` to before `end`.

    `after` is the cursor behind the last line of the part.
    """

    begin: int
    end: int
    after: str
    blocks: list[Block]


class Found(msgspec.Struct, frozen=True):
    """How many lines have the text, and the numbers of the first so many."""

    count: int
    lines: list[int]


def numbers_of(request: web.Request, directory: Path, *, job: bool) -> LineNumbers:
    return request.app[NUMBERS].of(directory, job=job)


def window(numbers: LineNumbers, first: int | None, count: int) -> Window:
    """Lines from a number on, the last ones without it; to be called on a thread."""
    begin, end, cursor = numbers.refresh()
    start = max(begin, end - count) if first is None else max(begin, min(first, end))
    found = numbers.window(start, count, most_bytes=WINDOW_BYTES)
    if first is None and found and found[-1].end < end:  # too many bytes: rather the last ones
        while found and found[-1].end < end and start < end:
            start = max(start + 1, end - max(1, (end - start) // 2))
            found = numbers.window(start, count, most_bytes=WINDOW_BYTES)
    after = cursor or ""
    if found:
        last = found[-1].block
        after = f"{last.before}{last.end}{last.after}"
    elif first is not None and start < end:
        after = ""
    return Window(begin, max(end, found[-1].end if found else end), after, [*map(block_of, found)])


class Wanted(NamedTuple):
    """Which lines: with a text, colours aside, and of one stream; either may be empty."""

    text: str
    ignore_case: bool
    stream: str


def search(numbers: LineNumbers, wanted: Wanted, *, first: int, stop: int) -> Found:
    """Lines between two numbers that are wanted; to be called on a thread."""
    found: list[int] = []
    count = 0
    for block, places in _matches(numbers, wanted, first, stop):
        count += len(places)
        found += (block.first + place for place in places[: FOUND_MOST - len(found)])
    return Found(count, found)


def chosen(numbers: LineNumbers, wanted: Wanted, first: int, count: int) -> Window:
    """Lines that are wanted, from a number on; to be called on a thread."""
    blocks: list[Block] = []
    lines = size = 0
    for numbered, places in _matches(numbers, wanted, first, _HIGHEST):
        block = block_of(numbered)
        for place in places:
            text = block.x[place]
            blocks.append(Block(block.n + place, block.t, [text], block.s, block.c))
            lines += 1
            size += len(text)
            if lines == count or size > WINDOW_BYTES:
                break
        if lines == count or size > WINDOW_BYTES:
            break
    begin, end, _ = numbers.refresh()
    return Window(begin, end, "", blocks)


def _matches(
    numbers: LineNumbers, wanted: Wanted, first: int, stop: int
) -> Iterator[tuple[Numbered, list[int]]]:
    """Blocks with lines that are wanted between two numbers, and which of theirs these are."""
    begin, end, _ = numbers.refresh()
    text = wanted.text.lower() if wanted.ignore_case else wanted.text
    needle = text.encode()
    lower = wanted.ignore_case and text.isascii()
    for numbered in numbers.scan(max(first, begin), min(stop, end)):
        block = numbered.block
        if wanted.stream and block.stream != wanted.stream:
            continue
        lines = block.lines.lower() if lower else block.lines
        colourful = b"\x1b" in lines or b"\r" in lines
        if not colourful and (lower or not wanted.ignore_case) and needle not in lines:
            continue
        places = []
        for place, line in enumerate(lines.split(b"\n")):
            if not first <= numbered.first + place < stop:
                continue
            shown = line.decode("utf-8", "backslashreplace")
            shown = plain(shown) if colourful else shown
            if text in (shown.lower() if wanted.ignore_case else shown):
                places.append(place)
        if places:
            yield numbered, places


def block_of(numbered: Numbered) -> Block:
    block = numbered.block
    lines = block.lines.decode("utf-8", "backslashreplace").split("\n")
    return Block(numbered.first, block.ts, lines, int(block.stream == "stderr"), block.cut)


class Chunk:
    """Blocks that have come, as one event of a stream; its id is the cursor behind them."""

    def __init__(self, found: list[Numbered]) -> None:
        self._found = found

    def encoded(self, form: Format) -> Iterable[bytes]:
        last = self._found[-1].block
        data = {"run": last.execution, "blocks": [block_of(each) for each in self._found]}
        cursor = f"{last.before}{last.end}{last.after}"
        return (b"id: %b\ndata: %b\n\n" % (cursor.encode(), _encode(data)),)


class Ended:
    """Nothing will follow."""

    def encoded(self, form: Format) -> Iterator[bytes]:
        yield b"event: end\ndata: {}\n\n"


async def answer(
    request: web.Request,
    numbers: LineNumbers,
    follow: Follow,
    *,
    ended: Callable[[], Awaitable[Any]] | None,
) -> web.StreamResponse:
    """A window (`from`, `limit`), which lines `find` and `stream` want, or, with `limit`, so many
    of those; as an event stream, what comes.

    `ended` is awaited once the log is complete, None where that can't be.
    """
    if accepts(request, SSE):
        return await send(request, _live(request, numbers, follow, ended), form="sse")
    first = integer(request, "from", highest=_HIGHEST)
    wanted = _wanted(request)
    if wanted is not None:
        begin, most = first or 0, integer(request, "limit", highest=CHOSEN)
        if most is not None:
            return as_json(await asyncio.to_thread(chosen, numbers, wanted, begin, most))
        stop = integer(request, "to", highest=_HIGHEST)
        stop = _HIGHEST if stop is None else stop
        return as_json(await asyncio.to_thread(search, numbers, wanted, first=begin, stop=stop))
    count = integer(request, "limit", highest=WINDOW)
    return as_json(
        await asyncio.to_thread(window, numbers, first, WINDOW if count is None else count)
    )


def _wanted(request: web.Request) -> Wanted | None:
    """What the query looks for, None where it looks for nothing. Raises Invalid."""
    text, stream = request.query.get("find", ""), request.query.get("stream", "")
    if "\n" in text or len(text) > 1000:
        raise Invalid("find is at most 1000 characters of one line.")
    if stream not in ("", "stdout", "stderr"):
        raise Invalid(f"stream is stdout or stderr, not {stream[:20]!r}.")
    ignore_case = flag(request, "ignore_case")
    return Wanted(text, ignore_case, stream) if text or stream else None


async def _live(
    request: web.Request,
    numbers: LineNumbers,
    follow: Follow,
    ended: Callable[[], Awaitable[Any]] | None,
) -> AsyncIterator[list[Streamed]]:
    cursor = resume_id(request) or request.query.get("after") or None
    at = await asyncio.to_thread(numbers.number, cursor)
    batches = follow(cursor)
    try:
        async for batch in batches:
            found = []
            for block in batch:
                numbered = Numbered(at, block)
                found.append(numbered)
                at = numbered.end
            if found:
                yield [Chunk(found)]
    finally:
        await close(batches)
    if ended is not None:
        await ended()
        yield [Ended()]
