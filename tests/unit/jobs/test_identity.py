"""Two jobs with one identity are the same process."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from gitdeploy.jobs import Job, with_identity

JOB = Job(kind="continuous", name="a", directory="App_Data/jobs/continuous/a", script="run.py")
BLOB, OTHER = "1" * 40, "2" * 40
BASE = {
    "App_Data/jobs/continuous/a/run.py": (0o100644, BLOB),
    "App_Data/jobs/continuous/b/run.py": (0o100644, BLOB),
    "lib/shared.py": (0o100644, BLOB),
    "README.md": (0o100644, BLOB),
}


def identity(
    changes: dict[str, tuple[int, str] | None] | None = None,
    *,
    job: Job = JOB,
    app_settings: dict[str, str] | None = None,
    environment: str | None = None,
) -> str:
    manifest = {k: v for k, v in {**BASE, **(changes or {})}.items() if v is not None}
    made = with_identity(job, manifest, settings=app_settings or {}, environment=environment)
    return made.identity


@pytest.mark.parametrize(
    "path",
    [
        "App_Data/jobs/continuous/b/run.py",
        "app_data/Jobs/triggered/new/run.sh",
        "README.md",
        "readme",
        "Readme.rst",
        "CHANGELOG",
        "CONTRIBUTING.txt",
        "LICENSE",
        "notes.md",
        ".gitignore",
        ".gitattributes",
        ".github/workflows/ci.yml",
    ],
)
def test_other_jobs_and_documentation_do_not_change_it(path: str) -> None:
    assert identity({path: (0o100644, OTHER)}) == identity()


@pytest.mark.parametrize(
    "path",
    [
        "App_Data/jobs/continuous/a/run.py",
        "App_Data/jobs/continuous/a/README.md",
        "App_Data/jobs/continuous/common.py",
        "App_Data/config.json",
        "lib/shared.py",
        "lib/notes.md",
        "requirements.txt",
        "README/data.txt",
    ],
)
def test_its_own_and_shared_files_change_it(path: str) -> None:
    assert identity({path: (0o100644, OTHER)}) != identity()


def test_removing_and_modes_count() -> None:
    path = "App_Data/jobs/continuous/a/run.py"
    assert identity({"lib/shared.py": None}) != identity()
    assert identity({path: (0o100755, BLOB)}) != identity()


def test_settings_and_environment_count() -> None:
    assert identity(app_settings={"a": "1"}) != identity()
    assert identity(app_settings={"a": "1", "b": "2"}) == identity(
        app_settings={"b": "2", "a": "1"}
    )
    assert identity(environment="e1") != identity(environment="e2")


def test_an_environment_of_its_own_counts_in_place_of_the_sites() -> None:
    own = replace(JOB, environment="own")
    assert identity(job=own, environment="a") == identity(job=own, environment="b")
    assert identity(job=own) != identity(job=replace(JOB, environment="other"))
    assert identity(job=own) != identity()


def test_a_name_alone_makes_it_another_job() -> None:
    other = Job(kind="triggered", name="a", directory=JOB.directory, script="run.py")
    assert identity(job=other) != identity()


names = st.text(st.sampled_from("ab/.=\0;:\udcff"), min_size=1, max_size=6)
manifests = st.dictionaries(names, st.tuples(st.sampled_from([0o100644, 0o100755]), names))


@settings(deadline=None, max_examples=200)
@given(manifests, manifests)
def test_different_shared_files_never_meet_in_one_identity(
    one: dict[str, tuple[int, str]], two: dict[str, tuple[int, str]]
) -> None:
    shared = [
        {k: v for k, v in each.items() if "\0" not in k and not k.startswith(".git")}
        for each in (one, two)
    ]
    made = [with_identity(JOB, each, settings={}, environment=None).identity for each in shared]
    assert (made[0] == made[1]) == (shared[0] == shared[1])
