"""Python: what a site needs is installed into a venv, one for all releases with the same needs.

An environment is built at its final path (a venv can't be moved); the file `.complete` is written
last. Its name is the hash of what went into it, so that an unchanged site finds it again and its
jobs aren't restarted. uv builds it where it is installed, else venv and pip.
"""

from __future__ import annotations

import asyncio
import hashlib
import shutil
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import msgspec

from gitdeploy.deploy.builds.environment import build_environment, shown_to_builds
from gitdeploy.deploy.builds.requirements import Needs
from gitdeploy.deploy.builds.runner import BuildRunner, Command
from gitdeploy.deploy.context import Context
from gitdeploy.jobs import hosts

_COMPLETE = ".complete"


@dataclass(frozen=True, slots=True)
class Interpreter:
    """The Python that environments are made with.

    `prefix` is its installation, `abi` what compiled packages depend on.
    """

    path: str
    prefix: str
    abi: str


async def install(ctx: Context, runner: BuildRunner, needs: Needs) -> tuple[str, str]:
    """Make the environment, or find it; its name and what to tell. Raises DeployError."""
    interpreter = _interpreter()
    uv = find_uv(ctx.tools.environ)
    name = environment_name(needs, interpreter, "uv" if uv else "pip")
    if needs.bound:
        name += f"-{ctx.release.number}"
    elif ctx.clean:
        name += f"-clean{ctx.release.number}"
    path = ctx.paths.environments / name
    if is_complete(path):
        return name, f"python environment {name[:8]} reused"
    if needs.source == "uv.lock" and uv is None:
        ctx.warn("uv.lock isn't used, as uv isn't installed here.", "Install uv for the server.")
    await asyncio.to_thread(_prepare, path)
    try:
        for command in _commands(ctx, needs, interpreter, uv, path):
            await runner.run(command)
        (path / _COMPLETE).touch()
    except BaseException:
        await asyncio.to_thread(shutil.rmtree, path, ignore_errors=True)
        raise
    if uv is None:  # pip doesn't know uv's lock file
        return name, f"{needs.source.replace('uv.lock', 'pyproject.toml')} installed with pip"
    return name, f"{needs.source} installed with uv"


def is_complete(environment: Path) -> bool:
    """Whether an environment was built to its end."""
    return (environment / _COMPLETE).is_file()


def environment_name(needs: Needs, interpreter: Interpreter, tool: str) -> str:
    """The hash that names an environment: of its inputs, the interpreter and the tool."""
    parts = (needs.digest, needs.source, interpreter.path, interpreter.abi, tool)
    return hashlib.sha256(msgspec.json.encode(parts)).hexdigest()[:32]


def find_uv(environ: Mapping[str, str]) -> Path | None:
    """uv on PATH, or installed beside the server's own Python."""
    beside = str(Path(sys.executable).parent)
    found = shutil.which("uv", path=f"{environ.get('PATH', '')}:{beside}")
    return Path(found).resolve() if found else None


def _interpreter() -> Interpreter:
    """The one that jobs without an environment run with."""
    path = Path(hosts.python(None)).resolve()
    return Interpreter(str(path), str(path.parent.parent), f"{sys.implementation.cache_tag}")


def _prepare(path: Path) -> None:
    """An empty directory; what a cut-off build left is removed."""
    if path.exists():
        shutil.rmtree(path)
    path.mkdir(parents=True)


def _commands(
    ctx: Context, needs: Needs, interpreter: Interpreter, uv: Path | None, path: Path
) -> list[Command]:
    environment = build_environment(ctx)
    readonly = shown_to_builds(ctx, environment)
    if not interpreter.prefix.startswith("/usr"):
        readonly = (*readonly, Path(interpreter.prefix))
    python = str(path / "bin" / "python")
    if uv is not None:
        readonly = (*readonly, uv)
        # copies: links from the cache fail between two mounts of a sandbox
        environment |= {
            "UV_PROJECT_ENVIRONMENT": str(path),
            "UV_COMPILE_BYTECODE": "1",
            "UV_LINK_MODE": "copy",
        }
        make: tuple[str, ...] = (
            str(uv),
            "venv",
            "--quiet",
            "--python",
            interpreter.path,
            str(path),
        )
        install: tuple[str, ...] = (str(uv), *_uv_arguments(needs, python))
    else:
        make = (interpreter.path, "-m", "venv", str(path))
        install = (python, "-m", "pip", "install", *needs.arguments)
    told = " ".join(
        ("uv", *_uv_arguments(needs, "")) if uv else ("pip", "install", *needs.arguments)
    )

    def command(argv: tuple[str, ...], shown: str) -> Command:
        return Command(
            argv=argv,
            cwd=ctx.site,
            environment=environment,
            readonly=readonly,
            writable=(ctx.root, path, ctx.paths.cache),
            shown=shown,
        )

    made = command(make, f"{'uv' if uv else 'python3 -m'} venv")
    return [made, command(install, told)] if needs.arguments else [made]


def _uv_arguments(needs: Needs, python: str) -> tuple[str, ...]:
    if needs.source == "uv.lock":
        return ("sync", "--frozen", "--no-dev", "--no-editable")
    where = ("--python", python) if python else ()
    return ("pip", "install", *where, *needs.arguments)
