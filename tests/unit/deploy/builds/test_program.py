"""Programs that builds call."""

from __future__ import annotations

import pytest

from gitdeploy.deploy.builds.program import fingerprint, need, shown_with
from gitdeploy.deploy.errors import DeployError


def install(folder, name="tool", text="#!/bin/sh\n"):
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_text(text)
    (folder / name).chmod(0o755)
    return str(folder / name)


def test_a_program_is_found_on_the_path_of_builds_only(tmp_path):
    path = install(tmp_path / "bin", "npm")
    assert need("npm", {"PATH": str(tmp_path / "bin")}, file="x") == path
    with pytest.raises(DeployError) as failure:
        need("npm", {"PATH": str(tmp_path)}, file="package.json")
    assert failure.value.what == "package.json needs npm, which isn't installed on the server."
    assert "apt-get install npm" in failure.value.fix


def test_an_installation_is_shown_with_its_program(tmp_path):
    program = install(tmp_path / "node" / "bin")
    assert shown_with(program) == ()
    (tmp_path / "node" / "lib").mkdir()
    assert shown_with(program) == (tmp_path / "node",)
    (tmp_path / "tools" / "bin").mkdir(parents=True)
    link = tmp_path / "tools" / "bin" / "tool"
    link.symlink_to(program)
    assert shown_with(str(link)) == (tmp_path / "node",)
    assert shown_with("/usr/bin/env") == ()


def test_a_fingerprint_changes_with_the_program(tmp_path):
    program = install(tmp_path)
    before = fingerprint(program, None)
    assert fingerprint(program, None) == before
    install(tmp_path, text="#!/bin/sh\n# newer\n")
    assert fingerprint(program, None) != before
    assert fingerprint(str(tmp_path / "gone"), None) == fingerprint(None, None)
