"""`.deployment` at a repository's root: an INI file whose `[config]` holds deployment settings.

Kudu's format (Kudu.Core/Infrastructure/IniFile.cs): keys without regard to case, the last of two
wins, no quoting, other sections ignored. Kudu skips lines that it doesn't understand; here they
are refused, so that a slip doesn't deploy something else. App settings of the same name win, as
in Kudu (SettingsProvidersPriority: PerSite over PerDeployment).
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from gitdeploy.deploy.errors import DeployError
from gitdeploy.jobs import ROOT_PATH, jobs_place

NAME = ".deployment"
_LIMIT = 64 << 10
_FIX = "Write [config] and below it lines such as command = ./build.sh or project = site."


def read_dotdeployment(root: Path) -> dict[str, str]:
    """The settings of a release's `.deployment`, {} without one. Raises DeployError."""
    try:
        with (root / NAME).open("rb") as file:
            data = file.read(_LIMIT + 1)
    except FileNotFoundError:
        return {}
    except OSError as error:
        raise DeployError(f"{NAME} can't be read: {error.strerror}.", _FIX) from error
    if len(data) > _LIMIT:
        raise DeployError(f"{NAME} is larger than {_LIMIT >> 10} KiB.", _FIX)
    return parse_dotdeployment(data)


def parse_dotdeployment(data: bytes) -> dict[str, str]:
    """The keys (lower case) and values of `[config]`. Raises DeployError naming the line."""
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        at = data[: error.start].count(b"\n") + 1
        raise DeployError(f"{NAME}, line {at}: it isn't UTF-8.", _FIX) from error
    section: str | None = None
    config: dict[str, str] = {}
    for number, raw in enumerate(text.split("\n"), 1):
        line = raw.strip()
        if not line or line[0] in "#;":
            continue
        if line[0] == "[":
            section = line[1:-1].strip().lower()
            if line[-1] != "]" or not section:
                raise _bad(number, line, "isn't a section")
            continue
        if section is None:
            raise _bad(number, line, "stands before [config]")
        if section != "config":
            continue
        key, equals, value = (part.strip() for part in line.partition("="))
        if not equals or not key:
            raise _bad(number, line, "isn't KEY = VALUE")
        if "\0" in value:
            raise _bad(number, line, "has a NUL")
        config[key.lower()] = value
    return config


def with_app_settings(config: Mapping[str, str], settings: Mapping[str, str]) -> dict[str, str]:
    """What steers this deployment, by key in lower case: app settings over `.deployment`."""
    return {**config, **{key.lower(): value for key, value in settings.items()}}


def jobs_directory(config: Mapping[str, str]) -> str:
    """The directory above `continuous` and `triggered`, from the site's root. Raises SettingError.

    Discover tells what is wrong with it and takes DEFAULT_PLACE, as whoever asks before it should.
    """
    return jobs_place(config.get(ROOT_PATH.lower()))


def _bad(number: int, line: str, reason: str) -> DeployError:
    shown = line if len(line) <= 100 else line[:100] + "…"
    return DeployError(f"{NAME}, line {number}: {shown!r} {reason}.", _FIX)
