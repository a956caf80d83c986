"""Which directory a client means when it names one of Kudu's."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gitdeploy.deploy.command import directory_parts
from gitdeploy.errors import Invalid


@pytest.mark.parametrize(
    ("named", "parts"),
    [
        ("", []),
        ("/", []),
        ("/home", []),
        ("D:\\home", []),
        ("D:\\home\\site\\wwwroot", ["site", "wwwroot"]),
        ("C:/home/data", ["data"]),
        ("site/wwwroot/", ["site", "wwwroot"]),
        ("site//./wwwroot", ["site", "wwwroot"]),
        ("home/home", ["home"]),
        (" data ", ["data"]),
        ("data/a:b", ["data", "a:b"]),
    ],
)
def test_kudus_spellings_are_understood(named: str, parts: list[str]) -> None:
    assert directory_parts(named) == parts


@pytest.mark.parametrize("named", ["..", "site/../..", "a\\..\\b", "a\0b", "x" * 256])
def test_what_leads_up_is_refused(named: str) -> None:
    with pytest.raises(Invalid):
        directory_parts(named)


@given(named=st.text("ab./\\:\0é ", max_size=30))
@settings(deadline=None, max_examples=300)
def test_no_spelling_leads_out(named: str) -> None:
    try:
        parts = directory_parts(named)
    except Invalid:
        return
    assert all(
        part not in ("", ".", "..") and "/" not in part and "\0" not in part for part in parts
    )
