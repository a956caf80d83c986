"""Where a record goes: the server's log, the app's journal, the deployment's journal."""

from __future__ import annotations

import io
import json
from pathlib import Path

from gitdeploy.clock import SystemClock
from gitdeploy.events import Events
from gitdeploy.home import Home


def open_events(home: Path) -> tuple[Events, io.StringIO]:
    stderr = io.StringIO()
    return Events(Home(home), SystemClock(), instance="1a2b3c", stderr=stderr), stderr


async def test_a_record_has_the_fields_of_the_contract(tmp_path: Path) -> None:
    events, stderr = open_events(tmp_path)
    events.app_log("shop").info("job.started", job="ticker", pid=7, run=None)
    record = json.loads(stderr.getvalue())
    assert record.pop("ts").endswith("Z")
    assert record == {
        "level": "info",
        "event": "job.started",
        "app": "shop",
        "job": "ticker",
        "pid": 7,
        "instance": "1a2b3c",
    }
    assert [e.record["event"] async for e in events.app_journal("shop").read()] == ["job.started"]


async def test_a_deployments_records_are_in_its_own_journal_and_the_apps(tmp_path: Path) -> None:
    events, stderr = open_events(tmp_path)
    log = events.deployment_log("shop", "d" * 40, 2).bind(step="build")
    log.debug("build.output", line="compiling")
    log.info("step.finished")
    for journal in (events.deployment_journal("shop", "d" * 40), events.app_journal("shop")):
        records = [e.record async for e in journal.read()]
        assert [r["event"] for r in records] == ["build.output", "step.finished"]
        assert {r["attempt"] for r in records} == {2}
        assert not any(key.startswith("_") for r in records for key in r)
    assert "build.output" not in stderr.getvalue()
    assert "step.finished" in stderr.getvalue()


async def test_what_belongs_to_no_app_is_in_the_servers_log_alone(tmp_path: Path) -> None:
    events, stderr = open_events(tmp_path)
    events.log.warning("store.slow", seconds=1.5)
    assert json.loads(stderr.getvalue())["level"] == "warning"
    assert not list(tmp_path.rglob("*.ndjson"))
