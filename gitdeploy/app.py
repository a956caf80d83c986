"""Puts the rooms together: the only file that knows every one of them.

`Server` has the life of one server process: `start`, `wait`, `close`, in the order in which the
rooms depend on each other.
"""

from __future__ import annotations

import asyncio
import fcntl
import os
import secrets
import shutil
import socket
from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path

from aiohttp import web

from gitdeploy import __version__
from gitdeploy.clock import SystemClock
from gitdeploy.config import Options, split_listen
from gitdeploy.deploy import Deployer, JobUploads, reap_builds
from gitdeploy.errors import GitdeployError
from gitdeploy.events import Events, Redactor
from gitdeploy.home import Home
from gitdeploy.logs import Watcher
from gitdeploy.outbox import Deliverer
from gitdeploy.repos import Repositories, Upkeep
from gitdeploy.sandbox import choose
from gitdeploy.store import Store
from gitdeploy.supervise import Supervisor
from gitdeploy.web import Runner, Services, build_application, finish, hook_view

_ROOMS = (
    "deployer",
    "uploads",
    "supervisor",
    "deliverer",
    "upkeep",
    "repositories",
    "watcher",
)  # in the order in which they end
_FORCED = 0.5  # seconds for what the grace wasn't enough for


class StartError(GitdeployError):
    """The server can't start; the message is for the operator."""


class Server:
    """One server over one home."""

    def __init__(self, options: Options) -> None:
        self.options = options
        self.home = Home(options.home)
        self.url = ""
        self.admin_token = ""
        self.made_admin_token = False
        self._lock = -1
        self._runner: web.AppRunner | None = None
        self._closed = False
        self._ended: set[str] = set()

    async def start(self) -> None:
        """Open everything that lasts, take up what runs, then listen.

        Raises GitdeployError (what, fix) where the home, the database, the address or the
        isolation level can't be had; nothing is left running then.
        """
        try:
            await self._start()
        except BaseException:
            await self.close(stop_jobs=False)
            raise

    async def _start(self) -> None:
        options, home = self.options, self.home
        prepare_home(home)
        self._lock = lock_home(home)
        self.admin_token, self.made_admin_token = admin_token(options, home)
        self._clock = SystemClock()
        self.store = Store(home.database)
        self.store.open()
        instance = options.instance or await self._instance()
        redactor = Redactor([self.admin_token])
        self.events = Events(home, self._clock, instance=instance, redactor=redactor)
        log = self.events.log
        sock = listen_socket(options.listen)
        host, port = split_listen(options.listen)[0], sock.getsockname()[1]
        self.url = f"http://{f'[{host}]' if ':' in host else host}:{port}"
        log.info("server.starting", version=__version__, home=str(home.root), pid=os.getpid())
        self.holders = await choose(options.isolation, log)
        self.watcher = Watcher(retention=options.log_retention, log=log)
        await self.watcher.start()
        self.repositories = Repositories(home, options, log)
        await self.repositories.start()
        self.upkeep = Upkeep(self.repositories, log)
        self.supervisor = Supervisor(
            home=home,
            store=self.store,
            events=self.events,
            clock=self._clock,
            options=options,
            holders=self.holders,
            watcher=self.watcher,
            instance=instance,
        )
        self.deployer = Deployer(
            home=home,
            store=self.store,
            events=self.events,
            clock=self._clock,
            options=options,
            repositories=self.repositories,
            supervisor=self.supervisor,
            holders=self.holders,
            watcher=self.watcher,
            instance=instance,
            ui_url=lambda app: f"{self.url}/ui/{app}/",
        )
        self.uploads = JobUploads(
            home=home,
            store=self.store,
            events=self.events,
            clock=self._clock,
            options=options,
            supervisor=self.supervisor,
        )
        self.deliverer = Deliverer(
            store=self.store,
            events=self.events,
            clock=self._clock,
            options=options,
            view=hook_view,
        )
        for app in await self.store.apps.deleting():
            await self._remove(app)
        await self.deliverer.start()
        await self.supervisor.start()
        await self.uploads.start()
        await self.deployer.start()
        services = Services(
            options=options,
            home=home,
            clock=self._clock,
            events=self.events,
            store=self.store,
            repositories=self.repositories,
            upkeep=self.upkeep,
            deployer=self.deployer,
            supervisor=self.supervisor,
            uploads=self.uploads,
            watcher=self.watcher,
            holders=self.holders,
            instance=instance,
            admin_token=self.admin_token,
            delete_app=self.delete_app,
        )
        self._runner = Runner(build_application(services), shutdown_timeout=_FORCED)
        await self._runner.setup()
        await web.SockSite(self._runner, sock, backlog=1024).start()
        log.info("server.ready", url=self.url, isolation=self.holders.level)

    async def close(self, *, stop_jobs: bool) -> None:
        """End in the opposite order; what didn't start is passed over.

        A room that fails to end is logged and doesn't keep the others from ending. Closing again
        does nothing.
        """
        if self._closed:
            return
        self._closed = True
        until = asyncio.get_running_loop().time() + self.options.grace
        if self._runner is not None:
            cut_off = partial(self._end, "deployer", self.deployer.close)
            ending = partial(finish, self._runner, grace=self.options.grace, cut_off=cut_off)
            await self._end("http", ending)
        for name in _ROOMS:
            room = getattr(self, name, None)
            if room is None:
                continue
            close = room.close
            if name == "supervisor":
                close = partial(close, stop_jobs=stop_jobs)
            elif name in ("repositories", "deliverer"):
                left = until - asyncio.get_running_loop().time()
                close = partial(close, grace=max(left, _FORCED))
            await self._end(name, close)
        if hasattr(self, "events"):
            self.events.log.info("server.stopped")
            self.events.close()
        if hasattr(self, "store"):
            self.store.close()
        if self._lock >= 0:
            os.close(self._lock)
            self._lock = -1

    async def _end(self, room: str, close: Callable[[], Awaitable[None]]) -> None:
        if room in self._ended:
            return
        self._ended.add(room)
        try:
            await close()
        except Exception:
            self.events.log.exception("server.close_failed", what=room)

    async def delete_app(self, app: str) -> bool:
        """Stop the app's jobs and remove all that it has; False where there is none.

        A crash in between is finished at the next start.
        """
        if await self.store.apps.get(app) is None or not await self.store.apps.mark_deleting(app):
            return False
        await self._remove(app)
        return True

    async def _remove(self, app: str) -> None:
        await self.deployer.forget(app)
        await reap_builds(self.home.app(app), self.holders)  # commands are among them
        await self.uploads.forget(app)
        await self.supervisor.forget(app)
        await self.upkeep.forget(app)
        await self.repositories.delete(app)
        self.events.forget_app(app)
        await asyncio.to_thread(shutil.rmtree, self.home.app(app).root, ignore_errors=True)
        await self.store.apps.delete(app)

    async def _instance(self) -> str:
        """This home's name in logs: six hex digits (as in Kudu's lines), made once."""
        known = await self.store.fact("instance")
        if known is None:
            known = secrets.token_hex(3)
            await self.store.remember("instance", known)
        return known


def prepare_home(home: Home) -> None:
    """Create the home (mode 0700). Raises StartError where others may write to it."""
    root = home.root
    try:
        root.mkdir(mode=0o700, parents=True, exist_ok=True)
        status = root.stat()
        if status.st_uid != os.geteuid():
            raise StartError(
                f"{root} belongs to uid {status.st_uid}, the server runs as {os.geteuid()}.",
                "Give the home to the server's user: chown -R.",
            )
        if status.st_mode & 0o022:
            raise StartError(f"{root} may be written by others.", f"chmod go-w {root}")
        home.apps.mkdir(mode=0o700, exist_ok=True)
        home.hooks.mkdir(mode=0o700, exist_ok=True)
    except OSError as error:
        raise StartError(f"{root} can't be the home: {error.strerror}.") from error


def lock_home(home: Home) -> int:
    """Hold the home for this process; the descriptor keeps the lock. Raises StartError."""
    fd = os.open(home.lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        other = os.read(fd, 32).decode(errors="replace").strip()
        os.close(fd)
        raise StartError(
            f"Another gitdeploy (pid {other or '?'}) serves {home.root}.",
            "Stop it first, or use another --home.",
        ) from error
    os.truncate(fd, 0)
    os.write(fd, f"{os.getpid()}\n".encode())
    return fd


def admin_token(options: Options, home: Home) -> tuple[str, bool]:
    """The administrator's token and whether it was made just now."""
    if options.admin_token:
        return options.admin_token, False
    try:
        return home.admin_token.read_text("utf-8").strip(), False
    except FileNotFoundError:
        token = "gd_" + secrets.token_urlsafe(32)
        write_private(home.admin_token, token + "\n")
        return token, True


def write_private(path: Path, text: str) -> None:
    """Create a file with mode 0600, whole or not at all."""
    temporary = path.with_name(path.name + ".new")
    fd = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    with os.fdopen(fd, "w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(fd)
    temporary.replace(path)


def listen_socket(listen: str) -> socket.socket:
    """Bind before anything is started, so that a taken port stops the start. Raises StartError."""
    host, port = split_listen(listen)
    try:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        return socket.create_server((host, port), family=family, backlog=1024)
    except OSError as error:
        raise StartError(
            f"listen: {listen} can't be had: {error.strerror or error}.",
            "Choose another with --listen HOST:PORT, or stop what listens there.",
        ) from error
