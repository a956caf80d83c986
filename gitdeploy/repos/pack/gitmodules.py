"""Checks of `.gitmodules` and `.gitattributes`: what an old or careless client would stumble over.

`.gitmodules` is read in git's configuration format; a syntax error ends the reading without
complaint, as git has it (gitmodulesParse is only a note), what came before it counts.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from urllib.parse import unquote_to_bytes

from gitdeploy.repos.pack.idents import Broken

GITATTRIBUTES_MAX = 100 << 20
_LINE_MAX = 2048
_SECTION = re.compile(rb'\[\s*([A-Za-z0-9.-]+)(?:[ \t]+"((?:[^"\\\n\0]|\\[^\n\0])*)")?\s*\]')
_KEY = re.compile(rb"([A-Za-z][A-Za-z0-9-]*)[ \t]*(=?)")
_ESCAPES = {b"n": b"\n", b"t": b"\t", b"b": b"\b", b'"': b'"', b"\\": b"\\"}
_RELATIVE = re.compile(rb"(?:\.\.?/)+")


def check_gitmodules(content: bytes) -> None:
    """Raises Broken for a submodule's name, url, path or update that could do harm."""
    for name, key, value in settings(content):
        if not name or any(part == b".." for part in re.split(rb"[/\\]", name)):
            raise Broken(f"gitmodulesName: disallowed submodule name: {_show(name)}")
        if value is None:
            continue
        if key == b"url" and _bad_url(value):
            raise Broken(f"gitmodulesUrl: disallowed submodule url: {_show(value)}")
        if key == b"path" and value.startswith(b"-"):
            raise Broken(f"gitmodulesPath: disallowed submodule path: {_show(value)}")
        if key == b"update" and value.startswith(b"!"):
            raise Broken(f"gitmodulesUpdate: disallowed submodule update setting: {_show(value)}")


def check_gitattributes(content: bytes) -> None:
    """Raises Broken for a line that is longer than git reads."""
    if len(content) > _LINE_MAX and any(len(line) >= _LINE_MAX for line in content.split(b"\n")):
        raise Broken("gitattributesLineLength: .gitattributes has too long lines to parse")


def settings(content: bytes) -> Iterator[tuple[bytes, bytes, bytes | None]]:
    """Name, key (lower case) and value of what `[submodule "NAME"]` sections set, in order."""
    text = content.removeprefix(b"\xef\xbb\xbf").replace(b"\r\n", b"\n")
    at = 0
    name: bytes | None = None
    while at < len(text):
        byte = text[at : at + 1]
        if byte.isspace():
            at += 1
        elif byte in b"#;":
            at = _line_end(text, at)
        elif byte == b"[":
            section = _SECTION.match(text, at)
            if section is None:
                return
            name = None
            if section[1].lower() == b"submodule" and section[2] is not None:
                name = re.sub(rb"\\(.)", rb"\1", section[2], flags=re.S)
            at = section.end()
        else:
            key = _KEY.match(text, at)
            if key is None:
                return
            at = key.end()
            value: bytes | None = None
            if key[2]:
                read = _value(text, at)
                if read is None:
                    return
                value, at = read
            elif text[at : at + 1] not in (b"", b"\n", b"#", b";"):
                return
            if name is not None:
                yield name, key[1].lower(), value


def _value(text: bytes, at: int) -> tuple[bytes, int] | None:
    """A value from behind its `=`, and where its line ends; None where it is broken."""
    value = bytearray()
    kept = 0  # blanks at the end count only inside quotes
    quoted = False
    while at < len(text) and text[at] in b" \t":
        at += 1
    while at < len(text):
        byte = text[at : at + 1]
        if byte == b"\n":
            break
        if byte == b"\\":
            after = text[at + 1 : at + 2]
            at += 2
            if after == b"\n":
                continue
            if after not in _ESCAPES:
                return None
            value += _ESCAPES[after]
            kept = len(value)
            continue
        if byte == b'"':
            quoted = not quoted
            kept = len(value)
        elif byte in b"#;" and not quoted:
            at = _line_end(text, at)
            break
        else:
            value += byte
            if quoted or not byte.isspace():
                kept = len(value)
        at += 1
    return None if quoted else (bytes(value[:kept]), at)


def _line_end(text: bytes, at: int) -> int:
    end = text.find(b"\n", at)
    return len(text) if end < 0 else end


def _bad_url(url: bytes) -> bool:
    """An option in disguise, a line break for a credential helper, or `../` beyond the host."""
    if url.startswith(b"-"):
        return True
    relative = _RELATIVE.match(url)
    if relative is not None:
        return b"\n" in unquote_to_bytes(url) or url[relative.end() : relative.end() + 1] in (
            b":",
            b"/",
        )
    for prefix in (b"http::", b"https::", b"ftp::", b"ftps::"):
        url = url.removeprefix(prefix)
    if re.match(rb"(?i)(?:https?|ftps?|git)://", url):
        host = re.match(rb"[a-zA-Z]+://([^/?#]*)", url)
        return b"\n" in unquote_to_bytes(url) or host is None or not host[1]
    return False


def _show(value: bytes) -> str:
    return value[:200].decode("utf-8", "backslashreplace").replace("\n", "\\n")
