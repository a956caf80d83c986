"""The steps of a deployment in their order."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import replace

from gitdeploy.deploy.activate import activate
from gitdeploy.deploy.build import build
from gitdeploy.deploy.checkout import checkout, disk_error
from gitdeploy.deploy.context import Context
from gitdeploy.deploy.discover import discover
from gitdeploy.deploy.errors import DeployError
from gitdeploy.deploy.prune import prune
from gitdeploy.deploy.validate import validate
from gitdeploy.errors import GitdeployError

Step = Callable[[Context], Awaitable[Context]]

STEPS: tuple[Step, ...] = (checkout, build, discover, validate, activate, prune)


async def run_pipeline(
    ctx: Context,
    *,
    entering: Callable[[str], Awaitable[None]],
    steps: tuple[Step, ...] = STEPS,
) -> Context:
    """Take a deployment through the steps; the context as the last one left it.

    `entering` is awaited with each step's name before it. Each step has an event at its start and
    one at its end with `detail` and `duration_ms`. Raises DeployError with `step` set.
    """
    clock = ctx.tools.clock
    for step in steps:
        name = step.__name__
        await entering(name)
        ctx.log.info("step.started", step=name)
        begun = clock.monotonic()
        try:
            ctx = await step(replace(ctx, detail=""))
        except DeployError as error:
            error.step = error.step or name
            raise
        except GitdeployError as error:
            raise DeployError(error.what, error.fix, step=name) from error
        except OSError as error:
            failure = disk_error(error)
            failure.step = name
            raise failure from error
        duration = round((clock.monotonic() - begun) * 1000, 1)
        ctx.log.info("step.finished", step=name, detail=ctx.detail, duration_ms=duration)
    return ctx
