"""Script hosts: which program runs a script, and the command line of a job.

Kudu's hosts (Kudu.Core/Jobs/*ScriptHost.cs) as this machine has them. A command line is a list of
words; what a host does with them by itself is kept from being more than words.
"""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path

from gitdeploy.errors import Invalid
from gitdeploy.jobs.arguments import split_arguments
from gitdeploy.jobs.errors import HostMissing
from gitdeploy.jobs.job import Host, Job
from gitdeploy.jobs.windows import batch_line, by_mono, is_batch, windows_command

_INSTALL = {
    "bash": "apt-get install bash",
    "dotnet": "https://learn.microsoft.com/dotnet/core/install/linux (it isn't in Debian)",
    "java": "apt-get install default-jre-headless",
    "mono": "apt-get install mono-runtime",
    "node": "apt-get install nodejs",
    "php": "apt-get install php-cli",
    "pwsh": "https://learn.microsoft.com/powershell/scripting/install (it isn't in Debian)",
    "python3": "apt-get install python3",
    "wine": "apt-get install wine",
}
_ALTERNATIVES = "/etc/alternatives/"


def command(
    job: Job, *, root: Path, environment: Path | None, arguments: str | None = None
) -> tuple[str, ...]:
    """The argv that runs the job's script; `root` is the site's, `environment` its venv if any.

    Raises HostMissing naming the program and how to install it, Invalid for a job without a
    script, arguments that can't be split, or that the host can't be given as they are.
    """
    if job.script is None or job.host is None:
        raise Invalid(job.error or f"{job.kind}/{job.name} has no script.")
    script = root / job.directory / job.script
    words = split_arguments(arguments)
    path = str(script)
    match job.host:
        case "bash":
            return _installed("bash"), path, *words
        case "python":
            return python(environment), path, *words
        case "node":
            return node(), path, *words
        case "php":
            return _installed("php"), path, *words
        case "java":
            return _installed("java"), "-jar", path, *words
        case "pwsh":
            return _installed("pwsh"), "-NoProfile", "-NonInteractive", "-File", path, *words
        case "dotnet":
            return _installed("dotnet"), "fsi", "--quiet", "--exec", path, *words
        case "wine":
            if is_batch(script):
                batch_line(script, words)  # refused here, before anything is recorded
            return windows_command(script, words, _installed)
        case "self":
            return path, *words


def missing_program(host: Host, script: Path) -> str | None:
    """The program that a script's host lacks on this machine; None where it can be run."""
    try:
        match host:
            case "python":
                python(None)
            case "node":
                node()
            case "wine":
                windows_command(script, [], _installed)
            case "self":
                return None
            case _:
                _installed(host)
    except HostMissing as error:
        return error.program
    return None


def uses_wine(job: Job, root: Path) -> bool:
    """Whether wine runs the job's script, so that it needs a prefix."""
    if job.host != "wine" or job.script is None:
        return False
    return not by_mono(root / job.directory / job.script)


def host_error(job: Job, root: Path) -> str | None:
    """What a job that has a script lacks to run on this machine, as a person reads it."""
    if job.script is None or job.host is None or job.action is not None:
        return None
    program = missing_program(job.host, root / job.directory / job.script)
    return None if program is None else str(HostMissing(program, _INSTALL[program]))


def python(environment: Path | None) -> str:
    """The venv's interpreter, else the one that the server's is based on, else python3 on PATH."""
    if environment is not None and (own := environment / "bin" / "python").exists():
        return str(own)
    base = getattr(sys, "_base_executable", None)  # not sys.executable: the server's own packages
    if base and Path(base).exists():
        return str(base)
    return _installed("python3")


def node() -> str:
    """Node.js; Debian named it nodejs for long."""
    return shutil.which("node") or shutil.which("nodejs") or _installed("node")


def _installed(program: str) -> str:
    path = shutil.which(program)
    if path is None:
        raise HostMissing(program, _INSTALL[program])
    link = Path(path)
    if link.is_symlink() and str(link.readlink()).startswith(_ALTERNATIVES):
        return os.path.realpath(path)  # a sandbox has no /etc/alternatives
    return path
