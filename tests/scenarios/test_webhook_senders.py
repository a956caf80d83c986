"""A team whose host tells gitdeploy to deploy, whatever host it is."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import quote_plus

import pytest

from tests.integration.web.origin import Origin, served
from tests.scenarios.actors import Server
from tests.support import eventually

PAYLOADS = Path(__file__).parents[1] / "unit/web/senders/payloads"
SECRET = "it's a secret to everybody"
BRANCH = "main"


class Request(NamedTuple):
    """What a host sends; `delivery` is part of it."""

    body: bytes
    headers: dict[str, str]


def digest(body: bytes, secret: str) -> str:
    return hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()


def document(name: str) -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads((PAYLOADS / f"{name}.json").read_text())
    return loaded


def github(url: str, commit: str, secret: str, delivery: str, *, form: bool = False) -> Request:
    fields = document("github_push")
    fields["after"] = fields["head_commit"]["id"] = commit
    fields["repository"]["clone_url"] = url
    body = json.dumps(fields).encode()
    kind = "application/json"
    if form:
        body = b"payload=" + quote_plus(body).encode()
        kind = "application/x-www-form-urlencoded"
    return Request(
        body,
        {
            "Content-Type": kind,
            "User-Agent": "GitHub-Hookshot/044aadd",
            "X-GitHub-Event": "push",
            "X-GitHub-Delivery": delivery,
            "X-Hub-Signature": "sha1=7d38cdd689735b008b3c702edd92eea23791c5f6",
            "X-Hub-Signature-256": f"sha256={digest(body, secret)}",
        },
    )


def github_form(url: str, commit: str, secret: str, delivery: str) -> Request:
    return github(url, commit, secret, delivery, form=True)


def gitlab(url: str, commit: str, secret: str, delivery: str) -> Request:
    fields = document("gitlab_push")
    fields["after"] = fields["checkout_sha"] = fields["commits"][-1]["id"] = commit
    fields["project"]["git_http_url"] = url
    return Request(
        json.dumps(fields).encode(),
        {
            "Content-Type": "application/json",
            "User-Agent": "GitLab/17.5.1",
            "X-Gitlab-Event": "Push Hook",
            "X-Gitlab-Instance": "https://gitlab.example.com",
            "X-Gitlab-Token": secret,
            "Idempotency-Key": delivery,
            "X-Gitlab-Webhook-UUID": f"{delivery}-webhook",
            "X-Gitlab-Event-UUID": f"{delivery}-event",
        },
    )


def gitlab_signing(url: str, commit: str, secret: str, delivery: str) -> Request:
    body, headers = gitlab(url, commit, secret, delivery)
    del headers["X-Gitlab-Token"]
    signed = f"{delivery}.1790000000.".encode() + body
    made = base64.b64encode(hmac.new(secret.encode(), signed, hashlib.sha256).digest()).decode()
    headers |= {
        "webhook-id": delivery,
        "webhook-timestamp": "1790000000",
        "webhook-signature": f"v1,{made}",
    }
    return Request(body, headers)


def gitea(url: str, commit: str, secret: str, delivery: str, *, form: bool = False) -> Request:
    fields = document("gitea_push")
    fields["ref"] = f"refs/heads/{BRANCH}"
    fields["after"] = fields["head_commit"]["id"] = commit
    fields["repository"]["clone_url"] = url
    payload = json.dumps(fields).encode()
    signature = digest(payload, secret)
    kind = "application/x-www-form-urlencoded" if form else "application/json"
    headers = {"Content-Type": kind}
    for name in ("Gitea", "Gogs", "GitHub"):
        headers |= {f"X-{name}-Event": "push", f"X-{name}-Delivery": delivery}
    headers |= {"X-Gitea-Signature": signature, "X-Gogs-Signature": signature}
    return Request(b"payload=" + quote_plus(payload).encode() if form else payload, headers)


def gitea_form(url: str, commit: str, secret: str, delivery: str) -> Request:
    return gitea(url, commit, secret, delivery, form=True)


def forgejo(url: str, commit: str, secret: str, delivery: str) -> Request:
    body, headers = gitea(url, commit, secret, delivery)
    del headers["X-Gitea-Signature"], headers["X-Gogs-Signature"]
    headers |= {
        "X-Forgejo-Event": "push",
        "X-Forgejo-Delivery": delivery,
        "X-Hub-Signature-256": f"sha256={digest(body, secret)}",
    }
    return Request(body, headers)


def bitbucket(url: str, commit: str, secret: str, delivery: str) -> Request:
    fields = document("bitbucket_push")
    fields["repository"]["links"]["html"]["href"] = url
    fields["push"]["changes"][1]["new"]["target"]["hash"] = commit
    body = json.dumps(fields).encode()
    return Request(
        body,
        {
            "Content-Type": "application/json",
            "User-Agent": "Bitbucket-Webhooks/2.0",
            "X-Event-Key": "repo:push",
            "X-Request-UUID": delivery,
            "X-Hub-Signature": f"sha256={digest(body, secret)}",
        },
    )


def bitbucket_server(url: str, commit: str, secret: str, delivery: str) -> Request:
    fields = document("bitbucket_server_refs_changed")
    fields["repository"]["links"]["clone"][1]["href"] = url
    fields["changes"][0]["toHash"] = fields["commits"][0]["id"] = commit
    body = json.dumps(fields).encode()
    return Request(
        body,
        {
            "Content-Type": "application/json; charset=utf-8",
            "User-Agent": "Atlassian HttpClient 2.1.5 / Bitbucket-8.9.0",
            "X-Event-Key": "repo:refs_changed",
            "X-Request-Id": delivery,
            "X-Hub-Signature": f"sha256={digest(body, secret)}",
        },
    )


def azure(url: str, commit: str, secret: str, delivery: str) -> Request:
    fields = document("azure_git_push")
    fields["id"] = delivery
    fields["resource"]["repository"]["remoteUrl"] = url
    fields["resource"]["refUpdates"][0] |= {"name": f"refs/heads/{BRANCH}", "newObjectId": commit}
    fields["resource"]["commits"][0]["commitId"] = commit
    credentials = base64.b64encode(f"hook:{secret}".encode()).decode()
    return Request(
        json.dumps(fields).encode(),
        {
            "Content-Type": "application/json; charset=utf-8",
            "User-Agent": "VSServices/19.230",
            "Authorization": f"Basic {credentials}",
        },
    )


def script(url: str, commit: str, secret: str, delivery: str) -> Request:
    body = json.dumps({"format": "basic", "url": f"{url}#{BRANCH}"}).encode()
    headers = {
        "Idempotency-Key": delivery,
        "X-Hub-Signature-256": f"sha256={digest(body, secret)}",
    }
    return Request(body, headers)


# By app name: the request, and who the deployment says has made it (None: whoever).
HOSTS: dict[str, tuple[Callable[[str, str, str, str], Request], str | None, str | None]] = {
    "github": (github, "GitHub", "Baxter Hacker"),
    "github-form": (github_form, "GitHub", "Baxter Hacker"),
    "gitlab": (gitlab, "GitLab", "GitLab dev user"),
    "gitlab-signing": (gitlab_signing, "GitLab", "GitLab dev user"),
    "gitea": (gitea, "Gitea", "Gitea"),
    "gitea-form": (gitea_form, "Gitea", "Gitea"),
    "forgejo": (forgejo, "Forgejo", "Gitea"),
    "bitbucket": (bitbucket, "Bitbucket", "Emma"),
    "bitbucket-server": (bitbucket_server, "Bitbucket", "Administrator"),
    "azure": (azure, "Azure DevOps", "Jamal Hartnett"),
    "script": (script, None, None),
}


@pytest.fixture
async def origin(tmp_path: Path) -> AsyncIterator[Origin]:
    async with served(tmp_path / "origin") as made:
        yield made


@pytest.fixture
async def target(tmp_path: Path) -> AsyncIterator[Server]:
    server = Server(tmp_path / "target", "--swap-grace", "0.2", "--allow-private-fetch", "true")
    await server.start()
    for app in HOSTS:
        await server.call("PUT", f"/api/apps/{app}")
        change = {"webhook_secret": SECRET, "branch": BRANCH}
        await server.call("PATCH", f"/api/apps/{app}", change)
    yield server
    await server.end()


async def send(server: Server, app: str, request: Request, status: int) -> Any:
    return await server.call(
        "POST",
        f"/apps/{app}/deploy",
        request.body,
        headers=request.headers,
        token=None,
        status=status,
    )


async def active(server: Server, app: str, commit: str) -> dict[str, Any]:
    async def look() -> dict[str, Any] | None:
        path = f"/apps/{app}/api/deployments/{commit}"
        found = await server.call("GET", path, status=(200, 202, 404))
        if found.get("status") == 3:
            raise AssertionError(found)
        return dict(found) if found.get("status") == 4 and found.get("active") else None

    return await eventually(look, what=f"the deployment of {app} succeeds")


async def test_a_delivery_of_every_host_deploys_and_a_replay_of_it_does_nothing(
    target: Server, origin: Origin
) -> None:
    commit = origin.commit("hello")
    sent = {}
    for app, (make, deployer, author) in HOSTS.items():
        sent[app] = make(origin.url, commit, SECRET, f"delivery-{app}")
        shown = await send(target, app, sent[app], 202)
        assert deployer in (None, shown["deployer"]), app
        assert author in (None, shown["author"]), app
    for app in HOSTS:
        done = await active(target, app, commit)
        assert done["attempt"] == 1
        assert (done["author"], done["message"].strip()) != ("", "")
        assert (target.home / f"apps/{app}/current/index.txt").read_text() == "hello"
        assert "received before" in await send(target, app, sent[app], 200)
        assert len(await target.call("GET", f"/apps/{app}/api/deployments")) == 1


async def test_a_wrong_or_missing_proof_of_any_host_is_401_and_deploys_nothing(
    target: Server, origin: Origin
) -> None:
    commit = origin.commit("hello")
    proofs = ("signature", "token", "authorization")
    said = set()
    for number, (app, (make, _, _)) in enumerate(HOSTS.items()):
        # from an address each, so that no one is slowed down for the others' failures
        proxy = {"X-Forwarded-For": f"192.0.2.{number + 1}"}
        good = make(origin.url, commit, SECRET, "one")
        bare = {k: v for k, v in good.headers.items() if not any(p in k.lower() for p in proofs)}
        wrong = make(origin.url, commit, "another secret", "two")
        tries = [wrong, Request(good.body, bare)]
        if app not in ("gitlab", "azure"):  # whose secret says nothing of the body
            tries.append(Request(good.body + b" ", good.headers))
        for request in tries:
            headers = {**request.headers, **proxy}
            said.add((await send(target, app, Request(request.body, headers), 401))["detail"])
        assert await target.call("GET", f"/apps/{app}/api/deployments") == []
        assert await target.call("GET", f"/apps/{app}/api/settings") == {}
    assert len(said) == 1


async def test_a_secret_of_one_app_opens_no_other(target: Server, origin: Origin) -> None:
    await target.call("PATCH", "/api/apps/gitea", {"webhook_secret": "a secret of its own"})
    request = github(origin.url, origin.commit("x"), SECRET, "d-1")
    await send(target, "gitea", request, 401)
    await send(target, "no-such-app", request, 401)
    await send(target, "github", request, 202)


async def test_another_branch_a_tag_and_a_deletion_deploy_nothing_whoever_says_so(
    target: Server, origin: Origin
) -> None:
    commit = origin.commit("x")
    changed: dict[str, list[tuple[bytes, bytes]]] = {
        "github": [(b"refs/heads/main", b"refs/heads/topic"), (b"refs/heads/", b"refs/tags/")],
        "gitlab": [(b"refs/heads/main", b"refs/heads/topic"), (b"refs/heads/", b"refs/tags/")],
        "gitea": [(b"refs/heads/main", b"refs/heads/topic"), (b"refs/heads/", b"refs/tags/")],
        "bitbucket": [(b'"name": "main"', b'"name": "more"')],
        "bitbucket-server": [(b"refs/heads/main", b"refs/heads/topic"), (b"UPDATE", b"DELETE")],
        "azure": [(b"refs/heads/main", b"refs/tags/v1")],
    }
    for app, changes in changed.items():
        make = HOSTS[app][0]
        for old, new in [*changes, (commit.encode(), b"0" * 40)]:
            if app == "bitbucket" and old == commit.encode():
                continue  # a deletion there has no `new`
            body = make(origin.url, commit, SECRET, "d").body.replace(old, new)
            headers = make(origin.url, commit, SECRET, "d").headers
            for name in ("X-Hub-Signature-256", "X-Hub-Signature"):
                if headers.get(name, "").startswith("sha256="):
                    headers[name] = f"sha256={digest(body, SECRET)}"
            if "X-Gitea-Signature" in headers:
                headers["X-Gitea-Signature"] = digest(body, SECRET)
            assert "nothing is deployed" in await send(target, app, Request(body, headers), 200)
        assert await target.call("GET", f"/apps/{app}/api/deployments") == []
