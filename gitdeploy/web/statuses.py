"""Commit statuses as GitHub, GitLab and Gitea want to be told them. Pure.

docs.github.com "Create a commit status", docs.gitlab.com "Set commit pipeline status",
Gitea's `/repos/{owner}/{repo}/statuses/{sha}` (Forgejo has the same).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal
from urllib.parse import quote

import msgspec
from yarl import URL

from gitdeploy.errors import Invalid
from gitdeploy.net import OutgoingRequest
from gitdeploy.repos.location import FileLocation, Location, parse_url

State = Literal["pending", "success", "failure"]
Api = Literal["github", "gitlab", "gitea"]

_ENDINGS: dict[str, Api] = {"/api/v3": "github", "/api/v4": "gitlab", "/api/v1": "gitea"}
_VERSIONS = {api: ending for ending, api in _ENDINGS.items()}
_SENDERS: dict[str, Api] = {
    "github": "github",
    "gitlab": "gitlab",
    "gitea": "gitea",
    "forgejo": "gitea",
    "gogs": "gitea",
}
# The token goes to no other host unless status_url says so: whoever may send a webhook names the
# repository, and must not learn the token by naming one of their own.
_PUBLIC: dict[str, tuple[Api, str]] = {
    "github.com": ("github", "https://api.github.com"),
    "ssh.github.com": ("github", "https://api.github.com"),
    "gitlab.com": ("gitlab", "https://gitlab.com/api/v4"),
    "altssh.gitlab.com": ("gitlab", "https://gitlab.com/api/v4"),
    "codeberg.org": ("gitea", "https://codeberg.org/api/v1"),
    "gitea.com": ("gitea", "https://gitea.com/api/v1"),
}
_LONGEST = 140  # GitHub's limit for a description


@dataclass(frozen=True, slots=True, kw_only=True)
class Status:
    """What is told of a commit; `link` leads to the deployment's log, or is empty."""

    app: str
    commit: str
    state: State
    text: str
    link: str
    url: str
    sender: str


def status_request(status: Status, *, token: str, base: str | None) -> OutgoingRequest:
    """The request that tells it; `base` is the app's status_url. Raises Invalid."""
    api, address = _api(status, base)
    path = _path(status.url)
    fields = {"description": _short(status.text), "target_url": status.link}
    if api == "gitlab":
        state = "failed" if status.state == "failure" else status.state
        url = f"{address}/projects/{quote(path, safe='')}/statuses/{status.commit}"
        fields |= {"state": state, "name": f"gitdeploy/{status.app}"}
        headers = {"PRIVATE-TOKEN": token}
    else:
        owner, _, name = path.rpartition("/")
        owner = owner.rpartition("/")[2]
        if not owner:
            raise Invalid(f"{path!r} isn't OWNER/REPOSITORY.", "Fetch from such an address.")
        where = f"{quote(owner, safe='')}/{quote(name, safe='')}"
        url = f"{address}/repos/{where}/statuses/{status.commit}"
        fields |= {"state": status.state, "context": f"gitdeploy/{status.app}"}
        scheme = "Bearer" if api == "github" else "token"
        headers = {"Authorization": f"{scheme} {token}"}
    if api == "github":
        headers |= {"Accept": "application/vnd.github+json"}
    body = msgspec.json.encode({key: value for key, value in fields.items() if value})
    return OutgoingRequest(
        method="POST",
        url=url,
        headers={**headers, "Content-Type": "application/json"},
        body=body,
        timeout=20.0,
    )


def check_status_url(url: str) -> None:
    """Raises Invalid where this can't be the address of an API."""
    try:
        parsed = URL(url)
        good = parsed.scheme in ("http", "https") and bool(parsed.host) and bool(parsed.port)
        good = good and not (parsed.query_string or parsed.fragment or parsed.user)
        good = good and parsed.password is None and all(" " < sign < "\x7f" for sign in url)
    except ValueError:
        good = False
    if not good:
        raise Invalid(
            "status_url isn't the http or https address of an API.",
            "Write https://HOST/api/v3 (GitHub), /api/v4 (GitLab) or /api/v1 (Gitea, Forgejo).",
        )


def _api(status: Status, base: str | None) -> tuple[Api, str]:
    """Which API it is, and its address without a slash at the end."""
    if base is None:
        host = parse_url(status.url, allow_file=True).host.lower()
        if host not in _PUBLIC:
            raise Invalid(
                f"Where {host or 'that repository'} takes commit statuses isn't known.",
                "Set the app's status_url to its API, such as https://HOST/api/v1.",
            )
        return _PUBLIC[host]
    address = base.rstrip("/")
    for ending, api in _ENDINGS.items():
        if address.endswith(ending):
            return api, address
    if URL(address).host == "api.github.com":
        return "github", address
    known = _SENDERS.get(status.sender.lower())
    if known is None:
        raise Invalid(
            "status_url doesn't tell which API it leads to.",
            "Let it end in /api/v3 (GitHub), /api/v4 (GitLab) or /api/v1 (Gitea, Forgejo).",
        )
    return known, address + _VERSIONS[known]


def _path(url: str) -> str:
    """The repository's path on its host, `group/name`."""
    location = parse_url(url, allow_file=True)
    if isinstance(location, FileLocation):
        raise Invalid(f"{location} has no commit statuses.", "Fetch over HTTP or ssh.")
    path = location.base.path if isinstance(location, Location) else location.path
    return path.strip("/").removesuffix(".git").strip("/")


def _short(text: str) -> str:
    return text if len(text) <= _LONGEST else text[: _LONGEST - 1] + "…"
