"""Commit statuses in each host's own form, and where a token is sent."""

from __future__ import annotations

import json
from typing import Any

import pytest

from gitdeploy.errors import Invalid
from gitdeploy.web.statuses import Status, check_status_url, status_request

COMMIT = "1" * 40
LINK = "https://deploy.example/ui/shop/deployments/1/log"


def status(url: str, **changes: Any) -> Status:
    fields: dict[str, Any] = {
        "app": "shop",
        "commit": COMMIT,
        "state": "failure",
        "text": "It broke.",
        "link": LINK,
        "url": url,
        "sender": "",
    }
    return Status(**{**fields, **changes})


@pytest.mark.parametrize(
    ("url", "base", "sender", "address"),
    [
        (
            "https://github.com/ada/shop.git",
            None,
            "github",
            f"https://api.github.com/repos/ada/shop/statuses/{COMMIT}",
        ),
        (
            "git@github.com:ada/shop.git",
            None,
            "",
            f"https://api.github.com/repos/ada/shop/statuses/{COMMIT}",
        ),
        (
            "https://git.example/ada/shop.git",
            "https://git.example/api/v3",
            "",
            f"https://git.example/api/v3/repos/ada/shop/statuses/{COMMIT}",
        ),
        (
            "https://github.com/ada/shop",
            "https://api.github.com/",
            "",
            f"https://api.github.com/repos/ada/shop/statuses/{COMMIT}",
        ),
    ],
)
def test_github_is_told_in_its_form(url: str, base: str | None, sender: str, address: str) -> None:
    request = status_request(status(url, sender=sender), token="t0ken", base=base)
    assert (request.method, request.url) == ("POST", address)
    assert request.headers["Authorization"] == "Bearer t0ken"
    assert json.loads(request.body or b"") == {
        "state": "failure",
        "context": "gitdeploy/shop",
        "description": "It broke.",
        "target_url": LINK,
    }


def test_gitlab_is_told_in_its_form() -> None:
    url = "git@gitlab.com:group/team/shop.git"
    request = status_request(status(url), token="t0ken", base=None)
    assert request.url == (
        f"https://gitlab.com/api/v4/projects/group%2Fteam%2Fshop/statuses/{COMMIT}"
    )
    assert request.headers["PRIVATE-TOKEN"] == "t0ken"
    body = json.loads(request.body or b"")
    assert (body["state"], body["name"]) == ("failed", "gitdeploy/shop")
    other = status_request(status(url, state="pending"), token="t0ken", base=None)
    assert json.loads(other.body or b"")["state"] == "pending"


@pytest.mark.parametrize(
    ("base", "sender"),
    [
        ("https://git.example/sub/api/v1", ""),
        ("https://git.example/sub", "Gitea"),
        ("https://git.example/sub/", "forgejo"),
    ],
)
def test_gitea_is_told_in_its_form(base: str, sender: str) -> None:
    wanted = status("https://git.example/sub/ada/shop.git", sender=sender)
    request = status_request(wanted, token="t0ken", base=base)
    assert request.url == f"https://git.example/sub/api/v1/repos/ada/shop/statuses/{COMMIT}"
    assert request.headers["Authorization"] == "token t0ken"


def test_the_token_goes_to_no_host_that_a_webhook_names() -> None:
    for url in ("https://evil.example/ada/shop.git", "git@evil.example:ada/shop", "file:///x/y"):
        for sender in ("github", "gitea", ""):
            with pytest.raises(Invalid):
                status_request(status(url, sender=sender), token="t0ken", base=None)
    with pytest.raises(Invalid, match="which API"):
        status_request(status("https://a.example/b/c"), token="t", base="https://a.example")
    for url in ("https://github.com.evil.example/a/b", "https://github.com@evil.example/a/b"):
        with pytest.raises(Invalid):
            status_request(status(url), token="t0ken", base=None)


def test_a_path_stays_a_path_and_a_long_text_is_cut() -> None:
    wanted = status("https://github.com/..%2f..%2fuser/shop.git", text="x" * 500)
    request = status_request(wanted, token="t", base=None)
    assert "/../" not in request.url
    assert len(json.loads(request.body or b"")["description"]) == 140
    with pytest.raises(Invalid, match="OWNER"):
        status_request(status("https://github.com/shop"), token="t", base=None)


@pytest.mark.parametrize(
    "url",
    [
        "",
        "git.example",
        "ftp://git.example/api/v1",
        "https://",
        "https://a:b@git.example/api/v1",
        "https://git.example/api/v1?x=1",
        "https://git.example/#x",
        "https://git.example/a b",
    ],
)
def test_what_is_no_address_of_an_api_is_refused(url: str) -> None:
    with pytest.raises(Invalid):
        check_status_url(url)


def test_addresses_of_apis_are_taken() -> None:
    check_status_url("https://git.example/api/v1")
    check_status_url("http://127.0.0.1:3000/api/v4/")
