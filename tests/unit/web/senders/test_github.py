"""GitHub's events, and documents like its push event."""

from __future__ import annotations

from typing import Any

import pytest

from gitdeploy.errors import Invalid
from gitdeploy.web.senders import Push
from tests.unit.web.senders.conftest import document, push, reason

PUSH = {"X-GitHub-Event": "push"}
ZERO = "0" * 40


def test_a_push_event_tells_all_that_a_deployment_shows() -> None:
    assert push(document("github_push"), PUSH) == Push(
        url="https://github.com/baxterthehacker/public-repo.git",
        ssh_url="git@github.com:baxterthehacker/public-repo.git",
        branch="main",
        commit="0d1a26e67d8f5eaf1f6ba5c57fc3c7d91ac0fd1c",
        author="Baxter Hacker",
        author_email="baxter@example.com",
        message="Update README.md",
        pusher="baxterthehacker",
        sender="github",
    )


def test_a_private_repository_is_fetched_by_https_too() -> None:
    body = document("github_push")
    body["repository"]["private"] = True
    assert push(body, PUSH).url.startswith("https://")


def test_the_same_document_without_headers_is_understood() -> None:
    with_headers = push(document("github_push"), PUSH)
    without = push(document("github_push"))
    assert without.sender == "webhook"
    assert (without.url, without.branch, without.commit) == (
        with_headers.url,
        with_headers.branch,
        with_headers.commit,
    )


def test_a_ping_works_and_other_events_deploy_nothing() -> None:
    assert reason(document("github_ping"), {"X-GitHub-Event": "ping"}) == "The webhook works."
    said = reason({"action": "opened"}, {"X-GitHub-Event": "issues"})
    assert said == "The event issues deploys nothing."


def test_tags_and_deletions_say_what_they_are() -> None:
    body = document("github_push")
    assert "refs/tags/v1 isn't a branch" in reason({**body, "ref": "refs/tags/v1"}, PUSH)
    assert "was deleted" in reason({**body, "deleted": True, "after": ZERO}, PUSH)
    assert "was deleted" in reason({**body, "after": ZERO}, PUSH)


def test_the_author_is_that_of_the_commit_where_there_is_no_head() -> None:
    body = document("github_push")
    del body["head_commit"]
    assert push(body, PUSH).author == "Baxter Hacker"
    body["commits"][0]["id"] = "1" * 40
    assert (push(body, PUSH).author, push(body, PUSH).message) == ("", "")


def test_what_is_only_shown_may_be_missing_or_of_another_type() -> None:
    body = document("github_push")
    body["head_commit"]["author"] = {"name": 7, "email": None}
    body["pusher"] = 7
    body["after"] = "nonsense"
    read = push(body, PUSH)
    assert (read.author, read.author_email, read.pusher, read.commit) == ("", "", "", None)
    body["pusher"] = "ada"
    body["head_commit"] = {"message": ["x"], "author": []}
    read = push(body, PUSH)
    assert (read.author, read.message, read.pusher) == ("", "", "ada")


@pytest.mark.parametrize(
    ("change", "missing"),
    [
        ({"repository": None}, "no repository"),
        ({"repository": {}}, "clone_url"),
        ({"ref": None}, "no ref"),
        ({"ref": 7}, "$.ref"),
        ({"repository": {"clone_url": 7}}, "$.repository.clone_url"),
        ({"commits": {}}, "$.commits"),
    ],
)
def test_what_is_needed_is_named_where_it_is_missing(change: dict[str, Any], missing: str) -> None:
    with pytest.raises(Invalid) as refused:
        push({**document("github_push"), **change}, PUSH)
    assert missing in refused.value.what
    assert refused.value.fix


def test_text_from_outside_is_cleaned_and_shortened() -> None:
    body = document("github_push")
    body["head_commit"]["message"] = "one\r\n\r\n\x1b[31mtwo\x00" + "x" * 9000
    body["head_commit"]["author"]["name"] = "Ada\n\x07Love\tlace " + "x" * 900
    read = push(body, PUSH)
    assert read.message.startswith("one\n\n[31mtwox")
    assert len(read.message) <= 4000
    assert read.author.startswith("Ada Love lace x")
    assert len(read.author) <= 200
