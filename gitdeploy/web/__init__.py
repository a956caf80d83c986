"""HTTP in and out: git, the API that Kudu's clients know, webhooks, plain pages.

In: requests, held against one table of routes that says who may. Out: calls to the other rooms
and their answers as JSON, streams or HTML. No decisions, no SQL.
"""

from gitdeploy.web.closing import finish
from gitdeploy.web.kudu.hook_view import view as hook_view
from gitdeploy.web.protocol import Runner
from gitdeploy.web.routes import ROUTES, build_application
from gitdeploy.web.services import SERVICES, Services

__all__ = [
    "ROUTES",
    "SERVICES",
    "Runner",
    "Services",
    "build_application",
    "finish",
    "hook_view",
]
