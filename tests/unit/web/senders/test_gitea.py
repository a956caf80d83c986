"""Gitea, Forgejo and Gogs."""

from __future__ import annotations

import pytest

from gitdeploy.web.senders import Push, by_headers
from tests.unit.web.senders.conftest import document, push, reason

GITHUB = {"X-GitHub-Event": "push", "X-GitHub-Event-Type": "push"}
GOGS = {"X-Gogs-Event": "push", **GITHUB}
GITEA = {"X-Gitea-Event": "push", **GOGS}
FORGEJO = {"X-Forgejo-Event": "push", **GITEA}


def test_a_push_event_tells_all_that_a_deployment_shows() -> None:
    assert push(document("gitea_push"), GITEA) == Push(
        url="http://gitea.example.com/gitea/webhooks.git",
        ssh_url="ssh://gitea@gitea.example.com:2222/gitea/webhooks.git",
        branch="develop",
        commit="bffeb74224043ba2feb48d137756c8a9331c449a",
        author="Gitea",
        author_email="someone@gitea.io",
        message="Webhooks Yay!",
        pusher="Gitea",
        sender="gitea",
    )


@pytest.mark.parametrize(
    ("headers", "name"), [(FORGEJO, "forgejo"), (GITEA, "gitea"), (GOGS, "gogs")]
)
def test_each_is_known_by_its_own_header_among_those_of_its_forebears(
    headers: dict[str, str], name: str
) -> None:
    from multidict import CIMultiDict

    sender = by_headers(CIMultiDict(headers))
    assert sender is not None
    assert sender.name == name
    assert push(document("gitea_push"), headers).sender == name


def test_other_events_and_tags_deploy_nothing() -> None:
    assert "pull_request" in reason({}, {**FORGEJO, "X-Forgejo-Event": "pull_request"})
    tag = {**document("gitea_push"), "ref": "refs/tags/v1"}
    assert "isn't a branch" in reason(tag, GITEA)
