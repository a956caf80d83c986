"""Which files of a site count for an environment."""

from __future__ import annotations

import pytest

from gitdeploy.deploy.builds.requirements import python_needs
from gitdeploy.deploy.builds.sources import (
    ALL,
    index_path,
    locked_paths,
    requirement_path,
    source_files,
)

MANIFEST = {
    "pkg/pyproject.toml": (0o100644, "1"),
    "pkg/src/pkg/__init__.py": (0o100644, "2"),
    "other.txt": (0o100644, "3"),
    "wheels/foo-1-py3-none-any.whl": (0o100644, "4"),
    "App_Data/jobs/triggered/a/run.py": (0o100644, "5"),
    "README.md": (0o100644, "6"),
}
SHARED = {"pkg/pyproject.toml", "pkg/src/pkg/__init__.py", "other.txt"} | {
    "wheels/foo-1-py3-none-any.whl"
}


@pytest.mark.parametrize(
    ("line", "path"),
    [
        ("./pkg", "pkg"),
        ("pkg/", "pkg"),
        ("./pkg[extra,more]", "pkg"),
        ("./pkg ; python_version > '3'", "pkg"),
        ("pkg @ ./pkg", "pkg"),
        ("pkg[extra] @ file:./pkg", "pkg"),
        ("file:pkg#egg=pkg", "pkg"),
        ("wheels/foo-1-py3-none-any.whl", "wheels/foo-1-py3-none-any.whl"),
        ("foo-1.tar.gz --hash=sha256:00", "foo-1.tar.gz"),
        (".", ALL),
        (".[dev]", ALL),
        ("./a/../pkg", "pkg"),
        ("../pkg", ALL),
        ("${HERE}/pkg", ALL),
        ("file:///srv/pkg", ALL),
        ("httpx==1", None),
        ("httpx[http2]>=1 ; python_version > '3'", None),
        ("foo @ https://host/foo-1.tar.gz", None),
        ("https://host/foo-1-py3-none-any.whl", None),
        ("foo @ git+https://host/foo", None),
        ("--no-binary :all:", None),
    ],
)
def test_a_requirement_that_is_a_path_names_it(line: str, path: str | None) -> None:
    assert requirement_path(line) == path


@pytest.mark.parametrize(
    ("line", "path"),
    [
        ("--find-links ./wheels", "wheels"),
        ("--find-links=wheels", "wheels"),
        ("-f wheels", "wheels"),
        ("-fwheels", "wheels"),
        ("--find-links https://host/x", None),
        ("--extra-index-url file:///srv/simple", ALL),
        ("--no-index", None),
    ],
)
def test_an_index_of_the_site_is_a_path(line: str, path: str | None) -> None:
    assert index_path(line) == path


def chosen(site, *paths: str) -> set[str]:
    return {name for name, _, _ in source_files(site, MANIFEST, paths)}


def test_a_package_counts_by_its_own_files(tmp_path) -> None:
    (tmp_path / "pkg").mkdir()
    (tmp_path / "pkg/pyproject.toml").write_text('[project]\nname = "pkg"\n')
    own = {"pkg/pyproject.toml", "pkg/src/pkg/__init__.py"}
    assert chosen(tmp_path, "pkg") == own
    assert chosen(tmp_path) == set()
    assert chosen(tmp_path, "wheels/foo-1-py3-none-any.whl") == {"wheels/foo-1-py3-none-any.whl"}


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("setup.py", "open('VERSION')"),
        ("pyproject.toml", 'readme = "../README.md"'),
        ("pyproject.toml", 'backend-path = ["."]'),
        ("pyproject.toml", "other = { workspace = true }"),
        ("setup.cfg", "version = file: ../VERSION"),
    ],
)
def test_a_package_whose_build_may_read_more_counts_every_shared_file(
    tmp_path, name: str, text: str
) -> None:
    (tmp_path / "pkg").mkdir()
    (tmp_path / "pkg" / name).write_text(text)
    assert chosen(tmp_path, "pkg") == SHARED


def test_files_of_jobs_elsewhere_count_for_no_environment(tmp_path) -> None:
    """The directory above them is what WEBJOBS_ROOT_PATH says."""
    job = "work/continuous/a/run.py"
    manifest = {**MANIFEST, job: (0o100644, "7")}

    def files(place: str) -> set[str]:
        return {name for name, _, _ in source_files(tmp_path, manifest, [ALL], place=place)}

    assert files("App_Data/jobs") == {*SHARED, job}
    assert files("work") == {*SHARED, "App_Data/jobs/triggered/a/run.py"}
    (tmp_path / "requirements.txt").write_text("--find-links .\n")
    changed = {**manifest, job: (0o100644, "8")}
    for place, same in (("App_Data/jobs", False), ("work", True)):
        before, after = (python_needs(tmp_path, each, place) for each in (manifest, changed))
        assert (before == after) == same


def test_a_package_that_is_a_link_or_not_in_the_tree_counts_every_shared_file(tmp_path) -> None:
    manifest = {"pkg": (0o120000, "1"), "real/pyproject.toml": (0o100644, "2")}
    found = {name for name, _, _ in source_files(tmp_path, manifest, ["pkg"])}
    assert found == set(manifest)
    assert chosen(tmp_path, "made-by-nobody") == SHARED


def test_a_package_below_a_job_counts_by_its_files(tmp_path) -> None:
    assert chosen(tmp_path, "App_Data/jobs/triggered/a") == {"App_Data/jobs/triggered/a/run.py"}


def test_a_lock_names_the_paths_it_takes_packages_from() -> None:
    lock = {
        "package": [
            {"name": "a", "source": {"registry": "https://host/simple"}},
            {"name": "b", "source": {"directory": "libs/b"}},
            {"name": "c", "source": {"editable": "libs/c"}},
            {"name": "d", "source": {"path": "wheels/d.whl"}},
            {"name": "e", "source": {"virtual": "."}},
        ]
    }
    assert locked_paths(lock) == {"libs/b", "libs/c", "wheels/d.whl"}
    assert locked_paths({}) == locked_paths({"package": [1]}) == set()


def test_the_digest_follows_the_files_of_a_package_and_no_others(tmp_path) -> None:
    (tmp_path / "requirements.txt").write_text("./pkg\n")
    (tmp_path / "pkg").mkdir()

    def digest(changed: str) -> str:
        manifest = {**MANIFEST, changed: (0o100644, "new")}
        needs = python_needs(tmp_path, manifest)
        assert needs is not None
        return needs.digest

    assert digest("other.txt") == digest("App_Data/jobs/triggered/a/run.py")
    assert digest("pkg/src/pkg/__init__.py") != digest("other.txt")
    assert digest("pkg/new.py") != digest("other.txt")
