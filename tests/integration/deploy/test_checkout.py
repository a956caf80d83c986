"""Trees that are out to do harm, made with git's own tools; and what a fair tree becomes."""

from __future__ import annotations

import os
import stat
import subprocess

import pytest

from tests.support import git

APP = "demo"


def blob(bare, content: bytes = b"x") -> str:
    return git("hash-object", "-w", "--stdin", cwd=bare, input=content).stdout.strip()


def tree(bare, *entries: tuple[str, bytes, str]) -> str:
    """A tree object with exactly these entries (mode, name, id), whatever git thinks of them."""
    raw = b"".join(m.encode() + b" " + n + b"\0" + bytes.fromhex(i) for m, n, i in entries)
    made = git(*("hash-object", "-t", "tree", "-w", "--stdin", "--literally"), cwd=bare, input=raw)
    return made.stdout.strip()


def commit(bare, root: str) -> str:
    return git("commit-tree", root, "-m", "evil", cwd=bare).stdout.strip()


def evil_trees(bare) -> dict[str, tuple[str, str]]:
    """Root trees by the rule that they break, with the word that names it."""
    x = blob(bare)
    sub = tree(bare, ("100644", b"file", x))
    out = blob(bare, b"../../../../tmp")
    return {
        "dot git": (tree(bare, ("40000", b".git", sub)), "spells .git"),
        "DOT GIT": (tree(bare, ("40000", b".GIT", sub)), "spells .git"),
        "short name": (tree(bare, ("40000", b"GIT~1", sub)), "spells .git"),
        "hfs": (tree(bare, ("40000", ".g\u200cit".encode(), sub)), "spells .git"),
        "ntfs stream": (tree(bare, ("100644", b".git::$DATA", x)), "spells .git"),
        "parent": (tree(bare, ("40000", b"..", sub)), "plain path"),
        "slash": (tree(bare, ("100644", b"../../evil", x)), "plain path"),
        "absolute link": (
            tree(bare, ("120000", b"etc", blob(bare, b"/etc"))),
            "absolute path",
        ),
        "leaving link": (tree(bare, ("120000", b"out", out)), "leaves"),
        "through a link": (
            tree(bare, ("120000", b"dir", blob(bare, b"..")), ("40000", b"dir", sub)),
            "at once",
        ),
        "twice": (tree(bare, ("100644", b"a", x), ("100644", b"a", x)), "twice"),
        "long name": (tree(bare, ("100644", b"n" * 300, x)), "255"),
        "device": (tree(bare, ("20644", b"tty", x)), "mode"),
        "missing blob": (tree(bare, ("100644", b"gone", "12" * 20)), "12121212"),
    }


async def test_no_evil_tree_is_checked_out(server, repo, tmp_path):
    repo.ticker()
    good = repo.commit()
    await server.push(repo.push())
    before = server.pid("ticker")
    bare = server.paths.repository
    for rule, (root, word) in evil_trees(bare).items():
        made = commit(bare, root)
        row = await server.deploy(made)
        assert row.status == "failed", rule
        assert word in row.status_text, rule
        record = (await server.records(made))[-1]
        assert record["step"] == "checkout", rule
        assert sorted(p.name for p in server.paths.releases.iterdir()) == ["1", "1.json"], rule
    assert server.pid("ticker") == before
    assert (await server.store.releases.active(APP)).deployment == good
    assert not (tmp_path / "evil").exists()


async def test_a_tree_too_deep_for_a_path_is_refused(server, repo):
    bare = server.paths.repository
    root = tree(bare, ("100644", b"file", blob(bare)))
    for _ in range(200):
        root = tree(bare, ("40000", b"d" * 30, root))
    row = await server.deploy(commit(bare, root))
    assert row.status == "failed"
    assert "too long" in row.status_text


async def test_a_release_is_what_git_checks_out(server, repo, tmp_path):
    repo.write("crlf.txt", b"a\r\nb\r\n")
    repo.write("run", "#!/bin/sh\n", executable=True)
    repo.write("deep/er/file", "x")
    repo.write(".gitattributes", "* text=auto eol=lf\n")
    repo.write("umlaut-ä", "ö")
    repo.write("big.bin", os.urandom(3 << 20))
    (repo.path / "link").symlink_to("deep/er/file")
    git("add", "-A", cwd=repo.path)
    git("-c", "core.autocrlf=false", "commit", "-qm", "x", cwd=repo.path)
    await server.push(repo.push())
    archive = git("archive", "--format=tar", "-o", str(tmp_path / "t.tar"), "HEAD", cwd=repo.path)
    assert archive.returncode == 0
    expected = tmp_path / "expected"
    expected.mkdir()
    subprocess.run(["tar", "-xf", tmp_path / "t.tar", "-C", expected], check=True)
    diff = ["diff", "-r", "--no-dereference", expected, server.paths.release(1)]
    assert subprocess.run(diff, capture_output=True).stdout == b""
    assert stat.S_IMODE((server.paths.release(1) / "run").stat().st_mode) == 0o755
    assert stat.S_IMODE((server.paths.release(1) / "crlf.txt").stat().st_mode) == 0o644


async def test_submodules_and_lfs_pointers_are_told(server, repo):
    bare = server.paths.repository
    pointer = b"version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 1\n"
    root = tree(
        bare, ("100644", b"model.bin", blob(bare, pointer)), ("160000", b"vendor", "ab" * 20)
    )
    row = await server.deploy(commit(bare, root))
    assert row.status == "success"
    told = [r["what"] for r in await server.records(row.id) if r["event"] == "deploy.warning"]
    assert told == [
        "Submodules are left empty: vendor.",
        "Git LFS files are deployed as pointers: model.bin.",
    ]
    assert list((server.paths.release(1) / "vendor").iterdir()) == []


async def test_a_full_disk_is_told_and_leaves_nothing(server, repo, monkeypatch):
    def full(self: object, blob: str, fd: int) -> None:
        raise OSError(28, "No space left on device")

    repo.write("a", "x")
    made = repo.commit()
    repo.push()
    monkeypatch.setattr(type(server.repositories.open(APP)), "copy_blob", full)
    row = await server.deploy(made)
    assert row.status_text == "The server's disk is full."
    assert list(server.paths.releases.iterdir()) == []


@pytest.mark.parametrize("files", [31])
async def test_a_checkout_says_how_many_files_and_how_long(server, repo, files):
    for number in range(files):
        repo.write(f"src/{number % 5}/module{number}.py", f"VALUE = {number}\n" * 50)
    repo.commit()
    text = "\n".join(await server.push(repo.push()))
    assert "checkout   31 files" in text
    (record,) = [
        r
        for r in await server.records(repo.head())
        if r["event"] == "step.finished" and r["step"] == "checkout"
    ]
    assert record["duration_ms"] >= 0
