"""The section before the pack: commands, shallow lines, capabilities, push options."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gitdeploy.config import Options
from gitdeploy.errors import Invalid
from gitdeploy.repos import ZERO, RefUpdate
from gitdeploy.repos.commands import PushRequest, read_request
from gitdeploy.repos.limits import Limits
from gitdeploy.repos.pktline import FLUSH, PktReader, pkt

LIMITS = Limits.of(Options(max_refs=10))
ONE, TWO = "1" * 40, "2" * 40


async def read(data: bytes) -> tuple[PushRequest | None, bytes]:
    async def stream() -> AsyncIterator[bytes]:
        yield data

    reader = PktReader(stream())
    request = await read_request(reader, LIMITS)
    return request, b"".join([chunk async for chunk in reader.rest()])


async def test_everything_before_the_pack_is_read_and_no_more() -> None:
    data = (
        pkt(f"shallow {TWO}\n")
        + pkt(f"{ZERO} {ONE} refs/heads/a\0 report-status side-band-64k push-options atomic x=y")
        + pkt(f"{ONE} {ZERO} refs/heads/b\n")
        + FLUSH
        + pkt("gitdeploy.wait=false\n")
        + pkt("two words")
        + FLUSH
    )
    request, rest = await read(data + b"PACK")
    assert request is not None
    assert request.updates == (
        RefUpdate("refs/heads/a", ZERO, ONE),
        RefUpdate("refs/heads/b", ONE, ZERO),
    )
    assert request.shallow == {bytes.fromhex(TWO)}
    assert request.options == ("gitdeploy.wait=false", "two words")
    assert request.atomic and request.wants_report and request.brings_pack
    assert request.band == "side-band-64k"
    assert rest == b"PACK"


async def test_options_that_were_not_negotiated_are_not_read() -> None:
    request, rest = await read(pkt(f"{ONE} {ZERO} refs/heads/a\0report-status") + FLUSH + b"rest")
    assert request is not None
    assert request.options is None
    assert not request.brings_pack
    assert request.band is None
    assert rest == b"rest"


async def test_no_commands_is_no_push() -> None:
    assert (await read(FLUSH))[0] is None
    assert (await read(b""))[0] is None
    assert (await read(pkt(f"shallow {TWO}") + FLUSH))[0] is None


@pytest.mark.parametrize(
    ("lines", "words"),
    [
        ([f"{ZERO} {ONE} refs/heads/{n}" for n in range(21)], "max_refs = 10"),
        (["push-cert\0x"], "--signed"),
        ([f"{'1' * 64} {'2' * 64} refs/heads/a\0x"], "SHA-1"),
        ([f"{ZERO} {ONE} refs/heads/a\0object-format=sha256"], "--object-format=sha1"),
        ([f"{ZERO} {ONE}"], "isn't a push command"),
        ([f"{ZERO} {ONE.replace('1', 'G')} refs/heads/a"], "isn't a push command"),
        ([f"{ZERO} {ONE.replace('1', 'A')} refs/heads/a"], "isn't a push command"),
        (["shallow 12"], "isn't an object id"),
    ],
)
async def test_what_can_not_be_is_refused(lines: list[str], words: str) -> None:
    with pytest.raises(Invalid, match=words):
        await read(b"".join(pkt(line) for line in lines) + FLUSH)


@pytest.mark.parametrize("options", [["x"] * 65, ["x" * 4097], ["a\nb"], ["a\0b"]])
async def test_push_options_have_limits(options: list[str]) -> None:
    head = pkt(f"{ZERO} {ONE} refs/heads/a\0push-options") + FLUSH
    with pytest.raises(Invalid):
        await read(head + b"".join(pkt(option) for option in options) + FLUSH)


async def test_a_delimiter_has_no_place_in_a_push() -> None:
    with pytest.raises(Invalid, match="delim"):
        await read(b"0001")


@settings(deadline=None, max_examples=200)
@given(st.lists(st.binary(max_size=120), max_size=4))
async def test_any_lines_are_a_request_or_refused(lines: list[bytes]) -> None:
    try:
        request, _ = await read(b"".join(pkt(line) for line in lines) + FLUSH)
    except Invalid:
        return
    assert request is None or request.updates
