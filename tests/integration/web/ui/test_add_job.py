"""Adding and editing a job by its form, as a browser without scripts does it."""

from __future__ import annotations

import html
import io
import json
import zipfile
from typing import Any

import pytest

from gitdeploy.app import Server
from tests.integration.web.conftest import Answer, Client, Site
from tests.integration.web.ui.browsing import Browsing

ADD = "/ui/shop/jobs/-/add"
SCRIPT = b"#!/bin/sh\necho hello\n"
RECURRING = {"name": "report", "how": "schedule", "repeat": "recurring", "start": "now"}


@pytest.fixture
def options() -> dict[str, Any]:
    return {"max_job_size": 200_000}


@pytest.fixture
async def reader(admin: Client, shop: Site) -> Browsing:
    return await Browsing.begin(admin)


async def send(
    reader: Browsing, path: str = ADD, file: tuple[str, bytes] | None = None, **fields: str
) -> Answer:
    return await reader.post_form(path, await reader.token(path), file=file, **fields)


async def settings(admin: Client, job: str, kind: str = "triggered") -> Any:
    return (await admin.get(f"/apps/shop/api/{kind}webjobs/{job}/settings")).json


def zipped(**files: str) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for name, text in files.items():
            archive.writestr(name.replace("_dot_", "."), text)
    return out.getvalue()


async def test_a_script_becomes_a_job_that_runs_on_demand(
    reader: Browsing, admin: Client, server: Server
) -> None:
    answer = await send(reader, file=("run.sh", SCRIPT), name="hello", how="demand")
    assert answer.status == 303, answer.text
    assert answer.headers["Location"] == f"{server.url}/ui/shop/jobs/hello/"
    assert await settings(admin, "hello") == {}
    assert not list(server.home.app("shop").uploads.glob("incoming-*"))


async def test_a_zip_keeps_the_settings_that_the_form_doesnt_know(
    reader: Browsing, admin: Client
) -> None:
    body = zipped(run_dot_sh="echo", settings_dot_job='{"mine": 1, "schedule": "0 0 3 * * *"}')
    answer = await send(reader, file=("job.zip", body), name="hello", how="demand", timeout="90")
    assert answer.status == 303, answer.text
    assert await settings(admin, "hello") == {"mine": 1, "timeout": 90}


async def test_a_continuous_job_has_its_own_settings(reader: Browsing, admin: Client) -> None:
    fields = {"name": "ticker", "how": "continuous", "is_singleton": "on", "restart_time": "7"}
    answer = await send(reader, file=("run.sh", b"sleep 100\n"), **fields)
    assert answer.status == 303, answer.text
    found = await settings(admin, "ticker", "continuous")
    assert found == {"is_singleton": True, "restart_time": 7}


@pytest.mark.parametrize("name", ["-x", "_x", "a b", "a.b", "ä", "a" * 201, ""])
async def test_a_bad_name_is_told_at_its_field_and_the_rest_stays(
    reader: Browsing, name: str
) -> None:
    answer = await send(reader, file=("run.sh", SCRIPT), name=name, how="demand", timeout="77")
    assert answer.status == 400
    assert 'id="name-wrong"' in answer.text
    assert 'value="77"' in answer.text


async def test_a_name_that_is_taken_is_refused(reader: Browsing) -> None:
    assert (await send(reader, file=("run.sh", SCRIPT), name="hello")).status == 303
    again = await send(reader, file=("run.sh", SCRIPT), name="HELLO")
    assert again.status == 409
    assert "already" in again.text


async def test_a_file_over_the_limit_is_refused_with_what_was_typed(
    reader: Browsing, server: Server
) -> None:
    answer = await send(reader, file=("run.sh", b"x" * 200_001), name="big", timeout="55")
    assert answer.status == 413
    assert "max_job_size" in answer.text
    assert 'value="big"' in answer.text
    assert not list(server.home.app("shop").uploads.glob("incoming-*"))
    assert (await send(reader, file=("run.sh", b"#" * 200_000), name="big")).status == 303


async def test_a_file_without_a_script_and_none_at_all_are_told_at_the_file(
    reader: Browsing,
) -> None:
    for file in (("notes.txt", b"no script"), None):
        answer = await send(reader, file=file, name="hello", how="demand")
        assert answer.status == 400
        assert 'id="file-wrong"' in answer.text


async def test_a_foreign_form_leaves_nothing(reader: Browsing, server: Server) -> None:
    answer = await reader.post_form(ADD, "wrong", file=("run.sh", SCRIPT), name="hello")
    assert answer.status == 403
    assert not list(server.home.app("shop").uploads.glob("*"))


async def test_who_may_only_run_gets_no_form(admin: Client, shop: Site) -> None:
    runner = await Browsing.begin(await admin.token_for("run"))
    await runner.get(ADD, status=403)


@pytest.mark.parametrize(
    ("fields", "wanted"),
    [
        (
            {"interval": "2", "unit": "week", "week_day": "friday", "hours": "9, 17"},
            {
                "frequency": "week",
                "interval": 2,
                "schedule": {"weekDays": ["friday"], "hours": [9, 17]},
            },
        ),
        (
            {"unit": "month", "month_by": "days", "month_day": "-1", "month_days_end": "-3"},
            {"frequency": "month", "interval": 1, "schedule": {"monthDays": [-3, -1]}},
        ),
        (
            {
                "unit": "month",
                "month_by": "weekdays",
                "occurrence": "-1",
                "month_week_day": "friday",
            },
            {
                "frequency": "month",
                "interval": 1,
                "schedule": {"monthlyOccurrences": [{"day": "friday", "occurrence": -1}]},
            },
        ),
        (
            {
                "unit": "hour",
                "end": "after",
                "count": "3",
                "start": "at",
                "start_date": "2090-01-02",
                "start_time": "9:00",
            },
            {"frequency": "hour", "interval": 1, "startTime": "2090-01-02T09:00:00", "count": 3},
        ),
        (
            {
                "unit": "minute",
                "interval": "15",
                "end": "at",
                "end_date": "2090-01-02",
                "end_time": "18:00",
            },
            {"frequency": "minute", "interval": 15, "endTime": "2090-01-02T18:00:00"},
        ),
        (
            {"repeat": "once", "start": "at", "start_date": "2090-01-02", "start_time": "09:30"},
            {"startTime": "2090-01-02T09:30:00"},
        ),
        ({"repeat": "once"}, {}),
    ],
)
async def test_a_recurrence_is_stored_as_it_was_built_and_comes_back_into_the_form(
    reader: Browsing, admin: Client, fields: dict[str, str], wanted: Any
) -> None:
    answer = await send(
        reader, file=("run.sh", SCRIPT), **{**RECURRING, **fields}, timezone="Asia/Seoul"
    )
    assert answer.status == 303, answer.text
    assert await settings(admin, "report") == {"recurrence": wanted, "timezone": "Asia/Seoul"}
    page = (await reader.get("/ui/shop/jobs/report/edit")).text
    for name, value in fields.items():
        if name in ("interval", "hours", "count", "start_date", "end_date"):
            assert f'name="{name}" value="{value}"' in page, name


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"interval": "0"}, "interval"),
        ({"hours": "25"}, "hours"),
        ({"start": "at", "start_date": "soon", "start_time": "9:00"}, "start_date"),
        ({"start": "at", "start_date": "2090-01-01", "start_time": "9 pm"}, "start_time"),
        ({"end": "after", "count": "many"}, "count"),
        ({"unit": "month", "month_by": "days"}, "month_day"),
        ({"timezone": "Mars/Base"}, "timezone"),
        ({"repeat": "cron", "cron": "0 0 25 * * *"}, "cron"),
        ({"repeat": "cron", "cron": "0 3 * * *"}, "cron"),
        ({"repeat": "json", "recurrence_json": '{"frequency": "fortnight"}'}, "recurrence_json"),
        ({"timeout": "soon"}, "timeout"),
    ],
)
async def test_what_is_wrong_with_a_schedule_is_told_at_its_field(
    reader: Browsing, fields: dict[str, str], field: str
) -> None:
    answer = await send(reader, file=("run.sh", SCRIPT), **{**RECURRING, **fields})
    assert answer.status == 400, answer.text
    assert f'id="{field}-wrong"' in answer.text


async def test_the_preview_shows_the_next_five_times_and_makes_nothing(
    reader: Browsing, admin: Client
) -> None:
    fields = {**RECURRING, "do": "preview", "unit": "day", "hours": "9", "minutes": "0"}
    answer = await reader.post(ADD, await reader.token(ADD), **fields, timezone="Asia/Seoul")
    assert answer.status == 200
    assert answer.text.count("09:00</time>") == 5
    assert "&#34;frequency&#34;" in answer.text
    assert (await admin.get("/apps/shop/api/triggeredwebjobs")).json == []


async def test_the_preview_speaks_korean_also_of_what_is_wrong_and_where(reader: Browsing) -> None:
    token = await reader.token(ADD)
    korean = Browsing(reader.client, f"{reader.cookie}; gitdeploy_lang=ko")
    cron = {**RECURRING, "do": "preview", "repeat": "cron"}
    good = await korean.post(ADD, token, **cron, cron="0 0 9 * * *", timezone="Asia/Seoul")
    assert "매일" in good.text
    wrong = await korean.post(ADD, token, **cron, cron="0 0 25 * * *")
    assert "시 필드, 5번째 문자" in html.unescape(wrong.text)


async def test_notes_tell_what_a_change_of_the_clocks_does(reader: Browsing) -> None:
    fields = {**RECURRING, "do": "preview", "unit": "day", "hours": "2", "minutes": "30"}
    answer = await reader.post(ADD, await reader.token(ADD), **fields, timezone="Europe/Berlin")
    assert "Europe/Berlin: " in answer.text


ACTION = {
    "name": "ping",
    "how": "http",
    "repeat": "cron",
    "cron": "0 0 9 * * *",
    "a_method": "POST",
    "a_url": "https://example.org/ping",
    "a_headers": "X-Key: 1\nAuthorization: topsecret",
    "a_body": '{"a": 1}',
    "a_auth": "basic",
    "a_username": "me",
    "a_password": "hunter2",
    "a_retry": "exponential",
    "a_retry_count": "3",
    "a_retry_interval": "2",
    "a_retry_interval_unit": "min",
    "a_retry_most": "1",
    "a_retry_most_unit": "h",
}


async def test_an_http_action_keeps_its_secrets_through_an_edit_and_never_shows_them(
    reader: Browsing, admin: Client
) -> None:
    answer = await send(reader, **ACTION)
    assert answer.status == 303, answer.text
    before = await settings(admin, "ping")
    policy = before["action"]["retryPolicy"]
    assert (policy["retryType"], policy["retryCount"]) == ("Exponential", 3)
    page = await reader.get("/ui/shop/jobs/ping/edit")
    assert "hunter2" not in page.text
    assert "topsecret" not in page.text
    assert "X-Key: 1" in page.text
    changed = {**ACTION, "a_password": "", "a_headers": "X-Key: 2\nAuthorization: ••••••••"}
    answer = await send(reader, "/ui/shop/jobs/ping/edit", **changed)
    assert answer.status == 303, answer.text
    after = await settings(admin, "ping")
    before["action"]["request"]["headers"]["X-Key"] = "2"
    assert after == before
    assert "hunter2" not in json.dumps(after)


async def test_an_error_action_has_a_request_and_retries_of_its_own(
    reader: Browsing, admin: Client
) -> None:
    more = {key.replace("a_", "e_", 1): value for key, value in ACTION.items() if key[:2] == "a_"}
    more |= {"error_action": "on", "e_url": "https://example.org/alarm", "e_retry": "none"}
    assert (await send(reader, **ACTION, **more)).status == 303
    action = (await settings(admin, "ping"))["action"]
    assert action["errorAction"]["request"]["uri"] == "https://example.org/alarm"


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"a_url": "ftp://x"}, "a_url"),
        ({"a_url": "https://me:pw@example.org/"}, "a_url"),
        ({"a_headers": "no colon"}, "a_headers"),
        ({"a_headers": "Host: x"}, "a_headers"),
        ({"a_username": ""}, "a_username"),
        ({"a_password": ""}, "a_password"),
        ({"a_retry_count": "21"}, "a_retry_count"),
        ({"a_retry_interval": "0"}, "a_retry_interval"),
    ],
)
async def test_what_is_wrong_with_an_action_is_told_at_its_field(
    reader: Browsing, fields: dict[str, str], field: str
) -> None:
    answer = await send(reader, **{**ACTION, **fields})
    assert answer.status == 400, answer.text
    assert f'id="{field}-wrong"' in answer.text
    assert "hunter2" not in answer.text


async def test_an_edit_changes_settings_alone_or_brings_a_new_version(
    reader: Browsing, admin: Client
) -> None:
    await send(reader, file=("run.sh", SCRIPT), name="hello", how="demand")
    edit = "/ui/shop/jobs/hello/edit"
    answer = await send(reader, edit, how="schedule", repeat="cron", cron="0 0 4 * * *")
    assert answer.status == 303, answer.text
    assert await settings(admin, "hello") == {"schedule": "0 0 4 * * *"}
    answer = await send(reader, edit, file=("other.py", b"print(1)\n"), how="demand")
    assert answer.status == 303, answer.text
    job = (await admin.get("/apps/shop/api/triggeredwebjobs/hello")).json
    assert job["run_command"] == "other.py"
    assert await settings(admin, "hello") == {}


async def test_a_deployed_job_is_edited_too(reader: Browsing, admin: Client, shop: Site) -> None:
    await shop.deploy({"App_Data/jobs/triggered/nightly/run.sh": "echo\n"})
    answer = await send(reader, "/ui/shop/jobs/nightly/edit", how="demand", timeout="5")
    assert answer.status == 303, answer.text
    assert await settings(admin, "nightly") == {"timeout": 5}


async def test_a_duplicate_takes_code_and_settings_under_another_name(
    reader: Browsing, admin: Client
) -> None:
    await send(
        reader,
        file=("run.sh", SCRIPT),
        name="one",
        how="schedule",
        repeat="cron",
        cron="0 0 4 * * *",
    )
    page = await reader.get(f"{ADD}?from=one")
    assert 'value="one-copy"' in page.text
    assert "0 0 4 * * *" in page.text
    fields = {"name": "two", "from": "one", "from_kind": "triggered", "how": "schedule"}
    answer = await send(reader, **fields, repeat="cron", cron="0 0 5 * * *")
    assert answer.status == 303, answer.text
    assert (await admin.get("/apps/shop/api/triggeredwebjobs/two")).json["run_command"] == "run.sh"
    assert await settings(admin, "two") == {"schedule": "0 0 5 * * *"}


async def test_the_form_of_a_job_that_isnt_there_is_404(reader: Browsing) -> None:
    await reader.get("/ui/shop/jobs/nobody/edit", status=404)
    await reader.get(f"{ADD}?from=nobody", status=404)
