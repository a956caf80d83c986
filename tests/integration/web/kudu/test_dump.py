"""`GET /api/dump`: every log of an app in one zip, and no secret in it."""

from __future__ import annotations

import io
import json
import zipfile
from typing import Any

from tests.integration.web.conftest import Client, Site
from tests.support import eventually

APP = "/apps/shop"
SECRETS = {
    "DB_PASSWORD": "correct horse battery",
    "API_KEY": 'quoted "and" back\\slashed ü',
    "SIGNING_KEY": "-----BEGIN KEY-----\nfirst-line-of-it\nsecond-line-of-it\n-----END KEY-----",
}
LEAKY = """\
import os, json
for name in ("DB_PASSWORD", "API_KEY", "SIGNING_KEY", "COLOUR"):
    print(name, os.environ[name])
    print(json.dumps({name: os.environ[name]}))
print("Authorization: Bearer abcdefghijkl")
print("postgres://ada:lovelace@db/shop")
print("x" * 1_500_000 + "end")
"""
BUILD = "[config]\ncommand = echo built with $DB_PASSWORD\n"
FILES = {
    ".deployment": BUILD,
    "App_Data/jobs/triggered/leaky/run.py": LEAKY,
    "App_Data/jobs/continuous/ticker/run.py": "import time\nprint('tick', flush=True)\ntime.sleep(60)\n",
}


async def dumped(admin: Client, path: str = "/api/dump") -> dict[str, bytes]:
    answer = await admin.get(APP + path)
    assert answer.status == 200 and answer.headers["Content-Type"] == "application/zip"
    archive = zipfile.ZipFile(io.BytesIO(answer.body))
    assert archive.testzip() is None
    return {name: archive.read(name) for name in archive.namelist()}


async def test_the_dump_has_every_log_and_no_secret(admin: Client, shop: Site) -> None:
    settings = {**SECRETS, "COLOUR": "green-and-blue"}
    assert (await admin.ask("POST", f"{APP}/api/settings", settings)).status == 204
    commit = await shop.deploy(FILES)
    started = await admin.ask("POST", f"{APP}/api/triggeredwebjobs/leaky/run")
    run: dict[str, Any] = {}

    async def ended() -> bool:
        run.update((await admin.get(started.headers["Location"])).json)
        return bool(run["end_time"])

    await eventually(ended)

    async def ticked() -> bool:
        return "tick" in (await admin.get(f"{APP}/api/continuouswebjobs/ticker/log")).text

    await eventually(ticked)

    found = await dumped(admin)

    assert b"built with ***" in found[f"deployments/{commit}/log.log"]
    assert json.loads(found[f"deployments/{commit}/status"])["id"] == commit
    assert b"INFO] tick" in found["LogFiles/jobs/continuous/ticker/job_log.txt"]
    events = found["LogFiles/events/" + "0" * 20 + ".ndjson"].splitlines()
    assert {"deploy.succeeded", "job.started"} <= {json.loads(line)["event"] for line in events}
    output = found[f"LogFiles/jobs/triggered/leaky/{run['id']}/output_log.txt"]
    assert b"DB_PASSWORD ***\n" in output and b'{"DB_PASSWORD": "***"}' in output
    assert b"COLOUR green-and-blue" in output and b"xxxend" in output
    assert b"postgres://ada:***@db/shop" in output
    everything = b"".join(found.values())
    assert json.dumps(SECRETS["API_KEY"])[1:-1].encode() not in everything
    hidden = [*SECRETS["SIGNING_KEY"].splitlines()[1:3], *list(SECRETS.values())[:2]]
    for secret in (*hidden, "abcdefghijkl", "lovelace@", admin.token or ""):
        assert secret.encode() not in everything, secret


async def test_an_app_without_anything_has_a_dump_too(admin: Client, shop: Site) -> None:
    for path in ("/api/dump", "/api/dump/", "/dump", "/dump/"):
        found = await dumped(admin, path)
        assert any(name.startswith("LogFiles/events/") for name in found)
    answer = await admin.ask("HEAD", f"{APP}/api/dump")
    assert answer.status == 200 and 'filename="dump-' in answer.headers["Content-Disposition"]
    other = await admin.token_for("read", apps=["another"])
    assert (await other.get(f"{APP}/api/dump")).status == 404
