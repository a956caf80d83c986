"""`/api/command`: run a line of shell in an app's files. Off unless `allow_commands`; admins only."""

from __future__ import annotations

import msgspec
from aiohttp import web

from gitdeploy.deploy import Commands
from gitdeploy.errors import Invalid
from gitdeploy.web.answers import as_json
from gitdeploy.web.auth import access_of, principal_of
from gitdeploy.web.errors import Forbidden
from gitdeploy.web.kudu.paths import API, spellings
from gitdeploy.web.requests import read_json
from gitdeploy.web.route import Answer, Body, Route
from gitdeploy.web.services import services_of

_LONGEST = 64 << 10
_SHOWN = 300


class Command(msgspec.Struct, frozen=True):
    """What to run, and in which directory below Kudu's home, as vfs names it."""

    command: str
    dir: str | None = None


class Result(msgspec.Struct, frozen=True):
    """Kudu's CommandResult; an ExitCode of -1 where a limit ended it."""

    Output: str
    Error: str
    ExitCode: int


async def run(request: web.Request) -> web.Response:
    services, app = services_of(request), request.match_info["app"]
    if not services.options.allow_commands:
        raise Forbidden(
            "Commands are off on this server.",
            "The operator turns them on with --allow-commands true.",
        )
    wanted: Command = await read_json(request, Command, limit=2 * _LONGEST)
    if not wanted.command.strip() or "\0" in wanted.command or len(wanted.command) > _LONGEST:
        raise Invalid(
            "command is empty, too long or has a NUL.", 'Send {"command": "ls", "dir": "site"}.'
        )
    who, shown = principal_of(request).who, services.events.redactor.text(wanted.command)[:_SHOWN]
    access_of(request).target = f"{app}: {shown}"
    log = services.events.app_log(app)
    commands = Commands(
        services.home, services.store, services.holders, services.clock, services.options
    )

    async def work() -> Result:
        log.info("command.started", command=shown, directory=wanted.dir or "", who=who)
        done = await commands.run(app, wanted.command, wanted.dir or "")
        log.info("command.ended", command=shown, exit_code=done.exit_code, who=who)
        return Result(done.output, done.error, done.exit_code)

    return as_json(await services.background.complete(work()))


ROUTES = (
    Route(
        method="POST",
        path=f"{API}/command",
        aliases=spellings("command"),
        handler=run,
        operation="app.command",
        scope="admin",
        summary="Run a line of shell in the app's files; off unless the operator allows it.",
        tag="diagnostics",
        body=Body(Command),
        answers={200: Answer("What it wrote, and its exit code.", Result)},
    ),
)
