"""Which jobs use the WebJobs SDK: it leaves a mark in the data directory of a job that does."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable

from gitdeploy.home import AppHome, Kind
from gitdeploy.jobs import Job

MARK = "webjobssdk.marker"  # JobsManagerBase.IsUsingSdk in Kudu.Core/Jobs


async def using_sdk(home: AppHome, jobs: Iterable[Job]) -> frozenset[tuple[Kind, str]]:
    """The keys of those of the jobs that have the mark."""
    keys = [job.key for job in jobs]
    return await asyncio.to_thread(
        lambda: frozenset(key for key in keys if (home.job_data(*key) / MARK).is_file())
    )
