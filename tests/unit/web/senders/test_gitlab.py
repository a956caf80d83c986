"""GitLab's push events."""

from __future__ import annotations

import pytest

from gitdeploy.errors import Invalid
from gitdeploy.web.senders import Push
from tests.unit.web.senders.conftest import document, push, reason

HOOK = {"X-Gitlab-Event": "Push Hook"}


def test_a_push_event_tells_all_that_a_deployment_shows() -> None:
    assert push(document("gitlab_push"), HOOK) == Push(
        url="https://gitlab.example.com/mike/diaspora.git",
        ssh_url="git@gitlab.example.com:mike/diaspora.git",
        branch="main",
        commit="da1560886d4f094c3e6c9ef40349f7d38b5d27d7",
        author="GitLab dev user",
        author_email="gitlabdev@dv6700.(none)",
        message="fixed readme",
        pusher="John Smith",
        sender="gitlab",
    )


def test_a_system_hook_is_a_push_by_its_body() -> None:
    body = document("gitlab_push")
    assert push(body, {"X-Gitlab-Event": "System Hook"}).branch == "main"
    del body["object_kind"]
    assert push(body, {"X-Gitlab-Event": "System Hook"}).branch == "main"
    assert push(document("gitlab_push")).sender == "gitlab"


def test_tags_deletions_and_other_events_deploy_nothing() -> None:
    tag = reason(document("gitlab_tag_push"), {"X-Gitlab-Event": "Tag Push Hook"})
    assert "refs/tags/v1.0.0 isn't a branch" in tag
    gone = {**document("gitlab_push"), "after": "0" * 40, "checkout_sha": None, "commits": []}
    assert "was deleted" in reason(gone, HOOK)
    merge = {"object_kind": "merge_request", "project": {}}
    assert "merge_request" in reason(merge, {"X-Gitlab-Event": "Merge Request Hook"})
    assert "Job Hook" in reason({}, {"X-Gitlab-Event": "Job Hook"})


def test_without_http_it_is_fetched_by_ssh() -> None:
    body = document("gitlab_push")
    body["project"]["git_http_url"] = body["repository"]["git_http_url"] = ""
    assert push(body, HOOK).url == "git@gitlab.example.com:mike/diaspora.git"


def test_what_is_needed_is_named_where_it_is_missing() -> None:
    body = document("gitlab_push")
    with pytest.raises(Invalid, match="git_http_url"):
        push({**body, "project": {}, "repository": None}, HOOK)
    with pytest.raises(Invalid, match="no ref"):
        push({**body, "ref": None}, HOOK)
