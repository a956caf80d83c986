"""Discovery: Kudu's rules on real directories; any tree of names gives a result."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gitdeploy.jobs import HostMissing, Job, Problem, command, discover, host_error, with_settings
from gitdeploy.jobs.scripts import NO_SCRIPT, find_script

Write = Callable[..., Path]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    def write(path: str, text: str = "", *, mode: int = 0o644) -> Path:
        file = tmp_path / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
        file.chmod(mode)
        return file

    return write


def one(root: Path) -> tuple[Job, list[Problem]]:
    jobs, problems = discover(root)
    assert len(jobs) == 1, jobs
    return jobs[0], problems


def test_both_kinds_are_found_and_sorted(tmp_path: Path, write: Write) -> None:
    for path in ("triggered/b/run.sh", "continuous/z/run.py", "triggered/a/run.js"):
        write(f"App_Data/jobs/{path}")
    jobs, problems = discover(tmp_path)
    assert problems == []
    assert [(j.kind, j.name, j.directory, j.script, j.host) for j in jobs] == [
        ("continuous", "z", "App_Data/jobs/continuous/z", "run.py", "python"),
        ("triggered", "a", "App_Data/jobs/triggered/a", "run.js", "node"),
        ("triggered", "b", "App_Data/jobs/triggered/b", "run.sh", "bash"),
    ]


def test_capital_letters_do_not_matter(tmp_path: Path, write: Write) -> None:
    write("app_data/JOBS/Triggered/Mail/RUN.SH")
    write("app_data/JOBS/Triggered/Mail/Settings.JOB", '{"is_singleton": true}')
    job, problems = one(tmp_path)
    assert problems == []
    assert (job.name, job.script, job.host) == ("Mail", "RUN.SH", "bash")
    assert job.settings.is_singleton


def test_one_name_in_both_kinds_is_fine(tmp_path: Path, write: Write) -> None:
    write("App_Data/jobs/triggered/same/run.sh")
    write("App_Data/jobs/continuous/same/run.sh")
    jobs, problems = discover(tmp_path)
    assert [job.key for job in jobs] == [("continuous", "same"), ("triggered", "same")]
    assert problems == []


def test_names_that_differ_in_capitals_only_are_refused(tmp_path: Path, write: Write) -> None:
    write("App_Data/jobs/triggered/Mail/run.sh")
    write("App_Data/jobs/triggered/mail/run.sh")
    jobs, problems = discover(tmp_path)
    assert [(job.name, job.script, bool(job.error)) for job in jobs] == [
        ("Mail", "run.sh", False),
        ("mail", None, True),
    ]
    assert "App_Data/jobs/triggered/Mail" in problems[0].reason


def test_lone_directories_are_entered(tmp_path: Path, write: Write) -> None:
    write("App_Data/jobs/triggered/mail/mail-1.0/src/run.py")
    write("App_Data/jobs/triggered/mail/mail-1.0/src/settings.job", '{"timeout": 5}')
    job, problems = one(tmp_path)
    assert problems == []
    assert job.name == "mail"
    assert job.directory == "App_Data/jobs/triggered/mail/mail-1.0/src"
    assert job.settings.timeout == 5


def test_only_the_top_level_counts(tmp_path: Path, write: Write) -> None:
    write("App_Data/jobs/triggered/mail/data.txt")
    write("App_Data/jobs/triggered/mail/lib/run.py")
    job, problems = one(tmp_path)
    assert job.error == "No runnable script file was found."
    assert job.script is None
    assert (problems[0].file, problems[0].reason) == (
        "App_Data/jobs/triggered/mail",
        "no runnable script file was found",
    )
    assert "run.sh" in problems[0].fix


def test_a_file_beside_the_jobs_is_no_job(tmp_path: Path, write: Write) -> None:
    write("App_Data/jobs/triggered/readme.txt")
    write("App_Data/jobs/other/x/run.sh")
    assert discover(tmp_path) == ([], [])
    assert discover(tmp_path / "missing") == ([], [])


@pytest.mark.parametrize(
    ("files", "script", "host"),
    [
        (["run.py", "run.sh"], "run.sh", "bash"),
        (["run.js", "run.py"], "run.py", "python"),
        (["a.sh", "run.js"], "run.js", "node"),
        (["z.sh", "b.py", "a.py"], "z.sh", "bash"),
        (["b.py", "a.py"], "a.py", "python"),
        (["B.py", "a.py"], "a.py", "python"),
        ([".py", "x.js"], "x.js", "node"),
        (["run", "a.sh"], "run", "self"),
        (["run", "run.js"], "run.js", "node"),
    ],
)
def test_the_script_is_chosen_in_kudus_order(files: list[str], script: str, host: str) -> None:
    found = find_script(files, lambda _: None)
    assert (found.script, found.host, found.error) == (script, host, None)


@pytest.mark.parametrize(
    ("file", "host", "program"),
    [
        ("run.cmd", "wine", "wine"),
        ("run.exe", "wine", "wine"),
        ("run.ps1", "pwsh", "pwsh"),
        ("run.php", "php", "php"),
        ("run.fsx", "dotnet", "dotnet"),
        ("run.jar", "java", "java"),
        ("job.bat", "wine", "wine"),
        ("run.sh", "bash", "bash"),
    ],
)
def test_a_script_whose_host_is_missing_is_the_jobs_still(
    tmp_path: Path,
    write: Write,
    monkeypatch: pytest.MonkeyPatch,
    file: str,
    host: str,
    program: str,
) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    write(f"App_Data/jobs/triggered/old/{file}")
    job, _ = one(tmp_path)
    assert (job.script, job.host) == (file, host)
    with pytest.raises(HostMissing) as caught:
        command(job, root=tmp_path, environment=None)
    assert caught.value.program == program


def test_a_run_without_its_host_is_not_replaced_by_a_module(
    tmp_path: Path, write: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    write("App_Data/jobs/triggered/old/run.ps1")
    write("App_Data/jobs/triggered/old/helper.py")
    assert one(tmp_path)[0].script == "run.ps1"


def test_a_run_without_its_host_beside_one_that_has_it_is_passed_over_aloud(
    tmp_path: Path, write: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "bash").touch(mode=0o755)
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    write("App_Data/jobs/triggered/both/run.cmd")
    write("App_Data/jobs/triggered/both/run.sh")
    job, problems = one(tmp_path)
    assert (job.script, job.error) == ("run.sh", None)
    assert problems[0].file.endswith("run.cmd")
    assert "wine" in problems[0].reason
    assert "run.sh is run in its place" in problems[0].fix


def test_an_executable_run_needs_its_bit_and_its_first_line(tmp_path: Path, write: Write) -> None:
    file = write("App_Data/jobs/triggered/own/run", "#!/bin/sh\n", mode=0o755)
    job, problems = one(tmp_path)
    assert (job.script, job.host, problems) == ("run", "self", [])
    file.chmod(0o644)
    job, problems = one(tmp_path)
    assert job.error == "run isn't executable."
    assert "git update-index --chmod=+x App_Data/jobs/triggered/own/run" in problems[0].fix
    file.write_text("echo hi\n")
    file.chmod(0o755)
    assert one(tmp_path)[0].error == "run doesn't begin with #!."


@pytest.mark.parametrize("name", ["-x", "_x", "a b", "a.b", "naïve", "x\n", "a;b", "$(id)"])
def test_a_bad_name_is_a_problem_and_a_job_with_an_error(
    tmp_path: Path, write: Write, name: str
) -> None:
    write(f"App_Data/jobs/triggered/{name}/run.sh")
    job, problems = one(tmp_path)
    assert job.script is None
    assert job.error is not None
    assert "letters, digits, - and _" in job.error
    assert problems[0].file == f"App_Data/jobs/triggered/{name}"


def test_a_name_that_is_not_utf8_can_be_stored(tmp_path: Path) -> None:
    base = os.fsencode(tmp_path) + b"/App_Data/jobs/triggered/"
    os.makedirs(base + b"caf\xe9")
    os.makedirs(base + b"ok")
    Path(os.fsdecode(base + b"ok/\xff.py")).touch()
    jobs, problems = discover(tmp_path)
    msgspec.json.encode((jobs, problems))
    assert [job.name for job in jobs] == ["caf\\xe9", "ok"]
    assert jobs[1].error == "No runnable script file was found."


def test_a_broken_schedule_leaves_the_job_and_says_file_key_value_reason(
    tmp_path: Path, write: Write
) -> None:
    write("App_Data/jobs/triggered/mail/run.sh")
    write("App_Data/jobs/triggered/mail/settings.job", '{"schedule": "0 0 25 * * *"}')
    job, problems = one(tmp_path)
    assert job.script == "run.sh"
    assert job.settings.schedule is None
    assert job.error is not None
    assert (
        'settings.job: schedule = "0 0 25 * * *": hour (character 5): 25 is above 23' in job.error
    )
    assert (problems[0].job, problems[0].key) == ("mail", "schedule")
    assert problems[0].file == "App_Data/jobs/triggered/mail/settings.job"


def test_settings_too_large_are_not_read_whole(tmp_path: Path, write: Write) -> None:
    write("App_Data/jobs/triggered/mail/run.sh")
    write("App_Data/jobs/triggered/mail/settings.job", " " * 100_000)
    _, problems = one(tmp_path)
    assert problems[0].reason == "it has 100000 bytes, more than 65536"


def test_directories_in_a_circle_end(tmp_path: Path) -> None:
    directory = tmp_path / "App_Data/jobs/triggered/loop"
    directory.mkdir(parents=True)
    (directory / "again").symlink_to(directory)
    job, _ = one(tmp_path)
    assert job.error == "No runnable script file was found."


def test_names_given_and_names_on_disk_give_the_same(tmp_path: Path, write: Write) -> None:
    paths = [
        "App_Data/jobs/triggered/a/run.sh",
        "App_Data/jobs/triggered/b/b/x.py",
        "App_Data/jobs/continuous/c/settings.job",
        "app_data/jobs/triggered/a/run.py",
        "README.md",
    ]
    for path in paths:
        write(path, "{}" if path.endswith("job") else "")
    assert discover(tmp_path, paths) == discover(tmp_path)


segment = st.sampled_from(
    ["App_Data", "app_data", "jobs", "JOBS", "triggered", "continuous", "a", "A", "-", "run.sh",
     "run", "run.ps1", "x.py", "settings.job", "..", ".", "", "\udcff", "ü\n", "a" * 300]
)  # fmt: skip
paths = st.lists(segment, min_size=1, max_size=6).map("/".join) | st.tuples(
    st.sampled_from(["triggered", "continuous"]), st.lists(segment, max_size=4)
).map(lambda t: "/".join(["App_Data/jobs", t[0], *t[1]]))


@settings(deadline=None, max_examples=200)
@given(st.lists(paths | st.text(), max_size=12), st.randoms(use_true_random=False))
def test_any_tree_of_names_gives_the_same_result_in_any_order(
    tmp_path_factory: pytest.TempPathFactory, names: list[str], random: object
) -> None:
    root = Path("/nonexistent-root")
    jobs, problems = discover(root, names)
    shuffled = list(names)
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    assert discover(root, shuffled) == (jobs, problems)
    assert len({job.key for job in jobs}) == len(jobs)
    for job in jobs:
        assert (job.script is None) == (job.host is None)
        assert job.script is not None or job.error
    msgspec.json.encode((jobs, problems))


def test_a_script_beside_an_action_waits_in_silence(tmp_path: Path) -> None:
    action = {"type": "https", "request": {"method": "GET", "uri": "https://example.org/"}}
    for script in ("run.sh", "run.fsx", "text"):
        place = tmp_path / script / "App_Data/jobs/triggered/ping"
        place.mkdir(parents=True)
        (place / script).touch()
        (place / "settings.job").write_text(json.dumps({"action": action}))
        (job,), problems = discover(tmp_path / script)
        assert problems == []
        assert job.error is None
        assert job.action is not None
        assert job.script == (None if script == "text" else script)
        assert host_error(job, tmp_path / script) is None
        alone = with_settings(job, "{}")
        assert alone.action is None
        assert alone.runnable == (script != "text")
        assert alone.error == (NO_SCRIPT if script == "text" else None)


def test_a_batch_file_that_cmd_cannot_name_is_reported(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "wine").touch(mode=0o755)
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    place = tmp_path / "site" / "App_Data/jobs/triggered/sale"
    place.mkdir(parents=True)
    (place / "50%.cmd").touch()
    (job,), (problem,) = discover(tmp_path / "site")
    assert job.script is None
    assert job.error is not None
    assert job.error.startswith("50%.cmd: ")
    assert job.error.endswith("its path holds '%'. Rename it.")
    assert problem.file == "App_Data/jobs/triggered/sale/50%.cmd"
