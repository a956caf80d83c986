"""Failures in the reader's language: known sentences whole, others as the server's own words."""

from __future__ import annotations

import pytest

from gitdeploy.web.ui.language import LANGUAGES, words
from gitdeploy.web.ui.reasons import _KNOWN, reason, told


@pytest.mark.parametrize(
    ("sentence", "fix", "names"),
    [
        ("There is nothing at this path.", "", ()),
        ("There is no app 'shop' that you may know of.", "", ("shop",)),
        ("shop has no job 'a-b_c'.", "", ("shop", "a-b_c")),
        ("shop has no continuous job 'x'.", "", ("shop", "x")),
        ("report has no run 20261124.", "", ("report", "20261124")),
        ("report has no run '1'.", "The job's page lists those kept.", ("report", "1")),
        ("shop has no deployment 'abc'.", "", ("shop", "abc")),
        ("This needs the scope deploy, which your token lacks.", "", ("deploy",)),
        ("The request's body is over 1024 bytes (max_site_size).", "", ("1024", "max_site_size")),
        ("The request's body paused for 30 s.", "Try again.", ()),
        ("Run 12 of report has ended already.", "", ("12", "report")),
        (
            "The jobs of shop are stopped.",
            "Remove the app setting WEBJOBS_STOPPED.",
            ("shop", "WEBJOBS_STOPPED"),
        ),
        (
            "Too many failed sign-ins from this address or with such a token.",
            "Wait 17 s and use a valid token.",
            ("17",),
        ),
        ("shop is locked: we count {things}", "", ("shop", "we count {things}")),
    ],
)
def test_a_known_sentence_keeps_its_names_in_every_language(
    sentence: str, fix: str, names: tuple[str, ...]
) -> None:
    for language in LANGUAGES:
        known = told(words(language), sentence, fix)
        assert known is not None
        assert all(name in " ".join(known) for name in names)
        assert ("{" in " ".join(known)) == ("{" in sentence)


def test_every_known_sentence_is_in_the_catalogue_and_the_other_way_round() -> None:
    texts = {key.removeprefix("problem.known.") for key in words("en").texts if ".known." in key}
    keys = {key for key, _ in _KNOWN}
    assert {text.removesuffix("_fix") for text in texts} == keys


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("status", [400, 401, 403, 404, 409, 412, 413, 418, 429, 500, 503, 507])
def test_every_status_has_a_title_and_says_what_to_do(language: str, status: int) -> None:
    found = reason(words(language), status, "The moon is in the way.", "")
    assert found.title
    assert found.what
    assert found.fix


def test_an_unknown_sentence_is_kept_as_the_servers_own_words() -> None:
    english = reason(words("en"), 409, "The moon is in the way.", "Wait for the night.")
    assert english.what == "The moon is in the way."
    assert english.fix == "Wait for the night."
    assert english.detail == ""
    korean = reason(words("ko"), 409, "The moon is in the way.", "Wait for the night.")
    assert korean.detail == "The moon is in the way. Wait for the night."
    assert korean.what == words("ko")("problem.409.what")


def test_what_a_page_has_said_in_korean_itself_is_not_taken_for_english() -> None:
    assert reason(words("ko"), 409, "프로세스가 이미 끝났습니다.", "").detail == ""
    named = reason(words("ko"), 404, "'보고서.txt' can't be read: No such file.", "")
    assert named.detail == "'보고서.txt' can't be read: No such file."


def test_a_failure_of_ours_shows_none_of_its_words() -> None:
    found = reason(words("ko"), 500, "The server failed.", "Look for it.", error_id="0123456789ab")
    assert found.what == words("ko")("problem.500.what")
    assert found.detail == ""
