"""`gitdeploy serve`: the server in the foreground, until a signal."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from types import FrameType
from typing import Any

import click

from gitdeploy import config
from gitdeploy.cli.options import server_options
from gitdeploy.errors import GitdeployError


@click.command()
@server_options
def serve(**flags: Any) -> None:
    """Serve git, the jobs API and the dashboard from a home directory.

    Each option is also a variable GITDEPLOY_<OPTION> and a key of HOME/gitdeploy.toml; the order
    of strength is flag, variable, file, default. SIGTERM ends in good order, SIGHUP reads the
    options again.
    """
    signal.signal(signal.SIGTERM, _leave)
    signal.signal(signal.SIGHUP, signal.SIG_IGN)  # until the server can read its options again
    try:
        options = config.load(flags, os.environ)
        asyncio.run(_serve(options, flags))
    except GitdeployError as error:
        raise SystemExit(f"gitdeploy: {error}") from None


async def _serve(options: config.Options, flags: dict[str, Any]) -> None:
    os.umask(0o077)
    # a worker thread in Python code holds back the loop for so long (default 5 ms)
    sys.setswitchinterval(0.0005)
    ending = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, ending.set)
    hung_up = asyncio.Event()
    loop.add_signal_handler(signal.SIGHUP, hung_up.set)
    from gitdeploy.app import Server  # the rooms take half a second to import: not for --help

    await asyncio.sleep(0)  # a signal that came meanwhile is heard
    if ending.is_set():
        return
    server = Server(options)
    await server.start()
    loop.add_signal_handler(signal.SIGHUP, lambda: _reload(server, flags))
    if hung_up.is_set():
        _reload(server, flags)
    if server.made_admin_token:
        print(
            f"admin token (kept in {server.home.admin_token}): {server.admin_token}",
            file=sys.stderr,
        )
    if not ending.is_set():
        print(f"gitdeploy ready {server.url}", flush=True)
        notify("READY=1")
        await ending.wait()
    notify("STOPPING=1")
    await server.close(stop_jobs=True)


def _leave(number: int, frame: FrameType | None) -> None:
    """SIGTERM before there is anything to end."""
    raise SystemExit(0)


def _reload(server: Any, flags: dict[str, Any]) -> None:
    log = server.events.log
    try:
        fresh = config.load(flags, os.environ)
    except GitdeployError as error:
        log.error("config.refused", what=error.what, fix=error.fix)
        return
    changed, need_restart = config.reload(server.options, fresh)
    log.info("config.reloaded", changed=changed, need_restart=need_restart)


def notify(state: str) -> None:
    """Tell systemd (sd_notify(3)); nothing where NOTIFY_SOCKET is unset."""
    import socket

    address = os.environ.get("NOTIFY_SOCKET")
    if not address:
        return
    if address.startswith("@"):
        address = "\0" + address[1:]
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as sock:
        try:
            sock.connect(address)
            sock.sendall(state.encode())
        except OSError as error:
            print(f"gitdeploy: NOTIFY_SOCKET: {error}", file=sys.stderr)
