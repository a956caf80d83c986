"""Kudu's jobs API, row by row and field by field of its description, asked from outside."""

from __future__ import annotations

import asyncio
import json
import sqlite3
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlsplit
from zlib import crc32

import pytest

from tests.scenarios.actors import Developer, Server
from tests.scenarios.kudu_client import (
    DURATION,
    RFC3339,
    RUN_ID,
    Kudu,
    spellings,
    until,
    zipped,
)

TICKER = "while :; do echo tick; sleep 0.2; done\n"
ECHO = """\
import os
from http.server import BaseHTTPRequestHandler, HTTPServer

class Echo(BaseHTTPRequestHandler):
    def answer(self):
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        told = f"{self.command} {self.path} {body.decode()}".encode()
        self.send_response(207)
        self.send_header("X-Own", "yes")
        self.send_header("Content-Length", str(len(told)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(told)
    do_GET = do_HEAD = do_POST = do_PUT = do_DELETE = do_PATCH = do_OPTIONS = answer

HTTPServer(("127.0.0.1", int(os.environ["WEBJOBS_PORT"])), Echo).serve_forever()
"""
NO_SCRIPT = "No runnable script file was found."


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A server with one site deployed by a push; tests change only jobs of their own."""
    root = tmp_path_factory.mktemp("kudu")
    server = Server(root / "home", "--swap-grace", "0.3", "--grace", "5")

    async def begin() -> None:
        await server.start()
        repo = Developer(root / "work", server, app="demo")
        repo.job("continuous/ticker", "run.sh", TICKER, {"is_singleton": True, "mine": {"a": 1}})
        repo.job("continuous/switch", "run.sh", TICKER)
        repo.job("continuous/echo", "run.py", ECHO)
        repo.job("continuous/quiet", "run.sh", TICKER)
        repo.job("continuous/empty", "notes.txt", "nothing to run")
        repo.job("triggered/report", "run.sh", 'echo "[$1] [$2]"; echo oops >&2; exit "${3:-0}"\n')
        repo.job("triggered/slow", "run.sh", "echo begun; sleep 60\n")
        repo.job("triggered/fresh", "run.sh", "echo done\n")
        repo.job("triggered/nightly", "run.sh", "echo done\n", {"schedule": "0 0 3 * * *"})
        repo.job("triggered/often", "run.sh", "echo done\n", {"schedule": "* * * * * *"})
        repo.job("triggered/empty", "notes.txt", "nothing to run")
        repo.job("triggered/misspelt", "run.sh", "true\n", {"schedule": "every noon"})
        await repo.push()

    asyncio.run(begin())
    yield server.url
    asyncio.run(server.end())


@pytest.fixture(scope="module")
def kudu(url: str) -> Kudu:
    return Kudu(url, "demo")


@pytest.fixture(scope="module")
def run(kudu: Kudu) -> Any:
    """A run that has ended well."""
    return kudu.run("report", "?arguments=one%20%27two%20three%27")


GETS = (
    ("/api/webjobs", 200),
    ("/api/triggeredwebjobs", 200),
    ("/api/triggeredwebjobs/report", 200),
    ("/api/triggeredwebjobs/REPORT", 200),
    ("/api/triggeredwebjobs/none", 404),
    ("/api/triggeredwebjobs/ticker", 404),
    ("/api/triggeredwebjobs/report/history", 200),
    ("/api/triggeredwebjobs/none/history", 404),
    ("/api/triggeredwebjobs/report/history/{run}", 200),
    ("/api/triggeredwebjobs/report/history/202601010000000000", 404),
    ("/api/triggeredwebjobs/none/history/{run}", 404),
    ("/api/triggeredwebjobs/nightly/settings", 200),
    ("/api/triggeredwebjobs/none/settings", 404),
    ("/api/triggeredwebjobsswagger", 200),
    ("/api/continuouswebjobs", 200),
    ("/api/continuouswebjobs/ticker", 200),
    ("/api/continuouswebjobs/none", 404),
    ("/api/continuouswebjobs/report", 404),
    ("/api/continuouswebjobs/ticker/settings", 200),
    ("/api/continuouswebjobs/none/settings", 404),
    ("/api/continuouswebjobs/none/passthrough/x", 404),
)


@pytest.mark.parametrize(("path", "status"), GETS)
def test_every_spelling_of_a_read_gives_the_same(
    kudu: Kudu, run: Any, path: str, status: int
) -> None:
    every = spellings(path.format(run=run["id"]))
    assert len(every) == (4 if "swagger" in path else 8 if path == "/api/webjobs" else 12)
    for spelling in every:
        answer = kudu("GET", spelling, expect=status)
        if status == 200:
            assert answer.headers["Content-Type"].startswith("application/json"), spelling
        else:
            assert answer.json["status"] == status, spelling
        head = kudu("HEAD", spelling, expect=status)
        assert head.body == b"", spelling


@pytest.mark.parametrize(
    "path",
    [
        "/api/webjobs",
        "/api/triggeredwebjobs",
        "/api/continuouswebjobs",
        "/api/triggeredwebjobs/report/history",
    ],
)
def test_a_list_has_an_etag_and_is_not_sent_twice(url: str, path: str) -> None:
    kudu = Kudu(url, "etags")
    kudu("PUT", f"{url}/api/apps/etags")
    kudu.put_script("continuous", "sleeper", "sleep 1000\n")
    kudu.put_script("triggered", "report", "true\n")
    kudu.run("report")
    sleeper = "/api/continuouswebjobs/sleeper"
    until(lambda: kudu("GET", sleeper).json["status"] == "Running")
    first = kudu("GET", path, expect=200)
    tag = first.headers["ETag"]
    assert tag.startswith('"')
    assert tag.endswith('"')
    for given in (tag, f'"other", {tag}', f"W/{tag}", "*"):
        same = kudu("GET", path, headers={"If-None-Match": given}, expect=304)
        assert same.body == b"", given
        assert same.headers["ETag"] == tag, given
    kudu("GET", path, headers={"If-None-Match": '"other"'}, expect=200)
    kudu.put_script("continuous", "second", "sleep 1000\n")
    kudu.run("report")
    changed = kudu("GET", path, headers={"If-None-Match": tag}, expect=200)
    assert changed.headers["ETag"] != tag
    kudu("DELETE", "/api/continuouswebjobs/second", expect=200)


JOB = {
    "name": str,
    "run_command": str,
    "type": str,
    "url": str,
    "extra_info_url": str,
    "error": str | None,
    "using_sdk": bool,
    "settings": dict,
}
CONTINUOUS = {**JOB, "status": str, "detailed_status": str, "log_url": str}
TRIGGERED = {
    **JOB,
    "history_url": str,
    "scheduler_logs_url": str | None,
    "latest_run": dict | None,
}
RUN = {
    "id": str,
    "name": str,
    "job_name": str,
    "status": str,
    "start_time": str,
    "end_time": str | None,
    "duration": str,
    "url": str,
    "output_url": str,
    "error_url": str | None,
    "trigger": str,
    "exit_code": int | None,
    "instance": str,
    "deployment": str | None,
}


def check_types(found: Any, fields: dict[str, Any]) -> None:
    for field, kind in fields.items():
        assert field in found, field
        assert isinstance(found[field], kind), (field, found[field])


def listed(kudu: Kudu, path: str) -> dict[str, Any]:
    return {f"{job['type']}/{job['name']}": job for job in kudu("GET", path, expect=200).json}


def test_one_list_has_both_kinds_and_each_list_its_own(kudu: Kudu) -> None:
    both = listed(kudu, "/api/webjobs")
    triggered = listed(kudu, "/api/triggeredwebjobs")
    continuous = listed(kudu, "/api/continuouswebjobs")
    assert {job["type"] for job in triggered.values()} == {"triggered"}
    assert {job["type"] for job in continuous.values()} == {"continuous"}
    assert set(both) == {*triggered, *continuous}
    for name, job in both.items():
        check_types(job, TRIGGERED if job["type"] == "triggered" else CONTINUOUS)
        one = kudu("GET", job["url"], expect=200).json
        assert set(one) == set(job), name
        assert {one[key] == job[key] for key in ("name", "type", "url", "settings")} == {True}


def test_what_a_job_of_either_kind_says_of_itself(kudu: Kudu) -> None:
    for kind, name, command in (
        ("continuous", "ticker", "run.sh"),
        ("continuous", "echo", "run.py"),
        ("triggered", "report", "run.sh"),
    ):
        job = kudu("GET", f"/api/{kind}webjobs/{name}", expect=200).json
        assert (job["name"], job["type"], job["run_command"]) == (name, kind, command)
        assert job["url"] == f"{kudu.base}/api/{kind}webjobs/{name}"
        assert job["extra_info_url"] == f"{kudu.url}/ui/demo/jobs/{name}/"
        assert job["error"] is None
        assert job["using_sdk"] is False
    for kind in ("continuous", "triggered"):
        empty = kudu("GET", f"/api/{kind}webjobs/empty", expect=200).json
        assert empty["error"] == NO_SCRIPT
    misspelt = kudu("GET", "/api/triggeredwebjobs/misspelt", expect=200).json
    assert "every noon" in misspelt["error"]
    assert misspelt["settings"] == {"schedule": "every noon"}


def test_settings_are_the_object_with_its_unknown_keys(kudu: Kudu) -> None:
    own = {"is_singleton": True, "mine": {"a": 1}}
    assert kudu("GET", "/api/continuouswebjobs/ticker").json["settings"] == own
    assert kudu("GET", "/api/continuouswebjobs/ticker/settings").json == own
    assert kudu("GET", "/api/continuouswebjobs/switch").json["settings"] == {}
    assert kudu("GET", "/api/continuouswebjobs/switch/settings").json == {}


def test_a_continuous_job_tells_its_status_and_its_log(kudu: Kudu) -> None:
    def running() -> Any:
        job = kudu("GET", "/api/continuouswebjobs/ticker").json
        return job if job["status"] == "Running" else None

    job = until(running)
    line = job["detailed_status"]
    instance, dash, state = line.partition(" - ")
    assert dash, line
    assert instance.isalnum(), line
    assert state.strip() == "Running"
    assert job["log_url"] == f"{kudu.base}/vfs/data/jobs/continuous/ticker/job_log.txt"
    log = until(lambda: kudu("GET", job["log_url"], expect=200).body)
    assert b": INFO] tick" in log
    assert kudu("GET", "/api/continuouswebjobs/empty").json["status"] == "Stopped"


def test_a_triggered_job_tells_its_history_and_its_schedulers_log(kudu: Kudu, run: Any) -> None:
    job = kudu("GET", "/api/triggeredwebjobs/report").json
    assert job["history_url"] == f"{job['url']}/history"
    assert job["scheduler_logs_url"] is None
    assert job["latest_run"]["job_name"] == "report"
    assert kudu("GET", "/api/triggeredwebjobs/fresh").json["latest_run"] is None
    nightly = kudu("GET", "/api/triggeredwebjobs/nightly").json
    logs = f"{kudu.base}/vfs/data/jobs/triggered/nightly/job_scheduler.log"
    assert nightly["scheduler_logs_url"] == logs
    kudu("GET", logs, expect=200)


def test_the_sdks_mark_is_told(kudu: Kudu) -> None:
    mark = 'touch "$WEBJOBS_DATA_PATH/webjobssdk.marker"; exec sleep 1000\n'
    kudu.put_script("continuous", "sdk", mark)
    until(lambda: kudu("GET", "/api/continuouswebjobs/sdk").json["using_sdk"])
    assert listed(kudu, "/api/continuouswebjobs")["continuous/sdk"]["using_sdk"] is True
    assert listed(kudu, "/api/webjobs")["continuous/sdk"]["using_sdk"] is True
    kudu.put_script("triggered", "sdk-run", mark.replace("exec sleep 1000", "true"))
    kudu.run("sdk-run")
    assert kudu("GET", "/api/triggeredwebjobs/sdk-run").json["using_sdk"] is True
    assert listed(kudu, "/api/triggeredwebjobs")["triggered/sdk-run"]["using_sdk"] is True
    assert listed(kudu, "/api/webjobs")["triggered/report"]["using_sdk"] is False


def test_every_field_of_a_run_that_ended(kudu: Kudu, run: Any) -> None:
    check_types(run, RUN)
    assert RUN_ID.fullmatch(run["id"])
    assert run["name"] == run["id"]
    assert run["job_name"] == "report"
    assert run["status"] == "Success"
    assert RFC3339.fullmatch(run["start_time"])
    assert RFC3339.fullmatch(run["end_time"])
    assert DURATION.fullmatch(run["duration"])
    began, ended = (datetime.fromisoformat(run[key]) for key in ("start_time", "end_time"))
    hours, minutes, seconds = run["duration"].split(":")
    took = int(hours) * 3600 + int(minutes) * 60 + float(seconds)
    assert took == pytest.approx((ended - began).total_seconds(), abs=1e-6)
    made = datetime.strptime(run["id"] + "00", "%Y%m%d%H%M%S%f").replace(tzinfo=UTC)
    assert abs((began - made).total_seconds()) < 5, "the id is a time in UTC"
    assert run["url"] == f"{kudu.base}/api/triggeredwebjobs/report/history/{run['id']}"
    data = f"{kudu.base}/vfs/data/jobs/triggered/report/{run['id']}"
    assert run["output_url"] == f"{data}/output_log.txt"
    output = kudu("GET", run["output_url"], expect=200).body
    assert b": INFO] [one] [two three]\n" in output
    assert b": ERR ] oops\n" in output
    assert run["error_url"] is None
    assert run["exit_code"] == 0
    assert run["instance"]
    assert run["deployment"]
    kudu("GET", f"/api/deployments/{run['deployment']}", expect=200)


def test_the_trigger_names_the_user_agent_or_the_schedule(kudu: Kudu) -> None:
    kudu.put_script("triggered", "agents", "true\n")
    path = "/api/triggeredwebjobs/agents/run"
    started = kudu("POST", path, headers={"User-Agent": "kudu-api/1.2 (node)"}, expect=202)
    told = kudu.ended(started.headers["Location"])
    assert told["trigger"] == "External - kudu-api/1.2 (node)"

    def scheduled() -> Any:
        runs = kudu("GET", "/api/triggeredwebjobs/often/history", expect=200).json["runs"]
        return [each for each in runs if each["end_time"]]

    assert {each["trigger"] for each in until(scheduled)} == {"Schedule - * * * * * *"}


def test_a_run_that_fails_and_one_that_is_aborted(kudu: Kudu) -> None:
    failed = kudu.run("report", "?arguments=a%20b%203")
    assert (failed["status"], failed["exit_code"]) == ("Failed", 3)
    kudu.put_script("triggered", "killed", "kill -9 $$\n")
    assert kudu.run("killed")["exit_code"] == 137
    kudu.put_script("triggered", "endless", "sleep 1000\n")
    started = kudu("POST", "/api/triggeredwebjobs/endless/run", expect=202)
    location = started.headers["Location"]
    going = kudu("GET", location, expect=200).json
    check_types(going, RUN)
    assert going["status"] in ("Initializing", "Running")
    assert going["end_time"] is None
    assert going["exit_code"] is None
    assert DURATION.fullmatch(going["duration"])
    kudu("DELETE", location, expect=200)
    assert kudu("GET", location, expect=200).json["status"] == "Stopped"


def test_the_history_is_newest_first_and_its_ids_ascend(kudu: Kudu) -> None:
    kudu.put_script("triggered", "thrice", "true\n")
    made = [kudu.run("thrice")["id"] for _ in range(3)]
    answer = kudu("GET", "/api/triggeredwebjobs/thrice/history", expect=200).json
    assert set(answer) == {"runs"}
    assert [each["id"] for each in answer["runs"]] == sorted(made, reverse=True)
    for each in answer["runs"]:
        check_types(each, RUN)
        assert kudu("GET", each["url"], expect=200).json["id"] == each["id"]
    job = kudu("GET", "/api/triggeredwebjobs/thrice").json
    assert job["latest_run"]["id"] == max(made)
    fresh = kudu("GET", "/api/triggeredwebjobs/fresh/history", expect=200).json
    assert fresh == {"runs": []}


def test_a_run_is_started_in_every_spelling_and_its_location_leads_to_it(kudu: Kudu) -> None:
    kudu.put_script("triggered", "spelt", 'printf "%s|" "$WEBJOBS_COMMAND_ARGUMENTS" "$@"\n')
    seen = []
    for spelling in spellings("/api/triggeredwebjobs/spelt/run?arguments=a%20%22b%20c%22"):
        started = kudu("POST", spelling, expect=202)
        location = started.headers["Location"]
        assert location.startswith(f"{kudu.base}/api/triggeredwebjobs/spelt/history/"), spelling
        seen.append(kudu.ended(location)["id"])
        output = kudu("GET", f"{location}/log", expect=200).body
        assert output.rstrip() == b'a "b c"|a|b c|', spelling
    assert len(set(seen)) == 12


@pytest.mark.parametrize(
    ("headers", "base"),
    [
        ({"Host": "jobs.example.org:81"}, "http://jobs.example.org:81/apps/demo"),
        (
            {
                "X-Forwarded-Proto": "https",
                "X-Forwarded-Host": "example.org",
                "X-Forwarded-Prefix": "/deploy",
            },
            "https://example.org/deploy/apps/demo",
        ),
    ],
)
def test_addresses_are_those_of_the_way_in(
    kudu: Kudu, run: Any, headers: dict[str, str], base: str
) -> None:
    name = f"ways-{urlsplit(base).scheme}"
    made = kudu.put_script("triggered", name, "true\n", **headers).json
    assert made["url"] == f"{base}/api/triggeredwebjobs/{name}"
    path = f"/api/triggeredwebjobs/{name}/run"
    started = kudu("POST", path, headers=headers, expect=202)
    assert started.headers["Location"].startswith(made["url"] + "/history/")
    found = kudu("GET", "/api/webjobs", headers=headers, expect=200).body.decode()
    assert kudu.url not in found
    swagger = kudu("GET", "/api/triggeredwebjobsswagger", headers=headers, expect=200).json
    [scheme] = swagger["schemes"]
    assert f"{scheme}://{swagger['host']}{swagger['basePath']}" == base


def test_a_run_is_refused_while_one_runs_and_where_there_is_no_job(kudu: Kudu) -> None:
    for spelling in spellings("/api/triggeredwebjobs/none/run"):
        kudu("POST", spelling, expect=404)
    first = kudu("POST", "/api/triggeredwebjobs/slow/run", expect=202)
    for spelling in spellings("/api/triggeredwebjobs/slow/run"):
        kudu("POST", spelling, expect=409)
    kudu("DELETE", first.headers["Location"], expect=200)


def test_a_run_is_refused_when_jobs_are_stopped(url: str) -> None:
    kudu = Kudu(url, "stopped")
    kudu("PUT", f"{url}/api/apps/stopped")
    kudu.put_script("triggered", "report", "true\n")
    kudu("POST", "/api/settings", {"WEBJOBS_STOPPED": "1"}, expect=204)
    refused = kudu("POST", "/api/triggeredwebjobs/report/run", expect=409)
    assert "WEBJOBS_STOPPED" in refused.json["fix"]
    kudu("DELETE", "/api/settings/WEBJOBS_STOPPED", expect=204)
    assert kudu.run("report")["status"] == "Success"


def test_start_and_stop_in_every_spelling(kudu: Kudu) -> None:
    path = "/api/continuouswebjobs/switch"
    for stop, start in zip(spellings(f"{path}/stop"), spellings(f"{path}/start"), strict=True):
        kudu("POST", stop, expect=200)
        assert kudu("GET", path).json["status"] == "Stopped", stop
        kudu("POST", start, expect=200)
        until(lambda: kudu("GET", path).json["status"] == "Running")
    for verb in ("start", "stop"):
        for spelling in spellings(f"/api/continuouswebjobs/none/{verb}"):
            kudu("POST", spelling, expect=404)
        kudu("POST", f"/api/continuouswebjobs/report/{verb}", expect=404)
        kudu("GET", f"{path}/{verb}", expect=405)


@pytest.mark.parametrize("verb", ["GET", "HEAD", "POST", "PUT", "DELETE", "PATCH", "OPTIONS"])
def test_any_verb_is_passed_through_to_the_jobs_port(kudu: Kudu, verb: str) -> None:
    def listens() -> bool:
        return kudu("GET", "/api/continuouswebjobs/echo/passthrough/").status == 207

    until(listens)
    for spelling in spellings("/api/continuouswebjobs/echo/passthrough/a/b?c=d%20e"):
        body = b"words" if verb in ("POST", "PUT", "PATCH") else None
        answer = kudu(verb, spelling, body, expect=207)
        assert answer.headers["X-Own"] == "yes"
        slash = "/" if spelling.partition("?")[0].endswith("/") else ""
        expected = f"{verb} /a/b{slash}?c=d%20e {(body or b'').decode()}"
        assert answer.body.decode() == ("" if verb == "HEAD" else expected), spelling
    kudu(verb, "/api/continuouswebjobs/none/passthrough/a", expect=404)
    refused = kudu(verb, "/api/continuouswebjobs/quiet/passthrough/a", expect=502)
    if verb != "HEAD":
        assert "quiet" in refused.json["detail"]


def test_the_swagger_document_has_one_post_a_job(kudu: Kudu) -> None:
    found = kudu("GET", "/api/triggeredwebjobsswagger", expect=200).json
    assert found["swagger"] == "2.0"
    assert found["info"] == {"version": "v1", "title": "WebJobs"}
    names = {job["name"] for job in kudu("GET", "/api/triggeredwebjobs").json}
    operations = {path: item["post"] for path, item in found["paths"].items()}
    assert {each["operationId"] for each in operations.values()} >= {"report", "nightly"}
    assert {each["operationId"] for each in operations.values()} <= names
    assert not any(each["operationId"] == "ticker" for each in operations.values())
    [path] = [path for path, each in operations.items() if each["operationId"] == "fresh"]
    [argument] = operations[path]["parameters"]
    assert (argument["name"], argument["in"], argument["type"]) == ("arguments", "query", "string")
    assert argument["required"] is False
    assert set(operations[path]["responses"]) >= {"default"}
    assert path.endswith("/run")
    kudu.put_script("triggered", "by-swagger", "true\n")
    base = f"{found['schemes'][0]}://{found['host']}{found['basePath'].rstrip('/')}"
    address = base + path.replace("fresh", "by-swagger")
    assert kudu.ended(kudu("POST", address, expect=202).headers["Location"])["status"] == "Success"


def test_a_run_that_cant_be_stored_is_answered_with_503(tmp_path_factory: Any) -> None:
    root = tmp_path_factory.mktemp("full")
    server = Server(root / "home", "--grace", "2")
    asyncio.run(server.start())
    kudu = Kudu(server.url, "demo")
    kudu("PUT", f"{server.url}/api/apps/demo")
    kudu.put_script("triggered", "report", "true\n")
    other = sqlite3.connect(root / "home" / "gitdeploy.db", isolation_level=None)
    try:
        other.execute("BEGIN IMMEDIATE")
        kudu("POST", "/api/triggeredwebjobs/report/run", expect=503)
        other.execute("ROLLBACK")
        assert kudu.run("report")["status"] == "Success"
    finally:
        other.close()
        asyncio.run(server.end())


UPLOADS = [
    pytest.param(kind, spelling, id=f"{kind}-{number}")
    for kind in ("continuous", "triggered")
    for number, spelling in enumerate(spellings(f"/api/{kind}webjobs/NAME"))
]


@pytest.mark.parametrize(("kind", "spelling"), UPLOADS)
def test_put_and_delete_in_every_spelling(kudu: Kudu, kind: str, spelling: str) -> None:
    name = f"up-{crc32(spelling.encode())}"
    path = spelling.replace("NAME", name)
    headers = {"Content-Disposition": "attachment; filename=run.sh"}
    made = kudu("PUT", path, b"sleep 100\n", headers, expect=200).json
    check_types(made, CONTINUOUS if kind == "continuous" else TRIGGERED)
    assert (made["name"], made["type"], made["run_command"]) == (name, kind, "run.sh")
    assert kudu("GET", made["url"], expect=200).json["name"] == name
    other = "triggered" if kind == "continuous" else "continuous"
    kudu("PUT", f"/api/{other}webjobs/{name}", b"true\n", headers, expect=409)
    kudu("DELETE", path, expect=200)
    kudu("GET", made["url"], expect=404)
    kudu("DELETE", path, expect=200)


@pytest.mark.parametrize(
    "media", ["application/zip", "Application/ZIP", "application/octet-stream", None]
)
def test_a_zip_becomes_a_job_whatever_its_content_type(kudu: Kudu, media: str | None) -> None:
    name = f"zip-{crc32((media or '').encode())}"
    body = zipped({"top/run.py": "print('from a zip')\n", "top/settings.job": '{"kept": [1]}'})
    headers = {"Content-Disposition": 'attachment; filename="some\\dir\\job.zip"'}
    if media:
        headers["Content-Type"] = media
    made = kudu("PUT", f"/api/triggeredwebjobs/{name}", iter([body]), headers, expect=200).json
    assert made["run_command"] == "run.py"
    assert made["settings"] == {"kept": [1]}
    done = kudu.run(name)
    assert kudu("GET", f"{done['url']}/log").body == b"from a zip\n"


@pytest.mark.parametrize(
    "disposition",
    [
        "attachment; filename=run.sh",
        'attachment; filename="run.sh"',
        'attachment; filename="/some/dir/run.sh"',
        'attachment; filename="C:\\dir\\run.sh"',
        "attachment;filename=dir/run.sh",
        "inline; FileName=run.sh",
    ],
)
def test_the_scripts_name_is_the_dispositions(kudu: Kudu, disposition: str) -> None:
    name = f"named-{crc32(disposition.encode())}"
    made = kudu.put_script("triggered", name, "true\n", Content_Disposition=disposition)
    assert made.status == 200, made.body
    assert made.json["run_command"] == "run.sh"


def test_a_refused_put_leaves_nothing_or_the_old_job(kudu: Kudu) -> None:
    path = "/api/triggeredwebjobs/refused"
    without = {"Content-Type": "application/octet-stream"}
    unknown = {"Content-Disposition": "attachment; filename=notes.txt"}
    as_zip = {
        "Content-Disposition": "attachment; filename=x.zip",
        "Content-Type": "application/zip",
    }
    for body, headers in (
        (b"true\n", without),
        (b"true\n", unknown),
        (zipped({"notes.txt": "x"}), as_zip),
        (b"no zip", as_zip),
        (zipped({"../run.sh": "true"}), as_zip),
    ):
        answer = kudu("PUT", path, body, headers, expect=400)
        assert answer.json["detail"]
        kudu("GET", path, expect=404)
    for bad in ("-x", ".hidden", "a%20b", "a.b", "%C3%A9"):
        script = {"Content-Disposition": "attachment; filename=run.sh"}
        kudu("PUT", f"/api/triggeredwebjobs/{bad}", b"true\n", script, expect=400)
    kudu.put_script("triggered", "refused", "echo old\n")
    kudu("PUT", path, zipped({"notes.txt": "x"}), as_zip, expect=400)
    done = kudu.run("refused")
    assert kudu("GET", f"{done['url']}/log").body == b"old\n"


def test_a_failed_replacement_leaves_the_old_process(kudu: Kudu) -> None:
    kudu.put_script("continuous", "kept", "echo old; sleep 1000\n")
    path = "/api/continuouswebjobs/kept"
    before = until(lambda: kudu("GET", path).json["pid"])
    refused = kudu.put_script("continuous", "kept", "echo I can not >&2; exit 3\n")
    assert refused.status == 400
    assert "I can not" in refused.json["detail"]
    after = kudu("GET", path, expect=200).json
    assert (after["pid"], after["status"]) == (before, "Running")


def test_a_body_over_the_limit_is_refused(tmp_path_factory: Any) -> None:
    root = tmp_path_factory.mktemp("small")
    server = Server(root / "home", "--grace", "2", "--max-job-size", "1000")
    asyncio.run(server.start())
    try:
        kudu = Kudu(server.url, "demo")
        kudu("PUT", f"{server.url}/api/apps/demo")
        script = {"Content-Disposition": "attachment; filename=run.sh"}
        path = "/api/triggeredwebjobs/big"
        kudu("PUT", path, b"#" * 1001, script, expect=413)
        kudu("PUT", path, iter([b"#" * 600, b"#" * 600]), script, expect=413)
        kudu("GET", path, expect=404)
        kudu("PUT", path, b"#" * 1000, script, expect=200)
    finally:
        asyncio.run(server.end())


def test_delete_takes_history_and_data_with_it(kudu: Kudu) -> None:
    kudu.put_script("triggered", "gone", 'echo x > "$WEBJOBS_DATA_PATH/mine"\n')
    done = kudu.run("gone")
    data = f"{kudu.base}/api/vfs/data/jobs/triggered/gone/mine"
    kudu("GET", data, expect=200)
    kudu("DELETE", "/api/triggeredwebjobs/gone", expect=200)
    for address in (done["url"], done["output_url"], data):
        kudu("GET", address, expect=404)
    kudu.put_script("triggered", "gone", "true\n")
    assert kudu("GET", "/api/triggeredwebjobs/gone/history").json == {"runs": []}
    kudu("GET", data, expect=404)


@pytest.mark.parametrize("kind", ["continuous", "triggered"])
def test_settings_are_put_in_every_spelling_and_unknown_keys_are_kept(
    kudu: Kudu, kind: str
) -> None:
    name = f"tuned-{kind}"
    kudu.put_script(kind, name, "sleep 1000\n")
    path = f"/api/{kind}webjobs/{name}"
    for number, spelling in enumerate(spellings(f"{path}/settings")):
        given = {"stopping_wait_time": number + 1, "mine": {"deep": [number, None]}}
        kudu("PUT", spelling, given, {"Content-Type": "text/plain"}, expect=200)
        assert kudu("GET", spelling, expect=200).json == given
        assert kudu("GET", path).json["settings"] == given
    kudu("PUT", f"/api/{kind}webjobs/none/settings", {}, expect=404)


@pytest.mark.parametrize(
    ("given", "key"),
    [
        ({"stopping_wait_time": "soon"}, "stopping_wait_time"),
        ({"is_singleton": 3}, "is_singleton"),
        ({"schedule": "every noon"}, "schedule"),
        ({"schedule": "0 3 * * *"}, "schedule"),
        ({"stopping_wait_time": -1, "mine": 1}, "stopping_wait_time"),
    ],
)
def test_a_bad_setting_is_named_and_nothing_written(kudu: Kudu, given: Any, key: str) -> None:
    name = f"checked-{crc32(json.dumps(given).encode())}"
    kudu.put_script("triggered", name, "true\n")
    path = f"/api/triggeredwebjobs/{name}/settings"
    kudu("PUT", path, {"mine": "before"}, expect=200)
    refused = kudu("PUT", path, given, expect=400)
    assert key in refused.json["detail"]
    assert kudu("GET", path, expect=200).json == {"mine": "before"}


def test_a_schedule_that_is_put_is_followed_at_once(kudu: Kudu) -> None:
    kudu.put_script("triggered", "soon", "true\n")
    path = "/api/triggeredwebjobs/soon"
    assert kudu("GET", path).json["scheduler_logs_url"] is None
    kudu("PUT", f"{path}/settings", {"schedule": "* * * * * *"}, expect=200)
    assert kudu("GET", path).json["scheduler_logs_url"] is not None
    until(lambda: kudu("GET", f"{path}/history").json["runs"])
    kudu("PUT", f"{path}/settings", {}, expect=200)
