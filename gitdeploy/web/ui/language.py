"""The words of the pages: a catalogue a language, no text in the code.

A catalogue is a directory of TOML files, `catalogue/{language}/{part}.toml`; a key is the path of
tables to a text, joined by dots, whatever file it is in. A text may have `{names}`. Where it depends on a number the key leads to a
table with `other` and, in languages that tell them apart, `one` (CLDR's plural categories).
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from functools import cache
from importlib import resources
from typing import Any

LANGUAGES = ("en", "ko")
DEFAULT = "en"
_SINGULAR = frozenset({"en"})  # languages in which 1 has a form of its own


class Words:
    """The texts of one language."""

    def __init__(self, language: str, texts: Mapping[str, str]) -> None:
        self.language = language
        self.texts = texts

    def __call__(self, key: str, **values: object) -> str:
        """The text of a key with its names filled in. Raises KeyError for an unknown one."""
        text = self.texts[key]
        return text.format_map(values) if values else text

    def count(self, key: str, number: int, **values: object) -> str:
        """The text of a key that depends on `number`, which is its name `n` as well."""
        form = "one" if number == 1 and self.language in _SINGULAR else "other"
        return self(f"{key}.{form}", n=number, **values)

    def has(self, key: str) -> bool:
        return key in self.texts

    def get(self, key: str, default: str) -> str:
        """The text of a key, for names that come from elsewhere (states, events)."""
        return self.texts.get(key, default)


@cache
def words(language: str) -> Words:
    """The catalogue of a language."""
    folder = resources.files("gitdeploy.web.ui").joinpath("catalogue", language)
    texts: dict[str, str] = {}
    for file in sorted(folder.iterdir(), key=lambda entry: entry.name):
        if file.name.endswith(".toml"):
            texts.update(_flat(tomllib.loads(file.read_text("utf-8")), ""))
    return Words(language, texts)


def preferred(accept: str) -> str:
    """The language of ours that an `Accept-Language` header (RFC 9110, 12.5.4) likes best."""
    best, weight = DEFAULT, 0.0
    for part in accept.split(",")[:20]:
        tag, _, parameters = part.strip().partition(";")
        language = tag.strip().lower().partition("-")[0]
        quality = _quality(parameters)
        if language in LANGUAGES and quality > weight:
            best, weight = language, quality
    return best


def _quality(parameters: str) -> float:
    for parameter in parameters.split(";"):
        name, _, value = parameter.strip().partition("=")
        if name.strip().lower() == "q":
            try:
                return min(1.0, max(0.0, float(value)))
            except ValueError:
                return 0.0
    return 1.0


def _flat(table: Mapping[str, Any], above: str) -> list[tuple[str, str]]:
    found: list[tuple[str, str]] = []
    for key, value in table.items():
        path = f"{above}.{key}" if above else key
        found += _flat(value, path) if isinstance(value, dict) else [(path, str(value))]
    return found
