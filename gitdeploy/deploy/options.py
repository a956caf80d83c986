"""Push options: `git push -o gitdeploy.deploy=skip -o gitdeploy.cancel …`. Pure."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from typing import Final

import msgspec

_PREFIX: Final = "gitdeploy."
_VALUES: Final[dict[str, dict[str, bool]]] = {
    "deploy": {"skip": False, "true": True},
    "wait": {"false": False, "true": True},
    "color": {"always": True, "never": False},
    "cancel": {"true": True, "false": False, "": True},
}


class PushOptions(msgspec.Struct, frozen=True, kw_only=True):
    """What a pusher asked for; `warnings` name the options that weren't understood."""

    deploy: bool = True
    wait: bool = True
    color: bool = False
    cancel: bool = False
    warnings: tuple[str, ...] = ()


def parse_options(options: Iterable[str]) -> PushOptions:
    """Read the options that begin with `gitdeploy.`; others belong to hooks. The last one wins."""
    values: dict[str, bool] = {}
    warnings: list[str] = []
    for option in options:
        if not option.startswith(_PREFIX):
            continue
        key, _, value = option.removeprefix(_PREFIX).partition("=")
        known = _VALUES.get(key)
        if known is None:
            near = difflib.get_close_matches(key, _VALUES, 1)
            hint = f"did you mean {_PREFIX}{near[0]}?" if near else f"known: {_names()}."
            warnings.append(f"{_PREFIX}{key} isn't an option; {hint}")
        elif value not in known:
            warnings.append(f"{option}: the value is one of {', '.join(filter(None, known))}.")
        else:
            values[key] = known[value]
    return PushOptions(**values, warnings=tuple(warnings))


def _names() -> str:
    return ", ".join(_PREFIX + key for key in _VALUES)
