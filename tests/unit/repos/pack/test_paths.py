"""Paths of a pack's trees: exact where it matters."""

from __future__ import annotations

import pytest

from gitdeploy.repos.pack import BLOB, TREE, PackError, PackLimits
from tests.unit.repos.pack.conftest import Index
from tests.unit.repos.pack.corpus import (
    HELLO,
    HELLO_ID,
    copy,
    delta,
    insert,
    ofs_delta,
    oid,
    pack,
    record,
    tree,
)


def nested(*names: bytes) -> list[bytes]:
    """Trees in one another, the innermost with a file of the last name; innermost first."""
    contents = [tree((b"100644", names[-1], HELLO_ID))]
    for name in reversed(names[:-1]):
        contents.append(tree((b"40000", name, oid(TREE, contents[-1]))))
    return contents


@pytest.mark.parametrize("order", [1, -1])
def test_the_longest_path_counts_to_the_byte(order: int, index: Index) -> None:
    trees = nested(b"one", b"three", b"f" * 30)
    length = len(b"one/three/") + 30
    content = pack(record(BLOB, HELLO), *(record(TREE, one) for one in trees[::order]))
    index(content, limits=PackLimits(max_path_length=length))
    with pytest.raises(
        PackError, match=f"a path of {length} bytes, more than max_path_length = {length - 1}"
    ):
        index(content, limits=PackLimits(max_path_length=length - 1))


def test_a_thousand_levels_are_counted_without_recursion(index: Index) -> None:
    trees = nested(*[b"d"] * 3000, b"f")
    content = pack(record(BLOB, HELLO), *(record(TREE, one) for one in trees))
    with pytest.raises(PackError, match="a path of 4097 bytes"):
        index(content)
    index(content, limits=PackLimits(max_path_length=6001))


def test_a_subtree_in_two_places_counts_where_it_lies_deeper(index: Index) -> None:
    leaf = tree((b"100644", b"file", HELLO_ID))
    middle = tree((b"40000", b"m" * 20, oid(TREE, leaf)))
    root = tree((b"40000", b"a", oid(TREE, leaf)), (b"40000", b"b", oid(TREE, middle)))
    content = pack(
        record(BLOB, HELLO), record(TREE, root), record(TREE, middle), record(TREE, leaf)
    )
    longest = len("b/") + 21 + 4
    index(content, limits=PackLimits(max_path_length=longest))
    with pytest.raises(PackError, match="max_path_length"):
        index(content, limits=PackLimits(max_path_length=longest - 1))


def test_names_that_a_delta_left_out_do_not_count(index: Index) -> None:
    """The bound that a derived tree inherits is too high here: the exact length decides."""
    long = tree((b"100644", b"a", HELLO_ID), (b"100644", b"l" * 50, HELLO_ID))
    short = tree((b"100644", b"a", HELLO_ID), (b"100644", b"m", HELLO_ID))
    head = len(tree((b"100644", b"a", HELLO_ID)))
    tail = tree((b"100644", b"m", HELLO_ID))
    change = delta(len(long), len(short), copy(0, head), insert(tail))
    outer = tree((b"40000", b"o" * 10, oid(TREE, short)))
    packed_long = record(TREE, long)
    content = pack(
        record(BLOB, HELLO), packed_long, ofs_delta(len(packed_long), change), record(TREE, outer)
    )
    index(content, limits=PackLimits(max_path_length=50))


def test_a_tree_that_derives_from_its_own_parent_is_no_circle(index: Index) -> None:
    inner = tree((b"100644", b"a", HELLO_ID), (b"100644", b"b", HELLO_ID))
    outer = tree((b"100644", b"a", HELLO_ID), (b"40000", b"d", oid(TREE, inner)))
    head = len(tree((b"100644", b"a", HELLO_ID)))
    change = delta(len(outer), len(inner), copy(0, head), insert(tree((b"100644", b"b", HELLO_ID))))
    packed_outer = record(TREE, outer)
    content = pack(record(BLOB, HELLO), packed_outer, ofs_delta(len(packed_outer), change))
    index(content, limits=PackLimits(max_path_length=3))
    with pytest.raises(PackError, match="a path of 3 bytes"):
        index(content, limits=PackLimits(max_path_length=2))
