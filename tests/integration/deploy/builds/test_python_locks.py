"""Lock files of poetry and pipenv, with their programs (stand-ins) and without."""

from __future__ import annotations

import hashlib
import json
import shutil

import pytest

from gitdeploy.deploy.builds import installers
from tests.integration.deploy.builds.conftest import deployed, failed, job, output, wheel
from tests.support import eventually

JOB = "import time\nimport foo\nprint('foo', foo.VALUE, flush=True)\ntime.sleep(99)\n"
WHEEL = "wheels/foo-1.0-py3-none-any.whl"
INSTALL = 'echo "VALUE = 7" > $(echo "$VIRTUAL_ENV"/lib/python3*/site-packages)/foo.py'


@pytest.fixture
def without_poetry(server):
    for program in ("poetry", "pipenv"):
        if shutil.which(program) is not None:
            pytest.skip(f"{program} is installed here")
    server.environ |= {"PIP_NO_INDEX": "1", "UV_OFFLINE": "1"}
    server.environ |= {"PIP_FIND_LINKS": "wheels", "UV_FIND_LINKS": "wheels"}


def poetry(repo, *, project: bool) -> None:
    named = '[project]\nname = "x"\nversion = "1"\ndependencies = ["foo"]\n'
    repo.write("pyproject.toml", named if project else "[tool.poetry]\npackage-mode = false\n")
    repo.write("poetry.lock", '[[package]]\nname = "foo"\nversion = "1.0"\n')


def pipenv(repo, **package: object) -> None:
    digest = hashlib.sha256(wheel()).hexdigest()
    foo = {"version": "==1.0", "hashes": [f"sha256:{digest}"], **package}
    meta = {"sources": [{"name": "pypi", "url": "https://pypi.org/simple"}]}
    repo.write("Pipfile", '[packages]\nfoo = "*"\n')
    repo.write("Pipfile.lock", json.dumps({"_meta": meta, "default": {"foo": foo}}))


async def test_poetry_installs_its_lock_file_into_the_environment(server, repo, stand_in):
    stand_in("poetry", INSTALL)
    poetry(repo, project=True)
    job(repo, "t", JOB)
    text = await deployed(server, repo)
    assert "poetry called with: install --no-interaction --only main --no-root" in text
    assert "poetry.lock installed with poetry" in text
    await eventually(lambda: "foo 7" in output(server, "continuous", "t"))
    repo.write("README.md", "words")
    assert "reused" in await deployed(server, repo)


async def test_without_poetry_the_project_is_installed_with_a_warning(server, repo, without_poetry):
    repo.write(WHEEL, wheel())
    poetry(repo, project=True)
    job(repo, "t", JOB)
    text = await deployed(server, repo)
    assert "poetry.lock isn't used, as poetry isn't installed here." in text
    assert "pyproject.toml installed with" in text
    await eventually(lambda: "foo 1" in output(server, "continuous", "t"))


async def test_what_only_poetry_understands_fails_with_how_to_get_it(server, repo, without_poetry):
    poetry(repo, project=False)
    record = await failed(server, repo)
    assert record["what"] == "poetry.lock needs poetry, which isn't installed on the server."
    assert "pipx install poetry" in record["fix"]


async def test_pipenv_installs_its_lock_file_into_the_environment(server, repo, stand_in):
    stand_in("pipenv", INSTALL)
    pipenv(repo)
    job(repo, "t", JOB)
    text = await deployed(server, repo)
    assert "pipenv called with: sync" in text
    assert "Pipfile.lock installed with pipenv" in text
    await eventually(lambda: "foo 7" in output(server, "continuous", "t"))


@pytest.mark.parametrize("tool", ["uv", "pip"])
async def test_without_pipenv_what_is_locked_is_installed_all_the_same(
    server, repo, without_poetry, tool, monkeypatch
):
    if tool == "pip":
        monkeypatch.setattr(installers, "find_uv", lambda environ: None)
    elif installers.find_uv(server.environ) is None:
        pytest.skip("uv isn't installed here")
    repo.write(WHEEL, wheel())
    pipenv(repo)
    job(repo, "t", JOB)
    assert f"Pipfile.lock installed with {tool}" in await deployed(server, repo)
    await eventually(lambda: "foo 1" in output(server, "continuous", "t"))


async def test_a_package_that_is_not_the_locked_one_is_refused(server, repo, without_poetry):
    repo.write(WHEEL, wheel(value=2))
    pipenv(repo, hashes=["sha256:" + "0" * 64])
    record = await failed(server, repo)
    assert "Pipfile.lock ended with exit code" in record["what"]


async def test_a_locked_package_from_a_repository_needs_pipenv(server, repo, without_poetry):
    pipenv(repo, git="https://example.org/foo.git")
    record = await failed(server, repo)
    assert record["what"] == "Pipfile.lock needs pipenv, which isn't installed on the server."
