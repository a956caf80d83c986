"""An app without always_on sleeps when nobody asks, and wakes with the next request."""

from __future__ import annotations

from gitdeploy.app import Server
from tests.integration.web.conftest import SITE, Client, Site
from tests.support import eventually

APP = "/api/apps/shop"
JOB = "/apps/shop/api/continuouswebjobs/ticker"


async def test_an_app_sleeps_and_wakes(admin: Client, shop: Site, server: Server) -> None:
    await shop.deploy(SITE)
    assert (await admin.get(APP)).json["always_on"] is True

    def pid() -> int | None:
        return next(v.pid for v in server.supervisor.jobs("shop") if v.job.name == "ticker")

    await eventually(pid)
    before = pid()
    changed = await admin.ask("PATCH", APP, {"always_on": False, "idle_timeout": 1})
    assert changed.json["idle_timeout"] == 1
    await eventually(lambda: server.supervisor.asleep("shop") and pid() is None)
    asleep = (await admin.get(APP)).json  # looking doesn't wake it
    assert asleep["asleep"] is True
    assert pid() is None
    await admin.ask("PATCH", APP, {"idle_timeout": 600})
    await eventually(pid)
    assert pid() != before
    job = (await admin.get(JOB)).json
    assert job["status"] == "Running"
    tail = [entry.record["event"] for entry in server.events.app_journal("shop").tail(100)]
    assert tail.index("app.asleep") < tail.index("app.awake")


async def test_a_request_to_the_job_itself_waits_until_it_is_back(
    admin: Client, shop: Site, server: Server
) -> None:
    listener = (
        "import http.server, os\n"
        "class H(http.server.SimpleHTTPRequestHandler):\n"
        "    def do_GET(self):\n"
        "        self.send_response(204)\n        self.end_headers()\n"
        "http.server.HTTPServer(('127.0.0.1', int(os.environ['WEBJOBS_PORT'])), H)"
        ".serve_forever()\n"
    )
    await shop.deploy({"App_Data/jobs/continuous/web/run.py": listener})
    await admin.ask("PATCH", APP, {"always_on": False, "idle_timeout": 1})
    await eventually(lambda: server.supervisor.asleep("shop"))

    async def answers() -> bool:
        # it is started when the request goes on; listening takes the job its own time
        return (await admin.get("/apps/shop/api/continuouswebjobs/web/passthrough/")).status == 204

    assert await eventually(answers)


async def test_a_bad_idle_timeout_is_refused(admin: Client, shop: Site) -> None:
    refused = await admin.ask("PATCH", APP, {"idle_timeout": 0})
    assert refused.status == 400
    assert "idle_timeout" in refused.json["detail"]
