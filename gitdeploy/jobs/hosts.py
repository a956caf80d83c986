"""Script hosts: which program runs a script, and the command line of a job."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

from gitdeploy.errors import Invalid
from gitdeploy.jobs.arguments import split_arguments
from gitdeploy.jobs.errors import HostMissing
from gitdeploy.jobs.job import Job


def command(
    job: Job, *, root: Path, environment: Path | None, arguments: str | None = None
) -> tuple[str, ...]:
    """The argv that runs the job's script; `root` is the site's, `environment` its venv if any.

    Raises HostMissing naming the program and how to install it, Invalid for a job without a
    script or arguments that can't be split.
    """
    if job.script is None or job.host is None:
        raise Invalid(job.error or f"{job.kind}/{job.name} has no script.")
    script = str(root / job.directory / job.script)
    words = split_arguments(arguments)
    match job.host:
        case "bash":
            return _installed("bash", "apt-get install bash"), script, *words
        case "python":
            return python(environment), script, *words
        case "node":
            return node(), script, *words
        case "self":
            return script, *words


def python(environment: Path | None) -> str:
    """The venv's interpreter, else the one that the server's is based on, else python3 on PATH."""
    if environment is not None and (own := environment / "bin" / "python").exists():
        return str(own)
    base = getattr(sys, "_base_executable", None)  # not sys.executable: the server's own packages
    if base and Path(base).exists():
        return str(base)
    return _installed("python3", "apt-get install python3")


def node() -> str:
    """Node.js; Debian named it nodejs for long."""
    return shutil.which("node") or shutil.which("nodejs") or _missing_node()


def _missing_node() -> str:
    raise HostMissing("node", "apt-get install nodejs")


def _installed(program: str, install: str) -> str:
    path = shutil.which(program)
    if path is None:
        raise HostMissing(program, install)
    return path
