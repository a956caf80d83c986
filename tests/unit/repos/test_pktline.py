"""pkt-lines: what is written is read back, whatever way the bytes are cut; dulwich is the oracle."""

from __future__ import annotations

import io
from collections.abc import AsyncIterator

import pytest
from dulwich.protocol import Protocol, pkt_line
from hypothesis import given, settings
from hypothesis import strategies as st

from gitdeploy.repos.pktline import (
    FLUSH,
    MAX_DATA,
    Packet,
    PktError,
    PktReader,
    Special,
    parse,
    pkt,
)

packets = st.lists(st.one_of(st.sampled_from(list(Special)), st.binary(max_size=300)), max_size=20)


def written(these: list[Packet]) -> bytes:
    return b"".join(b"%04x" % p if isinstance(p, Special) else pkt(p) for p in these)


async def in_chunks(data: bytes, cuts: list[int]) -> AsyncIterator[bytes]:
    at = 0
    for cut in [*sorted(c % (len(data) + 1) for c in cuts), len(data)]:
        yield data[at:cut]
        at = cut


@settings(deadline=None, max_examples=150)
@given(packets, st.lists(st.integers(0, 10_000), max_size=30), st.binary(max_size=50))
async def test_what_is_written_is_read_back_however_it_is_cut(
    these: list[Packet], cuts: list[int], rest: bytes
) -> None:
    data = written(these)
    assert list(parse(data)) == these
    reader = PktReader(in_chunks(data + rest, cuts))
    assert [await reader.read() for _ in these] == these
    assert b"".join([chunk async for chunk in reader.rest()]) == rest


@settings(deadline=None, max_examples=100)
@given(st.binary(max_size=2000))
def test_dulwich_writes_the_same(data: bytes) -> None:
    assert pkt(data) == pkt_line(data)
    assert Protocol(io.BytesIO(pkt(data)).read, lambda _: None).read_pkt_line() == (data or b"")


@settings(deadline=None, max_examples=200)
@given(st.binary(max_size=60), st.lists(st.integers(0, 60), max_size=5))
async def test_any_bytes_are_packets_or_a_pkt_error(data: bytes, cuts: list[int]) -> None:
    async def stream() -> list[Packet] | None:
        reader = PktReader(in_chunks(data, cuts))
        found: list[Packet] = []
        try:
            while (packet := await reader.read()) is not None:
                found.append(packet)
        except PktError:
            return None
        return found

    try:
        whole: list[Packet] | None = list(parse(data))
    except PktError:
        whole = None
    assert await stream() == whole


@pytest.mark.parametrize(
    "data", [b"0003", b"fff1", b"00", b"zzzz", b"0006a", b"-001", b"0x05a", b" 005a"]
)
def test_a_length_that_does_not_exist_is_refused(data: bytes) -> None:
    with pytest.raises(PktError):
        list(parse(data))


async def test_a_stream_that_ends_inside_a_packet_is_refused() -> None:
    for data in (b"000", b"000aabc"):
        with pytest.raises(PktError, match="ends inside"):
            await PktReader(in_chunks(data, [])).read()


def test_the_largest_packet_fits_and_one_byte_more_does_not() -> None:
    assert len(pkt(b"x" * MAX_DATA)) == 65520
    with pytest.raises(ValueError, match="65517"):
        pkt(b"x" * (MAX_DATA + 1))


async def test_ten_thousand_packets_in_one_chunk_are_read_in_linear_time() -> None:
    reader = PktReader(in_chunks(pkt(b"x" * 100) * 10_000 + FLUSH, []))
    count = 0
    while await reader.read() is not Special.FLUSH:
        count += 1
    assert count == 10_000
