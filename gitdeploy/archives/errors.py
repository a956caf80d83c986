"""What can go wrong in this room."""

from __future__ import annotations

from gitdeploy.errors import Invalid

_SHOWN = 200  # characters of a name that a message shows


class ArchiveError(Invalid):
    """A zip that isn't taken, or a directory that can't be packed; `what` names the entry."""


def refused(name: str, reason: str, fix: str) -> ArchiveError:
    """The refusal of one entry. `reason` is a clause without a full stop."""
    return ArchiveError(f"{shown(name)} in the zip is refused: {reason}.", fix)


def damaged(reason: str) -> ArchiveError:
    """The refusal of a whole archive that contradicts itself."""
    return ArchiveError(f"The zip is damaged: {reason}.", "Make it again and upload it again.")


def shown(name: str) -> str:
    """A name as one line without control characters, cut where it is long."""
    text = "".join(c if c.isprintable() else ascii(c)[1:-1] for c in name[: _SHOWN + 1])
    return text[:_SHOWN] + "…" if len(text) > _SHOWN else text or '""'
