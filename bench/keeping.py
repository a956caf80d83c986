"""(f) 200 continuous jobs, 50 of them crashing all the time, against pm2 from npm.

What keeping a job costs in memory, and whether it leaves zombies or descriptors behind. Memory is
PSS (proc(5), smaps_rollup): shared pages count by their share. What a supervisor adds is all of its
processes that aren't a job's own, and what it loads into a job's own process; for the latter the
same scripts run without anybody who keeps them.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import signal
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from bench.peers import git, ours
from bench.table import Row

JOBS, CRASHING = 200, 50
SECONDS = 120.0
SETTLE = 15.0
STEADY = {
    "node": ("run.js", 'console.log("up");\nsetInterval(() => {}, 60000);\n'),
    "sh": ("run.sh", "echo up\nexec sleep 100000\n"),
}
CRASHER = (
    "run.sh",
    # The first one lives: a job that dies while it is deployed would be refused.
    '[ -e "$WEBJOBS_DATA_PATH/starts" ] || first=45\n'
    'echo "$EPOCHREALTIME" >> "$WEBJOBS_DATA_PATH/starts"\n'
    'sleep "${first:-0}"\nexit 3\n',
)
RESTART = 1
"""Seconds until a crashed job is started again: ours grows to ten times that, pm2's stays at ten."""


class Look(NamedTuple):
    """A tree of processes at one moment; kilobytes of PSS."""

    keepers: float
    jobs: float
    zombies: frozenset[int]
    steady: int


def run(directory: Path, rounds: int, seconds: float = SECONDS) -> list[Row]:
    """KB a job that each supervisor adds, for jobs in node and in bash."""
    pm2 = _install(directory)
    rows: list[Row] = []
    for language in STEADY:
        place = directory / language
        place.mkdir()
        scripts = _scripts(place / "bare", language)
        with _bare(scripts, language) as pids:
            time.sleep(SETTLE / 3)
            bare = sum(_pss(pid) for pid in pids)
        mine, told = _gitdeploy(place, language, seconds)
        theirs, said = _pm2(place, pm2, language, seconds, bare)
        rows.append(
            Row(
                f"{JOBS} continuous jobs ({language}), {CRASHING} crashing, {seconds:g} s: memory added a job",
                "pm2 (npm), fork mode",
                [mine],
                [theirs],
                "KB",
                0.1,
                f"ours: {told}; pm2: {said}",
            )
        )
    return rows


def _gitdeploy(place: Path, language: str, seconds: float) -> tuple[float, str]:
    work = place / "work"
    _scripts(work / "App_Data/jobs/continuous", language, crashing=True)
    settings = json.dumps({"restart_time": RESTART})
    for folder in (work / "App_Data/jobs/continuous").iterdir():
        (folder / "settings.job").write_text(settings)
    git(work, "init", "-q", "-b", "main")
    git(work, "add", ".")
    git(work, "commit", "-q", "-m", "jobs")
    with ours(place, "--swap-grace", "0") as server:
        git(work, "push", "-q", server.remote("shop"), "main")
        data = server.home / "apps/shop/data/jobs/continuous"
        figures = _watch(server.pid, data, seconds)
    # the job's own process is the very same program with nothing loaded into it
    return figures.keepers / JOBS, figures.told("")


def _pm2(place: Path, pm2: Path, language: str, seconds: float, bare: float) -> tuple[float, str]:
    folder = place / "pm2"
    scripts = _scripts(folder / "jobs", language, crashing=True)
    home = folder / "home"
    apps = []
    for script in scripts:
        data = folder / "data" / script.parent.name
        data.mkdir(parents=True)
        apps.append(
            {
                "name": script.parent.name,
                "script": str(script),
                "interpreter": "node" if script.suffix == ".js" else "bash",
                "env": {"WEBJOBS_DATA_PATH": str(data)},
                "max_restarts": 1_000_000,
                "restart_delay": RESTART * 10_000,
            }
        )
    file = folder / "ecosystem.config.json"
    file.write_text(json.dumps({"apps": apps}))
    environment = {**os.environ, "PM2_HOME": str(home)}
    try:
        _pm2_call(pm2, environment, "start", str(file))
        daemon = int((home / "pm2.pid").read_text())
        figures = _watch(daemon, folder / "data", seconds)
    finally:
        _pm2_call(pm2, environment, "kill")
    loaded = max(0.0, figures.jobs - bare) if language == "node" else 0.0
    told = figures.told(f"{loaded / JOBS:.0f} KB of it loaded into the jobs")
    return (figures.keepers + loaded) / JOBS, told


class Figures(NamedTuple):
    """What was seen of one supervisor; KB of PSS at the median look."""

    keepers: float
    jobs: float
    processes: str
    zombies: int
    before: int
    after: int
    starts: int

    def told(self, more: str) -> str:
        """One line for the table's notes."""
        return (
            f"{self.starts} starts of crashing jobs, {self.zombies} zombies, descriptors of the"
            f" server {self.before} → {self.after}, processes beside the jobs {self.processes}"
            + (f", {more}" if more else "")
        )


def _watch(root: int, data: Path, seconds: float) -> Figures:
    """Look at the tree below `root` from time to time."""
    deadline = time.monotonic() + 180
    while _starts(data) <= CRASHING and time.monotonic() < deadline:  # the first ones live
        time.sleep(1.0)
    time.sleep(SETTLE)
    starts = _starts(data)
    before = _descriptors(root)
    looks: list[Look] = []
    lasting: set[int] = set()
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        time.sleep(min(10.0, seconds / 3))
        looks.append(_look(root))
        if looks[-1].steady != JOBS - CRASHING:
            raise SystemExit(f"{looks[-1].steady} of {JOBS - CRASHING} steady jobs run")
        if len(looks) > 1:
            lasting |= looks[-1].zombies & looks[-2].zombies
    after = _descriptors(root)
    kept = sum(not _own(_command(pid)) for pid in [root, *_below(root)])
    again = _starts(data) - starts
    if not again:
        raise SystemExit("no crashing job was started again")
    return Figures(
        statistics.median(each.keepers for each in looks),
        statistics.median(each.jobs for each in looks),
        str(kept),
        len(lasting),
        before,
        after,
        again,
    )


def _look(root: int) -> Look:
    keepers = jobs = 0.0
    steady = 0
    zombies = set()
    for pid in [root, *_below(root)]:
        command = _command(pid)
        if not command:
            if _state(pid) == "Z":
                zombies.add(pid)
        elif _own(command):
            jobs += _pss(pid)
            steady += 1
        else:
            keepers += _pss(pid)
    return Look(keepers, jobs, frozenset(zombies), steady)


def _descriptors(pid: int) -> int:
    """Open files of a process: the least of ten looks, as crashing jobs come and go."""
    counts = []
    for _ in range(10):
        counts.append(len(os.listdir(f"/proc/{pid}/fd")))
        time.sleep(0.3)
    return min(counts)


def _starts(data: Path) -> int:
    return sum(file.read_bytes().count(b"\n") for file in data.glob("*/starts"))


def _below(root: int) -> list[int]:
    """All descendants of a process."""
    children: dict[int, list[int]] = {}
    for name in os.listdir("/proc"):
        if name.isdigit():
            try:
                text = Path(f"/proc/{name}/stat").read_text()
            except OSError:
                continue
            parent = int(text.rsplit(")", 1)[1].split()[1])
            children.setdefault(parent, []).append(int(name))
    found: list[int] = []
    todo = [root]
    while todo:
        below = children.get(todo.pop(), [])
        found += below
        todo += below
    return found


def _command(pid: int) -> list[str]:
    try:
        words = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
    except OSError:
        return []
    return [os.fsdecode(word).strip() for word in words if word.strip()]


def _own(command: Sequence[str]) -> bool:
    """Whether a process is a steady job's own, by its command line."""
    if command[-2:] == ["sleep", "100000"]:
        return True
    # node's own words first; not a wrapper, which has the whole command line behind its own
    if len(command) == 1:  # pm2 gives a job the title "node PATH", one word
        command = command[0].split()
    started = Path(command[0]).name.startswith("node") if command else False
    name = STEADY["node"][0]
    return started and (command[-1].endswith(f"/{name}") or "ProcessContainer" in command[-1])


def _state(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0]
    except OSError:
        return ""


def _pss(pid: int) -> float:
    """Kilobytes; 0 for one that has ended."""
    try:
        text = Path(f"/proc/{pid}/smaps_rollup").read_text()
    except OSError:
        return 0.0
    return float(text.split("\nPss:")[1].split()[0])


def _scripts(root: Path, language: str, *, crashing: bool = False) -> list[Path]:
    """The steady jobs' scripts, each in a directory of its own, and the crashing ones'."""
    made = []
    for number in range(JOBS if crashing else JOBS - CRASHING):
        steady = number < JOBS - CRASHING
        name, text = STEADY[language] if steady else CRASHER
        folder = root / f"{'steady' if steady else 'crash'}{number:03}"
        folder.mkdir(parents=True)
        (folder / name).write_text(text)
        made.append(folder / name)
    return made


@contextmanager
def _bare(scripts: Sequence[Path], language: str) -> Iterator[list[int]]:
    """The scripts with nobody who keeps them."""
    host = "node" if language == "node" else "bash"
    running = [
        subprocess.Popen(
            [host, script.name],
            cwd=script.parent,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        for script in scripts
    ]
    try:
        yield [each.pid for each in running]
    finally:
        for each in running:
            each.send_signal(signal.SIGKILL)
        for each in running:
            each.wait()


def _install(directory: Path) -> Path:
    """pm2 from the registry that npm is configured for; its program."""
    if shutil.which("npm") is None:
        raise SystemExit("npm isn't installed: apt-get install npm")
    place = directory / "npm"
    place.mkdir()
    subprocess.run(
        ["npm", "install", "--silent", "--no-audit", "--no-fund", "pm2"], cwd=place, check=True
    )
    return place / "node_modules/.bin/pm2"


def _pm2_call(pm2: Path, environment: dict[str, str], *arguments: str) -> None:
    subprocess.run(
        [str(pm2), *arguments], env=environment, stdout=subprocess.DEVNULL, check=True, timeout=300
    )


def main() -> None:
    """`python -m bench.keeping --seconds 30`: this comparison alone, and for how long."""
    import tempfile

    from bench.table import render

    parser = argparse.ArgumentParser(prog="bench.keeping", description=__doc__)
    parser.add_argument("--seconds", type=float, default=SECONDS)
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="gitdeploy-bench-") as directory:
        rows = run(Path(directory), 1, chosen.seconds)
    sys.stdout.write(render(rows, machine="this machine", rounds=1))


if __name__ == "__main__":
    main()
