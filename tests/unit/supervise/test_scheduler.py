from __future__ import annotations

import io
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, cast
from zoneinfo import ZoneInfo

import pytest

from gitdeploy.clock import from_datetime, to_datetime
from gitdeploy.config import Options
from gitdeploy.errors import Conflict
from gitdeploy.events import Events
from gitdeploy.home import Home
from gitdeploy.jobs import JobSettings
from gitdeploy.jobs.recurrence import Recurrence
from gitdeploy.store import Execution, Occurrence, Store
from gitdeploy.supervise import RunRequest
from gitdeploy.supervise.context import Context
from gitdeploy.supervise.occasion import MOST_QUEUED
from gitdeploy.supervise.plan import Wish
from gitdeploy.supervise.scheduler import NAP, Scheduler
from tests.support import eventually
from tests.unit.supervise.conftest import ManualClock

BERLIN = ZoneInfo("Europe/Berlin")


def at(text: str, zone: Any = UTC) -> int:
    """Microseconds of a wall clock time."""
    return from_datetime(datetime.fromisoformat(text).replace(tzinfo=zone))


class World:
    """A store that survives, a clock that is moved, and servers that come and go."""

    def __init__(self, root: Path, start: str) -> None:
        self.clock = ManualClock(at(start))
        self.store = Store(root / "gitdeploy.db")
        self.store.open()
        self.stderr = io.StringIO()
        home = Home(root)
        self.events = Events(home, self.clock, instance="1a2b3c", stderr=self.stderr)
        nothing = cast("Any", None)
        self.context = Context(
            home, self.store, self.events, self.clock, Options(), nothing, nothing, "1a2b3c"
        )
        self.started: list[int] = []
        self.requests: list[RunRequest] = []
        self.fails_with: Exception | None = None
        self.scheduler: Scheduler | None = None

    async def run(self, app: str, job: str, request: RunRequest) -> Execution:
        if self.fails_with is not None:
            raise self.fails_with
        self.started.append(self.clock.now())
        self.requests.append(request)
        execution = Execution(
            app=app,
            kind="triggered",
            job=job,
            id=f"run-{len(self.started)}",
            status="success",
            instance="1a2b3c",
            created_at=self.clock.now(),
            ended_at=self.clock.now(),
            trigger=request.trigger,
            scheduled_for=request.scheduled_for,
        )
        await self.store.executions.add(execution)
        return execution

    async def up(self, *wishes: Wish, nap: float = 1e9) -> Scheduler:
        await self.store.apps.create("shop", at=self.clock.now())
        self.scheduler = Scheduler(self.context, self.run, nap=nap)
        await self.scheduler.load()
        self.scheduler.set("shop", wishes)
        await self.scheduler.start()
        self.clock.idle = self.at_rest
        await self.clock.settle()
        return self.scheduler

    def at_rest(self) -> bool:
        """Nothing is being dealt with, and the loop sleeps (for ever where nothing is due)."""
        scheduler = self.scheduler
        if scheduler is None:
            return True
        waits = self.clock.sleeping or all(p.wish.asleep for p in scheduler._plans.values())
        return bool(waits) and not scheduler._dealing and not scheduler._changed.is_set()

    async def down(self) -> None:
        if self.scheduler is not None:
            await self.scheduler.close()
            self.scheduler = None

    async def occurrences(self, job: str = "mail") -> list[Occurrence]:
        return (await self.store.occurrences.newest("shop", job, limit=1000))[::-1]

    def local(self, zone: Any = BERLIN) -> list[str]:
        return [f"{to_datetime(t).astimezone(zone):%m-%d %H:%M:%S}" for t in self.started]

    def said(self, event: str) -> list[str]:
        tail = self.events.app_journal("shop").tail(1000)
        return [e.record.get("what", "") for e in tail if e.record["event"] == event]


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    made = World(tmp_path, "2026-03-02T12:00:00")
    yield made
    await made.down()
    made.events.close()
    made.store.close()


def wish(job: str, expression: str, zone: str | None) -> Wish:
    return Wish(job, JobSettings(schedule=expression, timezone=zone))


def daily(time: str = "0 30 2 * * *") -> Wish:
    return wish("mail", time, "Europe/Berlin")


EVERY_5 = wish("mail", "0 */5 * * * *", "UTC")
HOURLY = wish("mail", "0 0 * * * *", "UTC")


async def test_each_due_time_runs_once_and_is_on_record_with_its_run(world: World) -> None:
    scheduler = await world.up(EVERY_5)
    assert scheduler.next_due("shop", "mail") == at("2026-03-02T12:05:00")
    await world.clock.advance(899)
    assert world.local(UTC) == ["03-02 12:05:00", "03-02 12:10:00"]
    found = await world.occurrences()
    assert [(o.due_at, o.state, o.run) for o in found] == [
        (at("2026-03-02T12:05:00"), "started", "run-1"),
        (at("2026-03-02T12:10:00"), "started", "run-2"),
    ]
    run = await world.store.executions.get("shop", "triggered", "mail", "run-1")
    assert run is not None
    assert run.trigger == "Schedule - 0 */5 * * * *"


async def test_it_sleeps_until_the_next_due_time_or_for_ever(world: World) -> None:
    await world.up(HOURLY)
    assert world.clock.sleeping == [3600.0]
    assert world.scheduler is not None
    world.scheduler.set("shop", [])
    await world.clock.settle()
    assert world.clock.sleeping == []


async def test_clocks_forward_runs_the_lost_time_behind_the_gap_once(world: World) -> None:
    world.clock.step(26 * 86_400)  # 28 March, the night before the change
    await world.up(daily())
    await world.clock.advance(2.5 * 86_400)
    assert world.local() == ["03-29 03:00:00", "03-30 02:30:00"]


async def test_clocks_back_runs_the_doubled_time_once(world: World) -> None:
    world.clock.step((at("2026-10-24T12:00:00") - world.clock.now()) / 1e6)
    await world.up(daily())
    await world.clock.advance(2 * 86_400)
    assert world.local() == ["10-25 02:30:00", "10-26 02:30:00"]


async def test_due_times_of_long_ago_are_forgotten_and_not_missed_again(world: World) -> None:
    old = Occurrence(app="shop", job="night", due_at=at("2025-01-01T03:00:00"), state="started")
    await world.store.apps.create("shop", at=0)
    await world.store.occurrences.claim(old)
    await world.up(wish("night", "0 0 3 1 1 *", "UTC"))
    await eventually(lambda: _forgotten(world))
    assert world.started == []


async def _forgotten(world: World) -> bool:
    return all(
        o.due_at != at("2025-01-01T03:00:00")
        for o in await world.store.occurrences.newest("shop", "night")
    )


async def test_a_year_of_nights_has_365_runs(world: World) -> None:
    await world.up(daily())
    await world.clock.advance(365 * 86_400)
    days = {text[:5] for text in world.local()}
    assert len(world.started) == len(days) == 365


async def test_a_restart_repeats_nothing(world: World) -> None:
    await world.up(EVERY_5)
    await world.clock.advance(301)
    await world.down()
    world.clock.step(10)
    await world.up(EVERY_5)
    await world.clock.advance(60)
    assert world.local(UTC) == ["03-02 12:05:00"]


async def test_what_was_missed_for_less_than_ten_minutes_runs_once_after_the_restart(
    world: World,
) -> None:
    await world.up(HOURLY)
    await world.clock.advance(3500)
    await world.down()
    world.clock.step(500)
    await world.up(HOURLY)
    assert world.local(UTC) == ["03-02 13:06:40"]
    assert [(o.due_at, o.state) for o in await world.occurrences()] == [
        (at("2026-03-02T13:00:00"), "started")
    ]


async def test_what_was_missed_longer_ago_is_only_recorded(world: World) -> None:
    await world.up(HOURLY)
    await world.down()
    world.clock.step(3 * 3600 + 601)
    await world.up(HOURLY)
    assert world.started == []
    (missed,) = await world.occurrences()
    note = "Missed 3 schedules, most recent at 2026-03-02T15:00:00.000000Z"
    assert (missed.state, missed.note) == ("missed", note)
    assert world.said("schedule.missed") == [note]


async def test_of_many_missed_ones_the_latest_runs_and_the_others_are_recorded(
    world: World,
) -> None:
    await world.up(EVERY_5)
    await world.down()
    world.clock.step(3600)
    await world.up(EVERY_5)
    assert world.local(UTC) == ["03-02 13:00:00"]
    note = "Missed 11 schedules, most recent at 2026-03-02T12:55:00.000000Z"
    assert world.said("schedule.missed") == [note]


async def test_a_schedule_that_was_never_due_before_the_server_went_down_counts_too(
    world: World,
) -> None:
    await world.up(wish("mail", "0 0 13 * * *", "UTC"))
    await world.clock.advance(10)
    # kill -9: no orderly close writes anything
    assert world.scheduler is not None
    killed, world.scheduler = world.scheduler, None
    assert killed._loop is not None
    killed._loop.cancel()
    world.clock.step(3700)
    await world.up(wish("mail", "0 0 13 * * *", "UTC"))
    assert len(world.started) == 1


async def test_a_new_or_changed_schedule_begins_now(world: World) -> None:
    scheduler = await world.up(HOURLY)
    await world.clock.advance(7000)
    scheduler.set("shop", [EVERY_5, wish("other", "0 0 12 * * *", "UTC")])
    await world.clock.settle()
    assert len(world.started) == 1
    assert world.said("schedule.missed") == []
    await world.clock.advance(300)
    assert len(world.started) == 2


async def test_a_due_time_while_the_job_runs_is_dropped(world: World) -> None:
    await world.up(EVERY_5)
    world.fails_with = Conflict("A run of mail is under way.")
    await world.clock.advance(301)
    (dropped,) = await world.occurrences()
    assert (dropped.state, dropped.run) == ("dropped", None)
    assert dropped.note == "Dropped: A run of mail is under way."
    assert world.said("schedule.dropped") == ["A run of mail is under way."]


async def test_an_unexpected_failure_is_logged_and_the_next_due_time_runs(world: World) -> None:
    await world.up(EVERY_5)
    world.fails_with = RuntimeError("a bug")
    await world.clock.advance(301)
    assert "a bug" in world.stderr.getvalue()
    world.fails_with = None
    await world.clock.advance(300)
    assert world.local(UTC) == ["03-02 12:10:00"]


async def test_a_clock_set_forward_is_seen_within_a_nap(world: World) -> None:
    await world.up(HOURLY, nap=NAP)
    await world.clock.advance(5)
    world.clock.step(3600)  # 13:00:05
    await world.clock.advance(NAP)
    assert world.local(UTC) == ["03-02 13:01:00"]


async def test_a_clock_set_back_an_hour_repeats_nothing(world: World) -> None:
    await world.up(EVERY_5, nap=NAP)
    await world.clock.advance(1801)
    assert len(world.started) == 6
    world.clock.step(-1800)
    await world.clock.advance(1790)
    assert len(world.started) == 6
    await world.clock.advance(310)
    assert len(world.started) == 7


async def test_a_clock_set_back_a_day_goes_on_from_there(world: World) -> None:
    await world.up(EVERY_5, nap=NAP)
    await world.clock.advance(301)
    world.clock.step(-86_400)
    await world.clock.advance(NAP + 300)
    assert len(world.started) == 2


async def test_a_claim_that_a_crash_left_without_its_run_is_made_up_for_once(
    world: World,
) -> None:
    await world.store.apps.create("shop", at=0)
    due = at("2026-03-02T11:55:00")
    claim = Occurrence(app="shop", job="mail", due_at=due, state="started")
    await world.store.occurrences.claim(claim)
    await world.up(EVERY_5)
    assert len(world.started) == 1
    assert [(o.state, o.run) for o in await world.occurrences()] == [("started", "run-1")]
    await world.down()
    await world.up(EVERY_5)
    assert len(world.started) == 1


async def test_a_claim_whose_run_was_recorded_is_settled_with_it(world: World) -> None:
    await world.store.apps.create("shop", at=0)
    due = world.clock.now() - 60_000_000
    await world.store.occurrences.claim(
        Occurrence(app="shop", job="mail", due_at=due, state="started")
    )
    await world.run("shop", "mail", RunRequest(trigger="Schedule", scheduled_for=due))
    await world.up(EVERY_5)
    assert [(o.state, o.run) for o in await world.occurrences()] == [("started", "run-1")]
    assert len(world.started) == 1


async def test_an_old_claim_without_a_run_becomes_a_missed_one(world: World) -> None:
    await world.store.apps.create("shop", at=0)
    due = at("2026-03-02T11:00:00")
    await world.store.occurrences.claim(
        Occurrence(app="shop", job="mail", due_at=due, state="started")
    )
    await world.up(HOURLY)
    assert world.started == []
    assert (await world.occurrences())[0].state == "missed"


async def test_a_schedule_that_no_longer_parses_does_not_stop_the_others(world: World) -> None:
    await world.up(wish("bad", "0 0 0 0 0 0", None), EVERY_5)
    await world.clock.advance(301)
    assert len(world.started) == 1
    assert world.said("schedule.refused")


def often(overlap: str, *, asleep: bool = False) -> Wish:
    settings = JobSettings(schedule="0 * * * * *", timezone="UTC", overlap=overlap)  # type: ignore[arg-type]
    return Wish("mail", settings, asleep)


async def test_a_due_time_waits_for_the_run_before_it_where_the_job_queues(world: World) -> None:
    scheduler = await world.up(often("queue"))
    world.fails_with = Conflict("A run of mail is under way.")
    await world.clock.advance(121)
    assert [o.state for o in await world.occurrences()] == ["queued", "queued"]
    world.fails_with = None
    for number in (1, 2):
        scheduler.ended("shop", "mail")
        await world.clock.settle()
        assert len(world.started) == number
    scheduler.ended("shop", "mail")
    await world.clock.settle()
    assert [(o.state, o.run) for o in await world.occurrences()] == [
        ("started", "run-1"),
        ("started", "run-2"),
    ]


async def test_what_waits_goes_on_waiting_while_a_run_is_under_way_again(world: World) -> None:
    scheduler = await world.up(often("queue"))
    world.fails_with = Conflict("A run of mail is under way.")
    await world.clock.advance(61)
    scheduler.ended("shop", "mail")
    await world.clock.settle()
    assert [o.state for o in await world.occurrences()] == ["queued"]
    await world.down()
    world.fails_with = None
    await world.up(often("queue"))  # the next server knows of it
    assert (await world.occurrences())[0].run == "run-1"


async def test_only_so_many_due_times_wait(world: World) -> None:
    await world.up(often("queue"))
    world.fails_with = Conflict("A run of mail is under way.")
    await world.clock.advance(60 * (MOST_QUEUED + 3))
    states = [o.state for o in await world.occurrences()]
    assert states == ["queued"] * MOST_QUEUED + ["dropped"] * 3


async def test_a_run_may_start_beside_others_where_the_job_allows_it(world: World) -> None:
    await world.up(often("allow"))
    await world.clock.advance(61)
    assert [request.overlapping for request in world.requests] == [True]
    assert world.requests[0].scheduled_for == world.started[0]


async def test_the_schedules_of_a_sleeping_app_wait_and_tell_what_was_missed(world: World) -> None:
    scheduler = await world.up(often("drop", asleep=True))
    await world.clock.advance(3 * 3600)
    assert world.started == []
    assert scheduler.next_due("shop", "mail") is not None
    scheduler.set("shop", [often("drop")])
    await world.clock.settle()
    assert len(world.started) == 1  # the latest is less than ten minutes old
    assert [o.state for o in await world.occurrences()] == ["missed", "started"]
    assert "Missed 179 schedules" in world.said("schedule.missed")[0]


def every_seven_minutes() -> Wish:
    recurrence = Recurrence(frequency="minute", interval=7)
    return Wish("mail", JobSettings(recurrence=recurrence, timezone="UTC"))


async def test_a_recurrence_counts_from_when_it_was_first_seen_across_restarts(
    world: World,
) -> None:
    scheduler = await world.up(every_seven_minutes())
    first = scheduler.next_due("shop", "mail")
    assert first is not None
    await world.clock.advance(2)
    assert world.started == [first]
    await world.down()
    await world.clock.advance(3 * 60)
    again = await world.up(every_seven_minutes())
    second = first + 7 * 60_000_000
    assert again.next_due("shop", "mail") == second
    await world.clock.advance(8 * 60)
    assert world.started == [first, second]
    assert world.requests[0].trigger.startswith("Schedule - ")


async def test_ten_thousand_schedules_wake_the_loop_only_when_one_is_due(world: World) -> None:
    wishes = [
        Wish(f"job-{n}", JobSettings(schedule=f"{n % 60} {n % 59} 3 * * *", timezone="UTC"))
        for n in range(10_000)
    ]
    scheduler = await world.up(*wishes)
    wakes = 0
    first = scheduler._first

    def counted() -> Any:
        nonlocal wakes
        wakes += 1
        return first()

    scheduler._first = counted  # type: ignore[method-assign]
    await world.clock.advance(3600)  # 12:00 to 13:00: nothing is due
    assert world.started == []
    assert wakes < 10
