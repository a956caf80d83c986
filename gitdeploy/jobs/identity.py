"""What makes a job the same process as before (architecture.md, decision 1)."""

from __future__ import annotations

import hashlib
import re
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Mapping, Sequence

from msgspec.structs import replace

from gitdeploy.jobs.job import Job
from gitdeploy.jobs.place import DEFAULT_PLACE

Manifest = Mapping[str, tuple[int, str]]

_DOCUMENTATION = re.compile(
    r"(?i)(?:(?:readme|changelog|contributing|license)[^/]*|[^/]*\.md|\.gitignore|\.gitattributes"
    r"|\.github/.*)\Z",
    re.DOTALL,
)


def with_identity(
    job: Job, manifest: Manifest, *, settings: Mapping[str, str], environment: str | None
) -> Job:
    """The job with its identity, see `with_identities`."""
    [found] = with_identities([job], manifest, settings=settings, environment=environment)
    return found


def with_identities(
    jobs: Iterable[Job],
    manifest: Manifest,
    *,
    settings: Mapping[str, str],
    environment: str | None,
    place: str = DEFAULT_PLACE,
) -> list[Job]:
    """The jobs with their identities: each a hash of its own files, the release's shared files,
    the app's settings and the name of its Python environment, its own or the site's.

    `manifest` has for each path (relative to the site's root) the git mode and the blob's id;
    `place` is the directory above `continuous` and `triggered`.
    Shared is what is in no job's directory, except documentation at the top.
    """
    paths = sorted(manifest)  # what is in one directory lies side by side
    outside = (_line(manifest, path) for path in shared_files(paths, place))
    shared = _section("shared", outside)
    named = _section("settings", (f"{name}={settings[name]}" for name in sorted(settings)))
    before = shared + named
    found = []
    for job in jobs:
        words = [job.kind, job.name, job.directory, job.script or "", job.host or ""]
        own = (_line(manifest, path) for path in _below(paths, job.directory + "/"))
        python = _section("environment", [job.environment or environment or ""])
        text = _section("job", words) + _section("own", own) + before + python
        found.append(replace(job, identity=hashlib.sha256(text).hexdigest()))
    return found


def shared_files(paths: Iterable[str], place: str = DEFAULT_PLACE) -> Iterator[str]:
    """Of a site's files those that count for every job; `place` as in `with_identities`."""
    above = re.escape(f"{place}/" if place else "")
    of_a_job = re.compile(rf"(?i){above}(?:continuous|triggered)/[^/]+/")
    for path in paths:
        if of_a_job.match(path) is None and _DOCUMENTATION.match(path) is None:
            yield path


def _below(paths: Sequence[str], prefix: str) -> Iterator[str]:
    """Of sorted paths those that begin so."""
    for index in range(bisect_left(paths, prefix), len(paths)):
        if not paths[index].startswith(prefix):
            return
        yield paths[index]


def _line(manifest: Manifest, path: str) -> str:
    mode, blob = manifest[path]
    return f"{path}\0{mode:o} {blob}"


def _section(name: str, values: Iterable[str]) -> bytes:
    """Each value with its length before it, so that no two lists run into the same bytes."""
    encoded = (value.encode("utf-8", "surrogateescape") for value in (name, *values))
    return b"".join(b"%d:" % len(data) + data for data in encoded) + b";"
