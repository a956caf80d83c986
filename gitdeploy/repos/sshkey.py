"""An app's deploy key: a pair that ssh-keygen makes, the private half readable by the server alone."""

from __future__ import annotations

import asyncio
import os
import secrets
import shutil
from pathlib import Path

from gitdeploy.errors import Invalid, Unavailable

_LONGEST = 16 << 10
_LIMIT = 30.0  # seconds; a key takes some ms


class DeployKey:
    """The pair `id` and `id.pub` in a directory of their own (mode 0700, made when needed)."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.private = directory / "id"
        self._public = directory / "id.pub"

    def public(self) -> str | None:
        """The public key as one line of an authorized_keys file; None where there is no pair."""
        try:
            return self._public.read_text("ascii").strip() if self.private.is_file() else None
        except FileNotFoundError:
            return None

    async def ensure(self, comment: str) -> str:
        """The public key, of a new pair where there is none. Raises Unavailable."""
        known = await asyncio.to_thread(self.public)
        if known is not None:
            return known
        temporary = await asyncio.to_thread(self._temporary)
        try:
            argv = ("-q", "-t", "ed25519", "-N", "", "-C", comment, "-f", str(temporary))
            code, words = await _ssh_keygen(*argv)
            if code != 0:
                raise Unavailable(f"ssh-keygen makes no key: {words.strip()[-200:]}.")
            public = temporary.with_name(temporary.name + ".pub").read_text("ascii").strip()
            await asyncio.to_thread(self._settle, temporary, public)
            return public
        finally:
            await asyncio.to_thread(_remove, temporary)

    async def replace(self, private: str) -> str:
        """Take over a private key without passphrase (PEM or OpenSSH's own form); its public half.

        Raises Invalid where it isn't one, Unavailable.
        """
        text = private.replace("\r\n", "\n").strip() + "\n"
        if len(text) > _LONGEST or not text.startswith("-----BEGIN ") or "\0" in text:
            raise Invalid("That isn't a private key.", "Send the file that ssh-keygen has made.")
        temporary = await asyncio.to_thread(self._temporary)
        try:
            await asyncio.to_thread(_write, temporary, text)
            code, words = await _ssh_keygen("-y", "-P", "", "-f", str(temporary))
            if code != 0 or not words.startswith(("ssh-", "ecdsa-", "sk-")):
                raise Invalid(
                    "ssh-keygen can't read that private key.",
                    "Is it whole, and without a passphrase?",
                )
            public = words.strip().splitlines()[0]
            await asyncio.to_thread(self._settle, temporary, public)
            return public
        finally:
            await asyncio.to_thread(_remove, temporary)

    def forget(self) -> None:
        """Remove the pair; harmless where there is none."""
        shutil.rmtree(self.directory, ignore_errors=True)

    def _temporary(self) -> Path:
        self.directory.mkdir(mode=0o700, exist_ok=True)
        return self.directory / f"new-{secrets.token_hex(8)}"

    def _settle(self, temporary: Path, public: str) -> None:
        """The public half goes first: a pair without it would have to be guessed at."""
        half = temporary.with_name(temporary.name + ".half")
        _write(half, public + "\n")
        half.replace(self._public)
        temporary.replace(self.private)


async def _ssh_keygen(*arguments: str) -> tuple[int, str]:
    """Exit code and output. Raises Unavailable where it isn't installed or hangs."""
    program = shutil.which("ssh-keygen")
    if program is None:
        raise Unavailable("ssh-keygen isn't installed.", "Install openssh-client on the server.")
    process = await asyncio.create_subprocess_exec(
        program,
        *arguments,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        env={"PATH": os.environ.get("PATH", os.defpath), "LC_ALL": "C", "HOME": "/nonexistent"},
        start_new_session=True,
    )
    try:
        async with asyncio.timeout(_LIMIT):
            output, _ = await process.communicate()
    except TimeoutError as error:
        raise Unavailable("ssh-keygen doesn't end.", "Try again.") from error
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    return process.returncode or 0, output.decode("utf-8", "replace")


def _write(path: Path, text: str) -> None:
    fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    with os.fdopen(fd, "w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(fd)


def _remove(temporary: Path) -> None:
    for path in temporary.parent.glob(temporary.name + "*"):
        path.unlink(missing_ok=True)
