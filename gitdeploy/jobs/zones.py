"""Time zones by name, and the server's own."""

from __future__ import annotations

import os
from collections.abc import Mapping
from datetime import UTC, tzinfo
from pathlib import Path
from zoneinfo import ZoneInfo

from dateutil import tz

_LOCALTIME = Path("/etc/localtime")


def zone(name: str) -> tzinfo | None:
    """The zone of the IANA database with this name, None where there is none."""
    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError):  # unknown; `../x`; a directory such as `Europe`
        return None


def local_zone(
    environment: Mapping[str, str] | None = None, localtime: Path = _LOCALTIME
) -> tzinfo:
    """The server's own zone with its rules: TZ, else /etc/localtime, else UTC."""
    name = (os.environ if environment is None else environment).get("TZ", "").removeprefix(":")
    if name:
        # dateutil also reads POSIX' own form, `CET-1CEST,M3.5.0,M10.5.0/3`
        return zone(name) or tz.gettz(name) or UTC
    try:
        real = str(localtime.resolve(strict=True))
        found = zone(real.partition("/zoneinfo/")[2].removeprefix("posix/"))
        if found is not None:
            return found
        with localtime.open("rb") as file:
            return ZoneInfo.from_file(file, key="localtime")
    except (OSError, ValueError):
        return UTC
