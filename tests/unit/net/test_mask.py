import html
import json
from urllib.parse import quote

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gitdeploy.net.mask import Mask, secretive, secrets_of


@pytest.mark.parametrize("secret", ['p"w\\1', "päss wörd", "a&b<c>", "a/b+c=", "tab\there", "x"])
def test_a_secret_is_masked_in_every_usual_escaping(secret: str) -> None:
    mask = Mask([secret])
    plain = json.dumps({"k": secret}), json.dumps({"k": secret}, ensure_ascii=False)
    for text in (secret, *plain, quote(secret), quote(secret, safe=""), html.escape(secret)):
        shown = mask.text(f"<<{text}>>")
        assert secret not in shown.replace("***", "") and "***" in shown


def test_the_longer_of_two_secrets_is_masked_whole() -> None:
    assert Mask(["hush", "hush-hush"]).text("hush-hush hush") == "*** ***"


def test_a_secret_that_is_cut_off_is_masked_too() -> None:
    mask = Mask(["abcdefgh"])
    assert mask.text("token: abcdef", cut=True) == "token: ***"
    assert mask.text("token: abcdef") == "token: abcdef"
    assert mask.text("token: abcdefgh", cut=True) == "token: ***"


def test_without_secrets_nothing_changes() -> None:
    assert Mask([]).text("abc", cut=True) == "abc"
    assert Mask([""]).text("abc") == "abc"


@settings(deadline=None, max_examples=200)
@given(st.text(min_size=1), st.text(), st.text())
def test_no_text_around_it_brings_a_secret_through(secret: str, before: str, behind: str) -> None:
    shown = Mask([secret]).text(before + secret + behind)
    assert "***" in shown
    assert secret not in shown or secret in "***" or secret in before + "***" + behind


@pytest.mark.parametrize(
    "name", ["Authorization", "Cookie", "X-Api-Key", "X-GitHub-Token", "X-Hub-Signature", "code"]
)
def test_a_name_tells_that_a_secret_follows(name: str) -> None:
    assert secretive(name)
    assert not secretive("Content-Type")
    assert not secretive("Accept")


def test_a_urls_secrets_are_its_password_and_what_is_named_so() -> None:
    found = secrets_of("https://ada:p%2Fw@example.org/?sig=a%2Fb&page=2&code=x")
    assert sorted(found) == ["a/b", "p/w", "x"]
    assert secrets_of("http://[") == []
