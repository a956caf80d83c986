"""Deltas: a copy of parts of the base and bytes of their own, read as untrusted input.

Format: git's Documentation/gitformat-pack, "Deltified representation".
"""

from __future__ import annotations

import os
from collections.abc import Callable

from dulwich.errors import ApplyDeltaError
from dulwich.pack import apply_delta

from gitdeploy.repos.pack.content import Content, read_at
from gitdeploy.repos.pack.limits import PIECE, PackError

Op = tuple[int, int, int]
"""Where it begins in the result; where in the base it copies from, or -1; how many bytes."""

_SEAL = os.urandom(127)


def delta_sizes(delta: bytes) -> tuple[int, int, int]:
    """Sizes of base and result as a delta declares them, and where its instructions begin."""
    at = 0
    sizes = []
    for _ in range(2):
        size = shift = 0
        while True:
            if at >= len(delta) or shift > 63:
                raise PackError("delta is truncated in its header")
            byte = delta[at]
            at += 1
            size |= (byte & 0x7F) << shift
            shift += 7
            if byte < 0x80:
                break
        sizes.append(size)
    return sizes[0], sizes[1], at


def apply_held(base: bytes, delta: bytes, at: int, size: int) -> bytes:
    """The result, by dulwich's compiled routine: ten times as fast as ours. Raises PackError.

    That takes a last instruction that doesn't fit for the end of the delta (seen in 1.2), where git
    refuses it. So the delta gets one more instruction, the longest insert there is, of bytes that
    nobody can guess: they end the result only if all before them was read to its exact end.
    """
    sealed = _number(len(base)) + _number(size + len(_SEAL)) + delta[at:] + b"\x7f" + _SEAL
    try:
        chunks = apply_delta(base, sealed)
    except (ApplyDeltaError, ValueError, IndexError) as error:
        raise PackError(f"failed to apply delta: {error}") from error
    result = chunks[0] if len(chunks) == 1 else b"".join(chunks)
    if len(result) != size + len(_SEAL) or not result.endswith(_SEAL):
        raise PackError("failed to apply delta: the result's size is wrong")
    return result[:size]


def _number(value: int) -> bytes:
    out = bytearray()
    while value >= 0x80:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def apply_with_ops(base: bytes, delta: bytes, at: int, size: int) -> tuple[bytes, list[Op]]:
    """The result, and the instructions that made it. Raises PackError.

    Takes some hundred bytes for each instruction: for deltas of a few thousand bytes.
    """
    parts: list[bytes] = []
    ops: list[Op] = []
    made = 0
    end = len(delta)
    limit = len(base)
    try:
        while at < end:
            code = delta[at]
            at += 1
            if code & 0x80:
                source = length = 0
                if code & 0x7F:
                    if code & 0x01:
                        source = delta[at]
                        at += 1
                    if code & 0x02:
                        source |= delta[at] << 8
                        at += 1
                    if code & 0x04:
                        source |= delta[at] << 16
                        at += 1
                    if code & 0x08:
                        source |= delta[at] << 24
                        at += 1
                    if code & 0x10:
                        length = delta[at]
                        at += 1
                    if code & 0x20:
                        length |= delta[at] << 8
                        at += 1
                    if code & 0x40:
                        length |= delta[at] << 16
                        at += 1
                length = length or 0x10000
                if source + length > limit:
                    raise PackError("failed to apply delta: copies from beyond its base")
                parts.append(base[source : source + length])
            elif code:
                source, length = -1, code
                parts.append(delta[at : at + code])
                at += code
            else:
                raise PackError("failed to apply delta: unknown instruction 0")
            ops.append((made, source, length))
            made += length
            if made > size:
                break
    except IndexError:
        made = -1
    if at > end or made != size:
        raise PackError("failed to apply delta: the result's size is wrong")
    return b"".join(parts), ops


def apply_in_pieces(
    base: Content, delta: Content, at: int, size: int, write: Callable[[bytes], None]
) -> None:
    """Write the result piece by piece: base, delta and result may each be too big to be held."""
    reader = _Reader(delta, at)
    made = 0
    while not reader.ended():
        code = reader.byte()
        if code & 0x80:
            source = sum(reader.byte() << 8 * n for n in range(4) if code >> n & 1)
            length = sum(reader.byte() << 8 * n for n in range(3) if code >> 4 + n & 1) or 0x10000
            if source + length > len(base):
                raise PackError("failed to apply delta: copies from beyond its base")
        elif code:
            source, length = -1, code
        else:
            raise PackError("failed to apply delta: unknown instruction 0")
        made += length
        if made > size:
            break
        if source < 0:
            write(reader.take(length))
        else:
            for start in range(source, source + length, PIECE):
                write(read_at(base, start, min(PIECE, source + length - start)))
    if made != size:
        raise PackError("failed to apply delta: the result's size is wrong")


class _Reader:
    """Reads a delta's instructions through a window."""

    def __init__(self, delta: Content, at: int) -> None:
        self._delta = delta
        self._next = at  # what the window ends before
        self._window = b""
        self._at = 0

    def ended(self) -> bool:
        return self._at == len(self._window) and self._next == len(self._delta)

    def byte(self) -> int:
        return self.take(1)[0]

    def take(self, length: int) -> bytes:
        if len(self._window) - self._at < length:
            more = min(PIECE, len(self._delta) - self._next)
            self._window = self._window[self._at :] + read_at(self._delta, self._next, more)
            self._next += more
            self._at = 0
            if len(self._window) < length:
                raise PackError("failed to apply delta: it is cut off")
        self._at += length
        return self._window[self._at - length : self._at]
