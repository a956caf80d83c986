"""`ROUTES`, the one table of every path that answers, and the application made from it."""

from __future__ import annotations

import asyncio

import msgspec
from aiohttp import web

from gitdeploy.logs import AllNumbers, Measures
from gitdeploy.web import apps, health, hooks_in, sign_in_links, tokens
from gitdeploy.web.auth import THROTTLE
from gitdeploy.web.fetching import FETCHER, Fetcher
from gitdeploy.web.following import CLOSING
from gitdeploy.web.git import git_routes
from gitdeploy.web.headers import set_headers
from gitdeploy.web.kudu import (
    absent,
    command,
    continuous,
    deployment_log,
    deployment_script,
    deployments,
    diagnostics,
    difference,
    dump,
    environment,
    hooks,
    logstream,
    passthrough,
    processes,
    publish,
    recent_logs,
    runtime,
    schedules,
    scm,
    settings,
    sshkey,
    swagger,
    triggered,
    uploads,
    vfs,
    vfs_write,
    webjobs,
    zipdeploy,
)
from gitdeploy.web.kudu import zip as zips
from gitdeploy.web.kudu.place import TURNS, Turns
from gitdeploy.web.middleware import around, expect, remember_sent
from gitdeploy.web.openapi import document
from gitdeploy.web.revoked import REVOKED, Revoked
from gitdeploy.web.route import JSON, Answer, Route
from gitdeploy.web.router import Table
from gitdeploy.web.services import SERVICES, Services
from gitdeploy.web.throttle import Throttle
from gitdeploy.web.ui import assets, pages, session
from gitdeploy.web.ui.lines import NUMBERS
from gitdeploy.web.ui.once import ONCE, Once
from gitdeploy.web.ui.views import apps as ui_apps
from gitdeploy.web.ui.views import audit as ui_audit
from gitdeploy.web.ui.views import commands as ui_commands
from gitdeploy.web.ui.views import deployment as ui_deployment
from gitdeploy.web.ui.views import deployment_actions as ui_deployment_actions
from gitdeploy.web.ui.views import deployment_file as ui_deployment_file
from gitdeploy.web.ui.views import deployments as ui_deployments
from gitdeploy.web.ui.views import events as ui_events
from gitdeploy.web.ui.views import file_actions as ui_file_actions
from gitdeploy.web.ui.views import files as ui_files
from gitdeploy.web.ui.views import hooks as ui_hooks
from gitdeploy.web.ui.views import instances as ui_instances
from gitdeploy.web.ui.views import job as ui_job
from gitdeploy.web.ui.views import job_actions as ui_job_actions
from gitdeploy.web.ui.views import job_form as ui_job_form
from gitdeploy.web.ui.views import jobs as ui_jobs
from gitdeploy.web.ui.views import logs as ui_logs
from gitdeploy.web.ui.views import processes as ui_processes
from gitdeploy.web.ui.views import run as ui_run
from gitdeploy.web.ui.views import scheduler as ui_scheduler
from gitdeploy.web.ui.views import scheduler_actions as ui_scheduler_actions
from gitdeploy.web.ui.views import sessions as ui_sessions
from gitdeploy.web.ui.views import settings as ui_settings
from gitdeploy.web.ui.views import settings_actions as ui_settings_actions
from gitdeploy.web.ui.views import tokens as ui_tokens


async def openapi(request: web.Request) -> web.Response:
    return web.Response(body=request.app[OPENAPI], content_type=JSON, charset="utf-8")


OPENAPI = web.AppKey("openapi", bytes)
ROUTES: tuple[Route, ...] = (
    *health.ROUTES,
    Route(
        method="GET",
        path="/openapi.json",
        handler=openapi,
        operation="server.openapi",
        scope="open",
        summary="This document.",
        tag="operations",
        answers={200: Answer("OpenAPI 3.1.", dict)},
    ),
    *apps.ROUTES,
    *tokens.ROUTES,
    *sign_in_links.ROUTES,
    *git_routes(),
    *hooks_in.ROUTES,
    *webjobs.ROUTES,
    *continuous.ROUTES,
    *passthrough.ROUTES,
    *triggered.ROUTES,
    *swagger.ROUTES,
    *schedules.ROUTES,
    *uploads.ROUTES,
    *deployments.ROUTES,
    *deployment_log.ROUTES,
    *difference.ROUTES,
    *hooks.ROUTES,
    *settings.ROUTES,
    *sshkey.ROUTES,
    *logstream.ROUTES,
    *vfs.ROUTES,
    *vfs_write.ROUTES,
    *zips.ROUTES,
    *zipdeploy.ROUTES,
    *publish.ROUTES,
    *environment.ROUTES,
    *scm.ROUTES,
    *diagnostics.ROUTES,
    *runtime.ROUTES,
    *command.ROUTES,
    *processes.ROUTES,
    *recent_logs.ROUTES,
    *dump.ROUTES,
    *deployment_script.ROUTES,
    *absent.ROUTES,
    *assets.ROUTES,
    *session.ROUTES,
    *ui_apps.ROUTES,
    *ui_commands.ROUTES,
    *ui_events.ROUTES,
    *ui_jobs.ROUTES,
    *ui_job_actions.ROUTES,
    *ui_job_form.ROUTES,
    *ui_job.ROUTES,
    *ui_run.ROUTES,
    *ui_deployments.ROUTES,
    *ui_deployment.ROUTES,
    *ui_deployment_actions.ROUTES,
    *ui_deployment_file.ROUTES,
    *ui_scheduler.ROUTES,
    *ui_scheduler_actions.ROUTES,
    *ui_logs.ROUTES,
    *ui_files.ROUTES,
    *ui_file_actions.ROUTES,
    *ui_processes.ROUTES,
    *ui_settings.ROUTES,
    *ui_settings_actions.ROUTES,
    *ui_hooks.ROUTES,
    *ui_tokens.ROUTES,
    *ui_sessions.ROUTES,
    *ui_audit.ROUTES,
    *ui_instances.ROUTES,
    *pages.ROUTES,
)


def build_application(services: Services, routes: tuple[Route, ...] = ROUTES) -> web.Application:
    """The application; the caller runs it and closes the services afterwards."""
    # Each path has its own limit (requests.py, bodies.py); aiohttp's would count all alike.
    application = web.Application(middlewares=[around], client_max_size=0)
    application[SERVICES] = services
    application[THROTTLE] = Throttle(services.clock)
    application[CLOSING] = asyncio.Event()
    application[REVOKED] = Revoked()
    application[sign_in_links.LINKS] = sign_in_links.SignInLinks(services.clock)
    application[ONCE] = Once(services.clock)
    application[ui_instances.STARTED] = services.clock.now()
    application[FETCHER] = Fetcher(services)
    application[vfs.MEASURES] = Measures()
    application[NUMBERS] = AllNumbers()
    application[TURNS] = Turns(asyncio.Lock)
    application[runtime.VERSIONS] = runtime.Versions(services.clock)
    application[OPENAPI] = msgspec.json.encode(document(routes))
    application.router.register_resource(
        Table(routes, scm_domain=services.options.scm_domain, expect=expect)
    )
    application.on_response_prepare.append(set_headers)
    application.on_response_prepare.append(remember_sent)
    application.on_startup.append(_begin)
    application.on_shutdown.append(_drain)
    application.on_cleanup.append(_end)
    return application


async def _begin(application: web.Application) -> None:
    services = application[SERVICES]
    services.events.subscribe(services.metrics.record)
    application[passthrough.CLIENT] = passthrough.new_client()
    for app in await services.store.apps.all():
        for secret in (app.webhook_secret, app.status_token):
            if secret:
                services.events.redactor.add(secret)
    await application[FETCHER].start()


async def _drain(application: web.Application) -> None:
    """Streams end, /readyz says no; requests that do something finish."""
    application[SERVICES].draining = True
    application[CLOSING].set()
    await application[FETCHER].stop()


async def _end(application: web.Application) -> None:
    services = application[SERVICES]
    services.events.unsubscribe(services.metrics.record)
    await application[passthrough.CLIENT].close()
    await services.background.close(grace=services.options.grace)
