"""What a dump masks: settings by their names, in whatever pieces the text comes."""

from __future__ import annotations

from collections.abc import AsyncIterator
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gitdeploy.events import Redactor
from gitdeploy.web.kudu.dump import Mask, masked, secrets_of


async def through(pieces: list[bytes], *secrets: str) -> bytes:
    async def source() -> AsyncIterator[bytes]:
        for piece in pieces:
            yield piece

    return b"".join([piece async for piece in masked(source(), Mask(Redactor(), secrets))])


@pytest.mark.parametrize(
    "key",
    [
        "DB_PASSWORD",
        "db_passwd",
        "PWD_OF_DB",
        "ClientSecret",
        "GITHUB_TOKEN",
        "AWS_SECRET_ACCESS_KEY",
        "SQLAZURECONNSTR_Main",
        "DefaultConnectionString",
        "STORAGE_SAS",
        "SENTRY_DSN",
        "SSH_PRIVATE",
        "APIKEY",
    ],
)
def test_a_setting_that_is_named_like_a_secret_is_one(key: str) -> None:
    assert "a long value" in set(secrets_of({key: "a long value"}))


@pytest.mark.parametrize("key", ["COLOUR", "WEBSITE_NODE_VERSION", "MONKEY", "KEYBOARD", "PATH"])
def test_another_setting_is_left_alone(key: str) -> None:
    assert list(secrets_of({key: "a long value"})) == []


def test_short_values_are_words_and_stay() -> None:
    assert list(secrets_of({"PASSWORD": "true", "TOKEN": "\n\n", "SECRET": ""})) == []


@given(
    before=st.text("ab \n\u00fc", max_size=50),
    after=st.text("ab \n\u00fc", max_size=50),
    cuts=st.lists(st.integers(0, 120), max_size=6),
)
@settings(deadline=None, max_examples=60)
async def test_a_secret_is_masked_wherever_the_pieces_are_cut(
    before: str, after: str, cuts: list[int]
) -> None:
    data = f"{before} the-secret {after}".encode()
    places = sorted({min(cut, len(data)) for cut in cuts} | {0, len(data)})
    pieces = [data[a:b] for a, b in pairwise(places)]
    out = await through(pieces, "the-secret")
    assert out == data.replace(b"the-secret", b"***")


async def test_bytes_that_are_no_text_come_through_untouched() -> None:
    data = bytes(range(256)) * 20 + b"\n\xff\xfe"
    assert await through([data[:100], data[100:]], "not-in-there") == data


async def test_the_longer_of_two_secrets_is_masked_whole_and_the_logs_own_are_too() -> None:
    data = b"a-secret-and-more a-secret ada:gone@x https://ada:lovelace@example.org/\n"
    out = await through([data], "a-secret", "a-secret-and-more")
    assert out == b"*** *** ada:gone@x https://ada:***@example.org/\n"
