"""npm's clients of Kudu, as published, against a real server: each family of calls is a test.

`kudu-api` knows no other address than https://{app}.scm.azurewebsites.net, so it goes through a
proxy to a TLS end with a certificate of that name, and the server answers for that domain.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.scenarios.actors import ADMIN, Developer, Server
from tests.scenarios.kudu_client import zipped
from tests.scenarios.npm_project import PROJECT, installed

KUDU_API = ("command", "deployment", "diagnostics", "dump", "environment", "extensions", "logs",
            "scm", "settings", "sshkey", "vfs", "webjobs", "zip")  # fmt: skip
AZURE_ACTIONS = ("facts", "zipdeploy", "publish", "history", "files", "command", "absent")
DOMAIN = "azurewebsites.net"


class Running(NamedTuple):
    """The environment that the clients' tests are told the server by."""

    environment: dict[str, str]

    def test(self, script: str, family: str) -> None:
        """Run one family's tests of a script; its report is the failure's text."""
        done = subprocess.run(
            ["node", "--test-reporter=tap", str(PROJECT / script)],
            env={**self.environment, "FAMILY": family},
            capture_output=True,
            text=True,
            timeout=240,
        )
        report = done.stdout + done.stderr
        assert done.returncode == 0, report
        assert f"\nok 1 - {family}\n" in report, report


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """A server with an app that has a site and a job, behind a TLS end."""
    modules = installed()
    root = tmp_path_factory.mktemp("npm")
    options = ("--scm-domain", DOMAIN, "--allow-commands", "true")
    times = ("--swap-grace", "0.3", "--grace", "5", "--allow-private-fetch", "true")
    server = Server(root / "home", *options, *times)
    commit = asyncio.run(_begin(server, root))
    key, certificate = _certificate(root)
    proxy = subprocess.Popen(
        ["node", str(PROJECT / "proxy.cjs"), str(key), str(certificate), str(server.port)],
        stdout=subprocess.PIPE,
        text=True,
    )
    assert proxy.stdout is not None
    through = f"http://127.0.0.1:{proxy.stdout.readline().strip()}"
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": str(root),
        "TMPDIR": str(root),
        "NODE_NO_WARNINGS": "1",
        "NODE_PATH": str(modules),
        "NODE_EXTRA_CA_CERTS": str(certificate),
        "APP": "demo",
        "BASE": f"{server.url}/apps/demo",
        "TOKEN": ADMIN,
        "COMMIT": commit,
        "REMOTE": f"{server.remote('demo')}#main",
        "JOB_ZIP": str(root / "job.zip"),
        "SITE_ZIP": str(root / "site.zip"),
        "BAD_ZIP": str(root / "bad.zip"),
    }
    (root / "job.zip").write_bytes(zipped({"run.sh": "echo zipped\n"}))
    (root / "site.zip").write_bytes(zipped({"index.html": "<p>zipped</p>\n"}))
    (root / "bad.zip").write_bytes(b"this is no zip")
    yield Running({**environment, "HTTPS_PROXY": through})
    proxy.terminate()
    proxy.wait(20)
    asyncio.run(server.end())


async def _begin(server: Server, root: Path) -> str:
    """Start it and push; the commit, once the job has written something."""
    await server.start()
    repo = Developer(root / "work", server, app="demo")
    repo.write(".deployment", "[config]\ncommand = echo built\n")
    repo.write("index.html", "<p>pushed</p>\n")
    repo.job("continuous/ticker", "run.sh", "while :; do echo tick; sleep 0.2; done\n")
    await repo.push()
    await server.says("ticker", "tick")
    for app in ("empty", "fetched"):
        await server.call("PUT", f"/api/apps/{app}")
    await server.call("POST", "/apps/demo/api/settings", {"colour": "green"}, status=204)
    return str((await server.call("GET", "/apps/demo/api/deployments/latest"))["id"])


def _certificate(root: Path) -> tuple[Path, Path]:
    """A key and a certificate for every app's name below the domain."""
    if shutil.which("openssl") is None:
        pytest.skip("openssl isn't installed")
    key, certificate = root / "key.pem", root / "certificate.pem"
    name = f"*.scm.{DOMAIN}"
    made = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2"]
    files = ["-keyout", str(key), "-out", str(certificate)]
    names = ["-subj", f"/CN={name}", "-addext", f"subjectAltName=DNS:{name}"]
    subprocess.run([*made, *files, *names], check=True, capture_output=True, timeout=60)
    return key, certificate


@pytest.mark.parametrize("family", KUDU_API)
def test_kudu_api_as_published(running: Running, family: str) -> None:
    running.test("kudu-api.cjs", family)


@pytest.mark.parametrize("family", AZURE_ACTIONS)
def test_azure_actions_appservice_rest_as_published(running: Running, family: str) -> None:
    environment = {k: v for k, v in running.environment.items() if k != "HTTPS_PROXY"}
    running._replace(environment=environment).test("azure-actions.cjs", family)
