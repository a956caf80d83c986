"""Output encoded by the block: byte for byte what encoding each line on its own gives."""

from __future__ import annotations

from collections.abc import AsyncIterator

import msgspec
from hypothesis import example, given, settings
from hypothesis import strategies as st

from gitdeploy.logs import OutputBlock, output_record
from gitdeploy.web.output import Lines, from_output
from gitdeploy.web.streams import Format, Item

WORDS = [
    b'{"a": "",',
    b'","line":""}',
    b"\\",
    b"\\n",
    b"\n\n",
    "caf\xe9 \u2028 \U0001f600".encode(),
]
TEXT = st.lists(
    st.one_of(st.sampled_from(WORDS), st.binary(max_size=8), st.just(b"\n"), st.just(b"\xe2\x82")),
    max_size=30,
).map(b"".join)
BOUND = st.dictionaries(
    st.sampled_from(["app", "kind", "job", "deployment", "instance", "run"]),
    st.one_of(st.none(), st.text(max_size=5), st.just('""')),
)


def of(lines: bytes, *, cut: bool = False, start: int = 0) -> OutputBlock:
    end = start + len(lines) + (not cut)
    return OutputBlock("r1:o", end, ".e7", "stdout", 1_795_468_839_123_456, lines, cut, "r1")


def one_by_one(block: OutputBlock, form: Format, bound: dict[str, object]) -> bytes:
    """What a stream of single records would send."""
    items = [
        Item(line.cursor, output_record(line, **bound), line.line + b"\n" * (not line.cut))
        for line in block.each()
    ]
    return b"".join(encoded for item in items for encoded in item.encoded(form))


@settings(deadline=None, max_examples=300)
@given(TEXT, BOUND, st.sampled_from(["text", "ndjson", "sse"]), st.integers(0, 10**12))
@example(b"", {}, "ndjson", 0)
@example(b"\n", {}, "sse", 0)
@example(b"x\n" * 1500 + b"\xff", {"app": '""'}, "sse", 99)
@example(b"\n" * 1023, {}, "ndjson", 0)
@example(bytes(range(256)), {}, "ndjson", 0)
def test_a_block_is_encoded_as_its_lines_are(
    text: bytes, bound: dict[str, object], form: Format, start: int
) -> None:
    block = of(text, start=start)
    assert b"".join(Lines(block, bound).encoded(form)) == one_by_one(block, form, bound)


@settings(deadline=None, max_examples=100)
@given(TEXT.map(lambda text: text.replace(b"\n", b"")), st.sampled_from(["text", "ndjson", "sse"]))
def test_a_piece_of_a_longer_line_is_encoded_as_one_and_marked(text: bytes, form: Format) -> None:
    block = of(text, cut=True)
    encoded = b"".join(Lines(block, {"app": "demo"}).encoded(form))
    assert encoded == one_by_one(block, form, {"app": "demo"})
    if form == "ndjson":
        assert msgspec.json.decode(encoded)["cut"] is True


def test_many_short_lines_are_encoded_in_portions() -> None:
    block = of(b"\n" * 100_000)
    portions = list(Lines(block, {"app": "demo"}).encoded("ndjson"))
    assert max(map(len, portions)) < 1 << 17
    assert sum(portion.count(b"\n") for portion in portions) == 100_001


async def test_output_becomes_elements_and_is_closed_when_left() -> None:
    closed = False

    async def batches() -> AsyncIterator[list[OutputBlock]]:
        nonlocal closed
        try:
            yield [of(b"\xffpiece", cut=True), of(b"rest\nmore", start=6)]
            yield []
        finally:
            closed = True

    elements = from_output(batches(), app="demo", run="bound")
    first = await anext(elements)
    await elements.aclose()
    assert closed
    assert [b"".join(e.encoded("text")) for e in first] == [b"\xffpiece", b"rest\nmore\n"]
    ndjson = b"".join(encoded for e in first for encoded in e.encoded("ndjson"))
    records = [msgspec.json.decode(record) for record in ndjson.splitlines()]
    assert [record["line"] for record in records] == ["\\xffpiece", "rest", "more"]
    assert {(record["app"], record["run"]) for record in records} == {("demo", "bound")}
    sse = b"".join(first[1].encoded("sse")).decode()
    assert [line for line in sse.split("\n") if line.startswith("id: ")] == [
        "id: r1:o11.e7",
        "id: r1:o16.e7",
    ]
