"""Jobs that come by themselves: a zip, a script, or settings alone, beside what is deployed.

Each upload is a new, immutable generation, laid out as a site of one job; it is on the disk and has
been looked at before anything changes. Where it replaces a continuous job that runs, the new
process has to live for `swap_grace` first, as in a deployment: a failed one leaves the old as it was.
"""

from __future__ import annotations

import asyncio
import json
import shutil
from collections import defaultdict
from pathlib import Path
from typing import Any, Literal

import msgspec

from gitdeploy.archives import ZipLimits, extract
from gitdeploy.clock import Clock
from gitdeploy.config import Options
from gitdeploy.deploy.packing import Parcel, blob_id, write_files
from gitdeploy.deploy.releases import flush
from gitdeploy.errors import Conflict, Invalid, NotFound
from gitdeploy.events import Events
from gitdeploy.home import AppHome, Home, Kind
from gitdeploy.jobs import (
    Job,
    SettingError,
    base_of,
    check_job_name,
    check_settings,
    discover,
    parse_action,
    references,
    take_secrets,
    with_identity,
)
from gitdeploy.store import SettingsRow, Store, Upload
from gitdeploy.supervise import Supervisor, SwapFailed, load

_SETTINGS = "settings.job"


class JobUploads:
    """One per server. Changes to one app's jobs are made one after the other."""

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
        self._turns: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)

    async def start(self) -> None:
        """Remove what a crash left, and generations that nobody needs."""
        for app in await self._store.apps.all():
            await self._tidy(app.name)

    def incoming(self, app: str, name: str) -> Path:
        """A file for a body on its way in; the caller removes it."""
        uploads = self._home.app(app).uploads
        uploads.mkdir(mode=0o700, parents=True, exist_ok=True)
        return uploads / f"incoming-{name}"

    async def put(self, app: str, kind: Kind, name: str, parcel: Parcel, *, who: str) -> str:
        """Make the parcel the app's job of that name; its name as it is kept.

        Raises Invalid (name, archive, no runnable script, a bad setting), Conflict where a job of
        the other kind has the name, SwapFailed where the new process of a job that runs dies.
        """
        check_job_name(name)
        async with self._turns[app]:
            name = self._known_as(app, kind, name)
            paths = self._home.app(app)
            generation = await asyncio.to_thread(_next_generation, paths, kind, name)
            site = paths.upload(kind, name, generation)
            making = site.with_name(f"{generation}.new")
            try:
                job, secrets = await asyncio.to_thread(self._make, making, site, kind, name, parcel)
            except BaseException:
                await asyncio.to_thread(shutil.rmtree, making, ignore_errors=True)
                raise
            upload = Upload(
                app=app,
                kind=kind,
                name=name,
                generation=generation,
                body=msgspec.json.encode(job).decode(),
                uploaded_at=self._clock.now(),
                who=who,
            )
            try:
                await asyncio.shield(self._put(upload, secrets))
            finally:
                await self._tidy(app)
        return name

    async def delete(self, app: str, kind: Kind, name: str) -> bool:
        """Delete a job, its data and its history; False where there was none.

        An uploaded one lets a deployed one of its name come back; a deployed one is gone until
        the next deployment brings it again.
        """
        async with self._turns[app]:
            job = self._find(app, kind, name)
            if job is None:
                return False
            release = await self._store.releases.active(app)
            number = None if release is None else release.number
            await self._store.uploads.remove(app, kind, job.name, release=number)
            await self._store.secrets.replace(app, f"{kind}/{job.name}/", {}, [])
            await self._supervisor.forget_job(app, kind, job.name)
            await self._store.executions.forget_job(app, kind, job.name)
            paths = self._home.app(app)
            for gone in (paths.executions(kind, job.name), paths.job_data(kind, job.name)):
                await asyncio.to_thread(shutil.rmtree, gone, ignore_errors=True)
            await self._tidy(app)
            self._events.app_log(app).info("job.deleted", kind=kind, job=job.name)
            return True

    async def put_settings(self, app: str, kind: Kind, name: str, raw: dict[str, Any]) -> None:
        """Let these settings stand in for the job's settings.job from now on.

        Raises NotFound, and Invalid naming the key where a known one has a bad value.
        """
        async with self._turns[app]:
            job = self._find(app, kind, name)
            if job is None:
                raise NotFound(f"{app} has no {kind} job {name[:100]!r}.")
            raw, secrets, kept = self._without_secrets(kind, job.name, raw)
            row = SettingsRow(
                app=app,
                kind=kind,
                name=job.name,
                base=base_of(await self._as_filed(app, job)),
                body=json.dumps(raw, ensure_ascii=False),
            )
            await self._store.secrets.replace(app, f"{kind}/{job.name}/", secrets, kept)
            await self._store.uploads.put_settings(row)
            self._events.app_log(app).info("job.settings_changed", kind=kind, job=job.name)
            await self._supervisor.refresh(app, reason="settings of a job changed")

    def _make(
        self, making: Path, site: Path, kind: Kind, name: str, parcel: Parcel
    ) -> tuple[Job, dict[str, str]]:
        """Write the generation and look at it. Blocking: for a worker thread."""
        directory = f"App_Data/jobs/{kind}/{name}"
        target = making / directory
        target.parent.mkdir(parents=True, mode=0o700)
        secrets: dict[str, str] = {}
        if parcel.form == "zip":
            limits = ZipLimits.of(self._options)
            manifest = dict(extract(parcel.file, target, limits=limits).manifest)
        else:
            manifest = write_files(target, parcel)
        job, _ = _look(making, kind, name)
        raw = job.settings.raw
        try:
            raw, secrets, _ = self._without_secrets(kind, name, raw)
        except SettingError:
            if parcel.form == "settings":
                raise
            # the job says so itself, and runs without that key
        if secrets:
            data = json.dumps(raw, ensure_ascii=False).encode()
            (making / job.directory / _SETTINGS).write_bytes(data)
            inside = job.directory.removeprefix(directory).strip("/")
            manifest[f"{inside}/{_SETTINGS}" if inside else _SETTINGS] = (0o100644, blob_id(data))
        job, fix = _look(making, kind, name)
        if not job.runnable:
            raise Invalid(f"{name} can't be taken: {job.error}", fix)
        placed = {f"{directory}/{path}": entry for path, entry in manifest.items()}
        job = with_identity(job, placed, settings={}, environment=None)
        flush(making)
        making.rename(site)
        return job, secrets

    async def _put(self, upload: Upload, secrets: dict[str, str]) -> None:
        """Start what is new, record it, stop what is old."""
        app, kind, name = upload.app, upload.kind, upload.name
        old = self._find(app, kind, name)
        prepared = None
        if kind == "continuous" and old is not None and old.runnable:
            rows = [
                u for u in await self._store.uploads.all(app) if (u.kind, u.name) != (kind, name)
            ]
            desired = await load(self._store, self._home, app, [*rows, upload])
            assert desired is not None
            log = self._events.app_log(app)
            prepared = await self._supervisor.prepare(desired, log)
        try:
            await self._store.secrets.replace(app, f"{kind}/{name}/", secrets, [])
            await self._store.uploads.put(upload)
        except BaseException:
            if prepared is not None:
                await prepared.abort()
            raise
        self._events.app_log(app).info(
            "job.uploaded", kind=kind, job=name, generation=upload.generation, who=upload.who
        )
        if prepared is not None:
            await prepared.commit()
        await self._supervisor.refresh(app, reason="a job was uploaded")

    def _without_secrets(
        self, kind: Kind, name: str, raw: dict[str, Any]
    ) -> tuple[dict[str, Any], dict[str, str], list[str]]:
        """Settings with references in the place of secrets, the secrets, the names still used.

        Raises SettingError.
        """
        secrets: dict[str, str] = {}
        used: list[str] = []
        if raw.get("action") is not None:
            prefix = f"{kind}/{name}/action"
            action, secrets = take_secrets(parse_action(raw["action"]), prefix)
            used = [each.secret for each in references(action) if each.secret is not None]
            strange = next((each for each in used if not each.startswith(prefix)), None)
            if strange is not None:
                raise Invalid(
                    f"action refers to the secret {strange[:100]!r}, which isn't this job's.",
                    "Send the value itself; it is kept apart and never shown.",
                )
            for value in secrets.values():
                self._events.redactor.add(value)
            raw = {**raw, "action": msgspec.to_builtins(action)}
        wrong = check_settings(raw)[1]
        if wrong:
            raise wrong[0]
        return raw, secrets, used

    async def _as_filed(self, app: str, job: Job) -> Job:
        """The job with the settings of its own settings.job."""
        for upload in await self._store.uploads.all(app):
            if (upload.kind, upload.name) == job.key:
                return msgspec.json.decode(upload.body, type=Job)
        for row in await self._store.jobs.desired(app):
            if (row.kind, row.name) == job.key:
                return msgspec.json.decode(row.body, type=Job)
        return job

    def _find(self, app: str, kind: Kind, name: str) -> Job | None:
        folded = name.casefold()
        for view in self._supervisor.jobs(app):
            if view.job.kind == kind and view.job.name.casefold() == folded:
                return view.job
        return None

    def _known_as(self, app: str, kind: Kind, name: str) -> str:
        """The name in the spelling that is kept. Raises Conflict."""
        other: Literal["continuous", "triggered"]
        other = "triggered" if kind == "continuous" else "continuous"
        if self._find(app, other, name) is not None:
            raise Conflict(
                f"{app} has a {other} job {name}.",
                f"Delete it first, or give this {kind} one another name.",
            )
        found = self._find(app, kind, name)
        return name if found is None else found.name

    async def _tidy(self, app: str) -> None:
        rows = await self._store.uploads.all(app)
        keep: set[tuple[str, str, str]] = {(u.kind, u.name, str(u.generation)) for u in rows}
        keep |= {(k, n, str(g)) for k, n, g in self._supervisor.uploads_in_use(app)}
        await asyncio.to_thread(_remove_others, self._home.app(app), keep)


def _look(site: Path, kind: Kind, name: str) -> tuple[Job, str]:
    """The one job of a site, and what to do about it where something is wrong. Raises Invalid."""
    found, problems = discover(site)
    fix = problems[0].fix if problems else ""
    for job in found:
        if job.key == (kind, name):
            return job, fix
    raise Invalid(f"{name} can't be taken: it is empty.", "Put a run.sh, run.py … at its top.")


def swap_error(error: SwapFailed) -> Invalid:
    """A replacement that didn't live, as its sender reads it."""
    tail = "".join(f"\n  {line}" for line in error.tail)
    return Invalid(f"{error.what} The job before it goes on.{tail}", error.fix)


def _next_generation(paths: AppHome, kind: Kind, name: str) -> int:
    parent = paths.upload(kind, name, 0).parent
    names = [entry.name.split(".")[0] for entry in parent.glob("*")] if parent.is_dir() else []
    return 1 + max((int(each) for each in names if each.isdigit()), default=0)


def _remove_others(paths: AppHome, keep: set[tuple[str, str, str]]) -> None:
    for kind in ("continuous", "triggered"):
        for generation in (paths.uploads / kind).glob("*/*"):
            if (kind, generation.parent.name, generation.name) not in keep:
                shutil.rmtree(generation, ignore_errors=True)
        for job in (paths.uploads / kind).glob("*"):
            if not any(job.iterdir()):
                job.rmdir()
