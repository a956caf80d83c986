"""The package as it is installed: from a wheel, outside the repository."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest

from tests.support import GIT_ENVIRONMENT

ROOT = Path(__file__).resolve().parents[2]
_BUILT_FROM = (
    "gitdeploy",
    "hooks",
    "sample-repos",
    "hatch_build.py",
    "pyproject.toml",
    "README.md",
    "LICENSE",
)


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A virtual environment with the wheel; what it depends on is borrowed from this one."""
    folder = tmp_path_factory.mktemp("wheel")
    source = folder / "source"
    source.mkdir()
    for name in _BUILT_FROM:  # a copy, as a build writes beside its sources
        ignored = shutil.ignore_patterns("__pycache__")
        if (ROOT / name).is_dir():
            shutil.copytree(ROOT / name, source / name, ignore=ignored)
        else:
            shutil.copy(ROOT / name, source)
    pip = [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check"]
    built = subprocess.run(
        [*pip, "wheel", "--no-deps", "--wheel-dir", str(folder), str(source)],
        capture_output=True,
        text=True,
    )
    if built.returncode != 0 and "No matching distribution found" in built.stderr:
        pytest.skip("what the build needs can't be had here: no package index answers")
    assert built.returncode == 0, built.stderr
    (wheel,) = folder.glob("*.whl")
    venv = folder / "venv"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(venv)], check=True)
    python = venv / "bin/python"
    subprocess.run(
        [*pip, "--python", str(python), "install", "--no-deps", "--no-index", str(wheel)],
        check=True,
    )
    site = next(venv.glob("lib/python*/site-packages"))
    # behind the wheel on the path; a .pth of there (an editable install) isn't read
    (site / "borrowed.pth").write_text(sysconfig.get_path("purelib") + "\n")
    return venv


def run(venv: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    environment = {
        k: v for k, v in os.environ.items() if not k.startswith(("GITDEPLOY_", "PYTHON"))
    }
    return subprocess.run(
        [str(venv / "bin/gitdeploy"), *arguments],
        cwd="/",
        env={**environment, **GIT_ENVIRONMENT},
        capture_output=True,
        text=True,
        timeout=60,
    )


def test_the_wheel_has_all_that_is_needed_outside_the_repository(installed: Path) -> None:
    package = next(installed.glob("lib/python*/site-packages/gitdeploy"))
    for name in (
        "py.typed",
        "store/migrations/0001_initial.sql",
        "web/ui/static/css/00-tokens.css",
        "web/ui/static/fonts/inter.woff2",
        "web/ui/static/fonts/inter-license.txt",
        "_hooks/repository/pre-receive",
        "_hooks/server/update",
        "_samples/ticker/App_Data/jobs/continuous/ticker/run.py",
        "_samples/mixed/App_Data/jobs/triggered/mail/run",
    ):
        assert (package / name).is_file(), name
    assert os.access(package / "_hooks/repository/pre-receive", os.X_OK)
    assert os.access(package / "_samples/mixed/App_Data/jobs/triggered/mail/run", os.X_OK)
    assert not list(package.rglob("*cache*/*.tag"))
    done = run(installed, "--version")
    assert done.stdout == "gitdeploy, version 0.1.0\n", done.stderr


def test_the_demo_works_from_the_wheel(installed: Path) -> None:
    done = run(installed, "demo", "--once")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "All of it was seen to work" in done.stdout
    assert "checkout   5 files" in done.stdout, "what pip compiled isn't pushed"
