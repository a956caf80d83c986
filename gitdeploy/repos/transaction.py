"""Ref moves: locked, compared, then moved; each alone, or all or none.

    with RefTransaction(refs, updates, atomic=…) as moves:
        moves.prepare()          # locks taken, old values compared: who lost is in `refused`
        locks = moves.write()    # new values in the locks, to be synced with the objects
        …                        # objects are put in place now, for a loser nothing is
        moves.commit(…)
        moves.sync()

The locks are git's own (`REF.lock`, `packed-refs.lock`), so git beside us is kept out as well.
Up to `_MANY` refs become loose files, synced side by side; more go into `packed-refs` as one
write, as `git clone` does it: a file and an fsync for each of 10,000 would take minutes.
"""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from types import TracebackType

from gitdeploy.repos import packedrefs, reflog
from gitdeploy.repos.refs import Refs
from gitdeploy.repos.sync import sync_directories
from gitdeploy.repos.types import ZERO, Caller, RefUpdate, RepositoryError

_MANY = 16
_PATIENCE = 1.0
"""Seconds that a lock of somebody else is waited for; git's own core.filesRefLockTimeout is 0.1."""


class LockHeld(RepositoryError):
    """Another process has the lock."""


class RefTransaction:
    """Moves some refs of a repository. Blocking: for a worker thread.

    `refused` maps the refs that can't move to the reason for their `ng` line; with `atomic` one
    such ref refuses all. Leaving the context removes the locks that are left.
    """

    def __init__(self, refs: Refs, updates: Sequence[RefUpdate], *, atomic: bool = False) -> None:
        self.refused: dict[str, str] = {}
        self._refs = refs
        self._updates = updates
        self._atomic = atomic
        self._many = len(updates) > _MANY
        self._locks: dict[str, int] = {}  # ref → open descriptor of its lock, -1 where closed
        self._there: Mapping[str, str] = {}
        self._absent: set[str] = set()
        self._changed: set[Path] = set()
        self._packed_lock = -1

    def __enter__(self) -> RefTransaction:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        for ref in list(self._locks):
            self._unlock(ref)
        self._unlock_packed()

    @property
    def accepted(self) -> tuple[RefUpdate, ...]:
        """The updates that nothing stands against (yet)."""
        if self._atomic and self.refused:
            return ()
        return tuple(u for u in self._updates if u.ref not in self.refused)

    def prepare(self) -> None:
        """Lock every ref and compare its old value."""
        self._check_names()
        locked = [u for u in self._updates if u.ref not in self._absent]
        for update in locked:
            if update.ref not in self.refused:
                self._attempt(update, self._lock_for)
        if self._many:
            self._refs.forget()
            self._there = self._refs.all()  # once, now that nobody can move them
        for update in locked:
            if update.ref not in self.refused:
                self._attempt(update, self._compare)
        if self._atomic and self.refused:
            for update in self._updates:
                self.refused.setdefault(update.ref, "atomic push failure")

    def write(self) -> list[int]:
        """Write the new values into the locks: the descriptors to be synced before `commit`."""
        if self._many:
            return []
        written = [u for u in self.accepted if u.new != ZERO and u.old != u.new]
        for update in written:
            os.write(self._locks[update.ref], f"{update.new}\n".encode())
        return [self._locks[update.ref] for update in written]

    def commit(self, caller: Caller, peel: Callable[[str], str | None]) -> tuple[RefUpdate, ...]:
        """Move what was accepted; the updates that changed something, `sync` is to follow.

        Raises OSError where the disk is full and the like: then nothing has moved.
        """
        moves = tuple(u for u in self.accepted if u.old != u.new and u.ref not in self._absent)
        head = self._refs.head()
        gone = [u.ref for u in moves if u.new == ZERO]
        written = [u for u in moves if u.new != ZERO]
        if self._many:
            self._rewrite_packed({u.ref: u.new for u in written}, gone, peel)
        else:
            packed = packedrefs.read(self._refs.packed_path).refs if gone else {}
            if any(ref in packed for ref in gone):
                self._rewrite_packed({}, gone, peel)
        moved = tuple(u for u in moves if self._move_loose(u))
        self._refs.forget()
        for update in moved:
            if update.new == ZERO:
                reflog.remove(self._refs.git_dir, update.ref)
                self._unlock(update.ref)
                self._remove_empty(self._refs.git_dir / update.ref)
            elif not (self._many and update.old == ZERO):
                # a log keeps old tips from gc; thousands of new refs have none
                reflog.append(self._refs.git_dir, update, caller, head=head)
        return moved

    def sync(self) -> None:
        """Let what moved survive a power cut."""
        there = set()
        for path in self._changed:
            while not path.is_dir():  # removed with the last ref in it: that is in its parent
                path = path.parent
            there.add(path)
        sync_directories(there)

    def _check_names(self) -> None:
        """A ref can't be where another has its directory; nor be below another."""
        created = [u.ref for u in self._updates if u.new != ZERO]
        there = self._refs.all()
        gone = {u.ref for u in self._updates if u.new == ZERO}
        self._absent = gone - there.keys() - self._refs.odd()  # done already
        fresh = [ref for ref in created if ref not in there]
        if not fresh:
            return
        names = there.keys() | set(created)
        directories: set[str] | None = None
        if len(fresh) > _MANY:
            directories = {parent for name in names for parent in _parents(name)}
        for ref in fresh:
            above = next((p for p in _parents(ref) if p in names), None)
            if directories is None:
                below = next((n for n in names if n.startswith(ref + "/")), None)
            else:
                below = "another ref" if ref in directories else None
            if above is not None or below is not None:
                other = above or below
                self.refused[ref] = f"failed to update ref: {other} exists; cannot create {ref}"

    def _attempt(self, update: RefUpdate, step: Callable[[RefUpdate], str | None]) -> None:
        if self._atomic and self.refused:
            return
        try:
            reason = step(update)
        except RepositoryError as error:
            reason = f"failed to update ref: {error.what}"
        except OSError as error:
            reason = f"failed to update ref: {error.strerror}"
        if reason is not None:
            self.refused[update.ref] = reason
            self._unlock(update.ref)

    def _lock_for(self, update: RefUpdate) -> None:
        self._lock(update.ref)
        path = self._refs.git_dir / update.ref
        if update.new != ZERO and path.is_dir():  # empty ones are what deleted refs left
            _remove_tree_of_nothing(path)

    def _lock(self, ref: str) -> None:
        path = self._refs.git_dir / f"{ref}.lock"
        for attempt in range(3):
            try:
                descriptor = _create(path)
                break
            except FileNotFoundError:  # its directory isn't there, or was empty and removed
                if attempt == 2:
                    raise
                path.parent.mkdir(parents=True, exist_ok=True)
        if self._many:
            os.close(descriptor)
            descriptor = -1
        self._locks[ref] = descriptor

    def _unlock(self, ref: str) -> None:
        descriptor = self._locks.pop(ref, None)
        if descriptor is None:
            return
        if descriptor >= 0:
            os.close(descriptor)
        path = self._refs.git_dir / f"{ref}.lock"
        path.unlink(missing_ok=True)
        if not (self._refs.git_dir / ref).exists():
            self._remove_empty(path)

    def _compare(self, update: RefUpdate) -> str | None:
        if self._many and update.ref not in self._refs.odd():
            now = self._there.get(update.ref)
        else:
            now = self._refs.read(update.ref)
        if (now or ZERO) == update.old:
            return None
        if now is None:
            if update.new == ZERO:
                self._absent.add(update.ref)  # it went in this moment
                return None
            return f"failed to update ref: it doesn't exist, expected {update.old}"
        if update.old == ZERO:
            return f"failed to update ref: reference already exists at {now}; fetch first"
        return f"failed to update ref: is at {now} but expected {update.old}; fetch first"

    def _move_loose(self, update: RefUpdate) -> bool:
        """Put the lock in the loose ref's place, or remove that; whether it went well."""
        path = self._refs.git_dir / update.ref
        try:
            if self._many or update.new == ZERO:
                with contextlib.suppress(IsADirectoryError):  # of other refs: it was packed alone
                    path.unlink(missing_ok=True)
            else:
                path.with_name(path.name + ".lock").replace(path)
                os.close(self._locks.pop(update.ref))
        except OSError as error:
            self.refused[update.ref] = f"failed to update ref: {error.strerror}"
            return False
        if not self._many:
            self._changed.add(path.parent)
        return True

    def _rewrite_packed(
        self, new: dict[str, str], gone: list[str], peel: Callable[[str], str | None]
    ) -> None:
        path = self._refs.packed_path
        self._packed_lock = _create(path.with_name("packed-refs.lock"))
        known = packedrefs.read(path)
        refs = {**known.refs, **new}
        for ref in gone:
            refs.pop(ref, None)
        packedrefs.write_locked(self._packed_lock, path, packedrefs.render(refs, known, peel))
        os.close(self._packed_lock)
        self._packed_lock = -1
        self._changed.add(path.parent)

    def _unlock_packed(self) -> None:
        if self._packed_lock >= 0:
            os.close(self._packed_lock)
            self._packed_lock = -1
            (self._refs.git_dir / "packed-refs.lock").unlink(missing_ok=True)

    def _remove_empty(self, path: Path) -> None:
        """Remove the directories above a ref that hold nothing now, down to refs/heads."""
        for parent in path.parents:
            if parent.parent == self._refs.git_dir / "refs" or parent.parent == self._refs.git_dir:
                break
            try:
                parent.rmdir()
            except OSError:
                break


def rounds(updates: Sequence[RefUpdate]) -> tuple[Sequence[RefUpdate], ...]:
    """The updates, or first the deletions where one makes room for a ref above or below it."""
    gone = {u.ref for u in updates if u.new == ZERO}
    if not gone:
        return (updates,)
    above = {parent for ref in gone for parent in _parents(ref)}
    others = [u for u in updates if u.new != ZERO]
    if any(u.ref in above or not gone.isdisjoint(_parents(u.ref)) for u in others):
        return ([u for u in updates if u.new == ZERO], others)
    return (updates,)


def _parents(ref: str) -> Iterator[str]:
    """`refs/heads/a` and `refs/heads` for `refs/heads/a/b`."""
    at = ref.rfind("/")
    while at > 0:
        ref = ref[:at]
        yield ref
        at = ref.rfind("/")


def _create(lock: Path) -> int:
    """Make a lock file that nobody else has. Raises LockHeld where somebody keeps it."""
    deadline = time.monotonic() + _PATIENCE
    pause = 0.001
    while True:
        try:
            return os.open(lock, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o644)
        except FileExistsError:
            if time.monotonic() > deadline:
                raise LockHeld(
                    f"{lock.name} is held by another process", "Push again in a moment."
                ) from None
            time.sleep(pause)
            pause = min(pause * 2, 0.05)


def _remove_tree_of_nothing(path: Path) -> None:
    for child in path.iterdir():
        _remove_tree_of_nothing(child)
    path.rmdir()
