"""What lists of apps and jobs read: the newest of each job, the live deployment."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from gitdeploy.store import Deployment, Execution, Occurrence, Store


def execution(job: str, id: str, *, kind: str = "triggered", **changes: object) -> Execution:
    values = dict(
        app="shop",
        kind=kind,
        job=job,
        id=id,
        status="success",
        instance="i",
        created_at=int(id),
        started_at=int(id) + 1,
        ended_at=int(id) + 2,
    )
    return Execution(**{**values, **changes})  # type: ignore[arg-type]


def deployment(id: str, at: int, app: str = "shop") -> Deployment:
    return Deployment(
        app=app,
        id=id,
        attempt=0,
        status="pending",
        received_at=at,
        instance="i",
        trigger="push",
        message="Subject\n\n" + "x" * 10_000,
    )


@contextmanager
def counted(store: Store) -> Iterator[list[str]]:
    """The statements that readers make meanwhile."""
    said: list[str] = []
    reader = store.database._reader
    assert reader is not None
    reader.set_trace_callback(said.append)
    try:
        yield said
    finally:
        reader.set_trace_callback(None)


@pytest.fixture
async def shop(store: Store) -> Store:
    await store.apps.create("shop", at=1)
    await store.apps.create("garden", at=1)
    return store


async def test_the_newest_executions_of_every_job_come_with_one_query(shop: Store) -> None:
    for job in ("mail", "report", "unasked"):
        for number in range(30):
            await shop.executions.add(execution(job, f"{number:020}"))
    await shop.executions.add(execution("mail", f"{7:020}", kind="continuous"))
    await shop.executions.add(execution("once", f"{7:020}", ended_at=None, status="running"))
    jobs = [
        ("triggered", "mail"),
        ("triggered", "report"),
        ("continuous", "mail"),
        ("triggered", "once"),
        ("triggered", "never"),
    ]
    with counted(shop) as said:
        found = await shop.overviews.app("shop", jobs, most=20)  # type: ignore[arg-type]
    assert len(said) == 1
    assert [one.id for one in found.past["triggered", "mail"]] == [
        f"{number:020}" for number in range(29, 9, -1)
    ]
    assert len(found.past["triggered", "report"]) == 20
    assert len(found.past["continuous", "mail"]) == 1
    assert found.past["triggered", "once"][0].begun_at == 8
    assert set(found.past) == {*jobs[:4]}
    assert found.live is None
    assert found.newest is None


async def test_the_live_deployment_and_the_newest_one_come_along(shop: Store) -> None:
    await shop.deployments.begin(deployment("old", 1))
    live, release = await shop.deployments.begin_with_release(deployment("live", 2), tree_id=None)
    await shop.releases.activate("shop", release.number, [], at=3)
    await shop.deployments.begin(deployment("new", 4))
    found = await shop.overviews.app("shop", [], most=20)
    assert found.live is not None
    assert found.newest is not None
    assert (found.live.id, found.newest.id) == (live.id, "new")
    assert found.live.message.startswith("Subject\n")
    assert len(found.live.message) == 500
    assert (found.live.active, found.newest.active) == (True, False)
    assert found.live.received_at == 2
    assert found.past == {}


async def test_apps_are_listed_with_what_is_live_and_newest(shop: Store) -> None:
    _, release = await shop.deployments.begin_with_release(deployment("live", 2), tree_id=None)
    await shop.releases.activate("shop", release.number, [], at=3)
    await shop.deployments.begin(deployment("new", 4))
    await shop.deployments.begin(deployment("first", 5, app="garden"))
    with counted(shop) as said:
        found = await shop.overviews.standing(["shop", "garden", "empty"])
    assert len(said) == 1
    assert [one.id for one in found["shop"]] == ["new", "live"]
    assert [one.id for one in found["garden"]] == ["first"]
    assert "empty" not in found
    assert await shop.overviews.standing([]) == {}


async def test_the_last_run_of_a_job_is_the_newest_that_has_ended(shop: Store) -> None:
    await shop.executions.add(execution("mail", f"{1:020}"))
    await shop.executions.add(execution("mail", f"{2:020}", status="failed"))
    await shop.executions.add(execution("mail", f"{3:020}", status="running", ended_at=None))
    found = await shop.overviews.last_runs([("shop", "mail"), ("shop", "never")])
    assert found == {("shop", "mail"): "failed"}
    assert await shop.overviews.last_runs([]) == {}


async def test_what_was_lost_of_an_app_is_read_page_by_page(shop: Store) -> None:
    for due in range(12):
        for job in ("mail", "backup"):
            state = ("started", "missed", "dropped", "queued")[due % 4]
            one = Occurrence(app="shop", job=job, due_at=due, state=state, note="why")  # type: ignore[arg-type]
            await shop.occurrences.claim(one)
    first = (await shop.overviews.scheduler("shop", [], limit=5)).lost
    behind = (first[-1].due_at, first[-1].job)
    rest = (await shop.overviews.scheduler("shop", [], before=behind)).lost
    seen = [(one.due_at, one.job) for one in (*first, *rest)]
    assert seen == [(due, job) for due in (10, 9, 6, 5, 2, 1) for job in ("mail", "backup")]
    expected = Occurrence(app="shop", job="mail", due_at=10, state="dropped", note="why")
    assert first[0] == expected
    assert (await shop.overviews.scheduler("garden", ["mail"])).lost == []


async def test_the_scheduler_reads_losses_and_newest_runs_in_one_query_by_indexes(
    shop: Store,
) -> None:
    for number in range(1, 6):
        await shop.executions.add(execution("mail", str(number)))
    await shop.executions.add(execution("mail", "9", kind="continuous"))
    with counted(shop) as said:
        found = await shop.overviews.scheduler("shop", ["mail", "backup"], before=(1, "x"))
    assert len(said) == 1
    assert [(job, run.id, run.ended_at) for job, run in found.last.items()] == [("mail", "5", 7)]
    reader = shop.database._reader
    assert reader is not None
    plan = [row["detail"] for row in reader.execute(f"EXPLAIN QUERY PLAN {said[0]}").fetchall()]
    assert any("USING INDEX occurrences_lost" in step for step in plan), plan
    assert not [step for step in plan if "TEMP B-TREE" in step or step == "SCAN occurrences"]
