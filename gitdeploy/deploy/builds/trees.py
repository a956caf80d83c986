"""Trees of packages that releases share: node_modules and vendor, one a hash of their inputs.

`modules/{key}` is made from what the first build installed and never changed after; a later
release with the same key gets its own tree of it without installing anything. Builds can't write
there in a sandbox, unlike to their HOME. A tree that no release took for `cache_days` goes.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import uuid
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import msgspec

from gitdeploy.deploy.builds.lock import locked
from gitdeploy.deploy.builds.sharing import share_tree
from gitdeploy.deploy.context import Context
from gitdeploy.deploy.releases import UNFINISHED
from gitdeploy.repos.threads import in_thread


def tree_key(
    kind: str,
    arguments: Sequence[str],
    tools: str,
    variables: Mapping[str, str],
    inputs: Iterable[tuple[str, bytes]],
) -> str:
    """The name of a tree: a hash of all that decides what is in it.

    `tools` are the programs (program.fingerprint), `variables` those that steer them, `inputs`
    the names and contents of the files that they read.
    """
    files = [(name, hashlib.sha256(data).hexdigest()) for name, data in inputs]
    parts = (kind, list(arguments), tools, sorted(variables.items()), sorted(files))
    return hashlib.sha256(msgspec.json.encode(parts)).hexdigest()[:32]


@dataclass(frozen=True, slots=True)
class Trees:
    """The shared trees of an app during one build; `linked` as `share_tree` has it."""

    ctx: Context
    linked: bool

    @asynccontextmanager
    async def locked(self) -> AsyncIterator[Trees]:
        """Only one build at a time looks, installs and keeps."""
        async with locked(self.ctx.paths.modules, self.ctx.tools.clock):
            yield self

    async def take(self, key: str, target: Path) -> bool:
        """Give the release its tree; False where there is none yet, or all is to be built anew."""
        tree = self.ctx.paths.modules / key
        if self.ctx.clean or not tree.is_dir():
            return False
        os.utime(tree)
        await in_thread(lambda: share_tree(tree, target, linked=self.linked, kept=False))
        return True

    async def keep(self, key: str, source: Path) -> None:
        """Keep what was installed for later releases, whole or not at all.

        A release needs nothing of that: where it can't be kept, that is told.
        """
        if not source.is_dir():
            return
        tree = self.ctx.paths.modules / key
        new = tree.with_name(f"{uuid.uuid4().hex}{UNFINISHED}")
        try:
            await in_thread(lambda: self._replace(source, new, tree))
        except OSError as error:
            reason = error.strerror or str(error.errno)
            self.ctx.warn(f"{source.name} can't be kept for later releases: {reason}.")
        finally:
            await in_thread(lambda: shutil.rmtree(new, ignore_errors=True))

    def _replace(self, source: Path, new: Path, tree: Path) -> None:
        share_tree(source, new, linked=self.linked, kept=True)
        if tree.is_dir():
            shutil.rmtree(tree)
        new.rename(tree)
        os.utime(tree)
