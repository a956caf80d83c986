"""`/api/deploymentscript`: what a build of the active release does, as a script in a zip."""

from __future__ import annotations

import asyncio
import io
import zipfile

from aiohttp import web

from gitdeploy.clock import to_datetime
from gitdeploy.deploy import DeployError
from gitdeploy.deploy.script import DOT_DEPLOYMENT, NAME, SCRIPT, deployment_script
from gitdeploy.errors import Conflict, NotFound
from gitdeploy.web.kudu.paths import API, spellings
from gitdeploy.web.kudu.zip import ZIP
from gitdeploy.web.route import Answer, Route
from gitdeploy.web.services import services_of

_BUILT = frozenset({"zip", "publish", "vfs"})  # what comes like that is built where asked for


async def get(request: web.Request) -> web.Response:
    services, app = services_of(request), request.match_info["app"]
    active = await services.store.releases.active(app)
    if active is None:
        raise NotFound("Nothing was deployed yet, so there is no script.", "Deploy the site first.")
    made = await services.store.deployments.get(app, active.deployment)
    settings = await services.store.apps.settings(app)
    built = made is not None and made.trigger in _BUILT
    paths, number = services.home.app(app), active.number
    try:
        script = await asyncio.to_thread(
            lambda: deployment_script(paths, number, settings, built=built)
        )
    except DeployError as error:
        raise Conflict(error.what, error.fix) from error
    if script is None:
        raise NotFound(
            f"The site has a deployment script of its own, the command of its {NAME}.",
            f"GET api/vfs/site/wwwroot/{NAME}",
        )
    when = to_datetime(active.created_at).timetuple()[:6]
    body = _zipped({SCRIPT: script, NAME: DOT_DEPLOYMENT}, when)
    headers = {"Content-Disposition": 'attachment; filename="deploymentscript.zip"'}
    return web.Response(body=body, content_type=ZIP, headers=headers)


def _zipped(files: dict[str, str], when: tuple[int, ...]) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, text in files.items():
            info = zipfile.ZipInfo(name, (when[0], when[1], when[2], when[3], when[4], when[5]))
            info.external_attr = (0o100755 if name == SCRIPT else 0o100644) << 16
            info.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(info, text)
    return out.getvalue()


ROUTES = (
    Route(
        method="GET",
        path=f"{API}/deploymentscript",
        aliases=spellings("deploymentscript"),
        handler=get,
        operation="deployment.script",
        scope="read",
        summary="What a build of the active release does, as a script in a zip.",
        tag="deployments",
        answers={200: Answer("deploy.sh and .deployment.", bytes, (ZIP,))},
    ),
)
