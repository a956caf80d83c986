"""Each sample repository as a newcomer uses it: pushed with git, every job of it run to its end."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path
from typing import Any

import pytest

from gitdeploy.cli.samples import sample
from tests.scenarios.actors import Developer, Server


@pytest.fixture
async def pushed(tmp_path: Path, server: Server):
    """Push a sample repository to an app of its name; the developer and what git showed."""

    async def push(name: str) -> tuple[Developer, str]:
        developer = Developer(tmp_path / name, server, app=name)
        shutil.copytree(sample(name), developer.path, dirs_exist_ok=True)
        return developer, await developer.push(message=f"Add {name}")

    return push


async def ran(server: Server, app: str, job: str, query: str = "") -> tuple[int | None, list[str]]:
    """Follow a run to its end: exit code and lines."""
    lines: list[str] = []
    record: dict[str, Any] = {}
    path = f"/apps/{app}/api/triggeredwebjobs/{job}/run?follow=true{query}"
    async with server.stream("POST", path) as stream:
        async for line in stream:
            record = json.loads(line)
            if record["event"] == "job.output":
                lines.append(record["line"])
    return record["exit_code"], lines


def jobs(name: str) -> set[str]:
    """`continuous/ticker`, … of a sample."""
    return {f"{p.parent.name}/{p.name}" for p in sample(name).glob("App_Data/jobs/*/*")}


async def test_ticker_ticks_and_reports(server: Server, pushed) -> None:
    developer, words = await pushed("ticker")
    assert re.search(r"remote: deployed   release 1 ", words), words
    assert jobs("ticker") == {"continuous/ticker", "triggered/report"}
    await server.says("ticker", "tick 3", app="ticker")
    code, lines = await ran(server, "ticker", "report", "&arguments=one%20%27two%20words%27")
    assert code == 0
    assert {"argument: one", "argument: two words", "step 3 of 3"} <= set(lines)
    assert "nothing to complain about" in lines
    developer.write(
        "shared/counting.py", (sample("ticker") / "shared/counting.py").read_text() + "#"
    )
    words = await developer.push()
    assert re.search(r"remote: swap +ticker  pid \d+ → \d+", words), words
    await server.says("ticker", "asked to stop, good bye", app="ticker")


async def test_every_job_of_mixed_runs_to_exit_code_0(server: Server, pushed) -> None:
    _, words = await pushed("mixed")
    assert re.search(r"remote: deployed   release 1 ", words), words
    assert "warning" not in words
    expected = {
        "backup": ("", "backups so far: 1"),
        "count": ("&arguments=a%20%27b%20c%27", "2 words, as they came: a 'b c'"),
        "greet": ("&arguments=Ada", "hello, Ada"),
        "mail": ("", "mail would go to nobody"),
    }
    assert {f"triggered/{name}" for name in expected} == jobs("mixed")
    for name, (query, line) in expected.items():
        if name == "greet" and shutil.which("node") is None:
            continue
        code, lines = await ran(server, "mixed", name, query)
        assert (code, line in lines) == (0, True), (name, lines)
    assert await ran(server, "mixed", "backup") == (0, ["backups so far: 2"])
    await server.call("POST", "/apps/mixed/api/settings", {"MAIL_TO": "ada@example.org"})
    assert await ran(server, "mixed", "mail") == (0, ["mail would go to ada@example.org"])


async def test_built_is_built_once_and_again_when_its_package_changes(
    server: Server, pushed
) -> None:
    developer, words = await pushed("built")
    assert re.search(r"remote: build +requirements.txt installed with (uv|pip)", words), words
    code, lines = await ran(server, "built", "report")
    assert (code, lines[0].split(",")[0]) == (0, "3 words")

    developer.write("notes.txt", "Nothing that the package is made of.")
    words = await developer.push()
    assert re.search(r"remote: build +python environment [0-9a-f]{8} reused", words), words
    assert "build      $" not in words

    developer.write(
        "wordcount/src/wordcount/__init__.py", "def count(text):\n    return len(text)\n"
    )
    words = await developer.push()
    assert re.search(r"remote: build +requirements.txt installed with (uv|pip)", words), words
    code, lines = await ran(server, "built", "report")
    assert (code, lines[0].split(",")[0]) == (0, "13 words")


async def test_broken_says_all_three_faults_and_runs_once_the_worst_is_mended(
    server: Server, pushed
) -> None:
    developer, words = await pushed("broken")
    for expected in (
        "remote: warning    App_Data/jobs/triggered/empty: no runnable script file was found.",
        'settings.job: schedule = "0 6 * * MON": it has 5 fields',
        'Write "0 0 6 * * MON"',
        "remote: failed     activate: ",
        "No module named 'a_module_that_is_not_there'",
    ):
        assert expected in words, words
    assert words.index("remote: FIX ") < words.index("remote: failed ")
    assert "remote: deployed" not in words
    assert await server.call("GET", "/apps/broken/api/webjobs") == []

    shutil.rmtree(developer.path / "App_Data/jobs/continuous/dies")
    words = await developer.push()
    assert "remote: deployed" in words, words
    assert await ran(server, "broken", "weekly") == (0, ["weekly report"])
    empty = await server.job("empty", app="broken", kind="triggered")
    assert empty["error"] == "No runnable script file was found."
