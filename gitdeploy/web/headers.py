"""Headers that every answer carries, set just before it is sent, streams included."""

from __future__ import annotations

from aiohttp import web

_ALWAYS = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Server": "gitdeploy",
}
_API_POLICY = "default-src 'none'; frame-ancestors 'none'"
# All of a page is our own; no script makes HTML of a text (Trusted Types without any policy).
_PAGE_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; font-src 'self';"
    " connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none';"
    " require-trusted-types-for 'script'; trusted-types 'none'"
)


async def set_headers(request: web.Request, response: web.StreamResponse) -> None:
    """A handler of the signal `on_response_prepare`; what a handler has set stays."""
    guard(response)


def guard(response: web.StreamResponse) -> None:
    """Set the headers that every answer carries."""
    for name, value in _ALWAYS.items():
        response.headers[name] = value
    is_page = response.content_type == "text/html"
    response.headers.setdefault("Content-Security-Policy", _PAGE_POLICY if is_page else _API_POLICY)
    response.headers.setdefault("Cache-Control", "no-store")
