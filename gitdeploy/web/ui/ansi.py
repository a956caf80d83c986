"""A line of output as spans: colours (ECMA-48 SGR) by name, everything else that moves a cursor gone.

Only for the lines that a page brings along; the log viewer's script does the same in the browser.
"""

from __future__ import annotations

import re
from typing import NamedTuple

_ESCAPE = re.compile(
    r"\x1b(?:\[([0-9;:]*)([@-~])|\][^\x07\x1b]*(?:\x07|\x1b\\)|\[[0-?]*[ -/]*[@-~]|[@-_])"
)
_CONTROL = re.compile("[\x00-\x08\x0b-\x1f\x7f]")
_MARKS = {1: "bold", 2: "dim", 3: "slanted", 4: "under", 7: "turned", 9: "struck"}
_OFF = {22: ("bold", "dim"), 23: ("slanted",), 24: ("under",), 27: ("turned",), 29: ("struck",)}


class Span(NamedTuple):
    """A text with the classes that colour it."""

    text: str
    classes: str


def plain(text: str) -> str:
    """The text without sequences, as a terminal would leave it behind a carriage return."""
    return _shown(_ESCAPE.sub("", _last(text)))


def spans(text: str) -> list[Span]:
    """The line's spans; neighbours differ."""
    found: list[Span] = []
    marks: set[str] = set()
    front = back = ""
    at = 0
    text = _last(text)

    def add(part: str) -> None:
        if part:
            classes = " ".join(filter(None, (*sorted(marks), front, back)))
            found.append(Span(_shown(part), classes))

    for escape in _ESCAPE.finditer(text):
        add(text[at : escape.start()])
        at = escape.end()
        if escape[2] != "m":
            continue
        codes = [int(part or 0) for part in re.split("[;:]", escape[1][:64])]
        while codes:
            code = codes.pop(0)
            if code == 0:
                marks, front, back = set(), "", ""
            elif code in _MARKS:
                marks.add(_MARKS[code])
            elif code in _OFF:
                marks -= set(_OFF[code])
            elif 30 <= code <= 37 or 90 <= code <= 97:
                front = f"c{code % 10 + (8 if code >= 90 else 0)}"
            elif 40 <= code <= 47 or 100 <= code <= 107:
                back = f"b{code % 10 + (8 if code >= 100 else 0)}"
            elif code in (38, 48):  # one of 256, or three numbers: as near as 16 come
                colour = codes[1] if len(codes) > 1 and codes[0] == 5 else -1
                del codes[: 2 if codes[:1] == [5] else 4]
                name = f"{'c' if code == 38 else 'b'}{colour}" if 0 <= colour < 16 else ""
                front, back = (name, back) if code == 38 else (front, name)
            elif code == 39:
                front = ""
            elif code == 49:
                back = ""
    add(text[at:])
    return found


def _last(text: str) -> str:
    """What stands behind the last carriage return that something follows."""
    return text.rstrip("\r").rpartition("\r")[2]


def _shown(text: str) -> str:
    """Control characters as the pictures that Unicode has for them."""
    return _CONTROL.sub(
        lambda found: chr(0x2400 + ord(found[0])) if found[0] != "\x7f" else "␡", text
    )
