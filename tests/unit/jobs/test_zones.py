"""The server's own zone."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

from gitdeploy.jobs.zones import local_zone, zone

SUMMER = datetime(2026, 7, 1, 12)


def test_the_variable_decides_before_the_file(tmp_path: Path) -> None:
    file = tmp_path / "zoneinfo" / "Asia" / "Seoul"
    assert local_zone({"TZ": "Europe/Berlin"}, file) == ZoneInfo("Europe/Berlin")
    assert local_zone({"TZ": ":Europe/Berlin"}, file) == ZoneInfo("Europe/Berlin")


def test_posix_own_form_is_understood() -> None:
    found = local_zone({"TZ": "CET-1CEST,M3.5.0,M10.5.0/3"})
    assert SUMMER.replace(tzinfo=found).utcoffset() == timedelta(hours=2)


def test_a_link_names_the_zone(tmp_path: Path) -> None:
    target = tmp_path / "zoneinfo" / "Asia" / "Seoul"
    target.parent.mkdir(parents=True)
    target.touch()
    link = tmp_path / "localtime"
    link.symlink_to(target)
    assert local_zone({}, link) == ZoneInfo("Asia/Seoul")


def test_without_anything_it_is_utc(tmp_path: Path) -> None:
    assert local_zone({}, tmp_path / "missing") is UTC
    (tmp_path / "junk").write_text("not a zone")
    assert local_zone({}, tmp_path / "junk") is UTC


def test_a_name_that_leads_elsewhere_is_no_zone() -> None:
    assert zone("/etc/passwd") is None
    assert zone("../passwd") is None
    assert zone("America") is None
    assert zone("Asia/Seoul") is not None
