"""Where a site has its jobs: App_Data/jobs, or what WEBJOBS_ROOT_PATH says (kudu.md). Pure."""

from __future__ import annotations

import re
from pathlib import PurePosixPath

from gitdeploy.jobs.checks import refuse

ROOT_PATH = "WEBJOBS_ROOT_PATH"
DEFAULT_PLACE = "App_Data/jobs"
# How the site's root is called in settings that come from Azure.
_SITE = re.compile(r"(?i)(?:[a-z]:)?/home/site/wwwroot(?:/|\Z)|%home%/site/wwwroot(?:/|\Z)")


def jobs_place(value: str | None) -> str:
    """The directory above `continuous` and `triggered`, relative to the site's root.

    Slashes at both ends don't count, as in Kudu, and backslashes are slashes. "" is the site's
    root itself. Raises SettingError for a path out of the site.
    """
    text = (value or "").strip().replace("\\", "/")
    if not text:
        return DEFAULT_PLACE
    inside = _SITE.sub("", text, count=1) if _SITE.match(text) else text
    parts = [part for part in inside.split("/") if part not in ("", ".")]
    if ".." in parts or "\0" in text or re.match(r"[A-Za-z]:|%|~", inside):
        raise refuse(
            ROOT_PATH,
            value,
            "it isn't a directory of the site",
            f"Give a path below the site's root; the jobs are looked for in {DEFAULT_PLACE}.",
        )
    return str(PurePosixPath(*parts)) if parts else ""
