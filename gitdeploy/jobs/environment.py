"""The environment of a job's process (kudu.md, "Environment of a job"); nothing of the server's."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

from gitdeploy.home import Kind
from gitdeploy.jobs.arguments import split_arguments
from gitdeploy.jobs.job import Job
from gitdeploy.jobs.windows import BATCH, batch_line, is_batch

MARKER = "WEBJOBS_EXECUTION"


def marker(app: str, kind: Kind, job: str, execution: str) -> str:
    """The value of the variable by which an execution's processes are found."""
    return f"{app}/{kind}/{job}/{execution}"


def job_environment(
    job: Job,
    *,
    app: str,
    execution: str,
    root: Path,
    data: Path,
    home: Path,
    settings: Mapping[str, str],
    directory: Path | None = None,
    environment: Path | None = None,
    arguments: str | None = None,
    shutdown_file: Path | None = None,
    port: int | None = None,
    path: str | None = None,
    prefix: Path | None = None,
) -> dict[str, str]:
    """All variables of one execution.

    `root` is the site's root, `directory` where the job runs if not in its place there (a private
    copy), `data` the job's lasting directory, `home` what HOME is, `settings`
    the app's (each under its own name; they may set HOME, PATH and the like, not what names this
    execution), `environment` the app's venv, `path` the PATH to start from (default: the server's
    without the server's own venv), `prefix` the wine prefix of this execution. Raises Invalid for
    arguments that a batch file can't be given.
    """
    base = settings.get("PATH") or (server_path() if path is None else path)
    variables = {
        "HOME": str(home),
        "LANG": "C.UTF-8",
        "PYTHONUNBUFFERED": "1",
        "WEBROOT_PATH": str(root),
        **{name: value for name, value in settings.items() if _usable(name, value)},
        "PATH": base,
        "WEBJOBS_PATH": str(directory or root / job.directory),
        "WEBJOBS_NAME": job.name,
        "WEBJOBS_TYPE": job.kind,
        "WEBJOBS_DATA_PATH": str(data),
        "WEBJOBS_RUN_ID": execution,
        MARKER: marker(app, job.kind, job.name, execution),
    }
    if job.kind == "triggered":
        variables["WEBJOBS_COMMAND_ARGUMENTS"] = arguments or ""
    if shutdown_file is not None:
        variables["WEBJOBS_SHUTDOWN_FILE"] = str(shutdown_file)
    if port is not None:
        variables["WEBJOBS_PORT"] = str(port)
    if job.host == "wine":
        variables |= dict(_of_wine(job, directory or root / job.directory, arguments, prefix))
        variables.setdefault("WINEDEBUG", "-all")  # its chatter isn't the job's output
    if environment is not None:
        variables["VIRTUAL_ENV"] = str(environment)
        variables["PATH"] = f"{environment / 'bin'}{os.pathsep}{base}"
    return variables


def _of_wine(
    job: Job, directory: Path, arguments: str | None, prefix: Path | None
) -> Iterator[tuple[str, str]]:
    if job.script is not None and is_batch(job.script):
        yield BATCH, batch_line(directory / job.script, split_arguments(arguments))
    if prefix is not None:
        yield "WINEPREFIX", str(prefix)
        # wineserver's socket: /tmp may be shared with namespaces whose pids it can't tell
        yield "TMPDIR", str(prefix / "tmp")


def server_path() -> str:
    """The server's PATH without its own venv, whose packages aren't the jobs'."""
    own = str(Path(sys.prefix) / "bin") if sys.prefix != sys.base_prefix else None
    parts = os.environ.get("PATH", os.defpath).split(os.pathsep)
    return os.pathsep.join(part for part in parts if part and part != own) or os.defpath


def _usable(name: str, value: str) -> bool:
    """An app setting that can't be a variable is left out rather than stopping every job."""
    return bool(name) and "=" not in name and "\0" not in name and "\0" not in value
