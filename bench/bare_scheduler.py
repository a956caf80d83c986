"""A bare asyncio loop that starts scripts at one second: what a scheduler's lateness is held to.

`python -m bench.bare_scheduler DUE ROOT` waits until DUE (seconds since the epoch), starts
`bash run.sh` in each directory of ROOT at once, waits for all, and that is it: no records, no
output, no isolation. Each script gets WEBJOBS_DATA_PATH, its directory.
"""

from __future__ import annotations

import asyncio
import os
import sys
import time
from pathlib import Path


async def _one(directory: Path) -> None:
    process = await asyncio.create_subprocess_exec(
        "bash",
        "run.sh",
        cwd=directory,
        env={"PATH": os.environ["PATH"], "WEBJOBS_DATA_PATH": str(directory)},
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.DEVNULL,
    )
    await process.wait()


async def _main(due: float, root: Path) -> None:
    directories = sorted(root.iterdir())
    print("ready", flush=True)
    await asyncio.sleep(due - time.time())
    await asyncio.gather(*(_one(directory) for directory in directories))


if __name__ == "__main__":
    if hasattr(asyncio, "PidfdChildWatcher"):  # 3.11's default is a thread a child, which is slower
        asyncio.set_child_watcher(asyncio.PidfdChildWatcher())
    asyncio.run(_main(float(sys.argv[1]), Path(sys.argv[2])))
