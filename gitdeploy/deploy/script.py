"""What a build of a release does, as a shell script for people: to read, or to run it elsewhere.

The server doesn't run it. It says what the site's files ask for now, in the order of a build;
where the server takes packages from an earlier release, the script installs them.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from gitdeploy.deploy.build import switched_off
from gitdeploy.deploy.builds.dotnet import find_project
from gitdeploy.deploy.builds.node_plan import node_plan
from gitdeploy.deploy.builds.place import Place
from gitdeploy.deploy.builds.requirements import Needs, python_needs, requirements_needs
from gitdeploy.deploy.dotdeployment import NAME, jobs_directory
from gitdeploy.deploy.layout import Layout, layout, read_config, relative_path
from gitdeploy.deploy.releases import read_meta
from gitdeploy.deploy.tree import Manifest, below
from gitdeploy.home import AppHome
from gitdeploy.jobs import DEFAULT_PLACE, SettingError, discover

SCRIPT = "deploy.sh"
DOT_DEPLOYMENT = f"[config]\ncommand = bash {SCRIPT}\n"
"""What makes a build of the script (`.deployment` beside it)."""

_HEAD = """\
#!/bin/bash
# What a build of this site does, as a script. Its root is DEPLOYMENT_SOURCE, or where you are;
# Python packages go into VENV.
set -eu
cd "${DEPLOYMENT_SOURCE:-.}"
ROOT=$PWD
VENV=${VENV:-$ROOT/.venv}
"""
_NOT_NEEDED = "# Nothing is built: no file of the site asks for it.\n"


def deployment_script(
    paths: AppHome, number: int, settings: Mapping[str, str], *, built: bool
) -> str | None:
    """The script of a release; None where its `.deployment` names a command of its own. Blocks.

    `built` says that the release came as a zip. Raises DeployError for files that can't be read,
    FileNotFoundError where the release is gone.
    """
    root = paths.release(number)
    manifest = read_meta(paths, number).manifest
    config = read_config(root, settings)
    off = switched_off(config, built=built)
    if off is None and config.get("command"):
        return None
    parts = _Parts(root, layout(config), manifest, config)
    body = f"# Nothing is built: {off}.\n" if off else "".join(parts.all()) or _NOT_NEEDED
    return f"{_HEAD}\n{body}"


@dataclass(frozen=True, slots=True)
class _Parts:
    """The parts of one script, each whole lines."""

    root: Path
    layout: Layout
    manifest: Manifest
    config: Mapping[str, str]

    def all(self) -> Iterator[str]:
        """In the order of a build."""
        yield from self._around("PRE")
        content = self.layout.content
        yield from _parts(self._site(content), content)
        yield from self._jobs(content)
        yield from self._around("POST")

    def _around(self, when: str) -> Iterator[str]:
        key = f"{when}_BUILD_SCRIPT_PATH"
        if path := relative_path(self.config, key):
            yield from _parts([f"bash {shlex.quote('./' + path)}"], self.layout.source)
        elif text := self.config.get(f"{when}_BUILD_COMMAND".lower(), "").strip():
            yield from _parts([text], self.layout.source)

    def _site(self, content: str) -> list[str]:
        place = Place(self.root / content, below(self.manifest, content))
        lines = list(_python(python_needs(place.folder, place.manifest, self._jobs_place)))
        lines += _node(place.folder)
        if (place.folder / "composer.json").is_file():
            lines.append("composer install --no-interaction --no-progress")
        if (place.folder / "go.mod").is_file():
            lines += ["mkdir -p bin", "go build -o bin/ ./..."]
        if project := find_project(place, self.layout.project_file):
            configuration = self.config.get("msbuild_configuration") or "Release"
            lines.append(
                f"dotnet publish {shlex.quote(project)} -c {shlex.quote(configuration)} -o . --nologo"
            )
        return lines

    def _jobs(self, content: str) -> Iterator[str]:
        site = self.root / self.layout.site
        manifest = below(self.manifest, self.layout.site)
        for job in discover(site, place=self._jobs_place)[0]:
            folder = site / job.directory
            if folder == self.root / content:
                continue
            own = below(manifest, job.directory)
            lines: list[str] = []
            if "requirements.txt" in own:
                needs = requirements_needs(site, manifest, job.directory, jobs=self._jobs_place)
                venv = f'VENV="$ROOT/.venv-{job.kind}-{job.name}"'
                lines += [f"({venv}", *_python(needs), ")"]
            if "package.json" in own:
                lines += _node(folder)
            yield from _parts(lines, str(folder.relative_to(self.root)))

    @property
    def _jobs_place(self) -> str:
        try:
            return jobs_directory(self.config)
        except SettingError:
            return DEFAULT_PLACE


def _parts(lines: list[str], folder: str) -> Iterator[str]:
    """The lines, in a folder of the release."""
    if lines:
        yield "\n".join([f"cd {shlex.quote(f'./{folder}')}" if folder else "", *lines, ""])
        yield 'cd "$ROOT"\n' if folder else ""


def _python(needs: Needs | None) -> Iterator[str]:
    if needs is None:
        return
    yield 'python3 -m venv "$VENV"'
    pip = '"$VENV/bin/pip" install'
    if needs.source == "uv.lock" or (needs.arguments is None and not needs.lines):
        active = 'VIRTUAL_ENV="$VENV" PATH="$VENV/bin:$PATH" UV_PROJECT_ENVIRONMENT="$VENV"'
        yield f"{active} {_OWN.get(needs.source, 'pipenv install --skip-lock')}"
    elif needs.lines:
        yield "\n".join([f"{pip} -r /dev/stdin <<'END'", *needs.lines, "END"])
    elif needs.arguments:
        yield f"{pip} {shlex.join(needs.arguments)}"
    if needs.source == "poetry.lock" and needs.package:
        yield f"{pip} --no-deps ."


_OWN = {
    "uv.lock": "uv sync --frozen --no-dev --no-editable",
    "poetry.lock": "poetry install --no-interaction --only main --no-root",
    "Pipfile.lock": "pipenv sync",
}


def _node(folder: Path) -> list[str]:
    plan = node_plan(folder)
    if plan is None:
        return []
    lines = [shlex.join((plan.tool, *plan.install))] if plan.install else []
    return [*lines, *(shlex.join((plan.tool, "run", script)) for script in plan.scripts)]


__all__ = ["DOT_DEPLOYMENT", "NAME", "SCRIPT", "deployment_script"]
