"""The asking side of a fetch over ssh: OpenSSH as the carrier, an app's deploy key as who we are.

ssh reads no configuration of the machine or a user, asks nobody, runs nothing here, and connects to
an address that was judged, under the name by which its host key is remembered (ssh_config(5)).
"""

from __future__ import annotations

import asyncio
import os
import shutil
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from gitdeploy.net import LookUp, judged, system_look_up
from gitdeploy.repos.asking import silent
from gitdeploy.repos.location import FetchError, SshLocation
from gitdeploy.repos.piped import PipedRemote, first_words, over_pipes

_CONNECT = 30  # seconds
_TEMPORARY = (
    "connection refused",
    "connection timed out",
    "operation timed out",
    "timed out",
    "no route to host",
    "network is unreachable",
    "connection reset",
    "connection closed",
    "kex_exchange_identification",
    "banner exchange",
    "broken pipe",
    "too many",
)
_NOT_TRUSTED = ("host key verification failed", "remote host identification has changed")


@dataclass(frozen=True, slots=True)
class SshFiles:
    """What ssh works with: the app's private key, and where hosts' keys are remembered."""

    key: Path
    known_hosts: Path


def ssh_command(program: str, location: SshLocation, address: str, files: SshFiles) -> list[str]:
    """The argv that runs `git-upload-pack` there; run it in the directory of `known_hosts`.

    Both files are named from there, as ssh expands `%` and cuts at blanks in what it is given.
    """
    base = files.known_hosts.parent
    options = {
        "BatchMode": "yes",
        "StrictHostKeyChecking": "accept-new",
        "UserKnownHostsFile": files.known_hosts.name,
        "GlobalKnownHostsFile": "/dev/null",
        "HostKeyAlias": location.known_as,
        "CheckHostIP": "no",
        "UpdateHostKeys": "no",
        "IdentitiesOnly": "yes",
        "IdentityAgent": "none",
        "PreferredAuthentications": "publickey",
        "ConnectTimeout": str(_CONNECT),
        "ServerAliveInterval": "15",
        "ServerAliveCountMax": "4",
        "ProxyCommand": "none",
        "ProxyJump": "none",
        "ControlMaster": "no",
        "ControlPath": "none",
        "ClearAllForwardings": "yes",
        "ForwardAgent": "no",
        "ForwardX11": "no",
        "PermitLocalCommand": "no",
        "LogLevel": "ERROR",
    }
    argv = [program, "-F", "/dev/null", "-T", "-x", "-a"]
    for name, value in options.items():
        argv += ["-o", f"{name}={value}"]
    argv += ["-i", str(files.key.relative_to(base))]
    argv += ["-l", location.user, "-p", str(location.port), "--", address]
    return [*argv, f"git-upload-pack {_quoted(location.path)}"]


@asynccontextmanager
async def over_ssh(
    location: SshLocation,
    files: SshFiles | None,
    *,
    allow_private: bool,
    look_up: LookUp = system_look_up,
) -> AsyncIterator[PipedRemote]:
    """Connect with the app's key. Raises FetchError, AddressRefused."""
    program = shutil.which("ssh")
    if program is None:
        raise FetchError("ssh isn't installed.", "Install openssh-client, or fetch over https.")
    if files is None or not files.key.is_file():
        raise FetchError(
            f"{location} needs a deploy key, and the app has none.",
            "GET api/sshkey?ensurePublicKey=1 makes it; add what that answers to the repository.",
        )
    try:
        addresses = await judged(
            location.host,
            location.port,
            allow_private=allow_private,
            setting="allow_private_fetch",
            look_up=look_up,
        )
        address = await _answering(addresses, location.port)
    except TimeoutError as error:
        raise silent(location) from error
    except OSError as error:
        raise FetchError(
            f"{location} can't be reached: {(error.strerror or str(error)).lower()}.",
            "Is the address right, and the host up?",
            temporary=True,
        ) from error
    environment = {
        "PATH": os.environ.get("PATH", os.defpath),
        "LC_ALL": "C",
        "HOME": "/nonexistent",
    }
    async with over_pipes(
        ssh_command(program, location, address, files),
        location,
        env=environment,
        cwd=files.known_hosts.parent,
        explain=lambda words: explain(words, location, files),
    ) as remote:
        yield remote


def explain(words: str, location: SshLocation, files: SshFiles) -> FetchError:
    """Why ssh, or what it has run there, gave up."""
    lower = words.lower()
    if any(sign in lower for sign in _NOT_TRUSTED):
        return FetchError(
            f"{location} shows another host key than before.",
            "If that is right: ssh-keygen -R"
            f" '{location.known_as}' -f {files.known_hosts} on the server.",
        )
    if "permission denied" in lower or "publickey" in lower:
        return FetchError(
            f"{location} refuses the app's deploy key.",
            "Add what GET api/sshkey answers to the repository as a deploy key.",
        )
    if any(sign in lower for sign in _TEMPORARY):
        return FetchError(
            f"{location} can't be reached: {first_words(words)}.",
            "Is the address right, and the host up?",
            temporary=True,
        )
    return FetchError(
        f"{location} can't be fetched from: {first_words(words)}.",
        "Is the address right, and may the app's deploy key read it?",
    )


async def _answering(addresses: list[str], port: int) -> str:
    """The first address that takes a connection, where a name has several. Raises OSError."""
    if len(addresses) == 1:
        return addresses[0]
    failure: OSError = socket.gaierror(socket.EAI_NONAME, "it has no address")
    for address in addresses[:4]:
        try:
            async with asyncio.timeout(_CONNECT / 3):
                _, writer = await asyncio.open_connection(address, port)
        except OSError as error:
            failure = error
            continue
        writer.close()
        with suppress(OSError):
            await writer.wait_closed()
        return address
    raise failure


def _quoted(path: str) -> str:
    """As git's own sq_quote_buf, for the shell on the other side."""
    return "'" + path.replace("'", "'\\''").replace("!", "'\\!'") + "'"
