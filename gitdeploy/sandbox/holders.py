"""`Holders`: the level that new processes get, and hands for the handles of every level."""

from __future__ import annotations

import os
from collections.abc import Hashable, Mapping
from pathlib import Path

import msgspec

from gitdeploy.config import IsolationLevel
from gitdeploy.events import Log
from gitdeploy.sandbox import held, procfs
from gitdeploy.sandbox.bubblewrap import Bubblewrap
from gitdeploy.sandbox.errors import SandboxError
from gitdeploy.sandbox.launch import Launcher, complete_environment, program
from gitdeploy.sandbox.none import NoIsolation
from gitdeploy.sandbox.port import Handle, Spec
from gitdeploy.sandbox.process import ProcessIsolation
from gitdeploy.sandbox.shell import plain
from gitdeploy.sandbox.standby import Standby, Stock, shown

STRICTEST_FIRST: tuple[IsolationLevel, ...] = ("sandbox", "process", "none")


class Holders:
    """An Isolation of the chosen level that also operates handles which other levels made.

    `report` has for each level "ok" or the reason why it doesn't work here (for /readyz).
    """

    def __init__(
        self,
        launcher: Launcher,
        levels: Mapping[IsolationLevel, NoIsolation | ProcessIsolation | Bubblewrap],
        level: IsolationLevel,
        report: Mapping[IsolationLevel, str],
    ) -> None:
        self._launcher = launcher
        self._levels = dict(levels)
        self.level: IsolationLevel = level
        self.report: dict[IsolationLevel, str] = dict(report)
        self._stock = Stock()

    async def probe(self) -> str | None:
        """The chosen level was probed when it was chosen."""
        reason = self.report[self.level]
        return None if reason == "ok" else reason

    async def spawn(self, spec: Spec, *, level: IsolationLevel | None = None) -> Handle:
        """Start at the chosen level, or at `level`. Raises SpawnError."""
        if level is None and self._stock and spec.stdin is None:
            environment = complete_environment(spec)
            executable = program(spec, environment)
            fit = self._fit(spec, executable) if plain(environment) else None
            if (standby := await self._stock.take(fit)) is not None:
                complete = msgspec.structs.replace(spec, environment=environment)
                if (handle := standby.start(complete, executable)) is not None:
                    return handle
        spec.directory.mkdir(parents=True, mode=0o700, exist_ok=True)
        return await self._levels[level or self.level].spawn(spec)

    async def prepare(self, spec: Spec) -> bool:
        """Have a holder stand by for the next start that is like this one at the chosen level.

        Alike are program, working directory and what is shown; arguments and environment may
        differ then. `spec.directory` becomes the started one's. False where nothing new stands by:
        at level process, with variables that a shell changes, or as one does already. Raises
        SpawnError.
        """
        level = self._levels[self.level]
        environment = complete_environment(spec)
        if isinstance(level, ProcessIsolation) or not plain(environment):
            return False
        fit = self._fit(spec, program(spec, environment))
        if fit is None or fit in self._stock:
            return False
        with self._stock.coming(fit):
            spec.directory.mkdir(parents=True, mode=0o700)
            reading, writing = os.pipe()
            try:
                handle = await level.spawn(spec, wait=reading)
            except BaseException:
                os.close(writing)
                raise
            finally:
                os.close(reading)
            complete = msgspec.structs.replace(spec, environment=environment)
            self._stock.put(fit, Standby(complete, handle, writing))
        return True

    def dismiss(self, below: Path | None = None) -> None:
        """Send away what stands by, all or what has its directory below that one."""
        self._stock.drop(below)

    def _fit(self, spec: Spec, executable: str) -> Hashable | None:
        level = self._levels[self.level]
        copies = level.copies() if isinstance(level, Bubblewrap) else ()
        try:
            return executable, shown(spec), copies
        except OSError:
            return None

    def alive(self, handle: Handle) -> bool:
        """Whether the job's own process still runs."""
        return self._levels[handle.level].alive(handle)

    async def wait(self, handle: Handle) -> int | None:
        """Wait for the end; exit code, 128 + N, or None where it was lost."""
        return await self._levels[handle.level].wait(handle)

    def terminate(self, handle: Handle) -> None:
        """SIGTERM to the job's process group."""
        self._levels[handle.level].terminate(handle)

    async def kill_tree(self, handle: Handle) -> None:
        """SIGKILL to the whole tree; returns when none is left."""
        await self._levels[handle.level].kill_tree(handle)

    def find(self, directory: Path) -> Handle | None:
        """The handle of what was started in this directory, when the server died before it
        stored one. None where nothing was started there in this boot.
        """
        record = held.read(directory)
        if record is None or record.boot_id != procfs.boot_id():
            return None
        outer = procfs.find(record.outer, record.outer_start)
        if outer is not None and outer.runs:
            return self._levels[record.level].found(directory, outer)
        return Handle(
            level=record.level,
            boot_id=record.boot_id,
            holder=record.outer,
            holder_start=record.outer_start,
            pid=0,
            pid_start=0,
            directory=str(directory),
        )

    async def close(self) -> None:
        """Stop reaping; what runs goes on running, what stands by goes."""
        self.dismiss()
        await self._launcher.close()


async def choose(level: IsolationLevel | None, log: Log) -> Holders:
    """Probe every level and settle on `level`, or on the strictest that works.

    Raises SandboxError where the level asked for doesn't work here.
    """
    launcher = Launcher()
    levels: dict[IsolationLevel, NoIsolation | ProcessIsolation | Bubblewrap] = {
        "sandbox": Bubblewrap(launcher),
        "process": ProcessIsolation(launcher),
        "none": NoIsolation(launcher),
    }
    report: dict[IsolationLevel, str] = {
        name: await levels[name].probe() or "ok" for name in STRICTEST_FIRST
    }
    works = [name for name in STRICTEST_FIRST if report[name] == "ok"]
    if level is not None and level not in works:
        await launcher.close()
        raise SandboxError(
            f"isolation = {level} can't be had here: {report[level]}.",
            f"Install what is missing, or set isolation to one of: {', '.join(works)}.",
        )
    if not works:
        await launcher.close()
        raise SandboxError("No process can be started here: " + report["none"] + ".")
    chosen = level or works[0]
    log.info("isolation.chosen", isolation=chosen, asked=level, report=dict(report))
    return Holders(launcher, levels, chosen, report)
