"""Times as people write them."""

from __future__ import annotations

import pytest

from gitdeploy.errors import Invalid
from gitdeploy.web.selection import moment

NOW = 1_795_468_839_000_000


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("90", 90), ("90s", 90), ("10m", 600), ("1h30m", 5400), ("2d", 172_800), ("1d1s", 86_401)],
)
def test_a_span_is_counted_back_from_now(text: str, seconds: int) -> None:
    assert moment(text, NOW) == NOW - seconds * 1_000_000


@pytest.mark.parametrize(
    "text",
    [
        "2026-11-23T21:20:39Z",
        "2026-11-23T21:20:39.000000+00:00",
        "2026-11-24T06:20:39+09:00",
        "2026-11-24T06:20:39 09:00",
        "2026-11-23T16:20:39-05:00",
        "2026-11-23 21:20:39",
        "@1795468839",
        "@1795468839.000",
    ],
)
def test_a_time_is_read_in_its_zone_or_in_utc(text: str) -> None:
    assert moment(text, NOW) == NOW


@pytest.mark.parametrize(
    "text", ["x", "10y", "m", "-5", "@", "@x", "2026-13-01", "1e3", "٣", "12:00"]
)
def test_what_is_no_time_is_refused(text: str) -> None:
    with pytest.raises(Invalid, match="since="):
        moment(text, NOW)


def test_a_time_far_away_is_refused_or_read_but_never_a_fault() -> None:
    for text in ("0001-01-01T00:00:00+23:59", "9999-12-31T23:59:59-23:59"):
        try:
            moment(text, NOW)
        except Invalid as error:
            assert "range" in error.what
    assert moment("999999999d", NOW) < 0


def test_a_time_of_the_day_is_no_zone() -> None:
    assert moment("2026-11-23 21:20", NOW) == NOW - 39_000_000
