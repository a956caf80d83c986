"""Where settings say that things lie."""

from __future__ import annotations

import pytest

from gitdeploy.deploy.errors import DeployError
from gitdeploy.deploy.layout import (
    Layout,
    layout,
    moved_manifest,
    own_dotdeployment,
    put_into_target,
    read_config,
    relative_path,
)

FILE = (0o100644, "0" * 40)


@pytest.mark.parametrize(
    ("value", "path"),
    [("", ""), (".", ""), ("site", "site"), ("./a/b/", "a/b"), ("a\\b", "a/b"), ("a//b", "a/b")],
)
def test_project_is_a_path_inside_the_repository(value, path):
    assert relative_path({"project": value}, "project") == path
    assert layout({"project": value}).site == path


@pytest.mark.parametrize("value", ["/etc", "..", "a/../../b", "\\\\host\\x", "a/\0"])
@pytest.mark.parametrize("key", ["project", "SCM_REPOSITORY_PATH", "SCM_TARGET_PATH"])
def test_a_path_that_leads_out_is_refused_by_its_name(key, value):
    with pytest.raises(DeployError, match=f"^{key} = .*inside the (repository|site)"):
        layout({key.lower(): value})


@pytest.mark.parametrize(
    ("config", "expected"),
    [
        ({}, Layout()),
        ({"project": "p"}, Layout(site="p", content="p")),
        ({"scm_repository_path": "r"}, Layout(source="r", site="r", content="r")),
        (
            {"scm_repository_path": "r", "project": "p"},
            Layout(source="r", site="r/p", content="r/p"),
        ),
        ({"scm_target_path": "t"}, Layout(source="t", content="t", target="t")),
        (
            {"scm_target_path": "t/u", "project": "p"},
            Layout(site="p", content="p/t/u", target="t/u"),
        ),
        (
            {"project": "src/Web/Web.csproj"},
            Layout(site="src/Web", content="src/Web", project_file="Web.csproj"),
        ),
        ({"project": "Web.sln"}, Layout(project_file="Web.sln")),
    ],
)
def test_the_places_follow_from_the_settings(config, expected):
    assert layout(config) == expected


def test_a_site_is_moved_into_its_target_with_its_manifest(tmp_path):
    site = tmp_path / "site"
    (site / "jobs").mkdir(parents=True)
    (site / "run.py").write_text("print()")
    (site / "jobs" / "x").write_text("x")
    (site / ".deployment").write_text("[config]")
    put_into_target(site, "jobs/continuous/x")
    assert sorted(p.name for p in site.iterdir()) == [".deployment", "jobs"]
    assert (site / "jobs/continuous/x/run.py").read_text() == "print()"
    assert (site / "jobs/continuous/x/jobs/x").read_text() == "x"
    manifest = {"site/run.py": FILE, "site/.deployment": FILE, "other": FILE}
    assert set(moved_manifest(manifest, "site", "t")) == {
        "site/t/run.py",
        "site/.deployment",
        "other",
    }
    assert set(moved_manifest({"a": FILE}, "", "t")) == {"t/a"}


def test_the_sources_own_dotdeployment_counts_before_the_roots(tmp_path):
    (tmp_path / ".deployment").write_text(
        "[config]\ncommand = root\nSCM_REPOSITORY_PATH = sub\n", "utf-8"
    )
    assert read_config(tmp_path, {})["command"] == "root"
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / ".deployment").write_text("[config]\ncommand = sub\n", "utf-8")
    config = read_config(tmp_path, {"Colour": "blue"})
    assert config == {"command": "sub", "scm_repository_path": "sub", "colour": "blue"}
    assert read_config(tmp_path, {"COMMAND": "setting"})["command"] == "setting"
    assert "colour" not in own_dotdeployment(tmp_path, {"Colour": "blue"})
