"""Script hosts: which program runs a script, and the command line of a job.

Kudu's hosts (Kudu.Core/Jobs/*ScriptHost.cs) as this machine has them. A command line is a list of
words; what a host does with them by itself is kept from being more than words.
"""

from __future__ import annotations

import os
import shutil
import struct
import sys
from pathlib import Path

from gitdeploy.errors import Invalid
from gitdeploy.jobs.arguments import split_arguments
from gitdeploy.jobs.errors import HostMissing
from gitdeploy.jobs.job import Host, Job

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
_BATCH = (".cmd", ".bat")
_OF_CMD = frozenset('%"\r\n')
"""What cmd.exe reads even between quotes; such arguments can't be passed as they are."""
_META = frozenset("()<>&|^!;,=`'@")


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
            return _windows(script, words)
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
                _windows(script, [])
            case "self":
                return None
            case _:
                _installed(host)
    except HostMissing as error:
        return error.program
    return None


def host_error(job: Job, root: Path) -> str | None:
    """What a job that has a script lacks to run on this machine, as a person reads it."""
    if job.script is None or job.host is None:
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


def _windows(script: Path, words: list[str]) -> tuple[str, ...]:
    """A batch file by wine's cmd, a program by wine, or by mono where it is one of .NET."""
    if script.suffix.lower() not in _BATCH:
        if is_dotnet(script) and (mono := shutil.which("mono")) is not None:
            return mono, str(script), *words
        return _installed("wine"), str(script), *words
    batch = tuple(_for_cmd(word) for word in words)
    # Z: is the root of the disk in a wine prefix
    return _installed("wine"), "cmd", "/d", "/c", "Z:" + str(script).replace("/", "\\"), *batch


def _for_cmd(word: str) -> str:
    """A word as cmd.exe takes it as one, and executes nothing in it. Raises Invalid.

    wine puts quotes around what holds blanks, and between quotes the rest is plain; elsewhere a
    caret makes it so.
    """
    bad = next((sign for sign in word if sign in _OF_CMD), None)
    if bad is not None:
        raise Invalid(
            f"arguments: {word[:60]!r} can't be passed to a batch file: it holds {bad!r}.",
            "Put it into a file or an app setting and let the script read that.",
        )
    if not word or any(sign in " \t" for sign in word):
        return word
    return "".join(f"^{sign}" if sign in _META else sign for sign in word)


def is_dotnet(file: Path) -> bool:
    """Whether a PE file has a CLR header (ECMA-335, II.25.2.3.3)."""
    try:
        with file.open("rb") as opened:
            head = opened.read(4096)
        (start,) = struct.unpack_from("<I", head, 0x3C)
        if head[:2] != b"MZ" or head[start : start + 4] != b"PE\0\0":
            return False
        (magic,) = struct.unpack_from("<H", head, start + 24)
        directories = start + 24 + (112 if magic == 0x20B else 96)
        (address,) = struct.unpack_from("<I", head, directories + 14 * 8)
    except (OSError, struct.error):
        return False
    return bool(address)


def _installed(program: str) -> str:
    path = shutil.which(program)
    if path is None:
        raise HostMissing(program, _INSTALL[program])
    link = Path(path)
    if link.is_symlink() and str(link.readlink()).startswith(_ALTERNATIVES):
        return os.path.realpath(path)  # a sandbox has no /etc/alternatives
    return path
