"""Forget old executions: their rows first, then their directories."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Mapping
from pathlib import Path

from gitdeploy.home import Kind
from gitdeploy.supervise.context import Context
from gitdeploy.supervise.steering import steering

_DAY = 86_400_000_000


async def forget_old(
    context: Context, app: str, kind: Kind, job: str, settings: Mapping[str, str]
) -> list[str]:
    """Keep of a job's ended executions what steering.py says; the ids forgotten.

    A crash between rows and directories leaves directories: `forget_orphans` finds them.
    """
    limits = steering(settings)
    days, megabytes = limits.history_days, limits.history_mb
    ids = await context.store.executions.prune(
        app,
        kind,
        job,
        limits.history_size,
        before=None if days is None else context.clock.now() - round(days * _DAY),
        most_bytes=None if megabytes is None else round(megabytes * 1e6),
    )
    if ids:
        home = context.home.app(app)
        await asyncio.to_thread(_remove, [home.execution(kind, job, i) for i in ids])
    return ids


async def forget_orphans(context: Context, app: str, kind: Kind, job: str) -> list[str]:
    """Remove directories of executions that the store doesn't know; the ids removed."""
    directory = context.home.app(app).executions(kind, job)
    names = await asyncio.to_thread(_names, directory)
    orphans = [n for n in names if await context.store.executions.get(app, kind, job, n) is None]
    await asyncio.to_thread(_remove, [directory / name for name in orphans])
    return orphans


def _names(directory: Path) -> list[str]:
    try:
        return sorted(entry.name for entry in directory.iterdir() if entry.is_dir())
    except FileNotFoundError:
        return []


def _remove(directories: list[Path]) -> None:
    for directory in directories:
        shutil.rmtree(directory, ignore_errors=True)
