"""Whether a command failed for want of room."""

from __future__ import annotations

import os
from types import SimpleNamespace

import pytest

from gitdeploy.deploy.builds.space import is_full, no_space


def statvfs(**fields: int):
    plain = {"f_bavail": 1 << 20, "f_frsize": 4096, "f_files": 100, "f_favail": 50}
    return lambda path: SimpleNamespace(**{**plain, **fields})


@pytest.mark.parametrize(
    ("fields", "full"),
    [
        ({}, False),
        ({"f_bavail": 0}, True),
        ({"f_bavail": 255}, True),
        ({"f_favail": 0}, True),
        ({"f_files": 0, "f_favail": 0}, False),  # Btrfs counts no files
    ],
)
def test_a_disk_is_full_without_bytes_or_files(tmp_path, monkeypatch, fields, full):
    monkeypatch.setattr(os, "statvfs", statvfs(**fields))
    assert is_full(tmp_path) is full


def test_what_can_not_be_asked_is_not_full(tmp_path):
    assert not is_full(tmp_path / "gone")


@pytest.mark.parametrize(
    "line",
    [
        "dd: writing 'big': No space left on device",
        "npm error code ENOSPC",
        "cp: error writing 'x': Disk quota exceeded",
    ],
)
def test_the_output_tells_of_other_places_that_are_full(tmp_path, line):
    assert no_space(tmp_path, ["before", line]) == "it had no space left to write to"
    assert no_space(tmp_path, ["all fine"]) is None
