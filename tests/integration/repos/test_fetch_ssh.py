"""Fetching over ssh from a real sshd that lets the app's deploy key in."""

from __future__ import annotations

import asyncio
import io
import os
import stat
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from gitdeploy.clock import SystemClock
from gitdeploy.config import Options
from gitdeploy.errors import Invalid
from gitdeploy.events import Events
from gitdeploy.home import Home
from gitdeploy.repos import ZERO, FetchError, FetchResult, Reach, Repositories, Repository, fetch
from gitdeploy.repos.ssh import SshFiles
from gitdeploy.repos.sshkey import DeployKey
from tests.sshd import SSHD, Sshd
from tests.support import git

pytestmark = pytest.mark.skipif(SSHD is None, reason="openssh-server isn't installed")


class Here:
    """Our side: a repository and its app's key."""

    def __init__(self, home: Home, repository: Repository, events: Events) -> None:
        self.home = home
        self.repository = repository
        self.events = events
        self.key = DeployKey(home.app("shop").ssh)

    async def fetch(self, url: str, *, allow_private: bool = True) -> FetchResult:
        files = SshFiles(self.key.private, self.home.known_hosts)
        reach = Reach(allow_private=allow_private, ssh=files)
        return await fetch(self.repository, url, "main", reach=reach, log=self.events.log)

    def leftovers(self) -> list[str]:
        objects = self.repository.path / "objects"
        return [p.name for p in objects.iterdir() if p.name.startswith("incoming-")]


@pytest.fixture
async def here(tmp_path: Path) -> AsyncIterator[Here]:
    home = Home(tmp_path / "home of % ${HOME} 'x'")
    events = Events(home, SystemClock(), instance="test", stderr=io.StringIO())
    repositories = Repositories(home, Options(home=home.root, max_push_size=1 << 20), events.log)
    await repositories.start()
    yield Here(home, await repositories.create("shop"), events)
    await repositories.close()
    events.close()


@pytest.fixture
async def sshd(tmp_path: Path) -> AsyncIterator[Sshd]:
    server = Sshd(tmp_path / "sshd")
    await server.start()
    yield server
    await server.stop()


@pytest.fixture
def origin(tmp_path: Path) -> Path:
    path = tmp_path / "it's an origin!"
    path.mkdir()
    git("init", "-q", "-b", "main", cwd=path)
    return path


def commit(origin: Path, text: str) -> str:
    (origin / "file").write_text(text)
    git("add", "-A", cwd=origin)
    git("commit", "-q", "-m", text, cwd=origin)
    return git("rev-parse", "HEAD", cwd=origin).stdout.strip()


async def test_a_branch_and_its_tags_arrive_with_the_apps_own_key(
    here: Here, sshd: Sshd, origin: Path
) -> None:
    sshd.authorize(await here.key.ensure("gitdeploy-shop"))
    first = commit(origin, "one")
    url = sshd.url(origin / ".git")
    assert await here.fetch(url) == FetchResult("refs/heads/main", ZERO, first)
    git("tag", "-a", "-m", "x", "v1", cwd=origin)
    second = commit(origin, "two")
    assert await here.fetch(url) == FetchResult("refs/heads/main", first, second, ("v1",))
    assert await here.fetch(url) == FetchResult("refs/heads/main", second, second)
    git("fsck", "--strict", cwd=here.repository.path)
    assert here.home.known_hosts.read_text().startswith(f"[127.0.0.1]:{sshd.port} ssh-ed25519 ")
    assert here.leftovers() == []
    assert "Connection from" in sshd.log.read_text()


async def test_a_stranger_learns_what_to_do_with_the_key(
    here: Here, sshd: Sshd, origin: Path
) -> None:
    commit(origin, "one")
    url = sshd.url(origin / ".git")
    with pytest.raises(FetchError, match="needs a deploy key") as missing:
        await here.fetch(url)
    assert "api/sshkey" in missing.value.fix
    await here.key.ensure("x")
    with pytest.raises(FetchError, match="refuses the app's deploy key") as refused:
        await here.fetch(url)
    assert not refused.value.temporary
    assert here.repository.refs() == {}


async def test_a_changed_host_key_is_not_trusted(here: Here, sshd: Sshd, origin: Path) -> None:
    sshd.authorize(await here.key.ensure("x"))
    commit(origin, "one")
    await here.fetch(sshd.url(origin / ".git"))
    await sshd.stop()
    sshd.new_host_key()
    await sshd.start()
    commit(origin, "two")
    with pytest.raises(FetchError, match="another host key") as caught:
        await here.fetch(sshd.url(origin / ".git"))
    assert not caught.value.temporary
    assert "ssh-keygen -R" in caught.value.fix


async def test_a_host_that_is_down_may_come_back(here: Here, sshd: Sshd, origin: Path) -> None:
    sshd.authorize(await here.key.ensure("x"))
    tip = commit(origin, "one")
    await sshd.stop()
    with pytest.raises(FetchError, match="refused") as caught:
        await here.fetch(sshd.url(origin / ".git"))
    assert caught.value.temporary
    await sshd.start()
    assert (await here.fetch(sshd.url(origin / ".git"))).new == tip


async def test_a_repository_that_is_not_there_is_told(here: Here, sshd: Sshd, origin: Path) -> None:
    sshd.authorize(await here.key.ensure("x"))
    with pytest.raises(FetchError, match="not appear to be a git repository") as caught:
        await here.fetch(sshd.url(origin / "nothing.git"))
    assert not caught.value.temporary


async def test_a_private_address_is_refused_before_anything_is_sent(
    here: Here, sshd: Sshd, origin: Path
) -> None:
    await here.key.ensure("x")
    for host in ("127.0.0.1", "localhost", "127.1", "[::ffff:7f00:1]"):
        url = sshd.url(origin).replace("127.0.0.1", host)
        with pytest.raises(FetchError):
            await here.fetch(url, allow_private=False)
    assert "Connection from" not in sshd.log.read_text()
    assert not here.home.known_hosts.exists()


async def test_a_pack_over_the_limit_is_refused_and_the_child_ends(
    here: Here, sshd: Sshd, origin: Path
) -> None:
    sshd.authorize(await here.key.ensure("x"))
    (origin / "big").write_bytes(os.urandom(4 << 20))
    commit(origin, "one")
    with pytest.raises(FetchError, match="max_push_size"):
        await here.fetch(sshd.url(origin / ".git"))
    assert (here.leftovers(), here.repository.refs()) == ([], {})


async def test_a_fetch_that_is_cancelled_leaves_nothing(
    here: Here, sshd: Sshd, origin: Path
) -> None:
    sshd.authorize(await here.key.ensure("x"))
    commit(origin, "one")
    for turns in (1, 5, 50, 500):
        task = asyncio.create_task(here.fetch(sshd.url(origin / ".git")))
        for _ in range(turns):
            await asyncio.sleep(0)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
    await here.fetch(sshd.url(origin / ".git"))
    assert here.leftovers() == []


async def test_a_pair_is_made_once_and_is_readable_by_the_server_alone(here: Here) -> None:
    assert here.key.public() is None
    public = await here.key.ensure("gitdeploy-shop")
    assert public.startswith("ssh-ed25519 ") and public.endswith(" gitdeploy-shop")
    assert await here.key.ensure("gitdeploy-shop") == public == here.key.public()
    assert stat.S_IMODE(here.key.private.stat().st_mode) == 0o600
    assert stat.S_IMODE(here.key.directory.stat().st_mode) == 0o700
    assert sorted(p.name for p in here.key.directory.iterdir()) == ["id", "id.pub"]
    here.key.forget()
    assert here.key.public() is None
    here.key.forget()


async def test_a_key_of_ones_own_is_taken_over_and_anything_else_refused(
    here: Here, tmp_path: Path
) -> None:
    other = DeployKey(tmp_path / "other")
    public = await other.ensure("me")
    private = other.private.read_text()
    taken = await here.key.replace(private.replace("\n", "\r\n"))
    assert taken.split()[:2] == public.split()[:2]
    assert here.key.private.read_text() == private
    for bad in ("", "hello", public, private[:100], "-----BEGIN " + "x" * 20_000):
        with pytest.raises(Invalid):
            await here.key.replace(bad)
    assert here.key.private.read_text() == private
    assert sorted(p.name for p in here.key.directory.iterdir()) == ["id", "id.pub"]
