from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from gitdeploy.errors import Conflict, Invalid, NotFound
from gitdeploy.sandbox import Handle, Spec
from gitdeploy.store import Execution
from gitdeploy.supervise import RunRequest
from tests.integration.supervise.conftest import Stages
from tests.integration.supervise.stage import APP, Stage, alive, processes_of
from tests.support import eventually
from tests.unit.supervise.conftest import ManualClock

SLEEPER = "echo started; sleep 60"


async def run(stage: Stage, job: str, arguments: str | None = None) -> Execution:
    return await stage.supervisor.run(
        APP, job, RunRequest(arguments=arguments, trigger="External - test")
    )


async def test_a_run_that_ends_with_0_is_a_success_with_its_output_and_times(stage: Stage) -> None:
    await stage.deploy({"triggered/mail/run.sh": 'echo "$1-$2"; echo oops >&2'})
    started = await run(stage, "mail", "'a b' c")
    assert started.status == "running"
    ended = await stage.supervisor.wait_ended(started)
    assert (ended.status, ended.exit_code, ended.trigger) == ("success", 0, "External - test")
    assert ended == await stage.store.executions.get(APP, "triggered", "mail", started.id)
    assert ended.started_at is not None
    assert ended.ended_at is not None
    assert ended.created_at <= ended.started_at <= ended.ended_at
    assert stage.output(ended) == "a b-c\n"
    assert stage.output(ended, "stderr") == "oops\n"
    end = stage.home.app(APP).execution("triggered", "mail", ended.id) / "end.json"
    assert json.loads(end.read_text()) == {"exit_code": 0, "ended_at": ended.ended_at}
    assert [r["run"] for r in stage.recorded("run.started")] == [ended.id]
    assert [r["exit_code"] for r in stage.recorded("run.ended")] == [0]


async def test_no_output_is_older_than_its_run(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However long the server takes to see that the process is there."""
    await stage.deploy({"triggered/mail/run.sh": 'date +%s%6N; touch "$WEBJOBS_DATA_PATH/wrote"'})
    spawn = stage.holders.spawn

    async def seen_late(spec: Spec) -> Handle:
        handle = await spawn(spec)
        wrote = stage.home.app(APP).job_data("triggered", "mail") / "wrote"
        await eventually(wrote.exists)
        return handle

    monkeypatch.setattr(stage.holders, "spawn", seen_late)
    ended = await stage.supervisor.wait_ended(await run(stage, "mail"))
    assert ended.started_at is not None
    assert ended.created_at <= ended.started_at <= int(stage.output(ended))


async def test_a_run_that_fails_keeps_its_exit_code(stage: Stage) -> None:
    await stage.deploy({"triggered/mail/run.sh": "exit 3"})
    ended = await stage.supervisor.wait_ended(await run(stage, "mail"))
    assert (ended.status, ended.exit_code) == ("failed", 3)


async def test_of_twenty_triggers_at_once_one_runs_and_the_others_are_refused(
    stage: Stage,
) -> None:
    await stage.deploy({"triggered/mail/run.sh": SLEEPER})
    answers = await asyncio.gather(*(run(stage, "mail") for _ in range(20)), return_exceptions=True)
    assert sum(isinstance(answer, Execution) for answer in answers) == 1
    assert sum(isinstance(answer, Conflict) for answer in answers) == 19
    assert len(await stage.store.executions.newest(APP, "triggered", "mail")) == 1


async def test_after_a_run_the_next_one_has_its_holder_ready(stage: Stage) -> None:
    await stage.deploy({"triggered/mail/run.sh": 'echo "$1 $WEBJOBS_RUN_ID"'})
    standby = stage.home.app(APP).standby
    await stage.supervisor.wait_ended(await run(stage, "mail", "first"))
    waiting = await eventually(lambda: list(standby.glob("*/held.json")))
    outer = json.loads(waiting[0].read_text())["outer"]
    second = await run(stage, "mail", "second")
    assert json.loads(second.process or "")["holder"] == outer
    ended = await stage.supervisor.wait_ended(second)
    assert (ended.status, stage.output(ended)) == ("success", f"second {second.id}\n")
    await eventually(lambda: list(standby.glob("*/held.json")))
    await stage.supervisor.forget(APP)
    assert list(standby.iterdir()) == []


async def test_the_next_run_may_start_as_soon_as_the_end_is_told(stage: Stage) -> None:
    await stage.deploy({"triggered/mail/run.sh": "true"})
    for _ in range(5):
        await stage.supervisor.wait_ended(await run(stage, "mail"))
    ids = [r.id for r in await stage.store.executions.newest(APP, "triggered", "mail")]
    assert len(set(ids)) == 5


async def test_a_run_is_stopped_on_request(stage: Stage) -> None:
    await stage.deploy({"triggered/mail/run.sh": SLEEPER})
    started = await run(stage, "mail")
    assert stage.view("mail").status == "Running"
    await stage.supervisor.stop_run(APP, "mail", started.id)
    ended = await stage.store.executions.get(APP, "triggered", "mail", started.id)
    assert ended is not None
    assert (ended.status, ended.exit_code) == ("stopped", 143)
    assert stage.view("mail").status == "Ready"
    with pytest.raises(Conflict):
        await stage.supervisor.stop_run(APP, "mail", started.id)
    with pytest.raises(NotFound):
        await stage.supervisor.stop_run(APP, "mail", "202611240000000000")


async def test_a_run_over_its_timeout_is_ended_and_says_so(stage: Stage) -> None:
    await stage.deploy(
        {"triggered/mail/run.sh": SLEEPER, "triggered/mail/settings.job": '{"timeout": 0.4}'}
    )
    ended = await stage.supervisor.wait_ended(await run(stage, "mail"))
    assert ended.status == "failed"
    assert "0.4 s" in str(ended.error)
    assert "timeout" in str(ended.error)


async def test_a_silent_run_is_ended_after_the_idle_timeout(stage: Stage) -> None:
    await stage.store.apps.merge_settings(APP, {"WEBJOBS_IDLE_TIMEOUT": "0.5"})
    await stage.deploy({"triggered/mail/run.sh": SLEEPER})
    ended = await stage.supervisor.wait_ended(await run(stage, "mail"))
    assert ended.status == "failed"
    assert "WEBJOBS_IDLE_TIMEOUT" in str(ended.error)


async def test_a_run_that_writes_or_computes_is_not_idle(stage: Stage) -> None:
    await stage.store.apps.merge_settings(APP, {"WEBJOBS_IDLE_TIMEOUT": "0.8"})
    await stage.deploy(
        {
            "triggered/mail/run.sh": "for i in 1 2 3 4 5 6 7 8; do echo $i; sleep 0.2; done\n"
            "end=$((SECONDS + 2)); while [ $SECONDS -lt $end ]; do :; done"
        }
    )
    ended = await stage.supervisor.wait_ended(await run(stage, "mail"))
    assert (ended.status, ended.error) == ("success", None)


async def test_what_cannot_run_is_refused_before_anything_is_recorded(stage: Stage) -> None:
    await stage.deploy({"triggered/mail/run.sh": "true", "triggered/odd/notes.txt": "x"})
    with pytest.raises(NotFound):
        await run(stage, "nothing")
    with pytest.raises(Invalid):
        await run(stage, "odd")
    with pytest.raises(Invalid):
        await run(stage, "mail", "'unbalanced")
    await stage.set(WEBJOBS_STOPPED="1")
    with pytest.raises(Conflict, match="WEBJOBS_STOPPED"):
        await run(stage, "mail")
    assert await stage.store.executions.newest(APP, "triggered", "mail") == []


async def test_a_jobs_name_is_found_without_regard_to_case(stage: Stage) -> None:
    await stage.deploy({"triggered/Mail/run.sh": "true"})
    started = await run(stage, "mAIL")
    assert started.job == "Mail"
    await stage.supervisor.wait_ended(started)


async def test_a_leftover_of_a_finished_run_ends_with_it(stage: Stage) -> None:
    await stage.deploy(
        {
            "triggered/mail/run.sh": "setsid sleep 300 &\n"
            "while [ ! -e $WEBJOBS_DATA_PATH/go ]; do sleep 0.05; done"
        }
    )
    started = await run(stage, "mail")

    def sleepers() -> list[int]:
        commands = {p: Path(f"/proc/{p}/cmdline") for p in processes_of(started)}
        return [p for p, c in commands.items() if c.exists() and b"300" in c.read_bytes()]

    (leftover,) = await eventually(sleepers)
    (stage.home.app(APP).job_data("triggered", "mail") / "go").touch()
    assert (await stage.supervisor.wait_ended(started)).status == "success"
    assert not alive(leftover)


async def test_deleting_the_app_ends_its_runs(stage: Stage) -> None:
    await stage.deploy({"triggered/mail/run.sh": SLEEPER})
    started = await run(stage, "mail")
    await stage.supervisor.forget(APP)
    ended = await stage.store.executions.get(APP, "triggered", "mail", started.id)
    assert ended is not None
    assert ended.status == "stopped"
    assert stage.supervisor.jobs(APP) == []
    await eventually(lambda: stage.supervisor.releases_in_use(APP) == set())


class HeldStart:
    """A run whose process is about to be started, and isn't before `let_go`."""

    def __init__(self, stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
        self.reached, self._go_on = asyncio.Event(), asyncio.Event()
        spawn = stage.holders.spawn

        async def held(spec: Spec) -> Handle:
            self.reached.set()
            await self._go_on.wait()
            return await spawn(spec)

        monkeypatch.setattr(stage.holders, "spawn", held)

    def let_go(self) -> None:
        self._go_on.set()


async def _started_under(
    stage: Stage, monkeypatch: pytest.MonkeyPatch, change: Callable[[], Awaitable[None]]
) -> Execution:
    """A run during whose start something changes; as it was recorded at its end."""
    await stage.deploy({"triggered/mail/run.sh": SLEEPER})
    start = HeldStart(stage, monkeypatch)
    starting = asyncio.create_task(run(stage, "mail"))
    await start.reached.wait()
    changing = asyncio.ensure_future(change())
    # it has changed the app, or waits for the start
    await eventually(lambda: changing.done() or not stage.supervisor.jobs(APP))
    start.let_go()
    started = await starting
    await asyncio.wait_for(changing, 20)
    return started


async def test_a_run_that_is_being_started_when_all_jobs_are_stopped_is_ended(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    started = await _started_under(stage, monkeypatch, lambda: stage.set(WEBJOBS_STOPPED="1"))
    ended = await asyncio.wait_for(stage.supervisor.wait_ended(started), 20)
    assert ended.status == "stopped"


async def test_a_run_that_is_being_started_when_the_app_goes_is_ended_before_it_is_gone(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    started = await _started_under(stage, monkeypatch, lambda: stage.supervisor.forget(APP))
    ended = await stage.store.executions.get(APP, "triggered", "mail", started.id)
    assert ended is not None
    assert ended.status == "stopped"


async def test_a_run_that_is_being_started_when_its_job_is_deleted_is_forgotten_with_it(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def deleted() -> None:
        async def forget() -> None:
            await stage.store.executions.forget_job(APP, "triggered", "mail")

        await stage.store.uploads.remove(APP, "triggered", "mail", release=1)
        await stage.supervisor.forget_job(APP, "triggered", "mail", forget)

    started = await _started_under(stage, monkeypatch, deleted)
    assert not processes_of(started)
    assert await stage.store.executions.newest(APP, "triggered", "mail") == []


async def test_a_run_that_is_being_started_when_the_server_ends_goes_on_or_ends_with_it(
    stages: Stages, monkeypatch: pytest.MonkeyPatch
) -> None:
    for stop_jobs, status in ((False, "running"), (True, "aborted")):
        stage = await stages()
        await stage.deploy({"triggered/mail/run.sh": SLEEPER})
        start = HeldStart(stage, monkeypatch)
        starting = asyncio.create_task(run(stage, "mail"))
        await start.reached.wait()
        closing = asyncio.create_task(stages.close(stage, stop_jobs=stop_jobs))
        await asyncio.wait({closing}, timeout=0.2)
        start.let_go()
        started = await starting
        await closing
        next_one = await stages()
        found = await next_one.store.executions.get(APP, "triggered", "mail", started.id)
        assert found is not None
        assert found.status == status
        if not stop_jobs:
            await next_one.supervisor.stop_run(APP, "mail", started.id)
        await stages.close(next_one, stop_jobs=True)


async def test_a_run_that_a_crash_left_while_all_jobs_were_being_stopped_is_ended(
    stages: Stages,
) -> None:
    stage = await stages()
    await stage.deploy({"triggered/mail/run.sh": SLEEPER})
    started = await run(stage, "mail")
    await stage.store.apps.merge_settings(APP, {"WEBJOBS_STOPPED": "1"})
    await stages.close(stage, stop_jobs=False)
    next_one = await stages()
    ended = await asyncio.wait_for(next_one.supervisor.wait_ended(started), 20)
    assert ended.status == "stopped"


async def test_ids_ascend_even_when_the_clock_was_set_back(stages: Stages) -> None:
    clock = ManualClock()
    stage = await stages(clock=clock, swap_grace=0.0)
    await stage.store.apps.merge_settings(APP, {"WEBJOBS_HISTORY_SIZE": "2"})
    await stage.deploy({"triggered/mail/run.sh": "true"})
    ids = []
    for _ in range(3):
        started = await run(stage, "mail")
        await stage.supervisor.wait_ended(started)
        ids.append(started.id)
        clock.step(-3600)
    assert ids == sorted(ids)

    async def kept() -> list[str]:
        return [r.id for r in await stage.store.executions.newest(APP, "triggered", "mail")]

    await eventually(lambda: _is(kept, ids[:0:-1]))


async def _is(ask: Callable[[], Awaitable[list[str]]], expected: list[str]) -> bool:
    return await ask() == expected


async def test_a_body_is_what_the_script_reads(stage: Stage) -> None:
    await stage.deploy({"triggered/mail/run.sh": "cat; echo; echo end"})
    first = await run(stage, "mail")  # without one there is nothing to read
    assert stage.output(await stage.supervisor.wait_ended(first)) == "\nend\n"
    body = RunRequest(trigger="t", body=b'{"ref": "caf\xc3\xa9"}', who="ci")
    ended = await stage.supervisor.wait_ended(await stage.supervisor.run(APP, "mail", body))
    assert stage.output(ended) == '{"ref": "café"}\nend\n'
    assert ended.who == "ci"


async def test_what_a_run_used_is_on_record(stage: Stage) -> None:
    script = (
        "import time\nx = bytearray(60_000_000)\nend = time.process_time() + 0.5\n"
        "while time.process_time() < end: pass\nprint('x' * 999)\n"
    )
    await stage.deploy({"triggered/mail/run.py": script})
    ended = await stage.supervisor.wait_ended(await run(stage, "mail"))
    assert ended.cpu_seconds is not None
    assert ended.peak_memory is not None
    assert 0.1 <= ended.cpu_seconds < 10
    assert 60_000_000 < ended.peak_memory < 1_000_000_000
    assert ended.output_bytes == 1000
    assert ended == await stage.store.executions.get(APP, "triggered", "mail", ended.id)


async def test_the_same_idempotency_key_is_the_same_run_for_a_day(
    stages: Stages,
) -> None:
    clock = ManualClock()
    stage = await stages(clock=clock)
    await stage.deploy({"triggered/mail/run.sh": "true"})
    request = RunRequest(trigger="t", key="k-1")
    first = await stage.supervisor.run(APP, "mail", request)
    ended = await stage.supervisor.wait_ended(first)
    again = await stage.supervisor.run(APP, "mail", request)
    assert again == ended
    other = await stage.supervisor.run(APP, "mail", RunRequest(trigger="t", key="k-2"))
    await stage.supervisor.wait_ended(other)
    assert other.id != first.id
    await clock.advance(86_401)
    later = await stage.supervisor.run(APP, "mail", request)
    assert later.id not in (first.id, other.id)
    await stage.supervisor.wait_ended(later)


async def test_twenty_requests_with_one_key_at_once_are_one_run(stage: Stage) -> None:
    await stage.deploy({"triggered/mail/run.sh": SLEEPER})
    request = RunRequest(trigger="t", key="k")
    runs = await asyncio.gather(*(stage.supervisor.run(APP, "mail", request) for _ in range(20)))
    assert len({each.id for each in runs}) == 1
    with pytest.raises(Conflict):
        await stage.supervisor.run(APP, "mail", RunRequest(trigger="t", key="other"))


async def test_overlapping_runs_stand_beside_each_other_and_end_one_by_one(stage: Stage) -> None:
    await stage.deploy({"triggered/mail/run.sh": SLEEPER})
    first = await run(stage, "mail")
    request = RunRequest(trigger="t", overlapping=True)
    second = await stage.supervisor.run(APP, "mail", request)
    third = await stage.supervisor.run(APP, "mail", request)
    assert len({first.id, second.id, third.id}) == 3
    await stage.supervisor.stop_run(APP, "mail", second.id)
    states = {e.id: e.status for e in await stage.store.executions.newest(APP, "triggered", "mail")}
    assert states == {first.id: "running", second.id: "stopped", third.id: "running"}
    await stage.supervisor.stop_run(APP, "mail", third.id)
    await stage.supervisor.stop_run(APP, "mail", first.id)


async def test_old_runs_go_by_age_and_by_bytes(stages: Stages) -> None:
    clock = ManualClock()
    stage = await stages(clock=clock)
    await stage.deploy({"triggered/mail/run.sh": "head -c 400000 /dev/zero"})

    async def kept(expected: int) -> None:
        async def so_many() -> bool:
            return len(await stage.store.executions.newest(APP, "triggered", "mail")) == expected

        await eventually(so_many, what=f"{expected} runs")

    for _ in range(4):
        await stage.supervisor.wait_ended(await run(stage, "mail"))
    await kept(4)
    await stage.set(WEBJOBS_HISTORY_MB="1")
    await stage.supervisor.wait_ended(await run(stage, "mail"))
    await kept(2)
    await stage.set(WEBJOBS_HISTORY_DAYS="2")
    await clock.advance(3 * 86_400)
    await stage.supervisor.wait_ended(await run(stage, "mail"))
    await kept(1)
