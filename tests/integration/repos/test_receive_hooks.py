"""The hooks of a push: git's arguments, input, environment and exit codes, output as it comes."""

from __future__ import annotations

import asyncio
import os
import shutil
import subprocess
from pathlib import Path

import pytest

from gitdeploy.repos import ZERO, receive_pack
from gitdeploy.repos.layout import hooks_source
from tests.integration.repos.receiving import CALLER, Clone, Host, chunks, push_body, take
from tests.support import eventually, git


async def test_pre_receive_refuses_the_whole_push(host: Host, clone: Clone) -> None:
    host.hook("pre-receive", 'echo "not on a Friday" >&2; exit 3')
    before = host.files()
    clone.commit({"a": "1"})
    done = await clone.push("origin", "main", "main:other")
    assert done.code == 1
    assert "not on a Friday" in done.remote
    assert done.output.count("(pre-receive hook declined)") == 2
    assert host.files() == before
    assert host.pushes == []


async def test_update_refuses_one_ref_and_lets_others_move(host: Host, clone: Clone) -> None:
    host.hook("update", '[ "$1" != refs/heads/frozen ]')
    clone.commit({"a": "1"})
    done = await clone.push("origin", "main", "main:frozen")
    assert "frozen (hook declined)" in done.output
    assert set(host.repository.refs()) == {"refs/heads/main"}
    host.fsck()


async def test_update_refuses_all_refs_of_an_atomic_push(host: Host, clone: Clone) -> None:
    host.hook("update", '[ "$1" != refs/heads/frozen ]')
    before = host.files()
    clone.commit({"a": "1"})
    done = await clone.push("--atomic", "origin", "main", "main:frozen")
    assert done.code == 1
    assert "frozen (hook declined)" in done.output
    assert "(atomic push failure)" in done.output
    assert host.files() == before


async def test_hooks_get_what_git_gives_them(host: Host, clone: Clone, tmp_path: Path) -> None:
    seen = tmp_path / "seen"
    seen.mkdir()
    for name in ("pre-receive", "update", "post-receive"):
        script = f'(pwd; echo "$@"; cat; env) > {seen}/{name}'
        if name == "update":
            script = script.replace("cat; ", "")
        host.hook(name, script)
    first = clone.commit({"a": "1"})
    (await clone.push("-o", "one", "-o", "two words", "origin", "main")).ok()
    pre, update, post = (
        (seen / name).read_text().splitlines() for name in ("pre-receive", "update", "post-receive")
    )
    assert pre[:3] == [str(host.path), "", f"{ZERO} {first} refs/heads/main"]
    assert update[:2] == [str(host.path), f"refs/heads/main {ZERO} {first}"]
    assert post[:3] == [str(host.path), "", f"{ZERO} {first} refs/heads/main"]
    for lines in (pre, update, post):
        assert "GIT_DIR=." in lines
        assert "GIT_PUSH_OPTION_COUNT=2" in lines
        assert "GIT_PUSH_OPTION_1=two words" in lines
        assert "GIT_CONFIG_NOSYSTEM=1" in lines
        assert "REMOTE_USER=ada" in lines
        assert not [line for line in lines if line.startswith("GITDEPLOY")]
    for lines in (pre, update):
        names = {line.split("=")[0] for line in lines}
        assert {"GIT_QUARANTINE_PATH", "GIT_OBJECT_DIRECTORY"} <= names
        assert f"GIT_ALTERNATE_OBJECT_DIRECTORIES={host.path}/objects" in lines
    assert not [line for line in post if line.startswith("GIT_QUARANTINE")]


async def test_the_servers_variables_do_not_reach_a_hook(
    host: Host, clone: Clone, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GITDEPLOY_ADMIN_TOKEN", "very secret indeed")
    monkeypatch.setenv("GIT_WORK_TREE", "/")
    host.hook("pre-receive", "env")
    clone.commit({"a": "1"})
    done = (await clone.push("origin", "main")).ok()
    assert any(line.startswith("PATH=") for line in done.remote)
    assert "very secret" not in done.output
    assert "GIT_WORK_TREE" not in done.output


async def test_a_hook_reads_the_new_objects_with_git_before_refs_move(
    host: Host, clone: Clone
) -> None:
    clone.commit({"a": "0"})
    (await clone.push("origin", "main")).ok()
    host.hook(
        "pre-receive",
        'while read -r old new ref; do git cat-file -p "$new:a"; echo;'
        ' git log --format=%s "$old..$new"; git rev-parse "$ref"; done',
    )
    before = clone.tip()
    clone.commit({"a": "of the new commit"}, "subject of it")
    done = (await clone.push("origin", "main")).ok()
    assert done.remote == ["of the new commit", "subject of it", before]


async def test_a_hook_can_not_move_refs_to_objects_in_quarantine(host: Host, clone: Clone) -> None:
    host.hook("pre-receive", 'read -r old new ref; git update-ref refs/heads/sneaky "$new"')
    clone.commit({"a": "1"})
    done = await clone.push("origin", "main")
    assert "quarantine" in done.output
    assert host.repository.refs() == {}


async def test_output_of_a_hook_arrives_while_it_runs(
    host: Host, clone: Clone, tmp_path: Path
) -> None:
    gate = tmp_path / "gate"
    host.hook("pre-receive", f"echo begun; until [ -e {gate} ]; do sleep 0.02; done; echo ended")
    tip = clone.commit({"a": "1"})
    answer: list[bytes] = []

    async def send(data: bytes) -> None:
        answer.append(data)

    body = push_body(clone, [(ZERO, tip, "refs/heads/main")])
    push = asyncio.create_task(receive_pack(host.repository, chunks(body), send, caller=CALLER))
    await eventually(lambda: b"\2begun\n" in b"".join(answer))
    assert not push.done()
    assert host.repository.refs() == {}
    gate.touch()
    assert await push is not None
    assert b"\2ended\n" in b"".join(answer)


async def test_silence_is_broken_by_empty_packets(
    host: Host, clone: Clone, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gitdeploy.repos.sideband.KEEP_ALIVE", 0.05)
    host.hook("pre-receive", "sleep 0.4")
    tip = clone.commit({"a": "1"})
    _, answer = await take(host.repository, push_body(clone, [(ZERO, tip, "refs/heads/main")]))
    assert answer.startswith(b"0005\x020005\x02")
    clone.commit({"a": "2"})
    assert (await clone.push("origin", "main")).ok().remote == []


async def test_the_operators_hooks_run_before_the_repositorys_own(host: Host, clone: Clone) -> None:
    host.home.hooks.mkdir()
    server = host.home.hooks / "pre-receive"
    server.write_text("#!/bin/sh\necho server; cat >/dev/null; exit $(cat exit-code)")
    server.chmod(0o755)
    host.hook("pre-receive", "echo own")
    (host.path / "exit-code").write_text("0")
    clone.commit({"a": "1"})
    assert (await clone.push("origin", "main")).ok().remote == ["server", "own"]
    (host.path / "exit-code").write_text("1")
    clone.commit({"a": "2"})
    done = await clone.push("origin", "main")
    assert (done.code, done.remote[0]) == (1, "server")
    assert "own" not in done.remote


async def test_a_delivered_hook_runs_what_is_put_beside_it(host: Host, clone: Clone) -> None:
    for name in ("pre-receive", "update", "post-receive"):
        directory = host.path / "hooks" / f"{name}.d"
        directory.mkdir()
        for part in ("10-first", "20-second"):
            script = directory / part
            script.write_text(f"#!/bin/sh\necho {name} {part} $(cat | wc -l) $#\n")
            script.chmod(0o755)
        (directory / "30-notes").write_text("not executable")
    clone.commit({"a": "1"})
    done = (await clone.push("origin", "main", "main:b")).ok()
    parts = ("10-first", "20-second")
    assert done.remote == [
        *(f"pre-receive {part} 2 0" for part in parts),
        *(f"update {part} 0 3" for part in parts),
        *(f"update {part} 0 3" for part in parts),
        *(f"post-receive {part} 2 0" for part in parts),
    ]
    refusing = host.path / "hooks" / "pre-receive.d" / "15-no"
    refusing.write_text("#!/bin/sh\nexit 7\n")
    refusing.chmod(0o755)
    done = await clone.push("origin", "main:c")
    assert done.remote == ["pre-receive 10-first 1 0"]
    assert done.code == 1


async def test_a_hook_that_reads_nothing_gets_a_long_input_all_the_same(
    host: Host, clone: Clone
) -> None:
    host.hook("pre-receive", "exit 0")
    tip = clone.commit({"a": "1"})
    lines = [f"create refs/tags/{'x' * 100}{n} {tip}" for n in range(1500)]
    git("update-ref", "--stdin", cwd=clone.path, input="\n".join(lines).encode() + b"\n")
    (await clone.push("-q", "--mirror", "origin")).ok()
    assert len(host.repository.refs()) == 1501


async def test_long_lines_progress_and_bytes_that_are_no_text(host: Host, clone: Clone) -> None:
    host.hook(
        "pre-receive",
        "printf '10%%\\r20%%\\r\\nwin\\r\\n'; printf '\\377\\n';"
        " head -c 70000 /dev/zero | tr '\\0' x; printf 'y\\nno end'",
    )
    clone.commit({"a": "1"})
    done = (await clone.push("origin", "main")).ok()
    assert done.remote[:4] == ["10%", "20%", "win", "\ufffd"]
    assert "".join(done.remote[4:-1]).count("x") == 70000
    assert done.remote[-1] == "no end"


async def test_a_script_without_a_first_line_and_a_broken_one(host: Host, clone: Clone) -> None:
    hook = host.path / "hooks" / "pre-receive"
    hook.write_text("echo by the shell\n")
    clone.commit({"a": "1"})
    assert (await clone.push("origin", "main")).ok().remote == ["by the shell"]
    hook.write_text("#!/nonexistent/interpreter\n")
    clone.commit({"a": "2"})
    done = await clone.push("origin", "main")
    assert done.code == 1
    assert done.remote[0].startswith("error: cannot run ")


async def test_a_failing_post_receive_changes_nothing(host: Host, clone: Clone) -> None:
    host.hook("post-receive", "echo sorry; kill -9 $$")
    tip = clone.commit({"a": "1"})
    assert (await clone.push("origin", "main")).ok().remote == ["sorry"]
    assert host.repository.branch_tip("main") == tip


async def test_a_daemon_that_a_hook_leaves_does_not_hold_the_push(host: Host, clone: Clone) -> None:
    host.hook("post-receive", "sleep 60 & echo $!")
    clone.commit({"a": "1"})
    async with asyncio.timeout(20):
        done = (await clone.push("origin", "main")).ok()
    os.kill(int(done.remote[0]), 9)


async def test_an_object_that_a_hook_writes_comes_in_with_the_push(
    host: Host, clone: Clone
) -> None:
    host.hook("pre-receive", "echo from the hook | git hash-object -w --stdin")
    clone.commit({"a": "1"})
    blob = (await clone.push("origin", "main")).ok().remote[0]
    assert host.repository.read_blob(blob) == b"from the hook\n"


def test_every_delivered_hook_is_a_sound_script() -> None:
    hooks = sorted((hooks_source() / "repository").iterdir())
    assert [hook.name for hook in hooks] == ["post-receive", "pre-receive", "update"]
    for hook in [*hooks, *(p for p in (hooks_source() / "server").iterdir() if not p.suffix)]:
        text = hook.read_text()
        assert text.startswith("#!/bin/sh\n#")
        assert len(text.splitlines()) <= 25
        checker = shutil.which("dash") or "/bin/sh"
        subprocess.run([checker, "-n", str(hook)], check=True)
