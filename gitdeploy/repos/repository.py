"""One bare repository: what the pipeline and the protocol read from it."""

from __future__ import annotations

import asyncio
import os
import re
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

from dulwich.objects import Commit, parse_tree

from gitdeploy.errors import Invalid, NotFound
from gitdeploy.events import Log
from gitdeploy.repos.cache import Answers
from gitdeploy.repos.hooks import Hooks
from gitdeploy.repos.limits import Limits
from gitdeploy.repos.lsrefs import Listings
from gitdeploy.repos.objects import BLOB, COMMIT, TAG, TREE, TYPES, Objects
from gitdeploy.repos.refs import Refs
from gitdeploy.repos.tasks import Tasks
from gitdeploy.repos.types import HIDDEN, CommitInfo, RepositoryError, TreeEntry

GITLINK = 0o160000
_DIRECTORY = 0o040000
_MAX_DEPTH = 256
_HEX = re.compile(r"[0-9a-f]{4,40}")


class Repository:
    """A bare repository on disk. Every method is synchronous and may be called from any thread.

    `lock` is held by whoever moves refs; `tasks` owns what goes on after a client left. While
    upkeep prunes, `may_check` is clear; `checking` counts the pushes that are being received.
    """

    def __init__(
        self,
        app: str,
        path: Path,
        *,
        limits: Limits,
        server_hooks: Path,
        answers: Answers,
        log: Log,
    ) -> None:
        self.app = app
        self.path = path
        self.limits = limits
        self.hooks = Hooks(path, server_hooks)
        self.answers = answers
        self.log = log.bind(app=app)
        self.closed = False
        """The app is being deleted: pushes that have not moved a ref yet are refused."""
        self.lock = asyncio.Lock()
        self.may_check = asyncio.Event()
        self.may_check.set()
        self.checking = 0
        self.objects = Objects(path / "objects")
        self.ref_store = Refs(path)
        self.tasks = Tasks()
        self._peeled: dict[str, str | None] = {}
        self.listings = Listings(path, self.ref_store.all, self.peel)

    def refs(self) -> dict[str, str]:
        """Every ref by its full name with its object id (40 hex digits), sorted; no symrefs."""
        return dict(self.ref_store.all())

    def visible_refs(self) -> Mapping[str, str]:
        """The refs that clients may see: all but `refs/gitdeploy/`."""
        refs = self.ref_store.all()
        return {ref: oid for ref, oid in refs.items() if not ref.startswith(HIDDEN)}

    def branch_tip(self, branch: str) -> str | None:
        """The commit a branch stands at, None where there is no such branch."""
        return self.ref_store.all().get(f"refs/heads/{branch}")

    @asynccontextmanager
    async def receiving(self) -> AsyncIterator[None]:
        """A push is checked against what is stored, of which nothing is pruned meanwhile."""
        await self.may_check.wait()
        self.checking += 1
        try:
            yield
        finally:
            self.checking -= 1

    def head(self) -> str | None:
        """The ref HEAD stands for (it may not exist yet), None where HEAD is detached."""
        return self.ref_store.head()

    def set_head(self, branch: str) -> None:
        """Let HEAD stand for a branch, which need not exist."""
        self.ref_store.set_head(f"refs/heads/{branch}")

    def has_commit(self, commit: str) -> bool:
        """Whether this id (40 hex digits) is a stored commit."""
        header = self.objects.header(bytes.fromhex(commit))
        return header is not None and header[0] == COMMIT

    def peel(self, oid: str) -> str | None:
        """What a tag object leads to in the end; None where `oid` isn't a tag or is missing."""
        if oid in self._peeled:
            return self._peeled[oid]
        target: str | None = None
        at = bytes.fromhex(oid)
        header = self.objects.header(at)
        if header is None:
            return None  # not remembered: it may arrive
        while header is not None and header[0] == TAG:
            found = self.objects.read(at)
            if found is None:
                break
            target = _tag_target(found[1])
            at = bytes.fromhex(target)
            header = self.objects.header(at)
        if len(self._peeled) > 100_000:
            self._peeled.clear()
        self._peeled[oid] = target
        return target

    def reachable(self) -> frozenset[bytes]:
        """What refs stand at, and what the tags among it lead to; the ids as bytes."""
        refs, packed = self.ref_store.all(), self.ref_store.packed()
        found = set(refs.values())
        for ref, oid in refs.items():
            if packed.complete and packed.refs.get(ref) == oid:
                target = packed.peeled.get(ref)
            else:
                target = self.peel(oid) if ref.startswith("refs/tags/") else None
            if target is not None:
                found.add(target)
        return frozenset(map(bytes.fromhex, found))

    def resolve(self, revision: str) -> str:
        """The commit that an id, a unique abbreviation of one, a branch or a tag stands for.

        Raises NotFound, or Invalid where an abbreviation fits several commits.
        """
        if len(revision) == 40 and _HEX.fullmatch(revision):
            return self._commit_of(revision, revision)
        refs = self.ref_store.all()
        for prefix in ("", "refs/", "refs/tags/", "refs/heads/"):
            oid = refs.get(prefix + revision)
            if oid is not None:
                return self._commit_of(oid, revision)
        if revision == "HEAD":
            head = self.head()
            if head is not None and head in refs:
                return self._commit_of(refs[head], revision)
        if _HEX.fullmatch(revision):
            names = sorted(self.objects.with_prefix(revision))
            commits = [name for name in names if self.has_commit(name)]
            if len(commits) > 1:
                raise Invalid(
                    f"{revision} is the beginning of {len(commits)} commits.", "Give more digits."
                )
            if commits:
                return commits[0]
        raise NotFound(f"{self.app} has no commit, branch or tag {revision!r}.")

    def commit_info(self, commit: str) -> CommitInfo:
        """What a commit says. Raises NotFound where there is no such commit."""
        data = self._typed(commit, COMMIT)
        parsed = Commit.from_string(data)
        message = parsed.message.decode(_encoding(parsed), "replace")
        author, email = _identity(parsed.author)
        return CommitInfo(
            id=commit,
            tree=parsed.tree.decode("ascii"),
            parents=tuple(parent.decode("ascii") for parent in parsed.parents),
            author=author,
            author_email=email,
            subject=_subject(message),
            message=message,
            time=int(parsed.commit_time) * 1_000_000,
        )

    def walk_tree(self, tree: str) -> Iterator[TreeEntry]:
        """Every file, symbolic link and gitlink below a tree, in git's order, paths from it."""
        # an explicit stack: a deep tree must not meet the interpreter's recursion limit
        stack = [(b"", self._entries(tree))]
        while stack:
            prefix, entries = stack[-1]
            entry = next(entries, None)
            if entry is None:
                stack.pop()
            elif entry.mode == _DIRECTORY:
                if len(stack) > _MAX_DEPTH:
                    raise RepositoryError(f"{tree} is deeper than {_MAX_DEPTH} directories.")
                stack.append((prefix + entry.path + b"/", self._entries(entry.id)))
            else:
                yield TreeEntry(prefix + entry.path, entry.mode, entry.id)

    def list_tree(self, tree: str) -> list[TreeEntry]:
        """What is directly in a tree, directories too. Raises NotFound."""
        return list(self._entries(tree))

    def blob_size(self, blob: str) -> int:
        """Bytes of a blob. Raises NotFound."""
        header = self.objects.header(bytes.fromhex(blob))
        if header is None or header[0] != BLOB:
            raise NotFound(f"{self.app} has no blob {blob}.")
        return header[1]

    def read_blob(self, blob: str) -> bytes:
        """A blob's whole content; ask `blob_size` first. Raises NotFound."""
        return self._typed(blob, BLOB)

    def copy_blob(self, blob: str, fd: int) -> None:
        """Write a blob into an open file descriptor; a big one is never whole in memory."""
        self.blob_size(blob)
        pieces = self.objects.pieces(bytes.fromhex(blob))
        if pieces is None:
            raise NotFound(f"{self.app} has no blob {blob}.")
        for piece in pieces:
            view = memoryview(piece)
            while view:
                view = view[os.write(fd, view) :]

    def _commit_of(self, oid: str, revision: str) -> str:
        commit = self.peel(oid) or oid
        if not self.has_commit(commit):
            raise NotFound(f"{self.app} has no commit {revision!r}.")
        return commit

    def _entries(self, tree: str) -> Iterator[TreeEntry]:
        for name, mode, oid in parse_tree(self._typed(tree, TREE), 20):
            yield TreeEntry(name, mode, oid.decode("ascii"))

    def _typed(self, oid: str, kind: int) -> bytes:
        found = self.objects.read(bytes.fromhex(oid))
        if found is None or found[0] != kind:
            raise NotFound(f"{self.app} has no {TYPES[kind]} {oid}.")
        return found[1]


def _tag_target(data: bytes) -> str:
    """The id in a tag's first line."""
    line = data.partition(b"\n")[0]
    if not line.startswith(b"object ") or len(line) != 47:
        raise RepositoryError("A stored tag has no object.")
    return line[7:].decode("ascii")


def _encoding(commit: Commit) -> str:
    """The encoding a commit names, where Python knows it."""
    name = (commit.encoding or b"utf-8").decode("ascii", "replace")
    try:
        "".encode(name)
    except LookupError:
        return "utf-8"
    return name


def _identity(raw: bytes) -> tuple[str, str]:
    """Name and address of `Name <address>`."""
    text = raw.decode("utf-8", "replace")
    name, _, rest = text.partition("<")
    return name.strip(), rest.rstrip().removesuffix(">")


def _subject(message: str) -> str:
    """The first paragraph on one line, as git's %s."""
    lines: list[str] = []
    for line in message.lstrip("\n").split("\n"):
        if not line.strip():
            break
        lines.append(line.strip())
    return " ".join(lines)
