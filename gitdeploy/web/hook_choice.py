"""Which of an event's changes is deployed: that of the deployment branch, and from where."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence

import msgspec

from gitdeploy.deploy.branch import DEFAULT, HEADS, configured_branch
from gitdeploy.errors import Invalid
from gitdeploy.repos.location import FetchError, parse_url
from gitdeploy.store import App
from gitdeploy.web.senders import Change, Nothing, Push, one_line
from gitdeploy.web.services import Services

_REPOSITORY = "repourl"
"""Kudu's app setting (in lower case) with the address to fetch from instead of the one that a host
gives; it may have credentials."""


async def choose(
    services: Services, app: App, changes: Sequence[Change], *, ssh: bool, by_token: bool
) -> Push | Nothing:
    """The one change that deploys, with its branch and address; else why none does.

    With `ssh` the address is the one for ssh, where the sender gives one. `by_token`: the caller
    may deploy anything, so an address that is asked for expressly goes before the setting. Raises
    Invalid where the address is missing or can't be fetched from.
    """
    pushes = [change for change in changes if isinstance(change, Push)]
    if not pushes:
        reasons = dict.fromkeys(c.reason for c in changes if isinstance(c, Nothing))
        return Nothing(one_line(" ".join(reasons), 1000))
    settings = await services.store.apps.settings(app.name)
    configured = configured_branch(app.branch, settings)
    if configured is None and not all(push.explicit for push in pushes):
        configured = await _first_branch(services, app, pushes)
        if configured is None:
            return Nothing(
                "Several branches came, and none is the deployment branch yet; nothing is deployed."
                f" Push {DEFAULT}, or set the app's branch."
            )
    chosen = _of_branch(pushes, configured)
    if isinstance(chosen, Nothing):
        return chosen
    if ssh and not chosen.ssh_url:
        raise Invalid("The sender gives no ssh address.", "Leave out ssh=true.")
    url = chosen.ssh_url if ssh else chosen.url
    if not (by_token and (ssh or chosen.explicit) and url):
        url = _configured(settings) or url or await services.store.origins.get(app.name) or ""
    _check(url, services)
    return msgspec.structs.replace(chosen, url=url)


async def _first_branch(services: Services, app: App, pushes: Sequence[Push]) -> str | None:
    """The very first branch becomes the deployment branch, whatever its name."""
    refs = await asyncio.to_thread(services.repositories.open(app.name).refs)
    branches = {push.branch for push in pushes}
    if DEFAULT in branches or any(ref.startswith(HEADS) for ref in refs):
        return DEFAULT
    return branches.pop() if len(branches) == 1 else None


def _of_branch(pushes: Sequence[Push], configured: str | None) -> Push | Nothing:
    for push in reversed(pushes):
        if push.branch is None:
            return msgspec.structs.replace(push, branch=configured)
        if configured is None or push.branch == configured:
            return push
    names = [push.branch or "" for push in pushes]
    shown = one_line(", ".join(names[:5]), 300) + (", …" if len(names) > 5 else "")
    verb = "isn't" if len(names) == 1 else "aren't"
    return Nothing(f"{shown} {verb} the deployment branch ({configured}); nothing is deployed.")


def _configured(settings: Mapping[str, str]) -> str:
    return next((v.strip() for k, v in settings.items() if k.lower() == _REPOSITORY), "")


def _check(url: str, services: Services) -> None:
    if not url:
        raise Invalid(
            "Nothing tells where to fetch from: the app wasn't fetched from anywhere yet.",
            "Set the app setting RepoUrl, or once send"
            ' {"format": "basic", "url": "https://host/repository.git#branch"}.',
        )
    try:
        parse_url(url, allow_file=services.options.allow_file_fetch)
    except FetchError as error:
        raise Invalid(error.what, error.fix) from error
