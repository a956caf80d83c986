"""Wine prefixes: what a program of Windows takes for its machine.

A prefix is 700 MB and takes 10 s to make, so one is made for the server, by the first who needs
it. Each execution gets a small one of its own: a copy of the registry, and links to the app's C:
and to the common `C:\\windows`. So no two executions share a wineserver: those of two PID namespaces
can't, and one that is killed loses its registry.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import signal
from pathlib import Path
from uuid import uuid4

from gitdeploy.home import AppHome, Home
from gitdeploy.jobs import HostMissing
from gitdeploy.jobs.environment import server_path
from gitdeploy.sandbox import SpawnError

PREFIX = "wine"
"""The name of an execution's own prefix in its directory; it goes with the end."""
_REGISTRY = ("system.reg", "user.reg", "userdef.reg")
_LIMIT = 300.0
_SHOWN = 400


class Wine:
    """One per server."""

    def __init__(self) -> None:
        self._making = asyncio.Lock()

    async def common(self, home: Home) -> Path:
        """The prefix that the installed wine's executions start from; made where it is missing.

        Raises HostMissing, SpawnError.
        """
        path = server_path()
        wine = shutil.which("wine")
        if wine is None:
            raise HostMissing("wine", "apt-get install wine")
        quiet = {"PATH": path, "WINEDEBUG": "-all"}
        version = (await _run([wine, "--version"], quiet, 20.0)).strip().rpartition("\n")[2]
        name = "".join(sign if sign.isalnum() or sign in ".-" else "_" for sign in version)
        target = home.wine / (name[:100] or "wine")
        async with self._making:
            if not target.is_dir():
                await _make(wine, target, path)
        return target


async def _make(wine: str, target: Path, path: str) -> None:
    """Beside its place, so that one that was cut off isn't taken for a whole one."""
    part = target.with_name(f"part-{uuid4().hex}")
    prefix, home = part / "prefix", part / "home"
    await asyncio.to_thread(_clear_parts, target.parent)
    home.mkdir(parents=True, mode=0o700)
    environment = {
        "HOME": str(home),
        "LANG": "C.UTF-8",
        "PATH": path,
        "TMPDIR": str(part),
        "WINEDEBUG": "-all",
        "WINEDLLOVERRIDES": "mscoree,mshtml=",  # it asks to download mono and gecko
        "WINEPREFIX": str(prefix),
    }
    try:
        said = await _run([wine, "wineboot", "-i"], environment, _LIMIT)
        if (server := shutil.which("wineserver")) is not None:
            await _run([server, "-w"], environment, _LIMIT)  # it writes the registry when it ends
        if not all((prefix / name).is_file() for name in _REGISTRY):
            raise SpawnError(f"wine made no prefix: {said[-_SHOWN:].strip() or 'it said nothing'}")
        await asyncio.to_thread(_finish, prefix, target)
    finally:
        await asyncio.to_thread(shutil.rmtree, part, ignore_errors=True)


def _finish(prefix: Path, target: Path) -> None:
    for link in (prefix / "drive_c" / "users").rglob("*"):
        if link.is_symlink():  # to what HOME was
            link.unlink()
            link.mkdir()
    prefix.replace(target)


def _clear_parts(place: Path) -> None:
    for left in place.glob("part-*"):
        shutil.rmtree(left, ignore_errors=True)


def make_prefix(common: Path, app: AppHome, prefix: Path) -> None:
    """An execution's prefix, and the app's C: where it hasn't got one."""
    drive = app.drive
    drive.parent.mkdir(parents=True, exist_ok=True)
    if not drive.is_dir():
        part, whole = drive.with_name(f"part-{uuid4().hex}"), common / "drive_c"
        shutil.copytree(
            whole,
            part,
            symlinks=True,
            ignore=lambda place, _: ["windows"] if Path(place) == whole else [],
        )
        with contextlib.suppress(OSError):  # another one was quicker
            part.rename(drive)
        shutil.rmtree(part, ignore_errors=True)
    windows = drive / "windows"
    if windows.is_symlink() and windows.readlink() != common / "drive_c" / "windows":
        windows.unlink()
    with contextlib.suppress(FileExistsError):
        windows.symlink_to(common / "drive_c" / "windows")
    (prefix / "dosdevices").mkdir(parents=True, mode=0o700)
    (prefix / "tmp").mkdir()
    (prefix / "drive_c").symlink_to(drive)
    (prefix / "dosdevices" / "c:").symlink_to("../drive_c")
    (prefix / "dosdevices" / "z:").symlink_to("/")
    for name in _REGISTRY:
        shutil.copyfile(common / name, prefix / name)
    (prefix / ".update-timestamp").write_text("disable\n")  # what there is, is up to date


async def _run(command: list[str], environment: dict[str, str], limit: float) -> str:
    """What a program of wine's says; ended with all that it started where that takes too long."""
    process = await asyncio.create_subprocess_exec(
        *command,
        env=environment,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        start_new_session=True,
    )
    reading = asyncio.ensure_future(process.communicate())
    try:
        async with asyncio.timeout(limit):
            said, _ = await asyncio.shield(reading)
    except TimeoutError as failure:
        raise SpawnError(f"{' '.join(command)} took more than {limit:.0f} s.") from failure
    finally:
        if process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
        reading.cancel()
    return said.decode("utf-8", "replace")
