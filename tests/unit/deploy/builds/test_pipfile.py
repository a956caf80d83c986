"""Pipfile.lock as requirements."""

from __future__ import annotations

import json

import pytest

from gitdeploy.deploy.builds.pipfile import locked_requirements
from gitdeploy.deploy.errors import DeployError


def lock(url: str = "https://pypi.org/simple", **packages: object) -> str:
    return json.dumps({"_meta": {"sources": [{"url": url}]}, "default": packages, "develop": {}})


def test_each_package_has_its_version_markers_and_hashes():
    text = lock(
        b={"version": "==2.0", "hashes": ["sha256:1", "sha256:2"]},
        a={"version": "==1.0", "extras": ["x", "y"], "markers": "python_version >= '3.8'"},
    )
    assert locked_requirements(text) == [
        "a[x,y]==1.0 ; python_version >= '3.8'",
        "b==2.0 --hash=sha256:1 --hash=sha256:2",
    ]


def test_another_source_than_pypi_is_named():
    assert locked_requirements(lock("https://example.org/simple")) == [
        "--index-url https://example.org/simple"
    ]


@pytest.mark.parametrize(
    "package", [{"git": "https://x/y"}, {"path": "."}, {"file": "x.whl"}, {"version": 1}, "x"]
)
def test_what_is_no_version_of_an_index_is_left_to_pipenv(package):
    assert locked_requirements(lock(a=package)) is None


@pytest.mark.parametrize(
    "text", ["{", "[]", "{}", lock(a={"version": "==1 -r x"}), lock(a={"version": "==1\n-r /etc"})]
)
def test_what_is_no_lock_file_or_would_be_more_than_a_line_is_refused(text):
    with pytest.raises(DeployError, match=r"Pipfile\.lock"):
        locked_requirements(text)
