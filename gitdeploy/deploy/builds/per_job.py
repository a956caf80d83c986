"""What single jobs ask for: a requirements.txt or a package.json in a job's own directory."""

from __future__ import annotations

from collections.abc import Iterator

from gitdeploy import jobs
from gitdeploy.deploy.builds import node, python
from gitdeploy.deploy.builds.place import Place
from gitdeploy.deploy.builds.requirements import requirements_needs
from gitdeploy.deploy.builds.runner import BuildRunner
from gitdeploy.deploy.context import Context
from gitdeploy.deploy.tree import Manifest, below
from gitdeploy.jobs import Job
from gitdeploy.repos.threads import in_thread

_ASKING = ("requirements.txt", "package.json")


async def build(ctx: Context, runner: BuildRunner, place: str) -> tuple[dict[str, str], list[str]]:
    """Build for each job that asks for it; Python environments by `kind/name`, and what to tell.

    `place` is the directory of the jobs. Raises DeployError.
    """
    manifest = below(ctx.manifest, ctx.project)
    if not any(_asks(path) for path in manifest):
        return {}, []
    found, _ = await in_thread(lambda: jobs.discover(ctx.site, place=place))
    environments: dict[str, str] = {}
    details: list[str] = []
    for job, where in _places(ctx, found, manifest):
        if "requirements.txt" in where.manifest:
            needs = requirements_needs(ctx.site, manifest, job.directory, jobs=place)
            name, detail = await python.install(ctx, runner, where, needs)
            environments[where.label] = name
            details.append(detail)
        if "package.json" in where.manifest and (told := await node.build(ctx, runner, where)):
            details.append(told)
    return environments, details


def _places(ctx: Context, found: list[Job], manifest: Manifest) -> Iterator[tuple[Job, Place]]:
    """The jobs that ask for something, but where the site's files are the job's own."""
    content = ctx.root / ctx.layout.content
    for job in found:
        folder = ctx.site / job.directory
        if folder == content:
            continue
        own = below(manifest, job.directory)
        if any(name in own for name in _ASKING):
            yield job, Place(folder, own, f"{job.kind}/{job.name}")


def _asks(path: str) -> bool:
    folder, _, name = path.rpartition("/")
    return name in _ASKING and folder != ""
