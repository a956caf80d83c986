"""Secrets are replaced before a record leaves its room (docs/security.md, "logs")."""

from __future__ import annotations

import re
from collections.abc import Iterable, MutableMapping
from typing import Any

MASK = "***"

_PATTERNS: tuple[tuple[re.Pattern[str], str], ...] = (
    # user:password@ in a URL, the user stays readable
    (re.compile(r"(?<=://)([^/\s:@]*):[^@/\s]+(?=@)"), rf"\1:{MASK}"),
    (re.compile(r"(?i)\b(authorization:?\s*(?:basic|bearer|token)\s+)[^\s\"']+"), rf"\1{MASK}"),
    # our own tokens have a prefix just so that they can be found here
    (re.compile(r"\bgd_[A-Za-z0-9_-]{32,}"), f"gd_{MASK}"),
)
_SECRET_KEY = re.compile(r"(?i)(^|_)(password|passwd|secret|token|authorization|api_key)$")


class Redactor:
    """A structlog processor that masks what must not be read in a log.

    Values of keys that are named like a secret, URLs with a password, `Authorization` headers,
    our own tokens by their prefix, and every literal given to `add` (at least 8 characters).
    """

    def __init__(self, literals: Iterable[str] = ()) -> None:
        self._literals: set[str] = set()
        self._known: re.Pattern[str] | None = None
        for literal in literals:
            self.add(literal)

    def add(self, literal: str) -> None:
        """Mask this text from now on; shorter than 8 characters would mask ordinary words."""
        if len(literal) >= 8 and literal not in self._literals:
            self._literals.add(literal)
            longest_first = sorted(self._literals, key=len, reverse=True)
            self._known = re.compile("|".join(map(re.escape, longest_first)))

    def text(self, value: str) -> str:
        """The text with every secret masked."""
        if self._known is not None:
            value = self._known.sub(MASK, value)
        if "://" in value or "gd_" in value or "uthorization" in value.lower():
            for pattern, replacement in _PATTERNS:
                value = pattern.sub(replacement, value)
        return value

    def __call__(
        self, logger: Any, method: str, record: MutableMapping[str, Any]
    ) -> dict[str, Any]:
        return {key: self._value(key, value) for key, value in record.items()}

    def _value(self, key: str, value: Any) -> Any:
        if isinstance(value, str):
            return MASK if value and _SECRET_KEY.search(key) else self.text(value)
        if isinstance(value, dict):
            return {k: self._value(str(k), v) for k, v in value.items()}
        if isinstance(value, list | tuple):
            return [self._value(key, v) for v in value]
        return value
