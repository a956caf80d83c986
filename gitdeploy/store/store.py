"""`Store`: the table families over one database."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from pathlib import Path

from gitdeploy.store.apps import Apps
from gitdeploy.store.audit import Audit
from gitdeploy.store.database import Database
from gitdeploy.store.deployments import Deployments, Releases
from gitdeploy.store.diagnostics import Diagnostics
from gitdeploy.store.executions import Executions
from gitdeploy.store.history import History
from gitdeploy.store.hooks import Hooks
from gitdeploy.store.jobs import Jobs
from gitdeploy.store.occurrences import Occurrences
from gitdeploy.store.origins import Origins
from gitdeploy.store.outbox import Outbox
from gitdeploy.store.overview import Overviews
from gitdeploy.store.secrets import Secrets
from gitdeploy.store.sessions import Sessions
from gitdeploy.store.tokens import Deliveries, Tokens
from gitdeploy.store.uploads import Uploads


class Store:
    """Open it once per server; every family is an attribute."""

    def __init__(self, path: Path) -> None:
        self.database = Database(path)
        self.apps = Apps(self.database)
        self.tokens = Tokens(self.database)
        self.sessions = Sessions(self.database)
        self.deliveries = Deliveries(self.database)
        self.origins = Origins(self.database)
        self.audit = Audit(self.database)
        self.deployments = Deployments(self.database)
        self.releases = Releases(self.database)
        self.jobs = Jobs(self.database)
        self.uploads = Uploads(self.database)
        self.secrets = Secrets(self.database)
        self.executions = Executions(self.database)
        self.history = History(self.database)
        self.occurrences = Occurrences(self.database)
        self.diagnostics = Diagnostics(self.database)
        self.hooks = Hooks(self.database)
        self.outbox = Outbox(self.database)
        self.overviews = Overviews(self.database)

    def open(self) -> None:
        """Raises StoreError, see Database.open."""
        self.database.open()

    def close(self) -> None:
        self.database.close()

    def listen(self, committed: Callable[[], None] | None) -> None:
        """Call this after each commit, on the writer's thread; None ends it.

        It must be quick and raise nothing. There is one listener.
        """
        self.database.on_commit = committed

    async def fact(self, key: str) -> str | None:
        """A small thing that the server remembers, or None."""
        row = self.database.read(
            lambda c: c.execute("SELECT value FROM facts WHERE key = ?", (key,)).fetchone()
        )
        return None if row is None else str(row["value"])

    async def remember(self, key: str, value: str) -> None:
        """Write a fact, replacing an older one."""

        def work(c: sqlite3.Connection) -> None:
            c.execute(
                "INSERT INTO facts (key, value) VALUES (?, ?)"
                " ON CONFLICT (key) DO UPDATE SET value = excluded.value",
                (key, value),
            )

        await self.database.write(work)
