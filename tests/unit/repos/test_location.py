"""Which URLs can be fetched from, and that nothing in one becomes an option or a command."""

from __future__ import annotations

import shlex
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gitdeploy.repos.location import FetchError, FileLocation, Location, SshLocation, parse_url
from gitdeploy.repos.ssh import SshFiles, explain, ssh_command

FILES = SshFiles(Path("/home/apps/shop/ssh/id"), Path("/home/known_hosts"))


@pytest.mark.parametrize(
    ("url", "expected", "shown"),
    [
        (
            "git@github.com:ada/shop.git",
            SshLocation("git", "github.com", 22, "ada/shop.git"),
            "git@github.com:ada/shop.git",
        ),
        (
            "ssh://git@host.example/ada/shop.git",
            SshLocation("git", "host.example", 22, "/ada/shop.git"),
            "ssh://git@host.example/ada/shop.git",
        ),
        (
            "ssh://git@host.example:7999/p/shop.git",
            SshLocation("git", "host.example", 7999, "/p/shop.git"),
            "ssh://git@host.example:7999/p/shop.git",
        ),
        (
            "ssh://host.example/~ada/shop",
            SshLocation("git", "host.example", 22, "~ada/shop"),
            "git@host.example:~ada/shop",
        ),
        (
            "ssh://git@[2001:db8::1]:22/x%20y",
            SshLocation("git", "2001:db8::1", 22, "/x y"),
            "ssh://git@[2001:db8::1]/x y",
        ),
        (
            "git@ssh.dev.azure.com:v3/team/project/shop",
            SshLocation("git", "ssh.dev.azure.com", 22, "v3/team/project/shop"),
            "git@ssh.dev.azure.com:v3/team/project/shop",
        ),
    ],
)
def test_both_forms_of_ssh_are_understood(url: str, expected: SshLocation, shown: str) -> None:
    location = parse_url(url)
    assert location == expected
    assert str(location) == shown


@pytest.mark.parametrize(
    "url",
    [
        "ssh://-oProxyCommand=id/x",
        "ssh://git@-oProxyCommand=id/x",
        "ssh://-l@host/x",
        "ssh://git:secret@host/x",
        "ssh://git@host",
        "ssh://git@host/",
        "ssh://git@host:0/x",
        "ssh://git@host:99999/x",
        "ssh://git@ho%0ast/x",
        "ssh://git@host/x%0ay",
        "ssh://git@host/%00",
        "ssh://git@host name/x",
        "-oProxyCommand=id@host:x",
        "git@-host:x",
        "git@host:-x",
        "git@host:",
        "git@host::x",
        "host:x",
        "git@ho/st:x",
        "ext::ssh git@host x",
        "--upload-pack=id",
        "git+ssh://git@host/x",
        "file:///srv/x",
    ],
)
def test_what_could_be_an_option_or_is_no_address_is_refused(url: str) -> None:
    with pytest.raises(FetchError) as caught:
        parse_url(url)
    assert caught.value.fix
    assert "secret" not in str(caught.value)
    assert not caught.value.temporary


def test_a_file_url_is_taken_where_it_is_allowed() -> None:
    assert parse_url("file:///srv/a%20b.git", allow_file=True) == FileLocation("/srv/a b.git")
    for url in ("file://host/x", "file:///", "file:///x%0ay"):
        with pytest.raises(FetchError):
            parse_url(url, allow_file=True)


def test_ssh_gets_the_judged_address_and_knows_the_host_by_its_name() -> None:
    location = parse_url("ssh://git@host.example:7999/it's!/shop")
    assert isinstance(location, SshLocation)
    argv = ssh_command("ssh", location, "192.0.2.7", FILES)
    after = argv[argv.index("--") :]
    assert after == ["--", "192.0.2.7", "git-upload-pack '/it'\\''s'\\!'/shop'"]
    assert shlex.split(after[2]) == ["git-upload-pack", "/it's!/shop"]
    options = dict(argv[at + 1].split("=", 1) for at, word in enumerate(argv) if word == "-o")
    assert options["HostKeyAlias"] == "[host.example]:7999"
    assert options["StrictHostKeyChecking"] == "accept-new"
    assert options["BatchMode"] == "yes"
    assert (options["UserKnownHostsFile"], options["GlobalKnownHostsFile"]) == (
        "known_hosts",
        "/dev/null",
    )
    assert argv[1:3] == ["-F", "/dev/null"]
    assert argv[argv.index("-i") + 1] == "apps/shop/ssh/id"
    assert argv[argv.index("-p") + 1] == "7999"


@pytest.mark.parametrize(
    ("words", "temporary", "said"),
    [
        ("ssh: connect to host 192.0.2.7 port 22: Connection refused", True, "refused"),
        ("kex_exchange_identification: read: Connection reset by peer", True, "reset"),
        ("git@192.0.2.7: Permission denied (publickey).", False, "deploy key"),
        ("Host key verification failed.", False, "another host key"),
        ("ERROR: Repository not found.\nfatal: Could not read", False, "Repository not found"),
        ("", False, "says nothing"),
    ],
)
def test_what_ssh_says_is_told_with_what_to_do(words: str, temporary: bool, said: str) -> None:
    location = parse_url("git@host.example:shop.git")
    assert isinstance(location, SshLocation)
    error = explain(words, location, FILES)
    assert (error.temporary, said in error.what) == (temporary, True), error.what
    assert error.fix


@settings(deadline=None, max_examples=300)
@given(st.text(max_size=60) | st.from_regex(r"\A(ssh://|git@|https?://|file://).{0,40}\Z"))
def test_any_text_is_a_location_or_is_refused(url: str) -> None:
    try:
        location = parse_url(url, allow_file=True)
    except FetchError:
        return
    assert not url.startswith("-")
    if isinstance(location, SshLocation):
        argv = ssh_command("ssh", location, "192.0.2.7", FILES)
        assert argv[-3:-1] == ["--", "192.0.2.7"]
        assert shlex.split(argv[-1]) == ["git-upload-pack", location.path]
        assert not location.user.startswith("-") and not location.path.startswith("-")
    elif isinstance(location, Location):
        assert location.base.scheme in ("http", "https")
        assert location.base.user is None
