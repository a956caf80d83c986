"""`GET deployments/{id}/diff`: what a deployment changes, before or after it is rolled back to."""

from __future__ import annotations

from aiohttp import web

from gitdeploy.deploy import difference as differences
from gitdeploy.deploy.difference import EMPTY, changes, job_changes, previous, snapshot
from gitdeploy.errors import NotFound
from gitdeploy.web.answers import as_json
from gitdeploy.web.kudu import shapes
from gitdeploy.web.kudu.deployment_log import row_of
from gitdeploy.web.kudu.paths import API, spellings
from gitdeploy.web.route import Answer, Param, Route
from gitdeploy.web.services import services_of


async def show(request: web.Request) -> web.Response:
    services, row = services_of(request), await row_of(request)
    app = row.app
    wanted = request.query.get("from")
    if wanted is None:
        other = await previous(services.store, row)
    else:
        other = await services.store.deployments.get(app, wanted)
        if other is None:
            raise NotFound(
                f"{app} has no deployment {wanted[:100]!r}.", "GET api/deployments lists them."
            )
    paths, repository = services.home.app(app), services.repositories.open(app)
    after = await snapshot(services.store, paths, repository, row)
    before = EMPTY
    if other is not None:
        before = await snapshot(services.store, paths, repository, other)
    of_settings = None
    if before.settings is not None and after.settings is not None:
        of_settings = _shown(changes(before.settings, after.settings))
    return as_json(
        shapes.Difference(
            deployment=row.id,
            against=None if other is None else other.id,
            jobs=_shown(job_changes(before, after)),
            files=_shown(changes(before.manifest, after.manifest)),
            settings=of_settings,
        )
    )


def _shown(found: differences.Changes) -> shapes.Changes:
    return shapes.Changes(*map(_text, (found.added, found.changed, found.removed)))


def _text(names: list[str]) -> list[str]:
    """Paths that aren't UTF-8 can't be in JSON as they are."""
    return [name.encode("utf-8", "surrogateescape").decode("utf-8", "replace") for name in names]


ROUTES = (
    Route(
        method="GET",
        path=f"{API}/deployments/{{id}}/diff",
        aliases=spellings("deployments/{id}/diff"),
        handler=show,
        operation="deployment.diff",
        scope="read",
        summary="Jobs, files and app settings that a deployment has other than the one before it.",
        tag="deployments",
        query=(Param("from", "The id of the deployment to compare with."),),
        answers={200: Answer("What changed.", shapes.Difference)},
    ),
)
