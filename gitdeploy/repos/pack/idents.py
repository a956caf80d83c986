"""Checks of commits and tags: the header lines, in git's order, with git's message ids.

A regular expression takes what is right at once; only what it refuses is looked at line by line to
say what is wrong. Rules: git's Documentation/fsck-msgids, severities as with `--strict`.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from gitdeploy.repos.pack.limits import TYPE_NUMBERS

_IDENT = rb"[^<>\n\0]* <[^<>\n\0]*> (?:0|[1-9][0-9]{0,17}) [+-][0-9]{4}\n"
_COMMIT = re.compile(
    rb"tree ([0-9a-f]{40})\n((?:parent [0-9a-f]{40}\n)*)author " + _IDENT + rb"committer " + _IDENT
)
_TAG = re.compile(
    rb"object ([0-9a-f]{40})\ntype (commit|tree|blob|tag)\ntag [^\n\0]+\n"
    rb"(?:tagger " + _IDENT + rb"|(?!tagger ))"
)
_OID = re.compile(rb"[0-9a-fA-F]{40}\n")
_DATE_MAX = (1 << 63) - 1
_WHO = "invalid author/committer line - "


class Broken(Exception):
    """What is wrong with an object's content: git's `msgId: text`."""


class CommitLinks(NamedTuple):
    """What a commit refers to."""

    tree: bytes
    parents: tuple[bytes, ...]


class TagLink(NamedTuple):
    """What a tag refers to."""

    target: bytes
    kind: int


def commit_links(content: bytes, *, fsck: bool) -> CommitLinks:
    """Parse a commit. Raises Broken; without `fsck` only where the links can't be read."""
    found = _COMMIT.match(content)
    if found is None or (fsck and not _clean(content, found.end())):
        found = _explain_commit(content, fsck)
    parents = found[2]
    if not parents:
        return CommitLinks(bytes.fromhex(found[1].decode()), ())
    return CommitLinks(
        bytes.fromhex(found[1].decode()),
        tuple(bytes.fromhex(parents[at : at + 40].decode()) for at in range(7, len(parents), 48)),
    )


def tag_link(content: bytes, *, fsck: bool) -> TagLink:
    """Parse an annotated tag. Raises Broken."""
    found = _TAG.match(content)
    if found is None or (fsck and not _headers_end(content)):
        found = _explain_tag(content, fsck)
    return TagLink(bytes.fromhex(found[1].decode()), TYPE_NUMBERS[found[2]])


def _clean(content: bytes, header: int) -> bool:
    return b"\0" not in content and (
        content.find(b"\n\n", header - 1) >= 0 or content[-1:] == b"\n"
    )


def _headers_end(content: bytes) -> bool:
    end = content.find(b"\n\n")
    header = content if end < 0 else content[:end]
    return b"\0" not in header and (end >= 0 or content[-1:] == b"\n")


def _check_headers(content: bytes) -> None:
    end = content.find(b"\n\n")
    header = content if end < 0 else content[: end + 1]
    if (at := header.find(b"\0")) >= 0:
        raise Broken(f"nulInHeader: unterminated header: NUL at offset {at}")
    if end < 0 and content[-1:] != b"\n":
        raise Broken("unterminatedHeader: unterminated header")


_LOOSE_COMMIT = re.compile(rb"tree ([0-9a-fA-F]{40})\n((?:parent [0-9a-fA-F]{40}\n)*)", re.S)
_LOOSE_TAG = re.compile(rb"object ([0-9a-fA-F]{40})\ntype (commit|tree|blob|tag)\n")


def _explain_commit(content: bytes, fsck: bool) -> re.Match[bytes]:
    if fsck:
        _check_headers(content)
    at = _oid_line(content, 0, b"tree ", "missingTree", "badTreeSha1")
    while content.startswith(b"parent ", at):
        at = _oid_line(content, at, b"parent ", "", "badParentSha1")
    if fsck:
        authors = 0
        while content.startswith(b"author ", at):
            authors += 1
            at = _ident(content, at + 7)
        if authors == 0:
            raise Broken("missingAuthor: invalid format - expected 'author' line")
        if authors > 1:
            raise Broken("multipleAuthors: invalid format - multiple 'author' lines")
        if not content.startswith(b"committer ", at):
            raise Broken("missingCommitter: invalid format - expected 'committer' line")
        _ident(content, at + 10)
        if b"\0" in content:
            raise Broken("nulInCommit: NUL byte in the commit object body")
    found = _LOOSE_COMMIT.match(content)
    assert found is not None
    return found


def _explain_tag(content: bytes, fsck: bool) -> re.Match[bytes]:
    if fsck:
        _check_headers(content)
    at = _oid_line(content, 0, b"object ", "missingObject", "badObjectSha1")
    at = _word_line(content, at, b"type ", "missingTypeEntry", "missingType")
    if content[content.rindex(b" ", 0, at) + 1 : at - 1] not in TYPE_NUMBERS:
        raise Broken("badType: invalid 'type' value")
    if fsck:
        at = _word_line(content, at, b"tag ", "missingTagEntry", "missingTag")
        # A tag without a tagger, or with an odd name, is only worth a note: as git has it.
        if content.startswith(b"tagger ", at):
            _ident(content, at + 7)
    found = _LOOSE_TAG.match(content)
    if found is None:
        raise Broken("badType: invalid 'type' value")
    return found


def _oid_line(content: bytes, at: int, key: bytes, missing: str, bad: str) -> int:
    name = key.decode().strip()
    if not content.startswith(key, at):
        raise Broken(f"{missing}: invalid format - expected '{name}' line")
    found = _OID.match(content, at + len(key))
    if found is None:
        raise Broken(f"{bad}: invalid '{name}' line format - bad sha1")
    return found.end()


def _word_line(content: bytes, at: int, key: bytes, missing: str, cut: str) -> int:
    name = key.decode().strip()
    if not content.startswith(key, at):
        raise Broken(f"{missing}: invalid format - expected '{name}' line")
    end = content.find(b"\n", at)
    if end < 0:
        raise Broken(f"{cut}: invalid format - unexpected end after '{name}' line")
    return end + 1


def _ident(content: bytes, at: int) -> int:
    """Check `NAME <EMAIL> DATE ZONE`, from `at`; where the next line begins."""
    newline = content.find(b"\n", at)
    after = len(content) if newline < 0 else newline + 1
    line = content[at:after]
    if line[:1] == b"<":
        raise Broken(f"missingNameBeforeEmail: {_WHO}missing space before email")
    name = re.match(rb"[^<>\n]*", line)
    assert name is not None
    end = name.end()
    stop = line[end : end + 1]
    if stop == b">":
        raise Broken(f"badName: {_WHO}bad name")
    if stop != b"<":
        raise Broken(f"missingEmail: {_WHO}missing email")
    if line[end - 1 : end] != b" ":
        raise Broken(f"missingSpaceBeforeEmail: {_WHO}missing space before email")
    email = re.compile(rb"[^<>\n]*").match(line, end + 1)
    assert email is not None
    end = email.end()
    if line[end : end + 1] != b">":
        raise Broken(f"badEmail: {_WHO}bad email")
    if line[end + 1 : end + 2] != b" ":
        raise Broken(f"missingSpaceBeforeDate: {_WHO}missing space before date")
    rest = line[end + 2 :]
    if rest[:1] == b"0" and rest[1:2] != b" ":
        raise Broken(f"zeroPaddedDate: {_WHO}zero-padded date")
    date = re.match(rb"[0-9]*", rest)
    assert date is not None
    if date[0] and (len(date[0]) > 20 or int(date[0]) > _DATE_MAX):
        raise Broken(f"badDateOverflow: {_WHO}date causes integer overflow")
    if not date[0] or rest[date.end() : date.end() + 1] != b" ":
        raise Broken(f"badDate: {_WHO}bad date")
    if re.fullmatch(rb"[+-][0-9]{4}\n", rest[date.end() + 1 :]) is None:
        raise Broken(f"badTimezone: {_WHO}bad time zone")
    return after
