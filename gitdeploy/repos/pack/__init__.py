"""Receiving a pack: checked, hashed and indexed while its bytes arrive.

In come the bytes of a pack in pieces, limits, and a way to ask for objects of the repository that
a thin pack leaves out; out come the pack and its index on disk, the ids of the new objects, and
the objects that they refer to but don't bring (`IndexedPack`). Nothing holds a whole pack or a
large object in memory, nothing is forked, nothing here knows of HTTP, refs or repositories.
"""

from gitdeploy.repos.pack.indexed import IndexedPack
from gitdeploy.repos.pack.indexer import FindBase, PackIndexer
from gitdeploy.repos.pack.limits import BLOB, COMMIT, TAG, TREE, PackError, PackLimits
from gitdeploy.repos.pack.links import MissingLinks

__all__ = [
    "BLOB",
    "COMMIT",
    "TAG",
    "TREE",
    "FindBase",
    "IndexedPack",
    "MissingLinks",
    "PackError",
    "PackIndexer",
    "PackLimits",
]
