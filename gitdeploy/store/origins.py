"""Where each app was fetched from last."""

from __future__ import annotations

from gitdeploy.store.database import Database


class Origins:
    """The table `origins`."""

    def __init__(self, database: Database) -> None:
        self._db = database

    async def get(self, app: str) -> str | None:
        """The URL, without credentials; None where nothing was fetched yet."""
        row = self._db.read(
            lambda c: c.execute("SELECT url FROM origins WHERE app = ?", (app,)).fetchone()
        )
        return None if row is None else str(row["url"])

    async def remember(self, app: str, url: str) -> None:
        """Keep a URL, which must have no credentials in it."""
        await self._db.write(
            lambda c: (
                c.execute(
                    "INSERT INTO origins (app, url) VALUES (?, ?)"
                    " ON CONFLICT (app) DO UPDATE SET url = excluded.url",
                    (app, url),
                )
                and None
            )
        )
