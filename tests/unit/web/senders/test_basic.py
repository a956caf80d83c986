"""The plain form, and those that only say "again"."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import quote_plus

import pytest

from gitdeploy.errors import Invalid
from gitdeploy.web.senders import Push
from tests.unit.web.senders.conftest import FORM, document, push


def test_the_plain_form_names_a_url_and_maybe_a_branch() -> None:
    plain = {"format": "basic", "url": "https://h/r.git#dev"}
    wanted = Push(url="https://h/r.git", branch="dev", explicit=True, sender="basic")
    assert push(plain) == wanted
    assert push({**plain, "scm": "git", "is_hg": False}) == wanted
    assert push({"url": "https://h/r.git"}).branch is None
    assert push({"url": "https://h/r.git#"}).branch is None
    assert push({"url": "https://h/r.git#refs/heads/a/b"}).branch == "a/b"
    assert push(b"format=basic&url=https%3A%2F%2Fh%2Fr.git%23dev", None, FORM) == wanted


def test_a_form_field_holds_the_same_whatever_the_type_says() -> None:
    plain = {"format": "basic", "url": "https://h/r.git#dev"}
    body = b"payload=" + quote_plus(json.dumps(plain)).encode()
    for content_type in (FORM, "application/json", "text/plain"):
        assert push(body, None, content_type) == push(plain)
    assert push(json.dumps(plain).encode(), None, FORM) == push(plain)


@pytest.mark.parametrize("body", [b"", b" \n", b"\xef\xbb\xbf"])
def test_nothing_means_where_it_was_fetched_from_last(body: bytes) -> None:
    assert push(body) == Push(url="", branch=None, explicit=True, sender="empty")


def test_an_image_means_the_same() -> None:
    assert push(document("docker_hub")).sender == "empty"


@pytest.mark.parametrize(
    ("form", "named"),
    [
        ({"url": "https://h/r", "scm": "hg"}, "Mercurial"),
        ({"url": "https://h/r", "is_hg": True}, "Mercurial"),
        ({"url": "https://h/r", "is_hg": "true"}, "Mercurial"),
        ({"url": "hg@h:r"}, "Mercurial"),
        ({"url": "https://h/r", "scm": "svn"}, "another scm"),
        ({"url": "https://h/r", "format": "other"}, "'other'"),
        ({"format": "basic"}, "no url"),
        ({"format": "basic", "url": 7}, r"\$\.url"),
    ],
)
def test_a_form_that_cannot_be_meant_is_refused(form: dict[str, Any], named: str) -> None:
    with pytest.raises(Invalid, match=named):
        push({"format": "basic", **form})
