"""What every level promises (gitdeploy/sandbox/port.py), with real processes."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest

from gitdeploy.sandbox import Handle, SpawnError, Spec, held, procfs
from gitdeploy.sandbox.launch import Launcher
from gitdeploy.sandbox.none import NoIsolation
from tests.integration.sandbox.conftest import EVERY, PYTHON, WHOLE, Level, MakeSpec, said
from tests.support import eventually

every = pytest.mark.parametrize("isolation", EVERY, indirect=True)
whole = pytest.mark.parametrize("isolation", WHOLE, indirect=True)


@every
async def test_the_exit_code_comes_back(isolation: Level, make_spec: MakeSpec) -> None:
    for code in (0, 1, 42, 255):
        handle = await isolation.spawn(make_spec(f"exit {code}"))
        assert await isolation.wait(handle) == code
        assert await isolation.wait(handle) == code, "asking again gives the same"
        assert not isolation.alive(handle)


@every
async def test_a_death_by_signal_is_128_and_its_number(
    isolation: Level, make_spec: MakeSpec
) -> None:
    for number in (signal.SIGTERM, signal.SIGKILL, signal.SIGSEGV):
        handle = await isolation.spawn(make_spec(f"kill -{int(number)} $$; sleep 60"))
        assert await isolation.wait(handle) == 128 + number
        assert said(handle, "stderr") == "", "the holder's own words aren't the job's output"


@every
async def test_the_handle_names_the_jobs_own_process(isolation: Level, make_spec: MakeSpec) -> None:
    handle = await isolation.spawn(make_spec(("/bin/sleep", "61.25")))
    assert handle.level == isolation.level
    assert isolation.alive(handle)
    command = Path(f"/proc/{handle.pid}/cmdline")
    await eventually(lambda: command.read_bytes().startswith(b"/bin/sleep\x0061.25"))
    found = procfs.stat(handle.pid)
    assert found is not None
    assert found.start == handle.pid_start
    await isolation.kill_tree(handle)
    assert not isolation.alive(handle)


@every
async def test_a_handle_survives_being_stored(isolation: Level, make_spec: MakeSpec) -> None:
    handle = await isolation.spawn(make_spec("exit 9"))
    again = msgspec.json.decode(msgspec.json.encode(handle), type=Handle)
    assert await isolation.wait(again) == 9


@every
async def test_nothing_of_the_servers_environment_gets_in(
    isolation: Level, make_spec: MakeSpec, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GITDEPLOY_ADMIN_TOKEN", "not for jobs")
    given = {"PATH": "/usr/bin:/bin", "GREETING": "hello\n'\"$(x) wörld", "EMPTY": ""}
    spec = make_spec((PYTHON, "-c", "import json,os; print(json.dumps(dict(os.environ)))"))
    spec = msgspec.structs.replace(spec, environment=given)
    handle = await isolation.spawn(spec)
    assert await isolation.wait(handle) == 0, said(handle, "stderr")
    seen = msgspec.json.decode(said(handle))
    own = {"PWD", "_", "LC_CTYPE", "GITDEPLOY_TREE"}  # of a shell, of Python, of the marker
    assert {k: v for k, v in seen.items() if k not in own} == given
    assert seen["PWD"] == str(spec.cwd)


@every
async def test_path_is_the_one_variable_that_is_filled_in(
    isolation: Level, make_spec: MakeSpec, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", "/usr/bin:/bin:/somewhere/else")
    handle = await isolation.spawn(make_spec('echo "$PATH"', environment={}))
    assert await isolation.wait(handle) == 0
    assert said(handle) == "/usr/bin:/bin:/somewhere/else\n"


@every
async def test_variables_that_a_shell_would_drop_or_change_arrive(
    isolation: Level, make_spec: MakeSpec
) -> None:
    odd = {
        "PATH": "/usr/bin:/bin",
        "my.setting": "dots",
        "Section:Key": "colons",
        "with-dash": "x",
        "IFS": ",",
        "PS1": "> ",
        "OPTIND": "7",
        "LD_LIBRARY_PATH": "/nowhere",
        "1": "a digit",
    }
    spec = make_spec((PYTHON, "-c", "import json,os; print(json.dumps(dict(os.environ)))"))
    spec = msgspec.structs.replace(spec, environment=odd)
    handle = await isolation.spawn(spec)
    assert await isolation.wait(handle) == 0, said(handle, "stderr")
    seen = msgspec.json.decode(said(handle))
    assert {k: v for k, v in seen.items() if k in odd} == odd


@every
async def test_arguments_arrive_as_they_were(isolation: Level, make_spec: MakeSpec) -> None:
    words = ("", "a b", "$HOME", "`id`", "*", "--", "-x", "'\"\\", "zwei\nZeilen", "ü")
    code = "import sys,json; print(json.dumps(sys.argv[1:]))"
    handle = await isolation.spawn(make_spec((PYTHON, "-c", code, *words)))
    assert await isolation.wait(handle) == 0, said(handle, "stderr")
    assert tuple(msgspec.json.decode(said(handle))) == words


@every
async def test_output_is_appended_by_the_kernel(isolation: Level, make_spec: MakeSpec) -> None:
    spec = make_spec("echo new; echo wrong >&2")
    spec.stdout.write_text("old\n")
    handle = await isolation.spawn(spec)
    await isolation.wait(handle)
    assert said(handle) == "old\nnew\n"
    assert said(handle, "stderr") == "wrong\n"


@every
async def test_one_path_for_both_streams_is_one_stream(
    isolation: Level, make_spec: MakeSpec
) -> None:
    spec = make_spec("for i in 1 2 3; do echo out$i; echo err$i >&2; done")
    handle = await isolation.spawn(msgspec.structs.replace(spec, stderr=spec.stdout))
    await isolation.wait(handle)
    assert said(handle) == "out1\nerr1\nout2\nerr2\nout3\nerr3\n"


@every
async def test_a_job_has_three_descriptors_and_an_empty_input(
    isolation: Level, make_spec: MakeSpec
) -> None:
    code = "import os; print(os.listdir('/proc/self/fd'), os.read(0, 1))"
    handle = await isolation.spawn(make_spec((PYTHON, "-c", code)))
    assert await isolation.wait(handle) == 0
    assert said(handle) == "['0', '1', '2', '3'] b''\n", "3 is the listed directory itself"


@every
async def test_sigterm_reaches_the_whole_group(isolation: Level, make_spec: MakeSpec) -> None:
    script = (
        "trap 'wait; echo parent; exit 3' TERM;"
        " sh -c 'trap \"echo child; exit\" TERM; echo ready; while :; do sleep 0.05; done' &"
        " while :; do sleep 0.05; done"
    )
    handle = await isolation.spawn(make_spec(script))
    await eventually(lambda: "ready" in said(handle))
    isolation.terminate(handle)
    assert await isolation.wait(handle) == 3
    assert said(handle) == "ready\nchild\nparent\n"


@every
async def test_a_job_that_does_not_handle_sigterm_ends_with_143(
    isolation: Level, make_spec: MakeSpec
) -> None:
    handle = await isolation.spawn(make_spec(("/bin/sleep", "60")))
    await eventually(
        lambda: Path(f"/proc/{handle.pid}/cmdline").read_bytes().startswith(b"/bin/sleep")
    )
    isolation.terminate(handle)
    assert await isolation.wait(handle) == 143
    isolation.terminate(handle)  # nothing where it has ended


@every
async def test_a_sigterm_right_after_the_start_is_not_lost(
    isolation: Level, make_spec: MakeSpec
) -> None:
    for _ in range(20):
        handle = await isolation.spawn(make_spec(("/bin/sleep", "60")))
        isolation.terminate(handle)
        assert await asyncio.wait_for(isolation.wait(handle), 20) == 143


@every
async def test_kill_tree_ends_job_and_children(
    isolation: Level, make_spec: MakeSpec, mark: str
) -> None:
    script = f"trap '' TERM; sleep {mark} & sleep {mark} & echo on; wait; wait"
    handle = await isolation.spawn(make_spec(script))
    await eventually(lambda: len(running(mark)) == 2)
    await isolation.kill_tree(handle)
    assert running(mark) == []
    assert await isolation.wait(handle) == 137
    await isolation.kill_tree(handle)  # nothing left to do


DAEMON = """
import os, sys, time
if os.fork(): os.wait(); print('started', flush=True); {then}
os.setsid()
if os.fork(): os._exit(0)
os.chdir('/')
for fd in (0, 1, 2): os.close(fd)
os.execv('/bin/sleep', ['sleep', {mark!r}])
"""


@whole
async def test_kill_tree_reaches_a_daemonised_grandchild(
    isolation: Level, make_spec: MakeSpec, mark: str
) -> None:
    code = DAEMON.format(then="time.sleep(60)", mark=mark)
    handle = await isolation.spawn(make_spec((PYTHON, "-c", code)))
    await eventually(lambda: running(mark))
    await isolation.kill_tree(handle)
    assert running(mark) == []
    assert await isolation.wait(handle) == 137


@whole
async def test_kill_tree_reaches_what_an_ended_job_left(
    isolation: Level, make_spec: MakeSpec, mark: str
) -> None:
    code = DAEMON.format(then="os._exit(5)", mark=mark)
    handle = await isolation.spawn(make_spec((PYTHON, "-c", code)))
    assert await isolation.wait(handle) == 5
    await isolation.kill_tree(handle)
    assert running(mark) == []
    assert await isolation.wait(handle) == 5


@every
async def test_kill_tree_is_faster_than_a_fork_bomb_grows(
    isolation: Level, make_spec: MakeSpec, mark: str
) -> None:
    script = f"while :; do sleep {mark} & sleep 0.01; done"
    handle = await isolation.spawn(make_spec(script))
    await eventually(lambda: len(running(mark)) > 5)
    await isolation.kill_tree(handle)
    assert running(mark) == []


@every
async def test_another_process_with_the_same_pid_is_let_alone(
    isolation: Level, make_spec: MakeSpec
) -> None:
    bystander = subprocess.Popen(["/bin/sleep", "60"], start_new_session=True)
    try:
        found = procfs.stat(bystander.pid)
        assert found is not None
        spec = make_spec("exit 0")
        (spec.directory / "status").write_text("4\n")
        (spec.directory / "bwrap.json").write_text('{ "exit-code": 4 }\n')
        reused = Handle(
            level=isolation.level,
            boot_id=procfs.boot_id(),
            holder=bystander.pid,
            holder_start=found.start - 1,
            pid=bystander.pid,
            pid_start=found.start - 1,
            directory=str(spec.directory),
        )
        rebooted = msgspec.structs.replace(
            reused,
            boot_id="00000000-0000-0000-0000-000000000000",
            holder_start=found.start,
            pid_start=found.start,
        )
        for handle in (reused, rebooted):
            assert not isolation.alive(handle)
            isolation.terminate(handle)
            await isolation.kill_tree(handle)
            assert await isolation.wait(handle) == 4
        assert bystander.poll() is None
    finally:
        bystander.kill()
        bystander.wait()


@every
async def test_a_program_that_is_not_there_is_named(isolation: Level, make_spec: MakeSpec) -> None:
    with pytest.raises(SpawnError, match="no-such-program isn't on PATH"):
        await isolation.spawn(make_spec(("no-such-program",)))
    with pytest.raises(SpawnError, match=r"/nowhere/run doesn't exist"):
        await isolation.spawn(make_spec(("/nowhere/run",)))
    spec = make_spec(("./plain",))
    (spec.cwd / "plain").write_text("text")
    with pytest.raises(SpawnError, match=r"plain isn't executable"):
        await isolation.spawn(spec)
    with pytest.raises(SpawnError, match=r"isn't a directory"):
        await isolation.spawn(make_spec("true", cwd=Path("/nowhere")))
    with pytest.raises(SpawnError, match="NUL"):
        await isolation.spawn(make_spec(("/bin/echo", "a\0b")))
    with pytest.raises(SpawnError, match="/nowhere/out"):
        await isolation.spawn(make_spec("true", stdout=Path("/nowhere/out")))


@every
async def test_an_ended_holder_leaves_no_zombie(isolation: Level, make_spec: MakeSpec) -> None:
    handles = [await isolation.spawn(make_spec("exit 0")) for _ in range(5)]
    started = []
    for handle in handles:
        await isolation.wait(handle)
        record = held.read(Path(handle.directory))
        assert record is not None
        started.append((record.outer, record.outer_start))
    await eventually(lambda: not [pid for pid in started if procfs.find(*pid)])


@every
async def test_waiting_may_be_given_up_and_taken_up(isolation: Level, make_spec: MakeSpec) -> None:
    spec = make_spec("while [ ! -e go ]; do sleep 0.02; done; exit 6")
    handle = await isolation.spawn(spec)
    waiting = [asyncio.create_task(isolation.wait(handle)) for _ in range(3)]
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(asyncio.shield(waiting[0]), 0.05)
    waiting[1].cancel()
    (spec.cwd / "go").touch()
    assert await waiting[0] == 6
    assert await waiting[2] == 6
    assert await isolation.wait(handle) == 6


@pytest.mark.parametrize("isolation", ["none", "process-marker", "sandbox"], indirect=True)
async def test_without_its_holder_a_job_is_waited_for_and_its_code_is_lost(
    isolation: Level, make_spec: MakeSpec, mark: str
) -> None:
    spec = make_spec("while [ ! -e go ]; do sleep 0.02; done; exit 6")
    handle = await isolation.spawn(spec)
    os.kill(handle.holder, signal.SIGKILL)
    waiting = asyncio.create_task(isolation.wait(handle))
    await eventually(lambda: not procfs.alive(handle.holder, handle.holder_start))
    assert isolation.alive(handle)
    assert not waiting.done()
    (spec.cwd / "go").touch()
    assert await waiting is None
    await isolation.kill_tree(handle)


SERVER = """
import asyncio, sys, msgspec
from pathlib import Path
from gitdeploy.sandbox import Spec
from gitdeploy.sandbox.bubblewrap import Bubblewrap
from gitdeploy.sandbox.launch import Launcher
from gitdeploy.sandbox.none import NoIsolation
from gitdeploy.sandbox.process import ProcessIsolation

async def main(level, directory, script):
    levels = {"none": NoIsolation, "process": ProcessIsolation, "sandbox": Bubblewrap}
    there = Path(directory)
    spec = Spec(argv=("/bin/sh", "-c", script), cwd=there, directory=there,
                stdout=there / "stdout", stderr=there / "stderr",
                environment={"PATH": "/usr/bin:/bin"}, writable=(there,))
    handle = await levels[level](Launcher()).spawn(spec)
    print(msgspec.json.encode(handle).decode(), flush=True)
    await asyncio.sleep(60)

asyncio.run(main(*sys.argv[1:]))
"""


async def spawned_by_a_server_that_is_killed(level: str, spec: Spec) -> Handle:
    server = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", SERVER, level, str(spec.directory), spec.argv[-1]),
        stdout=subprocess.PIPE,
    )
    assert server.stdout is not None
    handle = msgspec.json.decode(await server.stdout.readline(), type=Handle)
    server.kill()
    await server.wait()
    return handle


of_each_level = pytest.mark.parametrize(
    "isolation", ["none", "process-namespace", "sandbox"], indirect=True
)


@of_each_level
async def test_a_job_outlives_its_killed_server(isolation: Level, make_spec: MakeSpec) -> None:
    spec = make_spec("echo one; while [ ! -e go ]; do sleep 0.02; done; echo two; exit 6")
    handle = await spawned_by_a_server_that_is_killed(isolation.level, spec)
    assert isolation.alive(handle)
    waiting = asyncio.create_task(isolation.wait(handle))
    (spec.cwd / "go").touch()
    assert await waiting == 6
    assert said(handle) == "one\ntwo\n"


@of_each_level
async def test_the_code_of_a_job_that_ended_while_no_server_ran_is_learnt(
    isolation: Level, make_spec: MakeSpec
) -> None:
    spec = make_spec("exit 8")
    handle = await spawned_by_a_server_that_is_killed(isolation.level, spec)
    assert await isolation.wait(handle) == 8


@of_each_level
async def test_an_adopted_tree_is_ended_whole(
    isolation: Level, make_spec: MakeSpec, mark: str
) -> None:
    spec = make_spec(f"sleep {mark} & sleep {mark}; :")
    handle = await spawned_by_a_server_that_is_killed(isolation.level, spec)
    await eventually(lambda: len(running(mark)) == 2)
    await isolation.kill_tree(handle)
    assert running(mark) == []
    assert await isolation.wait(handle) == 137


async def test_without_pidfd_the_end_is_seen_too(
    make_spec: MakeSpec, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(pid: int, flags: int = 0) -> int:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(os, "pidfd_open", refuse)
    launcher = Launcher()
    isolation = NoIsolation(launcher)
    handle = await isolation.spawn(make_spec("sleep 0.1; exit 2"))
    assert await isolation.wait(handle) == 2
    handle = await isolation.spawn(make_spec("sleep 60"))
    await isolation.kill_tree(handle)
    assert await isolation.wait(handle) == 137
    await launcher.close()


def running(mark: str) -> list[int]:
    """Pids of `sleep MARK` that run, wherever."""
    found = []
    for each in procfs.processes():
        try:
            words = Path(f"/proc/{each.pid}/cmdline").read_bytes().split(b"\0")
        except OSError:
            continue
        if each.runs and len(words) > 1 and words[1] == mark.encode():
            found.append(each.pid)
    return found
