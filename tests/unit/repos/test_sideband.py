"""The answer's frames: sizes, order, safe text, silence, a client that left."""

from __future__ import annotations

import asyncio

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gitdeploy.repos import sideband
from gitdeploy.repos.pktline import Special, parse
from gitdeploy.repos.sideband import Sideband, safe_line
from tests.support import eventually


class Client:
    """Collects what is sent."""

    def __init__(self) -> None:
        self.sent: list[bytes] = []

    async def send(self, data: bytes) -> None:
        self.sent.append(data)

    def bands(self) -> list[tuple[int, bytes]]:
        packets = parse(b"".join(self.sent))
        return [(p[0], p[1:]) for p in packets if not isinstance(p, Special)]


@settings(deadline=None, max_examples=150)
@given(st.text(max_size=300), st.booleans())
def test_safe_text_moves_no_cursor(text: str, colours: bool) -> None:
    safe = safe_line(text, colours=colours)
    without = sideband._COLOUR.sub("", safe) if colours else safe
    assert all(c == "\t" or (c.isprintable() or ord(c) > 0x9F) for c in without)
    assert "\n" not in safe and "\r" not in safe


def test_safe_text_says_what_was_there() -> None:
    assert safe_line("a\x1b[2J\tb\r\x9b") == "a\\x1b[2J\tb\\x0d\\x9b"
    assert safe_line("\x1b[31mred\x1b[0m\x1b[1A", colours=True) == "\x1b[31mred\x1b[0m\\x1b[1A"
    assert safe_line("schön 漢字 ✓") == "schön 漢字 ✓"


@settings(deadline=None, max_examples=40)
@given(st.text(min_size=1, max_size=40), st.integers(1, 6000), st.sampled_from([995, 65515]))
async def test_a_line_of_any_length_arrives_whole(text: str, times: int, room: int) -> None:
    client = Client()
    out = Sideband(client.send, "side-band" if room == 995 else "side-band-64k")
    await out.line(text * times)
    bands = client.bands()
    assert all(band == 2 and 0 < len(data) <= room for band, data in bands)
    for _, data in bands:
        data.decode()  # cut between characters
    whole = b"".join(data for _, data in bands).decode()
    assert whole == safe_line(text * times).encode("utf-8", "replace").decode() + "\n"


async def test_each_line_is_one_write() -> None:
    client = Client()
    out = Sideband(client.send, "side-band-64k")
    await out.line("one")
    await out.line("two")
    assert client.sent == [b"0009\x02one\n", b"0009\x02two\n"]


async def test_a_long_report_goes_in_band_1_in_order() -> None:
    client = Client()
    out = Sideband(client.send, "side-band-64k")
    await out.report(bytes(range(256)) * 1000)
    assert b"".join(data for band, data in client.bands() if band == 1) == bytes(range(256)) * 1000


async def test_without_a_side_band_only_the_report_is_sent() -> None:
    client = Client()
    out = Sideband(client.send, None)
    await out.line("not for a program")
    async with out.kept_alive():
        await out.report(b"000eunpack ok\n0000")
    await out.end()
    assert client.sent == [b"000eunpack ok\n0000"]


async def test_only_silence_is_filled(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sideband, "KEEP_ALIVE", 0.05)
    client = Client()
    out = Sideband(client.send, "side-band-64k")
    async with out.kept_alive():
        await eventually(lambda: client.sent.count(b"0005\x02") >= 2)
        await out.line("words")
    assert b"0005\x02" in client.sent
    count = len(client.sent)
    await asyncio.sleep(0)
    assert len(client.sent) == count


async def test_after_the_client_left_everything_is_dropped() -> None:
    calls = 0

    async def send(data: bytes) -> None:
        nonlocal calls
        calls += 1
        raise ConnectionResetError

    out = Sideband(send, "side-band-64k")
    await out.line("one")
    assert out.gone
    await out.line("two")
    await out.report(b"x")
    await out.end()
    assert calls == 1
