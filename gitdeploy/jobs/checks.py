"""Reading JSON values that people wrote: each refusal names the path, the value, what to do."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from difflib import get_close_matches
from typing import Any

from gitdeploy.jobs.errors import SettingError

_SHOWN = 100


def refuse(key: str, value: Any, reason: str, fix: str) -> SettingError:
    """The error to raise for a value that stands at a path."""
    return SettingError(key=key, value=shown(value), reason=reason, fix=fix)


def expect_object(key: str, value: Any, example: str) -> dict[str, Any]:
    """The value as an object, or SettingError."""
    if isinstance(value, dict):
        return value
    raise refuse(key, value, f"an object is expected, not {kind(value)}", f"Write {example}.")


def expect_text(key: str, value: Any) -> str:
    """The value as a text, or SettingError."""
    if isinstance(value, str):
        return value
    raise refuse(key, value, f"a text is expected, not {kind(value)}", 'Write it in quotes: "…".')


def expect_integer(key: str, value: Any, low: int, high: int) -> int:
    """The value as a whole number in a range, or SettingError."""
    if isinstance(value, bool) or not isinstance(value, int):
        reason = f"a whole number is expected, not {kind(value)}"
        raise refuse(key, value, reason, f"Write a number from {low} to {high}.")
    if not low <= value <= high:
        bound = f"below {low}" if value < low else f"above {high}"
        raise refuse(key, value, f"it is {bound}", f"Write a number from {low} to {high}.")
    return value


def expect_choice(key: str, value: Any, choices: Iterable[str]) -> str:
    """The value as one of some words, written in any case, or SettingError."""
    known = list(choices)
    text = expect_text(key, value)
    for choice in known:
        if choice.lower() == text.strip().lower():
            return choice
    *most, last = (f'"{choice}"' for choice in known)
    reason = f"it isn't one of {', '.join(known)}"
    raise refuse(
        key, value, reason, f"Write {', '.join(most)} or {last}." if most else f"Write {last}."
    )


def known_keys(
    key: str,
    value: Mapping[str, Any],
    names: Iterable[str],
    aliases: Mapping[str, str] | None = None,
) -> dict[str, tuple[str, Any]]:
    """What an object holds by canonical name: (path as written, value); null is as if absent.

    Names are compared without regard to case, as .NET's JSON reader did. An unknown key is
    refused: a word misspelt would otherwise change when a job runs without being noticed.
    """
    known = {name.lower(): name for name in names}
    known |= {alias.lower(): name for alias, name in (aliases or {}).items()}
    found: dict[str, tuple[str, Any]] = {}
    for given, inner in value.items():
        path = f"{key}.{given}"
        name = known.get(given.lower())
        if name is None:
            near = get_close_matches(given.lower(), known, n=1)
            fix = (
                f'Write "{known[near[0]]}".'
                if near
                else f"Known are {', '.join(sorted(set(known.values())))}."
            )
            raise refuse(path, inner, "this key isn't known here", fix)
        if name in found:
            raise refuse(path, inner, f"it is given twice, as {found[name][0]} too", "Remove one.")
        if inner is not None:
            found[name] = path, inner
    return found


def kind(value: Any) -> str:
    """What a JSON value is, for a sentence: `a text`, `true or false`."""
    if isinstance(value, bool):
        return "true or false"
    kinds = {dict: "an object", list: "a list", str: "a text", int: "a number", float: "a number"}
    return kinds.get(type(value), "null")


def shown(value: Any) -> str:
    """A value as JSON, shortened."""
    text = json.dumps(value, ensure_ascii=False, default=str)
    return text if len(text) <= _SHOWN else text[: _SHOWN - 1] + "…"
