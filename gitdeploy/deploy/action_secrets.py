"""Secrets in a job's action: given in its settings, kept apart from them. Pure."""

from __future__ import annotations

from collections.abc import Set as AbstractSet
from typing import Any, NamedTuple

import msgspec

from gitdeploy.errors import Invalid
from gitdeploy.home import Kind
from gitdeploy.jobs import (
    SettingError,
    check_settings,
    parse_action,
    references,
    take_secrets,
)


class Settled(NamedTuple):
    """Settings as they may be stored and shown: `{"secret": name}` stands for each secret.

    `secrets` are those that were given, by name; `used` the names of those that were given
    earlier; `wrong` is what else can't be accepted.
    """

    raw: dict[str, Any]
    secrets: dict[str, str]
    used: frozenset[str]
    wrong: list[SettingError]


def settle(kind: Kind, name: str, raw: dict[str, Any]) -> Settled:
    """Take the secrets out of a job's settings.

    Raises SettingError where the action can't be read: what is secret in it can't be told then.
    """
    secrets: dict[str, str] = {}
    used: frozenset[str] = frozenset()
    if raw.get("action") is not None:
        action, secrets = take_secrets(parse_action(raw["action"]), f"{kind}/{name}/action")
        named = {each.secret for each in references(action) if each.secret is not None}
        used = frozenset(named - secrets.keys())
        raw = {**raw, "action": msgspec.to_builtins(action)}
    return Settled(raw, secrets, used, check_settings(raw)[1])


def check_used(settled: Settled, known: AbstractSet[str], *, below: str) -> None:
    """Raises Invalid where the settings refer to a secret that isn't kept for this job."""
    for name in sorted(settled.used):
        if name not in known or not name.startswith(below):
            raise Invalid(
                f"action refers to the secret {name[:100]!r}, which isn't kept for this job.",
                "Send the value itself; it is kept apart and never shown.",
            )
