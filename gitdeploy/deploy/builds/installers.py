"""The commands that make a Python environment: uv or venv, then what the files ask for."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from gitdeploy.deploy.builds.environment import build_environment
from gitdeploy.deploy.builds.place import Place, command
from gitdeploy.deploy.builds.program import find, install_hint
from gitdeploy.deploy.builds.requirements import Needs
from gitdeploy.deploy.builds.runner import Command
from gitdeploy.deploy.context import Context
from gitdeploy.deploy.errors import DeployError
from gitdeploy.jobs import hosts

LINES = "requirements.lock"
"""The file in an environment that `Needs.lines` are written to."""

_OWN_TOOL = {"poetry.lock": "poetry", "Pipfile": "pipenv", "Pipfile.lock": "pipenv"}
_POETRY = ("install", "--no-interaction", "--only", "main", "--no-root")
_PIPENV = {"Pipfile.lock": ("sync",), "Pipfile": ("install", "--skip-lock")}


@dataclass(frozen=True, slots=True)
class Interpreter:
    """The Python that environments are made with.

    `prefix` is its installation, `abi` what compiled packages depend on.
    """

    path: str
    prefix: str
    abi: str


@dataclass(frozen=True, slots=True)
class Installer:
    """What installs: `name` is uv, pip, poetry or pipenv, `uv` and `own` where the programs are."""

    name: str
    uv: Path | None = None
    own: str | None = None


def choose(ctx: Context, needs: Needs) -> Installer:
    """The lock file's own program where it is installed, else uv, else pip.

    Raises DeployError where only a program will do that isn't installed.
    """
    uv = find_uv(ctx.tools.environ)
    program = _OWN_TOOL.get(needs.source)
    own = find(program, build_environment(ctx)) if program else None
    if program is not None and own is not None:
        return Installer(program, uv, own)
    if program is not None and needs.arguments is None:
        raise DeployError(
            f"{needs.source} needs {program}, which isn't installed on the server.",
            f"Install it ({install_hint(program)}), or commit a requirements.txt.",
        )
    return Installer("uv" if uv else "pip", uv)


def warn_of_unused_lock(ctx: Context, needs: Needs, installer: Installer) -> None:
    """Tell where a lock file doesn't decide, as its program isn't here."""
    if needs.source == "uv.lock" and installer.uv is None:
        ctx.warn("uv.lock isn't used, as uv isn't installed here.", "Install uv for the server.")
    elif needs.source == "poetry.lock" and installer.name != "poetry":
        fix = f"Install it ({install_hint('poetry')}), or commit a requirements.txt."
        ctx.warn("poetry.lock isn't used, as poetry isn't installed here.", fix)


def told(needs: Needs, installer: Installer) -> str:
    """What was done, for people."""
    source = needs.source
    unused = {"uv.lock": ("uv",), "poetry.lock": ("poetry",)}.get(source)
    if unused is not None and installer.name not in unused:
        source = "pyproject.toml"
    return f"{source} installed with {installer.name}"


def find_uv(environ: Mapping[str, str]) -> Path | None:
    """uv on PATH, or installed beside the server's own Python."""
    beside = str(Path(sys.executable).parent)
    found = shutil.which("uv", path=f"{environ.get('PATH', '')}:{beside}")
    return Path(found).resolve() if found else None


def the_interpreter() -> Interpreter:
    """The one that jobs without an environment run with."""
    path = Path(hosts.python(None)).resolve()
    return Interpreter(str(path), str(path.parent.parent), f"{sys.implementation.cache_tag}")


def make_commands(
    ctx: Context, place: Place, interpreter: Interpreter, installer: Installer, path: Path
) -> list[Command]:
    """What makes the empty environment."""
    tools = _Tools(ctx, place, interpreter, installer, path)
    if installer.uv is not None:
        make = (str(installer.uv), "venv", "--quiet", "--python", interpreter.path, str(path))
        return [tools.command(make, "uv venv")]
    return [tools.command((interpreter.path, "-m", "venv", str(path)), "python3 -m venv")]


def install_commands(
    ctx: Context,
    place: Place,
    needs: Needs,
    interpreter: Interpreter,
    installer: Installer,
    path: Path,
) -> list[Command]:
    """What installs into it."""
    tools = _Tools(ctx, place, interpreter, installer, path)
    if installer.own is not None and installer.name == "poetry":
        found = [tools.own(installer.own, *_POETRY)]
        return [*found, tools.pip("--no-deps", ".")] if needs.package else found
    if installer.own is not None:
        return [tools.own(installer.own, *_PIPENV[needs.source])]
    if needs.source == "uv.lock" and installer.uv is not None:
        words = ("sync", "--frozen", "--no-dev", "--no-editable")
        return [tools.command((str(installer.uv), *words), " ".join(("uv", *words)))]
    if needs.lines:
        return [tools.pip("-r", str(path / LINES), shown=needs.source)]
    return [tools.pip(*needs.arguments)] if needs.arguments else []


@dataclass(frozen=True, slots=True)
class _Tools:
    ctx: Context
    place: Place
    interpreter: Interpreter
    installer: Installer
    path: Path

    def pip(self, *arguments: str, shown: str | None = None) -> Command:
        """`pip install`, by uv where it is there."""
        python, uv = str(self.path / "bin" / "python"), self.installer.uv
        said = " ".join(("-r", shown) if shown else arguments)
        if uv is not None:
            words = (str(uv), "pip", "install", "--python", python, *arguments)
            return self.command(words, f"uv pip install {said}")
        words = (python, "-m", "pip", "install", *arguments)
        return self.command(words, f"pip install {said}")

    def own(self, program: str, *words: str) -> Command:
        """poetry and pipenv install into the environment that is active."""
        bin_ = self.path / "bin"
        environment = {
            "VIRTUAL_ENV": str(self.path),
            "PATH": f"{bin_}:{build_environment(self.ctx)['PATH']}",
            "PIPENV_VERBOSITY": "-1",
        }
        return self.command((program, *words), None, environment)

    def command(
        self, argv: tuple[str, ...], shown: str | None, environment: dict[str, str] | None = None
    ) -> Command:
        readonly: tuple[Path, ...] = ()
        if not self.interpreter.prefix.startswith("/usr"):
            readonly = (Path(self.interpreter.prefix),)
        variables = dict(environment or {})
        if self.installer.uv is not None:
            readonly = (*readonly, self.installer.uv)
            # copies: links from the cache fail between two mounts of a sandbox
            variables |= {
                "UV_PROJECT_ENVIRONMENT": str(self.path),
                "UV_COMPILE_BYTECODE": "1",
                "UV_LINK_MODE": "copy",
            }
        return command(
            self.ctx,
            self.place,
            argv,
            shown=shown,
            environment=variables,
            readonly=readonly,
            writable=(self.path,),
        )
