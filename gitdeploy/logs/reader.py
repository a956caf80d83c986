"""Readers: lines or bytes of an execution or a job, from disk, live or not.

Each reader is an async iterator with a place of its own, so none waits for another and no job
waits for any. Closing the iterator (`aclose`) lets go of its files.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncGenerator, Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path

from gitdeploy.errors import NotFound
from gitdeploy.logs import cursor
from gitdeploy.logs.block import OutputBlock, block_batches, in_batches, last, line_batches
from gitdeploy.logs.lane import READ
from gitdeploy.logs.lines import OutputLine, Stream
from gitdeploy.logs.source import Source, has_ended, merge
from gitdeploy.logs.tail import tail_start
from gitdeploy.logs.trim import read_trimmed
from gitdeploy.logs.watcher import Watcher


def read_execution(
    watcher: Watcher,
    directory: Path,
    *,
    after: str | None = None,
    follow: bool = False,
    tail: int | None = None,
) -> AsyncGenerator[list[OutputLine], None]:
    """Lines of one execution behind the cursor `after`, or its last `tail` ones.

    With `follow` also those still to come, until the execution has ended. Batches hold at most
    2000 lines or 1 MiB (one longer line stands alone). A last line without newline comes with the
    end. Raises NotFound where the directory isn't there, Invalid for a bad cursor.
    """
    return in_batches(_rounds(watcher, directory, after, follow, tail), line_batches)


def read_execution_blocks(
    watcher: Watcher,
    directory: Path,
    *,
    after: str | None = None,
    follow: bool = False,
    tail: int | None = None,
) -> AsyncGenerator[list[OutputBlock], None]:
    """As `read_execution`, the same lines in blocks, for who copies or encodes many at once."""
    return in_batches(_rounds(watcher, directory, after, follow, tail), block_batches)


@contextmanager
def blocks_of_execution(directory: Path, after: str | None) -> Iterator[Iterator[OutputBlock]]:
    """The blocks behind a cursor as they are on the disk now; may be used on any thread."""
    source = Source(directory, cursor.parse_execution(after))
    try:
        source.look()
        yield _found(source)
    finally:
        source.close()


async def _rounds(
    watcher: Watcher, directory: Path, after: str | None, follow: bool, tail: int | None
) -> AsyncGenerator[Iterator[OutputBlock], None]:
    """What each look at the execution finds; to be read before the next."""
    start = cursor.parse_execution(after)
    if not directory.is_dir():
        raise NotFound(f"There is no output of {directory.name}.")
    newest = tail if after is None else None
    if newest is not None:
        start = tail_start(directory / "stdout", newest), tail_start(directory / "stderr", newest)
    source = Source(directory, start)
    try:
        with watcher.follow(directory) if follow else nullcontext() as follower:
            while True:
                if follower is not None:
                    follower.clear()
                source.look()
                found = _found(source)
                yield found if newest is None else last(found, newest)
                newest = None
                if follower is None or source.ended or not await follower.wait():
                    return
    finally:
        source.close()


async def read_raw(
    watcher: Watcher,
    directory: Path,
    stream: Stream,
    *,
    follow: bool = False,
    after: int = 0,
) -> AsyncGenerator[bytes, None]:
    """Bytes of one stream from offset `after` on, as they were written, in pieces ≤ 256 KiB.

    Begins behind what was trimmed. With `follow` goes on until the execution has ended. Raises
    NotFound where the directory isn't there.
    """
    if not directory.is_dir():
        raise NotFound(f"There is no output of {directory.name}.")
    file = directory / stream
    fd = -1
    try:
        with watcher.follow(directory) if follow else nullcontext() as follower:
            while True:
                if follower is not None:
                    follower.clear()
                ended = has_ended(directory)
                if fd < 0 and file.exists():
                    fd = os.open(file, os.O_RDONLY | os.O_CLOEXEC)
                size = os.fstat(fd).st_size if fd >= 0 else 0
                if size < after:  # truncated: what is there is new
                    after = 0
                while after < size:
                    data = os.pread(fd, min(READ, size - after), after)
                    kept = read_trimmed(file).offset
                    if after < kept <= os.fstat(fd).st_size:  # a hole was punched there
                        after = kept
                    elif data:
                        after += len(data)
                        yield data
                        await asyncio.sleep(0)
                    else:
                        break
                if follower is None or ended or not await follower.wait():
                    return
    finally:
        if fd >= 0:
            os.close(fd)


def _found(source: Source) -> Iterator[OutputBlock]:
    """What this round has, in order."""
    while run := merge([source]):
        yield from run
