"""The reason of a failure in the reader's language. Pure.

Errors are raised in English, where the cause is known; a page that shows one looks its sentence up
here. What has no translation is shown as it is, as the server's own words below what its status
says.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from gitdeploy.web.ui.language import DEFAULT, Words

_NAME = r"['\"]?(?P<name>[^'\"]*)['\"]?"
_KNOWN: tuple[tuple[str, str], ...] = (
    ("path", r"There is nothing at this path\."),
    ("app", rf"There is no app {_NAME} that you may know of\."),
    ("job", rf"(?P<app>\S+) has no (?:continuous |triggered )?job {_NAME}\."),
    ("run", rf"(?P<job>\S+) has no run {_NAME}\."),
    ("deployment", rf"(?P<app>\S+) has no deployment {_NAME}\."),
    ("scope", r"This needs the scope (?P<scope>\w+), which your token lacks\."),
    ("some_apps", r"This token is for some apps only\."),
    ("old_form", r"This form is out of date\."),
    ("foreign_form", r"This form was sent by another site\."),
    ("sign_ins", r"Too many failed sign-ins from this address or with such a token\."),
    ("body", r"The request's body is over (?P<limit>\d+) bytes \((?P<setting>.*)\)\."),
    ("paused", r"The request's body paused for (?:too long|\S+ s)\."),
    ("cut_off", r"The request's body is cut off or its coding is broken\."),
    ("run_under_way", r"A run of (?P<job>\S+) is under way\."),
    ("run_ended", rf"Run {_NAME} of (?P<job>\S+) has ended already\."),
    ("jobs_stopped", r"The jobs of (?P<app>\S+) are stopped\."),
    ("stopping", r"The server is stopping\."),
    ("being_deleted", rf"The app {_NAME} is being deleted\."),
    ("locked", r"(?P<app>\S+) is locked: (?P<why>.*)"),
)
_IN_FIX = re.compile(r"Wait (?P<wait>\d+) s|app setting (?P<setting>\w+)")
_BY_STATUS = frozenset({"The server's disk is full.", "A valid token is needed."})
"""What says no more than its status."""
_HANGUL = re.compile(r"[가-힣]")
_QUOTED = re.compile(r"'[^']*'|\"[^\"]*\"")


class Reason(NamedTuple):
    """What a page says of a failure: what it was, what to do; `detail` are the server's own words where
    those aren't told already, in English."""

    title: str
    what: str
    fix: str
    detail: str


def reason(words: Words, status: int, what: str, fix: str, *, error_id: str = "") -> Reason:
    """A failure as its page tells it."""
    by = f"problem.{status}" if words.has(f"problem.{status}.title") else "problem.other"
    title, advice = words(f"{by}.title"), words(f"{by}.fix")
    if error_id or what in _BY_STATUS:
        return Reason(title, words(f"{by}.what"), advice, "")
    if (known := told(words, what, fix)) is not None:
        return Reason(title, known[0], known[1] or advice, "")
    if words.language == DEFAULT:
        return Reason(title, what, fix or advice, "")
    if _HANGUL.search(_QUOTED.sub("", what)):  # said by the page itself, in its reader's language
        return Reason(title, what, advice, "")
    return Reason(title, words(f"{by}.what"), advice, f"{what} {fix}".strip())


def told(words: Words, what: str, fix: str) -> tuple[str, str] | None:
    """A known sentence and what to do, "" where that depends on the status; None for an unknown one."""
    for key, pattern in _KNOWN:
        found = re.fullmatch(pattern, what, re.DOTALL)
        if found is not None:
            names = {name: text for name, text in found.groupdict().items() if text is not None}
            for more in _IN_FIX.finditer(fix):
                names |= {name: text for name, text in more.groupdict().items() if text}
            path = f"problem.known.{key}"
            try:
                advice = words(f"{path}_fix", **names)
            except KeyError:  # there is none, or the server's doesn't say what it names
                advice = ""
            return words(path, **names), advice
    return None
