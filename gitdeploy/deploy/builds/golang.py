"""Go: the programs of the module are compiled into `bin`."""

from __future__ import annotations

from gitdeploy.deploy.builds.environment import build_environment
from gitdeploy.deploy.builds.place import Place, command
from gitdeploy.deploy.builds.program import need
from gitdeploy.deploy.builds.runner import BuildRunner
from gitdeploy.deploy.context import Context

_BUILD = ("build", "-o", "bin/", "./...")


async def build(ctx: Context, runner: BuildRunner, place: Place) -> str | None:
    """Run `go build`; what to tell, None without go.mod. Raises DeployError.

    Each `package main` becomes a file of `bin`, named as its directory; what is unchanged comes
    out of Go's own cache in HOME.
    """
    if not (place.folder / "go.mod").is_file():
        return None
    go = need("go", build_environment(ctx), file="go.mod")
    (place.folder / "bin").mkdir(mode=0o755, exist_ok=True)
    await runner.run(command(ctx, place, (go, *_BUILD)))
    return place.tell("go build")
