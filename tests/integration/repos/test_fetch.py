"""Fetching from a real `git http-backend` that a small server of this test puts on the network."""

from __future__ import annotations

import asyncio
import base64
import io
import os
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from aiohttp import web

from gitdeploy.clock import SystemClock
from gitdeploy.config import Options
from gitdeploy.events import Events
from gitdeploy.home import Home
from gitdeploy.repos import (
    ZERO,
    FetchError,
    FetchResult,
    Reach,
    Repositories,
    Repository,
    fetch,
)
from gitdeploy.repos.location import Location, parse_url
from tests.support import GIT_ENVIRONMENT, git


class Remote:
    """A host of repositories: `git http-backend` behind HTTP, with what a test sets up."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.bare = root / "shop.git"
        self.work = root / "work"
        self.port = 0
        self.password: str | None = None
        self.redirects: dict[str, str] = {}
        self.seen: list[tuple[str, str | None]] = []
        self.cut_pack_at: int | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/shop.git"

    def commit(self, text: str, *, branch: str = "main") -> str:
        """A commit on a branch, pushed; its id."""
        git("checkout", "-q", "-B", branch, cwd=self.work)
        (self.work / "file").write_text(text)
        git("add", "file", cwd=self.work)
        git("commit", "-q", "-m", text, cwd=self.work)
        git("push", "-q", "-f", str(self.bare), branch, cwd=self.work)
        return git("rev-parse", "HEAD", cwd=self.work).stdout.strip()

    async def answer(self, request: web.Request) -> web.StreamResponse:
        self.seen.append((request.path, request.headers.get("Authorization")))
        target = self.redirects.get(request.path)
        if target is not None:
            return web.Response(status=302, headers={"Location": target})
        if self.password is not None:
            wanted = "Basic " + base64.b64encode(f"bot:{self.password}".encode()).decode()
            if request.headers.get("Authorization") != wanted:
                return web.Response(status=401)
        environment = {
            **GIT_ENVIRONMENT,
            "GIT_PROJECT_ROOT": str(self.root),
            "GIT_HTTP_EXPORT_ALL": "1",
            "PATH_INFO": request.path,
            "QUERY_STRING": request.query_string,
            "REQUEST_METHOD": request.method,
            "CONTENT_TYPE": request.content_type,
        }
        child = await asyncio.create_subprocess_exec(
            "git", "http-backend", env=environment, stdin=-1, stdout=-1
        )
        out, _ = await child.communicate(await request.read())
        head, _, body = out.partition(b"\r\n\r\n")
        lines = [line.decode().partition(": ") for line in head.split(b"\r\n")]
        headers = {name: value for name, _, value in lines}
        status = int(headers.pop("Status", "200").split()[0])
        if self.cut_pack_at is not None and request.method == "POST":
            body = body[: self.cut_pack_at]
        return web.Response(status=status, headers=headers, body=body)


@pytest.fixture
async def remote(tmp_path: Path) -> AsyncIterator[Remote]:
    root = tmp_path / "remote"
    root.mkdir()
    made = Remote(root)
    git("init", "-q", "--bare", "-b", "main", "shop.git", cwd=root)
    git("init", "-q", "-b", "main", "work", cwd=root)
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", made.answer)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    made.port = site._server.sockets[0].getsockname()[1]
    yield made
    await runner.cleanup()


class Here:
    """Our side: a repository, and the log's text."""

    def __init__(self, repository: Repository, events: Events, log: io.StringIO) -> None:
        self.repository = repository
        self.events = events
        self.log = log

    async def fetch(
        self, url: str, branch: str | None = "main", *, allow_private: bool = True
    ) -> FetchResult:
        return await fetch(
            self.repository,
            url,
            branch,
            reach=Reach(allow_private=allow_private),
            log=self.events.log,
        )

    def leftovers(self) -> list[str]:
        objects = self.repository.path / "objects"
        return [p.name for p in objects.iterdir() if p.name.startswith("incoming-")]


@pytest.fixture
async def here(tmp_path: Path) -> AsyncIterator[Here]:
    home = Home(tmp_path / "home")
    log = io.StringIO()
    events = Events(home, SystemClock(), instance="test", stderr=log)
    repositories = Repositories(home, Options(home=home.root, max_push_size=1 << 20), events.log)
    await repositories.start()
    yield Here(await repositories.create("shop"), events, log)
    await repositories.close()
    events.close()


async def test_a_branch_arrives_and_its_ref_moves(remote: Remote, here: Here) -> None:
    first = remote.commit("one")
    assert await here.fetch(remote.url) == FetchResult("refs/heads/main", ZERO, first)
    assert here.repository.branch_tip("main") == first
    second = remote.commit("two")
    assert await here.fetch(remote.url) == FetchResult("refs/heads/main", first, second)
    git("fsck", "--strict", cwd=here.repository.path)
    assert here.leftovers() == []


async def test_nothing_new_is_no_move(remote: Remote, here: Here) -> None:
    tip = remote.commit("one")
    await here.fetch(remote.url)
    remote.seen.clear()
    assert await here.fetch(remote.url) == FetchResult("refs/heads/main", tip, tip)
    assert [path for path, _ in remote.seen] == ["/shop.git/info/refs"]


async def test_only_what_is_missing_is_asked_for(remote: Remote, here: Here) -> None:
    for number in range(8):
        remote.commit(f"{number}")
    await here.fetch(remote.url)
    packed = sorted(here.repository.path.glob("objects/pack/*.pack"))
    remote.commit("later")
    await here.fetch(remote.url)
    new = set(here.repository.path.glob("objects/pack/*.pack")) - set(packed)
    assert all(path.stat().st_size < 1000 for path in new)


async def test_without_a_branch_the_remotes_own_is_taken(remote: Remote, here: Here) -> None:
    git("symbolic-ref", "HEAD", "refs/heads/trunk", cwd=remote.bare)
    remote.commit("other", branch="aaa")
    tip = remote.commit("one", branch="trunk")
    assert await here.fetch(remote.url, None) == FetchResult("refs/heads/trunk", ZERO, tip)


async def test_a_rewritten_branch_is_rewritten_here(remote: Remote, here: Here) -> None:
    remote.commit("base")
    first = remote.commit("one")
    await here.fetch(remote.url)
    git("reset", "-q", "--hard", "HEAD~1", cwd=remote.work)
    second = remote.commit("instead")
    assert await here.fetch(remote.url) == FetchResult("refs/heads/main", first, second)
    git("fsck", "--strict", cwd=here.repository.path)


@pytest.mark.parametrize(
    ("branch", "words"),
    [
        ("missing", "has no branch 'missing'"),
        ("-f", "can't be a branch"),
        ("a..b", "can't be a branch"),
        ("a b", "can't be a branch"),
        ("", "can't be a branch"),
    ],
)
async def test_a_branch_that_is_not_there_or_no_branch_is_told(
    remote: Remote, here: Here, branch: str, words: str
) -> None:
    remote.commit("one")
    with pytest.raises(FetchError, match=words):
        await here.fetch(remote.url, branch)


async def test_an_empty_remote_is_told(remote: Remote, here: Here) -> None:
    with pytest.raises(FetchError, match="has no branch"):
        await here.fetch(remote.url, None)


async def test_credentials_work_and_never_show_up(remote: Remote, here: Here) -> None:
    tip = remote.commit("one")
    remote.password = "pass%word/1"
    url = remote.url.replace("//", "//bot:pass%25word%2F1@")
    assert (await here.fetch(url)).new == tip
    with pytest.raises(FetchError, match="refuses access") as caught:
        await here.fetch(url.replace("bot", "rob"))
    said = here.log.getvalue() + str(caught.value)
    assert "fetch.started" in said and "fetch.finished" in said and "fetch.failed" in said
    assert "pass%" not in said and "rob" not in said


async def test_a_missing_repository_is_told(remote: Remote, here: Here) -> None:
    with pytest.raises(FetchError, match="isn't there"):
        await here.fetch(remote.url.replace("shop", "nothing"))


async def test_what_is_no_repository_is_told(remote: Remote, here: Here) -> None:
    (remote.root / "page.git" / "info").mkdir(parents=True)
    remote.redirects["/page.git/info/refs"] = "/shop.git/HEAD"
    with pytest.raises(FetchError, match="isn't a repository"):
        await here.fetch(remote.url.replace("shop", "page"))


async def test_a_redirect_is_followed_with_credentials_of_its_own_host_only(
    remote: Remote, here: Here
) -> None:
    tip = remote.commit("one")
    old = "/old/info/refs"
    base = remote.url.replace("//", "//bot:secret99@").replace("shop.git", "old")
    remote.redirects[old] = "/shop.git/info/refs?service=git-upload-pack"
    assert (await here.fetch(base)).new == tip
    assert all(credentials for _, credentials in remote.seen)
    remote.seen.clear()
    remote.redirects[old] = f"http://localhost:{remote.port}/shop.git/info/refs"
    remote.commit("two")
    await here.fetch(base)
    credentials = [(path, bool(given)) for path, given in remote.seen]
    assert credentials == [
        (old, True),
        ("/shop.git/info/refs", False),
        ("/shop.git/git-upload-pack", False),
    ]


async def test_the_fourth_redirect_is_one_too_many(remote: Remote, here: Here) -> None:
    remote.commit("one")
    for number in range(4):
        remote.redirects[f"/r{number}/info/refs"] = f"/r{number + 1}/info/refs"
    remote.redirects["/r4/info/refs"] = "/shop.git/info/refs"
    with pytest.raises(FetchError, match="more than 3"):
        await here.fetch(f"http://127.0.0.1:{remote.port}/r0")
    assert (await here.fetch(f"http://127.0.0.1:{remote.port}/r2")).old == ZERO


async def test_a_private_address_is_refused_before_anything_is_sent(
    remote: Remote, here: Here
) -> None:
    remote.commit("one")
    for host in (
        "127.0.0.1",
        "localhost",
        "0x7f.1",
        "2130706433",
        "127.1",
        "[::1]",
        "[::ffff:7f00:1]",
    ):
        with pytest.raises(FetchError) as caught:
            await here.fetch(f"http://{host}:{remote.port}/shop.git", allow_private=False)
        if host in ("127.0.0.1", "localhost", "[::1]"):
            assert "loopback" in caught.value.what
            assert "allow_private_fetch" in caught.value.fix
    assert remote.seen == []


async def test_a_redirect_into_the_private_network_is_refused(remote: Remote, here: Here) -> None:
    remote.commit("one")
    asked: list[str] = []

    async def look_up(host: str, port: int) -> list[str]:
        asked.append(host)
        return ["127.0.0.1"] if host == "inside.example" else ["198.51.100.7"]

    with pytest.raises(FetchError, match=r"inside\.example is refused"):
        await fetch(
            here.repository,
            "http://inside.example/shop.git",
            "main",
            reach=Reach(),
            log=here.events.log,
            look_up=look_up,
        )
    assert asked == ["inside.example"]
    location = parse_url("https://git.example/a")
    assert isinstance(location, Location)
    with pytest.raises(FetchError, match="from https to http"):
        location.moved("http://git.example/a/info/refs")
    with pytest.raises(FetchError, match="isn't an http or https URL"):
        location.moved("file:///a/info/refs")


async def test_a_name_is_resolved_once_for_a_fetch(remote: Remote, here: Here) -> None:
    tip = remote.commit("one")
    asked: list[str] = []

    async def look_up(host: str, port: int) -> list[str]:
        asked.append(host)
        return ["127.0.0.1"]

    url = f"http://git.example:{remote.port}/shop.git"
    result = await fetch(
        here.repository,
        url,
        "main",
        reach=Reach(allow_private=True),
        log=here.events.log,
        look_up=look_up,
    )
    assert (result.new, asked) == (tip, ["git.example"])


@pytest.mark.parametrize(
    "url",
    [
        "file:///etc",
        "/etc",
        "../x",
        "-u",
        "--upload-pack=touch x",
        "ext::sh -c true",
        "http::https://example.org/a",
        "git://example.org/a",
        "ftp://example.org/a",
        "http://",
        "http:///a",
        "http://example.org:99999/a",
        "http://example.org/a b",
        "http://example.org/a\nb",
        "http://example.org/a?x=1",
        "http://example.org/a#x",
        "",
    ],
)
async def test_what_is_no_url_to_fetch_from_is_refused(here: Here, url: str) -> None:
    with pytest.raises(FetchError):
        await here.fetch(url)


def test_a_refused_urls_credentials_are_masked() -> None:
    with pytest.raises(FetchError) as caught:
        parse_url("ssh://bot:hush@example.org/a")
    assert "hush" not in str(caught.value)


async def test_tags_that_point_into_the_branch_come_along(remote: Remote, here: Here) -> None:
    remote.commit("one")
    git("tag", "light", cwd=remote.work)
    git("tag", "-a", "-m", "first", "v1", cwd=remote.work)
    remote.commit("aside", branch="aside")
    git("tag", "-a", "-m", "aside", "elsewhere", cwd=remote.work)
    git("push", "-q", str(remote.bare), "--tags", cwd=remote.work)
    assert set((await here.fetch(remote.url)).tags) == {"light", "v1"}
    refs = git("for-each-ref", "--format=%(refname) %(objecttype)", cwd=here.repository.path)
    assert refs.stdout.split("\n")[:-1] == [
        "refs/heads/main commit",
        "refs/tags/light commit",
        "refs/tags/v1 tag",
    ]
    git("fsck", "--strict", cwd=here.repository.path)


async def test_a_tag_that_comes_later_or_moves_follows_without_a_new_commit(
    remote: Remote, here: Here
) -> None:
    remote.commit("one")
    tip = remote.commit("two")
    await here.fetch(remote.url)
    git("tag", "light", "HEAD~1", cwd=remote.work)
    git("tag", "-a", "-m", "late", "v1", cwd=remote.work)
    git("push", "-q", str(remote.bare), "--tags", cwd=remote.work)
    result = await here.fetch(remote.url)
    assert (result.new, set(result.tags)) == (tip, {"light", "v1"})
    git("tag", "-f", "light", "HEAD", cwd=remote.work)
    git("push", "-q", "-f", str(remote.bare), "--tags", cwd=remote.work)
    assert (await here.fetch(remote.url)).tags == ("light",)
    assert here.repository.refs()["refs/tags/light"] == tip
    assert (await here.fetch(remote.url)).tags == ()


async def test_a_tag_that_is_refused_fails_nothing(remote: Remote, here: Here) -> None:
    tip = remote.commit("one")
    hook = here.repository.path / "hooks" / "update"
    hook.write_text('#!/bin/sh\ncase "$1" in refs/tags/*) exit 1;; esac\n')
    hook.chmod(0o755)
    git("tag", "v1", cwd=remote.work)
    git("push", "-q", str(remote.bare), "--tags", cwd=remote.work)
    assert await here.fetch(remote.url) == FetchResult("refs/heads/main", ZERO, tip)
    assert "fetch.tag_refused" in here.log.getvalue()


async def test_a_file_url_needs_leave_and_never_leads_into_the_home(
    remote: Remote, here: Here
) -> None:
    tip = remote.commit("one")
    with pytest.raises(FetchError, match="isn't allowed"):
        await here.fetch(f"file://{remote.bare}")
    home = here.repository.path.parents[2]
    reach = Reach(file_outside=home)

    async def fetched(url: str) -> FetchResult:
        return await fetch(here.repository, url, "main", reach=reach, log=here.events.log)

    assert (await fetched(f"file://{remote.bare}")).new == tip
    tip = remote.commit("two")
    git("checkout", "-q", "main", cwd=remote.work)
    assert (await fetched(f"file://{remote.work}")).new == tip
    with pytest.raises(FetchError, match="in the server's home"):
        await fetched(f"file://{here.repository.path}")
    for url in ("file:///nowhere", f"file://{remote.root}", "file://host/x", "file:///"):
        with pytest.raises(FetchError):
            await fetched(url)


async def test_a_pack_that_is_cut_off_leaves_nothing(remote: Remote, here: Here) -> None:
    (remote.work / "noise").write_bytes(os.urandom(100_000))
    git("add", "noise", cwd=remote.work)
    remote.commit("one")
    for cut in (0, 4, 60, 5_000):
        remote.cut_pack_at = cut
        with pytest.raises(FetchError):
            await here.fetch(remote.url)
        assert here.leftovers() == []
        assert here.repository.refs() == {}
    assert list((here.repository.path / "objects" / "pack").iterdir()) == []


async def test_a_pack_over_the_limit_is_refused(remote: Remote, here: Here) -> None:
    (remote.work / "big").write_bytes(os.urandom(2 << 20))
    git("add", "big", cwd=remote.work)
    remote.commit("one")
    with pytest.raises(FetchError, match="max_push_size"):
        await here.fetch(remote.url)
    assert here.leftovers() == []
    assert here.repository.refs() == {}


async def test_broken_objects_are_refused_as_in_a_push(remote: Remote, here: Here) -> None:
    remote.commit("one")
    blob = git("hash-object", "-w", "--stdin", cwd=remote.bare, input=b"x").stdout.strip()
    raw = b"100644 .git\0" + bytes.fromhex(blob)
    arguments = ("hash-object", "-w", "-t", "tree", "--literally", "--stdin")
    tree = git(*arguments, cwd=remote.bare, input=raw).stdout.strip()
    commit = git("commit-tree", "-m", "evil", tree, cwd=remote.bare).stdout.strip()
    git("update-ref", "refs/heads/evil", commit, cwd=remote.bare)
    with pytest.raises(FetchError, match=r"is refused: .*\.git"):
        await here.fetch(remote.url, "evil")
    assert here.leftovers() == []


async def test_a_remote_that_is_down_is_told(here: Here, unused_tcp_port: int) -> None:
    with pytest.raises(FetchError, match="can't be reached: connection refused") as caught:
        await here.fetch(f"http://bot:hush@127.0.0.1:{unused_tcp_port}/a.git")
    assert caught.value.temporary
    with pytest.raises(FetchError, match="no such name is found") as caught:
        await here.fetch("http://bot:hush@nowhere.invalid/a.git")
    assert caught.value.temporary
    assert "hush" not in here.log.getvalue()
