"""Jobs with needs of their own."""

from __future__ import annotations

import json
import shutil

import pytest

from gitdeploy.supervise import RunRequest
from tests.integration.deploy.builds.conftest import APP, deployed, failed, job, output, wheel
from tests.support import eventually

IMPORT = """\
import time
try:
    import foo
    print("foo", foo.VALUE, flush=True)
except ImportError:
    print("no foo", flush=True)
time.sleep(99)
"""
MAIL = "App_Data/jobs/continuous/mail"


@pytest.fixture(autouse=True)
def offline(server):
    server.environ |= {"PIP_NO_INDEX": "1", "UV_OFFLINE": "1"}


def need(repo, value: int, folder: str = MAIL) -> None:
    repo.write(f"{folder}/foo-1.0-py3-none-any.whl", wheel(value=value))
    repo.write(f"{folder}/requirements.txt", "./foo-1.0-py3-none-any.whl\n")


async def test_a_jobs_requirements_are_its_own_and_restart_it_alone(server, repo):
    job(repo, "mail", IMPORT)
    job(repo, "other", IMPORT)
    need(repo, 1)
    text = await deployed(server, repo)
    assert "continuous/mail: requirements.txt installed with" in text
    await eventually(lambda: "foo 1" in output(server, "continuous", "mail"))
    await eventually(lambda: "no foo" in output(server, "continuous", "other"))
    mail, other = server.pid("mail"), server.pid("other")

    repo.write("README.md", "words")
    assert "continuous/mail: python environment" in await deployed(server, repo)
    assert (server.pid("mail"), server.pid("other")) == (mail, other)

    need(repo, 2)
    text = await deployed(server, repo)
    assert "~ continuous/mail" in text
    await eventually(lambda: "foo 2" in output(server, "continuous", "mail"))
    assert server.pid("other") == other
    assert (await server.store.releases.active(APP)).environment is None


async def test_the_environment_of_a_job_stands_in_for_the_sites(server, repo):
    job(repo, "mail", IMPORT)
    job(repo, "other", IMPORT)
    need(repo, 1, ".")
    repo.write(f"{MAIL}/requirements.txt", "# nothing\n")
    await deployed(server, repo)
    await eventually(lambda: "no foo" in output(server, "continuous", "mail"))
    await eventually(lambda: "foo 1" in output(server, "continuous", "other"))


async def test_a_jobs_environment_stays_as_long_as_a_release_needs_it(make_server):
    server = await make_server(keep_releases=1)
    server.environ |= {"PIP_NO_INDEX": "1", "UV_OFFLINE": "1"}
    repo = await server.app()
    job(repo, "mail", IMPORT)
    need(repo, 1)
    await deployed(server, repo)
    first = repo.head()
    [environment] = server.paths.environments.iterdir()
    repo.write("README.md", "words")
    await deployed(server, repo)
    assert environment.is_dir(), "the release before is still lived in"
    need(repo, 2)
    await deployed(server, repo)
    repo.write("README.md", "more words")
    await deployed(server, repo)
    assert not environment.exists()
    row = await server.deploy(first)
    assert row.status == "success"
    assert environment.is_dir()


async def test_a_kept_release_is_rolled_back_to_with_its_jobs_environment(server, repo):
    job(repo, "mail", IMPORT)
    need(repo, 1)
    await deployed(server, repo)
    first = repo.head()
    need(repo, 2)
    await deployed(server, repo)
    await eventually(lambda: "foo 2" in output(server, "continuous", "mail"))
    row = await server.deploy(first)
    assert row.status == "success"
    await eventually(lambda: output(server, "continuous", "mail").endswith("foo 1\n"))


async def test_included_files_may_be_shared_by_jobs(server, repo):
    job(repo, "mail", IMPORT)
    repo.write("common/common.txt", "# nothing yet\n")
    repo.write(f"{MAIL}/requirements.txt", "-r ../../../../common/common.txt\n")
    await deployed(server, repo)
    await eventually(lambda: "no foo" in output(server, "continuous", "mail"))
    repo.write("common/common.txt", "./common/foo-1.0-py3-none-any.whl\n")
    record = await failed(server, repo)
    assert "install -r requirements.txt ended with" in record["what"]
    repo.write(f"{MAIL}/requirements.txt", "-r ../../../../../out.txt\n")
    record = await failed(server, repo)
    assert record["what"].startswith(f"{MAIL}/requirements.txt, line 1:")


async def test_a_jobs_package_json_brings_its_modules(server, repo):
    if shutil.which("npm") is None:
        pytest.skip("npm isn't installed here")
    folder = "App_Data/jobs/triggered/mail"
    repo.job("triggered/mail", "console.log(require('y'))\n", "run.js")
    repo.write(f"{folder}/package.json", json.dumps({"dependencies": {"y": "file:./y"}}))
    repo.write(f"{folder}/y/package.json", json.dumps({"name": "y", "version": "1.0.0"}))
    repo.write(f"{folder}/y/index.js", "module.exports = 'why'\n")
    assert "triggered/mail: npm install" in await deployed(server, repo)
    run = await server.supervisor.run(APP, "mail", RunRequest(trigger="test"))
    await server.supervisor.wait_ended(run)
    assert output(server, "triggered", "mail") == "why\n"
