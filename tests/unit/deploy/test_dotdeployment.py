"""`.deployment`: what is understood, what is refused and how that is told."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gitdeploy.deploy.dotdeployment import (
    parse_dotdeployment,
    read_dotdeployment,
    with_app_settings,
)
from gitdeploy.deploy.errors import DeployError


def test_config_is_read_without_regard_to_case_and_the_last_value_wins():
    text = b"\xef\xbb\xbf[Config]\r\nCommand = ./a.sh --x=1\r\nproject=site\r\ncommand = ./b.sh\r\n"
    assert parse_dotdeployment(text) == {"command": "./b.sh", "project": "site"}


def test_comments_blank_lines_and_other_sections_are_passed_over():
    text = b"# c\n; d\n\n[other]\nwhatever\n[config]\nSCM_BRANCH = dev\n"
    assert parse_dotdeployment(text) == {"scm_branch": "dev"}


@pytest.mark.parametrize(
    ("text", "line", "reason"),
    [
        (b"command = x\n", 1, "stands before"),
        (b"[config]\n\ncommand x\n", 3, "KEY = VALUE"),
        (b"[config]\n= x\n", 2, "KEY = VALUE"),
        (b"[config\n", 1, "section"),
        (b"[]\n", 1, "section"),
        (b"[config]\ncommand = \xff\n", 2, "UTF-8"),
        (b"[config]\ncommand = a\0b\n", 2, "NUL"),
    ],
)
def test_a_line_that_is_not_understood_is_named(text, line, reason):
    with pytest.raises(DeployError) as caught:
        parse_dotdeployment(text)
    assert f"line {line}:" in caught.value.what
    assert reason in caught.value.what
    assert caught.value.fix


def test_a_release_without_the_file_has_no_config(tmp_path):
    assert read_dotdeployment(tmp_path) == {}


def test_a_huge_file_and_a_directory_are_refused(tmp_path):
    (tmp_path / ".deployment").write_bytes(b"#" * 70_000)
    with pytest.raises(DeployError, match="larger"):
        read_dotdeployment(tmp_path)
    (tmp_path / ".deployment").unlink()
    (tmp_path / ".deployment").mkdir()
    with pytest.raises(DeployError, match="can't be read"):
        read_dotdeployment(tmp_path)


def test_app_settings_win_over_the_file():
    merged = with_app_settings({"command": "a", "project": "p"}, {"COMMAND": "b", "Other": "c"})
    assert merged == {"command": "b", "project": "p", "other": "c"}


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=200))
def test_any_bytes_give_settings_or_a_sentence(data):
    try:
        config = parse_dotdeployment(b"[config]\n" + data)
    except DeployError as error:
        assert error.what.startswith(".deployment, line ")
    else:
        assert all(key == key.lower().strip() and key for key in config)
