"""HTTP actions against real servers; waiting between tries is a manual clock's."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import pytest
from aiohttp import web

from gitdeploy.clock import SystemClock
from gitdeploy.jobs.action import (
    Authentication,
    ErrorAction,
    HttpAction,
    HttpRequest,
    Reference,
    RetryPolicy,
)
from gitdeploy.supervise.action import ActionOutcome, perform
from tests.integration.net.conftest import Peer, listening
from tests.support import eventually
from tests.unit.supervise.conftest import ManualClock

SECRETS = {"pw": "hush & hush/1", "tok": "t0p-s3cret-token", "KEY": "k3y+from=settings"}


@pytest.fixture
async def peer() -> AsyncIterator[Peer]:
    async with listening() as made:
        yield made


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


def failing(times: int, status: int = 503) -> Any:
    """Answers that fail so many times first."""
    asked = 0

    async def answer(request: web.Request) -> web.StreamResponse:
        nonlocal asked
        asked += 1
        if asked <= times:
            return web.Response(status=status, text=f"failure {asked}")
        return web.Response(text="done")

    return answer


async def echo(request: web.Request) -> web.StreamResponse:
    """Gives back all it got."""
    lines = [f"{name}: {value}" for name, value in request.headers.items()]
    lines += [f"{name}={value}" for name, value in request.query.items()]
    return web.Response(text="\n".join([*lines, await request.text()]), status=400)


def action(uri: str, *, method: str = "GET", **changes: Any) -> HttpAction:
    request = {k: changes.pop(k) for k in ("headers", "body", "authentication") if k in changes}
    return HttpAction(
        type="Http", request=HttpRequest(uri=uri, method=method, **request), **changes
    )


def retries(kind: Any, count: int, seconds: float, most: float | None = None) -> RetryPolicy:
    longest = None if most is None else timedelta(seconds=most)
    return RetryPolicy(
        retry_type=kind,
        retry_count=count,
        retry_interval=timedelta(seconds=seconds),
        maximum_interval=longest,
    )


async def resolve(reference: Reference) -> str | None:
    return SECRETS.get(reference.setting or reference.secret or "")


class Run:
    """An action under way, with the lines that it wrote."""

    def __init__(self, given: HttpAction, clock: Any, **options: Any) -> None:
        self.lines: list[str] = []
        options.setdefault("allow_private", True)
        self.task: asyncio.Task[ActionOutcome] = asyncio.ensure_future(
            perform(given, resolve_secret=resolve, clock=clock, write=self.lines.append, **options)
        )

    @property
    def text(self) -> str:
        return "\n".join(self.lines)

    async def waiting(self, clock: ManualClock) -> float:
        """Seconds until the next try, once the action waits for it."""
        await eventually(lambda: clock.sleeping or self.task.done(), what="a wait")
        assert not self.task.done(), self.text
        return clock.sleeping[0]


async def test_an_answer_of_200_is_success_and_told(peer: Peer, clock: ManualClock) -> None:
    run = Run(action(peer.url("/ping?sig=abc"), method="POST", body="Posting from a timer"), clock)
    assert await run.task == ActionOutcome(success=True, tries=1, status=200)
    assert run.lines[0] == f"POST {peer.url('/ping')}?sig=***"
    assert run.lines[1].startswith("200 OK after ") and run.lines[1].endswith("5 bytes")
    assert run.lines[2:] == ["  hello"]
    (seen,) = peer.seen
    assert (seen.method, seen.body) == ("POST", b"Posting from a timer")
    assert seen.headers["content-type"] == "text/plain; charset=utf-8"


@pytest.mark.parametrize("status", [200, 201, 202, 204, 299])
async def test_every_2xx_is_success(peer: Peer, clock: ManualClock, status: int) -> None:
    peer.answers["/"] = failing(1, status)
    outcome = await Run(action(peer.url(), retry_policy=retries("Fixed", 2, 1)), clock).task
    assert outcome == ActionOutcome(success=True, tries=1, status=status)


@pytest.mark.parametrize("status", [304, 400, 404, 408, 429, 500, 503])
async def test_every_other_status_is_a_failure_that_is_tried_again(
    peer: Peer, clock: ManualClock, status: int
) -> None:
    peer.answers["/"] = failing(1, status)
    run = Run(action(peer.url(), retry_policy=retries("Fixed", 2, 30)), clock)
    assert await run.waiting(clock) == 30
    await clock.advance(30)
    assert await run.task == ActionOutcome(success=True, tries=2, status=200)
    assert run.lines[0].endswith("/, try 1 of 3") and "Next try in 30 s" in run.lines


async def test_a_fixed_policy_waits_the_same_each_time_and_gives_up(
    peer: Peer, clock: ManualClock
) -> None:
    peer.answers["/"] = failing(99)
    run = Run(action(peer.url(), retry_policy=retries("Fixed", 4, 300)), clock)
    for tries in range(1, 5):
        assert await run.waiting(clock) == 300
        assert len(peer.seen) == tries
        await clock.advance(300)
    outcome = await run.task
    assert (outcome.success, outcome.tries, outcome.status) == (False, 5, 503)
    assert outcome.error == "The answer is 503 Service Unavailable."
    assert run.lines[-1] == "Failed after 5 tries" and "Next try in 5 min" in run.lines
    assert len(peer.seen) == 5 and clock.sleeping == []


async def test_an_exponential_policy_doubles_up_to_its_longest(
    peer: Peer, clock: ManualClock
) -> None:
    peer.answers["/"] = failing(4)
    run = Run(action(peer.url(), retry_policy=retries("Exponential", 9, 7, 20)), clock)
    for seconds in (7, 14, 20, 20):
        assert await run.waiting(clock) == pytest.approx(seconds)
        await clock.advance(seconds)
    assert (await run.task).tries == 5


async def test_without_a_policy_one_try_is_all(peer: Peer, clock: ManualClock) -> None:
    peer.answers["/"] = failing(1)
    outcome = await Run(action(peer.url()), clock).task
    assert not outcome.success and outcome.tries == 1 and len(peer.seen) == 1


async def test_the_error_action_is_done_when_every_try_has_failed(
    peer: Peer, clock: ManualClock
) -> None:
    peer.answers["/"] = failing(99, 500)
    peer.answers["/alarm"] = failing(1)
    alarm = HttpRequest(uri=peer.url("/alarm"), method="POST", body="it failed")
    given = action(
        peer.url(),
        retry_policy=retries("Fixed", 1, 10),
        error_action=ErrorAction(type="Http", request=alarm, retry_policy=retries("Fixed", 3, 60)),
    )
    run = Run(given, clock)
    assert await run.waiting(clock) == 10
    assert [seen.path for seen in peer.seen] == ["/"]
    await clock.advance(10)
    assert await run.waiting(clock) == 60
    await clock.advance(60)
    outcome = await run.task
    assert (outcome.success, outcome.tries, outcome.status) == (False, 2, 500)
    assert outcome.error_action == ActionOutcome(success=True, tries=2, status=200)
    assert [s.path for s in peer.seen] == ["/", "/", "/alarm", "/alarm"]
    assert run.lines[run.lines.index("Error action:") + 1].startswith("POST ")


async def test_no_error_action_after_success(peer: Peer, clock: ManualClock) -> None:
    alarm = ErrorAction(type="Http", request=HttpRequest(uri=peer.url("/alarm"), method="POST"))
    outcome = await Run(action(peer.url(), error_action=alarm), clock).task
    assert outcome.success and outcome.error_action is None
    assert [seen.path for seen in peer.seen] == ["/"]


@pytest.mark.parametrize(
    ("authentication", "header"),
    [
        (
            Authentication(type="Basic", username="ada", password=Reference(secret="pw")),
            "Basic YWRhOmh1c2ggJiBodXNoLzE=",
        ),
        (
            Authentication(type="Basic", username="ada", password="plain-pw"),
            "Basic YWRhOnBsYWluLXB3",
        ),
        (Authentication(type="Bearer", token=Reference(secret="tok")), "Bearer t0p-s3cret-token"),
        (Authentication(type="Bearer", token="literal-token"), "Bearer literal-token"),
    ],
)
async def test_authentication_is_sent_and_never_read_even_if_the_server_echoes_it(
    peer: Peer, clock: ManualClock, authentication: Authentication, header: str
) -> None:
    peer.answers["/"] = echo
    given = action(
        peer.url("/?sig=c2ln%2Fbmf0dXJl&page=7"),
        method="POST",
        headers={
            "authorization": "Basic overridden",
            "X-Api-Key": Reference(setting="KEY"),
            "X-Token": "literal-in-header",
            "Content-Type": "text/csv",
        },
        body=Reference(secret="pw"),
        authentication=authentication,
    )
    run = Run(given, clock)
    outcome = await run.task
    (seen,) = peer.seen
    assert seen.headers["authorization"] == header
    assert seen.headers["x-api-key"] == SECRETS["KEY"]
    assert (seen.headers["content-type"], seen.body.decode()) == ("text/csv", SECRETS["pw"])
    assert outcome.status == 400 and "page=7" in run.text and "ada" not in header
    assert any("Authorization: " in line for line in run.lines)
    hidden = (*SECRETS.values(), header.split()[1], "plain-pw", "literal-", "c2ln/bmf0dXJl")
    for secret in hidden:
        assert secret not in run.text + str(outcome), run.text


async def test_a_secret_that_is_cut_off_at_the_end_of_what_is_kept_is_not_read(
    peer: Peer, clock: ManualClock
) -> None:
    async def answer(request: web.Request) -> web.StreamResponse:
        return web.Response(text="." * (4096 - 8) + SECRETS["tok"] + "." * 100)

    peer.answers["/"] = answer
    token = Authentication(type="Bearer", token=Reference(secret="tok"))
    run = Run(action(peer.url(), authentication=token), clock)
    assert (await run.task).success
    assert "t0p" not in run.text and run.lines[-1] == "  …"
    assert run.lines[1].endswith("more than 4096 bytes")


async def test_a_reference_that_is_not_set_is_told_and_nothing_sent(
    peer: Peer, clock: ManualClock
) -> None:
    given = action(
        peer.url(),
        headers={"X-Key": Reference(setting="MISSING")},
        retry_policy=retries("Fixed", 3, 60),
        error_action=ErrorAction(
            type="Http", request=HttpRequest(uri=peer.url("/alarm"), method="POST")
        ),
    )
    run = Run(given, clock)
    outcome = await run.task
    assert outcome.tries == 0 and outcome.error is not None
    assert "MISSING" in outcome.error and "MISSING" in run.lines[0]
    assert outcome.error_action is not None and outcome.error_action.success
    assert [seen.path for seen in peer.seen] == ["/alarm"]


async def test_what_is_refused_here_is_not_tried_again(peer: Peer, clock: ManualClock) -> None:
    policy = retries("Fixed", 3, 60)
    run = Run(action(peer.url(), retry_policy=policy), clock, allow_private=False)
    outcome = await run.task
    assert outcome.tries == 1 and outcome.error is not None
    assert "loopback" in outcome.error and "allow_private_hooks" in run.text
    assert run.lines[-1] == "Failed after 1 try"
    secret_with_line_end = Authentication(type="Bearer", token="abc\r\nX-Evil: 1")
    run = Run(action(peer.url(), authentication=secret_with_line_end), clock)
    outcome = await run.task
    assert outcome.error is not None and "Authorization" in outcome.error
    assert "Evil" not in run.text and peer.seen == []


async def test_a_server_that_is_down_or_hangs_is_tried_again(
    peer: Peer, clock: ManualClock, unused_tcp_port: int
) -> None:
    policy = retries("Fixed", 1, 60)
    run = Run(action(f"http://127.0.0.1:{unused_tcp_port}/", retry_policy=policy), clock)
    await run.waiting(clock)
    assert "127.0.0.1 can't be reached: connection refused. (" in run.text
    await clock.advance(60)
    assert (await run.task).tries == 2

    async def hang(request: web.Request) -> web.StreamResponse:
        await asyncio.sleep(60)
        return web.Response()

    peer.answers["/"] = hang
    outcome = await Run(action(peer.url()), clock, timeout=0.2).task
    assert outcome.error == "127.0.0.1 didn't answer whole within 0.2 s."


@pytest.mark.parametrize("where", ["waiting", "asking"])
async def test_cancelling_ends_it_at_once_and_asks_no_more(
    peer: Peer, clock: ManualClock, where: str
) -> None:
    async def hang(request: web.Request) -> web.StreamResponse:
        await asyncio.sleep(60)
        return web.Response()

    peer.answers["/"] = failing(99) if where == "waiting" else hang
    alarm = ErrorAction(type="Http", request=HttpRequest(uri=peer.url("/alarm"), method="POST"))
    run = Run(action(peer.url(), retry_policy=retries("Fixed", 3, 60), error_action=alarm), clock)
    await eventually(lambda: peer.seen)
    if where == "waiting":
        await run.waiting(clock)
    run.task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await run.task
    await clock.advance(1000)
    assert [seen.path for seen in peer.seen] == ["/"]
    assert [task for task in asyncio.all_tasks() if "perform" in repr(task)] == []


async def test_an_answer_from_outside_cannot_forge_lines(peer: Peer, clock: ManualClock) -> None:
    async def answer(request: web.Request) -> web.StreamResponse:
        return web.Response(body=b"a\x1b[2Jb\rFailed after 9 tries\n\xff\n", status=500)

    async def picture(request: web.Request) -> web.StreamResponse:
        return web.Response(body=b"\x89PNG\r\n", content_type="image/png")

    peer.answers["/"], peer.answers["/picture"] = answer, picture
    run = Run(action(peer.url()), SystemClock())
    await run.task
    assert all(line.isprintable() for line in run.lines)
    assert "Failed after 9 tries" not in run.lines
    run = Run(action(peer.url("/picture")), SystemClock())
    assert (await run.task).success and len(run.lines) == 2
