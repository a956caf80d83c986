"""report-status: what became of the pack and of each ref (gitprotocol-pack(5)).

In `report-status-v2` a ref's `option` lines say where the server did something else than it was
asked; here it never does, so both versions read alike.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from gitdeploy.repos.pktline import FLUSH, pkt
from gitdeploy.repos.sideband import safe_line
from gitdeploy.repos.types import RefUpdate

_LONGEST = 1000


def report(
    updates: Sequence[RefUpdate], refused: Mapping[str, str], unpack: str | None = None
) -> bytes:
    """The report's pkt-lines. `unpack` is why the pack was refused, None where it was taken."""
    lines = [pkt(f"unpack {_word(unpack) if unpack is not None else 'ok'}\n")]
    for update in updates:
        reason = "unpacker error" if unpack is not None else refused.get(update.ref)
        if reason is None:
            lines.append(pkt(f"ok {update.ref}\n"))
        else:
            lines.append(pkt(f"ng {update.ref} {_word(reason)}\n"))
    return b"".join(lines) + FLUSH


def _word(reason: str) -> str:
    return safe_line(reason)[:_LONGEST]
