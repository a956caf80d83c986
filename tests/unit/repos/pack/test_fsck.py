"""What fsck refuses and lets pass, held against `git index-pack --strict` object by object."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from gitdeploy.repos.pack import PackError
from tests.support import git_version
from tests.unit.repos.pack.conftest import Index, git_index
from tests.unit.repos.pack.corpus import (
    BLOB,
    COMMIT,
    FIRST,
    HELLO,
    HELLO_ID,
    ROOT,
    ROOT_ID,
    TAG,
    TREE,
    copy,
    delta,
    insert,
    oid,
    pack,
    record,
    ref_delta,
    tree,
)

FIRST_ID = oid(COMMIT, FIRST)
WHO = b"A U Thor <a@example.org> 1700000000 +0000"
HEX = ROOT_ID.hex().encode()


def blob(name: bytes, mode: bytes = b"100644") -> bytes:
    return tree((mode, name, HELLO_ID))


def ident(author: bytes, committer: bytes = WHO) -> bytes:
    return b"tree %s\nauthor %s\ncommitter %s\n\nx\n" % (HEX, author, committer)


def tagged(head: bytes, target: bytes = FIRST_ID) -> bytes:
    return b"object %s\n%s" % (target.hex().encode(), head)


REFUSED: dict[str, tuple[int, bytes]] = {
    "an empty name": (TREE, blob(b"")),
    "a slash": (TREE, blob(b"a/b")),
    "a dot": (TREE, blob(b".")),
    "two dots": (TREE, blob(b"..")),
    "two dots as a directory": (TREE, tree((b"40000", b"..", ROOT_ID))),
    ".git": (TREE, tree((b"40000", b".git", ROOT_ID))),
    ".git as a file": (TREE, blob(b".git")),
    ".GIT": (TREE, blob(b".GIT")),
    ".giT": (TREE, blob(b".giT")),
    "git~1": (TREE, blob(b"git~1")),
    "GIT~1": (TREE, blob(b"GIT~1")),
    ".git with dots behind": (TREE, blob(b".git...")),
    ".git with blanks behind": (TREE, blob(b".git . ")),
    ".git with a stream": (TREE, blob(b".git::$INDEX_ALLOCATION")),
    "git~1 with a stream": (TREE, blob(b"git~1:x")),
    ".git before a backslash": (TREE, blob(b".git\\config")),
    ".git behind a backslash": (TREE, blob(b"a\\.git")),
    "git~1 between backslashes": (TREE, blob(b"a\\git~1 .\\b")),
    ".git with a zero width joiner": (TREE, blob(b".g\xe2\x80\x8dit")),
    ".git with a byte order mark": (TREE, blob(b"\xef\xbb\xbf.git")),
    ".git with a left-to-right mark": (TREE, blob(b".gi\xe2\x80\x8et")),
    ".GIT with an inhibit symmetric swapping": (TREE, blob(b".GI\xe2\x81\xaaT")),
    "a padded mode": (TREE, blob(b"a", b"0100644")),
    "a padded directory": (TREE, tree((b"040000", b"a", ROOT_ID))),
    "an id of zeros": (TREE, tree((b"160000", b"a", bytes(20)))),
    "a name twice": (TREE, blob(b"a") + blob(b"a")),
    "file and directory": (TREE, blob(b"a") + tree((b"40000", b"a", ROOT_ID))),
    "file and directory, apart": (
        TREE,
        blob(b"a") + blob(b"a.c") + tree((b"40000", b"a", ROOT_ID)),
    ),
    "not sorted": (TREE, blob(b"b") + blob(b"a")),
    "a directory sorted as a file": (TREE, tree((b"40000", b"a", ROOT_ID)) + blob(b"a.c")),
    "a file sorted as a directory": (TREE, blob(b"a0") + blob(b"a")),
    "cut off in an id": (TREE, blob(b"a")[:-1]),
    "cut off in a name": (TREE, b"100644 a"),
    "a mode of letters": (TREE, blob(b"a", b"10o644")),
    "no mode": (TREE, blob(b"a", b"")),
    ".gitmodules as a link": (TREE, blob(b".gitmodules", b"120000")),
    ".gitmodules as a link, short": (TREE, blob(b"GITMOD~1", b"120000")),
    ".gitmodules as a link, hashed": (TREE, blob(b"gi7eba~1", b"120000")),
    ".gitmodules as a link, shorter hash": (TREE, blob(b"gi7eb~10", b"120000")),
    ".gitmodules as a link, ignorable": (TREE, blob(b".gitmod\xe2\x80\x8cules", b"120000")),
    ".gitmodules as a directory": (TREE, tree((b"40000", b".gitmodules", ROOT_ID))),
    "no tree": (COMMIT, b"author %s\ncommitter %s\n\nx\n" % (WHO, WHO)),
    "a short tree": (COMMIT, b"tree %s\nauthor %s\ncommitter %s\n\nx\n" % (HEX[:-1], WHO, WHO)),
    "a bad parent": (COMMIT, b"tree %s\nparent x\nauthor %s\n" % (HEX, WHO)),
    "no author": (COMMIT, b"tree %s\ncommitter %s\n\nx\n" % (HEX, WHO)),
    "two authors": (COMMIT, ident(WHO + b"\nauthor " + WHO)),
    "no committer": (COMMIT, b"tree %s\nauthor %s\n\nx\n" % (HEX, WHO)),
    "no name": (COMMIT, ident(b"<a@example.org> 1700000000 +0000")),
    "no email": (COMMIT, ident(b"A U Thor 1700000000 +0000")),
    "no space before email": (COMMIT, ident(b"A U Thor<a@example.org> 1700000000 +0000")),
    "a bad name": (COMMIT, ident(b"A > Thor <a@example.org> 1700000000 +0000")),
    "a bad email": (COMMIT, ident(b"A U Thor <a<b@example.org> 1700000000 +0000")),
    "an open email": (COMMIT, ident(b"A U Thor <a@example.org 1700000000 +0000")),
    "no space before date": (COMMIT, ident(b"A U Thor <a@example.org>1700000000 +0000")),
    "a padded date": (COMMIT, ident(b"A U Thor <a@example.org> 01700000000 +0000")),
    "a huge date": (COMMIT, ident(b"A U Thor <a@example.org> 18446744073709551616 +0000")),
    "a word for a date": (COMMIT, ident(b"A U Thor <a@example.org> today +0000")),
    "no date": (COMMIT, ident(b"A U Thor <a@example.org> ")),
    "no zone": (COMMIT, ident(b"A U Thor <a@example.org> 1700000000")),
    "a short zone": (COMMIT, ident(b"A U Thor <a@example.org> 1700000000 +000")),
    "a long zone": (COMMIT, ident(b"A U Thor <a@example.org> 1700000000 +00000")),
    "a zone without a sign": (COMMIT, ident(b"A U Thor <a@example.org> 1700000000 00000")),
    "a bad committer": (COMMIT, ident(WHO, b"A U Thor <a@example.org> x +0000")),
    "a NUL in the header": (COMMIT, ident(b"A \0 Thor <a@example.org> 1700000000 +0000")),
    "a NUL in the message": (COMMIT, ident(WHO) + b"a\0b\n"),
    "a header cut off": (COMMIT, ident(WHO)[: -len(b"\n\nx\n")]),
    "a tag without an object": (TAG, b"type commit\ntag a\n\nx\n"),
    "a tag with a bad object": (TAG, b"object abc\ntype commit\ntag a\n\nx\n"),
    "a tag without a type": (TAG, tagged(b"tag a\n\nx\n")),
    "a tag of an unknown type": (TAG, tagged(b"type thing\ntag a\n\nx\n")),
    "a tag without a tag line": (TAG, tagged(b"type commit\ntagger " + WHO + b"\n\nx\n")),
    "a tag with a bad tagger": (TAG, tagged(b"type commit\ntag a\ntagger x\n\nx\n")),
    "a tag with a NUL": (TAG, tagged(b"type commit\ntag a\0\ntagger " + WHO + b"\n\nx\n")),
    "a tag cut off": (TAG, tagged(b"type commit\ntag a")),
}

ACCEPTED: dict[str, tuple[int, bytes]] = {
    "no entries": (TREE, b""),
    "usual names": (TREE, blob(b".gitignore") + blob(b".gitkeep") + blob(b"a b")),
    "names that only begin so": (TREE, blob(b".git-blame") + blob(b".gitx") + blob(b"git~2")),
    "three dots": (TREE, blob(b"...")),
    "a tilde": (TREE, blob(b"a~") + blob(b"~")),
    "a backslash": (TREE, blob(b"a\\b")),
    "not UTF-8": (TREE, blob(b"\x80\xff")),
    "other ignorable-like bytes": (TREE, blob(b"\xe2\x82\xac") + blob(b"\xef\xbc\xa1")),
    ".gitmodules as a file": (TREE, blob(b".gitmodules")),
    ".gitattributes as a link": (TREE, blob(b".gitattributes", b"120000")),
    ".gitignore as a link": (TREE, blob(b".gitignore", b"120000")),
    "directory after its like": (
        TREE,
        blob(b"a.c") + tree((b"40000", b"a", ROOT_ID)) + blob(b"a0"),
    ),
    "a gitlink to nowhere": (TREE, tree((b"160000", b"sub", b"\x11" * 20))),
    "an executable and a link": (TREE, blob(b"a", b"100755") + blob(b"b", b"120000")),
    "group-writable": (TREE, blob(b"a", b"100664")),
    "no message": (COMMIT, b"tree %s\nauthor %s\ncommitter %s\n" % (HEX, WHO, WHO)),
    "more headers": (COMMIT, ident(WHO, WHO + b"\nencoding x\ngpgsig -----\n y")),
    "an empty name": (COMMIT, ident(b" <a@example.org> 1700000000 +0000")),
    "an empty email": (COMMIT, ident(b"A <> 0 -0000")),
    "not UTF-8 in a name": (COMMIT, ident(b"J\xf6rg <j@example.org> 1 +0000")),
    "a parent twice": (
        COMMIT,
        b"tree %s\nparent %s\nparent %s\nauthor %s\ncommitter %s\n\nx\n"
        % (HEX, FIRST_ID.hex().encode(), FIRST_ID.hex().encode(), WHO, WHO),
    ),
    "the last second": (COMMIT, ident(b"A <a> 9223372036854775807 +0000")),
    "an odd zone": (COMMIT, ident(b"A <a> 1 +9999")),
    "a tag without a tagger": (TAG, tagged(b"type commit\ntag a\n\nx\n")),
    "a tag with an odd name": (TAG, tagged(b"type commit\ntag a b\ntagger " + WHO + b"\n\nx\n")),
    "a tag of a tree": (TAG, tagged(b"type tree\ntag a\ntagger " + WHO + b"\n\nx\n", ROOT_ID)),
    "a tag without a message": (TAG, tagged(b"type commit\ntag a\ntagger " + WHO + b"\n")),
    "a tag with more headers": (
        TAG,
        tagged(b"type commit\ntag a\ntagger " + WHO + b"\nx y\n\nx\n"),
    ),
}


def around(kind: int, content: bytes) -> bytes:
    """A pack with the object and everything that it may refer to."""
    return pack(
        record(COMMIT, FIRST), record(TREE, ROOT), record(BLOB, HELLO), record(kind, content)
    )


@pytest.mark.parametrize("name", REFUSED)
def test_what_git_refuses_is_refused_with_its_message_id(
    name: str, index: Index, bare: Path
) -> None:
    kind, content = REFUSED[name]
    code, said = git_index(bare, around(kind, content), "--strict")
    assert code != 0
    with pytest.raises(PackError) as refused:
        index(around(kind, content))
    ours = re.match(rf"object {oid(kind, content).hex()}: (\w+): ", refused.value.reason)
    assert ours is not None, refused.value.reason
    ids = re.findall(r"^error: object [0-9a-f]{40}: (\w+): ", said, re.M)
    assert not ids or ours[1] in ids  # where git can't even parse it there is no id
    assert refused.value.fix


@pytest.mark.parametrize("name", ACCEPTED)
def test_what_git_accepts_is_accepted(name: str, index: Index, bare: Path) -> None:
    kind, content = ACCEPTED[name]
    code, said = git_index(bare, around(kind, content), "--strict")
    assert code == 0, said
    done = index(around(kind, content))
    assert done.read(oid(kind, content)) == (kind, content)


@pytest.mark.parametrize("mode", [b"100600", b"100777", b"40755", b"60000", b"1", b"7777777"])
def test_a_mode_that_git_does_not_know_is_refused(mode: bytes, index: Index) -> None:
    with pytest.raises(PackError, match="badFilemode"):
        index(around(TREE, blob(b"a", mode)))


def test_without_fsck_only_what_can_not_be_read_is_refused(index: Index) -> None:
    done = index(around(TREE, blob(b".git") + blob(b".")), fsck=False)
    assert done.count == 4
    with pytest.raises(PackError, match="badTree"):
        index(around(TREE, b"100644 a"), fsck=False)
    with pytest.raises(PackError, match="missingTree"):
        index(around(COMMIT, b"nothing\n"), fsck=False)


def test_what_the_repository_has_is_not_checked_again(index: Index) -> None:
    old = blob(b".git")
    new = blob(b".gix")
    bent = ref_delta(
        oid(TREE, old),
        delta(len(old), len(new), copy(0, 10), insert(b"x"), copy(11, len(old) - 11)),
    )
    done = index(pack(bent), find_base=lambda _: (TREE, old))
    assert list(done.new_oids) == [oid(TREE, new)]


SUBMODULES = {
    b'[submodule "a"]\n\tpath = a\n\turl = https://example.org/a.git\n': None,
    b'[submodule "a"]\n\tpath = a\n\turl = ../a.git\n': None,
    b'[submodule "a"]\n\turl = "-u./payload"\n': "gitmodulesUrl",
    b'[submodule "a"]\n\turl = -x\n': "gitmodulesUrl",
    b'[submodule "a"]\n\turl = "ht\\\n\ttp://example.org/%0ahost=x"\n': None,
    b'[submodule "a"]\n\turl = http://example.org/%0ahost=x\n': "gitmodulesUrl",
    b'[submodule "a"]\n\turl = git://example.org/%0ahost=x\n': "gitmodulesUrl",
    b'[submodule "a"]\n\turl = https:///example.org/x\n': "gitmodulesUrl",
    b'[submodule "a"]\n\turl = ../../../:x\n': "gitmodulesUrl",
    b'[submodule "a"]\n\turl = ./%0ax\n': "gitmodulesUrl",
    b'[submodule "a"]\n\tpath = "-x"\n': "gitmodulesPath",
    b'[submodule "a"]\n\tupdate = !rm -rf\n': "gitmodulesUpdate",
    b'[submodule "a"]\n\tupdate = checkout\n': None,
    b'[SUBMODULE "a"]\n\tUPDATE = !rm\n': "gitmodulesUpdate",
    b'[submodule "../a"]\n\tpath = a\n': "gitmodulesName",
    b'[submodule "a/.."]\n\tpath = a\n': "gitmodulesName",
    b'[submodule "a\\\\..\\\\b"]\n\tpath = a\n': "gitmodulesName",
    b'[submodule ""]\n\tpath = a\n': "gitmodulesName",
    b'[submodule "a..b"]\n\tpath = a\n': None,
    b'[submodule "a"] url = -x\n': "gitmodulesUrl",
    b'[submodule "a"]\n\tpath\n\turl = -x ; c\n': "gitmodulesUrl",
    b'# c\n; c\n[core]\n\turl = -x\n[submodule "a"]\n\tignore = all # c\n': None,
    b'[submodule "a"]\n\turl = ok\nthis is no configuration\n': None,
    b'[submodule "a"]\r\n\turl = -x\r\n': "gitmodulesUrl",
    b"no configuration": None,
    b"": None,
}


@pytest.mark.parametrize("content", SUBMODULES)
@pytest.mark.parametrize("blob_first", [False, True])
def test_gitmodules_are_judged_as_git_does(
    content: bytes, blob_first: bool, index: Index, bare: Path
) -> None:
    records = [
        record(TREE, tree((b"100644", b".gitmodules", oid(BLOB, content)))),
        record(BLOB, content),
    ]
    packed = pack(*(reversed(records) if blob_first else records))
    wanted = SUBMODULES[content]
    if wanted is None:
        index(packed)
    else:
        message = f"^The pack is refused: object {oid(BLOB, content).hex()}: {wanted}: "
        with pytest.raises(PackError, match=message):
            index(packed)
    if b"git://" in content and git_version() < (2, 30, 1):
        pytest.skip("git refuses newlines in git:// URLs since 2.30.1: nothing to compare with")
    code, said = git_index(bare, packed, "--strict")
    assert (code != 0) == (wanted is not None), said
    assert wanted is None or wanted in said


def test_a_byte_order_mark_does_not_hide_gitmodules(index: Index) -> None:
    """git reads past the mark in a work tree, though its own check of the blob doesn't."""
    content = b'\xef\xbb\xbf[submodule "a"]\n\turl = -x\n'
    entry = tree((b"100644", b".gitmodules", oid(BLOB, content)))
    with pytest.raises(PackError, match="gitmodulesUrl"):
        index(pack(record(TREE, entry), record(BLOB, content)))


def test_a_line_of_gitattributes_that_git_would_not_read_is_refused(
    index: Index, bare: Path
) -> None:
    for content, wrong in ((b"a" * 2048 + b" text\n", True), (b"a" * 2040 + b" text\n", False)):
        packed = pack(
            record(TREE, tree((b"100644", b".gitattributes", oid(BLOB, content)))),
            record(BLOB, content),
        )
        # git checks that since 2.39.1; where an older one got it too is not worth a table
        if git_version() >= (2, 39, 1):
            assert (git_index(bare, packed, "--strict")[0] != 0) == wrong
        if wrong:
            with pytest.raises(PackError, match="gitattributesLineLength"):
                index(packed)
        else:
            index(packed)
