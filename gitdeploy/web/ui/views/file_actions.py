"""Change an app's files from a page: save a text, upload a file, make a directory, delete.

In `data/` it is done in place, below `site/wwwroot/` by a new release. A file that was changed
meanwhile is not written over: the reader sees both and decides.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from aiohttp import web

from gitdeploy.errors import Conflict, GitdeployError, Invalid, TooLarge
from gitdeploy.web.auth import access_of
from gitdeploy.web.errors import PreconditionFailed, status_of
from gitdeploy.web.files import Listed, OpenFile
from gitdeploy.web.incoming import spare
from gitdeploy.web.kudu.file_change import check_new, known_place, make_folder, remove, write_file
from gitdeploy.web.kudu.found import close
from gitdeploy.web.kudu.place import tree_of, writable_tag
from gitdeploy.web.placing import Check
from gitdeploy.web.route import HTML, Answer, Body, Route
from gitdeploy.web.ui.forms import goes_on
from gitdeploy.web.ui.render import show_of
from gitdeploy.web.ui.sent import Sent, sent
from gitdeploy.web.ui.text_file import EDITABLE, as_bytes, read_text
from gitdeploy.web.ui.views.files import Facts, Where, address, file_page, folder_page, where

_REFUSED = 500  # from here on it is the server's fault


async def change(request: web.Request) -> web.Response:
    """Do what the form's field `do` says to what the address names."""
    async with sent(request, "deploy") as form:
        wanted = form.form.get("do")
        done = _DOING.get(wanted)
        if done is None:
            raise Invalid(f"do={wanted[:40]!r} is nothing that can be done to a file.")
        at = where(request)
        access_of(request).target = f"{request.match_info['app']}: {wanted} {at.path}"
        return await done(request, at, form)


async def _save(request: web.Request, at: Where, form: Sent) -> web.Response:
    """Write the text that the editor sent, over the file whose ETag it had."""
    typed = form.form.fields.get("text", [""])[0]
    data = as_bytes(typed, "crlf" if form.form.get("newline") == "crlf" else "lf")
    tag = form.form.get("tag")
    try:
        if len(data) > EDITABLE:
            raise TooLarge(
                f"The text has {len(data)} bytes, more than {EDITABLE}.", "Upload it as a file."
            )
        file = spare(request)
        try:
            await asyncio.to_thread(file.write_bytes, data)
            place = known_place(request, at.parts)
            check_new(place, at.parts)
            _still(tag)(await _tag_at(request, at.parts))
            await write_file(request, place, file, _still(tag))
        finally:
            file.unlink(missing_ok=True)
    except GitdeployError as error:
        status = status_of(error)
        if status >= _REFUSED:
            raise
        changed = isinstance(error, PreconditionFailed)
        words = show_of(request).words
        wrong = words("files.changed") if changed else str(error)
        return await _editor(request, at, 409 if changed else status, wrong, typed)
    return goes_on(request, address(request, at.parts), _said("saved", at), at.parts[-1])


async def _upload(request: web.Request, at: Where, form: Sent) -> web.Response:
    """Put a file into this directory."""
    words = show_of(request).words
    if form.file is None:
        return await _folder(request, at, Invalid(words("files.choose")), "file")
    parts = [*at.parts, form.name]
    file, replace = form.file, form.form.has("replace")

    def check(tag: str | None) -> None:
        if tag is not None and not replace:
            raise Conflict(words("files.exists", name=form.name))

    async def work() -> None:
        _check_names(request, [form.name])
        place = known_place(request, parts)
        check_new(place, parts)
        check(await _tag_at(request, parts))
        await write_file(request, place, file, check)

    return await _in_folder(request, at, work, "uploaded", "file", form.name, form.name)


async def _make(request: web.Request, at: Where, form: Sent) -> web.Response:
    """Make a directory in this one; a name with slashes makes several."""
    name = form.form.get("name")
    parts = [*at.parts, *(part for part in name.split("/") if part)]

    async def work() -> None:
        _check_names(request, parts[len(at.parts) :])
        place = known_place(request, parts)
        check_new(place, parts)
        if await _tag_at(request, parts) is not None:
            raise _in_the_way(request, parts)
        await make_folder(request, place)

    return await _in_folder(request, at, work, "made", "name", name, name)


async def _delete(request: web.Request, at: Where, form: Sent) -> web.Response:
    """Remove a file that is still the one that was seen, or a directory with all in it."""
    is_folder, tag = form.form.has("folder"), form.form.get("tag")
    place = known_place(request, at.parts)
    try:
        if not is_folder:
            _still(tag)(await _tag_at(request, at.parts))
        await remove(request, place, _still(tag), recursive=True, is_folder=is_folder)
    except PreconditionFailed as error:
        raise Conflict(show_of(request).words("files.changed_delete")) from error
    above = at.parts[:-1]
    return goes_on(
        request, address(request, above, folder=True), _said("deleted", at), at.parts[-1]
    )


async def _in_folder(
    request: web.Request,
    at: Where,
    work: Callable[[], Awaitable[None]],
    done: str,
    field: str,
    typed: str,
    name: str,
) -> web.Response:
    try:
        await work()
    except GitdeployError as error:
        if status_of(error) >= _REFUSED:
            raise
        return await _folder(request, at, error, field, typed)
    return goes_on(request, address(request, at.parts, folder=True), _said(done, at), name)


async def _folder(
    request: web.Request, at: Where, error: GitdeployError, field: str, typed: str = ""
) -> web.Response:
    """The directory again, with what was wrong at its field."""
    found = await tree_of(request).find(at.parts)
    close(found)
    entries: list[Listed] = found if isinstance(found, list) else []
    return folder_page(
        request,
        at,
        entries,
        status=status_of(error),
        wrong=str(error),
        field=field,
        typed=typed,
    )


async def _editor(
    request: web.Request, at: Where, status: int, wrong: str, typed: str
) -> web.Response:
    """The editor again with what was typed, and beside it what is there now."""
    found = await tree_of(request).find(at.parts)
    try:
        if not isinstance(found, OpenFile):
            return file_page(request, at, None, status=status, wrong=wrong, mine=typed)
        text = await read_text(found, found.media)
        media = found.media.partition(";")[0]
        facts = Facts(found.size, found.modified, media, found.tag)
        return file_page(request, at, facts, text, status=status, wrong=wrong, mine=typed)
    finally:
        close(found)


async def _tag_at(request: web.Request, parts: list[str]) -> str | None:
    """The ETag of the file that is there now, None where there is none.

    Raises Conflict for a directory, ReadOnly for a log of the server's.
    """
    found = await tree_of(request).find(parts)
    try:
        if isinstance(found, list):
            raise _in_the_way(request, parts)
        return None if found is None else writable_tag(found, parts)
    finally:
        close(found)


def _check_names(request: web.Request, names: list[str]) -> None:
    """Raises Invalid for what no path of ours may have in it, as the router does."""
    if not names or any(name in (".", "..") or set(name) & set("\\/\0") for name in names):
        raise Invalid(show_of(request).words("files.bad_name"))


def _in_the_way(request: web.Request, parts: list[str]) -> Conflict:
    return Conflict(show_of(request).words("files.in_the_way", name=parts[-1]))


def _still(tag: str) -> Check:
    """A check that what is there is what was seen; "" for nothing."""

    def check(now: str | None) -> None:
        if (now or "") != tag:
            raise PreconditionFailed("The file was changed meanwhile.", "Look at it again.", now)

    return check


def _said(done: str, at: Where) -> str:
    return f"files.{done}.{'release' if at.in_site else 'here'}"


_DOING: dict[str, Callable[[web.Request, Where, Sent], Awaitable[web.Response]]] = {
    "save": _save,
    "upload": _upload,
    "folder": _make,
    "delete": _delete,
}
ROUTES = (
    Route(
        method="POST",
        path="/ui/{app}/files/{path*}",
        handler=change,
        operation="page.file_change",
        scope="page",
        summary="Save, upload, make or delete what the address names.",
        tag="pages",
        body=Body(bytes, ("multipart/form-data", "application/x-www-form-urlencoded")),
        answers={
            303: Answer("Done.", media=(), headers=("Location", "Set-Cookie")),
            409: Answer("What is there was changed meanwhile.", str, (HTML,)),
        },
    ),
)
