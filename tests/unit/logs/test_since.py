"""The first line of a time, found in the index."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gitdeploy.logs import read_execution
from gitdeploy.logs.since import since_start
from gitdeploy.logs.times import entry

TS = 1_795_468_839_000_000
WRITES = st.lists(
    st.tuples(st.sampled_from([b"a\n", b"bb\nc\n", b"d", b"\n"]), st.integers(0, 3), st.booleans()),
    max_size=12,
)


async def lines_of(watcher, directory: Path, after: str | None = None) -> list[tuple[int, bytes]]:
    return [
        (line.ts, line.line)
        async for batch in read_execution(watcher, directory, after=after)
        for line in batch
    ]


@settings(deadline=None, max_examples=150)
@given(WRITES, st.integers(-1, 20))
def test_what_is_behind_it_is_what_has_that_time_or_a_later_one(
    writes: list[tuple[bytes, int, bool]], moment: int
) -> None:
    with tempfile.TemporaryDirectory() as directory:
        check(Path(directory), writes, moment)


def check(directory: Path, writes: list[tuple[bytes, int, bool]], moment: int) -> None:
    sizes, index, now = [0, 0], b"", 0
    files = [b"", b""]
    for data, later, stderr in writes:
        now += later
        files[stderr] += data
        sizes[stderr] += len(data)
        index += entry(int(stderr), sizes[stderr], TS + now)
    (directory / "times").write_bytes(index)
    for name, data in zip(("stdout", "stderr"), files, strict=True):
        (directory / name).write_bytes(data)
        os.utime(directory / name, ns=((TS + now) * 1000, (TS + now) * 1000))
    starts = since_start(directory, TS + moment)
    for number, name in enumerate(("stdout", "stderr")):
        data = files[number]
        begins = [0, *(at + 1 for at, byte in enumerate(data) if byte == 10)]
        entries = [
            (sum(len(d) for d, _, s in writes[: n + 1] if s == bool(number)), 0)
            for n in range(len(writes))
        ]
        assert starts[number] in begins, name
        now = 0
        times: list[tuple[int, int]] = []
        for n, (_, later, stderr) in enumerate(writes):
            now += later
            if int(stderr) == number:
                times.append((entries[n][0], now))

        def time_of(begin: int, times: list[tuple[int, int]] = times) -> int:
            return next(time for offset, time in times if offset > begin)

        unfinished = begins[-1] if not data.endswith(b"\n") else None
        whole = [b for b in begins if b < len(data) and b != unfinished]
        assert all((time_of(b) >= moment) == (b >= starts[number]) for b in whole), name
        if unfinished is not None and data:
            assert starts[number] <= unfinished, name


def test_a_long_index_is_halved_not_read(tmp_path: Path) -> None:
    lines = 200_000
    (tmp_path / "stdout").write_bytes(b"0123456\n" * lines)
    index = b"".join(entry(0, 8 * n, TS + n) for n in range(1, lines + 1))
    (tmp_path / "times").write_bytes(entry(1, 2, TS) + index)
    read = 0
    real = os.pread

    def counted(fd: int, size: int, at: int) -> bytes:
        nonlocal read
        data = real(fd, size, at)
        read += len(data)
        return data

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "pread", counted)
        assert since_start(tmp_path, TS + 150_000) == (8 * 149_999, 0)
        assert read < len(index) / 4
        read = 0
        (tmp_path / "stderr").write_bytes(b"x\n")
        assert since_start(tmp_path, TS + 150_000) == (8 * 149_999, 2)
        assert read < len(index) * 1.5, "a stream that was quiet is looked for once"


async def test_output_without_an_index_is_as_old_as_its_file(watcher, execution) -> None:
    execution.write(b"one\ntwo\n")
    os.utime(execution.directory / "stdout", ns=(TS * 1000, TS * 1000))
    assert since_start(execution.directory, TS) == (0, 0)
    assert since_start(execution.directory, TS + 1) == (8, 0)
    assert since_start(execution.directory / "missing", TS) == (0, 0)
