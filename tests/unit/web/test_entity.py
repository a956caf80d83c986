"""Ranges and conditions of a file, from RFC 9110."""

from __future__ import annotations

from collections.abc import AsyncGenerator

import pytest
from aiohttp.test_utils import make_mocked_request

from gitdeploy.web.entity import condition, wanted

MODIFIED = 1_795_468_839_000_000
DATE = "Mon, 23 Nov 2026 21:20:39 GMT"
EARLIER = "Mon, 23 Nov 2026 21:20:38 GMT"


class Ten:
    """Ten bytes."""

    size = 10
    tag = "t"
    modified = MODIFIED

    async def read(self, start: int, stop: int) -> AsyncGenerator[bytes, None]:
        yield b"0123456789"[start:stop]


def asked(method: str = "GET", **headers: str):
    given = {name.replace("_", "-"): value for name, value in headers.items()}
    return make_mocked_request(method, "/", headers=given)


@pytest.mark.parametrize(
    ("range_", "span"),
    [
        ("bytes=0-0", (0, 1)),
        ("bytes=2-4", (2, 5)),
        ("bytes=2-", (2, 10)),
        ("bytes=2-999", (2, 10)),
        ("bytes=-3", (7, 10)),
        ("bytes=-999", (0, 10)),
        ("Bytes = 2 - 4", (2, 5)),
        ("bytes=10-", None),
        ("bytes=10-12", None),
        ("bytes=-0", None),
        ("bytes=4-2", (0, 10)),
        ("bytes=-", (0, 10)),
        ("bytes=0-1,3-4", (0, 10)),
        ("lines=0-1", (0, 10)),
        ("bytes=a-b", (0, 10)),
        ("bytes=1-" + "9" * 40, (0, 10)),
        ("", (0, 10)),
    ],
)
def test_a_range_is_what_the_rfc_says(range_: str, span: tuple[int, int] | None) -> None:
    assert wanted(asked(Range=range_), Ten()) == span
    assert wanted(asked("HEAD", Range=range_), Ten()) == (0, 10)


@pytest.mark.parametrize(
    ("same", "honoured"), [('"t"', True), ('"other"', False), ('W/"t"', False), (DATE, False)]
)
def test_a_range_is_honoured_if_the_file_is_the_same(same: str, honoured: bool) -> None:
    span = wanted(asked(Range="bytes=2-4", If_Range=same), Ten())
    assert span == ((2, 5) if honoured else (0, 10))


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 200),
        ({"If_None_Match": '"t"'}, 304),
        ({"If_None_Match": 'W/"t"'}, 304),
        ({"If_None_Match": '"a", "t"'}, 304),
        ({"If_None_Match": "*"}, 304),
        ({"If_None_Match": '"a"'}, 200),
        ({"If_Modified_Since": DATE}, 304),
        ({"If_Modified_Since": EARLIER}, 200),
        ({"If_Modified_Since": "yesterday"}, 200),
        ({"If_Modified_Since": DATE, "If_None_Match": '"a"'}, 200),
        ({"If_Match": "*"}, 200),
        ({"If_Match": '"t"'}, 200),
        ({"If_Match": 'W/"t"'}, 412),
        ({"If_Match": '"a"'}, 412),
        ({"If_Unmodified_Since": DATE}, 200),
        ({"If_Unmodified_Since": EARLIER}, 412),
        ({"If_Match": "*", "If_None_Match": '"t"'}, 304),
    ],
)
def test_conditions_are_judged_in_the_rfc_s_order(headers: dict[str, str], status: int) -> None:
    assert condition(asked(**headers), Ten()) == status
