"""WEBJOBS_ROOT_PATH as Kudu reads it, for a site on another machine."""

from __future__ import annotations

from pathlib import Path

import pytest

from gitdeploy.jobs import Job, SettingError, discover, jobs_place, with_identities


@pytest.mark.parametrize(
    ("value", "place"),
    [
        (None, "App_Data/jobs"),
        ("", "App_Data/jobs"),
        ("  ", "App_Data/jobs"),
        ("work", "work"),
        ("/work/jobs/", "work/jobs"),
        ("work\\jobs", "work/jobs"),
        ("./work//jobs", "work/jobs"),
        (".", ""),
        ("/", ""),
        ("D:\\home\\site\\wwwroot\\work", "work"),
        ("D:/Home/Site/WwwRoot", ""),
        ("/home/site/wwwroot/work", "work"),
        ("%HOME%\\site\\wwwroot\\work", "work"),
    ],
)
def test_slashes_and_azures_own_paths_are_understood(value: str | None, place: str) -> None:
    assert jobs_place(value) == place


@pytest.mark.parametrize(
    "value",
    ["..", "a/../..", "D:\\elsewhere", "%TEMP%/jobs", "/home/site/wwwroot/../x", "~/x", "a\0"],
)
def test_a_path_out_of_the_site_is_refused_and_named(value: str) -> None:
    with pytest.raises(SettingError) as caught:
        jobs_place(value)
    assert caught.value.key == "WEBJOBS_ROOT_PATH"
    assert "App_Data/jobs" in caught.value.fix


@pytest.mark.parametrize("place", ["work/jobs", "Work/JOBS", ""])
def test_jobs_are_found_there_and_only_there(tmp_path: Path, place: str) -> None:
    base = "work/jobs/" if place else ""
    for name in (f"{base}triggered/mail/run.sh", "App_Data/jobs/triggered/other/run.sh"):
        (tmp_path / name).parent.mkdir(parents=True)
        (tmp_path / name).touch()
    [job], problems = discover(tmp_path, place=place)
    assert (job.name, job.directory, job.script) == ("mail", f"{base}triggered/mail", "run.sh")
    assert problems == []
    entries = [f"{base}triggered/mail/run.sh"]
    assert discover(tmp_path, entries, place=place)[0] == [job]


@pytest.mark.parametrize("place", ["work+jobs", ""])
def test_files_of_another_job_there_are_not_shared(place: str) -> None:
    base = f"{place}/" if place else ""
    job = Job(kind="continuous", name="a", directory=f"{base}continuous/a", script="run.py")
    files = {f"{base}continuous/a/run.py": (0o100644, "1"), "lib.py": (0o100644, "1")}

    def identity(**changes: str) -> str:
        more = {path.replace("__", "/"): (0o100644, blob) for path, blob in changes.items()}
        manifest = {**files, **more}
        [made] = with_identities([job], manifest, settings={}, environment=None, place=place)
        return made.identity

    first = identity()
    other = {f"{base}triggered/b/run.py".replace("/", "__"): "2"}
    assert identity(**other) == first
    assert identity(**{f"{base}continuous/a/run.py".replace("/", "__"): "2"}) != first
    assert identity(**{"lib.py": "2"}) != first
    assert identity(**{"App_Data__jobs__triggered__b__run.py": "2"}) != first
