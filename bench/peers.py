"""The peers, started for real: nginx + fcgiwrap + git http-backend, webhook; and our server."""

from __future__ import annotations

import base64
import http.client
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

TOKEN = "gd_" + "b" * 43
GIT = {
    "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_CONFIG_GLOBAL": os.devnull,
    "GIT_TERMINAL_PROMPT": "0",
    "GIT_AUTHOR_NAME": "Bench",
    "GIT_AUTHOR_EMAIL": "bench@example.org",
    "GIT_COMMITTER_NAME": "Bench",
    "GIT_COMMITTER_EMAIL": "bench@example.org",
}


def git(directory: Path, *arguments: str) -> str:
    """Run git without this machine's configuration."""
    done = subprocess.run(
        ["git", *arguments],
        cwd=directory,
        env={**os.environ, **GIT},
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout + done.stderr


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as sock:
        return int(sock.getsockname()[1])


def wait_for_port(port: int) -> None:
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
            return
        except OSError:
            time.sleep(0.05)
    raise SystemExit(f"nothing listens on port {port}")


class Ours:
    """A `gitdeploy serve` process."""

    def __init__(self, url: str, pid: int, home: Path) -> None:
        self.url = url
        self.pid = pid
        self.home = home
        self.port = int(url.rsplit(":", 1)[1])

    def remote(self, app: str) -> str:
        return self.url.replace("://", f"://x:{TOKEN}@") + f"/{app}.git"

    def headers(self) -> dict[str, str]:
        credentials = base64.b64encode(f"x:{TOKEN}".encode()).decode()
        return {"Authorization": f"Basic {credentials}"}

    def call(self, method: str, path: str, body: Any = None) -> Any:
        """One JSON request on a connection of its own."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        data = None if body is None else json.dumps(body)
        connection.request(method, path, data, self.headers())
        response = connection.getresponse()
        text = response.read().decode()
        connection.close()
        if response.status >= 300:
            raise SystemExit(f"{method} {path}: {response.status} {text}")
        return json.loads(text) if text.startswith(("{", "[")) else text


@contextmanager
def ours(directory: Path, *arguments: str) -> Iterator[Ours]:
    """Our server with a home below `directory`, ended with the block."""
    home = directory / "ours"
    environment = {k: v for k, v in os.environ.items() if not k.startswith("GITDEPLOY_")}
    with (directory / "ours.log").open("w") as log:
        process = subprocess.Popen(
            [
                sys.executable,
                "-m",
                "gitdeploy",
                "serve",
                "--home",
                str(home),
                "--listen",
                "127.0.0.1:0",
                *arguments,
            ],
            env={**environment, "GITDEPLOY_ADMIN_TOKEN": TOKEN},
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
        )
    try:
        assert process.stdout is not None
        line = process.stdout.readline()
        if not line:
            raise SystemExit((directory / "ours.log").read_text())
        yield Ours(line.split()[-1], process.pid, home)
    finally:
        process.terminate()
        process.wait(timeout=60)


@contextmanager
def nginx(directory: Path) -> Iterator[tuple[str, Path]]:
    """nginx + fcgiwrap + git http-backend over `directory/nginx/*.git`; its base
    address with the credentials, and the root."""
    root = directory / "nginx"
    root.mkdir()
    backend = Path(git(directory, "--exec-path").strip()) / "git-http-backend"
    fcgi, port = root / "fcgi.sock", free_port()
    (root / "nginx.conf").write_text(
        f"""
daemon off; worker_processes 1; pid {root}/pid; error_log {root}/error.log;
user root;
events {{ worker_connections 64; }}
http {{
    access_log off; client_max_body_size 0; client_body_temp_path {root}/body;
    fastcgi_temp_path {root}/fastcgi; proxy_temp_path {root}/proxy;
    uwsgi_temp_path {root}/uwsgi; scgi_temp_path {root}/scgi;
    server {{
        listen 127.0.0.1:{port};
        location / {{
            auth_basic bench; auth_basic_user_file {root}/users;
            fastcgi_pass unix:{fcgi};
            fastcgi_param SCRIPT_FILENAME {backend};
            fastcgi_param GIT_HTTP_EXPORT_ALL ""; fastcgi_param GIT_PROJECT_ROOT {root};
            fastcgi_param PATH_INFO $uri; fastcgi_param QUERY_STRING $query_string;
            fastcgi_param REQUEST_METHOD $request_method; fastcgi_param CONTENT_TYPE $content_type;
            fastcgi_param CONTENT_LENGTH $content_length; fastcgi_param REMOTE_USER bench;
            fastcgi_param REMOTE_ADDR $remote_addr; fastcgi_param GIT_PROTOCOL $http_git_protocol;
            fastcgi_param HOME {root}; fastcgi_param PATH $HOST_PATH;
        }}
    }}
}}
""".replace("$HOST_PATH", os.environ["PATH"])
    )
    (root / "users").write_text(f"x:{{PLAIN}}{TOKEN}\n")  # both ask for a password
    wrapper = subprocess.Popen(
        [shutil.which("fcgiwrap") or "/usr/sbin/fcgiwrap", "-c", "2", "-s", f"unix:{fcgi}"],
        env={**os.environ, **GIT},
        stdout=subprocess.DEVNULL,
        start_new_session=True,  # it forks: its children are ended by their group
    )
    server = subprocess.Popen(
        [shutil.which("nginx") or "/usr/sbin/nginx", "-c", str(root / "nginx.conf")],
        stderr=subprocess.DEVNULL,
    )
    try:
        wait_for_port(port)
        yield f"http://x:{TOKEN}@127.0.0.1:{port}", root
    finally:
        server.terminate()
        server.wait(timeout=20)
        os.killpg(wrapper.pid, signal.SIGTERM)
        wrapper.wait(timeout=20)


def bare(root: Path, name: str) -> Path:
    """A bare repository that takes pushes over HTTP."""
    git(root, "init", "-q", "--bare", "-b", "main", name)
    git(root / name, "config", "http.receivepack", "true")
    return root / name


@contextmanager
def webhook(directory: Path, script: Path) -> Iterator[int]:
    """Debian's webhook, waiting for the command and answering with its output; its port."""
    port = free_port()
    hooks = directory / "hooks.json"
    hooks.write_text(
        json.dumps(
            [
                {
                    "id": "run",
                    "execute-command": str(script),
                    "command-working-directory": str(directory),
                    "include-command-output-in-response": True,
                }
            ]
        )
    )
    process = subprocess.Popen(
        ["webhook", "-hooks", str(hooks), "-ip", "127.0.0.1", "-port", str(port)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        wait_for_port(port)
        yield port
    finally:
        process.terminate()
        process.wait(timeout=20)
