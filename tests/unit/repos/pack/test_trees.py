"""A tree read by its difference from another is read as if it were read whole."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from gitdeploy.repos.pack.delta import apply_with_ops, delta_sizes
from gitdeploy.repos.pack.idents import Broken
from gitdeploy.repos.pack.trees import TreeReading, entry_starts, read_derived, read_tree
from tests.unit.repos.pack.corpus import copy, delta, insert, tree

Entry = tuple[bytes, bytes, bytes]
_MODES = st.sampled_from([b"100644", b"40000", b"100755", b"120000", b"160000"])
# Few names, so that they clash; ids whose bytes look like entries.
_NAMES = st.one_of(
    st.text("ab.-0", min_size=1, max_size=4).map(str.encode),
    st.sampled_from([b".git", b"git~1", b".gitignore", b".gitmodules", b"a\\b", b"caf\xc3\xa9"]),
)
_IDS = st.sampled_from(
    [b"\x11" * 20, b"100644 a\0" + b"x" * 11, b"a\x00100644 a\0" + b"y" * 9, b"\0" * 19 + b"1"]
)
_ENTRIES = st.lists(st.tuples(_MODES, _NAMES, _IDS), max_size=12)


def key(entry: Entry) -> bytes:
    return entry[1] + b"/" if entry[0] == b"40000" else entry[1]


def checked(content: bytes) -> TreeReading | str:
    try:
        return read_tree(content, fsck=True)
    except Broken as error:
        return str(error).partition(":")[0]


@st.composite
def valid_trees(draw: st.DrawFn) -> bytes:
    by_name = {name: (mode, name, oid) for mode, name, oid in draw(_ENTRIES)}
    kept = [entry for entry in by_name.values() if isinstance(checked(tree(entry)), TreeReading)]
    return tree(*sorted(kept, key=key))


@st.composite
def derived(draw: st.DrawFn) -> tuple[bytes, bytes]:
    """A valid tree and a delta on it: changed entries, or instructions at any place."""
    base = draw(valid_trees())
    if draw(st.booleans()):
        parts, size = [], 0
        for _ in range(draw(st.integers(1, 5))):
            if base and draw(st.booleans()):
                starts = entry_starts(base)
                edges = st.one_of(st.sampled_from(starts), st.integers(0, len(base)))
                low, high = sorted((draw(edges), draw(edges)))
                if low == high:
                    continue
                parts.append(copy(low, high - low))
                size += high - low
            else:
                data = draw(st.one_of(_ENTRIES.map(lambda e: tree(*e[:2])), st.binary(max_size=9)))
                parts.append(insert(data))
                size += len(data)
        return base, delta(len(base), size, *parts)
    changed = tree(*draw(_ENTRIES.map(lambda entries: sorted(entries, key=key))))
    low = next((n for n, (a, b) in enumerate(zip(base, changed, strict=False)) if a != b), 0)
    parts = ([copy(0, low)] if low else []) + [insert(changed[low:])]
    return base, delta(len(base), len(changed), *parts)


@given(derived())
@settings(deadline=None, max_examples=1500)
def test_a_derived_tree_is_judged_like_a_whole_one(case: tuple[bytes, bytes]) -> None:
    base, change = case
    _, size, at = delta_sizes(change)
    content, ops = apply_with_ops(base, change, at, size)
    whole = checked(content)
    known = {(mode, name, oid) for mode, name, oid in read_tree(base, fsck=True).entries}
    reading = read_derived(base, entry_starts(base), ops, content, fsck=True)
    if reading is None:
        return
    assert isinstance(whole, TreeReading), whole
    assert set(reading.entries) <= set(whole.entries) <= set(reading.entries) | known
    assert reading.starts == entry_starts(content)
    assert {
        oid: name for oid, name in whole.special.items() if oid in reading.special
    } == reading.special


def test_a_changed_entry_is_all_that_is_read() -> None:
    entries = [(b"100644", b"f%03d" % n, bytes([n]) * 20) for n in range(1, 200)]
    base = tree(*entries)
    entries[70] = (b"100644", b"f071", b"\xaa" * 20)
    content = tree(*entries)
    start = entry_starts(base)[70]
    change = delta(
        len(base),
        len(base),
        copy(0, start + 12),
        insert(b"\xaa" * 20),
        copy(start + 32, len(base) - start - 32),
    )
    _, size, at = delta_sizes(change)
    made, ops = apply_with_ops(base, change, at, size)
    assert made == content
    reading = read_derived(base, entry_starts(base), ops, content, fsck=True)
    assert reading is not None
    assert reading.entries == [entries[70]]


def test_a_file_beside_a_directory_of_its_name_is_found_however_far_apart() -> None:
    base = tree((b"100644", b"a", b"\x01" * 20), (b"100644", b"a.b", b"\x02" * 20))
    added = tree((b"40000", b"a", b"\x03" * 20))
    change = delta(len(base), len(base) + len(added), copy(0, len(base)), insert(added))
    _, size, at = delta_sizes(change)
    content, ops = apply_with_ops(base, change, at, size)
    assert read_derived(base, entry_starts(base), ops, content, fsck=True) is None
    assert checked(content) == "duplicateEntries"
