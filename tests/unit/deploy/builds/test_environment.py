"""What of the server's environment reaches a build."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from gitdeploy.deploy.builds.environment import client_settings, search_path


@pytest.mark.parametrize(
    "name",
    [
        "PIP_INDEX_URL",
        "UV_INDEX_URL",
        "NPM_CONFIG_REGISTRY",
        "npm_config_registry",
        "HTTP_PROXY",
        "https_proxy",
        "NO_PROXY",
        "SSL_CERT_FILE",
        "REQUESTS_CA_BUNDLE",
        "NODE_EXTRA_CA_CERTS",
        "LANG",
    ],
)
def test_settings_of_package_clients_reach_a_build(name):
    assert client_settings({name: "x"}) == {name: "x"}


@pytest.mark.parametrize(
    "name",
    [
        "GITDEPLOY_ADMIN_TOKEN",
        "AWS_SECRET_ACCESS_KEY",
        "HOME",
        "PATH",
        "PYTHONPATH",
        "LD_PRELOAD",
        "NOTIFY_SOCKET",
        "VIRTUAL_ENV",
        "MY_PIP_X",
        "PIP_CACHE_DIR",
        "PIP_TARGET",
        "UV_PROJECT_ENVIRONMENT",
        "UV_PYTHON",
        "npm_config_cache",
    ],
)
def test_nothing_else_of_the_server_does(name):
    assert client_settings({name: "x"}) == {}


def test_the_servers_own_environment_is_not_on_a_builds_path():
    own = str(Path(sys.prefix) / "bin")
    assert sys.prefix != sys.base_prefix, "the tests run in a virtual environment"
    path = search_path({"PATH": f"{own}:/opt/tool/bin:relative::/usr/bin"}).split(":")
    assert path[:2] == ["/opt/tool/bin", "/usr/bin"]
    assert own not in path
    assert "/bin" in path
    assert len(path) == len(set(path))
