"""Trying a level out for real: a daemonised grandchild must die, an exit code must come back."""

from __future__ import annotations

import asyncio
import tempfile
from pathlib import Path

from gitdeploy.errors import GitdeployError
from gitdeploy.sandbox import held
from gitdeploy.sandbox.port import Isolation, Spec

_LIMIT = 10.0
_CODE = 7


async def try_out(isolation: Isolation) -> str | None:
    """Start a shell that ends with a certain code; None where that came back, else the reason."""
    with tempfile.TemporaryDirectory(prefix="gitdeploy-probe-") as name:
        directory = Path(name)
        spec = Spec(
            argv=("/bin/sh", "-c", f"exit {_CODE}"),
            cwd=directory,
            directory=directory,
            stdout=directory / "output",
            stderr=directory / "output",
            environment={"PATH": "/usr/local/bin:/usr/bin:/bin"},
            writable=(directory,),
        )
        try:
            async with asyncio.timeout(_LIMIT):
                handle = await isolation.spawn(spec)
                code = await isolation.wait(handle)
                await isolation.kill_tree(handle)
        except GitdeployError as error:
            return _said(directory) or error.what.rstrip(".")
        except TimeoutError:
            return f"a shell didn't end within {_LIMIT:.0f} s"
        if code != _CODE:
            return _said(directory) or f"a shell that ends with {_CODE} ended with {code}"
        return None


def _said(directory: Path) -> str:
    """The last line that the holder wrote to standard error."""
    lines = held.tail(directory / "output", 0).splitlines()
    return lines[-1].rstrip(".") if lines else ""
