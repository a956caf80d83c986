from pathlib import Path

import pytest

from gitdeploy.errors import Invalid
from gitdeploy.repos.lsrefs import NOTHING, Listing, Listings, advertisement, ls_refs
from gitdeploy.repos.pktline import Special, parse

A, B, C = "a" * 40, "b" * 40, "c" * 40


def lines(data: bytes) -> list[str]:
    return [p.decode() if isinstance(p, bytes) else p.name for p in parse(data)]


@pytest.fixture
def listing() -> Listing:
    refs = (("refs/heads/main", A), ("refs/heads/side", B), ("refs/tags/v1", C))
    return Listing(refs, {C: A}, A, "refs/heads/main", "x")


def test_ls_refs_tells_symrefs_and_what_tags_lead_to(listing: Listing) -> None:
    assert lines(ls_refs(listing, [b"peel\n", b"symrefs"])) == [
        f"{A} HEAD symref-target:refs/heads/main\n",
        f"{A} refs/heads/main\n",
        f"{B} refs/heads/side\n",
        f"{C} refs/tags/v1 peeled:{A}\n",
        "FLUSH",
    ]


def test_ls_refs_keeps_to_the_prefixes(listing: Listing) -> None:
    found = lines(ls_refs(listing, [b"ref-prefix refs/heads/m", b"ref-prefix refs/tags/"]))
    assert found == [f"{A} refs/heads/main\n", f"{C} refs/tags/v1\n", "FLUSH"]
    assert lines(ls_refs(listing, [b"ref-prefix HEAD"])) == [f"{A} HEAD\n", "FLUSH"]


def test_too_many_prefixes_are_none(listing: Listing) -> None:
    many = [b"ref-prefix refs/none/%d" % n for n in range(65_537)]
    assert len(lines(ls_refs(listing, many))) == 5


def test_the_branch_of_an_empty_repository_is_told_as_unborn() -> None:
    empty = Listing((), {}, None, "refs/heads/trunk", "x")
    asked = [b"symrefs", b"unborn"]
    assert lines(ls_refs(empty, asked)) == [
        "unborn HEAD symref-target:refs/heads/trunk\n",
        "FLUSH",
    ]
    assert lines(ls_refs(empty, [b"symrefs"])) == ["FLUSH"]


def test_an_unknown_argument_is_refused(listing: Listing) -> None:
    with pytest.raises(Invalid, match="delete-all"):
        ls_refs(listing, [b"delete-all"])


def test_protocol_0_puts_capabilities_behind_the_first_ref(listing: Listing) -> None:
    told = advertisement(listing, "one two=3", head_and_peeled=True, version=0)
    assert lines(told) == [
        f"{A} HEAD\0one two=3\n",
        f"{A} refs/heads/main\n",
        f"{B} refs/heads/side\n",
        f"{C} refs/tags/v1\n",
        f"{A} refs/tags/v1^{{}}\n",
        "FLUSH",
    ]


def test_protocol_1_says_its_number_first_and_a_push_sees_neither_head_nor_peeled(
    listing: Listing,
) -> None:
    told = lines(advertisement(listing, "x", head_and_peeled=False, version=1))
    assert told[:2] == ["version 1\n", f"{A} refs/heads/main\0x\n"]
    assert len(told) == 5


def test_an_empty_repository_has_a_line_for_its_capabilities() -> None:
    told = lines(advertisement(NOTHING, "x y", head_and_peeled=True, version=0))
    assert told == [f"{'0' * 40} capabilities^{{}}\0x y\n", Special.FLUSH.name]


def test_a_listing_is_made_anew_only_when_something_moved(tmp_path: Path) -> None:
    (tmp_path / "HEAD").write_text("ref: refs/heads/main\n")
    refs = {"refs/heads/main": A, "refs/gitdeploy/keep": B, "refs/tags/v1": C}
    peeled: list[str] = []

    def peel(oid: str) -> str | None:
        peeled.append(oid)
        return A if oid == C else None

    listings = Listings(tmp_path, lambda: dict(refs), peel)
    first = listings.get()
    assert first.refs == (("refs/heads/main", A), ("refs/tags/v1", C))
    assert first.peeled == {C: A}
    assert first.head == A
    assert listings.get() is first
    assert len(peeled) == 2
    refs["refs/heads/main"] = B
    second = listings.get()
    assert (second.head, second.fingerprint != first.fingerprint) == (B, True)
    (tmp_path / "HEAD").write_text("ref: refs/heads/other\n")
    third = listings.get()
    assert (third.head, third.head_target) == (None, "refs/heads/other")
    assert third.fingerprint != second.fingerprint
    (tmp_path / "HEAD").write_text(C + "\n")
    assert (listings.get().head, listings.get().head_target) == (C, None)
