"""The environment of every git child and hook: fixed, nothing of ours, no configuration of the
machine or of a user (docs/security.md, "Repositories")."""

from __future__ import annotations

import os
from pathlib import Path

_DEFAULT_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


def git_environment(repository: Path) -> dict[str, str]:
    """Variables for a git child that works on this repository (and nothing else).

    Configuration that must hold whatever the repository's own says comes by GIT_CONFIG_COUNT,
    which is as strong as `-c`, and for a git before 2.31, which doesn't know that, by what `-c`
    itself sets for git's children.
    """
    forced = {
        "safe.directory": str(repository),
        "core.hooksPath": str(repository / "hooks"),
        "protocol.ext.allow": "never",
        "gc.auto": "0",
        "maintenance.auto": "false",
    }
    environment = {
        "PATH": os.environ.get("PATH", _DEFAULT_PATH),
        "HOME": str(repository),
        "LC_ALL": "C.UTF-8",
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_CONFIG_GLOBAL": "/dev/null",
        "GIT_TERMINAL_PROMPT": "0",
        "GIT_ASKPASS": "",
        "GIT_OPTIONAL_LOCKS": "0",
        "GIT_DIR": str(repository),
        "GIT_CONFIG_COUNT": str(len(forced)),
        "GIT_CONFIG_PARAMETERS": " ".join(_quoted(f"{k}={v}") for k, v in forced.items()),
    }
    for number, (key, value) in enumerate(forced.items()):
        environment[f"GIT_CONFIG_KEY_{number}"] = key
        environment[f"GIT_CONFIG_VALUE_{number}"] = value
    return environment


def _quoted(word: str) -> str:
    """As git's own sq_quote; a newer git reads this form too, which it doesn't write any more."""
    return "'" + word.replace("'", "'\\''") + "'"


def quarantine_environment(objects: Path, quarantine: Path) -> dict[str, str]:
    """What makes git see the quarantined objects beside the repository's (git-receive-pack(1))."""
    return {
        "GIT_OBJECT_DIRECTORY": str(quarantine),
        "GIT_ALTERNATE_OBJECT_DIRECTORIES": str(objects),
        "GIT_QUARANTINE_PATH": str(quarantine),
    }
