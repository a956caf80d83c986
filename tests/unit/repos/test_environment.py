"""Children of ours see git's configuration of nobody."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from gitdeploy.repos import Caller, layout
from gitdeploy.repos.environment import git_environment
from gitdeploy.repos.hooks import hook_environment


@pytest.fixture
def repo(tmp_path: Path) -> Path:
    path = tmp_path / "repo.git"
    layout.create(path)
    return path


def config(repo: Path, environment: dict[str, str], key: str) -> str:
    done = subprocess.run(
        ["git", "config", "--get", key],
        cwd=repo,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    return done.stdout.strip()


def test_no_configuration_of_a_user_or_the_machine_is_read(
    repo: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / ".gitconfig").write_text("[core]\n\tpager = evil\n")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(tmp_path / ".gitconfig"))
    monkeypatch.setenv("GIT_CONFIG_PARAMETERS", "'core.pager=evil'")
    environment = git_environment(repo)
    assert config(repo, environment, "core.pager") == ""
    assert config(repo, environment, "core.bare") == "true"


def test_what_must_hold_is_stronger_than_the_repositorys_own(repo: Path) -> None:
    with (repo / "config").open("a") as file:
        file.write('[core]\n\thooksPath = /evil\n[protocol "ext"]\n\tallow = always\n')
    environment = git_environment(repo)
    assert config(repo, environment, "core.hooksPath") == str(repo / "hooks")
    assert config(repo, environment, "protocol.ext.allow") == "never"


def test_a_git_that_knows_no_config_count_is_held_to_it_too(tmp_path: Path) -> None:
    """git 2.30 reads only what `-c` hands down."""
    repo = tmp_path / "it's a repo.git"
    layout.create(repo)
    with (repo / "config").open("a") as file:
        file.write("[core]\n\thooksPath = /evil\n")
    environment = git_environment(repo)
    del environment["GIT_CONFIG_COUNT"]
    assert config(repo, environment, "core.hooksPath") == str(repo / "hooks")
    assert config(repo, environment, "gc.auto") == "0"


def test_a_hook_without_push_options_is_told_of_none(repo: Path) -> None:
    caller = Caller(who="<ada\n>", address="::1")
    without = hook_environment(repo, caller, None, None)
    assert "GIT_PUSH_OPTION_COUNT" not in without
    assert "GIT_QUARANTINE_PATH" not in without
    assert without["GIT_COMMITTER_NAME"] == "ada"
    none = hook_environment(repo, caller, (), None)
    assert none["GIT_PUSH_OPTION_COUNT"] == "0"
