"""What a build's commands see: their environment and, in a sandbox, their part of the disk."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Mapping
from pathlib import Path

from gitdeploy.deploy.context import Context

# Where packages come from and how their server is trusted: what an operator sets for the server
# and builds need as well (docs/builds.md, "Environment of a build").
_PASSED = re.compile(
    r"(PIP|UV)_\w+|(?i:NPM_CONFIG)_\w+|(?i:HTTPS?|NO|ALL)_(?i:PROXY)"
    r"|SSL_CERT_(FILE|DIR)|(REQUESTS|CURL)_CA_BUNDLE|NODE_EXTRA_CA_CERTS|LANG"
    r"|YARN_(REGISTRY|NPM_REGISTRY_SERVER)|PIPENV_PYPI_MIRROR|COMPOSER_AUTH"
    r"|GO(PROXY|NOPROXY|PRIVATE|SUMDB|NOSUMDB|FLAGS)",
)
# Of these, what says where to install or keep things is ours to decide.
_OURS = re.compile(
    r"(PIP|UV)_\w*CACHE_DIR|PIP_(TARGET|PREFIX|ROOT|USER|SRC|LOG|PYTHON)"
    r"|UV_(PROJECT\w*|PYTHON\w*|TOOL\w*|INSTALL\w*|WORKING_DIR|TARGET|PREFIX|SYSTEM\w*)"
    r"|(?i:NPM_CONFIG_(CACHE|PREFIX|GLOBAL|TMP|LOGS_DIR))",
)
_SYSTEM_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
# Files beside the system's own that package clients read.
_CLIENT_FILES = (
    "/etc/pip.conf",
    "/etc/xdg/pip",
    "/etc/uv",
    "/etc/npmrc",
    "/etc/ssl",
    "/etc/pki",
    "/etc/ca-certificates",
)


def client_settings(environ: Mapping[str, str]) -> dict[str, str]:
    """The variables of the server's environment that steer package clients."""
    return {
        key: value
        for key, value in environ.items()
        if _PASSED.fullmatch(key) and not _OURS.fullmatch(key)
    }


def search_path(environ: Mapping[str, str]) -> str:
    """PATH of builds: the server's and the system's directories, without the server's own venv.

    A build's `pip install` must not find the environment that the server itself runs in.
    """
    own = {Path(sys.prefix) / "bin"} if sys.prefix != sys.base_prefix else set()
    path: list[str] = []
    for part in [*environ.get("PATH", "").split(":"), *_SYSTEM_PATH.split(":")]:
        if part.startswith("/") and part not in path and Path(part) not in own:
            path.append(part)
    return ":".join(path)


def build_environment(ctx: Context) -> dict[str, str]:
    """The complete environment of a build: the app's settings and nothing secret of ours.

    DEPLOYMENT_SOURCE is where the source begins, DEPLOYMENT_TARGET where the site's files are,
    SCM_COMMIT_ID the commit (Kudu's names). App settings win, but HOME is the app's cache.
    """
    environ = ctx.tools.environ
    return {
        "LANG": "C.UTF-8",
        **client_settings(environ),
        "PATH": search_path(environ),
        "PIP_NO_INPUT": "1",
        "PIP_DISABLE_PIP_VERSION_CHECK": "1",
        "PYTHONUNBUFFERED": "1",
        "UV_PYTHON_DOWNLOADS": "never",
        "UV_NO_PROGRESS": "1",
        "COMPOSER_ALLOW_SUPERUSER": "1",
        "COMPOSER_NO_DEV": "1",
        **ctx.settings,
        "HOME": str(ctx.paths.cache),
        "DEPLOYMENT_SOURCE": str(ctx.root / ctx.layout.source),
        "DEPLOYMENT_TARGET": str(ctx.root / ctx.layout.content),
        "SCM_COMMIT_ID": ctx.deployment.id,
    }


def shown_to_builds(ctx: Context, environment: Mapping[str, str]) -> tuple[Path, ...]:
    """Files of the machine that a sandboxed build may read beside the system.

    Clients' configuration below /etc, and whatever path the passed-on variables name, so that a
    local index or a certificate is found. Nothing of the home, and nothing that contains it.
    """
    home = ctx.paths.root.parent.parent
    shown = [Path(name) for name in _CLIENT_FILES if Path(name).exists()]
    for key in client_settings(ctx.tools.environ):
        for word in environment.get(key, "").split():
            path = Path(os.path.normpath(word.removeprefix("file://")))
            inside = path.is_relative_to(home) or home.is_relative_to(path)
            if path.is_absolute() and not inside and path.exists():
                shown.append(path)
    return tuple(dict.fromkeys(shown))
