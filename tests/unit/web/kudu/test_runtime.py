"""Which versions programs tell, read out of what they really print."""

from __future__ import annotations

import pytest

from gitdeploy.web.kudu.runtime import runtime, version_in

NOTHING = dict.fromkeys(
    (
        "node",
        "npm",
        "python",
        "php",
        "java",
        "go",
        "pwsh",
        "mono",
        "wine",
        "git",
        "sdks",
        "runtimes",
    ),
    "",
)


@pytest.mark.parametrize(
    ("said", "version"),
    [
        ("v20.20.2\n", "20.20.2"),
        ("11.19.1\n", "11.19.1"),
        ("Python 3.11.2\n", "3.11.2"),
        ("Python 3.14.0rc1+\n", "3.14.0"),
        ("PHP 8.2.29 (cli) (built: Jul  3 2025 16:16:05) (NTS)\nCopyright", "8.2.29"),
        ('openjdk version "17.0.16" 2025-07-15\nOpenJDK Runtime', "17.0.16"),
        ("go version go1.19.8 linux/amd64\n", "1.19.8"),
        ("go version go1 linux/amd64\n", "1"),
        ("PowerShell 7.4.6\n", "7.4.6"),
        ("Mono JIT compiler version 6.8.0.105 (Debian 6.8)", "6.8.0.105"),
        ("wine-8.0 (Debian 8.0~repack-4)\n", "8.0"),
        ("git version 2.39.5\n", "2.39.5"),
        ("git version 2.50.1.windows.1\n", "2.50.1.windows.1"),
        ("it isn't installed", None),
        ("", None),
    ],
)
def test_the_first_version_is_the_programs_own(said: str, version: str | None) -> None:
    assert version_in(said) == version


def test_what_isnt_there_has_an_empty_list() -> None:
    found = runtime(NOTHING)
    assert found.nodejs == found.python == found.git == found.dotnetcore64.sdk == []
    assert found.dotnetcore64.shared["microsoft.netcore.app"] == []


def test_node_without_npm_and_frameworks_of_dotnet_are_told_apart() -> None:
    runtimes = (
        "Microsoft.AspNetCore.App 8.0.4 [/usr/share/dotnet/shared/Microsoft.AspNetCore.App]\n"
        "Microsoft.NETCore.App 6.0.36 [/usr/share/dotnet/shared/Microsoft.NETCore.App]\n"
        "Microsoft.NETCore.App 8.0.4 [/usr/share/dotnet/shared/Microsoft.NETCore.App]\n"
    )
    sdks = "8.0.204 [/usr/share/dotnet/sdk]\nNo more.\n"
    found = runtime({**NOTHING, "node": "v22.1.0", "runtimes": runtimes, "sdks": sdks})
    assert found.nodejs == [{"version": "22.1.0", "npm": None}]
    assert found.dotnetcore64.shared == {
        "microsoft.netcore.app": ["6.0.36", "8.0.4"],
        "microsoft.aspnetcore.all": [],
        "microsoft.aspnetcore.app": ["8.0.4"],
    }
    assert found.dotnetcore64.sdk == ["8.0.204"]
