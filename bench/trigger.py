"""(c) Trigger by HTTP → process started, against Debian's webhook in its waiting mode."""

from __future__ import annotations

import http.client
import time
from pathlib import Path

from bench.peers import Ours, git, ours, webhook
from bench.swap import stamp
from bench.table import Row

JOB = "App_Data/jobs/triggered/stamp/run.sh"


def run(directory: Path, rounds: int) -> list[Row]:
    """Milliseconds from the request to the script's first instruction (new connection each)."""
    work = directory / "work"
    (work / JOB).parent.mkdir(parents=True)
    (work / JOB).write_text('echo "$EPOCHREALTIME" > "$WEBJOBS_DATA_PATH/stamp"\n')
    git(work, "init", "-q", "-b", "main")
    git(work, "add", ".")
    git(work, "commit", "-q", "-m", "stamp")
    script = directory / "run.sh"
    script.write_text(f'#!/bin/bash\necho "$EPOCHREALTIME" > "{directory}/stamp"\n')
    script.chmod(0o755)
    rows = []
    for level in ("sandbox", "none"):
        place = directory / level
        place.mkdir()
        with (
            ours(place, "--isolation", level) as server,
            webhook(place, script) as port,
        ):
            git(work, "push", "-q", server.remote("shop"), "main")
            data = server.home / "apps/shop/data/jobs/triggered/stamp"
            mine: list[float] = []
            theirs: list[float] = []
            path = "/apps/shop/api/triggeredwebjobs/stamp/run"
            for number in range(-5, rounds):
                a = _one(server.port, path, data / "stamp", server.headers())
                b = _one(port, "/hooks/run", directory / "stamp", {})
                if number >= 0:
                    mine.append(a)
                    theirs.append(b)
                idle(server, "stamp")
        rows.append(
            Row(
                f"trigger by HTTP → process started, isolation {level}",
                "webhook (Debian), waiting for the command",
                mine,
                theirs,
                "ms",
                1.3,
                "the run is on the disk (SQLite, synchronous=FULL) before it starts; the job ran a"
                " moment before, so its holder stands by (a first run has none and isn't measured here)",
            )
        )
    return rows


def _one(port: int, path: str, file: Path, headers: dict[str, str]) -> float:
    file.unlink(missing_ok=True)
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    began = time.time()
    connection.request("POST", path, headers=headers)
    response = connection.getresponse()
    response.read()
    connection.close()
    if response.status >= 300:
        raise SystemExit(f"POST {path}: {response.status}")
    return (stamp(file) - began) * 1000


def idle(server: Ours, job: str) -> None:
    """Wait until the job's run has ended: one runs at a time."""
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        found = server.call("GET", f"/apps/shop/api/triggeredwebjobs/{job}")
        if found["latest_run"]["status"] not in ("Initializing", "Running"):
            return
        time.sleep(0.05)
    raise SystemExit("the run doesn't end")
