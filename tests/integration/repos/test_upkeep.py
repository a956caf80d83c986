"""Repacking real repositories with real git."""

from __future__ import annotations

import asyncio
import io
import os
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from gitdeploy.clock import SystemClock
from gitdeploy.config import Options
from gitdeploy.events import Events
from gitdeploy.home import Home
from gitdeploy.repos import Repositories, Repository, Upkeep, child, upkeep
from gitdeploy.repos.upkeep import measure
from tests.support import eventually, git, git_version

THREE_WEEKS = 21 * 86_400


class Yard:
    """A repository that grows, and the upkeep that looks after it."""

    def __init__(self, repositories: Repositories, repository: Repository, events: Events) -> None:
        self.repositories = repositories
        self.repository = repository
        self.upkeep = Upkeep(repositories, events.log)
        self.work = repository.path.parent / "work"
        self.objects = repository.path / "objects"
        git("init", "-q", "-b", "main", str(self.work), cwd=repository.path.parent)

    def grow(self, pushes: int) -> None:
        """So many commits, each of them a pack of its own."""
        for _ in range(pushes):
            (self.work / "file").write_bytes(os.urandom(300))
            git("add", "file", cwd=self.work)
            git("commit", "-q", "-m", "more", cwd=self.work)
            arguments = ("-c", "receive.unpackLimit=1", "push", "-q")
            # as the server's children; by itself git 2.54 puts packs together much sooner
            unpack = "git -c receive.unpackLimit=1 -c maintenance.auto=false receive-pack"
            git(*arguments, f"--receive-pack={unpack}", self.path, "main", cwd=self.work)

    def loosen(self, count: int) -> list[str]:
        """Loose objects that nothing reaches."""
        contents = [os.urandom(8) for _ in range(count)]
        folder = self.work.parent / "blobs"
        folder.mkdir(exist_ok=True)
        for number, content in enumerate(contents):
            (folder / str(number)).write_bytes(content)
        names = "\n".join(str(folder / str(n)) for n in range(count)).encode()
        arguments = ("hash-object", "-w", "--no-filters", "--stdin-paths")
        return git(*arguments, cwd=self.repository.path, input=names).stdout.split()

    @property
    def path(self) -> str:
        return str(self.repository.path)

    async def tend(self) -> None:
        self.upkeep.consider("shop")
        await self.upkeep.wait("shop")

    def has(self, oid: str) -> bool:
        return git("cat-file", "-e", oid, cwd=self.repository.path, check=False).returncode == 0


@pytest.fixture
async def log() -> io.StringIO:
    return io.StringIO()


@pytest.fixture
async def yard(tmp_path: Path, log: io.StringIO) -> AsyncIterator[Yard]:
    home = Home(tmp_path / "home")
    events = Events(home, SystemClock(), instance="test", stderr=log)
    repositories = Repositories(home, Options(home=home.root), events.log)
    await repositories.start()
    made = Yard(repositories, await repositories.create("shop"), events)
    yield made
    await made.upkeep.close()
    await repositories.close()
    events.close()


async def test_a_few_packs_are_left_alone(yard: Yard, log: io.StringIO) -> None:
    yard.grow(3)
    await yard.tend()
    assert measure(yard.objects).packs == 3
    assert "upkeep" not in log.getvalue()


async def test_many_packs_become_one_with_a_bitmap(yard: Yard, log: io.StringIO) -> None:
    yard.grow(12)
    tip = yard.repository.branch_tip("main")
    await yard.tend()
    after = measure(yard.objects)
    assert (after.packs, after.bitmap_at is not None) == (1, True)
    git("fsck", "--strict", cwd=yard.repository.path)
    assert tip is not None and yard.repository.has_commit(tip)
    assert "upkeep.failed" not in log.getvalue()


async def test_a_git_that_knows_no_geometric_repack_does_a_full_one(
    yard: Yard, log: io.StringIO, monkeypatch: pytest.MonkeyPatch
) -> None:
    yard.grow(12)
    await yard.tend()
    yard.grow(1)
    unreachable = yard.loosen(600)
    real = yard.upkeep._git

    async def older(program: str, repository: Repository, *words: str) -> tuple[int | None, str]:
        """What git 2.30 says to an option that came with 2.33."""
        if "--geometric=2" in words:
            return 129, "error: unknown option `geometric=2'"
        return await real(program, repository, *words)

    monkeypatch.setattr(yard.upkeep, "_git", older)
    await yard.tend()
    assert '"work":"geometric"' in log.getvalue()
    after = measure(yard.objects)
    assert (after.packs, after.loose, after.bitmap_at is not None) == (1, 600, True)
    assert yard.has(unreachable[0])
    git("fsck", "--strict", cwd=yard.repository.path)
    assert "upkeep.failed" not in log.getvalue()


@pytest.mark.skipif(git_version() < (2, 34), reason="git repack has --write-midx since 2.34")
async def test_packs_then_grow_geometrically(yard: Yard, log: io.StringIO) -> None:
    yard.grow(12)
    await yard.tend()
    yard.loosen(600)
    await yard.tend()
    assert '"work":"geometric"' in log.getvalue()
    assert measure(yard.objects).loose == 0
    git("fsck", "--strict", cwd=yard.repository.path)
    assert "upkeep.failed" not in log.getvalue()


async def test_what_nothing_reaches_is_pruned_after_two_weeks_and_not_before(yard: Yard) -> None:
    yard.grow(12)
    old, new = yard.loosen(2)
    path = yard.objects / old[:2] / old[2:]
    os.utime(path, times=(time.time() - THREE_WEEKS,) * 2)
    await yard.tend()
    assert not yard.has(old)
    assert yard.has(new)


async def test_nothing_is_pruned_while_a_quarantine_is_in_use(yard: Yard) -> None:
    yard.grow(12)
    (old,) = yard.loosen(1)
    path = yard.objects / old[:2] / old[2:]
    os.utime(path, times=(time.time() - THREE_WEEKS,) * 2)
    (yard.objects / "incoming-abc").mkdir()
    await yard.tend()
    assert measure(yard.objects).packs == 1
    assert yard.has(old)
    async with yard.repository.receiving():
        (yard.objects / "incoming-abc").rmdir()
        await yard.upkeep._prune(child.git_program() or "", yard.repository)
        assert yard.has(old)
    await yard.upkeep._prune(child.git_program() or "", yard.repository)
    assert not yard.has(old)


async def test_a_push_waits_while_is_pruned(yard: Yard, monkeypatch: pytest.MonkeyPatch) -> None:
    gate = asyncio.Event()

    async def slow(*_: object) -> tuple[int, str]:
        await gate.wait()
        return 0, ""

    monkeypatch.setattr(yard.upkeep, "_git", slow)
    pruning = asyncio.create_task(yard.upkeep._prune("git", yard.repository))
    await eventually(lambda: not yard.repository.may_check.is_set())

    async def push() -> None:
        async with yard.repository.receiving():
            pass

    pushing = asyncio.create_task(push())
    await asyncio.sleep(0)
    assert not pushing.done()
    gate.set()
    await asyncio.wait_for(asyncio.gather(pruning, pushing), 10)


async def test_two_repacks_never_run_at_once(yard: Yard, monkeypatch: pytest.MonkeyPatch) -> None:
    yard.grow(12)
    runs = 0
    real = yard.upkeep._repack

    async def counted(*arguments: object) -> str | None:
        nonlocal runs
        runs += 1
        return await real(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(yard.upkeep, "_repack", counted)
    for _ in range(5):
        yard.upkeep.consider("shop")
    await yard.upkeep.wait("shop")
    assert runs == 1


async def test_closing_ends_a_repack_and_leaves_all_as_it_was(
    yard: Yard, monkeypatch: pytest.MonkeyPatch
) -> None:
    yard.grow(12)
    before = sorted(p.name for p in (yard.objects / "pack").iterdir())
    started: list[asyncio.subprocess.Process] = []

    async def sleeping(*_: object, **__: object) -> asyncio.subprocess.Process:
        process = await asyncio.create_subprocess_exec(
            "sleep", "100", stdout=-1, stderr=-1, start_new_session=True
        )
        (yard.objects / "pack" / f".tmp-{process.pid}-pack-x.pack").write_bytes(b"half")
        started.append(process)
        return process

    monkeypatch.setattr(upkeep, "start_git", sleeping)
    yard.upkeep.consider("shop")
    await eventually(lambda: started)
    await yard.upkeep.close()
    assert started[0].returncode is not None
    assert sorted(p.name for p in (yard.objects / "pack").iterdir()) == before


async def test_a_repack_that_fails_is_told_and_harms_nothing(
    yard: Yard, log: io.StringIO, monkeypatch: pytest.MonkeyPatch
) -> None:
    yard.grow(12)
    monkeypatch.setattr(upkeep, "git_program", lambda: "/bin/false")
    await yard.tend()
    assert "upkeep.failed" in log.getvalue()
    assert measure(yard.objects).packs == 12


async def test_without_git_dulwich_repacks(yard: Yard, monkeypatch: pytest.MonkeyPatch) -> None:
    yard.grow(12)
    (loose,) = yard.loosen(1)
    monkeypatch.setattr(upkeep, "git_program", lambda: None)
    await yard.tend()
    assert measure(yard.objects).packs == 1
    assert yard.has(loose)
    git("fsck", "--strict", cwd=yard.repository.path)


async def test_an_app_that_is_gone_needs_no_upkeep(yard: Yard, log: io.StringIO) -> None:
    yard.upkeep.consider("gone")
    await yard.upkeep.wait("gone")
    assert "upkeep" not in log.getvalue()
