import asyncio
import errno
import os
from collections.abc import AsyncIterator
from contextlib import aclosing
from pathlib import Path

import pytest

from gitdeploy.repos import cache
from gitdeploy.repos.cache import Answers, Produce, Write
from tests.support import eventually

KEY = ("shop", "k" * 64)


@pytest.fixture
async def answers(tmp_path: Path) -> AsyncIterator[Answers]:
    made = Answers(tmp_path / "answers", limit=4096)
    await made.start()
    yield made
    await made.close()


def saying(*pieces: bytes, keep: bool = True) -> Produce:
    async def produce(write: Write) -> bool:
        for piece in pieces:
            await write(piece)
        return keep

    return produce


async def never(write: Write) -> bool:
    raise AssertionError("this answer is known already")


async def whole(answers: Answers, key: tuple[str, str], produce: Produce) -> bytes:
    return b"".join([piece async for piece in answers.read(key, produce)])


def files(answers: Answers) -> list[str]:
    return sorted(p.name for p in answers._directory.glob("*/*"))


async def test_an_answer_is_made_once(answers: Answers) -> None:
    assert await whole(answers, KEY, saying(b"one ", b"two")) == b"one two"
    assert await whole(answers, KEY, never) == b"one two"
    assert (answers.hits, answers.misses, answers.size) == (1, 1, 7)


async def test_a_second_reader_reads_what_is_growing(answers: Answers) -> None:
    gate = asyncio.Event()

    async def produce(write: Write) -> bool:
        await write(b"first")
        await gate.wait()
        await write(b"second")
        return True

    async with (
        aclosing(answers.read(KEY, produce)) as one,
        aclosing(answers.read(KEY, never)) as two,
    ):
        assert await anext(one) == b"first"
        assert await anext(two) == b"first"
        gate.set()
        assert await anext(two) == b"second"
        assert await anext(one) == b"second"
        assert [p async for p in one] == [p async for p in two] == []


async def test_an_answer_that_may_not_be_kept_is_still_told_whole(answers: Answers) -> None:
    assert await whole(answers, KEY, saying(b"ERR no", keep=False)) == b"ERR no"
    assert await whole(answers, KEY, saying(b"now it works")) == b"now it works"
    assert answers.misses == 2


async def test_a_failure_reaches_every_reader_and_leaves_nothing(answers: Answers) -> None:
    async def produce(write: Write) -> bool:
        await write(b"some")
        raise OSError(errno.EIO, "broken")

    results = await asyncio.gather(
        whole(answers, KEY, produce), whole(answers, KEY, never), return_exceptions=True
    )
    assert [type(r) for r in results] == [OSError, OSError]
    assert files(answers) == []


async def test_the_last_reader_to_leave_ends_the_work(answers: Answers) -> None:
    ended = asyncio.Event()

    async def produce(write: Write) -> bool:
        try:
            await write(b"x")
            await asyncio.Event().wait()
        finally:
            ended.set()
        return True

    one, two = answers.read(KEY, produce), answers.read(KEY, never)
    assert await anext(one) == await anext(two) == b"x"
    await one.aclose()
    await asyncio.sleep(0)
    assert not ended.is_set()
    await two.aclose()
    await asyncio.wait_for(ended.wait(), 5)
    await eventually(lambda: files(answers) == [])
    assert await whole(answers, KEY, saying(b"fresh")) == b"fresh"


async def test_the_least_recently_read_goes_first(answers: Answers) -> None:
    for name in "abc":
        await whole(answers, ("shop", name), saying(name.encode() * 1500))
    # 4500 bytes are over 4096: a went
    assert files(answers) == ["b", "c"]
    await whole(answers, ("shop", "b"), never)
    await whole(answers, ("shop", "d"), saying(b"d" * 1500))
    assert files(answers) == ["b", "d"]
    assert answers.size == 3000


async def test_an_answer_over_half_of_the_limit_passes_through_memory(
    answers: Answers, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cache, "_WINDOW", 1000)
    held: list[int] = []

    async def produce(write: Write) -> bool:
        for number in range(40):
            await write(bytes([number]) * 500)
            held.append(number)
        return True

    got = b""
    async for piece in answers.read(KEY, produce):
        got += piece
        await asyncio.sleep(0)
        # never more than the file's part, the window and a piece ahead of the reader
        assert (len(held) * 500) - len(got) <= 2048 + 1000 + 500
    assert got == b"".join(bytes([number]) * 500 for number in range(40))
    assert files(answers) == []


async def test_a_full_disk_does_not_break_the_answer(
    answers: Answers, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = os.pwrite

    def full(fd: int, data: bytes, at: int) -> int:
        if at >= 5:
            raise OSError(errno.ENOSPC, "No space left on device")
        return real(fd, data, at)

    monkeypatch.setattr(cache.os, "pwrite", full)
    assert await whole(answers, KEY, saying(b"12345", b"6789", b"0")) == b"1234567890"
    assert files(answers) == []
    assert answers.size == 0


async def test_a_new_server_takes_up_what_is_whole_and_removes_the_rest(tmp_path: Path) -> None:
    first = Answers(tmp_path, limit=4096)
    await first.start()
    await whole(first, KEY, saying(b"kept"))
    await first.close()
    (tmp_path / "shop" / "z.3.part").write_bytes(b"cut o")
    second = Answers(tmp_path, limit=4096)
    await second.start()
    assert files(second) == [KEY[1]]
    assert await whole(second, KEY, never) == b"kept"
    await second.close()


async def test_nothing_is_kept_of_an_app_that_is_gone(answers: Answers) -> None:
    await whole(answers, KEY, saying(b"secret"))
    await whole(answers, ("other", "x"), saying(b"stays"))
    answers.forget("shop")
    assert files(answers) == ["x"]
    assert await whole(answers, KEY, saying(b"new")) == b"new"


async def test_an_answer_that_somebody_removed_is_made_again(answers: Answers) -> None:
    await whole(answers, KEY, saying(b"one"))
    (answers._directory / "shop" / KEY[1]).unlink()
    assert await whole(answers, KEY, saying(b"two")) == b"two"
    assert answers.size == 3


async def test_closing_ends_what_is_being_made(tmp_path: Path) -> None:
    answers = Answers(tmp_path)
    await answers.start()
    reader = answers.read(KEY, lambda write: asyncio.Event().wait())
    reading = asyncio.create_task(anext(reader))
    await eventually(lambda: files(answers))
    await answers.close()
    with pytest.raises(ConnectionAbortedError):
        await reading
    assert files(answers) == []
