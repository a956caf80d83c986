"""(d) A million lines of 100 bytes written at once by a job, against writing to a plain file."""

from __future__ import annotations

import http.client
import json
import os
import subprocess
import sys
from pathlib import Path

from bench.peers import Ours, git, ours
from bench.table import Row
from bench.trigger import idle

JOB = "App_Data/jobs/triggered/writer/run.py"
LINES = 1_000_000
WRITER = f"""
import json, os, sys, time
began = time.perf_counter()
out = sys.stdout.buffer
block = []
for n in range({LINES}):
    block.append(b"%09d " % n + b"x" * 89 + b"\\n")
    if len(block) == 80:
        out.write(b"".join(block)); out.flush()
        block.clear()
out.write(b"".join(block)); out.flush()
wall = time.perf_counter() - began
times = os.times()
sys.stderr.write(json.dumps({{"wall": wall, "cpu": times.user + times.system}}) + "\\n")
"""


def cpu(pid: int) -> float:
    """Seconds of CPU that a process has used."""
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def run(directory: Path, rounds: int) -> list[Row]:
    """The writer's own wall time in s, and the server's CPU against the writer's."""
    rounds = min(rounds, 7)
    work = directory / "work"
    (work / JOB).parent.mkdir(parents=True)
    (work / JOB).write_text(WRITER)
    git(work, "init", "-q", "-b", "main")
    git(work, "add", ".")
    git(work, "commit", "-q", "-m", "writer")
    mine: list[float] = []
    plain: list[float] = []
    server_cpu: list[float] = []
    writer_cpu: list[float] = []
    lost = 0
    with ours(directory) as server:
        git(work, "push", "-q", server.remote("shop"), "main")
        for number in range(-1, rounds):
            before = cpu(server.pid)
            figures, lines = _through_us(server)
            used = cpu(server.pid) - before
            theirs = _plain(directory)
            if number >= 0:
                mine.append(figures["wall"])
                plain.append(theirs["wall"])
                server_cpu.append(used)
                writer_cpu.append(figures["cpu"])
                lost += LINES - lines
    return [
        Row(
            f"1,000,000 lines of 100 bytes at once: the writer's time ({rounds} pairs)",
            "the same program writing to a plain file",
            mine,
            plain,
            "s",
            1.05,
            f"{lost} lines lost; 80 lines a write",
        ),
        Row(
            "the same: the server's CPU while the job writes",
            "the writer's CPU",
            server_cpu,
            writer_cpu,
            "s",
            1.0,
        ),
    ]


def _through_us(server: Ours) -> tuple[dict[str, float], int]:
    """Run the job to its end without reading its log, then count its lines."""
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=100)
    path = "/apps/shop/api/triggeredwebjobs/writer"
    connection.request("POST", f"{path}/run", headers=server.headers())
    response = connection.getresponse()
    response.read()
    identity = str(response.headers["Location"]).rsplit("/", 1)[1]
    connection.close()
    idle(server, "writer")
    folder = server.home / "apps/shop/executions/triggered/writer" / identity
    lines = 0
    with (folder / "stdout").open("rb") as file:
        while block := file.read(1 << 20):
            lines += block.count(b"\n")
    figures: dict[str, float] = json.loads((folder / "stderr").read_text())
    return figures, lines


def _plain(directory: Path) -> dict[str, float]:
    program = directory / "writer.py"
    program.write_text(WRITER)
    with (directory / "plain").open("wb") as out:
        done = subprocess.run(
            [sys.executable, str(program)], stdout=out, stderr=subprocess.PIPE, check=True
        )
    figures: dict[str, float] = json.loads(done.stderr)
    return figures
