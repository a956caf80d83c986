"""Where a builder works: the site's files, or those of one job."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from gitdeploy.deploy.builds.environment import build_environment, shown_to_builds
from gitdeploy.deploy.builds.program import shown_with
from gitdeploy.deploy.builds.runner import Command
from gitdeploy.deploy.context import Context
from gitdeploy.deploy.tree import Manifest


@dataclass(frozen=True, slots=True)
class Place:
    """A directory of the release; `manifest` has what the repository brought there, by path from
    it, `label` what a message says before what was done ("" for the site itself).
    """

    folder: Path
    manifest: Manifest
    label: str = ""

    def tell(self, detail: str) -> str:
        """What was done here, for people."""
        return f"{self.label}: {detail}" if self.label else detail


def command(
    ctx: Context,
    place: Place,
    argv: tuple[str, ...],
    *,
    shown: str | None = None,
    environment: dict[str, str] | None = None,
    readonly: tuple[Path, ...] = (),
    writable: tuple[Path, ...] = (),
) -> Command:
    """A command of a build as most are: it works in the place and may write to the release.

    `environment` is set over what every build gets; `argv[0]` is a path, told by its name.
    """
    variables = {**build_environment(ctx), **(environment or {})}
    program, *words = argv
    return Command(
        argv=argv,
        cwd=place.folder,
        environment=variables,
        readonly=(*shown_to_builds(ctx, variables), *shown_with(program), *readonly),
        writable=(ctx.root, ctx.paths.cache, *writable),
        shown=shown or " ".join((Path(program).name, *words)),
    )
