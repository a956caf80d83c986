"""Markup from calls."""

from __future__ import annotations

from html.parser import HTMLParser

from hypothesis import given, settings
from hypothesis import strategies as st

from gitdeploy.web.ui.html import Safe, join, table, tag
from gitdeploy.web.ui.session import local_target


class Seen(HTMLParser):
    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.text += data


@given(st.text(max_size=60).map(lambda t: t.replace("\r", "").replace("\0", "")))
@settings(deadline=None, max_examples=300)
def test_text_stays_text_and_a_value_stays_a_value(text: str) -> None:
    seen = Seen(tag("p", text, title=text))
    assert seen.tags == [("p", {"title": text})]
    assert seen.text == text


def test_attributes_and_children_may_be_left_away() -> None:
    assert tag("input", name="x", required=True, value=None) == '<input name="x" required>'
    assert tag("p", None, "a", [tag("b", "<")], class_="c") == '<p class="c">a<b>&lt;</b></p>'
    assert join([Safe("<i>"), "<i>"]) == "<i>&lt;i&gt;"


def test_an_empty_table_is_a_sentence() -> None:
    assert table(("A",), [], empty="None yet.") == '<p class="empty">None yet.</p>'


@given(st.text(max_size=40))
@settings(deadline=None, max_examples=300)
def test_where_one_goes_after_signing_in_is_always_a_page_of_ours(text: str) -> None:
    for candidate in (text, "/ui/" + text, "//" + text, "http:" + text, "/ui/../" + text):
        target = local_target(candidate)
        assert target.startswith("/ui/")
        assert not set(target) & set("\\\r\n\0")
        assert "//" not in target.partition("?")[0]
