"""What a push sets off, and the lines that the pushing client reads meanwhile."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Iterator
from contextlib import aclosing
from typing import TYPE_CHECKING

from gitdeploy.deploy.branch import HEADS, Plan, configured_branch, heads_decide, plan_push
from gitdeploy.deploy.options import PushOptions, parse_options
from gitdeploy.errors import GitdeployError
from gitdeploy.events.journal import Record
from gitdeploy.logs import remote_lines
from gitdeploy.repos import ZERO, Push

if TYPE_CHECKING:
    from gitdeploy.deploy.deployer import Deployer


async def post_receive(deployer: Deployer, push: Push) -> AsyncGenerator[str, None]:
    """Deploy what the push brought to the deployment branch; lines without newline.

    Whoever stops reading doesn't stop the deployment: it belongs to the Deployer. A failed
    deployment is told; the push itself stays accepted, as git's post-receive has it.
    """
    options = parse_options(push.options)
    for warning in options.warnings:
        for line in _render({"event": "deploy.warning", "what": warning}, options):
            yield line
    try:
        plan = await _plan(deployer, push)
    except GitdeployError as error:
        for line in _render(_failed(error), options):
            yield line
        return
    notes = list(plan.notes)
    app = await deployer.store.apps.get(push.app)
    locked = None if app is None else app.locked
    wanted = plan.commit is not None and options.deploy and locked is None
    if plan.commit is not None and not options.deploy:
        notes.insert(0, f"{plan.branch} is stored, not deployed, as gitdeploy.deploy=skip asks.")
    elif plan.commit is not None and locked is not None:
        notes.insert(0, f"{plan.branch} is stored, not deployed: {push.app} is locked: {locked}")
    for note in notes:
        deployer.events.app_log(push.app).info("deploy.skipped", what=note, who=push.caller.who)
        for line in _render({"event": "deploy.skipped", "what": note}, options):
            yield line
    if plan.commit is not None and wanted:
        async with aclosing(_deploy(deployer, push, plan, plan.commit, options)) as lines:
            async for line in lines:
                yield line


async def _plan(deployer: Deployer, push: Push) -> Plan:
    """Decide, and remember the branch where this push settles which one is deployed."""
    app = await deployer.store.apps.get(push.app)
    settings = await deployer.store.apps.settings(push.app)
    repository = deployer.repositories.open(push.app)
    configured = configured_branch(None if app is None else app.branch, settings)
    heads: list[str] = []
    if heads_decide(push.updates, configured):
        refs = await asyncio.to_thread(repository.refs)
        heads = [ref.removeprefix(HEADS) for ref in refs if ref.startswith(HEADS)]
    plan = plan_push(push.updates, heads, configured)
    if plan.adopt:
        await deployer.store.apps.update(push.app, {"branch": plan.branch})
        await asyncio.to_thread(repository.set_head, plan.branch)
    return plan


async def _deploy(
    deployer: Deployer, push: Push, plan: Plan, commit: str, options: PushOptions
) -> AsyncGenerator[str, None]:
    if options.cancel:
        for cancelled in await deployer.cancel_all(push.app, who=push.caller.who):
            yield _row("cancelled", f"deployment {cancelled[:10]}")
    note = await _departure(deployer, push, plan)
    if note:
        yield _row("note", note)
    if deployer.busy(push.app) and options.wait:
        yield _row("waiting", "for the deployment before this one")
    try:
        row = await deployer.deploy(
            push.app,
            commit,
            ref=HEADS + plan.branch,
            trigger="push",
            deployer=push.caller.who,
            wait_turn=True,
        )
    except GitdeployError as error:
        for line in _render(_failed(error), options):
            yield line
        return
    if not options.wait:
        yield _row("queued", f"deployment {row.id[:10]} · {_page(deployer, push)}")
        return
    shown = False
    async with aclosing(deployer.follow(push.app, row.id)) as entries:
        async for entry in entries:
            record = entry.record
            shown = shown or record["event"] == "build.output"
            if shown and record["event"] == "deploy.failed" and record.get("step") == "build":
                record = {**record, "tail": []}  # it stands just above
            elif record["event"] == "deploy.succeeded":
                record = {**record, "url": _page(deployer, push)}
            for line in _render(record, options):
                yield line


async def _departure(deployer: Deployer, push: Push, plan: Plan) -> str:
    """Where the active release isn't what the branch was before this push: a sentence that says so."""
    before = next((u.old for u in push.updates if u.ref == HEADS + plan.branch), ZERO)
    active = await deployer.store.releases.active(push.app)
    if active is None or before == ZERO or active.commit_id in (before, plan.commit):
        return ""
    what = "came without a commit" if active.commit_id is None else f"is {active.commit_id[:7]}"
    return (
        f"the active release {active.number} {what}, not {before[:7]}, which {plan.branch} was"
        " before this push"
    )


def _page(deployer: Deployer, push: Push) -> str:
    """The app's page, by the way in that the pusher used."""
    base = push.caller.base_url
    return f"{base}/ui/{push.app}/" if base else deployer.ui_url(push.app)


def _render(record: Record, options: PushOptions) -> Iterator[str]:
    yield from remote_lines(record, colors=options.color)


def _row(label: str, text: str) -> str:
    """A line of ours between the records, in their columns."""
    return f"{label:<10} {text}"


def _failed(error: GitdeployError) -> Record:
    return {"event": "deploy.failed", "what": error.what, "fix": error.fix, "step": "", "tail": []}
