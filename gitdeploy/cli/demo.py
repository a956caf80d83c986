"""`gitdeploy demo`: a server in a temporary home, a real push, live logs, a run, a swap.

Each step prints what a user would type and what they would see, and checks that it was seen:
with `--once` the exit code says whether all of it worked.
"""

from __future__ import annotations

import base64
import http.client
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import click

from gitdeploy.cli.interrupts import Interrupts
from gitdeploy.cli.samples import sample

APP = "ticker"
_GIT = {
    "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_CONFIG_GLOBAL": os.devnull,
    "GIT_TERMINAL_PROMPT": "0",
    "GIT_AUTHOR_NAME": "Demo",
    "GIT_AUTHOR_EMAIL": "demo@example.org",
    "GIT_COMMITTER_NAME": "Demo",
    "GIT_COMMITTER_EMAIL": "demo@example.org",
}


@click.command()
@click.option("--once", is_flag=True, help="End by itself; exit code 0 only if all was seen.")
def demo(once: bool) -> None:
    """Show it all: a server, a real push, a job's live log, a run.

    Needs nothing but git. The server's home is a temporary directory that is removed at the end.
    """
    if shutil.which("git") is None:
        raise SystemExit("gitdeploy: git isn't installed: apt-get install git")
    with Interrupts() as interrupts:
        directory = Path(tempfile.mkdtemp(prefix="gitdeploy-demo-"))
        try:
            code = _demo(directory, interrupts, once=once)
        finally:
            shutil.rmtree(directory, ignore_errors=True)
    if code:
        raise SystemExit(code)


def _demo(directory: Path, interrupts: Interrupts, *, once: bool) -> int:
    """The exit code. Whatever ends it, the server and its jobs have ended with it."""
    began = time.monotonic()
    seen = False
    try:
        with running_server(directory, interrupts) as server:
            walk(server, directory)
            seen = True
            click.echo(f"\nAll of it was seen to work, in {time.monotonic() - began:.1f} s.")
            if not once:
                _what_next(server, directory)
                while True:
                    signal.pause()  # until one of them raises
    except DemoFailed as failure:
        click.echo(f"\nThe demo failed: {failure}", err=True)
        log = directory / "server.log"
        if log.exists():
            click.echo("The server's last words:", err=True)
            click.echo("\n".join(log.read_text().splitlines()[-15:]), err=True)
        return 1
    except KeyboardInterrupt:
        return 0 if seen else 130
    return 0


class DemoFailed(Exception):
    """A step didn't show what it should."""


def walk(server: DemoServer, directory: Path) -> None:
    """The five steps; raises DemoFailed at the first that isn't seen to work."""
    server.call("PUT", f"/api/apps/{APP}")
    token = server.call(
        "POST", "/api/tokens", {"name": "demo", "scopes": ["deploy"], "apps": [APP]}
    )
    server.token = token["token"]
    remote = server.url.replace("://", f"://demo:{server.token}@") + f"/{APP}.git"

    _heading("A repository with a continuous job and a triggered one, pushed with git")
    repository = directory / APP
    # pip compiles what it installs, samples too
    shutil.copytree(sample(APP), repository, ignore=shutil.ignore_patterns("__pycache__"))
    git(repository, "init", "--quiet", "--initial-branch=main")
    git(repository, "add", ".")
    git(repository, "commit", "--quiet", "--message=Add ticker")
    git(repository, "remote", "add", "deploy", remote)
    _command("git push deploy main")
    push(repository, "deployed")

    path = f"/apps/{APP}/api/continuouswebjobs/ticker/log?follow=true"
    _heading("The continuous job's log, live")
    _command(f"curl -u :$TOKEN '{server.url}{path}'")
    follow(server, path, enough=lambda lines: _ticks(lines, "tick") >= 3)

    _heading("A triggered run, followed to its end")
    path = f"/apps/{APP}/api/triggeredwebjobs/report/run?arguments=hello%20world&follow=true"
    _command(f"curl -u :$TOKEN -X POST '{server.url}{path}'")
    ended = run(server, path)
    if ended.get("exit_code") != 0:
        raise DemoFailed(f"the run didn't end with exit code 0: {ended}")
    click.echo(f"  run {ended.get('run')}: {ended.get('status')}, exit code 0")

    _heading("A change, pushed: the new one starts, then the old one is stopped")
    script = repository / "App_Data/jobs/continuous/ticker/run.py"
    script.write_text(script.read_text().replace('"tick"', '"tock"'))
    git(repository, "commit", "--quiet", "--all", "--message=Say tock")
    _command("git commit -am 'Say tock' && git push deploy main")
    push(repository, "→")
    path = f"/apps/{APP}/api/continuouswebjobs/ticker/log?follow=true&tail=6"
    follow(server, path, enough=lambda lines: _ticks(lines, "tock") >= 2)


def git(directory: Path, *arguments: str) -> None:
    """Run git quietly. Raises DemoFailed with what it said."""
    done = subprocess.run(
        ["git", *arguments],
        cwd=directory,
        env={**os.environ, **_GIT},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        raise DemoFailed(f"git {arguments[0]}: {done.stderr.strip()}")


def push(repository: Path, expected: str) -> None:
    """Push with git, its output shown as it comes. Raises DemoFailed without `expected` in it."""
    process = subprocess.Popen(
        ["git", "push", "deploy", "main"],
        cwd=repository,
        env={**os.environ, **_GIT},
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stderr is not None
    seen = False
    for line in process.stderr:
        shown = line.rstrip().rsplit("\r", 1)[-1]
        if "@127.0.0.1" in shown:  # git repeats the remote, our token in it
            shown = shown.split("://")[0] + "://" + shown.split("@", 1)[1]
        click.echo(f"  {shown}")
        seen = seen or expected in line
    if process.wait() != 0:
        raise DemoFailed(f"git push ended with exit code {process.returncode}")
    if not seen:
        raise DemoFailed(f"the push's output has no {expected!r}")


def follow(server: DemoServer, path: str, *, enough: Callable[[list[str]], bool]) -> None:
    """Show a live log until `enough` of it was seen. Raises DemoFailed after 10 s."""
    lines: list[str] = []
    with server.stream("GET", path, "text/plain") as stream:
        for line in stream:
            lines.append(line)
            click.echo(f"  {line}")
            if enough(lines):
                return
    raise DemoFailed(f"the log of {path.split('?')[0]} ended without what was expected")


def run(server: DemoServer, path: str) -> dict[str, Any]:
    """Start a run, show its output, return the last record (status and exit code)."""
    record: dict[str, Any] = {}
    with server.stream("POST", path, "application/x-ndjson") as stream:
        for line in stream:
            record = json.loads(line)
            if record["event"] == "job.output":
                click.echo(f"  {record['line']}")
    return record


class DemoServer:
    """A `gitdeploy serve` of its own and a small client for it."""

    def __init__(self, process: subprocess.Popen[str], url: str, token: str) -> None:
        self.process = process
        self.url = url
        self.admin = token
        self.token = token

    def call(self, method: str, path: str, body: Any = None) -> Any:
        """One JSON request. Raises DemoFailed with the answer where it isn't 2xx."""
        connection, response = self._request(method, path, "application/json", body)
        text = response.read().decode()
        connection.close()
        return json.loads(text) if text else None

    @contextmanager
    def stream(self, method: str, path: str, accept: str) -> Iterator[Iterator[str]]:
        """The lines of an answer as they come; closed with the block."""
        connection, response = self._request(method, path, accept, None)
        try:
            yield (line.decode(errors="replace").rstrip("\n") for line in response)
        except TimeoutError:
            raise DemoFailed(f"{path.split('?')[0]}: nothing came for 10 s") from None
        finally:
            connection.close()

    def _request(
        self, method: str, path: str, accept: str, body: Any
    ) -> tuple[http.client.HTTPConnection, http.client.HTTPResponse]:
        address = urlsplit(self.url)
        connection = http.client.HTTPConnection(address.hostname or "", address.port, timeout=10)
        credentials = base64.b64encode(f"demo:{self.token}".encode()).decode()
        headers = {"Authorization": f"Basic {credentials}", "Accept": accept}
        payload = None if body is None else json.dumps(body)
        if payload is not None:
            headers["Content-Type"] = "application/json"
        try:
            connection.request(method, path, payload, headers)
            response = connection.getresponse()
        except OSError as error:
            raise DemoFailed(f"{method} {path}: {error}") from error
        if response.status >= 300:
            raise DemoFailed(f"{method} {path}: {response.status} {response.read().decode()}")
        return connection, response


@contextmanager
def running_server(directory: Path, interrupts: Interrupts) -> Iterator[DemoServer]:
    """`gitdeploy serve` on a free port with a home below `directory`; ended with the block.

    Inside the block, and nowhere else, a signal may end the demo.
    """
    home = directory / "home"
    token = "gd_" + base64.urlsafe_b64encode(os.urandom(32)).rstrip(b"=").decode()
    environment = {k: v for k, v in os.environ.items() if not k.startswith("GITDEPLOY_")}
    environment["GITDEPLOY_ADMIN_TOKEN"] = token
    arguments = [
        "--home",
        str(home),
        "--listen",
        "127.0.0.1:0",
        "--swap-grace",
        "1",
        "--grace",
        "3",
    ]
    with (directory / "server.log").open("w") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "gitdeploy", "serve", *arguments],
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
            start_new_session=True,  # Ctrl-C is for the demo, which then ends the server
        )
    assert process.stdout is not None
    try:
        with interrupts.allowed():
            ready = process.stdout.readline()
            if not ready.startswith("gitdeploy ready "):
                raise DemoFailed("the server didn't start")
            server = DemoServer(process, ready.split()[-1], token)
            state = server.call("GET", "/readyz")
            _heading(f"A server in a temporary home, jobs isolated at level {state['isolation']}")
            _command(f"gitdeploy serve --home {home} --listen 127.0.0.1:0")
            click.echo(f"  {ready.strip()}")
            yield server
    finally:
        process.terminate()
        try:
            process.wait(timeout=20)
        except subprocess.TimeoutExpired:
            process.kill()


def _ticks(lines: list[str], word: str) -> int:
    return sum(1 for line in lines if f"{word} " in line)


def _heading(text: str) -> None:
    click.echo("\n" + click.style(text, bold=True))


def _command(text: str) -> None:
    click.echo(click.style(f"$ {text}", fg="green"))


def _what_next(server: DemoServer, directory: Path) -> None:
    url = server.url
    click.echo(
        f"""
The server stays up until Ctrl-C. What to try next:

  TOKEN={server.token}          # may deploy to {APP}
  ADMIN={server.admin}          # may do everything, also make apps and tokens
  cd {directory / APP}                # change something, commit, git push deploy main
  curl -u :$TOKEN {url}/apps/{APP}/api/continuouswebjobs
  curl -u :$TOKEN -X POST '{url}/apps/{APP}/api/triggeredwebjobs/report/run?follow=true'
  curl -u :$TOKEN -X POST {url}/apps/{APP}/api/settings -d '{{"TICK_SECONDS": "2"}}'
  git remote add deploy {url.replace("://", "://me:$ADMIN@")}/shop.git   # in a project of yours; the push makes the app

In a browser (the link signs you in, once, within ten minutes):

  {sign_in_link(server)}"""
    )


def sign_in_link(server: DemoServer) -> str:
    """An address that signs a browser in and shows the app; no token is in it."""
    made = DemoServer(server.process, server.url, server.admin).call("POST", "/api/sign-in-links")
    return f"{made['url']}&next=/ui/{APP}/"
