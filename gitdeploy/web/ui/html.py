"""HTML from nested calls: what isn't `Safe` is escaped, so no text can become markup."""

from __future__ import annotations

from collections.abc import Iterable
from html import escape
from typing import Union

_VOID = frozenset({"input", "link", "meta", "br"})


class Safe(str):
    """Markup made here, not to be escaped again."""

    __slots__ = ()


Content = Union[str, None, Iterable["Content"]]  # noqa: UP007 — a string can't stand in |


def tag(name: str, /, *children: Content, **attributes: str | bool | None) -> Safe:
    """An element. An attribute's trailing underscore is dropped (`class_`), an inner one is `-`.

    None and False leave an attribute or a child away; True is an attribute without a value.
    """
    shown = "".join(_attribute(key, value) for key, value in attributes.items())
    if name in _VOID:
        return Safe(f"<{name}{shown}>")
    return Safe(f"<{name}{shown}>{join(children)}</{name}>")


def join(content: Content) -> Safe:
    """Content as markup."""
    if content is None:
        return Safe("")
    if isinstance(content, Safe):
        return content
    if isinstance(content, str):
        return Safe(escape(content))
    return Safe("".join(join(part) for part in content))


def table(headings: Iterable[str], rows: Iterable[Iterable[Content]], *, empty: str) -> Safe:
    """A table; the sentence `empty` where there are no rows."""
    body = [tag("tr", [tag("td", cell) for cell in row]) for row in rows]
    if not body:
        return tag("p", empty, class_="empty")
    head = tag("tr", [tag("th", text, scope="col") if text else tag("td") for text in headings])
    return tag("div", tag("table", tag("thead", head), tag("tbody", body)), class_="wide")


def link(address: str, text: Content) -> Safe:
    """A link to a page of ours."""
    return tag("a", text, href=address)


def _attribute(key: str, value: str | bool | None) -> str:
    if value is None or value is False:
        return ""
    name = key.rstrip("_").replace("_", "-")
    return f" {name}" if value is True else f' {name}="{escape(value)}"'
