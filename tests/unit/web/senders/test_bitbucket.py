"""Bitbucket Cloud, Server and Data Center."""

from __future__ import annotations

import pytest

from gitdeploy.errors import Invalid
from gitdeploy.web.senders import Nothing, Push
from tests.unit.web.senders.conftest import changes, document, push, reason

CLOUD = {"X-Event-Key": "repo:push", "User-Agent": "Bitbucket-Webhooks/2.0"}
SERVER = {"X-Event-Key": "repo:refs_changed"}


def test_each_change_of_a_push_is_read() -> None:
    topic, main, gone, tag = changes(document("bitbucket_push"), CLOUD)
    assert main == Push(
        url="https://bitbucket.org/team_name/repo_name",
        ssh_url="git@bitbucket.org:team_name/repo_name.git",
        branch="main",
        commit="709d658dc5b6d6afcd46049c2f332ee3f515a67d",
        author="Emma",
        author_email="emma@example.com",
        message="new commit message",
        pusher="Emma Paris",
        sender="bitbucket",
    )
    assert isinstance(topic, Push)
    assert (topic.branch, topic.author) == ("topic", "Somebody Else")
    assert isinstance(gone, Nothing)
    assert "gone was deleted" in gone.reason
    assert isinstance(tag, Nothing)
    assert "tag v1 isn't a branch" in tag.reason


def test_cloud_and_server_are_told_apart_by_the_body_without_headers() -> None:
    assert len(changes(document("bitbucket_push"))) == 4
    assert push(document("bitbucket_server_refs_changed")).branch == "main"


def test_a_server_tells_all_that_a_deployment_shows() -> None:
    assert push(document("bitbucket_server_refs_changed"), SERVER) == Push(
        url="https://bitbucket.example.com/scm/project_1/repository.git",
        ssh_url="ssh://git@bitbucket.example.com:7999/project_1/repository.git",
        branch="main",
        commit="a00945762949b7787503f6b1de8bc2b6d4ed3f9e",
        author="Administrator",
        author_email="admin@example.com",
        message="WIP",
        pusher="Administrator",
        sender="bitbucket",
    )


def test_an_older_server_says_no_address() -> None:
    body = document("bitbucket_server_refs_changed")
    del body["repository"]["links"]
    body["refChanges"] = body.pop("changes")
    read = push(body, SERVER)
    assert (read.url, read.ssh_url, read.branch) == ("", "", "main")


def test_deletions_tags_pings_and_other_events_deploy_nothing() -> None:
    body = document("bitbucket_server_refs_changed")
    (change,) = body["changes"]
    gone = {**body, "changes": [{**change, "type": "DELETE", "toHash": "0" * 40}]}
    assert "was deleted" in reason(gone, SERVER)
    tag = {**body, "changes": [{**change, "refId": "refs/tags/v1"}]}
    assert "isn't a branch" in reason(tag, SERVER)
    assert reason({**body, "changes": []}, SERVER) == "The push changed nothing."
    assert reason({"test": True}, {"X-Event-Key": "diagnostics:ping"}) == "The webhook works."
    assert "pr:opened" in reason({}, {"X-Event-Key": "pr:opened"})


def test_mercurial_is_refused_and_what_is_missing_is_named() -> None:
    body = document("bitbucket_push")
    with pytest.raises(Invalid, match="hg"):
        changes({**body, "repository": {**body["repository"], "scm": "hg"}}, CLOUD)
    with pytest.raises(Invalid, match=r"links\.html\.href"):
        changes({**body, "repository": {}}, CLOUD)
    with pytest.raises(Invalid, match=r"push\.changes"):
        changes({}, CLOUD)
    with pytest.raises(Invalid, match="no changes"):
        changes({}, SERVER)
    with pytest.raises(Invalid, match="refId"):
        changes({"changes": [{}]}, SERVER)
