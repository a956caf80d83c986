"""Options: flag, then environment, then `HOME/gitdeploy.toml`, then default. Data only."""

from __future__ import annotations

import math
import re
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal, get_args, get_type_hints

import msgspec

from gitdeploy.errors import GitdeployError

IsolationLevel = Literal["none", "process", "sandbox"]
_LABEL = r"[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
_DOMAIN = re.compile(rf"{_LABEL}(\.{_LABEL})*")
_INSTANCE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,62}")
_AT_LEAST_ONE = frozenset(
    {
        "keep_releases",
        "max_path_length",
        "max_refs",
        "max_zip_entries",
        "max_zip_ratio",
        "max_unzipped_size",
    }
)
_UNITS = {"": 1, "k": 1 << 10, "m": 1 << 20, "g": 1 << 30}


class ConfigError(GitdeployError):
    """An option that isn't known or has a bad value; the start stops."""


class Options(msgspec.Struct, kw_only=True):
    """Every option of the server. Sizes are bytes, times are seconds.

    Each is a flag `--max-push-size`, an environment variable `GITDEPLOY_MAX_PUSH_SIZE` and a key
    `max_push_size` of the options file. A server has one instance of it, shared by its rooms,
    which read a value when they need it: SIGHUP changes it in place (`reload`).
    """

    home: Path = Path("gitdeploy-home")
    listen: str = "127.0.0.1:8080"
    admin_token: str | None = None
    grace: float = 30.0
    create_on_push: bool = True
    scm_domain: str | None = None
    isolation: IsolationLevel | None = None
    metrics_public: bool = False
    allow_private_fetch: bool = False
    allow_file_fetch: bool = False
    fetch_retries: int = 6
    allow_private_hooks: bool = False
    hook_retry: float = 10.0
    allow_commands: bool = False
    max_push_size: int = 2 << 30
    max_push_objects: int = 5_000_000
    max_object_size: int = 1 << 30
    max_path_length: int = 4096
    max_refs: int = 50_000
    max_job_size: int = 100 << 20
    max_site_size: int = 2 << 30
    max_zip_entries: int = 100_000
    max_zip_ratio: int = 100
    max_unzipped_size: int = 2 << 30
    build_timeout: float = 900.0
    swap_grace: float = 3.0
    strict: bool = False
    keep_releases: int = 5
    cache_days: float = 30.0
    log_retention: int = 256 << 20
    instance: str | None = None


SIZES = frozenset(
    {
        "max_push_size",
        "max_object_size",
        "max_job_size",
        "max_site_size",
        "max_unzipped_size",
        "log_retention",
    }
)
_HELP: dict[str, str] = {
    "home": "Directory below which everything that lasts is kept.",
    "listen": "HOST:PORT to listen on; port 0 takes a free one.",
    "admin_token": "The administrator's token; made and kept in HOME/admin-token where unset.",
    "grace": "Seconds that requests under way get to end at SIGTERM.",
    "create_on_push": "An admin's push to an app that doesn't exist creates it.",
    "scm_domain": "Also answer for {app}.scm.DOMAIN.",
    "isolation": "none, process or sandbox; the default is the strictest that works here.",
    "metrics_public": "Serve /metrics without a token.",
    "allow_private_fetch": "Fetch from loopback, private and link-local addresses.",
    "allow_file_fetch": "Fetch from file:// URLs, repositories on the server's own disk.",
    "fetch_retries": "How often a fetch is tried again while the repository's host is down.",
    "allow_private_hooks": "Post hooks to loopback, private and link-local addresses.",
    "hook_retry": "Seconds to the second try of a hook; the next ones wait 3, 6, 30, 90, 360 times that.",
    "allow_commands": "Answer POST /api/command (admin only).",
    "max_push_size": "Largest pack that a push may bring.",
    "max_push_objects": "Most objects that a push may bring.",
    "max_object_size": "Largest single object, inflated, that a push may bring.",
    "max_path_length": "Longest path in a pushed tree.",
    "max_refs": "Most refs of one repository.",
    "max_job_size": "Largest zip or script that is uploaded as a job.",
    "max_site_size": "Largest zip or file that is sent for a site, or for its data directory.",
    "max_zip_entries": "Most files and folders that a zip may bring.",
    "max_zip_ratio": "Most bytes that one byte of a zip may become, looked at from 16 MiB on.",
    "max_unzipped_size": "Largest sum of a zip's files, unpacked.",
    "build_timeout": "Seconds a build may take.",
    "swap_grace": "Seconds a changed continuous job must live before the old one is stopped.",
    "strict": "Warnings of the validate step fail the deployment.",
    "keep_releases": "Newest releases of an app that are kept beside the active one.",
    "cache_days": "Days that packages which no build used are kept for later builds.",
    "log_retention": "Bytes of output kept on disk for one stream of one execution.",
    "instance": "This server's name in a cluster; six random hex digits, kept, where unset.",
}


def describe(name: str) -> str:
    """One sentence on an option, for `--help` and docs/configuration.md."""
    return _HELP[name]


def load(
    flags: Mapping[str, Any], environment: Mapping[str, str], *, read_file: bool = True
) -> Options:
    """Put the options together.

    `flags` holds only what was given on the command line. Raises ConfigError naming the key and
    where it stood: an unknown key of the file, an unknown `GITDEPLOY_*` variable, a bad value.
    """
    types = get_type_hints(Options)
    values: dict[str, Any] = {}
    for variable, text in environment.items():
        if not variable.startswith("GITDEPLOY_"):
            continue
        key = variable.removeprefix("GITDEPLOY_").lower()
        if key not in types:
            raise ConfigError(f"{variable} isn't an option.", _suggest(key))
        values[key] = _parse(key, text, types[key], variable)
    for key, value in flags.items():
        if value is not None:
            values[key] = _parse(key, value, types[key], "--" + key.replace("_", "-"))
    home = Path(values.get("home", Options().home)).expanduser().absolute()
    if read_file:
        values = {**_from_file(home / "gitdeploy.toml", types), **values}
    values["home"] = home
    options = Options(**values)
    _check(options)
    return options


FIXED = frozenset(
    {"home", "listen", "admin_token", "isolation", "instance", "scm_domain", "log_retention"}
)


def reload(current: Options, fresh: Options) -> tuple[list[str], list[str]]:
    """Take over what changed; (names that are in effect now, names that need a restart)."""
    changed = [
        name for name in Options.__struct_fields__ if getattr(current, name) != getattr(fresh, name)
    ]
    for name in changed:
        if name not in FIXED:
            setattr(current, name, getattr(fresh, name))
    return [n for n in changed if n not in FIXED], [n for n in changed if n in FIXED]


def _from_file(path: Path, types: Mapping[str, Any]) -> dict[str, Any]:
    try:
        data = tomllib.loads(path.read_text("utf-8"))
    except FileNotFoundError:
        return {}
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise ConfigError(f"{path} can't be read: {error}.", "Mend or remove the file.") from error
    values: dict[str, Any] = {}
    for key, value in data.items():
        if key == "home":
            raise ConfigError(
                f"{path}: home can't stand in the file that it leads to.",
                "Give --home DIR or GITDEPLOY_HOME.",
            )
        if key not in types:
            raise ConfigError(f"{path}: {key} isn't an option.", _suggest(key))
        values[key] = _parse(key, value, types[key], f"{path}: {key}")
    return values


def _parse(key: str, value: Any, kind: Any, where: str) -> Any:
    """The value in its option's type; text is read as the type wants it."""
    if key in SIZES and isinstance(value, str):
        return _size(value, where)
    if kind is bool or bool in get_args(kind):
        if isinstance(value, str) and value.lower() in ("true", "false"):
            return value.lower() == "true"
        if not isinstance(value, bool):
            raise ConfigError(f"{where}: {value!r} isn't a boolean.", "Write true or false.")
        return value
    if kind is Path and value == "":
        raise ConfigError(f"{where}: it is empty.", "Name a directory, or leave it out.")
    try:
        return msgspec.convert(value, kind, strict=False, dec_hook=lambda to, text: to(text))
    except msgspec.ValidationError as error:
        raise ConfigError(f"{where}: {value!r} is refused: {error}.") from error


def _size(text: str, where: str) -> int:
    match = re.fullmatch(r"(?i)(\d+)\s*([kmg]?)(i?b)?", text.strip())
    if match is None:
        raise ConfigError(f"{where}: {text!r} isn't a size.", "Write bytes, or 512k, 100m, 2g.")
    return int(match[1]) * _UNITS[match[2].lower()]


def _check(options: Options) -> None:
    host, port = split_listen(options.listen)
    if not host or not 0 <= port <= 65535:
        raise ConfigError(f"listen: {options.listen!r} isn't HOST:PORT.")
    for key in options.__struct_fields__:
        value = getattr(options, key)
        if isinstance(value, bool) or not isinstance(value, int | float):
            continue
        if not math.isfinite(value):
            raise ConfigError(f"{key}: {value} isn't a number of seconds.")
        if value < 0:
            raise ConfigError(f"{key}: {value} is negative.")
        if value < 1 and key in _AT_LEAST_ONE:
            raise ConfigError(f"{key}: {value} is less than 1.")
    if options.scm_domain is not None and not _DOMAIN.fullmatch(options.scm_domain):
        raise ConfigError(
            f"scm_domain: {options.scm_domain!r} isn't a domain.", "Write it as example.org."
        )
    if options.instance is not None and not _INSTANCE.fullmatch(options.instance):
        raise ConfigError(
            f"instance: {options.instance!r} is refused.",
            "Use 1 to 63 letters, digits, dots, hyphens and underscores.",
        )
    if options.admin_token is not None and len(options.admin_token) < 8:
        raise ConfigError("admin_token has fewer than 8 characters.", "Use 32 random ones.")


def split_listen(listen: str) -> tuple[str, int]:
    """Host and port of `HOST:PORT` or `[IPV6]:PORT`. Raises ConfigError."""
    host, colon, port = listen.rpartition(":")
    if not colon or not port.isdigit():
        raise ConfigError(f"listen: {listen!r} isn't HOST:PORT.", "Write 127.0.0.1:8080.")
    return host.strip("[]"), int(port)


def _suggest(key: str) -> str:
    import difflib

    close = difflib.get_close_matches(key, Options.__struct_fields__, 1)
    return f"Did you mean {close[0]}?" if close else "See `gitdeploy serve --help`."
