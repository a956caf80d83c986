"""Schedules looked at over the API."""

from __future__ import annotations

import json

import pytest

from gitdeploy.app import Server
from tests.integration.web.conftest import Client, Site
from tests.support import eventually

PREVIEW = "/apps/shop/api/schedules/preview"


async def test_a_preview_tells_the_next_due_times_in_words_and_what_the_clocks_do(
    admin: Client, shop: Site
) -> None:
    answer = await admin.ask(
        "POST",
        PREVIEW,
        {
            "schedule": "0 30 2 * * *",
            "timezone": "Europe/Berlin",
            "count": 3,
            "from": "2026-03-28T00:00:00Z",
        },
    )
    assert answer.status == 200, answer.body
    found = answer.json
    assert found["occurrences"] == [
        {"utc": "2026-03-28T01:30:00.000000Z", "local": "2026-03-28T02:30:00+01:00"},
        {"utc": "2026-03-29T01:00:00.000000Z", "local": "2026-03-29T03:00:00+02:00"},
        {"utc": "2026-03-30T00:30:00.000000Z", "local": "2026-03-30T02:30:00+02:00"},
    ]
    assert "02:30" in found["description"]
    assert any("2026-03-29" in note for note in found["notes"])
    assert found["recurrence"]["frequency"] == "day"
    assert found["ends"] is False


async def test_a_preview_speaks_korean(admin: Client, shop: Site) -> None:
    body = {"schedule": "0 0 9 * * MON", "timezone": "Asia/Seoul"}
    by_query = await admin.ask("POST", f"{PREVIEW}?language=ko", body)
    by_header = await admin.ask("POST", PREVIEW, body, headers={"Accept-Language": "ko-KR,en;q=.5"})
    assert by_query.json["description"] == by_header.json["description"]
    assert "월요일" in by_query.json["description"]


async def test_a_preview_takes_a_recurrence_and_says_it_as_ncrontab(
    admin: Client, shop: Site
) -> None:
    recurrence = {
        "frequency": "month",
        "schedule": {
            "hours": [6],
            "minutes": [15],
            "monthlyOccurrences": [{"day": "friday", "occurrence": -1}],
        },
    }
    body = {"recurrence": recurrence, "timezone": "UTC", "from": "2026-01-01T00:00:00Z", "count": 2}
    found = (await admin.ask("POST", PREVIEW, body)).json
    assert [due["utc"][:16] for due in found["occurrences"]] == [
        "2026-01-30T06:15",
        "2026-02-27T06:15",
    ]
    assert found["schedule"] == "0 15 6 * * 5L"


async def test_a_start_at_the_asked_moment_itself_counts(admin: Client, shop: Site) -> None:
    start = "2026-05-01T12:00:00Z"
    recurrence = {"frequency": "day", "startTime": start}
    body = {"recurrence": recurrence, "timezone": "UTC", "from": start, "count": 1}
    found = (await admin.ask("POST", PREVIEW, body)).json
    assert found["occurrences"][0]["utc"] == "2026-05-01T12:00:00.000000Z"


async def test_one_that_ends_says_so(admin: Client, shop: Site) -> None:
    recurrence = {
        "frequency": "day",
        "interval": 1,
        "count": 2,
        "startTime": "2026-01-01T00:00:00Z",
    }
    body = {"recurrence": recurrence, "timezone": "UTC", "from": "2026-01-01T00:00:00Z", "count": 5}
    found = (await admin.ask("POST", PREVIEW, body)).json
    assert len(found["occurrences"]) == 2
    assert found["ends"] is True


@pytest.mark.parametrize(
    ("body", "key", "position", "says"),
    [
        ({"schedule": "*/5 * * * *"}, "", 0, "six"),
        ({"schedule": "0 61 * * * *"}, "", 3, "minute"),
        ({"schedule": "0 0 0 30 2 *"}, "", 7, "no day ever matches"),
        ({"schedule": "0 0 * * * *", "timezone": "Mars/Base"}, "timezone", 0, "time zone"),
        ({"recurrence": {"frequency": "dayly"}}, "recurrence.frequency", 0, "frequency"),
        ({}, "", 0, "One of schedule and recurrence"),
        ({"schedule": "0 0 * * * *", "count": 0}, "", 0, "count"),
        ({"schedule": "0 0 * * * *", "colour": 1}, "", 0, "colour"),
    ],
)
async def test_what_is_wrong_is_said_with_its_place(
    admin: Client, shop: Site, body: dict[str, object], key: str, position: int, says: str
) -> None:
    answer = await admin.ask("POST", PREVIEW, body)
    assert answer.status == 400, answer.body
    problem = answer.json
    assert says in problem["detail"] + problem.get("fix", "")
    assert problem.get("position", 0) == position
    if key:
        assert problem["key"] == key


async def test_a_jobs_schedule_tells_what_comes_and_what_was(
    admin: Client, shop: Site, server: Server
) -> None:
    await shop.deploy(
        {
            "App_Data/jobs/triggered/often/run.sh": "true",
            "App_Data/jobs/triggered/often/settings.job": json.dumps(
                {"schedule": "* * * * * *", "timezone": "Asia/Seoul"}
            ),
            "App_Data/jobs/triggered/never/run.sh": "true",
        }
    )
    url = "/apps/shop/api/triggeredwebjobs/often/schedule"

    async def ran() -> bool:
        return any(each["run"] for each in (await admin.get(url)).json["recorded"])

    await eventually(ran)
    found = (await admin.get(url)).json
    assert found["state"] == "active"
    assert found["overlap"] == "drop"
    assert found["timezone"] == "Asia/Seoul"
    assert len(found["next"]) == 5
    assert found["next"][0]["local"].endswith("+09:00")
    done = next(each for each in found["recorded"] if each["run"])
    assert (await admin.get(done["run_url"])).json["trigger"] == "Schedule - * * * * * *"
    assert (await admin.get(done["run_url"])).json["scheduled_for"] == done["due"]
    await admin.ask("POST", "/apps/shop/api/settings", {"WEBJOBS_DISABLE_SCHEDULE": "1"})
    assert (await admin.get(url)).json["state"] == "off"
    assert (await admin.get(url.replace("often", "never"))).status == 404
