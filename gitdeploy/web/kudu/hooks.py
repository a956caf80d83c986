"""`/api/hooks`: whom to tell of what happens, what they were told, and telling it again."""

from __future__ import annotations

import asyncio
import secrets
from typing import Any

import msgspec
from aiohttp import web

from gitdeploy.errors import Invalid, NotFound
from gitdeploy.net import AddressRefused
from gitdeploy.net.addresses import CheckedResolver
from gitdeploy.net.outgoing import target
from gitdeploy.outbox import message, subject_of
from gitdeploy.store import Delivery, Hook
from gitdeploy.web.answers import as_json
from gitdeploy.web.auth import access_of, principal_of
from gitdeploy.web.bodies import whole
from gitdeploy.web.forwarded import way_in
from gitdeploy.web.kudu.hook_rules import (
    Wanted,
    canonical,
    check_event,
    check_wanted,
    fitting,
)
from gitdeploy.web.kudu.hook_view import (
    DeliveryShown,
    HookShown,
    address,
    delivery_shown,
    hook_shown,
    view,
)
from gitdeploy.web.kudu.paths import API, spellings
from gitdeploy.web.requests import decode_json, read_json
from gitdeploy.web.route import Answer, Body, KiB, Route
from gitdeploy.web.services import services_of

_PUBLISHED_MOST = 64 * KiB
_LOOK_UP = 5.0


async def every(request: web.Request) -> web.Response:
    services, app = services_of(request), request.match_info["app"]
    hooks = await services.store.hooks.of_app(app)
    return as_json([await _shown(request, hook) for hook in hooks])


async def show(request: web.Request) -> web.Response:
    return as_json(await _shown(request, await find_hook(request)))


async def add(request: web.Request) -> web.Response:
    """Add a hook. One with this address and event that is there already will do."""
    wanted: Wanted = await read_json(request, Wanted)
    return as_json(await _shown(request, await add_hook(request, wanted)), status=201)


async def add_hook(request: web.Request, wanted: Wanted) -> Hook:
    """Add a hook to the path's app, or find the one that will do. Raises Invalid, Conflict."""
    services, app = services_of(request), request.match_info["app"]
    url = wanted.url.strip()
    access_of(request).target = f"{app}: {wanted.event[:100]}"
    check_wanted(wanted, url)
    await _check_address(request, url)
    hook = Hook(
        app=app,
        id=secrets.token_hex(8),
        event=canonical(wanted.event),
        url=url,
        format=wanted.format,
        secret=wanted.secret or None,
        insecure_ssl=wanted.insecure_ssl,
        way=msgspec.json.encode(way_in(request, services.options.scm_domain)).decode(),
        created_at=services.clock.now(),
        who=principal_of(request).who,
    )
    if hook.secret:
        services.events.redactor.add(hook.secret)
    there = await services.background.complete(
        services.store.hooks.add(hook, lambda hooks: fitting(hook, hooks))
    )
    if there.id == hook.id:
        services.events.app_log(app).info(
            "hook.created", hook=hook.id, tells=hook.event, url=address(url, whole=False)
        )
    return there


async def remove(request: web.Request) -> web.Response:
    """Remove a hook and its deliveries; as in Kudu, one that isn't there is as good as removed."""
    await remove_hook(request, request.match_info["id"].lower())
    return web.Response()


async def remove_hook(request: web.Request, hook: str) -> None:
    """Remove a hook of the path's app with its deliveries, where it is there."""
    services, app = services_of(request), request.match_info["app"]
    if await services.background.complete(services.store.hooks.delete(app, hook)):
        services.events.app_log(app).info("hook.deleted", hook=hook)


async def publish(request: web.Request) -> web.Response:
    """Tell the hooks of an event what the body says."""
    services, app = services_of(request), request.match_info["app"]
    event = check_event(request.match_info["event"])
    body = await whole(request, limit=_PUBLISHED_MOST, setting="the limit of this path")
    decode_json(body, Any)
    content = body.removeprefix(b"\xef\xbb\xbf").strip().decode()
    count = await services.background.complete(
        services.store.outbox.publish(app, canonical(event), content, at=services.clock.now())
    )
    services.events.app_log(app).info("hook.published", tells=event, hooks=count)
    return web.Response()


async def deliveries(request: web.Request) -> web.Response:
    hook = await find_hook(request)
    rows = await services_of(request).store.outbox.newest(hook.app, hook.id)
    return as_json([_delivery(request, hook, row) for row in rows])


async def redeliver(request: web.Request) -> web.Response:
    """Send a delivery again: now where it still waits, else as a new one with the same id."""
    hook = await find_hook(request)
    return as_json(_delivery(request, hook, await send_again(request, hook)), status=202)


async def send_again(request: web.Request, hook: Hook, text: str | None = None) -> Delivery:
    """Have the delivery of that number (that of the path) sent again. Raises NotFound."""
    services, text = services_of(request), request.match_info["n"] if text is None else text
    n = int(text) if text.isascii() and text.isdigit() and len(text) < 19 else 0
    row = await services.background.complete(services.store.outbox.redeliver(hook.app, hook.id, n))
    if row is None:
        raise NotFound(
            f"The hook {hook.id} has no delivery {text[:30]!r}.",
            f"GET api/hooks/{hook.id}/deliveries lists them.",
        )
    return row


async def _check_address(request: web.Request, url: str) -> None:
    """Refuse an address of our own network at once where it can be told; each try looks again."""
    resolver = CheckedResolver(
        allow_private=services_of(request).options.allow_private_hooks,
        setting="allow_private_hooks",
    )
    parsed = target(url)
    try:
        resolver.check_host(parsed.raw_host or "")
        async with asyncio.timeout(_LOOK_UP):
            await resolver.resolve(parsed.raw_host or "", parsed.port or 0)
    except AddressRefused as error:
        raise Invalid(f"url: {error.what}", error.fix) from error
    except OSError:  # it needn't be there yet
        return


async def find_hook(request: web.Request) -> Hook:
    """The hook of the path. Raises NotFound."""
    app, name = request.match_info["app"], request.match_info["id"]
    hook = await services_of(request).store.hooks.get(app, name.lower())
    if hook is None:
        raise NotFound(f"{app} has no hook {name[:100]!r}.", "GET api/hooks lists them.")
    return hook


async def _shown(request: web.Request, hook: Hook) -> HookShown:
    last = await services_of(request).store.outbox.last_tried(hook.app, hook.id)
    may_see = principal_of(request).may("deploy")
    return hook_shown(hook, last, lambda row: message(hook, row, view).body.decode(), whole=may_see)


def _delivery(request: web.Request, hook: Hook, row: Delivery) -> DeliveryShown:
    way = way_in(request, services_of(request).options.scm_domain)
    return delivery_shown(row, view(hook, subject_of(row)).path, way)


_ONE = "hooks/{id}"
_ALL = "hooks/{id}/deliveries"
_AGAIN = f"{_ALL}/{{n}}/redeliver"
_PUBLISH = "hooks/publish/{event}"
ROUTES = (
    Route(
        method="GET",
        path=f"{API}/hooks",
        aliases=spellings("hooks"),
        handler=every,
        operation="hook.list",
        scope="read",
        summary="Who is told of what happens.",
        tag="hooks",
        answers={200: Answer("Oldest first.", list[HookShown])},
    ),
    Route(
        method="POST",
        path=f"{API}/hooks",
        aliases=spellings("hooks"),
        handler=add,
        operation="hook.create",
        scope="deploy",
        summary="Have an address told of an event.",
        tag="hooks",
        body=Body(Wanted),
        answers={
            201: Answer("The hook, or the one that was there.", HookShown),
            409: Answer("The address has another event already."),
        },
    ),
    Route(
        method="GET",
        path=f"{API}/{_ONE}",
        aliases=spellings(_ONE),
        handler=show,
        operation="hook.get",
        scope="read",
        summary="One hook.",
        tag="hooks",
        answers={200: Answer("The hook.", HookShown)},
    ),
    Route(
        method="DELETE",
        path=f"{API}/{_ONE}",
        aliases=spellings(_ONE),
        handler=remove,
        operation="hook.delete",
        scope="deploy",
        summary="Remove a hook and all of its deliveries.",
        tag="hooks",
        answers={200: Answer("It is gone.", media=())},
    ),
    Route(
        method="POST",
        path=f"{API}/{_PUBLISH}",
        aliases=spellings(_PUBLISH),
        handler=publish,
        operation="hook.publish",
        scope="deploy",
        summary="Tell the hooks of an event something of your own.",
        tag="hooks",
        body=Body(Any),
        answers={200: Answer("It is on its way.", media=())},
    ),
    Route(
        method="GET",
        path=f"{API}/{_ALL}",
        aliases=spellings(_ALL),
        handler=deliveries,
        operation="hook.deliveries",
        scope="read",
        summary="The newest deliveries of a hook, and what became of them.",
        tag="hooks",
        answers={200: Answer("Newest first.", list[DeliveryShown])},
    ),
    Route(
        method="POST",
        path=f"{API}/{_AGAIN}",
        aliases=spellings(_AGAIN),
        handler=redeliver,
        operation="hook.redeliver",
        scope="deploy",
        summary="Send a delivery again.",
        tag="hooks",
        answers={202: Answer("It is on its way.", DeliveryShown)},
    ),
)
