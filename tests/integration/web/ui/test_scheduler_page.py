"""The scheduler's page: what is due, what was missed or dropped, pause and resume."""

from __future__ import annotations

import html
import json
import re
import time
from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest

from gitdeploy.app import Server
from gitdeploy.clock import from_datetime, rfc3339
from gitdeploy.store import Occurrence
from gitdeploy.web.ui.show import Show
from gitdeploy.web.ui.views import scheduler as view
from tests.integration.web.conftest import Client, Site
from tests.integration.web.ui.browsing import Browsing, field
from tests.integration.web.ui.test_jobs_page import counted, finished
from tests.support import eventually

PAGE = "/ui/shop/scheduler/"
OFF = "WEBJOBS_DISABLE_SCHEDULE"
NIGHT = datetime(2026, 3, 28, 12, tzinfo=UTC)
"""Clocks in Berlin go forward in the night behind it."""
UTC_READER = "gitdeploy_clock=utc"


@pytest.fixture
async def reader(admin: Client, shop: Site) -> Browsing:
    browsing = await Browsing.begin(admin)
    browsing.cookie += f"; {UTC_READER}"
    return browsing


def job(settings: dict[str, Any] | None = None, script: str = "exit 0\n") -> dict[str, str]:
    files = {"run.sh": script}
    return files if settings is None else {**files, "settings.job": json.dumps(settings)}


def site(**jobs: dict[str, str]) -> dict[str, str]:
    return {
        f"App_Data/jobs/triggered/{name.replace('_', '-')}/{file}": text
        for name, files in jobs.items()
        for file, text in files.items()
    }


def part(text: str, name: str) -> str:
    """What is in the part of this id: due, schedules or lost."""
    _, *pieces = re.split(r' id="(due|schedules|lost)">', text)
    return dict(zip(pieces[::2], pieces[1::2], strict=True)).get(name, "")


def plain(text: str) -> str:
    return " ".join(html.unescape(re.sub(r"<[^>]*>", " ", text)).split())


def lines(text: str) -> list[str]:
    return [plain(one) for one in re.findall(r"<li id=\"due.*?</li>", part(text, "due"), re.S)]


def rows(text: str) -> dict[str, str]:
    found = re.findall(r'<tr id="schedule-([^"]+)">(.*?)</tr>', text, re.S)
    return {name: plain(row) for name, row in found}


async def test_due_times_of_all_jobs_are_one_list_with_words_zone_and_expression(
    reader: Browsing, shop: Site
) -> None:
    await shop.deploy(
        site(
            nightly=job({"schedule": "0 0 3 * * *", "timezone": "UTC"}),
            seoul=job({"schedule": "0 30 9 * * *", "timezone": "Asia/Seoul"}),
            often=job({"schedule": "0 */15 * * * *", "timezone": "UTC"}),
            yearly=job({"schedule": "0 0 0 29 2 *", "timezone": "UTC"}),
            by_hand=job(),
        )
    )
    text = (await reader.get(PAGE)).text
    found = lines(text)
    (nightly,) = (one for one in found if "nightly" in one)
    assert nightly.startswith("03:00 nightly Runs at 03:00 every day (UTC). 0 0 3 * * *")
    (seoul,) = (one for one in found if "seoul" in one)
    assert seoul.startswith("00:30 seoul")
    assert re.search(r"(Mon|Tue|Wed|Thu|Fri|Sat|Sun) 09:30 in Asia/Seoul", seoul)
    often = [one for one in found if "often" in one]
    assert sum(int(re.search(r"(\d+) times?$", one)[1]) for one in often) == 96  # type: ignore[index]
    assert not any("yearly" in one or "by-hand" in one for one in found)
    assert sorted(rows(text)) == ["nightly", "often", "seoul", "yearly"]
    assert "Schedules: 4 · followed: 4 · paused: 0" in text
    assert "Today" in text or "Tomorrow" in text


async def test_the_span_is_in_the_address(reader: Browsing, shop: Site) -> None:
    await shop.deploy(site(nightly=job({"schedule": "0 0 3 * * *", "timezone": "UTC"})))
    for query, count in (("", 1), ("?range=7d", 7), ("?range=30d", 30), ("?range=nonsense", 1)):
        text = (await reader.get(f"{PAGE}{query}")).text
        assert len(lines(text)) == count, query
        assert text.count("<h3 id=") == count
    assert f'{PAGE}?range=7d"' in text


async def test_pages_of_due_times_are_none_too_long(
    reader: Browsing, shop: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(view, "LINES", 10)
    await shop.deploy(site(nightly=job({"schedule": "0 0 3 * * *", "timezone": "UTC"})))
    pages = [(await reader.get(f"{PAGE}?range=30d&page={n}")).text for n in (1, 2, 3, 9)]
    assert [len(lines(text)) for text in pages] == [10, 10, 10, 10]
    assert pages[2:3] == pages[3:] or lines(pages[2]) == lines(pages[3])
    assert "page=2&amp;range=30d#due-title" in pages[0]
    assert not set(re.findall(r"\d{4}-\d\d-\d\d", part(pages[0], "due"))) & set(
        re.findall(r"<h3.*?(\d{4}-\d\d-\d\d)", part(pages[1], "due"), re.S)[1:]
    )


async def test_the_day_on_which_clocks_go_forward_is_told(
    reader: Browsing, shop: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    then = from_datetime(NIGHT)
    monkeypatch.setattr(
        view, "show_of", lambda request, known=view.show_of: at(known(request), then)
    )
    await shop.deploy(site(night=job({"schedule": "0 30 2 * * *", "timezone": "Europe/Berlin"})))
    (line,) = lines((await reader.get(PAGE)).text)
    assert line.startswith("01:00 night")
    assert "Sun 03:00 in Europe/Berlin" in line
    assert "02:30 doesn't exist on 2026-03-29 in Europe/Berlin: runs at 03:00" in line
    reader.cookie += "; gitdeploy_lang=ko"
    (line,) = lines((await reader.get(PAGE)).text)
    assert "Europe/Berlin에서는 2026년 3월 29일에 02:30 시각이 없어 03:00에 실행합니다" in line


def at(show: Show, now: int) -> Show:
    return Show(show.words, show.preferences, now)


async def test_one_job_is_paused_and_resumed(
    reader: Browsing, server: Server, admin: Client, shop: Site
) -> None:
    await shop.deploy(
        site(nightly=job({"schedule": "0 0 3 * * *"}), other=job({"schedule": "0 0 4 * * *"}))
    )
    page = await reader.get(f"{PAGE}?range=7d")
    token, here = field(page, "form_token"), f"{server.url}{PAGE}?range=7d"
    assert f'name="next" value="{here}"' in page.text
    fields = {"kind": "triggered", "next": here}
    done = await reader.post("/ui/shop/jobs/nightly/stop", token, **fields)
    assert (done.status, done.headers["Location"]) == (303, here)
    text = (await reader.get(f"{PAGE}?range=7d")).text
    assert "Paused" in rows(text)["nightly"]
    assert "Resume" in rows(text)["nightly"]
    assert "Followed" in rows(text)["other"]
    assert "paused: 1" in text
    due = part(text, "due")
    assert due.count(' class="off">') == due.count("<s>") == 7
    assert all("Paused" in line for line in lines(text) if "nightly" in line)
    assert not any("Paused" in line for line in lines(text) if "other" in line)
    assert (await admin.get("/apps/shop/api/triggeredwebjobs/nightly")).json["next_run"] is None
    await reader.post("/ui/shop/jobs/nightly/start", token, **fields)
    assert "Followed" in rows((await reader.get(PAGE)).text)["nightly"]
    assert (await admin.get("/apps/shop/api/triggeredwebjobs/nightly")).json["next_run"]


async def test_all_are_paused_by_the_app_setting_and_the_page_says_so(
    reader: Browsing, server: Server, admin: Client, shop: Site
) -> None:
    await shop.deploy(
        site(nightly=job({"schedule": "0 0 3 * * *"}), other=job({"schedule": "0 0 4 * * *"}))
    )
    await admin.ask("POST", "/apps/shop/api/settings", {"MINE": "kept"})
    page = await reader.get(PAGE)
    assert "Pause all" in page.text
    assert "Resume all" not in page.text
    token = field(page, "form_token")
    done = await reader.post(PAGE, token, do="pause", range="30d")
    assert (done.status, done.headers["Location"]) == (303, f"{server.url}{PAGE}?range=30d")
    settings = (await admin.get("/apps/shop/api/settings")).json
    assert settings == {"MINE": "kept", OFF: "1"}
    text = (await reader.get(PAGE)).text
    assert "All schedules of this app are paused." in text
    assert "Resume all" in text
    assert "Pause all" not in text
    assert [("All paused" in line) for line in lines(text)] == [True, True]
    assert all("All paused" in row and "—" in row for row in rows(text).values())
    await reader.post(PAGE, token, do="resume")
    assert (await admin.get("/apps/shop/api/settings")).json == {"MINE": "kept"}
    assert "All paused" not in (await reader.get(PAGE)).text
    found = [one for one in await server.store.audit.newest() if OFF in one.target]
    assert [one.what for one in found] == ["settings.delete", "settings.merge"]


async def test_forms_of_others_and_without_the_scope_are_refused(
    reader: Browsing, admin: Client, shop: Site
) -> None:
    await shop.deploy(site(nightly=job({"schedule": "0 0 3 * * *"})))
    token = await reader.token(PAGE)
    assert (await reader.post(PAGE, "guess", do="pause")).status == 403
    assert (await reader.post(PAGE, token, do="dance")).status == 400
    for scope, buttons, one, all_of_them in (
        ("read", (False, False), 403, 403),
        ("run", (True, False), 303, 403),
        ("deploy", (True, True), 303, 303),
    ):
        only = await Browsing.begin(await admin.token_for(scope))
        page = await only.get(PAGE)
        seen = ("Pause the schedule of nightly" in page.text, "Pause all" in page.text)
        assert seen == buttons, scope
        token = field(page, "form_token")
        done = await only.post("/ui/shop/jobs/nightly/stop", token, kind="triggered")
        assert done.status == one, scope
        done = await only.post(PAGE, token, do="pause")
        assert done.status == all_of_them, scope
        if scope == "run":
            await only.post("/ui/shop/jobs/nightly/start", token, kind="triggered")
    only = await Browsing.begin(await admin.token_for("read"))
    text = (await only.get(PAGE)).text
    assert "Resume all" not in text
    assert "Resume the schedule" not in text


async def test_what_the_scheduler_drops_is_told_with_its_reason(
    reader: Browsing, server: Server, shop: Site
) -> None:
    await shop.deploy(site(busy=job({"schedule": "* * * * * *"}, "sleep 60\n")))

    async def dropped() -> bool:
        return bool((await server.store.overviews.scheduler("shop", [])).lost)

    await eventually(dropped, what="a due time came while the job ran")
    lost = part((await reader.get(PAGE)).text, "lost")
    assert "Dropped" in lost
    assert "The run before it was still under way." in lost
    assert "/ui/shop/jobs/busy/" in lost
    reader.cookie += "; gitdeploy_lang=ko"
    assert "이전 실행이 아직 끝나지 않았습니다." in (await reader.get(PAGE)).text


async def test_what_was_missed_is_listed_newest_first_page_by_page(
    reader: Browsing, server: Server, shop: Site
) -> None:
    await shop.deploy(site(nightly=job({"schedule": "0 0 3 * * *"})))
    base = time.time_ns() // 1000 - 40 * 86_400_000_000
    for number in range(60):
        one = Occurrence(
            app="shop",
            job="nightly" if number % 2 else "gone",
            due_at=base + number // 2 * 60_000_000,
            state="missed",
            note=f"Missed {number + 1} schedules, most recent at {rfc3339(base)}",
        )
        assert await server.store.occurrences.claim(one)
        started = {"state": "started", "note": "", "due_at": one.due_at + 1_000_000}
        await server.store.occurrences.claim(msgspec.structs.replace(one, **started))
    found: list[str] = []
    address: str | None = PAGE
    while address:
        text = (await reader.get(address)).text
        found += re.findall(r"the last of (\d+) due times|asleep\)\.</td>", text)
        older = re.search(r'rel="next" href="[^"]*(/ui/shop/scheduler/[^"]*)"', text)
        address = html.unescape(older[1]) if older else None
    assert len(found) == 60
    numbers = [int(one or 1) for one in found]
    assert numbers[:4] == [60, 59, 58, 57]
    assert sorted(numbers, reverse=True) == numbers
    assert "(deleted)" in text
    assert "Newer" in text


async def test_a_schedule_that_is_wrong_is_shown_with_its_error(
    reader: Browsing, admin: Client, shop: Site
) -> None:
    await shop.deploy(
        site(
            good=job({"schedule": "0 0 3 * * *"}),
            wrong=job({"schedule": "0 0 25 * * *"}),
            no_json={"run.sh": "exit 0\n", "settings.job": "{"},
            scriptless={"notes.txt": "", "settings.job": '{"schedule": "0 0 5 * * *"}'},
            no_script={"notes.txt": ""},
        )
    )
    text = (await reader.get(PAGE)).text
    found = rows(text)
    assert sorted(found) == ["good", "no-json", "scriptless", "wrong"]
    assert "No valid schedule" in found["wrong"]
    assert "Not valid" in found["wrong"]
    assert "Not valid" in found["no-json"]
    assert "settings.job: schedule" in found["wrong"]
    assert "Can't start" in found["scriptless"]
    assert "Pause" not in found["wrong"]
    assert [("Can't start" in line) for line in lines(text)] == [False, True]


async def test_jobs_that_are_stopped_altogether_are_told_apart(
    reader: Browsing, admin: Client, shop: Site
) -> None:
    await shop.deploy(site(nightly=job({"schedule": "0 0 3 * * *"})))
    await admin.ask("POST", "/apps/shop/api/settings", {"WEBJOBS_STOPPED": "1"})
    text = (await reader.get(PAGE)).text
    assert "The jobs of this app are stopped." in text
    assert "All schedules of this app are paused." not in text
    assert "Jobs stopped" in lines(text)[0]


async def test_the_last_run_and_the_rule_for_overlaps_are_in_the_table(
    reader: Browsing, admin: Client, shop: Site
) -> None:
    await shop.deploy(site(nightly=job({"schedule": "0 0 3 * * *", "overlap": "queue"}, "exit 4")))
    assert "Run it afterwards" in rows((await reader.get(PAGE)).text)["nightly"]
    await finished(admin, "nightly", "")
    row = rows((await reader.get(PAGE)).text)["nightly"]
    assert "Failed" in row
    assert "ago" in row or "now" in row


async def test_a_page_of_200_schedules_asks_the_database_three_times(
    reader: Browsing, server: Server, shop: Site
) -> None:
    names = [f"job_{number:03}" for number in range(200)]
    await shop.deploy(
        site(**{name: job({"schedule": f"0 {n % 60} * * * *"}) for n, name in enumerate(names)})
    )
    for query in ("", "?range=30d", "?before=1-x"):
        with counted(server) as said:
            text = (await reader.get(f"{PAGE}{query}")).text
        assert len(said) <= 3, said
        assert len(rows(text)) == 200
        assert len(text) < 1_000_000
        assert len(lines(text)) <= 300
    assert "up to" in plain(part((await reader.get(f"{PAGE}?range=30d")).text, "due"))


async def test_without_schedules_the_page_says_how_to_make_one(
    reader: Browsing, admin: Client, shop: Site
) -> None:
    for files in (None, site(by_hand=job())):
        await shop.deploy(files)
        text = (await reader.get(PAGE)).text
        assert "No job has a schedule yet" in text
        assert html.escape(view.EXAMPLE, quote=True).replace("&quot;", "&#34;") in text
        assert "Runs at 09:30 on Monday to Friday" in plain(text) or "09:30" in plain(text)
        assert "/ui/shop/jobs/-/add/" in text
        assert "Pause all" not in text
        assert 'id="lost"' not in text
    only = await Browsing.begin(await admin.token_for("read"))
    assert "/ui/shop/jobs/-/add/" not in (await only.get(PAGE)).text


async def test_the_example_is_a_schedule(reader: Browsing, shop: Site) -> None:
    await shop.deploy(site(first={"run.sh": "exit 0\n", "settings.job": view.EXAMPLE}))
    assert "Followed" in rows((await reader.get(PAGE)).text)["first"]
    text = (await reader.get("/ui/shop/")).text
    assert f"{PAGE}#schedule-first" in text


@pytest.mark.parametrize(
    "query", ["?before=x", "?before=99999999999999999999-x", "?page=-1&jobs=x", "?range[]=1"]
)
async def test_a_made_up_query_is_the_first_page(reader: Browsing, shop: Site, query: str) -> None:
    await shop.deploy(site(nightly=job({"schedule": "0 0 3 * * *"})))
    assert len(lines((await reader.get(f"{PAGE}{query}")).text)) == 1
