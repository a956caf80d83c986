"""Fetches: refs are told from our own listing, packs come from the answers kept on disk or from a
`git upload-pack` child (dulwich's generator where git isn't installed).

gitprotocol-http(5), gitprotocol-pack(5), gitprotocol-v2(5).
"""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Literal, cast

from dulwich.errors import GitProtocolError, HangupException
from dulwich.protocol import Protocol
from dulwich.repo import Repo
from dulwich.server import BackendRepo, DictBackend, UploadPackHandler

from gitdeploy import __version__
from gitdeploy.errors import Invalid, TooLarge
from gitdeploy.repos.cache import Write
from gitdeploy.repos.child import end, git_program, start_git
from gitdeploy.repos.lsrefs import NOTHING, advertisement, ls_refs
from gitdeploy.repos.pktline import FLUSH, pkt
from gitdeploy.repos.repository import Repository
from gitdeploy.repos.requests import fetch_digest, parse_command, wants_anything

Service = Literal["git-upload-pack", "git-receive-pack"]
Send = Callable[[bytes], Awaitable[None]]

AGENT = f"gitdeploy/{__version__}"
MAX_REQUEST = 10 << 20
"""Most bytes of a fetch's request; git's own http.maxRequestBuffer."""

_PIECE = 256 << 10
_UPLOAD = (
    "multi_ack thin-pack side-band side-band-64k ofs-delta shallow deepen-since deepen-not"
    " deepen-relative no-progress include-tag multi_ack_detailed no-done"
)
_UPLOAD_DULWICH = (
    "multi_ack thin-pack side-band-64k ofs-delta shallow no-progress include-tag"
    " multi_ack_detailed no-done"
)
_RECEIVE = "report-status report-status-v2 delete-refs side-band-64k atomic ofs-delta push-options"


def protocol_version(header: str | None) -> int:
    """The version that a client asks for in its `Git-Protocol` header: the highest known one."""
    versions = [0]
    for part in (header or "").split(":"):
        key, _, value = part.strip().partition("=")
        if key == "version" and value in ("0", "1", "2"):
            versions.append(int(value))
    return max(versions)


def served_version(service: Service, version: int) -> int:
    """The version that is answered in: pushes know no 2, and neither does dulwich's generator."""
    if version == 2 and (service == "git-receive-pack" or git_program() is None):
        return 0
    return version


def advertise(repository: Repository | None, service: Service, version: int) -> bytes:
    """The body of `info/refs`, smart-HTTP service header included (protocol 2 has none).

    `version` is what the client asked for; no repository at all is told as an empty one, for a
    push that is about to create it. Reads the disk: for a thread. One piece, however many refs.
    """
    version = served_version(service, version)
    if version == 2:
        lines = ("version 2", f"agent={AGENT}", "ls-refs=unborn", "fetch=shallow")
        return b"".join(pkt(f"{line}\n") for line in (*lines, "object-format=sha1")) + FLUSH
    listing = NOTHING if repository is None else repository.listings.get()
    common = f"object-format=sha1 agent={AGENT}"
    if service == "git-receive-pack":
        capabilities = f"{_RECEIVE} {common}"
    else:
        offered = _UPLOAD_DULWICH if git_program() is None else _UPLOAD
        symref = ""
        if listing.head is not None and listing.head_target is not None:
            symref = f"symref=HEAD:{listing.head_target} "
        capabilities = f"{offered} {symref}{common}"
    refs = advertisement(
        listing, capabilities, head_and_peeled=service == "git-upload-pack", version=version
    )
    return pkt(f"# service={service}\n") + FLUSH + refs


async def upload_pack(
    repository: Repository, body: AsyncIterator[bytes], send: Send, *, version: int
) -> None:
    """Answer one request to `git-upload-pack`; `version` is what the client asked for.

    Raises TooLarge and Invalid before anything was sent; whatever `send` raises ends the work for
    this client. What goes wrong later reaches the client as git's `ERR` packet.
    """
    request = await _collect(body)
    version = served_version("git-upload-pack", version)
    if version == 2:
        command = parse_command(request)
        if command is None:
            return
        if command.name == "ls-refs":
            listing = await asyncio.to_thread(repository.listings.get)
            await send(ls_refs(listing, command.arguments))
            return
        if command.name != "fetch":
            raise Invalid(f"There is no command {command.name[:40]!r}.", "Use ls-refs or fetch.")
    elif not wants_anything(request):
        return
    listing = await asyncio.to_thread(repository.listings.get)
    key = repository.app, fetch_digest(listing.fingerprint, version, request)

    async def produce(write: Write) -> bool:
        program = git_program()
        if program is None:
            whole = await _from_dulwich(repository, request, write)
        else:
            whole = await _from_git(program, repository, request, version, write)
        if not whole:
            return False
        after = await asyncio.to_thread(repository.listings.get)
        return after.fingerprint == listing.fingerprint

    async with contextlib.aclosing(repository.answers.read(key, produce)) as pieces:
        async for piece in pieces:
            await send(piece)


async def _collect(body: AsyncIterator[bytes]) -> bytes:
    parts: list[bytes] = []
    size = 0
    async for part in body:
        size += len(part)
        if size > MAX_REQUEST:
            raise TooLarge(f"A fetch's request is over {MAX_REQUEST} bytes.", "Fetch less at once.")
        parts.append(part)
    return b"".join(parts)


async def _from_git(
    program: str, repository: Repository, request: bytes, version: int, write: Write
) -> bool:
    """Stream a child's answer; True where it ended well."""
    arguments = ("upload-pack", "--stateless-rpc", str(repository.path))
    process = await start_git(program, repository.path, *arguments, protocol=version)
    assert process.stdin is not None and process.stdout is not None and process.stderr is not None
    reader = asyncio.create_task(process.stderr.read())
    feeder = asyncio.create_task(_feed(process.stdin, request))
    sent = False
    try:
        while piece := await process.stdout.read(_PIECE):
            await write(piece)
            sent = True
        await feeder
        code = await process.wait()
        words = (await reader).decode("utf-8", "replace").strip()
    finally:
        feeder.cancel()
        reader.cancel()
        await end(process)
    if code == 0:
        return True
    repository.log.warning("fetch.refused", exit_code=code, what=words[-400:])
    if not sent:
        await write(pkt("ERR The repository can't be read now; see the server's log.\n"))
    return False


async def _feed(stdin: asyncio.StreamWriter, request: bytes) -> None:
    try:
        stdin.write(request)
        await stdin.drain()
        stdin.close()
        await stdin.wait_closed()
    except ConnectionError:  # the child has read what it needs and gone
        pass


async def _from_dulwich(repository: Repository, request: bytes, write: Write) -> bool:
    """The same from dulwich's handler, in a thread; about three times slower, protocol 0 only."""
    loop = asyncio.get_running_loop()
    gone = threading.Event()

    def hand_over(data: bytes) -> int:
        if gone.is_set():
            raise HangupException()
        asyncio.run_coroutine_threadsafe(_write_all(write, data), loop).result()
        return len(data)

    def work() -> str:
        buffered = _Buffered(hand_over)
        position = memoryview(request)

        def read(size: int) -> bytes:
            nonlocal position
            piece, position = bytes(position[:size]), position[size:]
            return piece

        with contextlib.closing(Repo(str(repository.path))) as repo:
            backend = DictBackend(cast("dict[str, BackendRepo]", {"/": repo}))
            protocol = Protocol(read, buffered.write)
            try:
                UploadPackHandler(backend, ["/"], protocol, stateless_rpc=True).handle()
            except HangupException:
                if gone.is_set():
                    return ""
                # else the end of a round of negotiation: the client comes again
            except (GitProtocolError, KeyError, ValueError) as error:
                return str(error) or type(error).__name__
            buffered.flush()
        return ""

    try:
        problem = await asyncio.to_thread(work)
    finally:
        gone.set()
    if problem:
        repository.log.warning("fetch.refused", what=problem[-400:])
        await write(pkt(f"ERR upload-pack: {problem[:200]}\n"))
    return not problem


async def _write_all(write: Write, data: bytes) -> None:
    await write(data)


class _Buffered:
    """Collects dulwich's many small writes into few."""

    def __init__(self, write: Callable[[bytes], int]) -> None:
        self._write = write
        self._parts: list[bytes] = []
        self._size = 0

    def write(self, data: bytes) -> int:
        self._parts.append(data)
        self._size += len(data)
        if self._size >= _PIECE:
            self.flush()
        return len(data)

    def flush(self) -> None:
        if self._parts:
            self._write(b"".join(self._parts))
            self._parts, self._size = [], 0
