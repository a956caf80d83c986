"""The holder of the levels none and process: a POSIX shell that waits and writes the status.

It survives signals to its own process group, so `$?` gets to the file whatever ended the job.
Only built-ins are used: nothing of it can go missing with a job's odd PATH.
"""

from __future__ import annotations

import asyncio
import os
import re
import shlex
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from gitdeploy.sandbox import held, procfs
from gitdeploy.sandbox.errors import SpawnError
from gitdeploy.sandbox.launch import Launcher, program
from gitdeploy.sandbox.port import Spec
from gitdeploy.sandbox.standby import WAITER

# The shell's own standard error is closed off: "Terminated" isn't the job's output. `$0` is the
# status file, open from the beginning: the directory may be renamed (standby.py). A handler (not
# "ignore") keeps the child's disposition at its default. Errors of exec itself go to the job's
# standard error. Once `begun` is there the holder's handlers are gone from the job's process: a
# SIGTERM before that would be swallowed.
_SCRIPT = """\
exec 3>&2 2>/dev/null 4>"$0"
trap : HUP INT QUIT TERM USR1 USR2 ALRM
{limits}
(
true >"$0.begun"
{enter}
unset OLDPWD SHLVL
exec "$@" 2>&3 3>&- 4>&-
)
code=$?
printf '%s\\n' "$code" >&4
exit "$code"
"""

# Variables that a shell drops (names it can't have), changes, or obeys, and those that would make
# the dynamic linker run foreign code in the holder: they reach the job past the shell.
_PLAIN = re.compile(r"[A-Za-z_][A-Za-z0-9_]*\Z")
_TOUCHED = re.compile(
    r"(?:LD_.*|GLIBC_TUNABLES|BASH.*|ENV|IFS|OPTIND|OPTARG|OPTERR|PPID|PS[0-4]|LINENO|SHLVL|OLDPWD"
    r"|RANDOM|SECONDS|UID|EUID|GROUPS|SHELLOPTS|POSIXLY_CORRECT|PIPESTATUS|FUNCNAME|DIRSTACK|HIST.*"
    r"|KSH_VERSION|_)\Z"
)
_EXEC = (
    "import os,sys\n"
    "with open(int(sys.argv[1]),'rb') as f: d=f.read()\n"
    "os.execve(sys.argv[2],sys.argv[2:],dict(e.split(b'=',1) for e in d.split(b'\\0') if e))\n"
)
_START_LIMIT = 20.0
_FIRST_PAUSE = 0.0003
_LONGEST_PAUSE = 0.03
_BEGUN_LIMIT = 1.0
"""A full disk can't hold the file that says it; seconds."""


def hold(
    launcher: Launcher,
    spec: Spec,
    environment: Mapping[str, str],
    *,
    before: Sequence[str] = (),
    limits: str = "",
    enter: str = "",
    umask: int = -1,
    wait: int | None = None,
) -> procfs.Stat:
    """Start the shell that holds the spec's program; what comes back is the first process.

    `before` is put in front of the shell's command line; `limits` are shell lines for the holder
    and all below it, `enter` for the job's process alone. With `wait` that stands by and reads
    there what to run (standby.py). Raises SpawnError.
    """
    argv = WAITER if wait is not None else (program(spec, environment), *spec.argv[1:])
    passed: tuple[int, ...] = ()
    if plain(environment):
        inherited = dict(environment)
    else:
        inherited = {"PATH": environment["PATH"], "PWD": environment["PWD"]}
        passed = (_in_memory(environment),)
        argv = (sys.executable, "-I", "-S", "-c", _EXEC, str(passed[0]), *argv)
    script = _SCRIPT.format(limits=limits, enter=enter)
    held.clear(spec.directory)
    try:
        return launcher.start(
            (*before, "/bin/sh", "-c", script, str(spec.directory / "status"), *argv),
            spec,
            environment=inherited,
            cwd=spec.cwd,
            umask=umask,
            pass_fds=passed,
            stdin=wait,
        )
    finally:
        for descriptor in passed:
            os.close(descriptor)


async def first_child(parent: procfs.Stat, directory: Path, *, begun: bool) -> procfs.Stat | None:
    """Wait until the process has a child, with `begun` until that is the job's and takes signals.

    None where the process, or the job, has ended before it was seen. Raises SpawnError.
    """
    deadline = time.monotonic() + _START_LIMIT
    pause = _FIRST_PAUSE
    while True:
        for pid in procfs.children(parent.pid):
            found = procfs.stat(pid)
            if found is not None and found.parent == parent.pid:
                late = time.monotonic() > deadline - _START_LIMIT + _BEGUN_LIMIT
                if not begun or late or (directory / "status.begun").exists():
                    return found
        if held.read_status(directory) is not None or not procfs.alive(parent.pid, parent.start):
            return None
        if time.monotonic() > deadline:
            raise SpawnError(f"The holder in {directory} started nothing in {_START_LIMIT:.0f} s.")
        await asyncio.sleep(pause)
        pause = min(pause * 1.3, _LONGEST_PAUSE)  # the busier the machine, the less is looked


def plain(environment: Mapping[str, str]) -> bool:
    """Whether a shell passes all these variables on as they are."""
    return all(_PLAIN.match(name) and not _TOUCHED.match(name) for name in environment)


def quote(path: str) -> str:
    """A path as a word of the shell."""
    return shlex.quote(path)


def _in_memory(environment: Mapping[str, str]) -> int:
    """The environment as NAME=value NUL … in a file that has no name; its descriptor."""
    data = b"".join(os.fsencode(f"{k}={v}") + b"\0" for k, v in environment.items())
    return in_memory(data)


def in_memory(data: bytes) -> int:
    """A descriptor of an anonymous file with this content, read from its start."""
    import fcntl

    low = os.memfd_create("gitdeploy", os.MFD_CLOEXEC)
    try:
        # the shell uses single digits for its own redirections
        descriptor = fcntl.fcntl(low, fcntl.F_DUPFD_CLOEXEC, 20)
    finally:
        os.close(low)
    os.write(descriptor, data)
    os.lseek(descriptor, 0, os.SEEK_SET)
    return descriptor
