"""Azure DevOps' service hook."""

from __future__ import annotations

import json

import pytest
from multidict import CIMultiDict

from gitdeploy.errors import Invalid
from gitdeploy.web.senders import Nothing, Push, delivery_of, recognise
from tests.unit.web.senders.conftest import changes, document, push, reason


def test_code_pushed_tells_all_that_a_deployment_shows() -> None:
    assert push(document("azure_git_push")) == Push(
        url="https://dev.azure.com/fabrikam/Fabrikam-Fiber-Git/_git/Fabrikam-Fiber-Git",
        branch="master",
        commit="33b55f7cb7e7e245323987634f960cf4a6e6bc74",
        author="Jamal Hartnett",
        author_email="fabrikamfiber4@hotmail.com",
        message="Fixed bug in web.config file",
        pusher="Jamal Hartnett",
        sender="azure",
    )


def test_a_session_token_is_what_it_is_fetched_with() -> None:
    body = {**document("azure_git_push"), "sessionToken": {"token": "a/b"}}
    assert push(body).url.startswith("https://a%2Fb:@dev.azure.com/fabrikam/")


def test_a_password_in_the_address_stays() -> None:
    body = document("azure_git_push")
    body["resource"]["repository"]["remoteUrl"] = "https://u:pat@tfs.example.com/c/_git/r"
    assert push(body).url == "https://u:pat@tfs.example.com/c/_git/r"


def test_each_ref_is_read() -> None:
    body = document("azure_git_push")
    (update,) = body["resource"]["refUpdates"]
    body["resource"]["refUpdates"] = [
        {**update, "name": "refs/tags/v1"},
        {**update, "newObjectId": "0" * 40},
        update,
    ]
    tag, gone, moved = changes(body)
    assert isinstance(tag, Nothing)
    assert isinstance(gone, Nothing)
    assert isinstance(moved, Push)


def test_other_events_deploy_nothing() -> None:
    said = reason({**document("azure_git_push"), "eventType": "build.complete"})
    assert said == "The event build.complete deploys nothing."


def test_a_notification_is_known_by_its_event_and_number() -> None:
    payload = json.dumps(document("azure_git_push")).encode()
    none: CIMultiDict[str] = CIMultiDict()
    sender = recognise(none, payload)
    assert delivery_of(sender, none, payload) == "03c164c2-8912-4d5e-8009-3707d5f83734/3"
    other = json.dumps({**document("azure_git_push"), "id": None}).encode()
    assert delivery_of(sender, none, other) is None


def test_what_is_needed_is_named_where_it_is_missing() -> None:
    body = document("azure_git_push")
    with pytest.raises(Invalid, match=r"resource\.refUpdates"):
        changes({**body, "resource": None})
    with pytest.raises(Invalid, match="remoteUrl"):
        changes({**body, "resource": {**body["resource"], "repository": {}}})
    with pytest.raises(Invalid, match="has no name"):
        changes({**body, "resource": {**body["resource"], "refUpdates": [{}]}})
