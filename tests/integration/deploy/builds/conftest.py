"""Stand-ins for programs that this machine may lack, and packages that need no registry."""

from __future__ import annotations

import io
import json
import os
import tarfile
import zipfile
from collections.abc import Callable

import pytest

APP = "demo"


@pytest.fixture
def stand_in(server, tmp_path) -> Callable[[str, str], None]:
    """`stand_in(program, script)`: a program on the PATH of builds, before any real one.

    It writes what it is called with to its output, then runs the script.
    """
    bin_ = tmp_path / "stand-ins"
    bin_.mkdir()
    server.environ["PATH"] = f"{bin_}:{os.environ['PATH']}"

    def make(program: str, script: str = "") -> None:
        file = bin_ / program
        file.write_text(f'#!/bin/sh\necho "{program} called with: $*"\n{script}\n')
        file.chmod(0o755)

    return make


def wheel(name: str = "foo", value: int = 1) -> bytes:
    """A pure wheel of one module, made without a build backend."""
    info = f"{name}-1.0.dist-info"
    content = {
        f"{name}.py": f"VALUE = {value}\n",
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n",
        f"{info}/WHEEL": "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    record = "".join(f"{each},,\n" for each in [*content, f"{info}/RECORD"])
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for each, text in {**content, f"{info}/RECORD": record}.items():
            archive.writestr(zipfile.ZipInfo(each), text)
    return buffer.getvalue()


def npm_package(name: str, value: str) -> bytes:
    """A package as npm publishes it: a tarball below `package/`."""
    files = {
        "package/package.json": json.dumps({"name": name, "version": "1.0.0", "main": "i.js"}),
        "package/i.js": f"module.exports = {value!r}\n",
    }
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
        for path, text in files.items():
            member = tarfile.TarInfo(path)
            member.size = len(text)
            archive.addfile(member, io.BytesIO(text.encode()))
    return buffer.getvalue()


def job(repo, name: str, text: str, script: str = "run.py") -> None:
    """A continuous job that isn't given time to come to an end by itself."""
    repo.job(f"continuous/{name}", text, script)
    repo.job(f"continuous/{name}", '{"stopping_wait_time": 0}', "settings.job")


async def deployed(server, repo, message: str = "Change") -> str:
    """Push what must succeed; what the client read."""
    commit = repo.commit(message)
    text = "\n".join(await server.push(repo.push()))
    assert (await server.records(commit))[-1]["event"] == "deploy.succeeded", text
    return text


async def failed(server, repo) -> dict:
    """Push what must fail; the failure's record."""
    commit = repo.commit()
    text = "\n".join(await server.push(repo.push()))
    record = (await server.records(commit))[-1]
    assert record["event"] == "deploy.failed", text
    assert list((server.paths.root / "builds").glob("*")) == []
    return record


def output(server, kind: str, job: str) -> str:
    """The output of all executions of a job, in their order."""
    files = sorted(server.paths.executions(kind, job).glob("*/stdout"))
    return "".join(file.read_text() for file in files)
