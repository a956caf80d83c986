"""`GET /api/deploymentscript`: what it says is what a build does."""

from __future__ import annotations

import io
import json
import subprocess
import zipfile
from pathlib import Path

import pytest

from tests.integration.web.conftest import Client, Site

URL = "/apps/shop/api/deploymentscript"
PACKAGE = json.dumps({"name": "site", "scripts": {"build": "echo made > made-by-node.txt"}})


async def script(admin: Client, url: str = URL) -> dict[str, str]:
    answer = await admin.get(url)
    assert answer.status == 200, answer.body
    assert answer.headers["Content-Type"] == "application/zip"
    archive = zipfile.ZipFile(io.BytesIO(answer.body))
    return {name: archive.read(name).decode() for name in archive.namelist()}


async def test_the_script_makes_of_the_sources_what_a_build_has_made(
    admin: Client, shop: Site, tmp_path: Path
) -> None:
    settings = {"PRE_BUILD_COMMAND": "echo 1 > before.txt", "POST_BUILD_SCRIPT_PATH": "after.sh"}
    await admin.ask("POST", "/apps/shop/api/settings", settings)
    sources = {
        "package.json": PACKAGE,
        "after.sh": "cat before.txt made-by-node.txt > after.txt\n",
        "App_Data/jobs/triggered/it's/package.json": PACKAGE,
        "App_Data/jobs/triggered/it's/run.sh": "true\n",
    }
    await shop.deploy(sources)
    files = await script(admin)
    assert files[".deployment"] == "[config]\ncommand = bash deploy.sh\n"
    for name, text in {**sources, "deploy.sh": files["deploy.sh"]}.items():
        target = tmp_path / "elsewhere" / name
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text)
    done = subprocess.run(
        ["bash", "deploy.sh"],
        cwd=tmp_path / "elsewhere",
        capture_output=True,
        text=True,
        timeout=90,
    )
    assert done.returncode == 0, done.stderr
    release = shop.server.home.app("shop").release(1)
    made = {str(path.relative_to(release)): path.read_text() for path in release.rglob("*.txt")}
    assert set(made) == {
        "before.txt",
        "made-by-node.txt",
        "after.txt",
        "App_Data/jobs/triggered/it's/made-by-node.txt",
    }
    for name, text in made.items():
        assert (tmp_path / "elsewhere" / name).read_text() == text


@pytest.mark.parametrize(
    ("files", "lines"),
    [
        ({"requirements.txt": "\n"}, ['python3 -m venv "$VENV"', "-r requirements.txt"]),
        ({"package.json": '{"dependencies": {"a": "1"}}'}, ["npm install --no-audit"]),
        ({"package.json": '{"dependencies": {"a": "1"}}', "package-lock.json": "{}"}, ["npm ci"]),
        ({"composer.json": "{}"}, ["composer install"]),
        ({"go.mod": "module a\n"}, ["go build -o bin/ ./..."]),
        ({"a b.csproj": "<Project/>"}, ["dotnet publish 'a b.csproj' -c Release -o . --nologo"]),
        ({"index.html": "hi"}, ["# Nothing is built: no file of the site asks for it."]),
        (
            {".deployment": "[config]\nSCM_DO_BUILD_DURING_DEPLOYMENT = false\n", "go.mod": ""},
            ["# Nothing is built: skipped by SCM_DO_BUILD_DURING_DEPLOYMENT."],
        ),
        (
            {
                "App_Data/jobs/triggered/a/run.py": "",
                "App_Data/jobs/triggered/a/requirements.txt": "",
            },
            ["cd ./App_Data/jobs/triggered/a", 'VENV="$ROOT/.venv-triggered-a"'],
        ),
        ({".deployment": "[config]\nproject = web\n", "web/go.mod": "module a\n"}, ["cd ./web"]),
    ],
)
async def test_each_tool_that_is_asked_for_is_in_the_script(
    admin: Client, shop: Site, files: dict[str, str], lines: list[str]
) -> None:
    """Without building: the release is what the files are, whichever tools this machine has."""
    await shop.deploy({"start.html": "", **files, **_unbuilt(files)})
    release = shop.server.home.app("shop").release(1)
    for name in _unbuilt(files):
        (release / name).write_text(files.get(name, ""))
    if ".deployment" not in files:
        (release / ".deployment").unlink()
    told = (await script(admin))["deploy.sh"]
    for line in lines:
        assert line in told, told
    subprocess.run(["bash", "-n"], input=told, text=True, check=True, timeout=30)


def _unbuilt(files: dict[str, str]) -> dict[str, str]:
    text = files.get(".deployment", "[config]\n")
    return {".deployment": f"{text}SCM_DO_BUILD_DURING_DEPLOYMENT = false\n"}


async def test_there_is_no_script_of_nothing_and_none_beside_ones_own(
    admin: Client, shop: Site
) -> None:
    assert (await admin.get(URL)).status == 404
    await shop.deploy({".deployment": "[config]\ncommand = echo built\n"})
    answer = await admin.get(URL)
    assert answer.status == 404 and "of its own" in answer.json["detail"]
    await shop.deploy({".deployment": "", "package.json": "{}"})
    for url in (URL, URL + "/", "/apps/shop/deploymentscript"):
        assert set(await script(admin, url)) == {"deploy.sh", ".deployment"}
    (shop.server.home.app("shop").release(2) / "package.json").write_text("no json")
    answer = await admin.get(URL)
    assert answer.status == 409 and "package.json isn't JSON" in answer.json["detail"]
