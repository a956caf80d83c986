"""A zip or file that is fetched from an address which the caller names (Kudu's `packageUri`)."""

from __future__ import annotations

from pathlib import Path

import aiofiles
import aiohttp
from yarl import URL

from gitdeploy.errors import Invalid
from gitdeploy.net.addresses import AddressRefused
from gitdeploy.net.outgoing import MAX_REDIRECTS, shown, target, without_credentials
from gitdeploy.net.pinned import Pinned, pinned
from gitdeploy.web.bodies import too_large

_TIMEOUT = aiohttp.ClientTimeout(total=1800, connect=10, sock_read=60)
_REDIRECTS = frozenset({301, 302, 303, 307, 308})


async def download(url: str, file: Path, *, limit: int, setting: str, allow_private: bool) -> None:
    """Write what is at the address to the file, at most `limit` bytes.

    The address is judged as fetches' are, and so is each redirect's. Raises Invalid saying what
    went wrong, TooLarge naming `setting`.
    """
    at = target(url)
    try:
        async with pinned(
            allow_private=allow_private,
            setting="allow_private_fetch",
            timeout=_TIMEOUT,
            bare=True,
            decompress=False,
        ) as client:
            for _ in range(MAX_REDIRECTS + 1):
                there = await _get(client, at, file, limit=limit, setting=setting)
                if there is None:
                    return
                at = there
    except AddressRefused as error:
        raise Invalid(error.what, error.fix) from error
    except (aiohttp.ClientError, TimeoutError) as error:
        kind = "took too long" if isinstance(error, TimeoutError) else "can't be fetched whole"
        raise Invalid(f"packageUri: {shown(at)} {kind}.", "Try again, or send the file.") from error
    raise Invalid(f"packageUri: {shown(url)} redirects too often.", "Give the last address.")


async def _get(client: Pinned, at: URL, file: Path, *, limit: int, setting: str) -> URL | None:
    """Ask once; where a redirect leads, or None where all of it is in the file."""
    plain, authorization = without_credentials(at)
    headers = {"Authorization": authorization} if authorization else {}
    async with client.request("GET", plain, headers=headers) as response:
        if response.status in _REDIRECTS and "Location" in response.headers:
            there = _there(plain, response.headers["Location"])
            if plain.scheme == "https" and there.scheme != "https":
                raise Invalid(f"packageUri: {shown(at)} redirects from https to http.")
            return there
        if response.status != 200:
            raise Invalid(
                f"packageUri: {shown(at)} answers {response.status}.", "Is the address still good?"
            )
        total = 0
        async with aiofiles.open(file, "wb") as out:
            async for piece in response.content.iter_any():
                total += len(piece)
                if total > limit:
                    raise too_large(limit, setting)
                await out.write(piece)
    return None


def _there(at: URL, location: str) -> URL:
    """Where a redirect leads. Raises Invalid."""
    try:
        return target(str(at.join(URL(location))))
    except ValueError as error:
        raise Invalid(f"packageUri: {shown(at)} redirects to what isn't a URL.") from error
