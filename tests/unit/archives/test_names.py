"""Names of a zip's entries: one spelling, nothing outside, nothing that can't be kept apart."""

from __future__ import annotations

import os

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gitdeploy.archives import ArchiveError
from gitdeploy.archives.names import Names, clean, spells_git
from gitdeploy.deploy.paths import is_dot_git
from tests.unit.archives.crafted import Item, build, files, unpacked

PARTS = st.sampled_from(
    ["a", "A", "b.py", "..", ".", "", " ", "...", ".git", ".GIT ", "git~1", "C:", "ü", "u\u0308",
     "x\0y", "\n", "ß", "ss", "\u200c.git", ".gitignore", "con", "a" * 256]
)  # fmt: skip
NAMES = st.one_of(
    st.text(max_size=40),
    st.builds(
        lambda parts, marks: "".join(p + m for p, m in zip(parts, marks, strict=False)),
        st.lists(PARTS, max_size=6),
        st.lists(st.sampled_from(["/", "\\", "//", ""]), min_size=6, max_size=6),
    ),
)


@pytest.mark.parametrize(
    ("name", "path", "folder"),
    [
        ("run.py", "run.py", False),
        ("lib/a.py", "lib/a.py", False),
        ("lib\\sub\\a.py", "lib/sub/a.py", False),
        ("lib\\sub\\", "lib/sub", True),
        ("./run.py", "run.py", False),
        ("a//./b", "a/b", False),
        ("./", "", True),
        ("u\u0308.txt", "\u00fc.txt", False),
        (".gitignore", ".gitignore", False),
        ("a..b", "a..b", False),
        ("..a", "..a", False),
        ("한국어/작업.py", "한국어/작업.py", False),
        ("a b; rm -rf $HOME", "a b; rm -rf $HOME", False),
        ("-rf", "-rf", False),
        ("12:30.log", "12:30.log", False),
    ],
)
def test_a_name_of_any_system_becomes_one_plain_path(name, path, folder):
    assert clean(name, root_length=10) == (path, folder)


@given(NAMES)
@settings(deadline=None, max_examples=500)
def test_a_clean_name_is_below_the_root_and_stays_as_it_is(name):
    try:
        path, _ = clean(name, root_length=10)
    except ArchiveError as error:
        assert error.what.isprintable()
        assert error.fix
        return
    assert not path.startswith("/")
    assert os.path.normpath("/root/" + path).startswith("/root")
    assert not {"..", "."} & set(path.split("/"))
    assert "\\" not in path
    assert "\0" not in path
    assert not any(spells_git(part) for part in path.split("/"))
    assert clean(path, root_length=10) == (path, not path)


@given(st.one_of(NAMES, st.from_regex(r"(?i)(\.git|git~1|\.g.it)[ .:]*.?", fullmatch=True)))
@settings(deadline=None, max_examples=500)
def test_zips_and_pushes_agree_on_what_spells_git(name):
    part = name.replace("\\", "").replace("/", "")
    assert spells_git(part) == is_dot_git(part.encode("utf-8", "surrogatepass"))


@given(st.lists(NAMES.map(lambda name: name.encode("utf-8", "replace")), max_size=8), st.data())
@settings(deadline=None, max_examples=150)
def test_a_zip_of_any_names_is_written_whole_below_its_target_or_not_at_all(
    tmp_path_factory, names, data
):
    root = tmp_path_factory.mktemp("zip")
    flags = data.draw(st.sampled_from([0, 1 << 11]))
    zipped = build(*[Item(name, str(n).encode(), flags=flags) for n, name in enumerate(names)])
    try:
        extracted = unpacked(zipped, root / "target")
    except ArchiveError:
        assert os.listdir(root) == []
        return
    assert os.listdir(root) == ["target"]
    written = files(root / "target")
    assert set(written) == set(extracted.manifest)
    assert sorted(written.values()) == sorted(str(n).encode() for n in range(len(names)))


def test_names_are_counted_once_each():
    names = Names()
    names.take_file("a/b/c")
    names.take_folder("a/b")
    names.take_file("a/d")
    names.take_folder("")
    assert len(names) == 4


def test_a_path_has_room_for_its_root():
    clean("/".join(["d" * 99] * 40), root_length=95)  # 95 + 1 + 3999 + the NUL
    with pytest.raises(ArchiveError, match="too long"):
        clean("/".join(["d" * 99] * 40), root_length=97)
