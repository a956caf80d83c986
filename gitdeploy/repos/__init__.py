"""Bare git repositories: what a push brings is verified in quarantine, then refs move.

What comes in: the bytes of git's wire protocol, from `web`. What goes out: answers in the same
protocol, a `Push` for the pipeline, and a `Repository` from which the pipeline reads commits.
"""

from gitdeploy.repos.fetch import FetchError, FetchResult, Reach, fetch
from gitdeploy.repos.receive import receive_pack
from gitdeploy.repos.repositories import Repositories
from gitdeploy.repos.repository import Repository
from gitdeploy.repos.serve import advertise, protocol_version, upload_pack
from gitdeploy.repos.setaside import DELETED, set_aside
from gitdeploy.repos.types import (
    HIDDEN,
    ZERO,
    Caller,
    CommitInfo,
    PostReceive,
    Push,
    RefUpdate,
    RepositoryError,
    TreeEntry,
)
from gitdeploy.repos.upkeep import Upkeep

__all__ = [
    "DELETED",
    "HIDDEN",
    "ZERO",
    "Caller",
    "CommitInfo",
    "FetchError",
    "FetchResult",
    "PostReceive",
    "Push",
    "Reach",
    "RefUpdate",
    "Repositories",
    "Repository",
    "RepositoryError",
    "TreeEntry",
    "Upkeep",
    "advertise",
    "fetch",
    "protocol_version",
    "receive_pack",
    "set_aside",
    "upload_pack",
]
