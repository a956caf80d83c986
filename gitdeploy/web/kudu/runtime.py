"""`/api/diagnostics/runtime`: which versions of what jobs and builds may use are installed."""

from __future__ import annotations

import asyncio
import contextlib
import os
import platform
import re
import shutil
import signal
from asyncio.subprocess import DEVNULL, PIPE, STDOUT

import msgspec
from aiohttp import web

from gitdeploy.clock import Clock
from gitdeploy.jobs.environment import server_path
from gitdeploy.web.answers import as_json
from gitdeploy.web.kudu.paths import API, spellings
from gitdeploy.web.route import Answer, Route

_LIMIT = 10.0
_MOST = 64 << 10
_FRESH = 30.0  # seconds for which what was found is told again
_VERSION = re.compile(r"\bgo(\d+(?:\.\w+)*)|\d+(?:\.\d+)+(?:[-+.][0-9A-Za-z.]+)?")
# How each tells its version: the program's name and its arguments.
_PROGRAMS: dict[str, tuple[str, ...]] = {
    "node": ("node", "--version"),
    "npm": ("npm", "--version"),
    "python": ("python3", "--version"),
    "php": ("php", "--version"),
    "java": ("java", "-version"),
    "go": ("go", "version"),
    "pwsh": ("pwsh", "--version"),
    "mono": ("mono", "--version"),
    "wine": ("wine", "--version"),
    "git": ("git", "--version"),
    "sdks": ("dotnet", "--list-sdks"),
    "runtimes": ("dotnet", "--list-runtimes"),
}
_OWN = ("python", "php", "java", "go", "pwsh", "mono", "wine", "git")
_FRAMEWORKS = ("Microsoft.NETCore.App", "Microsoft.AspNetCore.All", "Microsoft.AspNetCore.App")


class Dotnet(msgspec.Struct, frozen=True):
    """What .NET has: frameworks by their names in lower case, and SDKs."""

    shared: dict[str, list[str]]
    sdk: list[str]


class System(msgspec.Struct, frozen=True):
    """The machine; `os_build_lab_ex` is of Windows."""

    os_name: str
    os_build_lab_ex: str | None
    cores: int


class Runtime(msgspec.Struct, frozen=True, kw_only=True):
    """Kudu's RuntimeInfo, with what it doesn't look for: versions by program, each a list.

    What isn't installed has an empty list. `dotnetcore32` and `aspnetcoremodule` are of Windows.
    """

    nodejs: list[dict[str, str | None]]
    dotnetcore32: Dotnet
    dotnetcore64: Dotnet
    aspnetcoremodule: dict[str, str]
    system: System
    python: list[dict[str, str]]
    php: list[dict[str, str]]
    java: list[dict[str, str]]
    go: list[dict[str, str]]
    pwsh: list[dict[str, str]]
    mono: list[dict[str, str]]
    wine: list[dict[str, str]]
    git: list[dict[str, str]]


class Versions:
    """Asks the programs, at most once in a while: each question starts a dozen processes."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._one_at_a_time = asyncio.Lock()
        self._found: Runtime | None = None
        self._at = 0.0

    async def look(self) -> Runtime:
        """What is installed; what was found within half a minute counts."""
        async with self._one_at_a_time:
            now = self._clock.monotonic()
            if self._found is None or now - self._at > _FRESH:
                path = server_path()
                told = await asyncio.gather(*(_ask(words, path) for words in _PROGRAMS.values()))
                self._found = runtime(dict(zip(_PROGRAMS, told, strict=True)))
                self._at = now
            return self._found


VERSIONS = web.AppKey("versions", Versions)


async def show(request: web.Request) -> web.Response:
    return as_json(await request.app[VERSIONS].look())


def runtime(told: dict[str, str]) -> Runtime:
    """What programs said about themselves, put together; "" of one that isn't there."""
    node, npm = version_in(told["node"]), version_in(told["npm"])
    shared = {name.lower(): _listed(told["runtimes"], name) for name in _FRAMEWORKS}
    none = {name.lower(): list[str]() for name in _FRAMEWORKS}
    own = {name: version_in(told[name]) for name in _OWN}
    found = {name: [{"version": text}] if text else [] for name, text in own.items()}
    return Runtime(
        nodejs=[{"version": node, "npm": npm}] if node else [],
        dotnetcore32=Dotnet(none, []),
        dotnetcore64=Dotnet(shared, _first_words(told["sdks"])),
        aspnetcoremodule={},
        system=System(f"{platform.system()} {platform.release()}", None, os.cpu_count() or 1),
        **found,
    )


def version_in(text: str) -> str | None:
    """The first version that a text names; None where it names none."""
    found = _VERSION.search(text)
    return None if found is None else found[1] or found[0]


def _listed(text: str, framework: str) -> list[str]:
    """Versions of one framework in `Microsoft.NETCore.App 8.0.1 [/usr/lib/dotnet/…]` lines."""
    rows = [line.split() for line in text.splitlines()]
    return [row[1] for row in rows if len(row) > 1 and row[0] == framework]


def _first_words(text: str) -> list[str]:
    """Versions in `8.0.101 [/usr/lib/dotnet/sdk]` lines."""
    return [line.split()[0] for line in text.splitlines() if line[:1].isdigit()]


async def _ask(words: tuple[str, ...], path: str) -> str:
    """What a program says about itself; "" where it isn't there or doesn't answer."""
    program = shutil.which(words[0], path=path)
    if program is None:
        return ""
    environment = {"PATH": path, "HOME": "/nonexistent", "LANG": "C.UTF-8", "NO_COLOR": "1"}
    try:
        process = await asyncio.create_subprocess_exec(
            program,
            *words[1:],
            stdin=DEVNULL,
            stdout=PIPE,
            stderr=STDOUT,
            cwd="/",
            env=environment,
            start_new_session=True,
        )
    except OSError:
        return ""
    assert process.stdout is not None
    said = b""
    try:
        async with asyncio.timeout(_LIMIT):
            while len(said) < _MOST and (piece := await process.stdout.read(_MOST)):
                said += piece
        return said.decode("utf-8", "replace")
    except TimeoutError:
        return ""
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        await process.wait()


ROUTES = (
    Route(
        method="GET",
        path=f"{API}/diagnostics/runtime",
        aliases=spellings("diagnostics/runtime"),
        handler=show,
        operation="diagnostics.runtime",
        scope="read",
        summary="The versions of node, python and whatever else jobs and builds may use.",
        tag="diagnostics",
        answers={200: Answer("Versions.", Runtime)},
    ),
)
