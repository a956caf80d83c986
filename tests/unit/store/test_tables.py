"""The table families, through the methods that others call."""

from __future__ import annotations

import asyncio

import msgspec
import pytest

from gitdeploy.store import (
    AuditEntry,
    Deployment,
    Execution,
    Occurrence,
    Session,
    Store,
    Token,
)

ID = "d" * 40


@pytest.fixture
async def shop(store: Store) -> Store:
    await store.apps.create("shop", at=1)
    return store


def deployment(**changes: object) -> Deployment:
    values = dict(
        app="shop", id=ID, attempt=0, status="pending", received_at=5, instance="i", trigger="push"
    )
    return Deployment(**{**values, **changes})  # type: ignore[arg-type]


def execution(**changes: object) -> Execution:
    values = dict(
        app="shop",
        kind="triggered",
        job="mail",
        id="1",
        status="initializing",
        instance="i",
        created_at=3,
    )
    return Execution(**{**values, **changes})  # type: ignore[arg-type]


async def test_an_app_is_created_once(store: Store) -> None:
    created = await asyncio.gather(*(store.apps.create("shop", at=1) for _ in range(10)))
    assert sorted(created) == [False] * 9 + [True]


async def test_attributes_are_merged_and_none_removes(shop: Store) -> None:
    await shop.apps.update("shop", {"branch": "live", "locked": "holidays"})
    app = await shop.apps.update("shop", {"locked": None})
    assert app is not None
    assert (app.branch, app.locked) == ("live", None)
    assert await shop.apps.update("nobody", {"branch": "x"}) is None


async def test_an_app_that_is_being_deleted_is_hidden_until_it_is_gone(shop: Store) -> None:
    await shop.deployments.begin(deployment())
    assert await shop.apps.mark_deleting("shop")
    assert await shop.apps.get("shop") is None
    assert await shop.apps.deleting() == ["shop"]
    await shop.apps.delete("shop")
    assert await shop.deployments.get("shop", ID) is None
    assert await shop.apps.create("shop", at=2)


async def test_settings_are_merged_and_removed_together(shop: Store) -> None:
    await shop.apps.merge_settings("shop", {"A": "1", "B": "2"})
    await shop.apps.merge_settings("shop", {"B": "3"}, remove=["A"])
    assert await shop.apps.settings("shop") == {"B": "3"}


async def test_a_token_is_found_by_its_hash_and_takes_its_sessions_along(store: Store) -> None:
    token = Token(
        id="t1", name="ci", scopes=["deploy"], apps=["shop"], expires_at=None, created_at=1
    )
    await store.tokens.add(token, "hash")
    session = Session(token_id="t1", form_token="f", created_at=1, expires_at=100)
    await store.sessions.add("cookie", session)
    assert await store.tokens.by_hash("hash") == token
    assert await store.sessions.get("cookie", at=99) == session
    assert await store.sessions.get("cookie", at=100) is None
    assert await store.tokens.delete("t1")
    assert await store.sessions.get("cookie", at=2) is None
    assert not await store.tokens.delete("t1")


async def test_a_delivery_is_new_once_a_day(shop: Store) -> None:
    assert await shop.deliveries.first("shop", "x", at=0)
    assert not await shop.deliveries.first("shop", "x", at=86_000_000_000)
    assert await shop.deliveries.first("shop", "x", at=86_400_000_001)


async def test_the_audit_log_is_newest_first(store: Store) -> None:
    for n in range(3):
        await store.audit.add(
            AuditEntry(at=n, who="ada", what="push", target="shop", address="::1", result="ok")
        )
    assert [entry.at for entry in await store.audit.newest(limit=2)] == [2, 1]


async def test_deploying_again_is_a_new_attempt_that_keeps_the_last_success(shop: Store) -> None:
    first = await shop.deployments.begin(deployment(message="one"))
    release = await shop.releases.add("shop", ID, at=6)
    await shop.releases.activate("shop", release.number, [], at=7)
    again = await shop.deployments.begin(deployment(message="two", received_at=9))
    assert (first.attempt, again.attempt) == (1, 2)
    assert (again.message, again.release, again.last_success_at) == ("two", 1, 7)
    assert again.active


async def test_a_state_is_left_once(shop: Store) -> None:
    await shop.deployments.begin(deployment())
    won = await asyncio.gather(
        *(shop.deployments.advance("shop", ID, "pending", "building") for _ in range(5))
    )
    assert sorted(won) == [False] * 4 + [True]
    assert [d.id for d in await shop.deployments.unfinished("i")] == [ID]
    assert await shop.deployments.unfinished("another") == []


async def test_exactly_one_release_is_active_and_its_jobs_are_the_desired_ones(
    shop: Store,
) -> None:
    await shop.deployments.begin(deployment())
    one = await shop.releases.add("shop", ID, at=1)
    two = await shop.releases.add("shop", ID, at=2)
    await shop.releases.activate("shop", one.number, [("triggered", "mail", "{}")], at=3)
    await shop.releases.activate("shop", two.number, [("continuous", "ticker", "{}")], at=4)
    active = await shop.releases.active("shop")
    assert active is not None
    assert active.number == 2
    assert [(r.kind, r.name, r.release) for r in await shop.jobs.desired("shop")] == [
        ("continuous", "ticker", 2)
    ]
    assert not await shop.deployments.delete("shop", ID)
    await shop.releases.prune("shop", [1, 2], at=5)
    assert [r.number for r in await shop.releases.on_disk("shop")] == [2]
    kept = await shop.releases.of_deployment("shop", ID)
    assert kept is not None
    assert kept.number == 2


async def test_a_stopped_job_stays_stopped_until_it_is_started(shop: Store) -> None:
    await shop.jobs.set_disabled("shop", "continuous", "ticker", True)
    await shop.jobs.set_disabled("shop", "continuous", "ticker", True)
    assert await shop.jobs.disabled() == {("shop", "continuous", "ticker")}
    await shop.jobs.set_disabled("shop", "continuous", "ticker", False)
    assert await shop.jobs.disabled("shop") == set()


async def test_one_run_of_a_triggered_job_at_a_time(shop: Store) -> None:
    added = await asyncio.gather(*(shop.executions.add(execution(id=str(n))) for n in range(10)))
    assert added.count(True) == 1
    run = (await shop.executions.open("i"))[0]
    assert await shop.executions.advance(run, "initializing", "success", ended_at=9, exit_code=0)
    assert not await shop.executions.advance(run, "initializing", "failed")
    assert await shop.executions.add(execution(id="99"))
    assert (await shop.executions.latest("shop"))["mail"].id == "99"


async def test_continuous_processes_may_overlap(shop: Store) -> None:
    for n in range(3):
        assert await shop.executions.add(execution(kind="continuous", job="ticker", id=str(n)))
    assert len(await shop.executions.open("i")) == 3


async def test_only_ended_executions_are_forgotten(shop: Store) -> None:
    for n in range(5):
        row = execution(kind="continuous", job="ticker", id=str(n))
        await shop.executions.add(row)
        if n != 0:
            await shop.executions.advance(row, "initializing", "success", ended_at=n)
    assert await shop.executions.prune("shop", "continuous", "ticker", 2) == ["2", "1"]
    left = await shop.executions.newest("shop", "continuous", "ticker")
    assert [row.id for row in left] == ["4", "3", "0"]


async def test_a_due_time_is_claimed_once(shop: Store) -> None:
    due = Occurrence(app="shop", job="mail", due_at=60, state="started", run="1")
    assert await shop.occurrences.claim(due)
    assert not await shop.occurrences.claim(due)
    await shop.occurrences.settle(msgspec.structs.replace(due, state="dropped", run=None))
    latest = await shop.occurrences.latest("shop", "mail")
    assert latest is not None
    assert (latest.state, latest.run) == ("dropped", None)
    await shop.occurrences.prune(61)
    assert await shop.occurrences.newest("shop", "mail") == []


async def test_old_deployments_are_forgotten_but_not_what_is_needed(shop: Store) -> None:
    for number in range(6):
        await shop.deployments.begin(deployment(id=f"{number}", received_at=number))
        if number != 2:  # 2 is under way
            await shop.deployments.advance("shop", f"{number}", "pending", "failed")
    active = await shop.releases.add("shop", "0", at=1)
    await shop.releases.activate("shop", active.number, [], at=1)
    await shop.releases.add("shop", "1", at=1)  # on the disk
    assert await shop.deployments.prune("shop", keep=2) == ["3"]
    assert [d.id for d in await shop.deployments.newest("shop")] == ["5", "4", "2", "1", "0"]
    assert await shop.deployments.prune("shop", keep=2) == []


async def test_a_delivery_in_hand_is_not_new_and_one_that_failed_may_come_again(
    shop: Store,
) -> None:
    taking = shop.deliveries.taking
    with pytest.raises(RuntimeError):
        async with taking("shop", "y", at=0) as new:
            assert new
            async with taking("shop", "y", at=0) as again:
                assert not again
            raise RuntimeError
    async with taking("shop", "y", at=0) as new:
        assert new
    async with taking("shop", "y", at=1) as new:
        assert not new


async def test_where_an_app_was_fetched_from_goes_with_the_app(shop: Store) -> None:
    assert await shop.origins.get("shop") is None
    for url in ("https://a/r.git", "https://b/r.git"):
        await shop.origins.remember("shop", url)
        assert await shop.origins.get("shop") == url
    await shop.apps.delete("shop")
    assert await shop.origins.get("shop") is None
