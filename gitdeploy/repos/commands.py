"""What a push asks for: its commands, capabilities and options (gitprotocol-pack(5))."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

from gitdeploy.errors import Invalid
from gitdeploy.repos.limits import Limits
from gitdeploy.repos.pktline import PktError, PktReader, Special
from gitdeploy.repos.types import ZERO, RefUpdate

_COMMAND = re.compile(rb"([0-9a-f]{40}) ([0-9a-f]{40}) ([^\x00\n]+)")
_SHA256 = re.compile(rb"[0-9a-f]{64} ")
Band = Literal["side-band", "side-band-64k"] | None


@dataclass(frozen=True, slots=True)
class PushRequest:
    """Everything before the pack. `options` is None where none were negotiated."""

    updates: tuple[RefUpdate, ...]
    capabilities: frozenset[str]
    shallow: frozenset[bytes]
    options: tuple[str, ...] | None

    @property
    def band(self) -> Band:
        """How the answer is framed; None: the bare report."""
        if "side-band-64k" in self.capabilities:
            return "side-band-64k"
        return "side-band" if "side-band" in self.capabilities else None

    @property
    def wants_report(self) -> bool:
        return bool(self.capabilities & {"report-status", "report-status-v2"})

    @property
    def atomic(self) -> bool:
        return "atomic" in self.capabilities

    @property
    def brings_pack(self) -> bool:
        """A push that only deletes has no pack behind it."""
        return any(update.new != ZERO for update in self.updates)


async def read_request(reader: PktReader, limits: Limits) -> PushRequest | None:
    """Read up to where the pack begins; None where there are no commands (a client's probe).

    Raises PktError or Invalid, before anything was answered.
    """
    updates: list[RefUpdate] = []
    shallow: set[bytes] = set()
    capabilities: frozenset[str] | None = None
    while (line := await _line(reader)) is not None:
        if line.startswith(b"shallow "):
            shallow.add(_object_id(line[8:]))
            continue
        if line.startswith(b"push-cert"):
            raise Invalid("Signed pushes aren't supported.", "Push without --signed.")
        if capabilities is None:
            line, _, after = line.partition(b"\0")
            capabilities = frozenset(after.decode("utf-8", "replace").split())
            _check_format(capabilities, line)
        updates.append(_command(line))
        if len(updates) > 2 * limits.max_refs:
            raise Invalid(
                f"The push names more refs than twice max_refs = {limits.max_refs}.",
                "Push fewer refs, or raise max_refs on the server.",
            )
    if capabilities is None:
        return None
    options = None
    if "push-options" in capabilities:
        options = await _options(reader, limits)
    return PushRequest(tuple(updates), capabilities, frozenset(shallow), options)


async def _line(reader: PktReader) -> bytes | None:
    """The next line of a section, None at its flush (or the end of an empty body)."""
    packet = await reader.read()
    if packet is Special.FLUSH or packet is None:
        return None
    if isinstance(packet, Special):
        raise PktError(f"A {packet.name.lower()} packet can't stand in a push.")
    return packet.removesuffix(b"\n")


def _command(line: bytes) -> RefUpdate:
    match = _COMMAND.fullmatch(line)
    if match is None:
        raise PktError(f"{line[:200]!r} isn't a push command.")
    try:
        ref = match[3].decode("utf-8")
    except UnicodeDecodeError:
        raise Invalid(f"The ref name {match[3]!r} isn't UTF-8.", "Rename the ref.") from None
    return RefUpdate(ref, match[1].decode(), match[2].decode())


def _object_id(text: bytes) -> bytes:
    try:
        oid = bytes.fromhex(text.decode("ascii"))
    except ValueError:
        oid = b""
    if len(oid) != 20:
        raise PktError(f"{text[:100]!r} isn't an object id.")
    return oid


def _check_format(capabilities: frozenset[str], line: bytes) -> None:
    asked = next((c for c in capabilities if c.startswith("object-format=")), None)
    if asked not in (None, "object-format=sha1") or _SHA256.match(line):
        raise Invalid(
            "This server keeps SHA-1 repositories; the push comes from one with another format.",
            "Push from a repository made by git init --object-format=sha1.",
        )


async def _options(reader: PktReader, limits: Limits) -> tuple[str, ...]:
    options: list[str] = []
    while (line := await _line(reader)) is not None:
        if len(options) >= limits.max_push_options:
            raise Invalid(f"More than {limits.max_push_options} push options.", "Give fewer.")
        if len(line) > limits.max_push_option_bytes or b"\0" in line or b"\n" in line:
            raise Invalid(
                f"A push option is longer than {limits.max_push_option_bytes} bytes or has a "
                "NUL or a line break.",
                "Shorten it.",
            )
        options.append(line.decode("utf-8", "replace"))
    return tuple(options)
