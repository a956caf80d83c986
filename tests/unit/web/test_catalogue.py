"""The catalogues say the same things in every language."""

from __future__ import annotations

import re
import string
from importlib import resources

import pytest

from gitdeploy.web.ui.language import LANGUAGES, preferred, words

FIELD = string.Formatter()
TEMPLATES = resources.files("gitdeploy.web.ui").joinpath("templates")
KEY = re.compile(r"""\bt(?:\.count)?\(\s*["']([a-z_0-9.]+)["']\s*[,)]""")


def names(text: str) -> set[str]:
    return {name for _, name, _, _ in FIELD.parse(text) if name}


def base(key: str) -> str:
    return re.sub(r"\.(one|other)$", "", key)


def test_every_language_has_the_same_keys():
    english = {base(key) for key in words("en").texts}
    for language in LANGUAGES:
        assert {base(key) for key in words(language).texts} == english


@pytest.mark.parametrize("language", [one for one in LANGUAGES if one != "en"])
def test_a_text_fills_in_the_same_names_in_every_language(language):
    english = words("en").texts
    for key, text in words(language).texts.items():
        original = english.get(key, english.get(f"{base(key)}.other", ""))
        assert names(text) == names(original), key


def test_every_key_of_a_template_is_in_the_catalogue():
    known = words("en").texts
    for file in TEMPLATES.iterdir():
        if file.name.endswith(".html"):
            for key in KEY.findall(file.read_text("utf-8")):
                assert key in known or f"{key}.other" in known, (file.name, key)


def test_no_template_has_words_of_its_own():
    """Whatever a reader sees comes from the catalogue, but for names of programs and keys."""
    allowed = re.compile(r"gitdeploy|Ctrl K|UTC|cron|stdout|stderr|settings\.job|JSON|HTTP|URL")
    for file in TEMPLATES.iterdir():
        if not file.name.endswith(".html"):
            continue
        text = re.sub(
            r"\{#.*?#\}|\{%.*?%\}|\{\{.*?\}\}|<[^>]*>|&\w+;",
            " ",
            file.read_text("utf-8"),
            flags=re.S,
        )
        assert not re.findall(r"[A-Za-z가-힣]{3,}", allowed.sub("", text)), file.name


@pytest.mark.parametrize(
    ("header", "language"),
    [
        ("", "en"),
        ("ko", "ko"),
        ("ko-KR,ko;q=0.9,en;q=0.8", "ko"),
        ("de,en;q=0.5,ko;q=0.4", "en"),
        ("fr", "en"),
        ("en;q=0.1, ko;q=0.2", "ko"),
        ("ko;q=0", "en"),
        ("*;q=x,,;", "en"),
    ],
)
def test_the_browsers_language_is_taken_where_it_is_ours(header, language):
    assert preferred(header) == language
