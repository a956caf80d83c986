"""What a release is written from: a commit's tree, or something that needs no commit (content.py)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple, Protocol

from gitdeploy.archives import ZipLimits
from gitdeploy.deploy.tree import Blobs, Manifest, Written, write_tree
from gitdeploy.repos import CommitInfo


class Base(NamedTuple):
    """The release that is active when a source is written; `manifest` is all of it."""

    root: Path
    manifest: Manifest
    project: str
    environment: str | None
    job_environments: Mapping[str, str] = {}


class Source(Protocol):
    """Where the files of a new release come from.

    `name` is what the pusher's messages call it. `partial` says that it is a change of the active
    release: what isn't named stays, as it was built. `built` says that it comes built, so that a
    build has to be asked for.
    """

    @property
    def name(self) -> str: ...
    @property
    def partial(self) -> bool: ...
    @property
    def built(self) -> bool: ...

    def write(self, root: Path, base: Base | None, limits: ZipLimits) -> Written:
        """Create `root` with the release's files; blocks.

        `base` is None before the first deployment. Raises a GitdeployError naming what is wrong,
        OSError where the disk doesn't take it; the caller removes what was begun.
        """
        ...

    def close(self) -> None:
        """Let go what was kept for `write`; called once, whether or not it was written."""
        ...


@dataclass(frozen=True, slots=True)
class CommitSource:
    """The tree of a commit."""

    repository: Blobs
    commit: CommitInfo

    @property
    def name(self) -> str:
        return f"commit {self.commit.id[:10]}"

    @property
    def partial(self) -> bool:
        return False

    @property
    def built(self) -> bool:
        return False

    def write(self, root: Path, base: Base | None, limits: ZipLimits) -> Written:
        return write_tree(self.repository, self.commit.tree, root, commit=self.commit.id)

    def close(self) -> None:
        """Nothing was kept."""
