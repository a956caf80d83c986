"""What package.json and lock files ask for."""

from __future__ import annotations

import json

import pytest

from gitdeploy.deploy.builds.node_plan import node_plan
from gitdeploy.deploy.errors import DeployError


def package(root, **content):
    (root / "package.json").write_text(json.dumps(content))


def test_a_site_without_package_json_needs_nothing(tmp_path):
    assert node_plan(tmp_path) is None


def test_a_package_with_nothing_to_install_or_build_needs_nothing(tmp_path):
    package(tmp_path, name="x", dependencies={}, scripts={"start": "node ."})
    assert node_plan(tmp_path) is None


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
    plan = node_plan(tmp_path)
    assert (plan.tool, plan.install[0], plan.file) == ("npm", "install", "package.json")


@pytest.mark.parametrize(
    ("lock", "text", "tool", "words"),
    [
        ("package-lock.json", "{}", "npm", ("ci",)),
        ("npm-shrinkwrap.json", "{}", "npm", ("ci",)),
        ("pnpm-lock.yaml", "", "pnpm", ("install", "--frozen-lockfile")),
        ("yarn.lock", "# yarn lockfile v1", "yarn", ("install", "--frozen-lockfile")),
        ("yarn.lock", "__metadata:\n  version: 8\n", "yarn", ("install", "--immutable")),
    ],
)
def test_the_lock_file_decides_what_installs(tmp_path, lock, text, tool, words):
    package(tmp_path, dependencies={"a": "1"})
    (tmp_path / lock).write_text(text)
    plan = node_plan(tmp_path)
    assert (plan.tool, plan.file) == (tool, lock)
    assert plan.install[: len(words)] == words


def test_the_package_manager_that_is_named_decides_before_lock_files(tmp_path):
    package(tmp_path, dependencies={"a": "1"}, packageManager="pnpm@9.1.0")
    (tmp_path / "package-lock.json").write_text("{}")
    plan = node_plan(tmp_path)
    assert (plan.tool, plan.install, plan.file) == ("pnpm", ("install",), "package.json")


def test_build_scripts_run_in_oryxs_order_even_without_dependencies(tmp_path):
    package(tmp_path, scripts={"build:azure": "b", "build": "a", "test": "c"})
    plan = node_plan(tmp_path)
    assert plan.install == ()
    assert plan.scripts == ("build", "build:azure")


def test_what_the_lock_file_fixes_is_shared_between_releases(tmp_path):
    package(tmp_path, dependencies={"a": "^1.0.0"}, scripts={"build": "x"})
    (tmp_path / "package-lock.json").write_text('{"packages": {"node_modules/a": {}}}')
    (tmp_path / ".npmrc").write_text("fund=false")
    plan = node_plan(tmp_path)
    assert plan.shareable
    assert set(plan.inputs) == {"package.json", "package-lock.json", ".npmrc"}


@pytest.mark.parametrize(
    ("content", "files"),
    [
        ({"dependencies": {"a": "file:./a"}}, {}),
        ({"dependencies": {"a": "../a"}}, {}),
        ({"dependencies": {"a": "1"}, "workspaces": ["b"]}, {}),
        ({"dependencies": {"a": "1"}, "scripts": {"postinstall": "make"}}, {}),
        ({"dependencies": {"a": "1"}, "overrides": {"b": {"c": "1"}}}, {}),
        ({"dependencies": {"a": "1"}}, {"binding.gyp": "{}"}),
        ({"dependencies": {"a": "1"}}, {"package-lock.json": '{"a": {"link": true}}'}),
        ({"dependencies": {"a": "1"}}, {"package-lock.json": '{"resolved": "file:a.tgz"}'}),
        ({"dependencies": {"a": "1"}}, {"yarn.lock": '"a@file:./a":'}),
        ({"dependencies": {"a": "1"}}, {"yarn.lock": "__metadata:\n"}),
        ({"dependencies": {"a": "1"}}, {"pnpm-lock.yaml": "", "pnpm-workspace.yaml": ""}),
    ],
)
def test_what_depends_on_other_files_is_not_shared(tmp_path, content, files):
    package(tmp_path, **content)
    for name, text in files.items():
        (tmp_path / name).write_text(text)
    assert not node_plan(tmp_path).shareable


def test_a_yarn_that_the_site_brings_is_taken(tmp_path):
    package(tmp_path, dependencies={"a": "1"})
    (tmp_path / ".yarnrc.yml").write_text("nodeLinker: node-modules\nyarnPath: .yarn/yarn.cjs\n")
    assert node_plan(tmp_path).program is None, "it isn't there"
    (tmp_path / ".yarn").mkdir()
    (tmp_path / ".yarn" / "yarn.cjs").write_text("")
    (tmp_path / "yarn.lock").write_text("__metadata:\n")
    plan = node_plan(tmp_path)
    assert plan.program == str(tmp_path / ".yarn" / "yarn.cjs")
    (tmp_path / ".yarnrc.yml").write_text("yarnPath: ../../etc/passwd\n")
    assert node_plan(tmp_path).program is None


@pytest.mark.parametrize("text", [b"{", b"[]", b"\xff"])
def test_a_broken_package_json_is_named(tmp_path, text):
    (tmp_path / "package.json").write_bytes(text)
    with pytest.raises(DeployError, match=r"package\.json isn't"):
        node_plan(tmp_path)
