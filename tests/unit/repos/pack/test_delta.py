"""Three ways to apply a delta, one result; and what is wrong is refused by each."""

from __future__ import annotations

from pathlib import Path

import pytest
from dulwich.pack import create_delta
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gitdeploy.repos.pack.content import Gatherer, Spilled, pieces
from gitdeploy.repos.pack.delta import (
    apply_held,
    apply_in_pieces,
    apply_with_ops,
    delta_sizes,
)
from gitdeploy.repos.pack.limits import PIECE, PackError

_ANY = settings(
    deadline=None, max_examples=1000, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


def spill(data: bytes, directory: Path) -> Spilled:
    spilled = Spilled(directory)
    spilled.write(data)
    return spilled


def in_pieces(base: bytes, delta: bytes, directory: Path) -> bytes:
    _, size, at = delta_sizes(delta)
    gatherer = Gatherer(size, directory, hold=10)
    try:
        apply_in_pieces(spill(base, directory), spill(delta, directory), at, size, gatherer.write)
    except PackError:
        gatherer.close()
        raise
    return b"".join(pieces(gatherer.content()))


@given(base=st.binary(max_size=400), extra=st.binary(max_size=40), data=st.data())
@_ANY
def test_a_delta_of_dulwich_gives_the_result_in_each_way(
    base: bytes, extra: bytes, data: st.DataObject, tmp_path: Path
) -> None:
    at = data.draw(st.integers(0, len(base)))
    result = base[at:] + extra + base[: at // 2]
    delta = b"".join(create_delta(base, result))
    _, size, start = delta_sizes(delta)
    assert apply_held(base, delta, start, size) == result
    made, ops = apply_with_ops(base, delta, start, size)
    assert made == result
    assert [begin for begin, _, _ in ops] == [
        sum(length for _, _, length in ops[:n]) for n in range(len(ops))
    ]
    assert in_pieces(base, delta, tmp_path) == result


@given(
    base=st.binary(max_size=64),
    instructions=st.binary(max_size=40),
    size=st.integers(0, 200),
)
@_ANY
def test_each_way_refuses_what_another_refuses(
    base: bytes, instructions: bytes, size: int, tmp_path: Path
) -> None:
    delta = (
        bytes([len(base)])
        + (bytes([size]) if size < 128 else bytes([size & 0x7F | 0x80, size >> 7]))
        + instructions
    )
    _, size, at = delta_sizes(delta)
    results = []
    for way in (
        lambda: apply_held(base, delta, at, size),
        lambda: apply_with_ops(base, delta, at, size)[0],
        lambda: in_pieces(base, delta, tmp_path),
    ):
        try:
            results.append(way())
        except PackError:
            results.append(None)
    assert results[0] == results[1] == results[2]


def test_instructions_across_the_windows_edge_are_read_whole(tmp_path: Path) -> None:
    data = bytes(range(127))
    count = PIECE // 128 + 3
    size = 127 * count
    head = bytes(
        [0, size & 0x7F | 0x80, size >> 7 & 0x7F | 0x80, size >> 14 & 0x7F | 0x80, size >> 21]
    )
    delta = head + (b"\x7f" + data) * count
    assert in_pieces(b"", delta, tmp_path) == data * count
    with pytest.raises(PackError, match="cut off"):
        in_pieces(b"", delta[:-1], tmp_path)
