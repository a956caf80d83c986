"""Scripts of Windows: batch files by wine's cmd, programs by wine or mono.

Kudu runs all three as `cmd /c ""script" arguments"`, the arguments as they came. Here they are words
already, and what cmd.exe reads in a line beside words (`& | < > ^`, quotes, blanks of its own) is
kept from being read.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterable
from pathlib import Path

from gitdeploy.errors import Invalid

BATCH = "GITDEPLOY_BATCH"
"""The variable that has a batch file's line: wine would quote it anew in an argv."""
BATCH_EXTENSIONS = (".cmd", ".bat")
WINE_MONO = ("/usr/share/wine/mono", "/opt/wine/mono", "/opt/wine-stable/share/wine/mono")
_MAX_LINE = 8000
"""cmd.exe takes 8191 characters, wine's as many."""
_REFUSED = frozenset("%\r\n\0")
_PLAIN = frozenset("_.:/\\+-~#$*?{}[]@")


def is_batch(script: str | Path) -> bool:
    """Whether cmd reads the file, rather than the system starting it."""
    return Path(script).suffix.lower() in BATCH_EXTENSIONS


def windows_command(script: Path, words: list[str], find: Callable[[str], str]) -> tuple[str, ...]:
    """The argv for a batch file or program; `find` gives a program's path or raises HostMissing.

    A batch file's words are in the variable BATCH (see `batch_line`). A .NET program is run by
    wine where that has its own mono, else by mono.
    """
    if is_batch(script):
        # /d: no AutoRun of the registry
        return find("wine"), "cmd", "/d", "/c", f"%{BATCH}%"
    return find("mono" if by_mono(script) else "wine"), str(script), *words


def by_mono(script: Path) -> bool:
    """Whether a script of Windows is a .NET program that wine has no mono of its own for."""
    if is_batch(script) or any(Path(each).is_dir() for each in WINE_MONO):
        return False
    return is_dotnet(script)


def batch_line(script: Path, words: list[str]) -> str:
    """The line that cmd reads to run a batch file with these words. Raises Invalid.

    A word goes in as it is where cmd takes it as one; else between quotes, quotes in it doubled
    and backslashes before quotes too (the rules of CommandLineToArgvW for where the script hands
    it on). The script sees these quotes in %1 and drops them with %~1. A percent sign would be
    read again in every line of the script that uses the word, quoted or not, so it is refused.
    """
    line = " ".join(('"' + _windows_path(script) + '"', *(_quoted(word) for word in words)))
    if len(line) > _MAX_LINE:
        raise Invalid(
            f"arguments: {len(line)} characters are more than a batch file takes ({_MAX_LINE}).",
            "Put them into a file and let the script read that.",
        )
    return line


def _quoted(word: str) -> str:
    _check(
        word,
        "arguments: {!r} can't be passed to a batch file: it holds {!r}.",
        "Put it into a file or an app setting and let the script read that.",
    )
    if word and all(sign.isalnum() or sign in _PLAIN for sign in word):
        return word
    out: list[str] = []
    backslashes = 0
    for sign in word:
        if sign == '"':
            out.append("\\" * backslashes + '"')
        out.append(sign)
        backslashes = backslashes + 1 if sign == "\\" else 0
    return '"' + "".join(out) + "\\" * backslashes + '"'


def _windows_path(script: Path) -> str:
    """The script as cmd names it: Z: is the root of the disk in every prefix."""
    path = str(script)
    _check(path, "{!r} can't be run by cmd: its path holds {!r}.", "Rename it.", {'"'})
    return "Z:" + path.replace("/", "\\")


def _check(text: str, what: str, fix: str, more: Iterable[str] = ()) -> None:
    bad = next((sign for sign in text if sign in _REFUSED.union(more)), None)
    if bad is not None:
        raise Invalid(what.format(text[-60:], bad), fix)


def is_dotnet(file: Path) -> bool:
    """Whether a PE file has a CLR header (ECMA-335, II.25.2.3.3)."""
    try:
        with file.open("rb") as opened:
            head = opened.read(4096)
        (start,) = struct.unpack_from("<I", head, 0x3C)
        if head[:2] != b"MZ" or head[start : start + 4] != b"PE\0\0":
            return False
        (magic,) = struct.unpack_from("<H", head, start + 24)
        directories = start + 24 + (112 if magic == 0x20B else 96)
        (address,) = struct.unpack_from("<I", head, directories + 14 * 8)
    except (OSError, struct.error):
        return False
    return bool(address)
