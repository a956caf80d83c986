"""`gitdeploy demo --once`, as a newcomer runs it."""

from __future__ import annotations

import http.client
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from urllib.parse import urlsplit

import pytest


def test_the_demo_shows_all_of_it_within_ten_seconds() -> None:
    began = time.monotonic()
    done = subprocess.run(
        [sys.executable, "-m", "gitdeploy", "demo", "--once"],
        capture_output=True,
        text=True,
        timeout=100,
        env={k: v for k, v in os.environ.items() if not k.startswith("GITDEPLOY_")},
    )
    assert done.returncode == 0, done.stdout + done.stderr
    for expected in ("remote: deployed", "tick 3", "step 3 of 3", "exit code 0", "→", "tock"):
        assert expected in done.stdout
    assert time.monotonic() - began < 60  # the goal is 10 s; a loaded machine may be slower


@pytest.mark.parametrize(
    ("words", "number", "code"),
    [
        ("", signal.SIGINT, 130),  # at once: perhaps before there is a server
        ("A server in a temporary home", signal.SIGTERM, 130),
        ("$ git push", signal.SIGINT, 130),
        ("tick 2", signal.SIGHUP, 130),
        ("What to try next", signal.SIGINT, 0),
    ],
)
def test_whenever_the_demo_is_ended_nothing_of_it_is_left(
    tmp_path: Path, words: str, number: int, code: int
) -> None:
    temporary = tmp_path / "with a space"
    temporary.mkdir()
    environment = {k: v for k, v in os.environ.items() if not k.startswith("GITDEPLOY_")}
    process = subprocess.Popen(
        # -c: the interpreter is up, and its handlers are in place, when the first word comes
        [
            sys.executable,
            "-c",
            "print('up', flush=True); from gitdeploy.cli.demo import demo; demo()",
        ],
        stdout=subprocess.PIPE,
        text=True,
        env={**environment, "TMPDIR": str(temporary), "PYTHONUNBUFFERED": "1"},
        start_new_session=True,
    )
    assert process.stdout is not None
    shown = ""
    while words not in shown or (words == "" and not any(temporary.iterdir())):
        if words:
            line = process.stdout.readline()
            assert line, shown
            shown += line
    assert "\x1b" not in shown, "no colours where there is no terminal"
    os.killpg(process.pid, number)
    os.killpg(process.pid, number)  # again, as the impatient do
    process.stdout.read()
    assert process.wait(30) == code
    assert list(temporary.iterdir()) == []
    assert not _mentioning(str(temporary))


def _mentioning(text: str) -> list[str]:
    """Command lines and environments of processes that name a path."""
    found: list[str] = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            data = (folder / "cmdline").read_bytes() + (folder / "environ").read_bytes()
        except OSError:
            continue
        if text.encode() in data and int(folder.name) != os.getpid():
            found.append(data.replace(b"\0", b" ").decode(errors="replace")[:200])
    return found


def test_the_demos_link_signs_a_browser_in_once() -> None:
    process = subprocess.Popen(
        [sys.executable, "-m", "gitdeploy", "demo"],
        stdout=subprocess.PIPE,
        text=True,
        env={k: v for k, v in os.environ.items() if not k.startswith("GITDEPLOY_")}
        | {"PYTHONUNBUFFERED": "1"},
    )
    assert process.stdout is not None
    try:
        link = next(line.strip() for line in process.stdout if "/ui/sign-in?" in line)
        assert "gd_" not in link, "no token stands in it"
        address = urlsplit(link)
        asked = f"{address.path}?{address.query}"
        first, second = (_asked(address.netloc, asked) for _ in range(2))
        assert (first.status, second.status) == (303, 401)
        assert str(first.headers["Location"]).endswith("/ui/ticker/")
        assert "gitdeploy_session=" in str(first.headers["Set-Cookie"])
    finally:
        process.send_signal(signal.SIGINT)
        process.stdout.read()
        process.wait(30)


def _asked(host: str, path: str) -> http.client.HTTPResponse:
    """As a browser asks for an address that was typed."""
    connection = http.client.HTTPConnection(host, timeout=10)
    connection.request("GET", path, headers={"Sec-Fetch-Site": "none", "Accept": "text/html"})
    response = connection.getresponse()
    response.read()
    connection.close()
    return response
