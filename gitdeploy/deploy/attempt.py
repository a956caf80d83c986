"""One attempt of a deployment, from its turn to its recorded end."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

import msgspec

from gitdeploy.deploy.builds.python import is_complete
from gitdeploy.deploy.context import Context, Tools
from gitdeploy.deploy.errors import DeployError
from gitdeploy.deploy.pipeline import run_pipeline
from gitdeploy.deploy.progress import Progress
from gitdeploy.deploy.releases import discard_release, empty_trash, is_whole, read_meta
from gitdeploy.deploy.source import Source
from gitdeploy.errors import GitdeployError
from gitdeploy.events import Log
from gitdeploy.home import AppHome
from gitdeploy.repos import CommitInfo
from gitdeploy.store import Deployment, Release, Store, StoreError


class Failure(msgspec.Struct, frozen=True):
    """Why an attempt failed, as the pusher reads it."""

    what: str
    fix: str = ""
    step: str = ""
    tail: list[str] = []


@dataclass(slots=True, kw_only=True, eq=False)
class Attempt:
    """An attempt that hasn't ended: what it needs, and `ended`, which its end is waited for by.

    `commit` is None where there is none. `release` is the new one that was numbered for it
    already; `cut_off` says why its task was cancelled, `error` what a step raised.
    """

    row: Deployment
    source: Source
    commit: CommitInfo | None
    paths: AppHome
    clean: bool
    log: Log
    ended: asyncio.Future[None]
    progress: Progress
    task: asyncio.Task[None] | None = None
    release: Release | None = None
    cut_off: Failure | None = None
    error: GitdeployError | None = None
    recorded: bool = False

    @property
    def begun(self) -> bool:
        """Whether its turn has come."""
        return self.progress.status != "pending"


_PAUSES = (0.5, 2.0, 5.0)
"""Seconds between tries to record an end."""

STOPPED = Failure("The server was stopped during it.", "Deploy the commit again.")
CRASHED = Failure("gitdeploy itself failed.", "Its operator finds the cause in its log.")


def cancelled_by(who: str) -> Failure:
    """For an attempt that somebody ended."""
    return Failure(f"Cancelled by {who}.", "Deploy again when it is wanted after all.")


async def perform(attempt: Attempt, tools: Tools, url: Callable[[str], str]) -> None:
    """Run the pipeline and record how it ended.

    Raised are cancellation, and what keeps the end from being recorded.

    A failure leaves the old release and its jobs as they were. What fails once the release is
    active (tidying up, say) is told and doesn't undo it.
    """
    row, log = attempt.row, attempt.log
    begun = tools.clock.monotonic()
    log.info("deploy.started", **_told(attempt))
    release = attempt.release
    kept = False
    failure: Failure | None = None
    cancelled = False
    try:
        if release is None and not attempt.clean:
            release = await kept_release(attempt, tools.store)
            kept = release is not None
        release = release or await tools.store.releases.add(
            row.app,
            row.id,
            at=tools.clock.now(),
            commit_id=row.commit_id,
            tree_id=None if attempt.commit is None else attempt.commit.tree,
        )
        await _pipeline(attempt, tools, release, kept=kept)
    except DeployError as error:
        failure = Failure(error.what, error.fix, error.step, error.tail)
        cause = error.__cause__
        attempt.error = cause if isinstance(cause, GitdeployError) else error
    except GitdeployError as error:
        failure = Failure(error.what, error.fix)
        attempt.error = error
    except asyncio.CancelledError:
        cancelled = True
        failure = attempt.cut_off or STOPPED
    except Exception as error:  # a bug: the operator gets the trace, the pusher a sentence
        log.error("deploy.crashed", what=type(error).__name__, exc_info=True)
        failure = CRASHED
    recording = asyncio.create_task(
        _record(attempt, tools, release, kept, failure, begun=begun, url=url)
    )
    try:
        await asyncio.shield(recording)
    except asyncio.CancelledError:
        await asyncio.wait({recording})
        raise
    if cancelled:
        raise asyncio.CancelledError


async def give_up(attempt: Attempt, tools: Tools) -> None:
    """Record the failure of an attempt whose turn never came."""
    begun = tools.clock.monotonic()
    await _record(
        attempt, tools, attempt.release, False, attempt.cut_off or STOPPED, begun=begun, url=str
    )


def _told(attempt: Attempt) -> dict[str, str]:
    """What is deployed, as the log's first record says it."""
    if attempt.commit is None:
        subject = attempt.row.message.partition("\n")[0]
        told = {"source": attempt.source.name, "subject": subject}
    else:
        told = {"commit": attempt.commit.id, "subject": attempt.commit.subject}
    return {**told, "note": attempt.row.note} if attempt.row.note else told


async def _pipeline(attempt: Attempt, tools: Tools, release: Release, *, kept: bool) -> None:
    row = attempt.row

    progress = attempt.progress
    progress.started_at = tools.clock.now()
    app = await tools.store.apps.get(row.app)
    ctx = Context(
        app=row.app,
        deployment=row,
        source=attempt.source,
        release=release,
        paths=attempt.paths,
        settings=await tools.store.apps.settings(row.app),
        log=attempt.log,
        tools=tools,
        strict=app is not None and app.strict,
        clean=attempt.clean,
        kept=kept,
    )
    try:
        await run_pipeline(ctx, entering=progress.entering)
    finally:
        await progress.settle()


async def kept_release(attempt: Attempt, store: Store) -> Release | None:
    """The release that an earlier attempt left, where all of it is still on the disk."""
    release = await store.releases.of_deployment(attempt.row.app, attempt.row.id)
    if release is None or not is_whole(attempt.paths, release.number):
        return None
    meta = await asyncio.to_thread(read_meta, attempt.paths, release.number)
    environments = {release.environment, *meta.job_environments.values()} - {None}
    whole = all(is_complete(attempt.paths.environments / str(name)) for name in environments)
    return release if whole else None


def was_activated(row: Deployment) -> bool:
    """Whether the newest attempt's release came into effect (Releases.activate sets the time)."""
    begun = row.started_at
    return begun is not None and row.last_success_at is not None and row.last_success_at >= begun


async def _record(
    attempt: Attempt,
    tools: Tools,
    release: Release | None,
    kept: bool,
    failure: Failure | None,
    *,
    begun: float,
    url: Callable[[str], str],
) -> None:
    """Write the end to the store, then to the log; remove what a failure left."""
    row, log, store = attempt.row, attempt.log, tools.store
    if failure is not None:
        now = await store.deployments.get(row.app, row.id)
        if now is not None and was_activated(now):
            log.warning("deploy.warning", what=failure.what, fix=failure.fix)
            failure = None
    if failure is not None and release is not None and not kept:
        # before anything is written: what it left may be what fills the disk
        await asyncio.to_thread(discard_release, attempt.paths, release.number)
        await asyncio.to_thread(empty_trash, attempt.paths)
    duration = round((tools.clock.monotonic() - begun) * 1000, 1)
    attempt.recorded = True

    async def write_down() -> None:
        if failure is not None and release is not None and not kept:
            await store.releases.prune(row.app, [release.number], at=tools.clock.now())
        await store.deployments.advance(
            row.app,
            row.id,
            attempt.progress.noted,
            "success" if failure is None else "failed",
            ended_at=tools.clock.now(),
            status_text="" if failure is None else failure.what,
            progress="",
            **attempt.progress.unnoted(),
        )

    try:
        await _persist(write_down, tools)
    finally:
        _tell(attempt, release, failure, duration=duration, url=url)


async def _persist(write: Callable[[], Awaitable[None]], tools: Tools) -> None:
    """Try again while the store can't be written: a full disk may get room. Raises StoreError."""
    for pause in _PAUSES:
        try:
            await write()
            return
        except StoreError as error:
            tools.events.log.warning("deploy.not_recorded", reason=error.what, again_in=pause)
        await tools.clock.sleep(pause)
    await write()


def _tell(
    attempt: Attempt,
    release: Release | None,
    failure: Failure | None,
    *,
    duration: float,
    url: Callable[[str], str],
) -> None:
    """The log's last record."""
    row, log = attempt.row, attempt.log
    if failure is None:
        number = None if release is None else release.number
        log.info("deploy.succeeded", release=number, duration_ms=duration, url=url(row.app))
    else:
        log.error("deploy.failed", duration_ms=duration, **msgspec.structs.asdict(failure))
