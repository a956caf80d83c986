""".NET: a project is published into the site, where its sources are too."""

from __future__ import annotations

import re
from pathlib import Path

from gitdeploy.deploy.builds.environment import build_environment
from gitdeploy.deploy.builds.place import Place, command
from gitdeploy.deploy.builds.program import need
from gitdeploy.deploy.builds.runner import BuildRunner
from gitdeploy.deploy.context import Context
from gitdeploy.deploy.errors import DeployError

_PROJECTS = (".csproj", ".fsproj", ".vbproj")
_SOLUTIONS = (".sln", ".slnx")
_WEB = re.compile(r"Sdk\s*=\s*\"Microsoft\.NET\.Sdk\.(?:Web|Worker)\"")
_QUIET = {
    "DOTNET_CLI_TELEMETRY_OPTOUT": "1",
    "DOTNET_NOLOGO": "1",
    "DOTNET_SKIP_FIRST_TIME_EXPERIENCE": "1",
}


async def build(ctx: Context, runner: BuildRunner, place: Place) -> str | None:
    """Run `dotnet publish`; what to tell, None where there is no project. Raises DeployError."""
    project = find_project(place, ctx.layout.project_file)
    if project is None:
        return None
    environment = build_environment(ctx)
    dotnet = need("dotnet", environment, file=project)
    configuration = environment.get("MSBUILD_CONFIGURATION") or "Release"
    words = ("publish", project, "-c", configuration, "-o", str(place.folder), "--nologo")
    # compile servers for later builds would be ended with this one
    alone = ("-p:UseSharedCompilation=false", "-nodeReuse:false")
    shown = f"dotnet publish {project} -c {configuration}"
    await runner.run(command(ctx, place, (dotnet, *words, *alone), shown=shown, environment=_QUIET))
    return place.tell(f"dotnet publish {project}")


def find_project(place: Place, named: str) -> str | None:
    """The project file to publish, by path from the place.

    The one that PROJECT names; else the only one at the top; where a solution is there, the only
    one below, or the only one of them that is a web application or a worker. Raises DeployError
    where that can't be told.
    """
    if named and not (place.folder / named).is_file():
        raise DeployError(f"project names {named}, which isn't there.", "Name a file that is.")
    if named.lower().endswith(_PROJECTS):
        return named
    top = sorted(p.name for p in place.folder.iterdir() if p.suffix.lower() in _PROJECTS)
    if len(top) == 1 and not named:
        return top[0]
    solutions = [p for p in place.folder.iterdir() if p.suffix.lower() in _SOLUTIONS]
    if not top and not solutions:
        return None
    below = sorted(name for name in place.manifest if name.lower().endswith(_PROJECTS))
    applications = [name for name in below if _is_application(place.folder / name)]
    for candidates in (applications, below):
        if len(candidates) == 1:
            return candidates[0]
    listed = ", ".join((applications or below)[:3])
    raise DeployError(
        f"Which project is the site can't be told: {listed or 'there is none'}.",
        "Name its file in the app setting PROJECT, or as project in .deployment.",
    )


def _is_application(file: Path) -> bool:
    return file.is_file() and _WEB.search(file.read_text(errors="replace")) is not None
