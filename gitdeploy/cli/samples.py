"""Where the sample repositories lie: in a wheel inside the package, in a checkout beside it."""

from __future__ import annotations

from pathlib import Path

import gitdeploy
from gitdeploy.errors import NotFound


def sample(name: str) -> Path:
    """The folder of a sample repository. Raises NotFound."""
    package = Path(gitdeploy.__file__).parent
    for folder in (package / "_samples", package.parent / "sample-repos"):
        if (folder / name).is_dir():
            return folder / name
    raise NotFound(f"There is no sample repository {name}.")
