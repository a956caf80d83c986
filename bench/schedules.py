"""(e) 10,000 schedules in one server: what they cost while nothing is due, and a second in which
1,000 are due, against a bare asyncio loop that spawns the same scripts (bare_scheduler.py)."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from itertools import chain
from pathlib import Path

from bench.output import cpu
from bench.peers import Ours, git, ours
from bench.table import Row

JOBS, DUE = 10_000, 1_000
PERIOD = 120
"""The 1,000 are due every other minute; what is between is for the peer and for idleness."""
IDLE = 60.0
SCRIPT = 'echo "$EPOCHREALTIME" > "$WEBJOBS_DATA_PATH/stamp"\n'
NEVER, OFTEN = "0 0 0 29 2 *", "0 */2 * * * *"
LIMIT = 100.0


def run(directory: Path, rounds: int) -> list[Row]:
    """p99 lateness in ms of a burst, in turn with the peer; idle CPU as a share of a core in %."""
    rounds = min(rounds, 3)
    work, peer = directory / "work", directory / "peer"
    _write_jobs(work, peer)
    rows = []
    for level in ("none", "sandbox"):
        place = directory / level
        place.mkdir()
        rows += _level(place, work, peer, level, rounds)
    return rows


def _level(place: Path, work: Path, peer: Path, level: str, rounds: int) -> list[Row]:
    mine: list[list[float]] = []
    theirs: list[list[float]] = []
    with ours(place, "--isolation", level) as server:
        began = time.perf_counter()
        git(work, "push", "-q", server.remote("shop"), "main")
        pushed = time.perf_counter() - began
        _say(f"{level}: the push of {JOBS} jobs took {pushed:.1f} s")
        data = server.home / "apps/shop/data/jobs/triggered"
        share = None
        for _ in range(rounds):
            due = _next_due()
            before = cpu(server.pid)
            mine.append(_ours(server, data, due))
            if share is None:
                share = _idle(server, due)
            used = cpu(server.pid) - before
            theirs.append(_bare(peer))
            _say(
                f"{level}: p50 {_at(mine[-1], 0.5):.0f} ms, p99 {_at(mine[-1], 0.99):.0f} ms;"
                f" bare: {_at(theirs[-1], 0.5):.0f}, {_at(theirs[-1], 0.99):.0f};"
                f" the server's CPU {used:.2f} s"
            )
    first = f"{JOBS} schedules, nothing due, isolation {level}: the server's CPU over {IDLE:g} s"
    burst = (
        f"{DUE} of {JOBS} jobs due in one second, isolation {level}: p99 lateness ({rounds} pairs)"
    )
    assert share is not None
    return [
        Row(
            burst,
            "a bare asyncio loop that spawns the same scripts",
            [_at(each, 0.99) for each in mine],
            [_at(each, 0.99) for each in theirs],
            "ms",
            1.5,
            f"median lateness {_at([*chain(*mine)], 0.5):.0f} ms against"
            f" {_at([*chain(*theirs)], 0.5):.0f} ms; each run is on the disk before it starts; the"
            f" push of {JOBS} jobs took {pushed:.1f} s",
        ),
        Row(first, "1 % of a core", [share * 100], [1.0], "%", 1.0),
    ]


def _write_jobs(work: Path, peer: Path) -> None:
    """The same scripts as jobs of a repository and in directories for the peer."""
    for number in range(JOBS):
        folder = work / f"App_Data/jobs/triggered/job{number:05}"
        folder.mkdir(parents=True)
        schedule = OFTEN if number < DUE else NEVER
        (folder / "run.sh").write_text(SCRIPT)
        (folder / "settings.job").write_text(json.dumps({"schedule": schedule}))
        if number < DUE:
            (peer / folder.name).mkdir(parents=True)
            (peer / folder.name / "run.sh").write_text(SCRIPT)
    git(work, "init", "-q", "-b", "main")
    git(work, "add", ".")
    git(work, "commit", "-q", "-m", "jobs")


def _next_due() -> int:
    """The next even minute that is far enough away to get ready for."""
    return (int(time.time() + 10) // PERIOD + 1) * PERIOD


def _ours(server: Ours, data: Path, due: int) -> list[float]:
    files = [data / f"job{number:05}/stamp" for number in range(DUE)]
    time.sleep(max(0.0, due - 3 - time.time()))  # an earlier burst is over
    for file in files:
        file.unlink(missing_ok=True)
    time.sleep(max(0.0, due - time.time()))
    return _lateness(files, due)


def _bare(peer: Path) -> list[float]:
    files = [peer / f"job{number:05}/stamp" for number in range(DUE)]
    for file in files:
        file.unlink(missing_ok=True)
    due = int(time.time()) + 3
    process = subprocess.Popen(
        [sys.executable, "-m", "bench.bare_scheduler", str(due), str(peer)],
        stdout=subprocess.PIPE,
        cwd=Path(__file__).parent.parent,
    )
    assert process.stdout is not None
    process.stdout.readline()
    process.wait(timeout=LIMIT)
    return _lateness(files, due)


def _lateness(files: list[Path], due: int) -> list[float]:
    """Sorted milliseconds from the due time to each script's first instruction.

    Looked at rarely: who waits mustn't take part in it.
    """
    deadline = time.monotonic() + LIMIT
    waits = set(files)
    found: list[float] = []
    while waits and time.monotonic() < deadline:
        time.sleep(2.0)
        for file in list(waits):
            text = file.read_text() if file.exists() else ""
            if text.endswith("\n"):
                found.append((float(text.replace(",", ".")) - due) * 1000)
                waits.discard(file)
    if waits:
        raise SystemExit(f"{len(waits)} of {len(files)} jobs never ran")
    return sorted(found)


def _idle(server: Ours, due: int) -> float:
    """The server's share of a core between two bursts, once it has settled."""
    deadline = time.monotonic() + 30
    before = cpu(server.pid)
    while time.monotonic() < deadline:
        time.sleep(1.0)
        now = cpu(server.pid)
        if now - before < 0.05:
            break
        before = now
    length = min(IDLE, due + PERIOD - 15 - time.time())
    before, began = cpu(server.pid), time.monotonic()
    time.sleep(length)
    share = (cpu(server.pid) - before) / (time.monotonic() - began)
    _say(f"idle for {length:.0f} s: {share:.2%} of a core")
    return share


def _at(figures: list[float], quantile: float) -> float:
    ordered = sorted(figures)
    return ordered[min(len(ordered) - 1, int(len(ordered) * quantile))]


def _say(text: str) -> None:
    sys.stderr.write(f"  {text}\n")
    sys.stderr.flush()
