"""Scripts of the app's own that run after each deployment that succeeded (Kudu's post-deployment
actions): the files of SCM_POST_DEPLOYMENT_ACTIONS_PATH, in the order of their names.

The release is active then and isn't written to any more; what fails is a warning.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from gitdeploy.deploy.builds.custom import script, source_directory
from gitdeploy.deploy.builds.environment import build_environment, shown_to_builds
from gitdeploy.deploy.builds.runner import BuildRunner, Command
from gitdeploy.deploy.context import Context
from gitdeploy.deploy.errors import DeployError
from gitdeploy.deploy.layout import layout, read_config, relative_path

SETTING = "SCM_POST_DEPLOYMENT_ACTIONS_PATH"
_OF_WINDOWS = (".cmd", ".bat", ".ps1")


async def run_actions(ctx: Context) -> None:
    """Run what there is, each in the site's root with the environment of a build."""
    try:
        config = read_config(ctx.root, ctx.settings)
        path = relative_path(config, SETTING)
        if not path:
            return
        ctx = replace(ctx, config=config, layout=layout(config))
        runner = BuildRunner(ctx)
    except DeployError as error:
        ctx.warn(error.what, error.fix)
        return
    folder = source_directory(ctx) / path
    if not folder.is_dir():
        ctx.warn(f"{SETTING} = {path}: there is no such directory in the release.")
        return
    for file in sorted(folder.iterdir()):
        if file.suffix.lower() in _OF_WINDOWS:
            ctx.warn(f"{path}/{file.name} isn't run: it is a script of Windows.")
        elif file.is_file() and (file.suffix == ".sh" or len(script(file)) == 1):
            await _run(ctx, runner, file, f"{path}/{file.name}")


async def _run(ctx: Context, runner: BuildRunner, file: Path, shown: str) -> None:
    environment = build_environment(ctx)
    ctx.paths.data.mkdir(mode=0o700, parents=True, exist_ok=True)
    readonly = [ctx.root, *shown_to_builds(ctx, environment)]
    if ctx.environment_path is not None:
        readonly.append(ctx.environment_path)
        environment["PATH"] = f"{ctx.environment_path / 'bin'}:{environment['PATH']}"
    action = Command(
        argv=script(file),
        cwd=ctx.site,
        environment=environment,
        readonly=tuple(readonly),
        writable=(ctx.paths.data, ctx.paths.cache),
        shown=shown,
    )
    try:
        await runner.run(action)
    except (DeployError, OSError) as error:
        what = error.what if isinstance(error, DeployError) else f"{shown}: {error.strerror}."
        ctx.warn(f"After the deployment: {what}", "The release is active all the same.")
