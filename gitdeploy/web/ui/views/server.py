"""What the pages of the server share: who may see them."""

from __future__ import annotations

from aiohttp import web

from gitdeploy.store.tokens import Scope
from gitdeploy.web.auth import principal_of
from gitdeploy.web.errors import Forbidden
from gitdeploy.web.ui.forms import require


def may_on_server(request: web.Request, scope: Scope) -> bool:
    """Whether the signed-in token has the scope, and for all apps."""
    principal = principal_of(request)
    return principal.may(scope) and principal.apps is None


def require_on_server(request: web.Request, scope: Scope) -> None:
    """Raises Forbidden where the token lacks the scope, or is for some apps only."""
    require(request, scope)
    if not may_on_server(request, scope):
        raise Forbidden("This token is for some apps only.", "Sign in with one for all apps.")
