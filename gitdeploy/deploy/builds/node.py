"""Node: what the lock file names is installed into node_modules, then the build scripts run."""

from __future__ import annotations

import re
from pathlib import Path

from gitdeploy.deploy.builds import custom
from gitdeploy.deploy.builds.environment import build_environment
from gitdeploy.deploy.builds.node_plan import NodePlan, Tool, node_plan
from gitdeploy.deploy.builds.place import Place, command
from gitdeploy.deploy.builds.program import find, fingerprint, need, shown_with
from gitdeploy.deploy.builds.runner import BuildRunner
from gitdeploy.deploy.builds.trees import Trees, tree_key
from gitdeploy.deploy.context import Context

_MODULES = "node_modules"
_STEERING = re.compile(r"(?i:p?npm_config_)\w+|NODE_ENV|NODE_OPTIONS|(?:YARN|PNPM)_\w+")


def _variables(ctx: Context, tool: Tool) -> dict[str, str]:
    """What a tool is told beside what every build is."""
    kept = ctx.paths.cache / ".cache" / tool
    if tool == "yarn":  # as root it would take a directory of the system
        return {"YARN_CACHE_FOLDER": str(kept)}
    if tool == "npm":
        return {}
    options = {
        "store_dir": str(kept),  # it would be in each release's node_modules
        "package_import_method": "clone-or-copy",  # links: a job could change what is in the store
        "verify_deps_before_run": "false",  # it would install where modules are another release's
    }
    return {
        f"{prefix}_config_{name}": value
        for prefix in ("npm", "pnpm")
        for name, value in options.items()
    }


async def build(ctx: Context, runner: BuildRunner, place: Place) -> str | None:
    """Install and build; what to tell, None where package.json asks for nothing.

    Raises DeployError.
    """
    plan = node_plan(place.folder)
    if plan is None:
        return None
    environment = build_environment(ctx)
    if plan.program is not None:
        node = need("node", environment, file=plan.file)
        start: tuple[str, ...] = (node, plan.program)
    else:
        start = (need(plan.tool, environment, file=plan.file),)
    details = []
    if plan.install:
        details.append(await _install(ctx, runner, place, plan, start))
    for script in plan.scripts:
        await _run(ctx, runner, place, plan, (*start, "run", script))
        details.append(f"{plan.tool} run {script}")
    return place.tell(", ".join(details))


async def _install(
    ctx: Context, runner: BuildRunner, place: Place, plan: NodePlan, start: tuple[str, ...]
) -> str:
    told = f"{plan.tool} {plan.install[0]}"
    modules = place.folder / _MODULES
    if not plan.shareable or modules.exists():
        await _run(ctx, runner, place, plan, (*start, *plan.install))
        return told
    environment = build_environment(ctx)
    node = find("node", environment)
    key = tree_key(
        _MODULES,
        plan.install,
        fingerprint(node, *start),
        {name: value for name, value in environment.items() if _STEERING.fullmatch(name)},
        [(name, (place.folder / name).read_bytes()) for name in plan.inputs],
    )
    # what runs later could write to a file that is linked
    untouched = not plan.scripts and not custom.runs_afterwards(ctx)
    async with Trees(ctx, linked=untouched).locked() as trees:
        if await trees.take(key, modules):
            return f"{_MODULES} as before"
        await _run(ctx, runner, place, plan, (*start, *plan.install))
        await trees.keep(key, modules)
    return told


async def _run(
    ctx: Context, runner: BuildRunner, place: Place, plan: NodePlan, argv: tuple[str, ...]
) -> None:
    words = argv[2:] if plan.program else argv[1:]
    node = find("node", build_environment(ctx))
    await runner.run(
        command(
            ctx,
            place,
            argv,
            shown=" ".join((plan.tool, *(w for w in words if not w.startswith("--no-")))),
            environment=_variables(ctx, plan.tool),
            readonly=shown_with(node) if node and Path(node) != Path(argv[0]) else (),
        )
    )
