"""When npm is needed and how it is called."""

from __future__ import annotations

import json

import pytest

from gitdeploy.deploy.builds.node import node_command
from gitdeploy.deploy.errors import DeployError


def package(root, **content):
    (root / "package.json").write_text(json.dumps(content))


def test_a_site_without_package_json_needs_no_npm(tmp_path):
    assert node_command(tmp_path) is None


def test_a_package_with_nothing_to_install_needs_no_npm(tmp_path):
    package(tmp_path, name="x", dependencies={}, scripts={"start": "node ."})
    assert node_command(tmp_path) is None


@pytest.mark.parametrize(
    "content",
    [
        {"dependencies": {"a": "1"}},
        {"devDependencies": {"a": "1"}},
        {"workspaces": ["x"]},
        {"scripts": {"postinstall": "make"}},
    ],
)
def test_without_a_lock_npm_installs(tmp_path, content):
    package(tmp_path, **content)
    assert node_command(tmp_path) == "install"


@pytest.mark.parametrize("lock", ["package-lock.json", "npm-shrinkwrap.json"])
def test_with_a_lock_npm_installs_what_is_locked(tmp_path, lock):
    package(tmp_path, dependencies={"a": "1"})
    (tmp_path / lock).write_text("{}")
    assert node_command(tmp_path) == "ci"


@pytest.mark.parametrize("text", [b"{", b"[]", b"\xff"])
def test_a_broken_package_json_is_named(tmp_path, text):
    (tmp_path / "package.json").write_bytes(text)
    with pytest.raises(DeployError, match=r"package\.json isn't"):
        node_command(tmp_path)
