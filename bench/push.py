"""(a) A tiny push of three objects to an existing app without jobs, against git http-backend."""

from __future__ import annotations

import time
from pathlib import Path

from bench.peers import bare, git, nginx, ours
from bench.table import Row


def run(directory: Path, rounds: int) -> list[Row]:
    """Wall time of `git push`, in ms, the same commit to both, in turn."""
    work = directory / "work"
    work.mkdir()
    git(work, "init", "-q", "-b", "main")
    for number in range(20):
        (work / f"file{number}").write_text(f"{number}\n" * 50)
    git(work, "add", ".")
    git(work, "commit", "-q", "-m", "base")
    with ours(directory) as server, nginx(directory) as (base, root):
        bare(root, "shop.git")
        git(work, "remote", "add", "ours", server.remote("shop"))
        git(work, "remote", "add", "peer", f"{base}/shop.git")
        times: dict[str, list[float]] = {"ours": [], "peer": []}
        for number in range(-3, rounds):  # three to warm up
            (work / "file0").write_text(f"round {number}\n")
            git(work, "commit", "-q", "-a", "-m", f"round {number}")
            order = ("ours", "peer") if number % 2 else ("peer", "ours")
            for remote in order:
                began = time.perf_counter()
                git(work, "push", "-q", remote, "main")
                if number >= 0:
                    times[remote].append((time.perf_counter() - began) * 1000)
    return [
        Row(
            "push of 3 objects, app without jobs, until git push ends",
            "nginx + fcgiwrap + git http-backend",
            times["ours"],
            times["peer"],
            "ms",
            0.75,
            "ours checks the push, syncs it to disk and deploys a release of 20 files",
        )
    ]
