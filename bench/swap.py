"""(b) Push → the first instruction of the changed continuous job."""

from __future__ import annotations

import contextlib
import time
from pathlib import Path

from bench.peers import bare, git, nginx, ours
from bench.table import Row

JOB = "App_Data/jobs/continuous/worker/run.sh"
HOOK = """#!/bin/sh
unset GIT_QUARANTINE_PATH
git --work-tree={tree} checkout -q -f main
test -f {tree}/pid && kill "$(cat {tree}/pid)" 2>/dev/null
cd {tree} && WEBJOBS_DATA_PATH={tree} setsid bash {job} >{tree}/log 2>&1 </dev/null &
echo $! > {tree}/pid
"""


def script(number: int) -> str:
    """A worker whose first instruction writes down the time (a builtin: nothing is started)."""
    return (
        f'echo "$EPOCHREALTIME" > "$WEBJOBS_DATA_PATH/stamp{number}"\n'
        "trap 'exit 0' TERM\nwhile :; do sleep 0.2; done\n"
    )


def stamp(path: Path) -> float:
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        try:
            text = path.read_text().strip()
        except FileNotFoundError:
            text = ""
        if text:
            return float(text.replace(",", "."))
        time.sleep(0.005)
    raise SystemExit(f"the job never wrote {path.name}")


def run(directory: Path, rounds: int) -> list[Row]:
    """Milliseconds from the start of `git push` to the job's first instruction."""
    rounds = min(rounds, 15)
    work, tree = directory / "work", directory / "tree"
    (work / JOB).parent.mkdir(parents=True)
    tree.mkdir()
    git(work, "init", "-q", "-b", "main")
    with ours(directory, "--swap-grace", "0.3") as server, nginx(directory) as (base, root):
        repository = bare(root, "shop.git")
        hook = repository / "hooks/post-receive"
        hook.parent.mkdir(exist_ok=True)
        hook.write_text(HOOK.format(tree=tree, job=JOB))
        hook.chmod(0o755)
        git(work, "remote", "add", "ours", server.remote("shop"))
        git(work, "remote", "add", "peer", f"{base}/shop.git")
        data = server.home / "apps/shop/data/jobs/continuous/worker"
        times: dict[str, list[float]] = {"ours": [], "peer": []}
        for number in range(-2, rounds):
            (work / JOB).write_text(script(number))
            git(work, "add", ".")
            git(work, "commit", "-q", "-m", f"round {number}")
            order = ("ours", "peer") if number % 2 else ("peer", "ours")
            for remote in order:
                began = time.time()
                git(work, "push", "-q", remote, "main")
                where = data if remote == "ours" else tree
                if number >= 0:
                    times[remote].append((stamp(where / f"stamp{number}") - began) * 1000)
        pid = (tree / "pid").read_text().strip()
        git(tree, "--version")
        _kill(pid)
    return [
        Row(
            f"push → changed continuous job's first instruction ({rounds} pairs)",
            "bare repository behind nginx, post-receive: checkout -f and restart",
            times["ours"],
            times["peer"],
            "ms",
            1.0,
        )
    ]


def _kill(pid: str) -> None:
    import os
    import signal

    if pid.isdigit():
        with contextlib.suppress(ProcessLookupError):
            os.kill(int(pid), signal.SIGTERM)
