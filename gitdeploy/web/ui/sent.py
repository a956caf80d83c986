"""A form of a page that may bring a file (`multipart/form-data`) or a long text."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import NamedTuple

import aiofiles
from aiohttp import web

from gitdeploy.store.tokens import Scope
from gitdeploy.web import bodies
from gitdeploy.web.formfile import take_apart
from gitdeploy.web.incoming import boundary_of, spare
from gitdeploy.web.services import services_of
from gitdeploy.web.ui.forms import Form, check_form_token, read_form, require

_LONGEST_FIELD = 1 << 20


class Sent(NamedTuple):
    """A form's fields and its file: `file` is None where none was chosen. The file may be moved
    away; what is left of it goes with the block."""

    form: Form
    file: Path | None
    name: str


@asynccontextmanager
async def sent(request: web.Request, scope: Scope) -> AsyncIterator[Sent]:
    """What was sent by a form of ours. Raises what `read_form` and `bodies.pieces` raise."""
    if not request.content_type.startswith("multipart/"):
        yield Sent(await read_form(request, scope), None, "")
        return
    require(request, scope)
    limit = services_of(request).options.max_site_size
    file = spare(request)
    try:
        async with aiofiles.open(file, "wb") as out:
            async for piece in bodies.pieces(request, limit=limit, setting="max_site_size"):
                await out.write(piece)
        found = await asyncio.to_thread(
            take_apart, file, boundary_of(request), longest=_LONGEST_FIELD
        )
        form = Form(found.fields)
        check_form_token(request, form.get("form_token"))
        # a browser sends an empty file without a name where none was chosen
        name = found.filename.replace("\\", "/").rpartition("/")[2]
        yield Sent(form, file if name else None, name)
    finally:
        file.unlink(missing_ok=True)
