"""A server that has something to show on every page: jobs of each kind and state, runs, schedules,
deployments good and bad, files, hooks, tokens, and an app that is still empty."""

from __future__ import annotations

from tests.scenarios.actors import Developer, Server
from tests.support import eventually

LONG = "a-job-with-a-very-long-name-that-has-to-wrap-somewhere-on-a-phone"
TICKER = """\
import itertools, sys, time
print("\\x1b[32mready\\x1b[0m, one line a second", flush=True)
for n in itertools.count(1):
    print(f"tick {n}: took {n % 7} orders from the queue", flush=True)
    if n % 5 == 0:
        print(f"order {n} has no address, skipped", file=sys.stderr, flush=True)
    time.sleep(1)
"""
MAILER = "import time\nprint('waiting for mail', flush=True)\ntime.sleep(100_000)\n"
REPORT = """\
import sys, time
print("collecting", *sys.argv[1:])
for step in range(1, 4):
    print(f"step {step} of 3")
    time.sleep(0.1)
if "fail" in sys.argv[1:]:
    print("\\x1b[31mTraceback\\x1b[0m: the table orders is locked", file=sys.stderr)
    raise SystemExit(3)
print("\\x1b[1mreport.csv\\x1b[0m written, 42 rows")
"""
SLOW = "import time\nprint('a long import has begun', flush=True)\ntime.sleep(100_000)\n"


async def populate(server: Server, repo: Developer) -> None:
    """Fill the server; the app is that of `repo`."""
    app = f"/apps/{repo.app}/api"
    repo.job("continuous/ticker", "run.py", TICKER)
    repo.job("continuous/mailer", "run.py", MAILER)
    repo.job("continuous/no-script", "notes.txt", "nothing to run here\n")
    repo.job("triggered/report", "run.py", REPORT, {"schedule": "0 */15 * * * *"})
    repo.job("triggered/import", "run.py", SLOW)
    repo.job("triggered/nightly", "run.py", REPORT, {"schedule": "0 0 3 * * MON-FRI"})
    repo.job(f"triggered/{LONG}", "run.py", REPORT)
    repo.write("README.md", "# Shop\n\nThe jobs behind it.\n")
    repo.write("web/index.html", "<!doctype html>\n<title>Shop</title>\n<p>Open.</p>\n")
    await repo.push(message="Add the shop's jobs")
    repo.write("README.md", "# Shop\n\nThe jobs behind it, told.\n")
    repo.write("App_Data/jobs/continuous/ticker/settings.job", '{"is_singleton": true}\n')
    await repo.push(message="Take orders by one instance only")
    repo.job("continuous/mailer", "run.py", "raise SystemExit('no address to send to')\n")
    await repo.push(message="Send mail by the new address", check=False)
    repo.job("continuous/mailer", "run.py", MAILER)
    await repo.push(message="Take the new address back")

    await server.call("POST", f"{app}/settings", {"QUEUE": "orders", "API_KEY": "kept to itself"})
    hook = {"url": "https://93.184.216.34/hook", "event": "PostDeployment"}
    await server.call("POST", f"{app}/hooks", hook)
    await server.call("POST", f"{app}/continuouswebjobs/mailer/stop")
    for arguments in ("today", "yesterday", "fail", "today"):
        await finished(server, repo.app, "report", arguments)
    await finished(server, repo.app, LONG, "")
    await server.call("POST", f"{app}/triggeredwebjobs/import/run")
    for name, scopes in (("ci", ["deploy"]), ("a colleague on the night shift", ["run"])):
        await server.call("POST", "/api/tokens", {"name": name, "scopes": scopes, "apps": None})
    await server.call("PUT", f"{app}/vfs/data/notes/today.txt", "a note\n")
    await server.call("PUT", f"{app}/vfs/data/{LONG}{LONG.replace('-', '')}.txt", "a\n")
    await server.call("PUT", f"{app}/vfs/data/table.bin", b"\0\1\2\3")
    await server.call("PUT", "/api/apps/fresh")
    await server.says("ticker", "tick 3", app=repo.app)


async def finished(server: Server, app: str, job: str, arguments: str) -> str:
    """Run a job to its end; the run's id."""
    address = f"/apps/{app}/api/triggeredwebjobs/{job}"
    await server.call("POST", f"{address}/run?arguments={arguments}")

    async def ended() -> bool:
        latest = (await server.call("GET", address))["latest_run"]
        return latest is not None and latest["end_time"] is not None

    await eventually(ended, what=f"{job} has ended")
    runs = await server.call("GET", f"{address}/history")
    return str(runs["runs"][0]["id"])
