"""What is shown of a URL that may have credentials."""

from __future__ import annotations

import pytest

from gitdeploy.web.wanted import Wanted, pending, without_credentials


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("https://ada:hush@host/x.git", "https://host/x.git"),
        ("https://hush@host:8443/x@y.git", "https://host:8443/x@y.git"),
        ("https://host/x.git", "https://host/x.git"),
        ("ssh://git@host:22/x.git", "ssh://git@host:22/x.git"),
        ("ssh://git:hush@host/x.git", "ssh://git@host/x.git"),
        ("ssh://host/x.git", "ssh://host/x.git"),
        ("git@host:ada/x.git", "git@host:ada/x.git"),
        ("file:///srv/x.git", "file:///srv/x.git"),
    ],
)
def test_credentials_are_left_out_and_the_rest_stays(url: str, shown: str) -> None:
    assert without_credentials(url) == shown


def test_a_fetch_is_shown_as_the_deployment_that_it_becomes() -> None:
    plain = Wanted(url="https://a:b@h/x", branch=None, commit=None, deployer="x", received_at=1)
    other = Wanted(url="https://a:b@h/x", branch=None, commit=None, deployer="x", received_at=1)
    assert plain.key == plain.id != other.id
    assert len(plain.id) == 40
    row = pending("shop", plain.key, plain, "i")
    assert (row.message, row.ref, row.commit_id) == ("Fetch https://h/x", None, None)
    known = Wanted(
        url="https://h/x",
        branch="main",
        commit="1" * 40,
        deployer="GitHub",
        received_at=1,
        author="Ada",
        author_email="ada@example.org",
        message="Say hello",
        pusher="grace",
    )
    row = pending("shop", known.key, known, "i", text="Waiting.")
    assert (row.id, row.author, row.author_email) == ("1" * 40, "Ada", "ada@example.org")
    assert (row.message, row.pusher, row.ref) == ("Say hello", "grace", "refs/heads/main")
    assert (row.status, row.status_text) == ("pending", "Waiting.")
