"""What a job's page asks of the past."""

from __future__ import annotations

from gitdeploy.store import Execution, Store


async def add(store: Store, number: int, **changes: object) -> None:
    known = {
        "app": "shop",
        "kind": "triggered",
        "job": "report",
        "id": f"{number:04}",
        "status": "failed" if number % 3 == 0 else "success",
        "instance": "i",
        "created_at": number,
        "ended_at": number + 1,
        "output_bytes": 10,
    }
    assert await store.executions.add(Execution(**{**known, **changes}))  # type: ignore[arg-type]


async def test_pages_go_from_the_newest_to_the_oldest_and_back(store: Store) -> None:
    await store.apps.create("shop", at=1)
    for number in range(10):
        await add(store, number)
        await add(store, number, job="other")
        await add(store, number, kind="continuous")

    async def page(**where: object) -> list[str]:
        found = await store.history.page("shop", "triggered", "report", limit=4, **where)  # type: ignore[arg-type]
        return [one.id for one in found]

    assert await page() == ["0009", "0008", "0007", "0006"]
    assert await page(before="0006") == ["0005", "0004", "0003", "0002"]
    assert await page(before="0002") == ["0001", "0000"]
    assert await page(after="0001") == ["0005", "0004", "0003", "0002"]
    assert await page(after="0007") == ["0009", "0008"]
    assert await page(states=("failed",)) == ["0009", "0006", "0003", "0000"]
    assert await page(states=("failed",), before="0006") == ["0003", "0000"]
    assert await page(states=("failed", "success"), after="0008") == ["0009"]
    assert await page(before="0000") == []


async def test_executions_are_counted_by_state_for_one_job(store: Store) -> None:
    await store.apps.create("shop", at=1)
    for number in range(10):
        await add(store, number)
    await store.apps.create("elsewhere", at=1)
    await add(store, 99, app="elsewhere")
    history = store.history
    assert await history.counts("shop", "triggered", "report") == {"failed": 4, "success": 6}
    assert await history.counts("shop", "continuous", "report") == {}
    assert await history.output_bytes("shop", "triggered", "report") == 100
    assert await history.output_bytes("shop", "triggered", "none") == 0
