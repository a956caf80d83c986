"""If-Match and If-None-Match of what writes."""

from __future__ import annotations

import pytest
from aiohttp.test_utils import make_mocked_request
from multidict import CIMultiDict

from gitdeploy.web.conditions import check_write
from gitdeploy.web.errors import PreconditionFailed


def check(tag: str | None, *headers: tuple[str, str]) -> None:
    check_write(make_mocked_request("PUT", "/", headers=CIMultiDict(headers)), tag)


@pytest.mark.parametrize(
    ("tag", "headers"),
    [
        (None, ()),
        (None, (("If-None-Match", "*"),)),
        (None, (("If-Match", "*"),)),
        ("a", (("If-Match", "*"),)),
        ("a", (("If-Match", '"a"'),)),
        ("a", (("If-Match", '"b", "a"'),)),
        ("a", (("If-Match", '"b"'), ("If-Match", '"a"'))),
        ("a", (("If-Match", '"a"'), ("If-None-Match", '"b"'))),
    ],
)
def test_what_the_client_has_seen_may_be_changed(
    tag: str | None, headers: tuple[tuple[str, str], ...]
) -> None:
    check(tag, *headers)


@pytest.mark.parametrize(
    ("tag", "headers"),
    [
        (None, (("If-Match", '"a"'),)),
        ("a", ()),
        ("a", (("If-Match", ""),)),
        ("a", (("If-Match", "a"),)),
        ("a", (("If-Match", 'W/"a"'),)),
        ("a", (("If-Match", '"b"'),)),
        ("a", (("If-None-Match", "*"),)),
        ("a", (("If-Match", "*"), ("If-None-Match", '"a"'))),
        ("a", (("If-Match", "*"), ("If-None-Match", 'W/"a"'))),
    ],
)
def test_what_it_hasn_t_seen_may_not(tag: str | None, headers: tuple[tuple[str, str], ...]) -> None:
    with pytest.raises(PreconditionFailed) as failed:
        check(tag, *headers)
    assert failed.value.tag == tag
    assert failed.value.fix
