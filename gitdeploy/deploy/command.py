"""One command of a client's in an app's files, run as a build is: isolated, limited, ended whole.

It sees Kudu's home as far as it is files here: `site/wwwroot` (the active release, not to be
changed) and `data`. The rest of that home is written when it is read and isn't there for commands.
"""

from __future__ import annotations

import asyncio
import os
import re
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path

import msgspec

from gitdeploy.clock import Clock
from gitdeploy.config import Options
from gitdeploy.deploy.builds.environment import search_path
from gitdeploy.deploy.builds.runner import IDLE_SETTING, idle_timeout
from gitdeploy.errors import Conflict, Invalid, NotFound
from gitdeploy.home import AppHome, Home
from gitdeploy.sandbox import Handle, Holders, Spec
from gitdeploy.store import Release, Store

MOST = 1 << 20
"""Bytes of each stream that are told; a command that writes more is ended."""
_LOOK = 0.05  # seconds: what writes as fast as it can fills the disk in between
_FAILED = -1  # Kudu's exit code where there is none
_DRIVE = re.compile(r"\A[A-Za-z]:")


class CommandResult(msgspec.Struct, frozen=True):
    """What came of it. `error` ends with a sentence where a limit was passed; then, or where the
    status was lost, `exit_code` is -1.
    """

    output: str
    error: str
    exit_code: int


@dataclass(frozen=True, slots=True)
class Commands:
    """Runs commands; nothing of one outlives its run."""

    home: Home
    store: Store
    holders: Holders
    clock: Clock
    options: Options

    async def run(self, app: str, command: str, directory: str) -> CommandResult:
        """Run a line of shell in a directory named as vfs names it ("" is Kudu's home).

        It has `build_timeout` in all and SCM_COMMAND_IDLE_TIMEOUT without output. Raises Invalid
        or NotFound where the directory can't be, SpawnError where it can't be started, Conflict where
        the app is deleted meanwhile.
        """
        paths = self.home.app(app)
        settings = await self.store.apps.settings(app)
        idle = idle_timeout({key.lower(): value for key, value in settings.items()})
        release = await self.store.releases.active(app)
        place = _Place(paths, release, await asyncio.to_thread(_make_place, paths, release))
        try:
            spec = place.spec(command, place.find(directory), settings)
            result = await self._run(spec, idle)
        except FileNotFoundError as error:
            await self._check_there(app, error)
            raise
        finally:
            await asyncio.to_thread(shutil.rmtree, place.directory, ignore_errors=True)
        await self._check_there(app)
        return result

    async def _check_there(self, app: str, error: OSError | None = None) -> None:
        """Raises Conflict where the app is gone: all that is its own is ended and removed then."""
        if await self.store.apps.get(app) is None:
            raise Conflict(f"{app} was deleted, and the command ended with it.") from error

    async def _run(self, spec: Spec, idle: float) -> CommandResult:
        for file in (spec.stdout, spec.stderr):
            file.touch(mode=0o600)
        handle = await self._spawn(spec)
        try:
            passed = await self._watch(handle, spec, idle)
        finally:
            code = await asyncio.shield(self._end(handle))
        output, error = (_text(file) for file in (spec.stdout, spec.stderr))
        if passed is None:
            return CommandResult(output, error, _FAILED if code is None else code)
        gap = "\n" if error and not error.endswith("\n") else ""
        return CommandResult(output, f"{error}{gap}The command {passed}\n", _FAILED)

    async def _spawn(self, spec: Spec) -> Handle:
        starting = asyncio.create_task(self.holders.spawn(spec))
        try:
            return await asyncio.shield(starting)
        except asyncio.CancelledError:
            await asyncio.wait({starting})  # what is half started can't be ended
            if starting.exception() is None:
                await self.holders.kill_tree(starting.result())
            raise

    async def _watch(self, handle: Handle, spec: Spec, idle: float) -> str | None:
        """Wait for the end; which limit was passed, where one was."""
        clock, total = self.clock, self.options.build_timeout
        ended = asyncio.ensure_future(self.holders.wait(handle))
        began = spoke = clock.monotonic()
        sizes = (0, 0)
        try:
            while not ended.done():
                now = clock.monotonic()
                seen = (spec.stdout.stat().st_size, spec.stderr.stat().st_size)
                if seen != sizes:
                    sizes, spoke = seen, now
                if max(sizes) > MOST:
                    return f"wrote more than {MOST >> 20} MiB and was ended."
                if now - began >= total:
                    return f"ran for longer than {total:g} s (build_timeout) and was ended."
                if now - spoke >= idle:
                    return f"wrote nothing for {idle:g} s ({IDLE_SETTING}) and was ended."
                timer = asyncio.ensure_future(clock.sleep(_LOOK))
                try:
                    await asyncio.wait({ended, timer}, return_when=asyncio.FIRST_COMPLETED)
                finally:
                    timer.cancel()
            return None
        finally:
            ended.cancel()

    async def _end(self, handle: Handle) -> int | None:
        await self.holders.kill_tree(handle)
        return await self.holders.wait(handle)


@dataclass(frozen=True, slots=True)
class _Place:
    """Where one command runs: `directory` is its own, with `home` in it."""

    paths: AppHome
    release: Release | None
    directory: Path

    @property
    def home(self) -> Path:
        return self.directory / "home"

    @property
    def root(self) -> Path | None:
        """The release that is shown."""
        return None if self.release is None else self.paths.release(self.release.number)

    def find(self, directory: str) -> Path:
        """The directory that a client names. Raises Invalid, NotFound."""
        parts = directory_parts(directory)
        found = Path(os.path.realpath(self.home.joinpath(*parts)))
        shown = [self.home, self.paths.data, *([self.root] if self.root else [])]
        inside = any(found.is_relative_to(os.path.realpath(each)) for each in shown)
        if not inside or not found.is_dir():
            raise NotFound(
                f"There is no directory {directory[:200]!r}.",
                "Name one below site/wwwroot or data, or none for the home above them.",
            )
        return self.home.joinpath(*parts)

    def spec(self, command: str, cwd: Path, settings: dict[str, str]) -> Spec:
        """What is to be started."""
        root, environment = self.root, None
        if self.release is not None and self.release.environment:
            environment = self.paths.environments / self.release.environment
        usable = {k: v for k, v in settings.items() if k and "=" not in k and "\0" not in k + v}
        path = usable.get("PATH") or search_path(os.environ)
        own = {"HOME": str(self.home), "WEBROOT_PATH": str(self.home / "site" / "wwwroot")}
        if environment is not None:
            own |= {"VIRTUAL_ENV": str(environment)}
            path = f"{environment / 'bin'}{os.pathsep}{path}"
        shown = [each for each in (root, environment) if each is not None]
        return Spec(
            argv=(shutil.which("bash", path=path) or "/bin/sh", "-c", command),
            cwd=cwd,
            directory=self.directory,
            stdout=self.directory / "stdout",
            stderr=self.directory / "stderr",
            environment={"LANG": "C.UTF-8", **usable, "PATH": path, **own},
            readonly=tuple(each for each in shown if each.is_dir()),
            writable=(self.home, self.paths.data),
        )


def directory_parts(directory: str) -> list[str]:
    """The names from Kudu's home down; `/home`, `D:\\home` and the like are dropped.

    Raises Invalid for a path that leads up.
    """
    path = _DRIVE.sub("", directory.strip().replace("\\", "/"), count=1)
    parts = [part for part in path.split("/") if part not in ("", ".")]
    if ".." in parts or "\0" in path or any(len(part) > 255 for part in parts):
        raise Invalid(f"The directory {directory[:200]!r} is refused.", "Name it without '..'.")
    return parts[1:] if parts[:1] == ["home"] else parts


def _make_place(paths: AppHome, release: Release | None) -> Path:
    """A directory of the command's own, with Kudu's home in it as links.

    It is among those of builds: what a crash leaves is ended and removed with theirs.
    """
    builds = paths.root / "builds"
    for each in (builds, paths.data):
        each.mkdir(mode=0o700, parents=True, exist_ok=True)
    directory = Path(tempfile.mkdtemp(prefix="command-", dir=builds))
    site = directory / "home" / "site"
    site.mkdir(parents=True)
    (directory / "home" / "data").symlink_to(paths.data)
    if release is None:
        (site / "wwwroot").mkdir()
    else:
        (site / "wwwroot").symlink_to(paths.release(release.number) / release.project)
    return directory


def _text(file: Path) -> str:
    with file.open("rb") as opened:
        return opened.read(MOST).decode("utf-8", "replace")
