"""A real sshd for a test: on a free port of loopback, with a host key and users' keys of its own."""

from __future__ import annotations

import asyncio
import getpass
import os
import shutil
import socket
import subprocess
from pathlib import Path
from urllib.parse import quote

from tests.support import eventually

SSHD = shutil.which("sshd") or (p if Path(p := "/usr/sbin/sshd").exists() else None)
"""The program; None where it isn't installed."""


class Sshd:
    """Lets the test's own user in with the keys in `authorized`."""

    def __init__(self, directory: Path) -> None:
        directory.mkdir(mode=0o700)
        self.directory = directory
        self.authorized = directory / "authorized_keys"
        self.authorized.touch(0o600)
        self.log = directory / "log"
        self.user = getpass.getuser()
        self.port = _free_port()
        self._settled = False
        self._process: subprocess.Popen[bytes] | None = None
        self.new_host_key()

    def url(self, repository: Path) -> str:
        return f"ssh://{self.user}@127.0.0.1:{self.port}{quote(str(repository))}"

    def authorize(self, *keys: str) -> None:
        self.authorized.write_text("".join(f"{key}\n" for key in keys))

    def new_host_key(self) -> None:
        for path in self.directory.glob("host_key*"):
            path.unlink()
        subprocess.run(
            ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(self.directory / "host_key")],
            check=True,
        )

    async def start(self) -> None:
        assert SSHD is not None
        if os.getuid() == 0:
            Path("/run/sshd").mkdir(mode=0o755, exist_ok=True)
        for _ in range(5):
            if await self._listens():
                self._settled = True
                return
            assert not self._settled, self.log.read_text()
            self.port = _free_port()  # somebody was quicker
        raise AssertionError(self.log.read_text())

    async def _listens(self) -> bool:
        """Start it; False where it ends by itself."""
        assert SSHD is not None
        config = self.directory / "config"
        config.write_text(
            f"""\
ListenAddress 127.0.0.1
Port {self.port}
HostKey {self.directory}/host_key
AuthorizedKeysFile {self.authorized}
PidFile none
StrictModes no
UsePAM no
PasswordAuthentication no
KbdInteractiveAuthentication no
PermitRootLogin yes
MaxStartups 100
LogLevel VERBOSE
"""
        )
        with self.log.open("wb") as log:
            process = self._process = subprocess.Popen(
                [SSHD, "-D", "-e", "-f", str(config)],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )
        await eventually(
            lambda: process.poll() is not None or "Server listening" in self.log.read_text(),
            what="sshd listens",
        )
        return process.poll() is None

    async def stop(self) -> None:
        if self._process is not None:
            self._process.terminate()
            await asyncio.to_thread(self._process.wait, 20)
            self._process = None


def _free_port() -> int:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return int(sock.getsockname()[1])
