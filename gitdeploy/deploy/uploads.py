"""Jobs that come by themselves: a zip, a script, or settings alone, beside what is deployed.

Each upload is a new, immutable generation (generations.py); it is on the disk and has been looked
at before anything changes. Where it replaces a continuous job that runs, the new process has to
live for `swap_grace` first, as in a deployment: a failed one leaves the old as it was.
"""

from __future__ import annotations

import asyncio
import json
from collections import defaultdict
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import msgspec

from gitdeploy.archives import ZipLimits
from gitdeploy.clock import Clock
from gitdeploy.config import Options
from gitdeploy.deploy import generations
from gitdeploy.deploy.action_secrets import Settled, check_used, settle
from gitdeploy.deploy.generations import Made
from gitdeploy.deploy.knownjobs import as_filed, find_job, given_settings, name_as_kept
from gitdeploy.deploy.leftovers import Leftovers
from gitdeploy.deploy.packing import Parcel
from gitdeploy.errors import Invalid, NotFound
from gitdeploy.events import Events
from gitdeploy.home import Home, Kind
from gitdeploy.jobs import Job, base_of, check_job_name, with_settings
from gitdeploy.store import SettingsRow, Store, Upload
from gitdeploy.supervise import Desired, Prepared, Supervisor, SwapFailed, load


class JobUploads:
    """One per server: `start`, then the rest, then `close`.

    Changes to one app's jobs are made one after the other.
    """

    def __init__(
        self,
        *,
        home: Home,
        store: Store,
        events: Events,
        clock: Clock,
        options: Options,
        supervisor: Supervisor,
    ) -> None:
        self._home = home
        self._store = store
        self._events = events
        self._clock = clock
        self._options = options
        self._supervisor = supervisor
        self._locks: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)
        self._leftovers = Leftovers(home, store, events, supervisor, lambda app: self._locks[app])

    async def start(self) -> None:
        """Finish what a crash cut off, and remove generations that nobody needs."""
        for app in await self._store.apps.all():
            for value in await self._store.secrets.values(app.name):
                self._events.redactor.add(value)
            await asyncio.to_thread(generations.remove_incoming, self._home.app(app.name))
            await self._leftovers.finish_deletions(app.name)
            await self._leftovers.remove_generations(app.name)

    async def close(self) -> None:
        """Leave the generations that are still lived in to the next start."""
        await self._leftovers.close()

    async def forget(self, app: str) -> None:
        """The app is being deleted: returns when no change to its jobs is under way any more."""
        async with self._locks[app]:
            pass
        self._locks.pop(app, None)

    def incoming(self, app: str, name: str) -> Path:
        """A file for a body on its way in; the caller removes it."""
        return generations.incoming(self._home.app(app), name)

    async def put(self, app: str, kind: Kind, name: str, parcel: Parcel, *, who: str) -> str:
        """Make the parcel the app's job of that name; its name as it is kept.

        Raises Invalid (name, archive, no runnable script, a bad setting), Conflict where a job of
        the other kind has the name, SwapFailed where the new process of a job that runs dies.
        """
        check_job_name(name)
        async with self._turn(app):
            name = name_as_kept(self._supervisor, app, kind, name)
            paths, limits = self._home.app(app), ZipLimits.of(self._options)
            try:
                made = await asyncio.to_thread(generations.make, paths, kind, name, parcel, limits)
                self._hide(made.settled)
                upload = Upload(
                    app=app,
                    kind=kind,
                    name=name,
                    generation=made.number,
                    body=msgspec.json.encode(made.job).decode(),
                    uploaded_at=self._clock.now(),
                    who=who,
                )
                await self._check_used(app, kind, name, made.settled)
                prepared = await self._prepare(upload)
                await _to_the_end(self._put(upload, made, prepared))
            finally:
                await self._leftovers.remove_generations(app)
        return name

    async def delete(self, app: str, kind: Kind, name: str) -> bool:
        """Delete a job, its data and its history; False where there was none.

        An uploaded one lets a deployed one of its name come back; a deployed one is gone until
        the next deployment brings it again. Without a job what an earlier one left goes.
        """
        async with self._turn(app):
            job = find_job(self._supervisor, app, kind, name)
            if job is None:
                try:
                    check_job_name(name)
                except Invalid:
                    return False
            await _to_the_end(self._delete(app, kind, name if job is None else job.name, job))
            return job is not None

    async def put_settings(self, app: str, kind: Kind, name: str, raw: dict[str, Any]) -> None:
        """Let these settings stand in for the job's settings.job from now on.

        Raises NotFound, and Invalid naming the key where a known one has a bad value, or where
        the job would have nothing to run any more.
        """
        async with self._turn(app):
            job = find_job(self._supervisor, app, kind, name)
            if job is None:
                raise NotFound(f"{app} has no {kind} job {name[:100]!r}.")
            settled = settle(kind, job.name, raw)
            if settled.wrong:
                raise settled.wrong[0]
            self._hide(settled)
            await self._check_used(app, kind, job.name, settled)
            filed = await as_filed(self._store, app, job)
            body = json.dumps(settled.raw, ensure_ascii=False)
            if job.runnable and not with_settings(filed, body).runnable:
                raise Invalid(
                    f"{job.name} has no script, only the action of its settings.",
                    "Send the action too, or upload a script, or delete the job.",
                )
            row = SettingsRow(app=app, kind=kind, name=job.name, base=base_of(filed), body=body)
            await _to_the_end(self._put_settings(row, settled))

    async def _prepare(self, upload: Upload) -> Prepared | None:
        """See a replacement live; None where there is nothing that it replaces."""
        app, key = upload.app, (upload.kind, upload.name)
        old = find_job(self._supervisor, app, *key)
        if upload.kind != "continuous" or old is None or not old.runnable:
            return None

        async def desired() -> Desired:
            rows = await self._store.uploads.all(app)
            others = [each for each in rows if (each.kind, each.name) != key]
            found = await load(self._store, self._home, app, [*others, upload])
            assert found is not None
            return found

        return await self._supervisor.prepare(app, desired, self._events.app_log(app))

    async def _put(self, upload: Upload, made: Made, prepared: Prepared | None) -> None:
        """Record it, stop what is old; a new one starts."""
        app, kind, name = upload.app, upload.kind, upload.name
        log = self._events.app_log(app)
        try:
            given = await given_settings(self._store, app, kind, name)
            stays = given is not None and given.base == base_of(made.job)
            keep = set(made.settled.used)
            if given is not None and stays:
                keep |= settle(kind, name, json.loads(given.body)).used
            await self._store.uploads.put(
                upload, keep_settings=stays, secrets=made.settled.secrets, keep=keep
            )
        except BaseException:
            if prepared is not None:
                await prepared.abort()
            raise
        log.info("job.uploaded", kind=kind, job=name, generation=made.number, who=upload.who)
        if given is not None and not stays:
            log.warning("job.settings_dropped", kind=kind, job=name)
        if prepared is not None:
            await prepared.commit()
        await self._supervisor.refresh(app, reason="a job was uploaded")

    async def _delete(self, app: str, kind: Kind, name: str, job: Job | None) -> None:
        release = None if job is None else await self._store.releases.active(app)
        number = None if release is None else release.number
        await self._store.uploads.remove(app, kind, name, release=number)
        await self._leftovers.finish_deletion(app, kind, name)
        await self._leftovers.remove_generations(app)
        if job is not None:
            self._events.app_log(app).info("job.deleted", kind=kind, job=name)

    async def _put_settings(self, row: SettingsRow, settled: Settled) -> None:
        await self._store.uploads.put_settings(row, secrets=settled.secrets, keep=settled.used)
        log = self._events.app_log(row.app)
        log.info("job.settings_changed", kind=row.kind, job=row.name)
        await self._supervisor.refresh(row.app, reason="settings of a job changed")

    @asynccontextmanager
    async def _turn(self, app: str) -> AsyncIterator[None]:
        """Be the only one who changes the app's jobs. Raises NotFound where it is gone."""
        async with self._locks[app]:
            if await self._store.apps.get(app) is None:
                raise NotFound(f"There is no app {app!r}.")
            await _to_the_end(self._leftovers.finish_deletions(app))
            yield

    def _hide(self, settled: Settled) -> None:
        for value in settled.secrets.values():
            self._events.redactor.add(value)

    async def _check_used(self, app: str, kind: Kind, name: str, settled: Settled) -> None:
        if settled.used:
            known = await self._store.secrets.names(app)
            check_used(settled, known, below=f"{kind}/{name}/")


def swap_error(error: SwapFailed) -> Invalid:
    """A replacement that didn't live, as its sender reads it."""
    tail = "".join(f"\n  {line}" for line in error.tail)
    return Invalid(f"{error.what} The job before it goes on.{tail}", error.fix)


async def _to_the_end(work: Coroutine[Any, Any, None]) -> None:
    """Work that is all done or not begun: a caller who is cancelled waits for it all the same."""
    task = asyncio.create_task(work)
    try:
        await asyncio.shield(task)
    except asyncio.CancelledError:
        await asyncio.wait({task})
        raise
