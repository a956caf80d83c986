"""The asking side of a fetch over the pipes of a child: `ssh`, or `git upload-pack` right here."""

from __future__ import annotations

import asyncio
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from pathlib import Path

from gitdeploy.repos.asking import (
    Advertised,
    broke_off,
    read_advertisement,
    read_pack,
    request,
    said,
    silent,
)
from gitdeploy.repos.child import end, git_program
from gitdeploy.repos.environment import git_environment
from gitdeploy.repos.location import FetchError, FileLocation, Source
from gitdeploy.repos.pktline import FLUSH, PktError, PktReader

_CHUNK = 1 << 16
_SILENCE = 120.0  # seconds; as over HTTP
_WHOLE = 3600.0
_WORDS = 4096
_LAST = 10.0  # seconds for the child's own end
_GOODBYE = 0.5

Explain = Callable[[str], FetchError]
"""Why the child said nothing on its standard output, from what it said on standard error."""


class PipedRemote:
    """A repository behind a child's standard streams; use with `async with over_pipes(…)`."""

    def __init__(self, process: Process, location: Source, explain: Explain) -> None:
        self._process = process
        self._location = location
        self._explain = explain
        self._words = bytearray()
        self._listening = asyncio.create_task(self._listen(), name="fetch stderr")
        self._reader = PktReader(self._chunks())
        self._heard = False

    async def advertised(self) -> Advertised:
        """Read the refs that the other side tells unasked. Raises FetchError."""
        with self._understood():
            return await read_advertisement(self._reader, self._location)

    async def pack(
        self, offer: Advertised, want: Sequence[str], have: Sequence[str]
    ) -> AsyncGenerator[bytes, None]:
        """The pack with all that `want` needs and `have` lacks, in pieces. Raises FetchError."""
        assert self._process.stdin is not None
        with self._understood():
            self._process.stdin.write(request(offer, want, have))
            await self._process.stdin.drain()
            async for piece in read_pack(self._reader, self._location):
                yield piece

    async def close(self) -> None:
        """Say goodbye where nothing was wanted, and end the child whatever it does."""
        stdin, stdout = self._process.stdin, self._process.stdout
        assert stdin is not None and stdout is not None
        if self._process.returncode is None:
            with suppress(OSError):
                stdin.write(FLUSH)
        stdin.close()
        # asyncio sees a child's end only once its pipes were read to theirs (cpython 119710)
        draining = asyncio.create_task(_drain(stdout), name="fetch stdout")
        with suppress(TimeoutError):
            async with asyncio.timeout(_GOODBYE):
                await self._process.wait()
        await end(self._process)
        draining.cancel()
        await asyncio.gather(draining, return_exceptions=True)
        self._listening.cancel()
        await asyncio.gather(self._listening, return_exceptions=True)

    async def _chunks(self) -> AsyncIterator[bytes]:
        assert self._process.stdout is not None
        while True:
            async with asyncio.timeout(_SILENCE):
                chunk = await self._process.stdout.read(_CHUNK)
            if not chunk:
                if not self._heard:
                    raise await self._nothing()
                return
            self._heard = True
            yield chunk

    async def _nothing(self) -> FetchError:
        """The child ended, or is about to, without a word on its standard output."""
        with suppress(TimeoutError):
            async with asyncio.timeout(_LAST):
                await self._listening
                await self._process.wait()
        return self._explain(self._words.decode("utf-8", "replace"))

    async def _listen(self) -> None:
        """Standard error to its end; the first words are kept."""
        assert self._process.stderr is not None
        while chunk := await self._process.stderr.read(_CHUNK):
            self._words += chunk[: max(0, _WORDS - len(self._words))]

    def _understood(self) -> _Understood:
        return _Understood(self._location)


class _Understood:
    """Turns what can go wrong with pipes into a FetchError."""

    def __init__(self, location: Source) -> None:
        self._location = location

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if isinstance(error, TimeoutError):
            raise silent(self._location) from error
        if isinstance(error, PktError):
            raise broke_off(self._location, error.what) from error
        if isinstance(error, OSError):
            raise broke_off(self._location) from error


@asynccontextmanager
async def over_pipes(
    argv: Sequence[str],
    location: Source,
    *,
    env: Mapping[str, str],
    cwd: Path,
    explain: Explain,
) -> AsyncIterator[PipedRemote]:
    """Start the child in a session of its own and end it with all that it has started."""
    try:
        process = await asyncio.create_subprocess_exec(
            *argv,
            stdin=PIPE,
            stdout=PIPE,
            stderr=PIPE,
            cwd=cwd,
            env=dict(env),
            start_new_session=True,
            limit=1 << 18,
        )
    except OSError as error:
        raise FetchError(f"{argv[0]} can't be started: {error.strerror}.") from error
    remote = PipedRemote(process, location, explain)
    try:
        async with asyncio.timeout(_WHOLE) as whole:
            yield remote
    except TimeoutError:
        if whole.expired():
            raise silent(location) from None
        raise
    finally:
        await remote.close()


@asynccontextmanager
async def over_files(location: FileLocation, *, outside: Path) -> AsyncIterator[PipedRemote]:
    """A repository on this machine's disk, anywhere but below the server's home `outside`."""
    program = git_program()
    if program is None:
        raise FetchError("git isn't installed, which file:// needs.", "Install git.")
    path = await asyncio.to_thread(_resolved, location)
    if path.is_relative_to(outside.resolve()):
        raise FetchError(f"{location} is in the server's home.", "Fetch it over HTTP with a token.")
    dot_git = path / ".git"
    environment = git_environment(dot_git if dot_git.is_dir() else path)
    del environment["GIT_DIR"]
    argv = (program, "upload-pack", "--strict", "--timeout=120", "--", str(path))
    if dot_git.is_dir():
        argv = (*argv[:-1], str(dot_git))

    def explain(words: str) -> FetchError:
        return FetchError(f"{location} can't be read: {first_words(words)}.", "Is it a repository?")

    async with over_pipes(argv, location, env=environment, cwd=Path("/"), explain=explain) as it:
        yield it


async def _drain(stream: asyncio.StreamReader) -> None:
    with suppress(OSError):
        while await stream.read(_CHUNK):
            pass


def _resolved(location: FileLocation) -> Path:
    path = Path(location.path).resolve()
    if not path.is_dir():
        raise FetchError(f"{location} isn't a directory here.", "Write file:///PATH.")
    return path


def first_words(words: str) -> str:
    """The line of a program's complaint that says most."""
    lines = [said(line.encode()) for line in words.splitlines() if line.strip()]
    telling = [line for line in lines if line.lower().startswith(("error:", "fatal:", "remote:"))]
    return (telling or lines[-1:] or ["it says nothing"])[0].rstrip(".")
