"""What the pusher reads works for the pusher."""

from __future__ import annotations

import re

import pytest

from tests.scenarios.actors import Developer, Server
from tests.support import git


@pytest.mark.parametrize("options", [(), ("-o", "gitdeploy.wait=false")])
async def test_the_link_is_by_the_way_in_that_the_push_used(
    server: Server, repo: Developer, options: tuple[str, ...]
) -> None:
    remote = server.remote("demo").replace("127.0.0.1", "localhost")
    git("remote", "set-url", "deploy", remote, cwd=repo.path)
    words = await repo.push(*options, "deploy", "main")
    assert f" · http://localhost:{server.port}/ui/demo/" in words, words


async def test_the_link_behind_a_proxy_is_the_proxys(server: Server, repo: Developer) -> None:
    for header in (
        "X-Forwarded-Proto: https",
        "X-Forwarded-Host: paas.example.org",
        "X-Forwarded-Prefix: /deploy",
    ):
        git("config", "--add", "http.extraHeader", header, cwd=repo.path)
    words = await repo.push()
    assert re.search(r"remote: deployed .* · https://paas\.example\.org/deploy/ui/demo/", words)
