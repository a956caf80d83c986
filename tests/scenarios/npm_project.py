"""The Node project in tests/clients, installed once a machine: npm's packages, as published."""

from __future__ import annotations

import fcntl
import hashlib
import os
import re
import shutil
import subprocess
import tempfile
from pathlib import Path

import pytest

PROJECT = Path(__file__).parents[1] / "clients"
_UNREACHABLE = re.compile(r"ENOTFOUND|EAI_AGAIN|ECONNREFUSED|ETIMEDOUT|ENETUNREACH|ECONNRESET")


def installed() -> Path:
    """The `node_modules` of the clients; kept below the system's temporary directory.

    Skips the test where there is no npm, or no registry that it can reach.
    """
    if shutil.which("npm") is None:
        pytest.skip("npm isn't installed")
    files = (PROJECT / "package.json", PROJECT / "package-lock.json", PROJECT / "fs/package.json")
    state = hashlib.sha256(b"".join(path.read_bytes() for path in files)).hexdigest()[:16]
    place = Path(tempfile.gettempdir()) / f"gitdeploy-clients-{os.geteuid()}-{state}"
    with place.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # workers of one run ask for it at the same time
        if not place.is_dir():
            _install(place)
    return place / "node_modules"


def _install(place: Path) -> None:
    making = place.with_suffix(".new")
    shutil.rmtree(making, ignore_errors=True)
    making.mkdir(mode=0o700)
    for name in ("package.json", "package-lock.json"):
        shutil.copyfile(PROJECT / name, making / name)
    shutil.copytree(PROJECT / "fs", making / "fs")
    done = subprocess.run(
        ["npm", "ci", "--no-audit", "--no-fund", "--ignore-scripts"],
        cwd=making,
        capture_output=True,
        text=True,
        timeout=300,
    )
    if done.returncode != 0 and _UNREACHABLE.search(done.stderr):
        pytest.skip("npm can't reach its registry")
    assert done.returncode == 0, done.stderr
    making.rename(place)
