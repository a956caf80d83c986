"""PHP with real composer; Go and .NET by stand-ins that show how they are called."""

from __future__ import annotations

import json
import shutil

import pytest

from tests.integration.deploy.builds.conftest import deployed, failed

PROJECT = '<Project Sdk="Microsoft.NET.Sdk{}"></Project>'


async def test_composer_makes_the_autoloader_of_a_site(server, repo):
    if shutil.which("composer") is None:
        pytest.skip("composer isn't installed here")
    repo.write("composer.json", json.dumps({"autoload": {"psr-4": {"App\\": "src/"}}}))
    repo.write("src/Hello.php", "<?php namespace App; class Hello { const WORD = 'bonjour'; }\n")
    script = "<?php require getenv('WEBROOT_PATH') . '/vendor/autoload.php'; echo App\\Hello::WORD;"
    repo.job("continuous/hello", script + " while (true) { sleep(1); }\n", "run.php")
    assert "$ composer install" in await deployed(server, repo)
    assert (server.paths.release(1) / "vendor/autoload.php").is_file()
    assert server.pid("hello")


async def test_vendor_is_shared_by_releases_with_the_same_lock_file(server, repo, stand_in):
    stand_in("composer", 'mkdir -p vendor; echo "made $COMPOSER_NO_DEV" > vendor/autoload.php')
    repo.write("composer.json", json.dumps({"require": {"a/b": "^1"}}))
    repo.write("composer.lock", json.dumps({"packages": [{"name": "a/b", "type": "library"}]}))
    assert "composer called with: install --no-interaction" in await deployed(server, repo)
    repo.write("readme.txt", "words")
    text = await deployed(server, repo)
    assert "vendor as before" in text
    assert "composer called" not in text
    assert (server.paths.release(2) / "vendor/autoload.php").read_text() == "made 1\n"


@pytest.mark.parametrize(
    ("package", "lock"),
    [
        ({"scripts": {"post-install-cmd": "x"}}, {}),
        ({"autoload": {"classmap": ["src"]}}, {}),
        ({"config": {"vendor-dir": "lib"}}, {}),
        ({}, {"packages": [{"name": "a", "type": "composer-plugin"}]}),
        ({}, {"packages": [{"name": "a", "dist": {"type": "path"}}]}),
    ],
)
async def test_a_vendor_that_depends_on_more_is_made_each_time(
    server, repo, stand_in, package, lock
):
    stand_in("composer", "mkdir -p vendor; echo made > vendor/autoload.php")
    repo.write("composer.json", json.dumps(package))
    repo.write("composer.lock", json.dumps(lock))
    for number in "12":
        repo.write("readme.txt", number)
        assert "composer called with: install" in await deployed(server, repo)


async def test_go_builds_every_program_into_bin(server, repo, stand_in):
    stand_in("go", "echo built > bin/site")
    repo.write("go.mod", "module site\n")
    assert "go called with: build -o bin/ ./..." in await deployed(server, repo)
    assert (server.paths.release(1) / "bin/site").read_text() == "built\n"


@pytest.mark.parametrize(
    ("files", "settings", "published"),
    [
        ({"Site.csproj": PROJECT.format(".Web")}, {}, "Site.csproj"),
        (
            {
                "All.sln": "",
                "src/Site/Site.csproj": PROJECT.format(".Web"),
                "test/Test.csproj": PROJECT.format(""),
            },
            {},
            "src/Site/Site.csproj",
        ),
        (
            {"a/A.csproj": PROJECT.format(".Web"), "b/B.csproj": PROJECT.format(".Web")},
            {"PROJECT": "b\\B.csproj"},
            "B.csproj",
        ),
    ],
)
async def test_a_dotnet_project_is_published_into_the_site(
    server, repo, stand_in, files, settings, published
):
    stand_in("dotnet", 'echo published > "$DEPLOYMENT_TARGET/site.dll"')
    for name, text in files.items():
        repo.write(name, text)
    await server.store.apps.merge_settings("demo", settings)
    text = await deployed(server, repo)
    release = await server.store.releases.active("demo")
    site = server.paths.release(1) / release.project
    assert f"dotnet called with: publish {published} -c Release -o {site} --nologo" in text
    assert (site / "site.dll").read_text() == "published\n"


async def test_of_two_projects_that_could_be_the_site_one_has_to_be_named(server, repo, stand_in):
    stand_in("dotnet")
    repo.write("All.sln", "")
    for name in "AB":
        repo.write(f"{name}/{name}.csproj", PROJECT.format(".Web"))
    record = await failed(server, repo)
    assert record["what"] == "Which project is the site can't be told: A/A.csproj, B/B.csproj."
    assert "PROJECT" in record["fix"]


@pytest.mark.parametrize(
    ("file", "program", "package"),
    [("go.mod", "go", "golang-go"), ("Site.csproj", "dotnet", "learn.microsoft.com")],
)
async def test_a_program_that_is_missing_is_named_with_how_to_get_it(
    server, repo, file, program, package
):
    if shutil.which(program) is not None:
        pytest.skip(f"{program} is installed here")
    repo.write(file, "")
    record = await failed(server, repo)
    assert record["what"] == f"{file} needs {program}, which isn't installed on the server."
    assert package in record["fix"]
    assert "SCM_DO_BUILD_DURING_DEPLOYMENT=false" in record["fix"]
