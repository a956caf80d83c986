"""If-Match and If-None-Match of a request that writes, as Kudu's vfs wants them."""

from __future__ import annotations

from aiohttp import web

from gitdeploy.web.entity import among
from gitdeploy.web.errors import PreconditionFailed


def check_write(request: web.BaseRequest, tag: str | None) -> None:
    """Refuse to replace or remove what the client hasn't seen; `tag` is None where nothing is.

    A file that is there is touched only with an If-Match that fits, `*` for any (Kudu's rule;
    RFC 9110, 13.1.1). Raises PreconditionFailed.
    """
    if tag is None:
        given = request.headers.getall("If-Match", ())
        if given and not among(request, "If-Match", "", weak=False):
            raise PreconditionFailed(
                "The file that If-Match means isn't there any more.", "Leave out If-Match."
            )
        return
    if "If-None-Match" in request.headers and among(request, "If-None-Match", tag, weak=True):
        raise PreconditionFailed("The file is there already.", "Send If-Match with its ETag.", tag)
    if "If-Match" not in request.headers:
        raise PreconditionFailed(
            "The file is there, and the request has no If-Match.",
            "Send If-Match with the file's ETag, or * for any.",
            tag,
        )
    if not among(request, "If-Match", tag, weak=False):
        raise PreconditionFailed(
            "The file was changed: its ETag isn't the one in If-Match.",
            "Get it again, or send If-Match: *.",
            tag,
        )
