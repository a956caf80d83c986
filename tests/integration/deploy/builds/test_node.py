"""Node: real npm against a registry of the test's own; stand-ins for pnpm and yarn."""

from __future__ import annotations

import base64
import hashlib
import json
import shutil
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from tests.integration.deploy.builds.conftest import deployed, failed, npm_package

pytestmark = pytest.mark.skipif(shutil.which("npm") is None, reason="npm isn't installed here")


class Registry:
    """Serves one tarball for each package, and counts."""

    def __init__(self) -> None:
        self.tarballs: dict[str, bytes] = {}
        self.asked: list[str] = []
        registry = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                registry.asked.append(self.path)
                data = registry.tarballs.get(self.path.split("/")[1])
                self.send_response(200 if data else 404)
                self.send_header("Content-Length", str(len(data or b"")))
                self.end_headers()
                self.wfile.write(data or b"")

            def log_message(self, *_: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"

    def lock(self, **packages: str) -> dict:
        """A package-lock.json of packages by name and what they export."""
        entries: dict[str, dict] = {"": {"dependencies": dict.fromkeys(packages, "1.0.0")}}
        for name, value in packages.items():
            data = self.tarballs[name] = npm_package(name, value)
            digest = base64.b64encode(hashlib.sha512(data).digest()).decode()
            entries[f"node_modules/{name}"] = {
                "version": "1.0.0",
                "resolved": f"{self.url}/{name}/-/{name}-1.0.0.tgz",
                "integrity": f"sha512-{digest}",
            }
        return {"name": "x", "lockfileVersion": 3, "requires": True, "packages": entries}


@pytest.fixture
def registry(server) -> Iterator[Registry]:
    registry = Registry()
    server.environ |= {"NPM_CONFIG_REGISTRY": registry.url, "NPM_CONFIG_FETCH_RETRIES": "0"}
    thread = threading.Thread(target=registry.server.serve_forever, daemon=True)
    thread.start()
    yield registry
    registry.server.shutdown()
    registry.server.server_close()
    thread.join()


def package(repo, registry: Registry, *, scripts: dict[str, str] | None = None, **packages) -> None:
    content = {"name": "x", "dependencies": dict.fromkeys(packages, "1.0.0")}
    repo.write("package.json", json.dumps({**content, "scripts": scripts or {}}))
    repo.write("package-lock.json", json.dumps(registry.lock(**packages)))


async def test_a_second_release_with_the_same_lock_file_installs_nothing(server, repo, registry):
    package(repo, registry, why="because")
    assert "$ npm ci" in await deployed(server, repo)
    first = server.paths.release(1) / "node_modules/why/i.js"
    assert "because" in first.read_text()

    repo.write("readme.txt", "words")
    text = await deployed(server, repo)
    assert "node_modules as before" in text
    assert "npm ci" not in text
    second = server.paths.release(2) / "node_modules/why/i.js"
    assert second.read_text() == first.read_text()
    assert not second.stat().st_mode & 0o222, "a file that releases may share is read-only"

    package(repo, registry, why="otherwise")
    assert "$ npm ci" in await deployed(server, repo)
    assert "otherwise" in (server.paths.release(3) / "node_modules/why/i.js").read_text()
    assert "because" in first.read_text()
    assert len(list(server.paths.modules.iterdir())) == 2


async def test_what_a_build_script_writes_to_its_modules_spoils_no_other_release(
    server, repo, registry
):
    write = "node -e \"require('fs').appendFileSync('node_modules/why/i.js', '// spoilt')\""
    package(repo, registry, scripts={"build": write, "build:azure": "echo for azure"}, why="1")
    text = await deployed(server, repo)
    assert text.index("$ npm ci") < text.index("$ npm run build\n") < text.index("build:azure")
    assert "for azure" in text
    repo.write("readme.txt", "words")
    text = await deployed(server, repo)
    assert "node_modules as before, npm run build, npm run build:azure" in text
    spoilt = (server.paths.release(2) / "node_modules/why/i.js").read_text()
    assert spoilt.count("spoilt") == 1, "each release has its own file"
    [kept] = server.paths.modules.iterdir()
    assert "spoilt" not in (kept / "why/i.js").read_text()


async def test_a_clean_deployment_installs_anew_and_keeps_that(server, repo, registry):
    package(repo, registry, why="1")
    await deployed(server, repo)
    [before] = server.paths.modules.iterdir()
    (before / "why/i.js").chmod(0o644)
    (before / "why/i.js").write_text("broken")
    row = await server.deploy(repo.head(), clean=True)
    assert row.status == "success"
    [after] = server.paths.modules.iterdir()
    assert "broken" not in (after / "why/i.js").read_text()


async def test_a_failed_install_keeps_nothing_and_names_the_reason(server, repo, registry):
    package(repo, registry, why="1")
    registry.tarballs.clear()
    record = await failed(server, repo)
    assert "npm ci ended with exit code" in record["what"]
    assert any("404" in line for line in record["tail"])
    assert list(server.paths.modules.iterdir()) == []


async def test_the_modules_of_a_post_build_command_are_its_own(server, repo, registry):
    repo.write(".deployment", "[config]\nPOST_BUILD_COMMAND = chmod u+w node_modules/why/i.js\n")
    package(repo, registry, why="1")
    await deployed(server, repo)
    repo.write("readme.txt", "words")
    assert "node_modules as before" in await deployed(server, repo)
    one, two = (server.paths.release(n) / "node_modules/why/i.js" for n in (1, 2))
    assert one.stat().st_ino != two.stat().st_ino


@pytest.mark.parametrize(
    ("lock", "text", "tool", "words"),
    [
        ("pnpm-lock.yaml", "lockfileVersion: '9.0'\n", "pnpm", "install --frozen-lockfile"),
        ("yarn.lock", "# yarn lockfile v1\n", "yarn", "install --frozen-lockfile"),
        ("yarn.lock", "__metadata:\n  version: 8\n", "yarn", "install --immutable"),
    ],
)
async def test_other_package_managers_are_called_for_their_lock_files(
    server, repo, stand_in, lock, text, tool, words
):
    stand_in(tool, "mkdir -p node_modules/a; echo made > node_modules/a/i.js")
    scripts = {"build": "x"}
    repo.write("package.json", json.dumps({"dependencies": {"a": "1"}, "scripts": scripts}))
    repo.write(lock, text)
    said = await deployed(server, repo)
    assert f"{tool} called with: {words}" in said
    assert f"{tool} called with: run build" in said
    repo.write("readme.txt", "words")
    said = await deployed(server, repo)
    assert ("node_modules as before" in said) is ("__metadata" not in text)
    assert (server.paths.release(2) / "node_modules/a/i.js").read_text() == "made\n"


async def test_a_package_manager_that_is_missing_is_named_with_how_to_get_it(server, repo):
    if shutil.which("pnpm") is not None:
        pytest.skip("pnpm is installed here")
    repo.write("package.json", json.dumps({"dependencies": {"a": "1"}}))
    repo.write("pnpm-lock.yaml", "")
    record = await failed(server, repo)
    assert record["what"] == "pnpm-lock.yaml needs pnpm, which isn't installed on the server."
    assert "npm install -g pnpm" in record["fix"]
    await server.store.apps.merge_settings("demo", {"SCM_DO_BUILD_DURING_DEPLOYMENT": "false"})
    await deployed(server, repo)
