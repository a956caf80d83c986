"""Holders that stand by: started ahead, their job's process waits at a pipe for what to run.

Namespaces, mounts and shells cost milliseconds; a job that runs again has them ready. What is
started has a directory of its own, with its `held.json`, which becomes the execution's by
rename(2) before the word to run goes into the pipe: a server killed in between leaves nothing
unrecorded. Nobody else holds the pipe's other end, so whoever waits goes when the server ends.
"""

from __future__ import annotations

import asyncio
import os
import shlex
import shutil
from collections.abc import Hashable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import msgspec

from gitdeploy.sandbox import procfs
from gitdeploy.sandbox.errors import SpawnError
from gitdeploy.sandbox.port import Handle, Spec

WAITER = (
    "/bin/sh",
    "-c",
    '. /dev/stdin\necho "The server ended before it said what to run." >&2\nexit 126',
)
"""What the waiting process is; the text it reads replaces it by the job's program."""

MOST_STANDING = 8
"""So many holders stand by at most."""
_IDLE_LIMIT = 600.0
_PIPE = 60_000
"""Less than a pipe holds (64 KiB): writing never waits."""


class Standby:
    """One holder that waits; `spec` is the complete one that it was started for."""

    def __init__(self, spec: Spec, handle: Handle, pipe: int) -> None:
        self._spec = spec
        self._handle = handle
        self._pipe = pipe

    @property
    def directory(self) -> Path:
        """Where it waits."""
        return self._spec.directory

    def start(self, spec: Spec, program: str) -> Handle | None:
        """Let it run `spec`, whose environment is complete; None where it can't (any more).

        Raises SpawnError where it ended at that very moment.
        """
        text = _instructions(spec, program, self._spec.environment)
        if len(text) > _PIPE or not procfs.alive(self._handle.pid, self._handle.pid_start):
            self.close()
            return None
        try:
            self.directory.rename(spec.directory)  # an empty one may be there
        except OSError:
            self.close()
            return None
        try:
            os.write(self._pipe, text)
        except BrokenPipeError as error:
            raise SpawnError(f"{spec.argv[0]} can't be started: its holder was killed.") from error
        finally:
            os.close(self._pipe)
        return msgspec.structs.replace(self._handle, directory=str(spec.directory))

    def close(self) -> None:
        """Send it away."""
        os.close(self._pipe)
        shutil.rmtree(self.directory, ignore_errors=True)


class Stock:
    """The holders that stand by, a few of them: those longest unused go first."""

    def __init__(self) -> None:
        self._waiting: dict[Hashable, tuple[Standby, asyncio.TimerHandle]] = {}
        self._coming: dict[Hashable, asyncio.Future[None]] = {}

    def __bool__(self) -> bool:
        return bool(self._waiting or self._coming)

    def __contains__(self, fit: Hashable) -> bool:
        return fit in self._waiting or fit in self._coming

    @contextmanager
    def coming(self, fit: Hashable) -> Iterator[None]:
        """While this is open, who asks for the `fit` waits: sooner there than one begun anew."""
        done = self._coming[fit] = asyncio.get_running_loop().create_future()
        try:
            yield
        finally:
            del self._coming[fit]
            done.set_result(None)

    def put(self, fit: Hashable, standby: Standby) -> None:
        """Keep it for whoever asks for this `fit`, for ten minutes."""
        self._drop(fit)
        if len(self._waiting) >= MOST_STANDING:
            self._drop(next(iter(self._waiting)))
        timer = asyncio.get_running_loop().call_later(_IDLE_LIMIT, self._drop, fit)
        self._waiting[fit] = standby, timer

    async def take(self, fit: Hashable) -> Standby | None:
        """The one that fits, no longer kept here."""
        if (coming := self._coming.get(fit)) is not None:
            await asyncio.wait({coming})
        return self._take(fit)

    def _take(self, fit: Hashable) -> Standby | None:
        found = self._waiting.pop(fit, None)
        if found is None:
            return None
        found[1].cancel()
        return found[0]

    def drop(self, below: Path | None = None) -> None:
        """Send all away, or those whose directories lie below that one."""
        for fit, (standby, _) in list(self._waiting.items()):
            if below is None or standby.directory.is_relative_to(below):
                self._drop(fit)

    def _drop(self, fit: Hashable) -> None:
        standby = self._take(fit)
        if standby is not None:
            standby.close()


def shown(spec: Spec) -> Hashable:
    """What of a spec can't be changed once it stands by: where it is, and what it sees.

    Which files those are counts, not just their names: a bind mount goes on showing what was
    there. Raises OSError where one is missing.
    """
    paths = (spec.cwd, *spec.readonly, *spec.writable)
    found = (os.stat(path) for path in paths)  # noqa: PTH116 - on the way to a start
    inodes = tuple((status.st_dev, status.st_ino) for status in found)
    return spec.cwd, spec.readonly, spec.writable, inodes


def _instructions(spec: Spec, program: str, have: Mapping[str, str]) -> bytes:
    """Lines for the waiting shell; in braces, so that a text that was cut off does nothing."""
    want = spec.environment
    # a shell that isn't dash adds these
    lines = ["{", " ".join(["unset OLDPWD SHLVL", *(name for name in have if name not in want)])]
    lines += [
        f"export {name}={shlex.quote(value)}"
        for name, value in want.items()
        if have.get(name) != value
    ]
    lines.append(f"exec {shlex.join((program, *spec.argv[1:]))} </dev/null")
    lines.append("}\n")
    return os.fsencode("\n".join(lines))
