"""Events come into the outbox in the transaction that brings them about, and go by turns."""

from __future__ import annotations

import json
import sqlite3
from typing import Any

import pytest

from gitdeploy.store import Deployment, Execution, Hook, Occurrence, Store, Try
from gitdeploy.store.outbox import HOLDS, KEPT

ID = "d" * 40


@pytest.fixture
async def shop(store: Store) -> Store:
    await store.apps.create("shop", at=1)
    await store.apps.create("other", at=1)
    return store


async def hook(store: Store, event: str, name: str = "", **changes: Any) -> Hook:
    values: dict[str, Any] = {
        "app": "shop",
        "id": name or event,
        "event": event,
        "url": "https://example.org/",
        "way": "{}",
        "created_at": 1,
        "who": "ada",
    }
    return await store.hooks.add(Hook(**{**values, **changes}), lambda hooks: None)


def deployment(**changes: Any) -> Deployment:
    values: dict[str, Any] = {
        "app": "shop",
        "id": ID,
        "attempt": 1,
        "status": "pending",
        "received_at": 5,
        "instance": "i",
        "trigger": "push",
        "message": 'Fix "it"\n',
    }
    return Deployment(**{**values, **changes})


def execution(kind: Any = "triggered", **changes: Any) -> Execution:
    values: dict[str, Any] = {
        "app": "shop",
        "kind": kind,
        "job": "mail",
        "id": "1",
        "status": "initializing",
        "instance": "i",
        "created_at": 3,
    }
    return Execution(**{**values, **changes})


async def waiting(store: Store, *hooks: str, app: str = "shop") -> list[Any]:
    return [
        (d.event, d.kind, d.at, json.loads(d.subject))
        for name in hooks
        for d in reversed(await store.outbox.newest(app, name))
    ]


async def test_a_deployment_that_ends_is_told_as_it_was_then(shop: Store) -> None:
    await hook(shop, "PostDeployment")
    await hook(shop, "DeploymentFailed")
    await hook(shop, "PostDeployment", "elsewhere", app="other")
    row = await shop.deployments.begin(deployment())
    release = await shop.releases.add("shop", ID, at=6)
    await shop.deployments.advance("shop", ID, "pending", "building")
    assert await waiting(shop, "PostDeployment", "DeploymentFailed") == []
    await shop.releases.activate("shop", release.number, [], at=8)
    await shop.deployments.advance("shop", ID, "building", "success", ended_at=9)
    [(event, kind, at, subject)] = await waiting(shop, "PostDeployment", "DeploymentFailed")
    assert (event, kind, at) == ("PostDeployment", "deployment", 9)
    assert subject["message"] == row.message
    assert (subject["status"], subject["active"], subject["release"]) == ("success", 1, 1)
    assert await waiting(shop, "elsewhere", app="other") == []
    again = await shop.deployments.begin(deployment())
    assert (await waiting(shop, "PostDeployment"))[0][3]["attempt"] == again.attempt - 1


async def test_a_failure_is_told_to_both_kinds_of_hooks(shop: Store) -> None:
    await hook(shop, "PostDeployment")
    await hook(shop, "DeploymentFailed")
    await shop.deployments.begin(deployment())
    await shop.deployments.advance(
        "shop", ID, "pending", "failed", ended_at=9, status_text="no run.sh"
    )
    told = await waiting(shop, "PostDeployment", "DeploymentFailed")
    assert [each[0] for each in told] == ["PostDeployment", "DeploymentFailed"]
    assert {each[3]["status_text"] for each in told} == {"no run.sh"}


async def test_a_deployment_recorded_for_somebody_else_is_not_told(shop: Store) -> None:
    await hook(shop, "PostDeployment")
    for status in ("failed", "success", "success"):
        await shop.deployments.begin(deployment(status=status, trigger="recorded"))
    assert await waiting(shop, "PostDeployment") == []


async def test_a_fetch_that_fails_is_told_at_each_attempt_but_not_one_that_was_superseded(
    shop: Store,
) -> None:
    await hook(shop, "PostDeployment")
    await hook(shop, "DeploymentFailed")
    failed = {"status": "failed", "trigger": "fetch", "ended_at": 9}
    await shop.deployments.begin(deployment(status_text="It is down.", **failed))
    await shop.deployments.begin(deployment(status_text="It is down.", **failed))
    for name in ("PostDeployment", "DeploymentFailed"):
        told = await waiting(shop, name)
        assert [(each[2], each[3]["attempt"]) for each in told] == [(9, 1), (9, 2)]
    text = f"Superseded by {'f' * 40}."
    await shop.deployments.begin(deployment(id="e" * 40, status_text=text, **failed))
    await shop.deployments.begin(deployment(status_text=text, **failed))
    assert len(await waiting(shop, "PostDeployment", "DeploymentFailed")) == 4


async def test_what_is_told_has_every_column(shop: Store) -> None:
    for event in ("PostDeployment", "TriggeredJobFinished", "ScheduleMissed"):
        await hook(shop, event)
    await shop.deployments.begin(deployment())
    await shop.deployments.advance("shop", ID, "pending", "failed")
    await shop.executions.add(execution())
    await shop.executions.advance(execution(), "initializing", "aborted", ended_at=9)
    await shop.occurrences.claim(Occurrence(app="shop", job="mail", due_at=7, state="missed"))
    untold = {"process", "fence", "identity"}
    for event, struct in (
        ("PostDeployment", Deployment),
        ("TriggeredJobFinished", Execution),
        ("ScheduleMissed", Occurrence),
    ):
        [(_, _, _, subject)] = await waiting(shop, event)
        assert set(subject) == set(struct.__struct_fields__) - untold


async def test_a_run_that_ends_is_told_whatever_its_end(shop: Store) -> None:
    await hook(shop, "TriggeredJobFinished")
    await hook(shop, "JobCrashed")
    await shop.executions.add(execution())
    await shop.executions.advance(execution(), "initializing", "running", started_at=4)
    assert await waiting(shop, "TriggeredJobFinished") == []
    await shop.executions.advance(execution(), "running", "failed", ended_at=9, exit_code=3)
    [(_, kind, at, subject)] = await waiting(shop, "TriggeredJobFinished", "JobCrashed")
    assert (kind, at) == ("execution", 9)
    assert (subject["status"], subject["exit_code"], subject["job"]) == ("failed", 3, "mail")
    assert "process" not in subject


@pytest.mark.parametrize(
    ("leave", "enter", "columns", "crashed"),
    [
        ("running", "failed", {"exit_code": 1, "started_at": 4}, True),
        ("running", "failed", {"exit_code": 137, "started_at": 4}, True),
        ("running", "aborted", {"exit_code": None, "started_at": 4, "error": "lost"}, True),
        ("initializing", "failed", {"exit_code": None, "error": "It couldn't be started"}, True),
        ("running", "success", {"exit_code": 0, "started_at": 4}, False),
        ("running", "stopped", {"exit_code": 143, "started_at": 4}, False),
        ("running", "aborted", {"exit_code": 143, "started_at": 4}, False),
        ("initializing", "aborted", {"exit_code": None}, False),
    ],
)
async def test_only_an_end_that_nobody_asked_for_is_a_crash(
    shop: Store, leave: str, enter: str, columns: dict[str, Any], crashed: bool
) -> None:
    await hook(shop, "JobCrashed")
    await hook(shop, "TriggeredJobFinished")
    row = execution("continuous")
    await shop.executions.add(row)
    if leave == "running":
        await shop.executions.advance(row, "initializing", "running")
    await shop.executions.advance(row, leave, enter, ended_at=9, **columns)
    told = await waiting(shop, "JobCrashed", "TriggeredJobFinished")
    assert [each[0] for each in told] == (["JobCrashed"] if crashed else [])


async def test_a_missed_due_time_is_told_once_however_it_was_recorded(shop: Store) -> None:
    await hook(shop, "ScheduleMissed")
    missed = Occurrence(app="shop", job="mail", due_at=7, state="missed", note="Missed 1")
    assert await shop.occurrences.claim(missed)
    assert not await shop.occurrences.claim(missed)
    await shop.occurrences.settle(missed)
    claimed = Occurrence(app="shop", job="mail", due_at=8, state="started")
    await shop.occurrences.claim(claimed)
    await shop.occurrences.settle(
        Occurrence(app="shop", job="mail", due_at=8, state="missed", note="Missed 1")
    )
    told = await waiting(shop, "ScheduleMissed")
    assert [(kind, at, s["note"]) for _, kind, at, s in told] == [
        ("occurrence", 7, "Missed 1"),
        ("occurrence", 8, "Missed 1"),
    ]


async def test_what_is_undone_is_not_told(shop: Store) -> None:
    await hook(shop, "PostDeployment")
    await shop.deployments.begin(deployment())

    def work(c: sqlite3.Connection) -> None:
        c.execute("UPDATE deployments SET status = 'success', ended_at = 9")
        assert c.execute("SELECT count(*) FROM outbox").fetchone()[0] == 1
        raise ArithmeticError

    with pytest.raises(ArithmeticError):
        await shop.database.write(work)
    assert await waiting(shop, "PostDeployment") == []


async def test_each_hook_counts_its_own_deliveries(shop: Store) -> None:
    await hook(shop, "Custom", "a")
    await hook(shop, "custom", "b", url="https://example.com/")
    assert await shop.outbox.publish("shop", "CUSTOM", '{"x": 1}', at=4) == 2
    assert await shop.outbox.publish("shop", "Custom", "[]", at=5) == 2
    assert await shop.outbox.publish("shop", "Nothing", "[]", at=5) == 0
    for name in ("a", "b"):
        assert [d.n for d in await shop.outbox.newest("shop", name)] == [2, 1]
    ids = {d.id for name in ("a", "b") for d in await shop.outbox.newest("shop", name)}
    assert len(ids) == 4


def failed(at: int, next_at: int | None) -> Try:
    state: Any = "failed" if next_at is None else "pending"
    return Try(
        at=at,
        state=state,
        next_at=next_at,
        status=500,
        reason="Oh",
        error=None,
        response="",
        duration_ms=1.0,
    )


async def test_a_failing_delivery_holds_up_those_behind_it_for_a_few_tries_only(
    shop: Store,
) -> None:
    await hook(shop, "Custom", "a")
    await hook(shop, "Custom", "b")
    for _ in range(3):
        await shop.outbox.publish("shop", "Custom", "{}", at=4)
    for tried in range(HOLDS):
        heads = {h.hook: (h.n, h.next_at) for h in await shop.outbox.heads(now=100)}
        assert heads == {"a": (1, 1000 if tried else 0), "b": (1, 0)}
        first = await shop.outbox.get("shop", "a", 1)
        assert first is not None
        await shop.outbox.settle(first, failed(50, 1000))
    assert {h.hook: h.n for h in await shop.outbox.heads(now=100)} == {"a": 2, "b": 1}
    assert {h.hook: h.n for h in await shop.outbox.heads(now=1000)} == {"a": 1, "b": 1}


async def test_of_waiting_ones_the_next_that_is_due_is_told(shop: Store) -> None:
    await hook(shop, "Custom", "a")
    for n, next_at in ((1, 900), (2, 500)):
        await shop.outbox.publish("shop", "Custom", "{}", at=4)
        row = await shop.outbox.get("shop", "a", n)
        assert row is not None
        for _ in range(HOLDS):
            await shop.outbox.settle(row, failed(50, next_at))
    [head] = await shop.outbox.heads(now=100)
    assert (head.n, head.next_at) == (2, 500)


async def test_the_newest_hundred_that_ended_are_kept_and_none_that_waits_goes(
    shop: Store,
) -> None:
    await hook(shop, "Custom", "a")
    for _ in range(KEPT + 20):
        await shop.outbox.publish("shop", "Custom", "{}", at=4)
    for n in range(2, KEPT + 15):
        row = await shop.outbox.get("shop", "a", n)
        assert row is not None
        await shop.outbox.settle(row, failed(50, None))
    numbers = [d.n for d in await shop.outbox.newest("shop", "a", limit=1000)]
    assert numbers[-1] == 1
    assert len(numbers) == KEPT + 1 + 6
    last = await shop.outbox.last_tried("shop", "a")
    assert last is not None
    assert last.n == KEPT + 14


async def test_sending_again_is_a_new_delivery_with_the_same_id(shop: Store) -> None:
    await hook(shop, "Custom", "a")
    await shop.outbox.publish("shop", "Custom", '{"x": 1}', at=4)
    first = await shop.outbox.get("shop", "a", 1)
    assert first is not None
    await shop.outbox.settle(first, failed(50, 9000))
    hurried = await shop.outbox.redeliver("shop", "a", 1)
    assert hurried is not None
    assert (hurried.n, hurried.next_at, hurried.tries) == (1, 0, 1)
    await shop.outbox.settle(first, failed(60, None))
    again = await shop.outbox.redeliver("shop", "a", 1)
    assert again is not None
    assert (again.n, again.id, again.subject) == (2, first.id, first.subject)
    assert (again.state, again.tries, again.redelivery_of) == ("pending", 0, 1)
    assert await shop.outbox.redeliver("shop", "a", 7) is None
    assert await shop.outbox.redeliver("shop", "b", 1) is None


async def test_a_hook_goes_with_what_it_was_to_be_told_and_an_app_with_its_hooks(
    shop: Store,
) -> None:
    await hook(shop, "Custom", "a", secret="s3cret-of-the-hook")
    await hook(shop, "Custom", "b")
    await shop.outbox.publish("shop", "Custom", "{}", at=4)
    assert await shop.hooks.secrets() == ["s3cret-of-the-hook"]
    assert await shop.hooks.delete("shop", "a")
    assert not await shop.hooks.delete("shop", "a")
    assert [h.hook for h in await shop.outbox.heads(now=9)] == ["b"]
    await shop.apps.delete("shop")
    assert await shop.outbox.heads(now=9) == []
    assert await shop.hooks.of_app("shop") == []
