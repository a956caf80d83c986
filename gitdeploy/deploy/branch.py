"""Which branch of an app is deployed, and what a push means for it. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import msgspec

from gitdeploy.repos import ZERO, RefUpdate

HEADS = "refs/heads/"
DEFAULT = "main"
_SETTINGS = ("scm_branch", "deployment_branch")  # Kudu's names; the first one wins


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """What to do about a push.

    `commit` is to be deployed (None: nothing). `adopt` says that `branch` becomes the app's
    branch. `notes` are sentences for the pusher about what isn't deployed.
    """

    branch: str
    commit: str | None = None
    adopt: bool = False
    notes: tuple[str, ...] = ()


def configured_branch(branch: str | None, settings: Mapping[str, str]) -> str | None:
    """The deployment branch that somebody chose: by app setting, else as the app's attribute."""
    lower = {key.lower(): value.strip() for key, value in settings.items()}
    for key in _SETTINGS:
        if lower.get(key):
            return lower[key].removeprefix(HEADS)
    return branch


def heads_decide(updates: Iterable[RefUpdate], configured: str | None) -> bool:
    """Whether `plan_push` looks at the branches that are there."""
    return configured is None and all(u.ref != HEADS + DEFAULT for u in updates)


def plan_push(updates: Iterable[RefUpdate], heads: Iterable[str], configured: str | None) -> Plan:
    """Decide what a push deploys.

    `heads` are the names of all branches after the push, needed where `heads_decide`. Without a
    configured branch it is `main`; where the very first push brings one other branch only, that one.
    """
    branches = {u.ref.removeprefix(HEADS): u for u in updates if u.ref.startswith(HEADS)}
    others = [u.ref for u in updates if not u.ref.startswith(HEADS)]
    branch, adopt = configured or DEFAULT, False
    if configured is None and DEFAULT not in branches:
        created = [name for name, u in branches.items() if u.old == ZERO and u.new != ZERO]
        if len(created) == 1 and set(heads) == set(created):
            branch, adopt = created[0], True
    update = branches.pop(branch, None)
    notes: list[str] = []
    commit: str | None = None
    if update is not None and update.new == ZERO:
        notes.append(f"{branch} was deleted; nothing is deployed, what runs goes on running.")
    elif update is not None:
        commit = update.new
    notes += [_note(name, u.new, branch) for name, u in sorted(branches.items())]
    if not notes and commit is None and others:
        kind = _kind_of(others[0]) if len(others) == 1 else f"{len(others)} refs"
        notes.append(f"{kind} moved; nothing is deployed (the deployment branch is {branch}).")
    return Plan(branch=branch, commit=commit, adopt=adopt, notes=tuple(notes))


def _note(name: str, new: str, branch: str) -> str:
    verb = "deleted" if new == ZERO else "stored"
    return f"{name} is {verb}, not deployed (the deployment branch is {branch})."


def _kind_of(ref: str) -> str:
    return f"tag {ref.removeprefix('refs/tags/')}" if ref.startswith("refs/tags/") else ref
