"""What a pusher sees, line by line."""

from __future__ import annotations

import pytest

from gitdeploy.logs import remote_lines
from gitdeploy.logs.remote import WIDTH, duration


def rendered(*records: dict[str, object], **options: bool) -> str:
    return "\n".join(line for record in records for line in remote_lines(record, **options))


def test_a_deployment_that_succeeds() -> None:
    commit = "4f2c1ab0" + "0" * 32
    assert rendered(
        {"event": "deploy.started", "app": "demo", "commit": commit, "subject": "Add ticker"},
        {"event": "step.started", "step": "checkout"},
        {"event": "step.finished", "step": "checkout", "detail": "31 files", "duration_ms": 12.3},
        {"event": "step.finished", "step": "build", "detail": "no build needed", "duration_ms": 0},
        {"event": "step.finished", "step": "discover", "detail": "3 jobs", "duration_ms": 2},
        {
            "event": "jobs.planned",
            "added": ["continuous/ticker"],
            "kept": ["triggered/report"],
            "changed": ["triggered/mail"],
            "removed": [],
        },
        {
            "event": "job.swapped",
            "job": "ticker",
            "old_pid": 812,
            "new_pid": 907,
            "duration_ms": 340,
        },
        {"event": "deploy.succeeded", "release": 7, "duration_ms": 412, "url": "http://h/ui/demo/"},
    ) == (
        "gitdeploy · demo · 4f2c1ab “Add ticker”\n"
        "checkout   31 files                                                12 ms\n"
        "build      no build needed\n"
        "jobs       + continuous/ticker   = triggered/report   ~ triggered/mail\n"
        "swap       ticker  pid 812 → 907                                  340 ms\n"
        "deployed   release 7 in 0.4 s · http://h/ui/demo/"
    )


def test_a_job_has_one_line_whatever_happened_to_it() -> None:
    assert rendered(
        {"event": "job.started", "job": "fresh", "pid": 906},
        {"event": "job.started", "job": "ticker", "pid": 907, "replaces": 812},
        {"event": "job.swapped", "job": "ticker", "old_pid": 812, "new_pid": 907},
        {"event": "job.stopped", "job": "gone", "pid": 813},
    ) == ("start      fresh  pid 906\nswap       ticker  pid 812 → 907\nstop       gone  pid 813")


def test_a_failure_says_first_what_to_do() -> None:
    assert rendered(
        {
            "event": "deploy.failed",
            "step": "activate",
            "what": "continuous/ticker ended with exit code 1 within its first 3 s.",
            "fix": "Mend the job and push again; the release before it keeps running.",
            "tail": ["Traceback (most recent call last):", "KeyError: 'x'\x1b[2J"],
        }
    ) == (
        "FIX        Mend the job and push again; the release before it keeps running.\n"
        "failed     activate: continuous/ticker ended with exit code 1 within its first 3 s.\n"
        "  │ Traceback (most recent call last):\n"
        "  │ KeyError: 'x'\\x1b[2J"
    )


def test_a_build_shows_its_command_and_its_output() -> None:
    assert rendered(
        {"event": "build.command", "command": "npm ci"},
        {"event": "build.output", "line": "added 3 packages\r", "stream": "stdout"},
        {"event": "build.output", "line": "10%\r20%", "stream": "stdout"},
        {"event": "step.finished", "step": "build", "detail": "npm ci", "duration_ms": 72_400},
    ) == (
        "build      $ npm ci\n"
        "  │ added 3 packages\n"
        "  │ 10%\\x0d20%\n"
        "build      npm ci                                               1 m 12 s"
    )


def test_warnings_and_skipped_deployments() -> None:
    assert rendered(
        {"event": "deploy.warning", "what": "lib is a submodule.", "fix": "Vendor its files."},
        {"event": "deploy.skipped", "what": "Pushed to topic; main is what is deployed."},
    ) == (
        "warning    lib is a submodule.\n"
        "           Vendor its files.\n"
        "skipped    Pushed to topic; main is what is deployed."
    )


def test_what_is_wrong_and_what_to_do_are_one_line_each_however_long() -> None:
    what = 'App_Data/jobs/triggered/weekly/settings.job: schedule = "0 6 * * MON": ' + "why " * 40
    fix = 'Write "0 0 6 * * MON": the first field is the second.'
    assert rendered({"event": "deploy.warning", "what": what, "fix": fix}) == (
        f"warning    {what}\n           {fix}"
    )
    assert rendered({"event": "deploy.warning", "what": what, "fix": ""}) == f"warning    {what}"


def test_many_jobs_are_wrapped() -> None:
    names = [f"triggered/report-{n}" for n in range(9)]
    lines = remote_lines({"event": "jobs.planned", "added": names, "removed": ["continuous/old"]})
    assert len(lines) == 5
    assert all(len(line) <= WIDTH for line in lines)
    assert lines[-1].endswith("- continuous/old")
    assert all(line.startswith("           + ") for line in lines[1:])
    assert remote_lines({"event": "jobs.planned", "added": []}) == ["jobs       none"]


@pytest.mark.parametrize(
    ("milliseconds", "shown"),
    [
        (0, "0 ms"),
        (12.4, "12 ms"),
        (999.4, "999 ms"),
        (999.6, "1.0 s"),
        (1449, "1.4 s"),
        (59_940, "59.9 s"),
        (59_960, "1 m 0 s"),
        (72_000, "1 m 12 s"),
        (3_720_000, "1 h 2 m"),
    ],
)
def test_durations_are_short(milliseconds: float, shown: str) -> None:
    assert duration(milliseconds) == shown


def test_unknown_events_and_missing_fields_break_nothing() -> None:
    assert remote_lines({"event": "job.adopted"}) == []
    assert remote_lines({}) == []
    for event in (
        "deploy.started",
        "deploy.failed",
        "deploy.succeeded",
        "job.swapped",
        "build.output",
    ):
        assert all(isinstance(line, str) for line in remote_lines({"event": event}))


def test_the_header_takes_the_app_from_outside_and_counts_attempts() -> None:
    record = {"event": "deploy.started", "commit": "a" * 40, "subject": "s", "attempt": 2}
    assert remote_lines(record, app="demo") == ["gitdeploy · demo · aaaaaaa “s” · attempt 2"]


def test_colours_only_where_asked_for_and_only_ours() -> None:
    record = {"event": "deploy.failed", "what": "\x1b[5mboo", "fix": "Do it."}
    assert "\x1b" not in rendered(record)
    colored = rendered(record, colors=True)
    assert "\x1b[31mfailed\x1b[0m" in colored
    assert "\x1b[5m" not in colored
    build = {"event": "build.output", "line": "\x1b[32mok"}
    assert remote_lines(build, colors=True) == ["  │ \x1b[32mok\x1b[0m"]
