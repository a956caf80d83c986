"""What the tests of uploaded jobs share: bodies, headers, a run to its end, what is on the disk."""

from __future__ import annotations

import io
import os
import zipfile
from pathlib import Path
from typing import Any

from gitdeploy.app import Server
from tests.integration.web.conftest import Client
from tests.support import eventually

BASE = "/apps/shop/api"
TRIGGERED = f"{BASE}/triggeredwebjobs"
CONTINUOUS = f"{BASE}/continuouswebjobs"
ZIP = {"Content-Type": "application/zip"}
AS_JSON = {"Content-Type": "application/json"}


def zipped(**files: str) -> bytes:
    """A zip; `__` in a name stands for a slash, `_dot_` for a dot."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for name, text in files.items():
            archive.writestr(name.replace("__", "/").replace("_dot_", "."), text)
    return out.getvalue()


def script(name: str = "run.sh") -> dict[str, str]:
    return {"Content-Disposition": f"attachment; filename={name}"}


def pinging(password: Any, **settings: Any) -> dict[str, Any]:
    """Settings with an action that needs a password."""
    signed = {"type": "basic", "username": "me", "password": password}
    request = {"method": "POST", "uri": "https://example.org/ping", "authentication": signed}
    return {**settings, "action": {"type": "https", "request": request}}


async def run(client: Client, job: str, query: str = "") -> Any:
    """A run that has ended, and its `output`."""
    started = await client.ask("POST", f"{TRIGGERED}/{job}/run{query}")
    assert started.status == 202, started.body

    async def ended() -> Any:
        found = (await client.get(started.headers["Location"])).json
        return found if found["end_time"] else None

    found = await eventually(ended)
    found["output"] = (await client.get(found["url"] + "/log")).text
    return found


async def pid(client: Client, job: str) -> int:
    """The process of a continuous job, once it runs."""

    async def found() -> Any:
        return (await client.get(f"{CONTINUOUS}/{job}")).json["pid"]

    return int(await eventually(found))


def left(server: Server) -> list[str]:
    """Files below the app's uploads."""
    uploads = server.home.app("shop").uploads
    # not rglob: what is being removed may go under its hands
    walk = ((Path(folder), names) for folder, _, names in os.walk(uploads))
    return sorted(str((at / name).relative_to(uploads)) for at, names in walk for name in names)
