"""Keep secrets that went out in a request out of what is written about its answer.

A server may give back what it was sent, headers included, in any of the usual escapings.
"""

from __future__ import annotations

import html
import json
import re
from collections.abc import Iterable
from urllib.parse import quote, quote_plus

from yarl import URL

from gitdeploy.events.redact import MASK

_SECRETIVE = re.compile(r"(?i)auth|cookie|key|token|secret|passw|pwd|sig|credential|^code$")


class Mask:
    """Replaces each of the given secrets, and what is derived from them, by `***`."""

    def __init__(self, secrets: Iterable[str]) -> None:
        forms = {form for secret in secrets if secret for form in _forms(secret)}
        self._forms = sorted(forms, key=len, reverse=True)
        self._pattern = re.compile("|".join(map(re.escape, self._forms))) if forms else None

    def text(self, text: str, *, cut: bool = False) -> str:
        """The text without any secret; with `cut` a secret may be cut off by the text's end."""
        if self._pattern is None:
            return text
        text = self._pattern.sub(MASK, text)
        return self._without_beginning(text) if cut else text

    def _without_beginning(self, text: str) -> str:
        most = 0
        for form in self._forms:
            lengths = range(min(len(form) - 1, len(text)), most, -1)
            most = next((n for n in lengths if text.endswith(form[:n])), most)
        return text[: len(text) - most] + MASK if most else text


def secretive(name: str) -> bool:
    """Whether a header or a parameter of a query is named like one that holds a secret."""
    return _SECRETIVE.search(name) is not None


def secrets_of(url: str) -> list[str]:
    """What of a URL is a secret: its password, and parameters of its query that are named so."""
    try:
        parsed = URL(url)
        found = [value for name, value in parsed.query.items() if secretive(name)]
        return [*found, parsed.password] if parsed.password else found
    except ValueError:
        return []


def _forms(secret: str) -> set[str]:
    return {
        secret,
        secret.strip(),
        json.dumps(secret)[1:-1],
        json.dumps(secret, ensure_ascii=False)[1:-1],
        quote(secret, safe=""),
        quote(secret),
        quote_plus(secret),
        html.escape(secret),
        secret.encode("unicode_escape").decode(),
    } - {""}
