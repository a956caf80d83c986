"""Reading /proc."""

from __future__ import annotations

import os
import subprocess
import sys

from gitdeploy.sandbox import procfs
from tests.support import eventually


def test_a_process_is_known_by_pid_and_start() -> None:
    me = procfs.stat(os.getpid())
    assert me is not None
    assert me.parent == os.getppid()
    assert me.session == os.getsid(0)
    assert procfs.alive(me.pid, me.start)
    assert not procfs.alive(me.pid, me.start + 1)
    assert procfs.find(me.pid, me.start) == procfs.stat(me.pid)


def test_no_process_has_pid_0_or_one_beyond_the_limit() -> None:
    assert procfs.stat(0) is None
    assert procfs.stat(-1) is None
    assert procfs.stat(2**30) is None
    assert procfs.children(2**30) == []


def test_a_name_with_brackets_and_spaces_does_not_confuse() -> None:
    code = (
        "import ctypes,sys; ctypes.CDLL(None).prctl(15, b') S 1 (x y', 0, 0, 0);"
        "print('named', flush=True); sys.stdin.read()"
    )
    child = subprocess.Popen(
        [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert child.stdout is not None
    assert child.stdout.readline() == b"named\n"
    found = procfs.stat(child.pid)
    assert found is not None
    assert found.parent == os.getpid()
    assert child.pid in procfs.children(os.getpid())
    assert child.pid in {each.pid for each in procfs.descendants(os.getpid())}
    child.communicate()


async def test_a_zombie_does_not_run_and_has_ended() -> None:
    child = subprocess.Popen(["/bin/true"])
    found = procfs.stat(child.pid)
    assert found is not None
    await procfs.ended(child.pid, found.start)
    await eventually(lambda: not procfs.alive(child.pid, found.start))
    assert procfs.find(child.pid, found.start) is not None, "not reaped yet"
    child.wait()
    assert procfs.find(child.pid, found.start) is None
    assert not procfs.send(child.pid, found.start, 0)


async def test_an_environment_entry_is_found_whole() -> None:
    child = subprocess.Popen(["/bin/sleep", "60"], env={"MARK": "a/b", "OTHER": "MARK=c"})
    try:
        # the kernel shows it a moment after exec(2)
        await eventually(lambda: procfs.environment_has(child.pid, b"MARK=a/b"))
        assert not procfs.environment_has(child.pid, b"MARK=a")
        assert not procfs.environment_has(child.pid, b"MARK=c")
    finally:
        child.kill()
        child.wait()


def test_this_process_is_no_namespaces_init() -> None:
    assert not procfs.is_namespace_init(os.getpid())
    assert not procfs.is_namespace_init(2**30)
