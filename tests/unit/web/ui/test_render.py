"""Pages as they are sent."""

from __future__ import annotations

import gzip

from gitdeploy.web.ui.render import packed


def test_the_length_of_a_page_tells_nothing_of_what_repeats_in_it():
    page = b"<p>the same</p>" * 200
    sent = [packed(page) for _ in range(40)]
    assert {gzip.decompress(each) for each in sent} == {page}
    assert len({len(each) for each in sent}) > 5
