"""What makes a job the same process as before (architecture.md, decision 1)."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterable, Mapping

from msgspec.structs import replace

from gitdeploy.jobs.job import Job

Manifest = Mapping[str, tuple[int, str]]

_OF_A_JOB = re.compile(r"(?i)app_data/jobs/(?:continuous|triggered)/[^/]+/")
_DOCUMENTATION = re.compile(
    r"(?i)(?:(?:readme|changelog|contributing|license)[^/]*|[^/]*\.md|\.gitignore|\.gitattributes"
    r"|\.github/.*)\Z",
    re.DOTALL,
)


def with_identity(
    job: Job, manifest: Manifest, *, settings: Mapping[str, str], environment: str | None
) -> Job:
    """The job with its identity: a hash of its own files, the release's shared files, the app's
    settings and the name of its Python environment.

    `manifest` has for each path (relative to the site's root) the git mode and the blob's id.
    Shared is what is in no job's directory, except documentation at the top.
    """
    own = job.directory + "/"
    digest = hashlib.sha256()
    _add(digest, "job", [job.kind, job.name, job.directory, job.script or "", job.host or ""])
    _add(digest, "own", _lines(manifest, lambda path: path.startswith(own)))
    _add(digest, "shared", _lines(manifest, is_shared))
    _add(digest, "settings", (f"{name}={settings[name]}" for name in sorted(settings)))
    _add(digest, "environment", [environment or ""])
    return replace(job, identity=digest.hexdigest())


def is_shared(path: str) -> bool:
    """Whether a file of the site counts for every job."""
    return _OF_A_JOB.match(path) is None and _DOCUMENTATION.match(path) is None


def _lines(manifest: Manifest, wanted: Callable[[str], bool]) -> Iterable[str]:
    return (
        f"{path}\0{mode:o} {blob}"
        for path, (mode, blob) in sorted(manifest.items())
        if wanted(path)
    )


def _add(digest: hashlib._Hash, section: str, values: Iterable[str]) -> None:
    """Each value with its length before it, so that no two lists run into the same bytes."""
    for value in (section, *values):
        data = value.encode("utf-8", "surrogateescape")
        digest.update(b"%d:" % len(data) + data)
    digest.update(b";")
