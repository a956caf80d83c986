"""What a repository's refs are, as clients are told: one listing, kept until a ref moves.

gitprotocol-pack(5) and gitprotocol-v2(5) have the lines.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from gitdeploy.errors import Invalid
from gitdeploy.repos.pktline import FLUSH, pkt
from gitdeploy.repos.types import HIDDEN

Peel = Callable[[str], str | None]

_SYMBOLIC = "ref: "
_MOST_PREFIXES = 65536


@dataclass(frozen=True, slots=True)
class Listing:
    """All refs that clients may see at one moment.

    `refs` is sorted by name; `peeled` has the object behind each annotated tag by the tag's id;
    `head_target` is the branch that HEAD stands for (None where it is detached), `head` the
    commit, None while that branch is unborn. `fingerprint` differs wherever any of it does.
    """

    refs: tuple[tuple[str, str], ...]
    peeled: dict[str, str]
    head: str | None
    head_target: str | None
    fingerprint: str


NOTHING = Listing((), {}, None, None, "")
"""The listing of a repository that isn't there yet."""


class Listings:
    """The listing of one repository, made anew when a ref or HEAD has moved."""

    def __init__(self, path: Path, read: Callable[[], Mapping[str, str]], peel: Peel) -> None:
        """`read` gives all refs by full name, `peel` the object behind a tag (None: no tag)."""
        self._path = path
        self._read = read
        self._peel = peel
        self._last: tuple[str, Mapping[str, str], Listing] | None = None

    def get(self) -> Listing:
        """The listing as of now, from any thread; takes long only when refs have moved."""
        refs = self._read()
        text = (self._path / "HEAD").read_text("utf-8", "replace").strip()
        last = self._last
        # mostly the very same mapping; equal ones are compared in 0.3 ms per 10,000 refs
        if last is not None and last[0] == text and (last[1] is refs or last[1] == refs):
            return last[2]
        listing = self._make(refs, text)
        self._last = text, refs, listing
        return listing

    def _make(self, refs: Mapping[str, str], text: str) -> Listing:
        visible = {ref: oid for ref, oid in refs.items() if not ref.startswith(HIDDEN)}
        behind = ((oid, self._peel(oid)) for oid in set(visible.values()))
        peeled = {oid: target for oid, target in behind if target is not None}
        target = text.removeprefix(_SYMBOLIC).strip() if text.startswith(_SYMBOLIC) else None
        head = visible.get(target) if target is not None else text
        ordered = tuple(sorted(visible.items()))
        return Listing(ordered, peeled, head, target, _fingerprint(text, ordered))


def _fingerprint(head: str, refs: Iterable[tuple[str, str]]) -> str:
    digest = hashlib.sha256(head.encode())
    digest.update("".join(f"\n{oid} {name}" for name, oid in refs).encode())
    return digest.hexdigest()


def ls_refs(listing: Listing, arguments: Iterable[bytes]) -> bytes:
    """The answer to protocol 2's `ls-refs`. Raises Invalid for an argument that isn't known."""
    symrefs = peel = unborn = False
    prefixes: list[str] = []
    for argument in arguments:
        line = argument.rstrip(b"\n")
        if line == b"symrefs":
            symrefs = True
        elif line == b"peel":
            peel = True
        elif line == b"unborn":
            unborn = True
        elif line.startswith(b"ref-prefix "):
            prefixes.append(line[11:].decode("utf-8", "surrogateescape"))
        else:
            raise Invalid(f"ls-refs has no argument {line[:80].decode('utf-8', 'replace')!r}.")
    # so does git: too many prefixes are as good as none
    wanted = tuple(prefixes) if len(prefixes) <= _MOST_PREFIXES else ()
    lines: list[bytes] = []
    if not wanted or "HEAD".startswith(wanted):
        symref = listing.head_target is not None and symrefs
        suffix = f" symref-target:{listing.head_target}" if symref else ""
        if listing.head is not None:
            lines.append(_line(f"{listing.head} HEAD{suffix}"))
        elif unborn and listing.head_target is not None:
            lines.append(_line(f"unborn HEAD{suffix}"))
    for name, oid in listing.refs:
        if wanted and not name.startswith(wanted):
            continue
        behind = listing.peeled.get(oid) if peel else None
        lines.append(_line(f"{oid} {name}" + (f" peeled:{behind}" if behind else "")))
    return b"".join(lines) + FLUSH


def advertisement(
    listing: Listing, capabilities: str, *, head_and_peeled: bool, version: int
) -> bytes:
    """The refs in protocol 0 or 1, the capabilities behind the first of them."""
    lines: list[tuple[str, str]] = []
    if head_and_peeled and listing.head is not None:
        lines.append((listing.head, "HEAD"))
    for name, oid in listing.refs:
        lines.append((oid, name))
        if head_and_peeled and oid in listing.peeled:
            lines.append((listing.peeled[oid], f"{name}^{{}}"))
    first, *others = lines or [("0" * 40, "capabilities^{}")]
    parts = [pkt("version 1\n")] if version == 1 else []
    parts.append(_line(f"{first[0]} {first[1]}\0{capabilities}"))
    parts.extend(_line(f"{oid} {name}") for oid, name in others)
    return b"".join(parts) + FLUSH


def _line(text: str) -> bytes:
    data = text.encode("utf-8", "surrogateescape")
    return b"%04x%s\n" % (len(data) + 5, data)
