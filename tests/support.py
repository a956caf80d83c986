"""What every test may use: waiting for a condition, real git, a real server."""

from __future__ import annotations

import asyncio
import functools
import inspect
import os
import re
import subprocess
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TypeVar

T = TypeVar("T")

GIT_ENVIRONMENT = {
    "PATH": os.environ["PATH"],
    "HOME": "/nonexistent",
    "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_CONFIG_GLOBAL": "/dev/null",
    "GIT_TERMINAL_PROMPT": "0",
    "GIT_AUTHOR_NAME": "Ada Lovelace",
    "GIT_AUTHOR_EMAIL": "ada@example.org",
    "GIT_COMMITTER_NAME": "Ada Lovelace",
    "GIT_COMMITTER_EMAIL": "ada@example.org",
    "LC_ALL": "C.UTF-8",
}


@functools.cache
def git_version() -> tuple[int, ...]:
    """The version of the git on PATH, as (2, 39, 5)."""
    said = subprocess.run(["git", "--version"], capture_output=True, text=True, check=True).stdout
    found = re.search(r"\d+(\.\d+)+", said)
    assert found is not None, said
    return tuple(int(part) for part in found[0].split("."))


async def eventually(
    condition: Callable[[], T | Awaitable[T]], *, limit: float = 20.0, what: str = "condition"
) -> T:
    """Ask until the answer is truthy and return it; AssertionError after `limit` seconds."""
    deadline = time.monotonic() + limit
    while True:
        answer = condition()
        if inspect.isawaitable(answer):
            answer = await answer
        if answer:
            return answer  # type: ignore[return-value]
        if time.monotonic() > deadline:
            raise AssertionError(f"{what} didn't come true within {limit} s")
        await asyncio.sleep(0.02)


def git(
    *arguments: str,
    cwd: Path,
    check: bool = True,
    input: bytes | None = None,
    env: dict[str, str] | None = None,
) -> subprocess.CompletedProcess[str]:
    """Run stock git without any configuration of this machine; output as text."""
    done = subprocess.run(
        ["git", *arguments],
        cwd=cwd,
        env={**GIT_ENVIRONMENT, **(env or {})},
        input=input,
        capture_output=True,
        timeout=100,
    )
    result = subprocess.CompletedProcess(
        done.args,
        done.returncode,
        done.stdout.decode(errors="replace"),
        done.stderr.decode(errors="replace"),
    )
    if check and result.returncode != 0:
        raise AssertionError(f"git {' '.join(arguments)}: {result.returncode}\n{result.stderr}")
    return result
