"""Run one command of a build: its output live, its time and its silence limited, its tree ended."""

from __future__ import annotations

import asyncio
import contextlib
import os
import shlex
import shutil
import tempfile
from collections import deque
from collections.abc import Coroutine, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from gitdeploy.deploy.builds.space import MAKE_ROOM, is_full, no_space
from gitdeploy.deploy.context import Context
from gitdeploy.deploy.errors import DeployError
from gitdeploy.errors import GitdeployError
from gitdeploy.events import Log
from gitdeploy.home import AppHome
from gitdeploy.logs import read_raw
from gitdeploy.repos.threads import in_thread
from gitdeploy.sandbox import Handle, Holders, Spec

T = TypeVar("T")

IDLE_SETTING = "SCM_COMMAND_IDLE_TIMEOUT"
_IDLE = 60.0
_TAIL = 20
_MAX_OUTPUT = 64 << 20  # bytes of output of one command; more is a build gone wild
_MAX_LINE = 8 << 10
_END_TO_BE = "end.json.new"
_END_SIZE = 256  # bytes, held ready in case that the build fills the disk
_LAST_LINES = 10.0  # seconds that reading the rest of the output may take
_LOOK = 1.0  # seconds between two looks at how far the output is


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """One program of a build. `shown` is what the pusher reads, by default the argv."""

    argv: tuple[str, ...]
    cwd: Path
    environment: dict[str, str]
    readonly: tuple[Path, ...] = ()
    writable: tuple[Path, ...] = ()
    shown: str | None = None


@dataclass(slots=True)
class _Limits:
    """When a build has to end, on the clock's monotonic time; both in seconds."""

    total: float
    idle: float
    deadline: float


@dataclass(slots=True)
class BuildRunner:
    """Runs the commands of one build one after the other; they share `build_timeout`."""

    ctx: Context
    _limits: _Limits = field(init=False)

    def __post_init__(self) -> None:
        total = self.ctx.tools.options.build_timeout
        deadline = self.ctx.tools.clock.monotonic() + total
        self._limits = _Limits(total, idle_timeout(self.ctx.config), deadline)

    async def run(self, command: Command) -> None:
        """Run to the end. Raises DeployError where it fails or passes a limit.

        However this ends, nothing of the command's process tree is left.
        """
        shown = command.shown or shlex.join(command.argv)
        self.ctx.log.info("build.command", command=shown)
        _use(self.ctx.paths.cache)
        directory = _directory(self.ctx.paths, self.ctx.release.number)
        tail: deque[str] = deque(maxlen=_TAIL)
        try:
            handle = await self._spawn(command, directory, shown)
            follower = asyncio.create_task(self._follow(directory, tail))
            try:
                passed = await self._watch(handle, directory / "stdout")
            finally:
                code = await to_the_end(self._end(handle, directory, follower))
        finally:
            await in_thread(lambda: shutil.rmtree(directory, ignore_errors=True))
        if passed is not None:
            what, fix = passed
            raise DeployError(f"{shown} {what}", fix, tail=tail)
        if code != 0:
            what = f"{shown} ended with {_exit(code)}"
            if (full := no_space(self.ctx.paths.root, tail)) is not None:
                await self._make_room()
                raise DeployError(f"{what}: {full}.", MAKE_ROOM, tail=tail)
            raise DeployError(f"{what}.", "Mend the build, commit and push again.", tail=tail)

    async def _make_room(self) -> None:
        """Give up what clients keep for later builds where nothing else can be written any more."""
        paths = self.ctx.paths
        if is_full(paths.root):
            await in_thread(lambda: shutil.rmtree(paths.cache, ignore_errors=True))

    async def _spawn(self, command: Command, directory: Path, shown: str) -> Handle:
        output = directory / "stdout"
        output.touch(mode=0o600)
        with (directory / _END_TO_BE).open("wb") as file:
            os.posix_fallocate(file.fileno(), 0, _END_SIZE)
        spec = Spec(
            argv=command.argv,
            cwd=command.cwd,
            directory=directory,
            stdout=output,
            stderr=output,
            environment=command.environment,
            readonly=command.readonly,
            writable=command.writable,
        )
        holders = self.ctx.tools.holders
        starting = asyncio.create_task(holders.spawn(spec))
        try:
            return await asyncio.shield(starting)
        except GitdeployError as error:
            raise DeployError(f"{shown} can't be started: {error.what}", error.fix) from error
        except asyncio.CancelledError:
            await to_the_end(_take_back(starting, holders))
            raise

    async def _watch(self, handle: Handle, output: Path) -> tuple[str, str] | None:
        """Wait for the end; what limit was passed (and what to do) where one was."""
        clock, limits = self.ctx.tools.clock, self._limits
        ended = asyncio.ensure_future(self.ctx.tools.holders.wait(handle))
        size, spoke = 0, clock.monotonic()
        try:
            while not ended.done():
                now = clock.monotonic()
                length = output.stat().st_size
                if length != size:
                    size, spoke = length, now
                if now >= limits.deadline:
                    return (
                        f"ran for longer than {limits.total:g} s.",
                        "Make the build shorter, or raise the server's option build_timeout.",
                    )
                if now - spoke >= limits.idle:
                    return (
                        f"wrote nothing for {limits.idle:g} s.",
                        f"Let it tell its progress, or raise the app setting {IDLE_SETTING}.",
                    )
                if size > _MAX_OUTPUT:
                    return (
                        f"wrote more than {_MAX_OUTPUT >> 20} MiB of output.",
                        "Let it tell less.",
                    )
                pause = min(_LOOK, limits.deadline - now, limits.idle - (now - spoke))
                timer = asyncio.ensure_future(clock.sleep(pause))
                try:
                    await asyncio.wait({ended, timer}, return_when=asyncio.FIRST_COMPLETED)
                finally:
                    timer.cancel()
            return None
        finally:
            ended.cancel()

    async def _end(
        self, handle: Handle, directory: Path, follower: asyncio.Task[None]
    ) -> int | None:
        """End what is left of the tree, let the reader come to the end of the output."""
        await self.ctx.tools.holders.kill_tree(handle)
        code = await self.ctx.tools.holders.wait(handle)
        end = {"exit_code": code, "ended_at": self.ctx.tools.clock.now()}
        with contextlib.suppress(OSError):  # the reader is given up on below
            with (directory / _END_TO_BE).open("r+b") as file:
                file.truncate(file.write(msgspec.json.encode(end)))
            (directory / _END_TO_BE).rename(directory / "end.json")
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(follower, _LAST_LINES)
        return code

    async def _follow(self, directory: Path, tail: deque[str]) -> None:
        """Hand every line of the output on as an event while it is written."""
        watcher = self.ctx.tools.watcher
        rest = b""
        async for chunk in read_raw(watcher, directory, "stdout", follow=True):
            *lines, rest = (rest + chunk).split(b"\n")
            for line in lines:
                _emit(self.ctx.log, line, tail)
            while len(rest) > _MAX_LINE:
                _emit(self.ctx.log, rest[:_MAX_LINE], tail)
                rest = rest[_MAX_LINE:]
        if rest:
            _emit(self.ctx.log, rest, tail)


def idle_timeout(config: Mapping[str, str]) -> float:
    """Seconds that a command may be silent. Raises DeployError where the setting is no number."""
    value = config.get(IDLE_SETTING.lower(), "").strip()
    if not value:
        return _IDLE
    try:
        seconds = float(value)
    except ValueError:
        seconds = -1.0
    if not 0 < seconds < 1e9:
        raise DeployError(f"{IDLE_SETTING} = {value}: it isn't a number of seconds.", "Set 60.")
    return seconds


async def reap_builds(paths: AppHome, holders: Holders) -> None:
    """End what a build left that the server's own end cut off, and remove its directories."""
    for directory in sorted(_builds(paths).glob("*")):
        handle = holders.find(directory)
        if handle is not None:
            await holders.kill_tree(handle)
        await asyncio.to_thread(shutil.rmtree, directory, ignore_errors=True)


async def to_the_end(work: Coroutine[Any, Any, T]) -> T:
    """Do it whole, however often the caller is cancelled meanwhile; that comes after."""
    task = asyncio.ensure_future(work)
    cancelled: asyncio.CancelledError | None = None
    while not task.done():
        try:
            await asyncio.wait({task})
        except asyncio.CancelledError as error:
            cancelled = error
    if cancelled is not None:
        if not task.cancelled():
            task.exception()  # seen: the cancellation goes first
        raise cancelled
    return task.result()


async def _take_back(starting: asyncio.Task[Handle], holders: Holders) -> None:
    """End what was being started; what is half started can't be ended."""
    await asyncio.wait({starting})
    if not starting.cancelled() and starting.exception() is None:
        await holders.kill_tree(starting.result())


def _emit(log: Log, line: bytes, tail: deque[str]) -> None:
    text = line.removesuffix(b"\r").decode("utf-8", "backslashreplace")
    tail.append(text)
    log.debug("build.output", line=text, stream="stdout")


def _use(home: Path) -> None:
    """HOME of builds is there, and its time says when it was last used (prune.py)."""
    home.mkdir(mode=0o700, parents=True, exist_ok=True)
    os.utime(home)


def _directory(paths: AppHome, release: int) -> Path:
    builds = _builds(paths)
    builds.mkdir(mode=0o700, exist_ok=True)
    return Path(tempfile.mkdtemp(prefix=f"{release}-", dir=builds))


def _builds(paths: AppHome) -> Path:
    return paths.root / "builds"


def _exit(code: int | None) -> str:
    if code is None:
        return "an unknown exit code"
    return f"signal {code - 128}" if 128 < code < 193 else f"exit code {code}"
