"""Deliveries to a real server, through outages, restarts and slow neighbours."""

from __future__ import annotations

import asyncio
import sqlite3
import ssl
import subprocess
from pathlib import Path
from typing import Any

from aiohttp import web

from gitdeploy.store import Deployment
from tests.receiver import Got, Receiver, receiving
from tests.support import eventually

LIMIT = 60.0


async def test_what_happens_is_told_as_soon_as_it_is_on_the_disk(
    stage: Any, receiver: Receiver
) -> None:
    await stage.start()
    await stage.hook(event="PostDeployment", secret="the-secret-of-this-hook")
    row = Deployment(
        app="shop",
        id="d" * 40,
        attempt=1,
        status="pending",
        received_at=5,
        instance="i",
        trigger="push",
    )
    await stage.store.deployments.begin(row)
    await stage.store.deployments.advance("shop", row.id, "pending", "success", ended_at=9)
    [got] = await eventually(lambda: receiver.taken, limit=LIMIT)
    assert got.json["id"] == row.id
    assert got.json["status"] == "success"
    assert got.signed_with("the-secret-of-this-hook")
    assert got.headers["user-agent"].startswith("gitdeploy/")

    async def delivered() -> bool:
        return bool((await stage.delivery()).state == "delivered")

    await eventually(delivered, limit=LIMIT)
    [record] = await eventually(lambda: stage.told("hook.delivered"), limit=LIMIT)
    assert (record["hook"], record["tells"], record["tries"]) == ("h", "PostDeployment", 1)


async def test_a_receiver_that_fails_five_times_gets_it_once_it_takes_it(
    stage: Any, receiver: Receiver
) -> None:
    receiver.answer = lambda got: 500 if len(receiver.got) <= 5 else 204
    await stage.start()
    await stage.hook()
    await stage.publish('{"x":1}')
    [taken] = await eventually(lambda: receiver.taken, limit=LIMIT)
    assert len(receiver.got) == 6
    assert {got.body for got in receiver.got} == {b'{"x":1}'}
    assert len({got.headers["x-gitdeploy-delivery"] for got in receiver.got}) == 1
    assert [got.headers["x-gitdeploy-try"] for got in receiver.got] == list("123456")
    assert taken.headers["x-gitdeploy-try"] == "6"
    await eventually(lambda: stage.told("hook.delivered"), limit=LIMIT)
    row = await stage.delivery()
    assert (row.state, row.tries, row.status, row.next_at) == ("delivered", 6, 204, None)
    assert [record["tries"] for record in stage.told("hook.delayed")] == [1, 2, 3, 4, 5]


async def test_a_receiver_that_is_down_gets_it_when_it_is_back(
    stage: Any, receiver: Receiver
) -> None:
    async with asyncio.timeout(LIMIT):
        server = await asyncio.start_server(lambda r, w: w.close(), "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    server.close()
    await server.wait_closed()
    await stage.start()
    await stage.hook(url=f"http://127.0.0.1:{port}/in")
    await stage.publish("{}")
    await eventually(lambda: len(stage.told("hook.delayed")) >= 2, limit=LIMIT)
    row = await stage.delivery()
    assert row.status is None
    assert "can't be reached" in (row.error or "")
    async with receiving(port) as back:
        await eventually(lambda: back.taken, limit=LIMIT)


async def test_hooks_dont_wait_for_each_other(stage: Any, receiver: Receiver) -> None:
    await stage.start()
    await stage.hook("slow", path="/hang")
    await stage.hook("quick")
    await stage.publish("1", "2", "3")
    await eventually(lambda: len(receiver.at("/quick")) == 3, limit=LIMIT)
    assert [got.body for got in receiver.at("/quick")] == [b"1", b"2", b"3"]
    assert len(receiver.at("/hang")) == 1


async def test_a_hook_gets_its_events_one_at_a_time_in_their_order(
    stage: Any, receiver: Receiver
) -> None:
    at_once, most = 0, 0
    real = receiver.take

    async def counted(request: web.Request) -> web.StreamResponse:
        nonlocal at_once, most
        at_once += 1
        most = max(most, at_once)
        await asyncio.sleep(0)
        try:
            return await real(request)
        finally:
            at_once -= 1

    receiver.take = counted  # type: ignore[method-assign]
    failed: set[bytes] = set()

    def once_bad(got: Got) -> int:
        if got.body in failed:
            return 200
        failed.add(got.body)
        return 503

    receiver.answer = once_bad
    await stage.start()
    await stage.hook()
    await stage.publish(*map(str, range(12)))
    await eventually(lambda: len(receiver.taken) == 12, limit=LIMIT)
    assert [got.json for got in receiver.taken] == list(range(12))


async def test_one_that_is_never_taken_doesnt_hold_up_the_rest_for_long(
    stage: Any, receiver: Receiver
) -> None:
    receiver.answer = lambda got: 500 if got.body == b'"bad"' else 200
    await stage.start()
    await stage.hook()
    await stage.publish('"bad"', '"good"')
    [taken] = await eventually(lambda: receiver.taken, limit=LIMIT)
    assert taken.body == b'"good"'
    assert [got.body for got in receiver.got[:3]] == [b'"bad"'] * 3


async def test_a_restart_sends_what_was_left(stage: Any, receiver: Receiver) -> None:
    await stage.hook()
    await stage.publish("1", "2")
    await stage.close()
    stage.open()
    await stage.start()
    await eventually(lambda: len(receiver.taken) == 2, limit=LIMIT)
    assert [got.json for got in receiver.taken] == [1, 2]


async def test_one_that_was_under_way_at_the_end_is_sent_again(
    stage: Any, receiver: Receiver
) -> None:
    await stage.start()
    await stage.hook(path="/hang")
    await stage.publish("1")
    await eventually(lambda: len(receiver.got) == 1, limit=LIMIT)
    await stage.stop(grace=0)
    receiver.hanging.set()
    await stage.start()
    await eventually(lambda: len(receiver.got) == 2, limit=LIMIT)
    first, second = receiver.got
    assert (first.body, first.headers["x-gitdeploy-delivery"]) == (
        second.body,
        second.headers["x-gitdeploy-delivery"],
    )


async def test_what_is_under_way_at_the_end_is_waited_for(stage: Any, receiver: Receiver) -> None:
    deliverer = await stage.start()
    await stage.hook(path="/hang")
    await stage.publish("1")
    await eventually(lambda: len(receiver.got) == 1, limit=LIMIT)
    closing = asyncio.create_task(stage.stop(grace=LIMIT))
    await asyncio.sleep(0)
    receiver.hanging.set()
    await closing
    await deliverer.idle()
    assert (await stage.delivery()).state == "delivered"


async def test_a_private_address_gets_nothing_unless_it_is_allowed(
    stage: Any, receiver: Receiver
) -> None:
    stage.options.allow_private_hooks = False
    await stage.start()
    await stage.hook()
    await stage.publish("1")
    [record] = await eventually(lambda: stage.told("hook.given_up"), limit=LIMIT)
    assert "127.0.0.1 is refused: it is a loopback address" in record["what"]
    row = await stage.delivery()
    assert (row.state, row.tries, row.next_at) == ("failed", 1, None)
    assert "allow_private_hooks" in (row.error or "")
    assert receiver.got == []
    stage.options.allow_private_hooks = True
    await stage.store.outbox.redeliver("shop", "h", 1)
    await eventually(lambda: receiver.taken, limit=LIMIT)


async def test_a_redirect_is_no_way_to_another_address(stage: Any, receiver: Receiver) -> None:
    to = {"Location": receiver.url("/elsewhere")}
    receiver.answer = lambda got: web.Response(status=307, headers=to)
    await stage.start()
    await stage.hook()
    await stage.publish("1")
    await eventually(lambda: len(receiver.got) >= 2, limit=LIMIT)
    assert receiver.at("/elsewhere") == []


async def test_of_an_answer_the_first_kib_is_kept(stage: Any, receiver: Receiver) -> None:
    receiver.answer = lambda got: web.Response(status=400, body=b"a" * 5000)
    await stage.start()
    await stage.hook()
    await stage.publish("1")
    await eventually(lambda: stage.told("hook.delayed"), limit=LIMIT)
    row = await stage.delivery()
    assert row.response == "a" * 1024
    assert (row.status, row.reason) == (400, "Bad Request")


async def test_a_hook_that_is_removed_gets_nothing_more(stage: Any, receiver: Receiver) -> None:
    receiver.answer = lambda got: 500
    await stage.start()
    await stage.hook()
    await stage.publish("1")
    await eventually(lambda: len(receiver.got) >= 2, limit=LIMIT)
    await stage.store.hooks.delete("shop", "h")
    assert stage.deliverer is not None
    await stage.deliverer.idle()
    count = len(receiver.got)
    await stage.hook("other")
    receiver.answer = lambda got: 200
    await stage.publish("2")
    await eventually(lambda: receiver.taken, limit=LIMIT)
    assert len(receiver.at("/h")) == count


async def test_a_damaged_row_is_given_up_and_the_next_one_sent(
    stage: Any, receiver: Receiver
) -> None:
    await stage.hook()
    await stage.publish("1", "2")

    def damage(c: sqlite3.Connection) -> None:
        c.execute("UPDATE outbox SET kind = 'deployment' WHERE n = 1")

    await stage.store.database.write(damage)
    await stage.start()
    await eventually(lambda: receiver.taken, limit=LIMIT)
    assert [got.json for got in receiver.got] == [2]
    assert (await stage.delivery()).state == "failed"


async def test_many_hooks_of_one_app_leave_room_for_another(stage: Any, receiver: Receiver) -> None:
    await stage.store.apps.create("other", at=1)
    for n in range(40):
        await stage.hook(f"h{n}", path="/hang")
    await stage.hook("o", app="other")
    await stage.start()
    await stage.publish("1")
    await eventually(lambda: len(receiver.at("/hang")) == 8, limit=LIMIT)
    await stage.publish("2", app="other")
    await eventually(lambda: receiver.at("/o"), limit=LIMIT)
    assert len(receiver.at("/hang")) == 8
    receiver.hanging.set()
    await eventually(lambda: len(receiver.at("/hang")) == 40, limit=LIMIT)


async def test_a_certificate_that_isnt_trusted_is_refused_unless_the_hook_says_so(
    stage: Any, receiver: Receiver, tmp_path: Path
) -> None:
    subprocess.run(
        [
            *("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2"),
            *("-subj", "/CN=127.0.0.1", "-keyout", "key.pem", "-out", "cert.pem"),
        ],
        cwd=tmp_path,
        check=True,
        capture_output=True,
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tmp_path / "cert.pem", tmp_path / "key.pem")
    async with receiving(tls=context) as secure:
        url = f"https://127.0.0.1:{secure.port}"
        await stage.start()
        await stage.hook("strict", url=f"{url}/strict")
        await stage.hook("lax", url=f"{url}/lax", insecure_ssl=True)
        await stage.publish("1")
        await eventually(lambda: secure.at("/lax"), limit=LIMIT)
        [record, *_] = await eventually(lambda: stage.told("hook.delayed"), limit=LIMIT)
        assert "certificate that isn't trusted" in record["what"]
        assert secure.at("/strict") == []
