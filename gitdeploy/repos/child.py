"""git as a child process that serves or tends a repository: where it is, how it is started, how it
is ended with everything that it has started itself."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
from asyncio.subprocess import DEVNULL, PIPE, Process
from contextlib import suppress
from pathlib import Path

from gitdeploy.repos.environment import git_environment
from gitdeploy.repos.types import HIDDEN

_READ_AHEAD = 1 << 20


def git_program() -> str | None:
    """The path of git, or None where it isn't installed."""
    return shutil.which("git")


async def start_git(
    program: str, repository: Path, *arguments: str, protocol: int = 0, gently: bool = False
) -> Process:
    """Start git on a bare repository, in a session of its own, its three streams as pipes.

    `protocol` is the client's protocol version, `gently` runs it at the lowest priority for the
    processor and the disk. Raises OSError.
    """
    environment = git_environment(repository)
    if protocol:
        environment["GIT_PROTOCOL"] = f"version={protocol}"
    hide = f"transfer.hideRefs={HIDDEN.rstrip('/')}"
    command = (program, "-c", hide, *arguments)
    if gently:
        command = (*_gently(), *command)
    return await asyncio.create_subprocess_exec(
        *command,
        stdin=DEVNULL if gently else PIPE,
        stdout=PIPE,
        stderr=PIPE,
        cwd=repository,
        env=environment,
        start_new_session=True,
        limit=_READ_AHEAD,
    )


async def end(process: Process) -> None:
    """Kill the child with all of its session and reap it; harmless once it has ended."""
    if process.returncode is None:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
    await process.wait()


def _gently() -> tuple[str, ...]:
    found = {name: path for name in ("nice", "ionice") if (path := shutil.which(name))}
    prefix: tuple[str, ...] = ()
    if "ionice" in found:
        prefix += (found["ionice"], "-c", "3")
    if "nice" in found:
        prefix += (found["nice"], "-n", "19")
    return prefix
