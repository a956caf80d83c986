"""Runs pre-receive, update and post-receive as git does (githooks(5)): the operator's of the
whole server first, then the repository's own; what they print goes to the client line by line."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import io
import os
import signal
from collections.abc import Awaitable, Callable, Mapping, Sequence
from pathlib import Path

from gitdeploy.repos import layout
from gitdeploy.repos.environment import git_environment
from gitdeploy.repos.reflog import identity
from gitdeploy.repos.types import Caller, RefUpdate

Line = Callable[[str], Awaitable[None]]
_LONGEST = 60_000
_LINGER = 1.0
"""Seconds that output is still read after a hook ended: a daemon it left may hold the pipe."""


class Hooks:
    """The hooks of one repository."""

    def __init__(self, repository: Path, server: Path) -> None:
        self._repository = repository
        self._places = (server, repository / "hooks")
        self._delivered: dict[str, bytes] = {}

    def find(self, name: str) -> list[Path]:
        """The executables to run for this hook, in order."""
        found = []
        for place in self._places:
            hook = place / name
            if hook.is_file() and os.access(hook, os.X_OK) and not self._idle(hook):
                found.append(hook)
        return found

    def _idle(self, hook: Path) -> bool:
        """A hook as we delivered it runs what is in NAME.d: with nothing there it isn't started.

        Saves three processes on each push.
        """
        if not self._delivered:
            for source in (layout.hooks_source() / "repository").iterdir():
                self._delivered[source.name] = source.read_bytes()
        if hook.read_bytes() != self._delivered.get(hook.name):
            return False
        extra = hook.with_name(hook.name + ".d")
        return not extra.is_dir() or not any(os.access(p, os.X_OK) for p in extra.iterdir())

    async def pre_receive(
        self, updates: Sequence[RefUpdate], environment: Mapping[str, str], line: Line
    ) -> bool:
        """Whether the push may go on."""
        return await self._with_input("pre-receive", updates, environment, line, stop=True)

    async def update(
        self,
        hooks: Sequence[Path],
        update: RefUpdate,
        environment: Mapping[str, str],
        line: Line,
    ) -> bool:
        """Whether this ref may move; `hooks` is what `find` gave, once for all refs."""
        for hook in hooks:
            arguments = (update.ref, update.old, update.new)
            if await self._run(hook, arguments, b"", environment, line):
                return False
        return True

    async def post_receive(
        self, updates: Sequence[RefUpdate], environment: Mapping[str, str], line: Line
    ) -> None:
        """Tell what moved; nobody can refuse any more."""
        await self._with_input("post-receive", updates, environment, line, stop=False)

    async def _with_input(
        self,
        name: str,
        updates: Sequence[RefUpdate],
        environment: Mapping[str, str],
        line: Line,
        *,
        stop: bool,
    ) -> bool:
        data = "".join(f"{u.old} {u.new} {u.ref}\n" for u in updates).encode()
        for hook in self.find(name):
            if await self._run(hook, (), data, environment, line) and stop:
                return False
        return True

    async def _run(
        self,
        hook: Path,
        arguments: Sequence[str],
        data: bytes,
        environment: Mapping[str, str],
        line: Line,
    ) -> int:
        """The hook's exit code, 128 + N where signal N ended it."""
        command = [str(hook), *arguments]
        try:
            child, output = await self._spawn(command, data, environment)
        except OSError as error:
            if error.errno != errno.ENOEXEC:
                await line(f"error: cannot run {hook}: {error.strerror}")
                return 126
            # a script without #!, which git gives to the shell
            child, output = await self._spawn(["/bin/sh", *command], data, environment)
        reading = asyncio.create_task(_read(output, line), name="hook-output")
        try:
            code = await child.wait()
            await asyncio.wait({reading}, timeout=_LINGER)
            if reading.done():
                await reading  # what went wrong in there is raised here
        except BaseException:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(child.pid, signal.SIGKILL)
            raise
        finally:
            reading.cancel()
            await asyncio.wait({reading})
            output.close()
        return code if code >= 0 else 128 - code

    async def _spawn(
        self, command: Sequence[str], data: bytes, environment: Mapping[str, str]
    ) -> tuple[asyncio.subprocess.Process, io.FileIO]:
        """The child, and the end of the pipe that it prints into.

        Its input is a file in memory, so that one who doesn't read it is none the worse. Pipes of
        asyncio's own would make `wait` wait for whoever else holds them (python/cpython#119710).
        """
        output, printed = os.pipe2(os.O_CLOEXEC)
        updates = os.memfd_create("updates")
        try:
            with open(updates, "wb", closefd=False) as file:
                file.write(data)
            os.lseek(updates, 0, os.SEEK_SET)
            child = await asyncio.create_subprocess_exec(
                *command,
                cwd=self._repository,
                env=environment,
                stdin=updates,
                stdout=printed,
                stderr=printed,
                start_new_session=True,
            )
        except BaseException:
            os.close(output)
            raise
        finally:
            os.close(updates)
            os.close(printed)
        return child, io.FileIO(output)


def hook_environment(
    repository: Path,
    caller: Caller,
    options: Sequence[str] | None,
    quarantine: Mapping[str, str] | None,
) -> dict[str, str]:
    """A hook's variables: git-receive-pack(1)'s, git-http-backend(1)'s, none of ours."""
    name, address = identity(caller)
    environment = {
        **git_environment(repository),
        "GIT_DIR": ".",
        "REMOTE_USER": caller.who,
        "REMOTE_ADDR": caller.address,
        "GIT_COMMITTER_NAME": name,
        "GIT_COMMITTER_EMAIL": address,
        **(quarantine or {}),
    }
    # a hook may well write: what only our own reading children need isn't for it
    del environment["GIT_OPTIONAL_LOCKS"]
    if options is not None:
        environment["GIT_PUSH_OPTION_COUNT"] = str(len(options))
        for number, option in enumerate(options):
            environment[f"GIT_PUSH_OPTION_{number}"] = option
    return environment


async def _read(output: io.FileIO, line: Line) -> None:
    """Give every line on as soon as it is whole; a carriage return ends one too (progress)."""
    reader = asyncio.StreamReader()
    pipe, _ = await asyncio.get_running_loop().connect_read_pipe(
        lambda: asyncio.StreamReaderProtocol(reader), output
    )
    try:
        await _read_lines(reader, line)
    finally:
        pipe.close()


async def _read_lines(reader: asyncio.StreamReader, line: Line) -> None:
    rest = b""
    while chunk := await reader.read(65536):
        data = (rest + chunk).replace(b"\r\n", b"\n")
        held = data.endswith(b"\r")  # perhaps the half of a \r\n
        *lines, rest = data.removesuffix(b"\r").replace(b"\r", b"\n").split(b"\n")
        rest += b"\r" if held else b""
        for text in lines:
            await line(text.decode("utf-8", "replace"))
        if len(rest) > _LONGEST:
            await line(rest.decode("utf-8", "replace"))
            rest = b""
    if rest:
        await line(rest.removesuffix(b"\r").decode("utf-8", "replace"))
