"""WEBJOBS_PORT: a port on loopback for each process of a continuous job.

Each process has its own, so that the new one of a swap can listen beside the old. The number is
kept in the execution's directory: whoever adopts the process finds it there.
"""

from __future__ import annotations

import random
import socket
from collections.abc import Iterable
from pathlib import Path

PORT = "WEBJOBS_PORT"
_RANGE = range(20_000, 32_768)
"""Below the kernel's range for outgoing connections (ip_local_port_range), which begins here."""
_TRIES = 200
_FILE = "port"


def choose_port(taken: Iterable[int]) -> int | None:
    """A port that nobody listens at and that isn't promised to another; None where all are."""
    promised = set(taken)
    for port in random.sample(_RANGE, _TRIES):
        if port not in promised and _is_free(port):
            return port
    return None


def write_port(directory: Path, port: int) -> None:
    """Keep the number in an execution's directory."""
    (directory / _FILE).write_text(str(port))


def read_port(directory: Path) -> int | None:
    """The port of an execution, None where it has none."""
    try:
        return int((directory / _FILE).read_text())
    except (OSError, ValueError):
        return None


def _is_free(port: int) -> bool:
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True
