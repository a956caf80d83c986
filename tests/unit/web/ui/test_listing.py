"""A directory as pages of a table."""

from __future__ import annotations

from gitdeploy.web.files import DIRECTORY, LINK, Listed
from gitdeploy.web.ui.listing import PAGE, listing

ENTRIES = [
    Listed("b.txt", 10, 3, "text/plain"),
    Listed("Zoo", 0, 9, DIRECTORY),
    Listed("a.txt", 30, 1, "text/plain"),
    Listed("link", 0, 2, LINK),
    Listed("back\\slash", 5, 4, "text/plain"),
]


def names(**asked):
    given = {"find": "", "sort": "name", "number": 1, **asked}
    return [row.name for row in listing(ENTRIES, **given).rows]


def test_directories_stand_first_whatever_the_order():
    assert names() == ["Zoo", "a.txt", "b.txt", "back\\slash", "link"]
    assert names(sort="-name") == ["Zoo", "link", "back\\slash", "b.txt", "a.txt"]
    assert names(sort="-size")[:3] == ["Zoo", "a.txt", "b.txt"]
    assert names(sort="modified")[1:3] == ["a.txt", "link"]


def test_a_part_of_a_name_is_found_in_any_case():
    assert names(find="ZO") == ["Zoo"]
    assert names(find="nothing") == []


def test_what_no_path_can_name_has_no_address():
    rows = {row.name: row for row in listing(ENTRIES, find="", sort="name", number=1).rows}
    assert not rows["link"].addressable
    assert not rows["back\\slash"].addressable
    assert rows["a.txt"].addressable


def test_a_page_that_isnt_there_is_the_last_one():
    many = [Listed(f"{n:04}", 1, 1, "text/plain") for n in range(PAGE + 1)]
    assert len(listing(many, find="", sort="name", number=1).rows) == PAGE
    last = listing(many, find="", sort="name", number=99)
    assert [row.name for row in last.rows] == [f"{PAGE:04}"]
    assert (last.number, last.last, last.found) == (2, 2, PAGE + 1)
    assert listing([], find="", sort="name", number=0).number == 1
