"""What a client of `git-upload-pack` asks for, and the part of it that decides on the answer."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

from gitdeploy.errors import Invalid
from gitdeploy.repos.pktline import Packet, PktError, Special, parse, pkt

# Tell who asks, not what is asked for.
_IDLE = (b"agent=", b"session-id=")
_COMMAND = b"command="


@dataclass(frozen=True, slots=True)
class Command:
    """A request in protocol 2: the command, its capabilities, its arguments."""

    name: str
    capabilities: tuple[bytes, ...]
    arguments: tuple[bytes, ...]


def parse_command(body: bytes) -> Command | None:
    """The command of a protocol 2 request, None for one that says goodbye.

    Raises Invalid where it isn't one, or wants another object format than SHA-1.
    """
    packets = list(parse(body))
    if not packets or packets == [Special.FLUSH]:
        return None
    if packets[-1] is not Special.FLUSH or Special.FLUSH in packets[:-1]:
        raise PktError("A request has to be one command, ended by a flush packet.")
    lines = packets[:-1]
    at = lines.index(Special.DELIM) if Special.DELIM in lines else len(lines)
    # in any order: git before 2.31 says the object format before the command
    head = _lines(lines[:at])
    commands = [line for line in head if line.startswith(_COMMAND)]
    if len(commands) != 1:
        raise Invalid(f"The request has {len(commands)} commands instead of one.")
    capabilities = tuple(line for line in head if not line.startswith(_COMMAND))
    for capability in capabilities:
        if capability.startswith(b"object-format=") and capability != b"object-format=sha1":
            raise Invalid("Only SHA-1 repositories are served.", "Clone without --object-format.")
    name = commands[0].removeprefix(_COMMAND).strip().decode("utf-8", "replace")
    return Command(name, capabilities, _lines(lines[at + 1 :]))


def _lines(packets: list[Packet]) -> tuple[bytes, ...]:
    if not all(isinstance(packet, bytes) for packet in packets):
        raise PktError("The request has a special packet where a line belongs.")
    return tuple(packet.rstrip(b"\n") for packet in packets if isinstance(packet, bytes))


def fetch_digest(fingerprint: str, version: int, body: bytes) -> str:
    """A name for the answer to a fetch: the same for requests that must be answered alike.

    `fingerprint` is that of all refs. The client's name and the order of lines that mean a set
    don't count. Raises PktError.
    """
    normal = _normal_v2(body) if version == 2 else _normal_v0(body)
    digest = hashlib.sha256(f"{fingerprint} {version}\n".encode())
    digest.update(normal)
    return digest.hexdigest()


def _normal_v2(body: bytes) -> bytes:
    command = parse_command(body)
    if command is None:
        return b""
    capabilities = sorted(c for c in command.capabilities if not c.startswith(_IDLE))
    arguments = sorted(set(command.arguments))
    return b"\n".join((command.name.encode(), *capabilities, b"", *arguments))


def _normal_v0(body: bytes) -> bytes:
    parts: list[bytes] = []
    first = True
    for packet in parse(body):
        if isinstance(packet, Special):
            parts.append(b"%04d" % packet)
            continue
        if first and packet.startswith(b"want "):  # only the first one carries capabilities
            first = False
            want, _, capabilities = packet.rstrip(b"\n").partition(b" ")[2].partition(b" ")
            kept = sorted(c for c in capabilities.split() if not c.startswith(_IDLE))
            packet = b" ".join((b"want", want, *kept))
        parts.append(pkt(packet.rstrip(b"\n")))
    return b"".join(parts)


def wants_anything(body: bytes) -> bool:
    """Whether a protocol 0 request wants an object (some clients just say goodbye)."""
    return any(isinstance(packet, bytes) and packet.startswith(b"want ") for packet in parse(body))
