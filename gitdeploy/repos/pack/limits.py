"""What a pack may cost, the numbers of git's object types, and the one way a pack is refused."""

from __future__ import annotations

import msgspec

from gitdeploy.errors import GitdeployError

COMMIT, TREE, BLOB, TAG, OFS_DELTA, REF_DELTA = 1, 2, 3, 4, 6, 7
TYPE_NAMES = {COMMIT: b"commit", TREE: b"tree", BLOB: b"blob", TAG: b"tag"}
TYPE_NUMBERS = {name: number for number, name in TYPE_NAMES.items()}

PIECE = 256 << 10
"""Bytes that are inflated, hashed or copied at once where a thing is too big to be held."""
HELD = 1 << 20
"""A blob or a delta up to this size is held whole; a bigger one goes through in pieces."""
STRUCTURED = 32 << 20
"""Largest tree, commit or tag: they have to be held whole to be checked."""
EXPANSION = 256
"""A pack may inflate to so many times `max_bytes`: bounds the time that deltas on deltas cost."""


class PackLimits(msgspec.Struct, frozen=True, kw_only=True):
    """Limits of one pack. Sizes are bytes.

    `max_bytes` is the pack as sent, `max_object_size` one object inflated, `max_path_length` a
    path from the root of a tree, `window_bytes` what is held of delta bases that are still needed
    (more goes to a temporary file beside the pack, at most `max_spill`).
    """

    max_bytes: int = 2 << 30
    max_objects: int = 5_000_000
    max_object_size: int = 1 << 30
    max_delta_depth: int = 4096
    max_path_length: int = 4096
    window_bytes: int = 64 << 20
    max_spill: int = 8 << 30


class PackError(GitdeployError):
    """The pack is refused. `reason` is short, made for git's `unpack` line: "pack truncated"."""

    def __init__(self, reason: str, fix: str = "") -> None:
        super().__init__(f"The pack is refused: {reason}.", fix)
        self.reason = reason


def over(what: str, limit: int, setting: str) -> PackError:
    """A limit was passed: `what` says of what, the message names limit and setting."""
    return PackError(
        f"{what}, more than {setting} = {limit}",
        f"Push less at once, or raise {setting} on the server.",
    )


def broken_object(oid: bytes, problem: str) -> PackError:
    """An object breaks a rule: git's own form `object HEX: msgId: text`."""
    return PackError(
        f"object {oid.hex()}: {problem}",
        "Rewrite the history that has it (git fsck names it too), then push again.",
    )
